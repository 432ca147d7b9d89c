"""Values and how they are written as bits: what is sent, and what is made of whatever arrives.

``pack`` gives the bits of a value. ``unpack`` never raises on damaged bits: a damaged payload is a value
too, with a remark that says what was wrong with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from phy import bits as bit_tools
from phy.source.budget import SCALES, Encodings, fit, restore, scaled_shape
from phy.source.codec import CodecError, ImageCodec

__all__ = ["ImagePayload", "Packed", "TextPayload", "Unpacked"]

T = TypeVar("T")


@dataclass(frozen=True)
class Packed:
    """A payload's bits and what they are made of.

    Attributes
    ----------
    bits:
        ``[n]``, ``torch.uint8``: header, source, filler.
    source_bits, header_bits, filler_bits:
        Their shares; they add up to n.
    notes:
        Choices that were made while packing (codec quality, down-scaling), for the results.
    """

    bits: torch.Tensor
    source_bits: int
    header_bits: int
    filler_bits: int
    notes: dict[str, int | str]


@dataclass(frozen=True)
class Unpacked(Generic[T]):
    """A received value; ``remark`` is empty if nothing spoke against it."""

    value: T
    remark: str = ""


class ImagePayload:
    """A picture as the file of an image codec, as good as the budget of bits allows.

    The bits are an 8-bit index of the down-scaling, a 24-bit length of the file in bytes, the file, and
    zeros. The receiver knows the size of the picture (it is agreed like the modulation) and nothing else.

    Parameters
    ----------
    codec:
        The image codec.
    """

    HEADER_BITS = 32

    def __init__(self, codec: ImageCodec) -> None:
        self.codec = codec

    def pack(self, encodings: Encodings, budget_bits: int) -> Packed:
        """Write the picture into exactly ``budget_bits`` bits.

        Parameters
        ----------
        encodings:
            The picture with the memory of its encodings, so that another budget does not encode it again.
        budget_bits:
            Bits of the payload, header included.

        Raises
        ------
        ValueError
            If not even the smallest down-scaled picture fits.
        """
        fitted = fit(encodings, max((budget_bits - self.HEADER_BITS) // 8, 0))
        header = bytes([fitted.scale_index]) + len(fitted.data).to_bytes(3, "big")
        bits, filler = bit_tools.pad(bit_tools.from_bytes(header + fitted.data), budget_bits)
        notes: dict[str, int | str] = {
            "quality": fitted.quality,
            "scale": str(SCALES[fitted.scale_index]),
        }
        return Packed(bits, 8 * len(fitted.data), self.HEADER_BITS, filler, notes)

    def unpack(self, bits: torch.Tensor, shape: tuple[int, int]) -> Unpacked[NDArray[np.uint8] | None]:
        """Read a picture of ``shape`` = (height, width); the value is None where no picture can be read."""
        data = bit_tools.to_bytes(bits)
        scale_index, length, file = data[0], int.from_bytes(data[1:4], "big"), data[4:]
        if scale_index >= len(SCALES) or length > len(file):
            return Unpacked(None, f"header damaged (scale {scale_index}, length {length} of {len(file)})")
        try:
            image = self.codec.decode(file[:length], scaled_shape(shape, scale_index))
        except CodecError as error:
            return Unpacked(None, str(error))
        return Unpacked(restore(image, shape))


class TextPayload:
    """A sentence as 8-bit characters, so that bit errors stay in their characters.

    The bits are a 16-bit number of characters, sent three times and decided bit by bit by majority, then
    the bytes of the text.

    Parameters
    ----------
    encoding:
        ``"utf-8"`` (default) or ``"latin-1"``. Bytes that are no character of the encoding are returned
        as U+FFFD.
    """

    LENGTH_BITS = 16
    REPEATS = 3

    def __init__(self, encoding: str = "utf-8") -> None:
        if encoding not in ("utf-8", "latin-1"):
            raise ValueError(f"text encoding must be utf-8 or latin-1, got {encoding!r}")
        self.encoding = encoding

    @property
    def header_bits(self) -> int:
        """Bits of the repeated length."""
        return self.LENGTH_BITS * self.REPEATS

    def pack(self, text: str) -> Packed:
        """Write the text.

        Raises
        ------
        ValueError
            If the text is longer than 65,535 bytes, or has a character that the encoding lacks.
        """
        data = text.encode(self.encoding)
        if len(data) >= 1 << self.LENGTH_BITS:
            raise ValueError(f"a text may have at most 65535 bytes, got {len(data)}")
        length = bit_tools.from_bytes(len(data).to_bytes(2, "big"))
        bits = torch.cat([length.repeat(self.REPEATS), bit_tools.from_bytes(data)])
        return Packed(bits, 8 * len(data), self.header_bits, 0, {})

    def unpack(self, bits: torch.Tensor) -> Unpacked[str]:
        """Read a text, misspelt where bits are wrong and cut where the length claims more than arrived."""
        votes = bits[: self.header_bits].reshape(self.REPEATS, self.LENGTH_BITS).sum(0)
        length = int.from_bytes(bit_tools.to_bytes(votes * 2 > self.REPEATS), "big")
        data = bit_tools.to_bytes(bits[self.header_bits :])
        remark = "" if length <= len(data) else f"length {length} claims more than the {len(data)} bytes sent"
        return Unpacked(data[:length].decode(self.encoding, errors="replace"), remark)
