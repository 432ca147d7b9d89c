"""Pictures that a receiver generates, at the size that both ends have agreed on, and each of them once.

Receptions that differ may say the same: symbols of a learned code at five SNRs, and one text. A generator
that is told the same again, from the same noise, would draw the same picture.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np
import torch
from PIL import Image

from semantic.networks.pixels import Picture

__all__ = ["Paints", "canvas", "fitted", "paint"]

_MOST = 64
"""Pictures of a generator that are remembered: 50 MB of 512 x 512 pixels."""

_painted: WeakKeyDictionary[Paints, OrderedDict[bytes, Picture]] = WeakKeyDictionary()


class Paints(Protocol):
    """What generates pictures: `semantic.models.generation.Generator`, `semantic.models.features`' two."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that it was trained for, in pixels."""

    @property
    def step(self) -> int:
        """Height and width are multiples of so many pixels."""

    def generate(self, *conditions: Any, **options: Any) -> list[Picture]:
        """One picture a condition, from ``seeds``, of ``size``."""


def canvas(size: tuple[int, int], painter: Paints) -> tuple[int, int]:
    """Height and width at which to generate a picture of ``size``: of its proportions, and as many pixels \
as the network was trained for, which draws anything much smaller or larger badly.

    Returns
    -------
    tuple of int
        Multiples of the painter's step, at least one of them.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> canvas((375, 500), SimpleNamespace(size=(512, 512), step=8))
    (440, 592)
    """
    scale = math.sqrt(math.prod(painter.size) / math.prod(size))
    step = painter.step
    height, width = (max(step, step * round(side * scale / step)) for side in size)
    return height, width


def fitted(picture: Picture, size: tuple[int, int]) -> Picture:
    """Resize a generated picture to the agreed height and width (Lanczos), if it differs.

    Examples
    --------
    >>> fitted(np.zeros((440, 592, 3), np.uint8), (375, 500)).shape
    (375, 500, 3)
    """
    if picture.shape[:2] == size:
        return picture
    return np.array(Image.fromarray(picture).resize(size[::-1], Image.Resampling.LANCZOS))


def paint(painter: Paints, size: tuple[int, int], seed: int, **told: Any) -> Picture:
    """Generate one picture of ``size``, unless this generator has just drawn it.

    Parameters
    ----------
    painter:
        The network.
    size:
        Agreed height and width.
    seed:
        Of the initial latent: that of the comparison, so that curves compare channels and not luck.
    told:
        Conditions and options of the painter's ``generate``.
    """
    known, key = _painted.setdefault(painter, OrderedDict()), _digest((size, seed, told))
    if key not in known:
        (picture,) = painter.generate(**told, seeds=[seed], size=canvas(size, painter))
        known[key] = fitted(picture, size)
        if len(known) > _MOST:
            known.popitem(last=False)
    known.move_to_end(key)
    return known[key].copy()


def _digest(value: Any) -> bytes:
    """SHA-256 of what a generator is told, down to the last bit of every number."""
    state = hashlib.sha256(type(value).__name__.encode())
    if isinstance(value, torch.Tensor | np.ndarray):
        content = value.detach().cpu().double().numpy() if isinstance(value, torch.Tensor) else value
        state.update(f"{content.shape}{content.dtype}".encode() + np.ascontiguousarray(content).tobytes())
    elif isinstance(value, Mapping):
        state.update(_digest(sorted(value.items())))
    elif isinstance(value, list | tuple):
        state.update(b"".join(map(_digest, value)))
    else:
        state.update(repr(value).encode())
    return state.digest()
