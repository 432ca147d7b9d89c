"""The judge of drawn scenes: pictures as they are generated or transmitted, and the facts in each place.

Half of the pictures are distorted, and one in sixteen shows no object at all (a bare background, noise, or
blots). The loss is the sum over kinds of facts of the mean cross-entropy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from bridge.training.scenes.batches import CPU, IGNORED, Ahead, Compute
from bridge.training.scenes.captioning.hints import place_facts
from bridge.training.scenes.distortions import distorted
from bridge.training.trainer import Recipe
from semantic.networks.pixels import Picture
from semantic.scenes.draw import draw, draw_background
from semantic.scenes.judge import HEADS, SceneJudge, to_batch
from semantic.scenes.scene import BACKGROUNDS, GRAINS, PLACES, below, choose, chooser, sample_scene

__all__ = ["JudgedPictures", "PictureFacts", "judge"]

_TRAINING = 1  # last word of the seeds: none is that of `semantic.scenes.dataset.load`, which has two words
_BARE = 16  # one picture in so many shows no object


class PictureFacts(NamedTuple):
    """Rows of a step.

    Attributes
    ----------
    pictures:
        ``[B, 64, 64, 3]``.
    facts:
        What stands in each place, ``[B, 9, 6]`` (`bridge.training.scenes.captioning.hints.place_facts`).
    """

    pictures: Picture
    facts: NDArray[np.int64]


@dataclass(frozen=True)
class JudgedPictures:
    """Pictures of scenes, three in four of the hard level and the others of the medium one, and their facts.

    Attributes
    ----------
    count, seed:
        Rows of a batch, at least two; of the draws.
    """

    count: int
    seed: int

    def __call__(self, step: int) -> PictureFacts:
        """Draw a step's rows."""
        generator = chooser([self.seed, step, _TRAINING])
        pictures, facts = zip(*(_row(index, generator) for index in range(self.count)), strict=True)
        return PictureFacts(np.stack(pictures), np.stack(facts))


def _row(index: int, generator: np.random.Generator) -> tuple[Picture, NDArray[np.int64]]:
    if index % _BARE == 0:
        return distorted(_bare(generator), generator), _nothing()
    scene = sample_scene(generator, "hard" if index % 4 else "medium")
    return distorted(draw(scene), generator), place_facts(scene)


def _bare(generator: np.random.Generator) -> Picture:
    """A picture without objects: a background, noise, or blots of some fineness."""
    if below(generator, 2):
        grain = below(generator, GRAINS), below(generator, GRAINS)
        return draw_background(choose(generator, BACKGROUNDS), grain).astype(np.uint8)
    side = choose(generator, (4, 8, 16, 32, 64))
    blots = generator.integers(0, 256, (side, side, 3), dtype=np.uint8)
    return np.array(Image.fromarray(blots).resize((64, 64), Image.Resampling.BILINEAR))


def _nothing() -> NDArray[np.int64]:
    """Facts of a picture without objects: empty places, of which nothing more is told."""
    facts = np.full((len(PLACES), len(HEADS)), IGNORED, np.int64)
    facts[:, 0] = 0
    return facts


def judge(*, seed: int = 1, batch: int = 64, compute: Compute = CPU) -> Recipe:
    """``scenes-judge``: the network of `semantic.scenes.judge`.

    Parameters
    ----------
    seed, batch:
        Of the draws; rows of a step.
    compute:
        Where and how it is trained.
    """
    loss = partial(_loss, batches=Ahead(JudgedPictures(batch, seed), compute.workers), compute=compute)
    return Recipe(
        "scenes-judge", SceneJudge, loss, _save, rate=3e-3, warm_up=100, weight_decay=1e-3, clip=math.inf
    )


def _loss(model: SceneJudge, step: int, *, batches: Ahead[PictureFacts], compute: Compute) -> torch.Tensor:
    pictures, facts = batches(step)
    targets = torch.from_numpy(facts).to(compute.device)
    with compute.autocast():
        logits = model(to_batch(list(pictures)).to(compute.device))
    losses = []
    for kind, scores in enumerate(logits.values()):
        told = targets[:, :, kind] if scores.ndim == 3 else targets[:, 0, kind]  # of places, of pictures
        losses.append(
            functional.cross_entropy(scores.float().flatten(0, -2), told.flatten(), ignore_index=IGNORED)
        )
    return torch.stack(losses).sum()


def _save(model: SceneJudge, folder: Path) -> None:
    model.save_pretrained(folder)
