"""Batches from which captioners of scenes learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from bridge.training.scenes.batches import SIDE, draw_scene, resized, to_ids
from bridge.training.scenes.captioning.hints import patch_facts
from semantic.scenes.captions import describe, quadrant_caption
from semantic.scenes.draw import draw, masks
from semantic.scenes.quadrants import cut
from semantic.scenes.scene import QUADRANTS, below, choose

__all__ = ["MOST", "CaptionBatch", "CaptionBatches"]

MOST = 64
"""Most tokens of a caption; canonical ones have up to 50."""


class CaptionBatch(NamedTuple):
    """Rows of a step.

    Attributes
    ----------
    pictures:
        ``[B, 64, 64, 3]``.
    ids:
        Tokens of their captions, ``[B, L]``.
    facts:
        What their patches show, ``[B, P, 6]`` (`bridge.training.scenes.captioning.hints.patch_facts`).
    """

    pictures: NDArray[np.uint8]
    ids: NDArray[np.int64]
    facts: NDArray[np.int64]


@dataclass(frozen=True)
class CaptionBatches:
    """Pictures with their canonical captions.

    Attributes
    ----------
    core:
        Tokenizer without a frame.
    count, seed:
        Rows of a batch; of the draws.
    quarters:
        Share of rows that are quarters of pictures, one half at most of which show no object.
    start:
        Whether captions begin with ``<s>``.
    patch:
        Side of a patch in pixels.
    """

    core: Tokenizer
    count: int
    seed: int
    quarters: float
    start: bool
    patch: int

    def __call__(self, step: int) -> CaptionBatch:
        """Draw a step's rows."""
        pictures, texts, facts = zip(*(self._row(step, row) for row in range(self.count)), strict=True)
        ids = to_ids(self.core, texts, MOST, start=self.start)
        return CaptionBatch(np.stack(pictures), ids, np.stack(facts))

    def _row(self, step: int, row: int) -> tuple[NDArray[np.uint8], str, NDArray[np.int64]]:
        scene, generator = draw_scene(self.seed, step, row)
        if below(generator, 1000) >= 1000 * self.quarters:
            facts = patch_facts(scene, masks(scene, SIDE), self.patch)
            return draw(scene, SIDE), describe(scene), facts
        quadrant = choose(generator, QUADRANTS)
        if below(generator, 2):  # rather one with something in it
            quadrant = choose(generator, scene.things).quadrant
        picture = cut(draw(scene, choose(generator, (SIDE, 2 * SIDE))), quadrant)
        facts = patch_facts(scene, cut(masks(scene, 2 * SIDE), quadrant), self.patch)
        return resized(picture, SIDE), quadrant_caption(scene, quadrant, inner=True), facts
