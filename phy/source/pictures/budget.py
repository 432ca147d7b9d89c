"""Making a picture fit a budget of bytes: the best quality that fits, on a smaller picture if need be."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import log

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from phy.source.pictures.codec import ImageCodec, as_picture
from phy.units import BudgetExceeded

__all__ = ["SCALES", "Encodings", "Fitted", "fit", "restore", "scaled_shape"]

SCALES: tuple[Fraction, ...] = tuple(
    Fraction(numerator, 64) for numerator in (64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2)
)
"""Down-scaling factors of both sides, from full size (index 0) to 1/32; four bits name one."""


@dataclass(frozen=True)
class Fitted:
    """A coded picture that fits its budget.

    Parameters
    ----------
    data:
        The file.
    quality:
        Setting of the codec.
    scale_index:
        Index into `SCALES`; the receiver must know it, or `shape`.
    shape:
        (height, width) of the picture inside the file.
    """

    data: bytes
    quality: int
    scale_index: int
    shape: tuple[int, int]


class Encodings:
    """All files that a codec makes of one picture, each made when it is first asked for.

    Keep one per picture, so that fitting it to several budgets repeats nothing.

    Parameters
    ----------
    codec:
        The image codec.
    image:
        ``[height, width, 3]`` or ``[height, width]``, ``uint8``.

    Raises
    ------
    ValueError
        If the picture is not of that kind.
    """

    def __init__(self, codec: ImageCodec, image: NDArray[np.uint8]) -> None:
        self.codec = codec
        self.image = as_picture(image)
        self._files: dict[tuple[int, int], bytes] = {}

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) at full size."""
        return self.image.shape[0], self.image.shape[1]

    def encode(self, scale_index: int, quality: int) -> bytes:
        """Return the file of the picture at ``SCALES[scale_index]`` of its size, at ``quality``."""
        key = scale_index, quality
        if key not in self._files:
            self._files[key] = self._make(scale_index, quality)
        return self._files[key]

    def _make(self, scale_index: int, quality: int) -> bytes:
        small = _resize(self.image, scaled_shape(self.shape, scale_index), Image.Resampling.LANCZOS)
        return self.codec.encode(small, quality)


def scaled_shape(shape: tuple[int, int], scale_index: int) -> tuple[int, int]:
    """Return the (height, width) of a picture of ``shape`` at ``SCALES[scale_index]``, halves rounded up.

    Sender and receiver both call this, so that only the index is transmitted.

    Raises
    ------
    ValueError
        If there is no such scale.

    Examples
    --------
    >>> scaled_shape((512, 769), 1), scaled_shape((5, 7), 10)
    ((384, 577), (1, 1))
    """
    if not 0 <= scale_index < len(SCALES):
        raise ValueError(f"scale_index must be 0 to {len(SCALES) - 1}, got {scale_index}")
    scale = SCALES[scale_index]
    height, width = (
        max(1, (2 * side * scale.numerator + scale.denominator) // (2 * scale.denominator)) for side in shape
    )
    return height, width


def fit(encodings: Encodings, max_bytes: int) -> Fitted:
    """Find the best quality whose file has at most ``max_bytes``.

    The picture stays at full size as long as its worst quality fits; else it is scaled down step by step.
    On the first scale that fits, the quality is found by false position: the file of the quality returned
    fits, and that of the next better quality does not.

    Parameters
    ----------
    encodings:
        Codec and picture.
    max_bytes:
        Largest size of the file.

    Raises
    ------
    BudgetExceeded
        If even the smallest picture at the worst quality is larger.

    Examples
    --------
    >>> from phy.source.pictures.pillow import JPEG
    >>> fitted = fit(Encodings(JPEG(), np.zeros((64, 64, 3), dtype=np.uint8)), 1_000)
    >>> fitted.quality, fitted.scale_index, len(fitted.data) <= 1_000
    (95, 0, True)
    """
    qualities = encodings.codec.qualities
    for scale_index in range(len(SCALES)):
        if len(encodings.encode(scale_index, qualities[0])) <= max_bytes:
            quality = _best(encodings, scale_index, max_bytes)
            shape = scaled_shape(encodings.shape, scale_index)
            return Fitted(encodings.encode(scale_index, quality), quality, scale_index, shape)
    smallest = min(len(encodings.encode(index, qualities[0])) for index in range(len(SCALES)))
    raise BudgetExceeded(
        f"a budget of {max_bytes} bytes is too small for {encodings.codec.name}: "
        f"its smallest file of this picture has {smallest} bytes"
    )


def _best(encodings: Encodings, scale_index: int, max_bytes: int) -> int:
    """Narrow the interval; the file of ``fits`` fits throughout, that of ``fails`` (if it exists) does not.

    The logarithm of a file's size is nearly linear in its quality, so it is interpolated between the ends,
    where the file that would be better than the best is taken to be as large as the pixels. When the same
    end moves three times, the curve is bent, and the interval is halved.
    """
    qualities = encodings.codec.qualities
    fits, fails = 0, len(qualities)
    small = len(encodings.encode(scale_index, qualities[fits]))
    large = max(encodings.image.nbytes, max_bytes + 1)
    moved = 0  # times that the upper end has moved in a row; below 0: the lower end
    while fails - fits > 1:
        share = log(max_bytes / small) / log(large / small) if abs(moved) < 3 else 0.5
        tried = min(max(fits + round(share * (fails - fits)), fits + 1), fails - 1)
        size = len(encodings.encode(scale_index, qualities[tried]))
        if size <= max_bytes:
            fits, small, moved = tried, size, min(moved, 0) - 1
        else:
            fails, large, moved = tried, size, max(moved, 0) + 1
    return qualities[fits]


def restore(image: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Scale a decoded picture up to ``shape`` = (height, width) at the receiver (bicubic).

    Returns
    -------
    numpy.ndarray
        ``[height, width, 3]`` (or ``[height, width]``), ``uint8``; the picture itself if it has that shape.
    """
    return _resize(as_picture(image), shape, Image.Resampling.BICUBIC)


def _resize(image: NDArray[np.uint8], shape: tuple[int, int], method: Image.Resampling) -> NDArray[np.uint8]:
    if image.shape[:2] == tuple(shape):
        return image
    return np.array(Image.fromarray(image).resize((shape[1], shape[0]), method), dtype=np.uint8)
