"""What every image codec offers, and what all of them take."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["CodecError", "ImageCodec", "as_picture"]


class CodecError(Exception):
    """A file could not be decoded: damaged, of another format, or not of the expected size."""


class ImageCodec(Protocol):
    """A lossy image codec with an ordered quality setting.

    Examples
    --------
    >>> from phy.source.pictures.pillow import WebP
    >>> codec: ImageCodec = WebP()
    >>> worst, best = codec.qualities[0], codec.qualities[-1]
    >>> picture = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    >>> len(codec.encode(picture, worst)) < len(codec.encode(picture, best))
    True
    """

    @property
    def name(self) -> str:
        """Name, as it stands in results (for example ``bpg-444-8``)."""

    @property
    def version(self) -> str:
        """Versions of the libraries that make the bytes."""

    @property
    def qualities(self) -> tuple[int, ...]:
        """All settings, from the smallest file to the best picture."""

    def encode(self, image: NDArray[np.uint8], quality: int) -> bytes:
        """Compress ``[height, width, 3]`` (or ``[height, width]`` for gray), ``uint8``."""

    def decode(self, data: bytes, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """Decompress to ``[height, width, 3]``, ``uint8``; zeros behind the file's end are ignored.

        Raises
        ------
        CodecError
            And nothing else, if the data do not give a picture of exactly ``shape`` = (height, width).
        """


def as_picture(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return ``image`` itself if a codec can take it.

    Raises
    ------
    ValueError
        If it is not ``uint8`` of shape ``[height, width, 3]`` or ``[height, width]``, or is empty.
    """
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim < 2 or array.shape[2:] not in ((), (3,)) or not array.size:
        raise ValueError(
            "a picture must be uint8 of shape [height, width, 3] or [height, width], "
            f"got {array.dtype} of shape {list(array.shape)}"
        )
    return array
