"""Drawing scenes, and their exact masks.

Everything is integer arithmetic, so a picture is the same to the last bit on every machine. Shapes are
sampled on a raster of 512 x 512 points over the picture, whatever its size: a pixel of a 64-pixel picture
averages 8 x 8 points, one of a 256-pixel picture 2 x 2. Hence the pictures of one scene differ only in
fineness: 2 x 2 pixels average to the pixel of the next smaller size (within rounding, and but for the edges
of objects, where the finer picture knows better what the background beside them is).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from semantic.scenes.scene import BACKGROUNDS, GRAINS, LIGHTS, RADII, SHAPES, UNITS, Scene, Thing

__all__ = ["ACCENTS", "PALETTE", "PIXELS", "class_map", "draw", "draw_background", "in_light", "masks"]

PIXELS = (64, 128, 256)
"""The sizes that can be drawn, in pixels."""

PALETTE = {
    "red": (220, 30, 40),
    "orange": (250, 140, 20),
    "yellow": (250, 225, 40),
    "green": (10, 185, 60),
    "cyan": (40, 210, 220),
    "blue": (40, 70, 220),
    "purple": (130, 40, 170),
    "pink": (250, 130, 190),
}
"""RGB of the colours, before the light."""

ACCENTS = {name: (red // 3, green // 3, blue // 3) for name, (red, green, blue) in PALETTE.items()}
"""RGB of the stripes and dots on an object of each colour: its own colour, darker."""

# Corners in thousandths of the radius, x to the right, y up.
_POLYGONS = {
    "square": ((-850, -850), (850, -850), (850, 850), (-850, 850)),
    "triangle": ((-1000, -850), (1000, -850), (0, 1000)),
    "diamond": ((0, -1000), (780, 0), (0, 1000), (-780, 0)),
    "star": (
        (0, 1000), (276, 380), (951, 309), (447, -145), (588, -809),
        (0, -470), (-588, -809), (-447, -145), (-951, 309), (-276, 380),
    ),
    "cross": (
        (-350, -1000), (350, -1000), (350, -350), (1000, -350), (1000, 350), (350, 350),
        (350, 1000), (-350, 1000), (-350, 350), (-1000, 350), (-1000, -350), (-350, -350),
    ),
}  # fmt: skip

# Upper and lower end of each background's gradient, RGB.
_GRADIENTS = {
    "grass": ((98, 128, 60), (84, 116, 52)),
    "sand": ((206, 182, 136), (194, 166, 120)),
    "sky": ((112, 164, 222), (176, 206, 234)),
    "night": ((12, 12, 36), (34, 32, 66)),
    "brick": ((146, 88, 74), (138, 82, 70)),
    "snow": ((232, 238, 244), (214, 222, 234)),
}

_FINEST = PIXELS[-1]
_CANVAS = 2 * _FINEST


def _check(size: int) -> None:
    if size not in PIXELS:
        raise ValueError(f"size must be one of {', '.join(map(str, PIXELS))} pixels, got {size!r}")


def _mean(values: NDArray[np.int32], block: int) -> NDArray[np.int32]:
    """Average ``[H, W, ...]`` over blocks of pixels, rounding to the nearest."""
    height, width, *rest = values.shape
    blocks = values.reshape(height // block, block, width // block, block, *rest).sum((1, 3), dtype=np.int32)
    mean: NDArray[np.int32] = (blocks + block * block // 2) // (block * block)
    return mean


# --- shapes ---------------------------------------------------------------------------------------


def _inside(shape: str, x: NDArray[np.int32], y: NDArray[np.int32], radius: int) -> NDArray[np.bool_]:
    """Which of the points ``x`` ``[1, W]``, ``y`` ``[H, 1]`` (y up) lie in a shape around the origin."""
    square = x * x + y * y
    if shape == "circle":
        return square <= radius * radius
    if shape == "ring":
        return (square <= radius * radius) & (4 * square >= radius * radius)
    if shape == "crescent":
        bite = x - radius // 2
        return (square <= radius * radius) & (16 * (bite * bite + y * y) >= 9 * radius * radius)
    inside = np.zeros(square.shape, dtype=np.bool_)
    corners = _POLYGONS[shape]
    for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
        # Even-odd rule: a ray to the right meets this edge. All in thousandths of a point.
        cross = (1000 * x - radius * x1) * (y2 - y1) - (1000 * y - radius * y1) * (x2 - x1)
        spans = (radius * y1 > 1000 * y) != (radius * y2 > 1000 * y)
        inside ^= spans & ((cross < 0) == (y2 > y1))
    return inside


def _pattern(texture: str, x: NDArray[np.int32], y: NDArray[np.int32], radius: int) -> NDArray[np.bool_]:
    """Which points have the accent's colour: slanting stripes, or dots in rows and columns."""
    if texture == "striped":
        return 2 * ((x + y) % radius) < radius
    if texture == "dotted":
        step = 3 * radius // 5
        across, up = ((v + step // 2) % step - step // 2 for v in (x, y))
        return 25 * (across * across + up * up) <= radius * radius
    return np.zeros((y.size, x.size), dtype=np.bool_)


@lru_cache(maxsize=512)
def _stencil(shape: str, texture: str, size: str, pixels: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Points of each pixel that are the shape's own colour, and its accent's: two ``[2 r, 2 r]``, int32."""
    points = 512 // pixels
    radius = RADII[size] * (1024 // UNITS)  # lengths in 1/1024 of the side: the points are the odd numbers
    line = np.arange(1 - radius, radius, 2, dtype=np.int32)
    x, y = line[None, :], line[::-1, None]
    inside = _inside(shape, x, y, radius)
    accent = _pattern(texture, x, y, radius)
    side = line.size // points
    counts = [
        layer.reshape(side, points, side, points).sum((1, 3), dtype=np.int32)
        for layer in (inside & ~accent, inside & accent)
    ]
    return counts[0], counts[1]


def _window(thing: Thing, pixels: int) -> tuple[slice, slice]:
    scale, radius = pixels // UNITS, RADII[thing.size]
    x, y = thing.centre
    return (
        slice((y - radius) * scale, (y + radius) * scale),
        slice((x - radius) * scale, (x + radius) * scale),
    )


# --- backgrounds ----------------------------------------------------------------------------------


def _hash(x: NDArray[np.int32], y: NDArray[np.int32], salt: int) -> NDArray[np.int32]:
    """Scatter integer places to 0 ... 255 (a multiply and xor-shift mix, modulo 2^32)."""
    mixed = x.astype(np.uint32) * np.uint32(0x9E3779B1) ^ y.astype(np.uint32) * np.uint32(0x85EBCA77)
    mixed = (mixed ^ np.uint32(salt)) * np.uint32(0xC2B2AE3D)
    mixed = (mixed ^ mixed >> np.uint32(15)) * np.uint32(0x27D4EB2F)
    return (mixed >> np.uint32(24)).astype(np.int32)


def _smooth(x: NDArray[np.int32], y: NDArray[np.int32], step: int, salt: int) -> NDArray[np.int32]:
    """Noise in 0 ... 255 that varies over ``step`` points: bilinear between the hashes of a coarse raster."""
    left, top, u, v = x // step, y // step, x % step, y % step
    upper = _hash(left, top, salt) * (step - u) + _hash(left + 1, top, salt) * u
    lower = _hash(left, top + 1, salt) * (step - u) + _hash(left + 1, top + 1, salt) * u
    return ((upper * (step - v) + lower * v) // (step * step)).astype(np.int32)


def _relief(background: str) -> NDArray[np.int32]:
    """What is added to a background's gradient: ``[512, 512, 3]``, int32, twice the finest picture's side."""
    indices: NDArray[np.int32] = np.indices((_CANVAS, _CANVAS), dtype=np.int32)
    y, x = indices
    if background == "grass":  # blades
        blade = x // 3
        tone = _hash(blade, (y + _hash(blade, blade, 1) % 24) // 18, 2) % 57 - 28
        return tone[..., None] * np.array([3, 4, 2], np.int32) // 4
    if background == "sand":  # ripples and grains
        tone = abs((3 * y + _smooth(x, y, 64, 3) // 2) % 96 - 48) // 3 - 8 + _hash(x // 4, y // 4, 4) % 17 - 8
        return tone[..., None] * np.array([4, 4, 3], np.int32) // 4
    if background == "sky":  # clouds
        cloud = (2 * _smooth(x, 2 * y, 96, 5) + _smooth(x, 2 * y, 40, 6)) // 3
        tone = np.clip(cloud - 130, 0, 70)
        return tone[..., None] * np.array([5, 4, 2], np.int32) // 8
    if background == "night":  # stars, one in every fourth square
        cell, row = x // 24, y // 24
        right, down = _hash(cell, row, 7) % 19, _hash(cell, row, 8) % 19
        near = (abs(x % 24 - right - 2) <= 2) & (abs(y % 24 - down - 2) <= 2)
        lit = near & (_hash(cell, row, 9) < 80)
        tone = np.where(lit, 90 + _hash(cell, row, 10) % 96, np.int32(0))
        return tone[..., None].repeat(3, 2)
    if background == "brick":
        course = y // 20
        along = x + course % 2 * 24
        mortar = ((y % 20 < 4) | (along % 48 < 4))[..., None]
        tone = (_hash(along // 48, course, 11) % 41 - 20)[..., None]
        return np.where(mortar, np.array([30, 76, 80], np.int32), tone).astype(np.int32)
    tone = _smooth(x, y, 80, 12) // 12 - 14 + _hash(x // 4, y // 4, 13) % 9 - 4  # snow
    return tone[..., None].repeat(3, 2)


@lru_cache(maxsize=len(BACKGROUNDS) * len(PIXELS))
def _canvas(background: str, pixels: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Gradient ``[size, 1, 3]`` and relief ``[2 size, 2 size, 3]`` at a size."""
    block = _FINEST // pixels
    upper, lower = (np.array(end, np.int32) for end in _GRADIENTS[background])
    down = np.arange(_FINEST, dtype=np.int32)[:, None, None]
    gradient = (upper * (_FINEST - 1 - down) + lower * down) // (_FINEST - 1)
    rows = gradient.reshape(pixels, block, 1, 3).sum(1, dtype=np.int32) // block
    return rows, _mean(_relief(background), block)


def draw_background(background: str, grain: tuple[int, int], size: int = 64) -> NDArray[np.int32]:
    """Draw a background without light or objects: ``[size, size, 3]``, ``int32`` in 0 ... 255."""
    _check(size)
    gradient, relief = _canvas(background, size)
    right, down = (shift % GRAINS * (size // UNITS) for shift in grain)
    picture: NDArray[np.int32] = np.clip(gradient + relief[down : down + size, right : right + size], 0, 255)
    return picture


def _tones(light: str) -> NDArray[np.uint8]:
    value = np.arange(256)
    if light == "dark":
        value = value * 11 // 20
    elif light == "bright":
        value = value + (255 - value) * 8 // 20
    return value.astype(np.uint8)


_TONES = {light: _tones(light) for light in LIGHTS}


# --- the picture and its masks --------------------------------------------------------------------


def draw(scene: Scene, size: int = 64) -> NDArray[np.uint8]:
    """Draw a scene.

    Parameters
    ----------
    scene:
        What to draw.
    size:
        Side of the picture in pixels, one of `PIXELS`.

    Returns
    -------
    NDArray[np.uint8]
        ``[size, size, 3]``, RGB, antialiased.

    Raises
    ------
    ValueError
        If the size is none of `PIXELS`.

    Examples
    --------
    >>> scene = Scene((Thing("star", "red", "small", "plain", "centre"),), "snow")
    >>> draw(scene)[32, 32].tolist() == list(PALETTE["red"])
    True
    """
    picture = draw_background(scene.background, scene.grain, size)
    points = (512 // size) ** 2
    for thing in scene.things:
        own, accent = (layer[..., None] for layer in _stencil(thing.shape, thing.texture, thing.size, size))
        window = _window(thing, size)
        mixed = picture[window] * (points - own - accent) + points // 2
        mixed += own * np.array(PALETTE[thing.colour], np.int32)
        mixed += accent * np.array(ACCENTS[thing.colour], np.int32)
        picture[window] = mixed // points
    return in_light(picture, scene.light)


def in_light(picture: NDArray[np.int32], light: str) -> NDArray[np.uint8]:
    """Show colours 0 ... 255 in a light of `LIGHTS`."""
    return _TONES[light][picture]


def masks(scene: Scene, size: int = 64) -> NDArray[np.int64]:
    """Which object each pixel shows: ``[size, size]``, ``int64``, 0 for the background, else 1 + its index.

    A pixel belongs to an object that covers more than half of it.

    Raises
    ------
    ValueError
        If the size is none of `PIXELS`.

    Examples
    --------
    >>> labels = masks(Scene((Thing("star", "red", "small", "plain", "centre"),), "snow"))
    >>> int(labels[0, 0]), int(labels[32, 32])
    (0, 1)
    """
    _check(size)
    labels = np.zeros((size, size), dtype=np.int64)
    points = (512 // size) ** 2
    for index, thing in enumerate(scene.things):
        own, accent = _stencil(thing.shape, thing.texture, thing.size, size)
        labels[_window(thing, size)][2 * (own + accent) > points] = 1 + index
    return labels


def class_map(scene: Scene, size: int = 64) -> NDArray[np.int64]:
    """Which shape each pixel shows: ``[size, size]``, ``int64``, 0 or 1 + its index in `SHAPES`."""
    classes = [0, *(1 + SHAPES.index(thing.shape) for thing in scene.things)]
    return np.array(classes, dtype=np.int64)[masks(scene, size)]
