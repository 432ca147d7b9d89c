"""What happens to pictures that are generated or transmitted, and the judge of scenes must bear."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from semantic.networks.pixels import Picture
from semantic.scenes.scene import below, choose

__all__ = ["DISTORTIONS", "Distortion", "distorted"]


def _clip(values: NDArray[np.float64]) -> Picture:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _blur(picture: Picture, generator: np.random.Generator) -> Picture:
    """One or two passes of the binomial filter (1, 2, 1) / 4 along both axes."""
    values = picture.astype(np.float64)
    for _ in range(1 + below(generator, 2)):
        for axis in (0, 1):
            edged = np.pad(values, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
            first, middle, last = (edged.take(range(k, k + values.shape[axis]), axis) for k in range(3))
            values = (first + 2 * middle + last) / 4
    return _clip(values)


def _noise(picture: Picture, generator: np.random.Generator) -> Picture:
    """Gaussian noise of a standard deviation of 4 to 20 levels, alike in all channels or not."""
    deviation = 4 + below(generator, 17)
    channels = choose(generator, (1, 3))
    return _clip(picture + deviation * generator.standard_normal((*picture.shape[:2], channels)))


def _jpeg(picture: Picture, generator: np.random.Generator) -> Picture:
    """JPEG of a quality of 25 to 84."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=25 + below(generator, 60))
    return np.array(Image.open(file))


def _soften(picture: Picture, generator: np.random.Generator) -> Picture:
    """Down to 36 to 55 pixels and up again."""
    size = 36 + below(generator, 20)
    small = Image.fromarray(picture).resize((size, size), Image.Resampling.BILINEAR)
    return np.array(small.resize(picture.shape[1::-1], Image.Resampling.BICUBIC))


def _tint(picture: Picture, generator: np.random.Generator) -> Picture:
    """Each channel scaled by 0.93 to 1.07 and shifted by up to 8 levels."""
    gains = [(93 + below(generator, 15)) / 100 for _ in range(3)]
    shifts = [below(generator, 17) - 8 for _ in range(3)]
    return _clip(picture * np.array(gains) + np.array(shifts))


def _shift(picture: Picture, generator: np.random.Generator) -> Picture:
    """One pixel to any side."""
    down, right = below(generator, 3), below(generator, 3)
    framed = np.pad(picture, [(1, 1), (1, 1), (0, 0)], mode="edge")
    return framed[down : down + picture.shape[0], right : right + picture.shape[1]]


Distortion = Callable[[Picture, np.random.Generator], Picture]

DISTORTIONS: dict[str, Distortion] = {
    "blurred": _blur,
    "noisy": _noise,
    "jpeg": _jpeg,
    "softened": _soften,
    "tinted": _tint,
    "shifted": _shift,
}
"""By name: (picture, generator) -> picture."""


def distorted(picture: Picture, generator: np.random.Generator) -> Picture:
    """Leave every other picture as it is, and distort the others once or twice."""
    if below(generator, 2):
        return picture
    for _ in range(1 + below(generator, 2)):
        picture = choose(generator, tuple(DISTORTIONS.values()))(picture, generator)
    return picture
