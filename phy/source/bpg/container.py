"""The header of a BPG file (BPG specification 0.9.5, section 3): what stands before the HEVC data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from phy.source.bpg.bits import BitReader, BitWriter
from phy.source.pictures.codec import CodecError

__all__ = ["Chroma", "ColorSpace", "Header", "read_header", "read_ue7", "write_header", "write_ue7"]

Chroma = Literal["gray", "420", "422", "444"]
"""Chroma sampling: none, halved in both directions, halved horizontally, full."""

ColorSpace = Literal["bt601", "rgb", "ycgco", "bt709", "bt2020"]
"""Meaning of the three planes; ``rgb`` stores G, B, R; ``bt2020`` is the non-constant-luminance kind."""

_MAGIC = b"BPG\xfb"
_CHROMA: tuple[Chroma, ...] = ("gray", "420", "422", "444", "420", "422")
_FIRST_MPEG2_FORMAT = 4
_COLOR_SPACES: tuple[ColorSpace, ...] = ("bt601", "rgb", "ycgco", "bt709", "bt2020")
_MAX_UE7 = 1 << 30


@dataclass(frozen=True)
class Header:
    """Fields of a BPG header that matter for the picture.

    Parameters
    ----------
    height, width:
        Size of the picture in pixels, as shown (the coded size is a multiple of the coding block).
    chroma:
        Chroma sampling.
    bit_depth:
        Bits per sample, 8 to 14.
    color_space:
        Meaning of the planes; always ``bt601`` for gray.
    limited_range:
        Video levels (luma 16..235 at 8 bits) in place of the full range.
    cosited:
        Chroma samples lie on every other luma column (MPEG-2) in place of half-way between (JPEG).
    has_alpha:
        An opacity plane travels along, as a second HEVC stream in layer 1.
    """

    height: int
    width: int
    chroma: Chroma
    bit_depth: int
    color_space: ColorSpace = "bt601"
    limited_range: bool = False
    cosited: bool = False
    has_alpha: bool = False


def read_ue7(data: bytes, start: int) -> tuple[int, int]:
    """Read an integer in groups of seven bits, first group first.

    Returns
    -------
    tuple
        The value, and the position behind it.

    Raises
    ------
    CodecError
        If it is cut off, not in its shortest form, or 2^30 or more.
    """
    value = 0
    for position in range(start, len(data)):
        byte = data[position]
        if position == start and byte == 0x80:
            raise CodecError("a number in the BPG header is not in its shortest form")
        value = value << 7 | byte & 0x7F
        if value >= _MAX_UE7:
            raise CodecError("a number in the BPG header is 2^30 or more")
        if byte < 0x80:
            return value, position + 1
    raise CodecError("the BPG header is cut off")


def write_ue7(value: int) -> bytes:
    """Write ``value`` >= 0 in groups of seven bits; the high bit says that more follow."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(0x80 | value & 0x7F)
    return bytes(reversed(groups))


def read_header(data: bytes) -> tuple[Header, bytes]:
    """Read the header of a BPG file.

    Returns
    -------
    tuple
        The header, and what follows it: ``hevc_header_and_data`` of the specification, up to the length
        that the header gives or else to the end.

    Raises
    ------
    CodecError
        If this is no BPG file, or one with planes that a picture in RGB cannot show (CMYK, premultiplied
        alpha).
    """
    if data[:4] != _MAGIC or len(data) < 6:
        raise CodecError(f"not a BPG file: it starts with {data[:6].hex(' ')!r}")
    fields = BitReader(data[4:6])
    pixel_format, alpha1 = fields.u(3), fields.u(1)
    bit_depth, color_space = fields.u(4) + 8, fields.u(4)
    extension, alpha2, limited_range, _animation = (fields.u(1) for _ in range(4))
    if pixel_format >= len(_CHROMA) or color_space >= len(_COLOR_SPACES) or bit_depth > 14:
        raise CodecError(
            f"BPG header gives pixel format {pixel_format}, colour space {color_space} and {bit_depth} bits"
        )
    if alpha2:
        raise CodecError("BPG files with premultiplied alpha or in CMYK are not read")
    width, position = read_ue7(data, 6)
    height, position = read_ue7(data, position)
    length, position = read_ue7(data, position)
    if not width or not height:
        raise CodecError(f"BPG header gives a picture of {width} x {height} pixels")
    if extension:
        skip, position = read_ue7(data, position)
        position += skip
    chroma = _CHROMA[pixel_format]
    if chroma == "gray" and color_space:
        raise CodecError(f"BPG header gives a gray picture in colour space {color_space}")
    header = Header(
        height,
        width,
        chroma,
        bit_depth,
        _COLOR_SPACES[color_space],
        bool(limited_range),
        pixel_format >= _FIRST_MPEG2_FORMAT,
        bool(alpha1),
    )
    return header, data[position : position + length] if length else data[position:]


def write_header(header: Header) -> bytes:
    """Write a header without extensions or alpha, whose HEVC data run to the end of the file."""
    pixel_format = _CHROMA.index(header.chroma) + (_FIRST_MPEG2_FORMAT - 1 if header.cosited else 0)
    fields = BitWriter().u(3, pixel_format).u(1, 0).u(4, header.bit_depth - 8)
    fields.u(4, _COLOR_SPACES.index(header.color_space)).u(2, 0).u(1, header.limited_range).u(1, 0)
    return _MAGIC + fields.data() + write_ue7(header.width) + write_ue7(header.height) + write_ue7(0)
