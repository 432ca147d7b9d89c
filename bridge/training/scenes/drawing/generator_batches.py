"""Batches from which the generator of scenes learns: prompts, slices and pictures, damaged as channels do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from bridge.training.scenes.batches import (
    IGNORED,
    SIDE,
    draw_scene,
    fused_caption,
    resized,
    to_ids,
)
from bridge.training.scenes.captioning.hints import place_facts
from bridge.training.scenes.distortions import DISTORTIONS
from bridge.training.scenes.drawing.vae import object_mask
from semantic.models.segmentation import main_object
from semantic.networks.pixels import Picture
from semantic.scenes.captions import caption, describe
from semantic.scenes.draw import class_map, draw
from semantic.scenes.scene import PLACES, Scene, below, choose, chooser

__all__ = ["CONTEXT", "SLICE", "GeneratorBatch", "GeneratorBatches", "main_slice"]

SLICE = 32
"""Side to which slices are scaled for the adapter's image encoder, in pixels."""

CONTEXT = 80
"""Tokens of a prompt; what four quarters tell of two objects, each told twice, mostly has fewer."""

_STEPS = 14  # last word of seeds that fix what is the same for all rows of a step
_SEEN = 4  # facts of an object that its slice shows: all but the place
_LETTERS = "abcdefghijklmnopqrstuvwxyz "


def main_slice(scene: Scene, picture: Picture, border: tuple[int, int, int, int] = (0, 0, 0, 0)) -> Picture:
    """Cut out the main object's box, as Multi-SC does with perfect segmentation.

    Parameters
    ----------
    scene, picture:
        What is to be seen, and its picture, ``[64, 64, 3]``.
    border:
        By how much the box is too large, above, left, below and right, in pixels.
    """
    box = main_object(class_map(scene, len(picture))).box
    top, left, bottom, right = (
        edge + sign * more for edge, more, sign in zip(box, border, (-1, -1, 1, 1), strict=True)
    )
    return picture[max(0, top) : bottom, max(0, left) : right]


class GeneratorBatch(NamedTuple):
    """Rows of a step.

    Attributes
    ----------
    pictures, objects, slices:
        ``[B, 64, 64, 3]``; where objects are in them, ``[B, 64, 64]``; ``[B, 32, 32, 3]``.
    ids:
        Tokens of the prompts, ``[B, CONTEXT]``.
    facts, told:
        What stands in each place, ``[B, 9, 6]``, and which prompts tell all of it, ``[B]``, 0 or 1.
    seen:
        What undamaged slices show, ``[B, 1, 6]``.
    shown:
        Which rows have an image prompt, ``[B]``, 0 or 1.
    scale:
        lambda; 0 is no adapter for the whole batch.
    """

    pictures: Picture
    objects: Picture
    slices: Picture
    ids: NDArray[np.int64]
    facts: NDArray[np.int64]
    told: NDArray[np.bool_]
    seen: NDArray[np.int64]
    shown: NDArray[np.float32]
    scale: float


@dataclass(frozen=True)
class GeneratorBatches:
    """Pictures, prompts and slices.

    Attributes
    ----------
    core:
        Tokenizer without a frame.
    count, seed:
        Rows of a batch; of the draws.
    words_only:
        Share of steps without adapter.
    """

    core: Tokenizer
    count: int
    seed: int
    words_only: float

    def __call__(self, step: int) -> GeneratorBatch:
        """Draw a step's rows."""
        lot = chooser([self.seed, step, 1, _STEPS])
        words_only = below(lot, 1000) < 1000 * self.words_only
        scale = 0.0 if words_only else (40 + below(lot, 61)) / 100
        rows = [self._row(step, row, not words_only) for row in range(self.count)]
        pictures, objects, slices, texts, told, seen, shown, facts = zip(*rows, strict=True)
        return GeneratorBatch(
            np.stack(pictures),
            np.stack(objects),
            np.stack(slices),
            to_ids(self.core, texts, CONTEXT, start=True, full=True),
            np.stack(facts),
            np.array(told),
            np.stack(seen)[:, None],
            np.array(shown, np.float32),
            scale,
        )

    def _row(self, step: int, row: int, sliced: bool) -> tuple[Any, ...]:
        scene, lot = draw_scene(self.seed, step, row)
        picture, facts = draw(scene, SIDE), place_facts(scene)
        objects = object_mask(scene)
        text, told = _prompt(scene, lot)
        # One row in ten loses its text, one its slice, one both; without an adapter one its text.
        fate = below(lot, 10)
        if fate == 0 or (fate == 1 and sliced):
            text, told = "", False
        seen = np.full(facts.shape[1], IGNORED)
        if not sliced or fate in (0, 2):
            nothing = np.zeros((SLICE, SLICE, 3), np.uint8)
            return picture, objects, nothing, text, told, seen, False, facts
        piece, lost = _damaged_slice(main_slice(scene, picture, _border(lot)), lot)
        if not lost:
            seen[:_SEEN] = facts[_main_place(scene), :_SEEN]
        return picture, objects, piece, text, told, seen, True, facts


def _main_place(scene: Scene) -> int:
    """Return the index of the place where the main object stands."""
    box = main_object(class_map(scene, SIDE)).box
    middle = (box[1] + box[3]) / 2, (box[0] + box[2]) / 2
    return PLACES.index(min(scene.things, key=lambda thing: math.dist(thing.centre, middle)).place)


def _prompt(scene: Scene, lot: np.random.Generator) -> tuple[str, bool]:
    """Text of a scene, and whether it tells everything."""
    kind = below(lot, 10)
    if kind < 4:
        text, told = describe(scene), True
    elif kind < 7:
        told = kind > 4
        text = caption(scene, lot, full=told)
    else:
        text, told = fused_caption(scene, choose(lot, (0, 2, 4))), True
    return (text, told) if below(lot, 5) else (_misspelt(text, lot), False)


def _misspelt(text: str, lot: np.random.Generator) -> str:
    """Replace up to a tenth of the letters."""
    per_mille = below(lot, 100)
    return "".join(c if below(lot, 1000) >= per_mille else choose(lot, _LETTERS) for c in text)


def _border(lot: np.random.Generator) -> tuple[int, int, int, int]:
    top, left, bottom, right = (below(lot, 4) - 1 for _ in range(4))
    return top, left, bottom, right


def _damaged_slice(piece: Picture, lot: np.random.Generator) -> tuple[Picture, bool]:
    """Scale a slice; distort two in five, and lose one in ten, which then is one colour or noise."""
    fate = below(lot, 20)
    if fate == 0:
        return np.full((SLICE, SLICE, 3), below(lot, 256), np.uint8), True
    if fate == 1:
        return lot.integers(0, 256, (SLICE, SLICE, 3), dtype=np.uint8), True
    if fate < 10:
        piece = choose(lot, tuple(DISTORTIONS.values()))(piece, lot)
    return resized(piece, SLICE), False
