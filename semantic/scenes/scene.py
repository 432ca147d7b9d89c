"""What a scene is, and how scenes are drawn by lot.

One to four objects stand in the cells of a 3 x 3 grid, at most one in a cell, on a background and under a
light. Places are measured on a raster of 64 x 64 units over the picture, whatever its size in pixels: an
object's centre is that of its cell plus its offset, and no object reaches beyond its own cell.

Sampling uses integers only, taken from the raw output of PCG64, whose stream NumPy guarantees for all
versions and machines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

__all__ = [
    "BACKGROUNDS",
    "CENTRES",
    "COLOURS",
    "DIFFICULTIES",
    "GRAINS",
    "LIGHTS",
    "PLACES",
    "QUADRANTS",
    "RADII",
    "REACH",
    "SHAPES",
    "SIZES",
    "TEXTURES",
    "UNITS",
    "Difficulty",
    "Scene",
    "Seed",
    "Thing",
    "below",
    "choose",
    "chooser",
    "relation",
    "sample_scene",
]

SHAPES = ("circle", "square", "triangle", "star", "cross", "ring", "diamond", "crescent")
COLOURS = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink")
SIZES = ("small", "large")
TEXTURES = ("plain", "striped", "dotted")
PLACES = (
    "top left",
    "top",
    "top right",
    "left",
    "centre",
    "right",
    "bottom left",
    "bottom",
    "bottom right",
)  # row by row
BACKGROUNDS = ("grass", "sand", "sky", "night", "brick", "snow")
LIGHTS = ("none", "dark", "bright")
QUADRANTS = ("top left", "top right", "bottom left", "bottom right")

UNITS = 64
"""Units of length along a side of the picture."""
CENTRES = (11, 32, 53)
"""Where the cells' centres lie along either axis, in units from the top left corner."""
REACH = 10
"""How far from its cell's centre an object may reach along either axis, in units."""
RADII = {"small": 6, "large": 9}
"""From an object's centre to its farthest tip, in units."""
GRAINS = 64
"""The background's texture can be shifted by 0 ... GRAINS - 1 units along either axis."""

Difficulty = Literal["easy", "medium", "hard"]
Seed = int | Sequence[int] | np.random.Generator

# difficulty: most objects, textures, lights
DIFFICULTIES: dict[Difficulty, tuple[int, tuple[str, ...], tuple[str, ...]]] = {
    "easy": (1, TEXTURES[:1], LIGHTS[:1]),
    "medium": (2, TEXTURES[:1], LIGHTS[:1]),
    "hard": (4, TEXTURES, LIGHTS),
}
"""Most objects, textures and lights of each level."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Thing:
    """One object.

    Attributes
    ----------
    shape, colour, size, texture, place:
        One of `SHAPES`, `COLOURS`, `SIZES`, `TEXTURES`, `PLACES`.
    offset:
        Units to the right and down from the centre of its cell; what it may be at most is `REACH` less the
        radius. It varies the picture and is not told in captions.

    Raises
    ------
    ValueError
        If a value is not in its list, or the object would leave its cell.

    Examples
    --------
    >>> Thing("star", "red", "small", "plain", "top").quadrant
    'top right'
    """

    shape: str
    colour: str
    size: str
    texture: str
    place: str
    offset: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        _known("shape", self.shape, SHAPES)
        _known("colour", self.colour, COLOURS)
        _known("size", self.size, SIZES)
        _known("texture", self.texture, TEXTURES)
        _known("place", self.place, PLACES)
        slack = REACH - RADII[self.size]
        if len(self.offset) != 2 or max(map(abs, self.offset)) > slack:
            raise ValueError(
                f"offset of a {self.size} object must be two integers in -{slack} ... {slack}, "
                f"got {self.offset!r}"
            )

    @property
    def centre(self) -> tuple[int, int]:
        """Units from the picture's left and upper edge."""
        row, column = divmod(PLACES.index(self.place), 3)
        return CENTRES[column] + self.offset[0], CENTRES[row] + self.offset[1]

    @property
    def quadrant(self) -> str:
        """The quarter of the picture in which the centre lies; a border belongs to the right or lower one."""
        x, y = self.centre
        return QUADRANTS[2 * (2 * y >= UNITS) + (2 * x >= UNITS)]


