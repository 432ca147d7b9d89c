"""The segmenter's training: crops keep picture and mask together, and a frozen backbone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from bridge.training.photographs.masked import MaskedPhotographs
from bridge.training.photographs.segmenter import segmenter
from bridge.training.trainer import train
from semantic.models.segmentation import Segmenter
from semantic.networks.fcn_mobilenet import MobileNetFCN
from tests.tiny.imagenet import write_imagenet


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red squares of class 7, with borders of 255, on dark ground."""
    folder = tmp_path_factory.mktemp("masked")
    (folder / "JPEGImages").mkdir()
    (folder / "SegmentationClass").mkdir()
    for index in range(6):
        picture = np.full((50, 60, 3), 20, np.uint8)
        labels = np.zeros((50, 60), np.uint8)
        top = 5 + 3 * index
        labels[top - 1 : top + 21, 19:41] = 255
        picture[top : top + 20, 20:40] = (250, 20, 20)
        labels[top : top + 20, 20:40] = 7
        Image.fromarray(picture).save(folder / "JPEGImages" / f"{index}.jpg", quality=95)
        mask = Image.fromarray(labels)
        mask.putpalette([value for level in range(256) for value in (255 - level, level, 7)])
        if index < 5:
            mask.save(folder / "SegmentationClass" / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backbone of random weights, named as published."""
    torch.manual_seed(3)
    file = tmp_path_factory.mktemp("imagenet") / "mobilenet.safetensors"
    write_imagenet(file)
    return file


def test_crops_keep_picture_and_mask_together(pictures: Path) -> None:
    data = MaskedPhotographs([pictures], 48)
    assert len(data.masked) == 5  # the sixth has no mask
    shown, labels = data.crops(40, 1, 2)
    assert shown.shape == (40, 3, 48, 48)
    assert labels.shape == (40, 48, 48)
    assert set(labels.unique().tolist()) == {0, 7, 255}
    red = shown[:, 0] - shown[:, 1]
    assert (red[labels == 7] > 0.3).float().mean() > 0.98
    assert (red[labels == 0] < 0.3).float().mean() > 0.98
    assert torch.equal(shown, data.crops(40, 1, 2).pictures)
    assert not torch.equal(shown, data.crops(40, 1, 3).pictures)


def test_no_masks(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="SegmentationClass"):
        MaskedPhotographs([tmp_path], 48)


@pytest.mark.slow
def test_recipe_resumes_to_the_same_weights(pictures: Path, imagenet: Path, tmp_path: Path) -> None:
    recipe = segmenter([pictures], imagenet, batch=2, side=32, width=4)
    whole = train(recipe, 3, tmp_path / "whole")
    parts = train(recipe, 3, tmp_path / "parts", until=2) + train(recipe, 3, tmp_path / "parts")
    assert parts == whole
    assert np.isfinite(whole).all()
    first, second = (
        MobileNetFCN.from_pretrained(tmp_path / name).state_dict() for name in ("whole", "parts")
    )
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    network = Segmenter.from_pretrained(tmp_path / "whole").network
    assert network.short_side == 32


@pytest.mark.slow
def test_training_finds_red_squares_and_leaves_the_backbone(
    pictures: Path, imagenet: Path, tmp_path: Path
) -> None:
    losses = train(segmenter([pictures], imagenet, batch=4, side=32, width=32), 120, tmp_path)
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:10])
    begun = MobileNetFCN()
    begun.load_imagenet(imagenet)
    trained = MobileNetFCN.from_pretrained(tmp_path).backbone.state_dict()
    assert all(
        torch.equal(tensor.half().float(), trained[name])
        for name, tensor in begun.backbone.state_dict().items()
    )


@pytest.mark.slow
def test_going_on_trains_the_last_blocks_too(pictures: Path, imagenet: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    train(segmenter([pictures], imagenet, batch=2, side=32, width=4), 2, first)
    train(segmenter([pictures], imagenet, first, batch=2, side=32, width=4, seed=2), 2, second)
    begun, gone_on = (MobileNetFCN.from_pretrained(folder) for folder in (first, second))
    assert gone_on.settings == begun.settings
    for index, (old, new) in enumerate(zip(begun.backbone.blocks, gone_on.backbone.blocks, strict=True)):
        pairs = zip(old.parameters(), new.parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs) == (index < 13)
    # It began where the first had ended: two careful steps lead nowhere near a network of another seed.
    moved = (begun.classifier.weight - gone_on.classifier.weight).abs().max()
    assert 0 < moved < 2e-3 < MobileNetFCN(width=4).classifier.weight.std()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "JPEGImages/a.jpg").write_bytes(b""), r"a\.jpg' is no readable picture"),
        (lambda folder: (folder / "SegmentationClass/a.png").write_bytes(b""), r"a\.png' is no readable"),
        (
            lambda folder: _mask(folder, np.zeros((4, 9), np.uint8)),
            r"a\.png is a mask of \[4, 9\], its .*\[8, 9\]",
        ),
        (lambda folder: _mask(folder, np.full((8, 9), 77, np.uint8)), r"a\.png holds the label 77"),
        (lambda folder: _mask(folder, np.zeros((8, 9, 3), np.uint8)), r"one label a pixel"),
    ],
)
def test_what_cannot_be_learned_from_is_named(
    tmp_path: Path, spoil: Callable[[Path], object], message: str
) -> None:
    (tmp_path / "JPEGImages").mkdir()
    (tmp_path / "SegmentationClass").mkdir()
    Image.fromarray(np.zeros((8, 9, 3), np.uint8)).save(tmp_path / "JPEGImages" / "a.jpg")
    _mask(tmp_path, np.zeros((8, 9), np.uint8))
    assert len(MaskedPhotographs([tmp_path], 4).masked) == 1
    spoil(tmp_path)
    with pytest.raises(ValueError, match=message):
        MaskedPhotographs([tmp_path], 4)


def _mask(folder: Path, labels: NDArray[np.uint8]) -> None:
    Image.fromarray(labels).save(folder / "SegmentationClass" / "a.png")
