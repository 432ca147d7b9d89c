"""The segmenter of drawn scenes: it learns what it will be asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bridge.models import Models
from bridge.training.scenes.batches import draw_scene
from bridge.training.scenes.segmenter import CLASSES, SceneMasks, scene_segmenter
from bridge.training.trainer import train
from semantic.models.segmentation import Segmenter
from semantic.networks.fcn import FCN
from semantic.networks.pixels import imagenet_normalised
from semantic.scenes.draw import PIXELS, class_map, draw
from semantic.scenes.scene import choose

SMALL = {"batch": 3, "side": 128, "blocks": (1, 1, 1, 1)}


def test_rows_are_pictures_of_all_sizes_as_the_segmenter_prepares_them() -> None:
    batch = SceneMasks(12, 5, 96)(3)
    again = SceneMasks(12, 5, 96)(3)
    assert all(np.array_equal(one, other) for one, other in zip(batch, again, strict=True))
    asked = Segmenter(FCN(len(CLASSES), 4, (1, 1, 1, 1), False, 96))
    shown = imagenet_normalised(torch.tensor(batch.pictures).permute(0, 3, 1, 2).float() / 255)
    sizes = set()
    for row in range(12):
        scene, generator = draw_scene(5, 3, row)
        size = choose(generator, PIXELS)
        torch.testing.assert_close(shown[row : row + 1], asked._prepare(draw(scene, size)))
        assert np.array_equal(batch.labels[row], class_map(scene, 128))
        sizes.add(size)
    assert sizes == set(PIXELS)


def test_loss_is_the_mean_nll_of_the_scores_that_are_asked_for() -> None:
    recipe = scene_segmenter(**SMALL)  # type: ignore[arg-type]
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        network = recipe.make().eval()
        pictures, labels = SceneMasks(3, 1, 128)(0)
        shown = torch.tensor(pictures).permute(0, 3, 1, 2).float() / 255
        p = network(imagenet_normalised(shown)).softmax(1).numpy()  # masks have 128 pixels, too
        b, y, x = np.indices(labels.shape)
        expected = -np.log(p[b, labels, y, x]).mean()
        assert float(recipe.loss(network, 0)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_training_finds_objects_and_is_small(tmp_path: Path) -> None:
    losses = train(scene_segmenter(**SMALL), 60, tmp_path)  # type: ignore[arg-type]
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
    assert (tmp_path / "model.safetensors").stat().st_size < 1e6
    (labels,) = Models((("segmenter", str(tmp_path)),)).segmenter.labels([draw(draw_scene(1, 1, 1)[0])])
    assert labels.shape == (64, 64)
    assert 0 <= labels.min() <= labels.max() < len(CLASSES)
