"""Whether a picture is one of the drawn scenes, or made like one: by its colours."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from semantic.networks.pixels import Picture
from semantic.scenes.draw import ACCENTS, PALETTE, draw_background, in_light
from semantic.scenes.scene import BACKGROUNDS, LIGHTS

__all__ = ["is_drawn", "palette_share"]

_DROPPED = 3  # lowest bits of each colour: 32 levels
_SIDE = 64  # at which larger pictures are looked at: finer ones of a scene average to it
_ENOUGH = 0.75


@cache
def _colours() -> NDArray[np.bool_]:
    """Which of 32 x 32 x 32 colours a background, or an object, has in some light: one in eighty."""
    found = np.zeros((256 >> _DROPPED,) * 3, np.bool_)
    objects = np.array([*PALETTE.values(), *ACCENTS.values()], np.int32)[None]
    for light in LIGHTS:
        for pixels in (objects, *(draw_background(name, (0, 0)) for name in BACKGROUNDS)):
            found[tuple(np.moveaxis(in_light(pixels, light) >> _DROPPED, -1, 0))] = True
    return found


def palette_share(picture: Picture) -> float:
    """Share of a picture's pixels that have a colour of drawn scenes.

    Parameters
    ----------
    picture:
        ``[H, W, 3]``, ``uint8``.
    """
    small = Image.fromarray(picture)
    small.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    return float(_colours()[tuple(np.moveaxis(np.asarray(small) >> _DROPPED, -1, 0))].mean())


def is_drawn(picture: Picture) -> bool:
    """Whether three quarters of the pixels have colours of drawn scenes.

    Of scenes at least 92 % have, of Kodak's photographs at most 17 %, and of 330 of Pascal VOC and Flickr8k
    at most 45 %. JPEG may take a scene its colours.

    Parameters
    ----------
    picture:
        ``[H, W, 3]``, ``uint8``.

    Examples
    --------
    >>> from semantic.samples.pictures import sample_pictures
    >>> from semantic.scenes import dataset
    >>> (scene,) = dataset.load(1, seed=7)
    >>> is_drawn(scene.pixels), any(is_drawn(photograph) for _, photograph in sample_pictures())
    (True, False)
    """
    return palette_share(picture) >= _ENOUGH
