"""Slices of pictures: what lies in a box, where it lies, and which of its pixels belong to the object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from bridge.payloads.moments import SCALE_BITS, read_scale, write_scale
from bridge.payloads.packed import Arrived, Packed, Unpacked, check_repeats, protect, vote, written
from phy import bits as bit_tools
from phy.source.pictures.budget import SCALES, Encodings, fit, restore, scaled_shape
from phy.source.pictures.codec import CodecError, ImageCodec

__all__ = ["PictureSlice", "SlicePayload"]

_MOST_SIDE = (1 << 16) - 1
_GREY = 128


@dataclass(frozen=True, eq=False)
class PictureSlice:
    """A part of a picture.

    Attributes
    ----------
    pixels:
        ``[h, w, 3]``, ``uint8``.
    top, left:
        Where its upper left pixel lies in the picture.
    mask:
        Which pixels belong to the object, ``[h, w]``, ``bool``; None if all do.

    Examples
    --------
    >>> PictureSlice(np.zeros((16, 24, 3), dtype=np.uint8), top=8, left=4).box
    (8, 4, 24, 28)
    """

    pixels: NDArray[np.uint8]
    top: int = 0
    left: int = 0
    mask: NDArray[np.bool_] | None = None

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(top, left, bottom, right), the latter two exclusive."""
        height, width = self.pixels.shape[:2]
        return self.top, self.left, self.top + height, self.left + width


