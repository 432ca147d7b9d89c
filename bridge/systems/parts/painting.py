"""Pictures that a receiver generates, at the size that both ends have agreed on."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bridge.systems.context import Context

__all__ = ["canvas", "fitted", "paint"]

Picture = NDArray[np.uint8]

_STEP = 8  # pixels: latents of diffusion models have whole rows and columns at multiples of it


def canvas(shape: tuple[int, int] | None, trained: tuple[int, int]) -> tuple[int, int]:
    """Height and width at which to generate a picture of ``shape``: of its proportions, and as many pixels \
as the network was trained for, which draws anything much smaller or larger badly.

    Parameters
    ----------
    shape:
        Height and width of the picture.
    trained:
        Height and width that the network was trained for (`semantic.models.diffusion.Diffusion.size`).

    Returns
    -------
    tuple of int
        Multiples of 8, at least 8.

    Raises
    ------
    ValueError
        If no size has been agreed on.

    Examples
    --------
    >>> canvas((375, 500), (512, 512))
    (440, 592)
    """
    if shape is None:
        raise ValueError("a picture was sent without an agreed size")
    scale = math.sqrt(math.prod(trained) / math.prod(shape))
    height, width = (max(_STEP, _STEP * round(side * scale / _STEP)) for side in shape)
    return height, width


def fitted(picture: Picture, shape: tuple[int, int] | None) -> Picture:
    """Resize a generated picture to the agreed ``shape`` (Lanczos), if it differs."""
    if shape is None or picture.shape[:2] == tuple(shape):
        return picture
    return np.array(Image.fromarray(picture).resize((shape[1], shape[0]), Image.Resampling.LANCZOS))


def paint(
    context: Context, text: str, shape: tuple[int, int] | None, *, steps: int, guidance: float
) -> Picture:
    """Generate a picture of ``shape`` from a text alone, with the seed of the comparison."""
    painter = context.models.painter
    (picture,) = painter.generate(
        [text],
        seeds=[context.seed],
        steps=steps,
        guidance=guidance,
        size=canvas(shape, painter.diffusion.size),
    )
    return fitted(picture, shape)
