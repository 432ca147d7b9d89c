"""Pictures that a receiver generates, at the size that both ends have agreed on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bridge.systems.context import Context

__all__ = ["canvas", "fitted", "paint"]

Picture = NDArray[np.uint8]

_STEP = 8  # pixels: latents of diffusion models have whole rows and columns at multiples of it


def canvas(shape: tuple[int, int] | None) -> tuple[int, int]:
    """Height and width at which to generate a picture of ``shape``: the nearest multiples of 8, at least 8.

    Raises
    ------
    ValueError
        If no size has been agreed on.

    Examples
    --------
    >>> canvas((375, 500))
    (376, 496)
    """
    if shape is None:
        raise ValueError("a picture was sent without an agreed size")
    return max(_STEP, _STEP * round(shape[0] / _STEP)), max(_STEP, _STEP * round(shape[1] / _STEP))


def fitted(picture: Picture, shape: tuple[int, int] | None) -> Picture:
    """Resize a generated picture to the agreed ``shape`` (Lanczos), if it differs."""
    if shape is None or picture.shape[:2] == tuple(shape):
        return picture
    return np.array(Image.fromarray(picture).resize((shape[1], shape[0]), Image.Resampling.LANCZOS))


def paint(
    context: Context, text: str, shape: tuple[int, int] | None, *, steps: int, guidance: float
) -> Picture:
    """Generate a picture of ``shape`` from a text alone, with the seed of the comparison."""
    (picture,) = context.models.painter.generate(
        [text], seeds=[context.seed], steps=steps, guidance=guidance, size=canvas(shape)
    )
    return fitted(picture, shape)