class SlicePayload:
    """A slice of a picture whose size both ends know; a whole picture is a slice, too.

    The bits are a header (top, left, height - 1 and width - 1, of as many bits as the picture's size asks
    for, without top and left where nobody reads the place; of files the index of the down-scaling in 8 bits
    and a 24-bit length; of analog pixels their scale in 16); the mask, one bit for each square of
    ``mask_step`` pixels, set where half of its pixels are; and the pixels:

    =================  =================================================================================
    content            pixels are sent as
    =================  =================================================================================
    an `ImageCodec`    its file, at ``quality``, or at the best quality that ``budget_bits`` allow
    ``"raw"``          8 bit planes, most significant first
    ``"analog"``       real numbers, (p - 127.5) over their root mean square
    =================  =================================================================================

    Parameters
    ----------
    shape:
        (height, width) of the whole picture.
    content:
        See above.
    quality, budget_bits:
        Of a codec: one of the two. The budget counts header and mask as well.
    masked:
        Whether a mask is sent.
    mask_step:
        Side of the squares for which the mask is sent, in pixels.
    placed:
        Whether the header says where it lies; else it is read at the picture's upper left corner.
    repeats:
        How often the header is written, as in `bridge.payloads.text.TextPayload`.

    Raises
    ------
    ValueError
        If a codec has both quality and budget, or neither, or a number is out of range.

    Examples
    --------
    >>> payload = SlicePayload((64, 64), "raw")
    >>> packed = payload.pack(PictureSlice(np.zeros((16, 24, 3), dtype=np.uint8), top=8, left=4))
    >>> packed.source_bits == 16 * 24 * 3 * 8
    True
    >>> payload.unpack(Arrived(packed.bits)).value.box
    (8, 4, 24, 28)
    """

    def __init__(
        self,
        shape: tuple[int, int],
        content: ImageCodec | Literal["raw", "analog"],
        *,
        quality: int | None = None,
        budget_bits: int | None = None,
        masked: bool = False,
        mask_step: int = 8,
        placed: bool = True,
        repeats: int = 1,
    ) -> None:
        if (quality is None) == (budget_bits is None) and not isinstance(content, str):
            raise ValueError(f"give either a quality or a budget, got {quality} and {budget_bits} bits")
        if mask_step < 1 or min(shape) < 1 or max(shape) > _MOST_SIDE:
            raise ValueError(f"pictures have 1 to 65535 pixels a side, got {shape}, mask step {mask_step}")
        self.shape, self.content = shape, content
        self.quality, self.budget_bits = quality, budget_bits
        self.masked, self.mask_step, self.placed = masked, mask_step, placed
        self.repeats = check_repeats(repeats)

    @property
    def name(self) -> str:
        """The content, and whether a mask goes with it."""
        kind = self.content if isinstance(self.content, str) else self.content.name
        return kind + ("+mask" if self.masked else "")

    @property
    def _place_bits(self) -> tuple[int, ...]:
        """Header bits of top, left, height - 1 and width - 1, the first two if the place is sent."""
        return (1 + self.placed) * tuple((side - 1).bit_length() for side in self.shape)

    @property
    def _fields(self) -> tuple[int, ...]:
        if isinstance(self.content, str):
            return (*self._place_bits, SCALE_BITS) if self.content == "analog" else self._place_bits
        return (*self._place_bits, 8, 24)

    def pack(self, value: PictureSlice) -> Packed:
        """Write a slice.

        Raises
        ------
        ValueError
            If its pixels are no colours, it does not lie within the picture, lacks the mask that is to be
            sent, or does not fit into the budget or the 24-bit length.
        """
        if value.pixels.dtype != np.uint8 or value.pixels.ndim != 3 or value.pixels.shape[2] != 3:
            raise ValueError(
                "the pixels of a slice are uint8 of shape [h, w, 3], "
                f"got {value.pixels.dtype} of shape {list(value.pixels.shape)}"
            )
        top, left, bottom, right = value.box
        if not (0 <= top < bottom <= self.shape[0] and 0 <= left < right <= self.shape[1]):
            raise ValueError(f"a slice at {value.box} does not lie within a picture of {self.shape}")
        box = (top, left, bottom - top - 1, right - left - 1)
        place = written(box if self.placed else box[2:], self._place_bits)
        mask = self._mask_bits(value)
        side = self.repeats * sum(self._fields) + mask.numel()
        if self.content == "raw":
            planes = torch.from_numpy(np.unpackbits(value.pixels.reshape(-1, 1), axis=1)).T.reshape(-1)
            return Packed(
                torch.cat([protect(place, self.repeats), mask, planes]), planes.numel(), side, 0, planes=8
            )
        if self.content == "analog":
            centred = torch.from_numpy(value.pixels.astype(np.float32) - 127.5).reshape(-1)
            coded, scale = write_scale(float(centred.square().mean().sqrt()))
            header = protect(torch.cat([place, coded]), self.repeats)
            return Packed(torch.cat([header, mask]), 0, side, 0, values=centred / (scale or 1.0))
        data, scale_index, quality = self._file(self.content, value.pixels, side)
        if len(data) >= 1 << 24:
            raise ValueError(f"a file may have at most {(1 << 24) - 1} bytes, got {len(data)}")
        header = protect(torch.cat([place, written((scale_index, len(data)), (8, 24))]), self.repeats)
        notes: dict[str, int | str] = {"quality": quality, "scale": str(SCALES[scale_index])}
        bits = torch.cat([header, mask, bit_tools.from_bytes(data)])
        filler = 0 if self.budget_bits is None else self.budget_bits - bits.numel()
        return Packed(torch.nn.functional.pad(bits, (0, filler)), 8 * len(data), side, filler, notes)

    def _file(self, codec: ImageCodec, pixels: NDArray[np.uint8], side: int) -> tuple[bytes, int, int]:
        """File, index of its down-scaling, and quality."""
        if self.budget_bits is None:
            quality = codec.qualities[0] if self.quality is None else self.quality
            return codec.encode(pixels, quality), 0, quality
        fitted = fit(Encodings(codec, pixels), max((self.budget_bits - side) // 8, 0))
        return fitted.data, fitted.scale_index, fitted.quality

    def _mask_bits(self, value: PictureSlice) -> torch.Tensor:
        if not self.masked:
            return torch.zeros(0, dtype=torch.uint8)
        if value.mask is None or value.mask.shape != value.pixels.shape[:2]:
            raise ValueError("this payload sends a mask of the slice's size, and the slice has none such")
        step = self.mask_step
        rows, columns = (-(-side // step) for side in value.mask.shape)
        # Set pixels less unset ones: squares at the edge have fewer of both.
        votes = np.zeros((rows * step, columns * step), np.int64)
        votes[: value.mask.shape[0], : value.mask.shape[1]] = np.where(value.mask, 1, -1)
        squares = votes.reshape(rows, step, columns, step).sum((1, 3)) >= 0
        return torch.from_numpy(squares.reshape(-1).astype(np.uint8))

    def unpack(self, arrived: Arrived) -> Unpacked[PictureSlice]:
        """Read a slice; where the file cannot be decoded, its pixels are grey."""
        fields, rest = vote(arrived.bits, self._fields, self.repeats)
        fields = fields if self.placed else [0, 0, *fields]
        top, left, height, width, remark = self._place(fields)
        mask, rest, unread = self._read_mask(rest, height, width)
        if self.content == "raw":
            pixels, wrong, lost = (*_from_planes(rest, height, width), False)
        elif self.content == "analog":
            pixels, wrong, lost = self._from_values(arrived.values, fields[4], height, width)
        else:
            pixels, wrong, lost = self._from_file(self.content, rest, fields[4], fields[5], (height, width))
        checked = "check sum wrong" if arrived.intact is False else ""
        remark = "; ".join(filter(None, (remark, unread, wrong, checked)))
        return Unpacked(PictureSlice(pixels, top, left, mask), remark, lost=lost)

    def _place(self, fields: list[int]) -> tuple[int, int, int, int, str]:
        """Box within the picture, as near to the one read as possible."""
        box = [fields[0], fields[1], fields[2] + 1, fields[3] + 1]
        top, left = min(box[0], self.shape[0] - 1), min(box[1], self.shape[1] - 1)
        height, width = min(box[2], self.shape[0] - top), min(box[3], self.shape[1] - left)
        damaged = [top, left, height, width] != box
        remark = f"header damaged: box {box} in {list(self.shape)}" if damaged else ""
        return top, left, height, width, remark

    def _read_mask(
        self, bits: torch.Tensor, height: int, width: int
    ) -> tuple[NDArray[np.bool_] | None, torch.Tensor, str]:
        """Mask, the bits behind it, and a remark."""
        if not self.masked:
            return None, bits, ""
        step = self.mask_step
        rows, columns = -(-height // step), -(-width // step)
        squares = np.zeros(rows * columns, bool)
        read = bits[: rows * columns].numpy().astype(bool)
        squares[: read.size] = read
        whole = np.kron(squares.reshape(rows, columns), np.ones((step, step), bool))
        remark = (
            f"{read.size} of {squares.size} squares of the mask arrived" if read.size < squares.size else ""
        )
        return whole[:height, :width], bits[rows * columns :], remark

    def _from_values(
        self, values: torch.Tensor | None, pattern: int, height: int, width: int
    ) -> tuple[NDArray[np.uint8], str, bool]:
        """Pixels, a remark, and whether nothing could be read."""
        size, scale = 3 * height * width, read_scale(pattern)
        if values is None or scale is None:
            return np.full((height, width, 3), _GREY, np.uint8), f"header damaged: scale {scale}", True
        short = size - values.numel()
        whole = torch.nn.functional.pad(values[:size], (0, max(short, 0))).double().numpy() * scale + 127.5
        pixels = np.rint(whole).clip(0, 255).astype(np.uint8).reshape(height, width, 3)
        return pixels, f"{short} of {size} values missing" if short > 0 else "", False

    def _from_file(
        self, codec: ImageCodec, bits: torch.Tensor, scale_index: int, length: int, shape: tuple[int, int]
    ) -> tuple[NDArray[np.uint8], str, bool]:
        """Pixels, a remark, and whether nothing could be read."""
        data = bit_tools.to_bytes(bits[: bits.numel() // 8 * 8])
        grey = np.full((*shape, 3), _GREY, np.uint8)
        if scale_index >= len(SCALES) or length > len(data):
            return grey, f"header damaged (scale {scale_index}, length {length} of {len(data)})", True
        try:
            return restore(codec.decode(data[:length], scaled_shape(shape, scale_index)), shape), "", False
        except CodecError as error:
            return grey, str(error), True


def _from_planes(bits: torch.Tensor, height: int, width: int) -> tuple[NDArray[np.uint8], str]:
    size = 3 * height * width
    count = bits.numel() // 8
    planes = bits[: 8 * count].reshape(8, count).numpy()
    values = np.full(size, _GREY, np.uint8)
    known = min(size, count)
    values[:known] = np.packbits(planes.T[:known], axis=1).reshape(-1)
    remark = f"{count} of {size} values arrived" if count != size else ""
    return values.reshape(height, width, 3), remark