@dataclass(frozen=True)
class Scene:
    """One to four objects in different places, a background and a light.

    Attributes
    ----------
    things:
        In the order of `PLACES`.
    background, light:
        One of `BACKGROUNDS`, one of `LIGHTS`.
    grain:
        Shift of the background's texture to the right and down, each in 0 ... `GRAINS` - 1. It varies the
        picture and is not told in captions.

    Raises
    ------
    ValueError
        If there are no or too many objects, two in one place, they are out of order, or a value is not in its
        list.

    Examples
    --------
    >>> scene = Scene((Thing("star", "red", "small", "plain", "top"),), background="snow")
    >>> scene.light
    'none'
    """

    things: tuple[Thing, ...]
    background: str
    light: str = "none"
    grain: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        _known("background", self.background, BACKGROUNDS)
        _known("light", self.light, LIGHTS)
        cells = [PLACES.index(thing.place) for thing in self.things]
        if not 1 <= len(cells) <= 4:
            raise ValueError(f"a scene has 1 to 4 objects, got {len(cells)}")
        if cells != sorted(set(cells)):
            places = ", ".join(thing.place for thing in self.things)
            raise ValueError(f"objects must stand in different places, in the order of PLACES; got {places}")
        if len(self.grain) != 2 or not all(0 <= shift < GRAINS for shift in self.grain):
            raise ValueError(f"grain must be two integers in 0 ... {GRAINS - 1}, got {self.grain!r}")


def _known(name: str, value: str, values: tuple[str, ...]) -> None:
    if value not in values:
        raise ValueError(f"{name} must be one of {', '.join(values)}; got {value!r}")


def chooser(seed: Seed) -> np.random.Generator:
    """Return the generator itself, or a PCG64 generator of the seed (an integer or several)."""
    return seed if isinstance(seed, np.random.Generator) else np.random.Generator(np.random.PCG64(seed))


def below(generator: np.random.Generator, bound: int) -> int:
    """Draw an integer in 0 ... ``bound`` - 1 from 32 raw bits; the same in all versions of NumPy."""
    return (int(generator.bit_generator.random_raw()) & 0xFFFFFFFF) * bound >> 32


def choose(generator: np.random.Generator, values: Sequence[_T]) -> _T:
    """Draw one of the values."""
    return values[below(generator, len(values))]


def sample_scene(seed: Seed, difficulty: Difficulty = "hard") -> Scene:
    """Draw a scene by lot.

    Parameters
    ----------
    seed:
        A NumPy generator (of PCG64, so that the scene is the same everywhere), or what seeds one.
    difficulty:
        ``easy``: one plain object; ``medium``: one or two; ``hard``: one to four with textures, and lights.

    Raises
    ------
    ValueError
        If there is no such difficulty.

    Examples
    --------
    >>> sample_scene(1, "easy").background == sample_scene(1, "easy").background
    True
    """
    if difficulty not in DIFFICULTIES:
        raise ValueError(f"difficulty must be one of {', '.join(DIFFICULTIES)}; got {difficulty!r}")
    most, textures, lights = DIFFICULTIES[difficulty]
    generator = chooser(seed)
    cells = list(range(len(PLACES)))
    taken = sorted(cells.pop(below(generator, len(cells))) for _ in range(1 + below(generator, most)))
    return Scene(
        tuple(_sample_thing(generator, PLACES[cell], textures) for cell in taken),
        choose(generator, BACKGROUNDS),
        choose(generator, lights),
        (below(generator, GRAINS), below(generator, GRAINS)),
    )


def _sample_thing(generator: np.random.Generator, place: str, textures: tuple[str, ...]) -> Thing:
    shape, colour = choose(generator, SHAPES), choose(generator, COLOURS)
    size, texture = choose(generator, SIZES), choose(generator, textures)
    slack = REACH - RADII[size]
    right, down = (below(generator, 2 * slack + 1) - slack for _ in range(2))
    return Thing(shape, colour, size, texture, place, (right, down))


def relation(thing: Thing, other: Thing) -> str:
    """Say where ``thing`` is, seen from ``other``: ``above``, ``below``, ``left of`` or ``right of``.

    It follows from the places; objects in different rows are above or below one another.
    """
    here, there = PLACES.index(thing.place), PLACES.index(other.place)
    if here // 3 != there // 3:
        return "above" if here < there else "below"
    return "left of" if here < there else "right of"
