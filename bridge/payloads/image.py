"""Pictures as files that fill a budget of bits."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from bridge.payloads.packed import Packed, Unpacked
from phy import bits as bit_tools
from phy.source.pictures.budget import SCALES, Encodings, fit, restore, scaled_shape
from phy.source.pictures.codec import CodecError, ImageCodec

__all__ = ["ImagePayload"]


class ImagePayload:
    """A picture as the file of an image codec, as good as the budget of bits allows.

    The bits are an 8-bit index of the down-scaling, a 24-bit length of the file in bytes, the file, and
    zeros. The receiver knows the size of the picture (it is agreed like the modulation) and nothing else.

    Parameters
    ----------
    codec:
        The image codec.

    Examples
    --------
    >>> from phy.source.pictures.pillow import WebP
    >>> payload, picture = ImagePayload(WebP()), np.zeros((64, 64, 3), dtype=np.uint8)
    >>> packed = payload.pack(Encodings(payload.codec, picture), budget_bits=4000)
    >>> packed.bits.numel(), packed.notes["quality"], packed.notes["scale"]
    (4000, 100, '1')
    >>> bool((payload.unpack(packed.bits, (64, 64)).value == picture).all())
    True
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
        data = bit_tools.to_bytes(bits[: bits.numel() // 8 * 8])
        if 8 * len(data) < self.HEADER_BITS:
            return Unpacked(None, f"{bits.numel()} of {self.HEADER_BITS} bits of the header arrived")
        scale_index, length, file = data[0], int.from_bytes(data[1:4], "big"), data[4:]
        if scale_index >= len(SCALES) or length > len(file):
            return Unpacked(None, f"header damaged (scale {scale_index}, length {length} of {len(file)})")
        try:
            image = self.codec.decode(file[:length], scaled_shape(shape, scale_index))
        except CodecError as error:
            return Unpacked(None, str(error))
        return Unpacked(restore(image, shape))
