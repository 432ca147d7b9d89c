"""What is said or seen of a scene, and how much of it is right.

The facts of a scene are, for each object, its shape *and* colour together, its size, its texture and its
place; then the background; and the light, if the scene has one or one is claimed. Objects named and objects
there are matched so that most facts agree; whatever is missing or invented is wrong. The same counting serves
text and pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from semantic.scenes.scene import QUADRANTS, UNITS, Scene, Thing

__all__ = ["Attributes", "Counts", "Facts", "count_right", "quadrant_facts", "scene_facts", "things_in"]

_PER_OBJECT = 4


@dataclass(frozen=True)
class Attributes:
    """What is known of one object; None where nothing is."""

    shape: str | None = None
    colour: str | None = None
    size: str | None = None
    texture: str | None = None
    place: str | None = None


@dataclass(frozen=True)
class Facts:
    """What is known of a picture.

    Attributes
    ----------
    objects:
        In the order in which they were named or seen.
    background:
        None if nothing, or nothing consistent, is known.
    light:
        ``none`` also if nothing is said, since ordinary light is not worth mentioning.
    """

    objects: tuple[Attributes, ...] = ()
    background: str | None = None
    light: str = "none"


class Counts(NamedTuple):
    """Right facts, and all; counts of several pictures add up, field by field."""

    right: int
    total: int

    @property
    def accuracy(self) -> float:
        """``right / total``, in 0 to 1."""
        return self.right / self.total


def scene_facts(scene: Scene) -> Facts:
    """All facts of a scene.

    Examples
    --------
    >>> from semantic.scenes.scene import sample_scene
    >>> facts = scene_facts(sample_scene(1, "easy"))
    >>> count_right(facts, facts).accuracy
    1.0
    """
    return Facts(tuple(map(_attributes, scene.things)), scene.background, scene.light)


def things_in(scene: Scene, quadrant: str, margin: int = 0) -> tuple[Thing, ...]:
    """Objects whose centre lies in a quarter of the picture; one on a border counts to the right or lower.

    Parameters
    ----------
    scene, quadrant:
        The scene, one of ``QUADRANTS``.
    margin:
        By how many units a centre may lie beyond the cut, so that half an object belongs to both sides.

    Raises
    ------
    ValueError
        If there is no such quadrant.
    """
    if quadrant not in QUADRANTS:
        raise ValueError(f"quadrant must be one of {', '.join(QUADRANTS)}; got {quadrant!r}")
    row, column = divmod(QUADRANTS.index(quadrant), 2)

    def inside(along: int, last: int) -> bool:
        return along >= UNITS // 2 - margin if last else along < UNITS // 2 + margin

    return tuple(
        thing for thing in scene.things if inside(thing.centre[0], column) and inside(thing.centre[1], row)
    )


def quadrant_facts(scene: Scene, quadrant: str) -> Facts:
    """Facts of one quarter of the picture: its objects (by their places in the whole), background and light.

    Raises
    ------
    ValueError
        If there is no such quadrant.
    """
    return Facts(tuple(map(_attributes, things_in(scene, quadrant))), scene.background, scene.light)


def _attributes(thing: Thing) -> Attributes:
    return Attributes(thing.shape, thing.colour, thing.size, thing.texture, thing.place)


def _agreeing(there: Attributes, named: Attributes) -> int:
    return (
        ((there.shape, there.colour) == (named.shape, named.colour))
        + (there.size == named.size)
        + (there.texture == named.texture)
        + (there.place == named.place)
    )


def count_right(truth: Facts | Scene, named: Facts) -> Counts:
    """Count the facts of a scene (or of a part of it) that were named rightly.

    Parameters
    ----------
    truth:
        What is there; of every object, everything is known.
    named:
        What was said or seen.

    Returns
    -------
    Counts
        Four facts an object, over as many objects as are there or were named, whichever is more; one for the
        background; one for the light if it is not ``none`` in both.

    Examples
    --------
    >>> count_right(Facts(background="snow"), Facts(background="snow", light="dark"))
    Counts(right=1, total=2)
    """
    if isinstance(truth, Scene):
        truth = scene_facts(truth)
    agreeing = [[_agreeing(there, said) for said in named.objects] for there in truth.objects]
    table = np.array(agreeing, dtype=np.int64).reshape(len(truth.objects), len(named.objects))
    right = int(table[linear_sum_assignment(table, maximize=True)].sum())
    total = _PER_OBJECT * max(table.shape)
    right, total = right + (named.background == truth.background), total + 1
    if (truth.light, named.light) != ("none", "none"):
        right, total = right + (named.light == truth.light), total + 1
    return Counts(right, total)
