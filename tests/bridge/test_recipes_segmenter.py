"""The segmenter's training: crops keep picture and mask together, a teacher's graph, IoU by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from bridge.training.masked import MaskedPhotographs
from bridge.training.segmenter import evaluate_segmenter, segmenter
from bridge.training.teacher import Teacher
from bridge.training.trainer import train
from semantic.fcn import FCN
from semantic.segmentation import Segmenter


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
def teacher_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_teacher(tmp_path_factory.mktemp("teacher"))


def write_teacher(folder: Path) -> Path:
    """A graph with every operation: strided, depthwise dilated, added, pooled and joined, then scores."""
    conv: dict[str, Any] = {"stride": [1, 1], "padding": "SAME", "dilation": [1, 1], "activation": None}
    shapes = {"a": (8, 3, 3, 3), "b": (8, 1, 3, 3), "c": (4, 8, 1, 1), "d": (21, 12, 1, 1)}

    def layer(op: str, name: str, source: str, to: str, **more: Any) -> dict[str, Any]:
        names = {"weight": f"x.{name}.weight", "bias": f"x.{name}.bias"}
        return {"op": op, "inputs": [source], "output": to, **conv, **names, **more}

    operations = [
        layer("CONV_2D", "a", "in", "one", stride=[16, 16], activation="RELU6"),
        layer("DEPTHWISE_CONV_2D", "b", "one", "two", dilation=[2, 2], groups=8, activation="RELU"),
        {"op": "ADD", "inputs": ["one", "two"], "output": "sum"},
        {"op": "AVERAGE_POOL_2D", "inputs": ["sum"], "output": "pooled", "kernel": [3, 3]},
        layer("CONV_2D", "c", "pooled", "small"),
        {"op": "RESIZE_BILINEAR", "inputs": ["small"], "output": "wide", "size": [3, 3]},
        {"op": "CONCATENATION", "inputs": ["wide", "sum"], "output": "both", "axis_nhwc": 3},
        layer("CONV_2D", "d", "both", "scores"),
        {"op": "RESIZE_BILINEAR", "inputs": ["scores"], "output": "large", "size": [33, 33]},
        {"op": "ARG_MAX", "inputs": ["large"], "output": "labels"},
    ]
    generator = torch.Generator().manual_seed(4)
    tensors = {}
    for name, shape in shapes.items():
        tensors[f"x.{name}.weight"] = torch.randn(shape, generator=generator) * 0.3
        tensors[f"x.{name}.bias"] = torch.randn(shape[0], generator=generator) * 0.1
    save_file(tensors, str(folder / "net.safetensors"))
    (folder / "net.graph.json").write_text(json.dumps({"ops": operations}))
    return folder


def test_crops_keep_picture_and_mask_together(pictures: Path) -> None:
    data = MaskedPhotographs([pictures], [], 48)
    assert (len(data.masked), len(data.unmasked)) == (5, 1)
    shown, labels, taught = data.crops(40, 1, 2)
    assert taught is None
    assert shown.shape == (40, 3, 48, 48)
    assert labels.shape == (40, 48, 48)
    assert set(labels.unique().tolist()) == {0, 7, 255}
    red = shown[:, 0] - shown[:, 1]
    assert (red[labels == 7] > 0.3).float().mean() > 0.98
    assert (red[labels == 0] < 0.3).float().mean() > 0.98
    assert torch.equal(shown, data.crops(40, 1, 2).pictures)
    assert not torch.equal(shown, data.crops(40, 1, 3).pictures)


def test_what_is_taught_lies_where_the_picture_is(pictures: Path) -> None:
    seen = list[torch.Size]()

    def redness(shown: torch.Tensor) -> torch.Tensor:
        """Scores 21 "classes", one of them by redness at one in four pixels, corners on corners."""
        seen.append(shown.shape)
        size = [(side - 1) // 4 + 1 for side in shown.shape[2:]]
        red = F.interpolate(shown[:, :1] - shown[:, 1:2], size, mode="bilinear", align_corners=True)
        return torch.cat([torch.zeros(1, 7, *size), red, torch.zeros(1, 13, *size)], 1)

    data = MaskedPhotographs([pictures], [pictures / "JPEGImages"], 48, redness)
    crops = [data.crops(40, 1, step) for step in range(2)]
    assert 0 < len(seen) <= 12  # every picture once: 6 of the folder, 6 again as unmasked ones
    assert all(min(shape[2:]) == 256 for shape in seen)
    for shown, labels, taught in crops:
        assert taught is not None
        assert taught.shape == (40, 21, 48, 48)
        assert (taught[:, 7][labels == 7] > 0.45).float().mean() > 0.97
        red = shown[:, 0] - shown[:, 1] > 0.3
        assert ((taught[:, 7] > 0.45) == red).float().mean() > 0.97
        assert (labels == 255).flatten(1).all(1).any()  # pictures without masks
        outside = taught[:, 0] == 10
        assert (taught[:, 7][outside] == 0).all()


def test_no_masks(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="SegmentationClass"):
        MaskedPhotographs([tmp_path], [], 48)


def test_teacher_computes_its_graph(teacher_folder: Path) -> None:
    teacher = Teacher(teacher_folder)
    x = torch.rand(2, 3, 33, 33, generator=torch.Generator().manual_seed(1))
    w = {name.replace("/", "."): tensor for name, tensor in teacher.named_buffers()}
    # By hand: 33 pixels give 3 strides of 16, for which TensorFlow pads (3 - 1) 16 + 3 - 33 = 2, one a side.
    one = F.conv2d((x * 255 - 128) / 128, w["x.a.weight"], w["x.a.bias"], 16, 1).clamp(0, 6)
    two = F.conv2d(one, w["x.b.weight"], w["x.b.bias"], 1, 2, 2, 8).relu()
    pooled = (one + two).mean((2, 3), keepdim=True)
    small = F.conv2d(pooled, w["x.c.weight"], w["x.c.bias"]).expand(-1, -1, 3, 3)
    scores = F.conv2d(torch.cat([small, one + two], 1), w["x.d.weight"], w["x.d.bias"])
    torch.testing.assert_close(teacher(x), scores)
    # 20 and 34 pixels are brought to 33 and 49.
    assert teacher(torch.rand(1, 3, 20, 34)).shape == (1, 21, 3, 4)


def test_teacher_without_weights(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"graph\.json"):
        Teacher(tmp_path)
    (tmp_path / "net.graph.json").write_text('{"ops": []}')
    with pytest.raises(ValueError, match=r"net\.safetensors"):
        Teacher(tmp_path)


def test_published_teacher_finds_objects(data_dir: Path, tmp_path: Path) -> None:
    source = data_dir / "voc2012_seg_eval"
    (tmp_path / "JPEGImages").symlink_to(source / "JPEGImages")
    (tmp_path / "SegmentationClass").mkdir()
    for mask in sorted((source / "SegmentationClass").glob("*.png"))[:30:5]:
        (tmp_path / "SegmentationClass" / mask.name).symlink_to(mask)
    found = evaluate_segmenter(_Scores(Teacher(data_dir / "deeplab_voc")), tmp_path)
    # Its SOURCE says 0.627 mIoU and 0.923 of the pixels over all 175.
    assert found.main_object_iou > 0.6
    assert found.foreground_iou > 0.6


class _Scores:
    def __init__(self, network: Teacher) -> None:
        self.network = network

    def labels(self, pictures: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.int64]]:
        tensors = [torch.from_numpy(picture.copy()).permute(2, 0, 1)[None] / 255 for picture in pictures]
        return [
            F.interpolate(self.network(each), each.shape[2:], mode="bilinear", align_corners=True)[0]
            .argmax(0)
            .numpy()
            for each in tensors
        ]


@pytest.mark.parametrize("taught", [False, True])
def test_recipe_resumes_to_the_same_weights(
    pictures: Path, teacher_folder: Path, tmp_path: Path, taught: bool
) -> None:
    recipe = segmenter(
        [pictures],
        unmasked=[pictures / "JPEGImages"],
        teacher=teacher_folder if taught else None,
        batch=2,
        side=32,
        width=4,
        blocks=(1, 1, 1, 1),
    )
    whole = train(recipe, 3, tmp_path / "whole")
    parts = train(recipe, 3, tmp_path / "parts", until=2) + train(recipe, 3, tmp_path / "parts")
    assert parts == whole
    assert np.isfinite(whole).all()
    first, second = (FCN.from_pretrained(tmp_path / name).state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    network = Segmenter.from_pretrained(tmp_path / "whole").network
    assert network.short_side == 32


def test_training_finds_red_squares(pictures: Path, tmp_path: Path) -> None:
    recipe = segmenter([pictures], batch=4, side=32, width=8, blocks=(1, 1, 1, 1))
    losses = train(recipe, 80, tmp_path)
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:10])


class _Fixed:
    """Says the same of every picture."""

    def __init__(self, labels: NDArray[np.int64]) -> None:
        self.said = labels

    def labels(self, pictures: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.int64]]:
        return [self.said for _ in pictures]


def test_evaluation_by_hand(tmp_path: Path) -> None:
    for name in ("JPEGImages", "SegmentationClass"):
        (tmp_path / name).mkdir()
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(tmp_path / "JPEGImages" / "a.jpg")
    truth = np.zeros((20, 20), np.uint8)
    truth[5:15, 5:15] = 3
    truth[4, 5:15] = 255  # not judged: what is said of it counts nowhere
    Image.fromarray(truth).save(tmp_path / "SegmentationClass" / "a.png")
    said = np.zeros((20, 20), np.int64)
    said[4:15, 5:10] = 9
    found = evaluate_segmenter(_Fixed(said), tmp_path)
    # The main object: 50 of 100 pixels, and none too many. Classes: background 290 of 340, 3 and 9 none.
    assert found.main_object_ious == (0.5,)
    assert found.main_object_iou == found.foreground_iou == 0.5
    assert found.mean_iou == pytest.approx(290 / 340 / 3)


def test_evaluation_without_masks(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="SegmentationClass"):
        evaluate_segmenter(_Fixed(np.zeros((2, 2), np.int64)), tmp_path)
