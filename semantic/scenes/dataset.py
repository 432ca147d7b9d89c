"""Scenes as a data set of captioned pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from semantic.scenes.captions import caption, describe
from semantic.scenes.draw import PIXELS, draw
from semantic.scenes.scene import DIFFICULTIES, Difficulty, Scene, chooser, sample_scene

__all__ = ["DrawnPicture", "load"]

_PHRASINGS = 4


class DrawnPicture(NamedTuple):
    """A picture, what it shows, and five ways to say so.

    Attributes
    ----------
    name:
        Unique and stable, such as ``scene-hard-1-17``: difficulty, seed, index.
    pixels:
        ``[size, size, 3]``, ``uint8``, RGB.
    captions:
        The canonical description, then phrasings drawn by lot; all tell every fact.
    scene:
        The truth.
    """

    name: str
    pixels: NDArray[np.uint8]
    captions: list[str]
    scene: Scene


def load(
    count: int, seed: int = 1, difficulty: Difficulty = "hard", size: int = 64
) -> Iterator[DrawnPicture]:
    """Draw captioned pictures; the i-th depends on seed, difficulty and size, not on how many are drawn.

    Parameters
    ----------
    count:
        How many.
    seed:
        A non-negative integer. Different seeds give unrelated pictures.
    difficulty:
        ``easy``, ``medium`` or ``hard``, see `sample_scene`.
    size:
        Side in pixels: 64, 128 or 256.

    Raises
    ------
    ValueError
        At once, if count or seed is negative, or there is no such difficulty or size.

    Examples
    --------
    >>> [(sample.name, sample.pixels.shape) for sample in load(2, difficulty="easy")]
    [('scene-easy-1-0', (64, 64, 3)), ('scene-easy-1-1', (64, 64, 3))]
    """
    if count < 0 or seed < 0:
        raise ValueError(f"count and seed must not be negative, got {count!r} and {seed!r}")
    if difficulty not in DIFFICULTIES or size not in PIXELS:
        raise ValueError(
            f"difficulty must be one of {', '.join(DIFFICULTIES)} and size one of "
            f"{', '.join(map(str, PIXELS))}; got {difficulty!r} and {size!r}"
        )
    return (_item(index, seed, difficulty, size) for index in range(count))


def _item(index: int, seed: int, difficulty: Difficulty, size: int) -> DrawnPicture:
    generator = chooser([seed, index])
    scene = sample_scene(generator, difficulty)
    phrasings = [caption(scene, generator, full=True) for _ in range(_PHRASINGS)]
    name = f"scene-{difficulty}-{seed}-{index}"
    return DrawnPicture(name, draw(scene, size), [describe(scene), *phrasings], scene)
