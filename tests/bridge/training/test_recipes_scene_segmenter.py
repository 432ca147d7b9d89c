"""The segmenter of drawn scenes: it learns what it will be asked, and IoU by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bridge.models import Models
from bridge.training.scenes.batches import draw_scene
from bridge.training.scenes.evaluation import unseen_scenes
from bridge.training.scenes.segmenter import CLASSES, SceneMasks, evaluate_scene_segmenter, scene_segmenter
from bridge.training.trainer import train
from semantic.models.segmentation import Segmenter
from semantic.networks.fcn import FCN
from semantic.networks.pixels import imagenet_normalised
from semantic.scenes.draw import PIXELS, class_map, draw
from semantic.scenes.scene import PLACES, choose

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


def test_training_finds_objects_and_is_small(tmp_path: Path) -> None:
    losses = train(scene_segmenter(**SMALL), 60, tmp_path)  # type: ignore[arg-type]
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
    assert (tmp_path / "model.safetensors").stat().st_size < 1e6
    found = evaluate_scene_segmenter(Models((("segmenter", str(tmp_path)),)).segmenter, 4, 1)
    assert len(found.main_object_ious) == 4


class _Left:
    """Knows the truth of the left half of each picture, and calls everything else background."""

    def labels(self, pictures: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.int64]]:
        assert [picture.shape for picture in pictures] == [(128, 128, 3)] * len(pictures)
        maps = [class_map(scene, 128) for scene in unseen_scenes(len(pictures), 7)]
        for labels in maps:
            labels[:, 64:] = 0
        return maps


def test_evaluation_by_hand() -> None:
    found = evaluate_scene_segmenter(_Left(), 30, 7, 128)
    scenes = unseen_scenes(30, 7)
    bounds = ((1.0, 1.0), (0.0, 0.999), (0.0, 0.2))  # what is missed leaves the picture's central half
    columns = set()
    for scene, overlap in zip(scenes, found.main_object_ious, strict=True):
        if len(scene.things) == 1:
            # Cells do not overlap, so an object of a side column is found whole or not at all.
            column = PLACES.index(scene.things[0].place) % 3
            columns.add(column)
            assert bounds[column][0] <= overlap <= bounds[column][1]
    assert columns == {0, 1, 2}
    truth = [class_map(scene, 128) for scene in scenes]
    inside = sum((labels[:, :64] > 0).sum() for labels in truth)
    assert found.foreground_iou == pytest.approx(inside / sum((labels > 0).sum() for labels in truth))
