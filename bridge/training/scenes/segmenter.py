"""The bundled segmenter of drawn scenes: a very narrow FCN, taught by exact masks.

The network scores one in eight pixels, and an object of 12 units is 12 pixels of the smallest picture. So
pictures of all sizes are first brought to 256 pixels, as the photographs' segmenter brings them to 192: there
a score stands for two units, which draws a star's tips. Pictures are learned at every size at which they can
be drawn, because a small one, enlarged, is more blurred than a large one.

The loss is the letter's: the negative log-likelihood of a pixel's class, averaged over pixels.

References
----------
J. Long, E. Shelhamer, T. Darrell: Fully convolutional networks for semantic segmentation. CVPR 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from bridge.training.scenes.batches import CPU, Ahead, Compute, draw_scene
from bridge.training.trainer import Recipe
from semantic.networks.fcn import FCN
from semantic.networks.pixels import imagenet_normalised
from semantic.scenes.draw import PIXELS, class_map, draw
from semantic.scenes.scene import SHAPES, choose

__all__ = ["CLASSES", "SHORT_SIDE", "MaskedScenes", "SceneMasks", "scene_segmenter"]

CLASSES = ("background", *SHAPES)
"""Names of the labels, those of `semantic.scenes.draw.class_map`."""

SHORT_SIDE = 256
"""Side to which pictures are brought, in pixels."""

_JUDGED = 128  # side of the masks that are learned: finer than the scores, and a quarter of 256's pixels


class MaskedScenes(NamedTuple):
    """Rows of a step.

    Attributes
    ----------
    pictures:
        ``[B, side, side, 3]``, drawn at some size and scaled.
    labels:
        ``[B, 128, 128]``.
    """

    pictures: NDArray[np.uint8]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class SceneMasks:
    """Pictures of scenes, each drawn at a size chosen by lot, with their exact masks.

    Attributes
    ----------
    count, seed:
        Rows of a batch; of the draws.
    side:
        To which pictures are scaled, as `semantic.models.segmentation.Segmenter` does it.
    """

    count: int
    seed: int
    side: int

    def __call__(self, step: int) -> MaskedScenes:
        """Draw a step's rows."""
        pictures, labels = zip(*(self._row(step, row) for row in range(self.count)), strict=True)
        return MaskedScenes(np.stack(pictures), np.stack(labels))

    def _row(self, step: int, row: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        scene, generator = draw_scene(self.seed, step, row)
        picture = Image.fromarray(draw(scene, choose(generator, PIXELS)))
        scaled = picture.resize((self.side, self.side), Image.Resampling.BILINEAR)
        return np.asarray(scaled), class_map(scene, _JUDGED)


def scene_segmenter(
    *,
    seed: int = 1,
    batch: int = 8,
    side: int = SHORT_SIDE,
    width: int = 4,
    blocks: Sequence[int] = (1, 1, 2, 2),
    compute: Compute = CPU,
) -> Recipe:
    """``tiny-scene-segmenter``: FCN of the shapes of scenes.

    Parameters
    ----------
    seed, batch:
        Of the draws; rows of a step.
    side:
        To which pictures are brought, in pixels, now and later.
    width, blocks:
        Of the `semantic.networks.fcn.FCN`.
    compute:
        Where and how it is trained.
    """
    batches = Ahead(SceneMasks(batch, seed, side), compute.workers)
    loss = partial(_loss, batches=batches, compute=compute)
    make = partial(_make, width, tuple(blocks), side)
    return Recipe("tiny-scene-segmenter", make, loss, _save, rate=1e-2, warm_up=50)


def _make(width: int, blocks: Sequence[int], side: int) -> FCN:
    network = FCN(len(CLASSES), width, blocks, auxiliary=False, short_side=side)
    for name, module in network.named_modules():
        # Every bottleneck starts as its shortcut, which lets deep networks start at all.
        if name.endswith("bn3") and isinstance(module, nn.BatchNorm2d):
            nn.init.zeros_(module.weight)
    return network


def _loss(network: FCN, step: int, *, batches: Ahead[MaskedScenes], compute: Compute) -> torch.Tensor:
    pictures, labels = batches(step)
    shown = torch.tensor(pictures, device=compute.device).permute(0, 3, 1, 2).float() / 255
    with compute.autocast():
        # Not through `forward`: it enlarges scores to the pictures' side, four times as many as are judged.
        scores = network.classifier(network.backbone(imagenet_normalised(shown))[1]).float()
    enlarged = F.interpolate(scores, labels.shape[1:], mode="bilinear", align_corners=False)
    return F.cross_entropy(enlarged, torch.from_numpy(labels).to(compute.device))


def _save(network: FCN, folder: Path) -> None:
    network.save_pretrained(folder, torch.float16)
