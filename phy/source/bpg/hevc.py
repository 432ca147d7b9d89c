"""HEVC parameter sets and NAL units, as far as BPG leaves them out and a decoder wants them back.

A BPG file drops the video and sequence parameter sets (VPS, SPS) and keeps only the coding tools of the
SPS (`CodingTools`, the ``hevc_header`` of the BPG specification). Everything else in them is implied by the
size, the chroma sampling and the bit depth. Clauses are those of Rec. ITU-T H.265.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from phy.source.bpg.bits import BitReader, BitWriter
from phy.source.bpg.container import Chroma, read_ue7, write_ue7
from phy.source.pictures.codec import CodecError

__all__ = [
    "PPS",
    "SPS",
    "START_CODE",
    "CodingTools",
    "SequenceParameters",
    "bypasses_transform",
    "coded_size",
    "is_coded",
    "nal_layer",
    "nal_type",
    "parameter_sets",
    "parse_sps",
    "read_tools",
    "split_nals",
    "starts_picture",
    "write_tools",
]

VPS, SPS, PPS = 32, 33, 34
"""NAL unit types of the parameter sets (table 7-1); the types below 32 are slices."""

START_CODE = b"\x00\x00\x01"
"""What stands before each NAL unit of a byte stream (annex B)."""

_CHROMA_FORMATS: tuple[Chroma, ...] = ("gray", "420", "422", "444")
_RANGE_FLAGS = 9
_IMPLICIT_RDPCM = 2
# explicit_rdpcm, extended_precision, high_precision_offsets and cabac_bypass_alignment.
_FORBIDDEN_RANGE_FLAGS = (3, 4, 6, 8)


@dataclass(frozen=True)
class CodingTools:
    """The fields of the SPS that an encoder may choose in BPG.

    Parameters
    ----------
    log2_min_cb, log2_diff_cb:
        Smallest coding block, and how often it doubles up to the coding tree block.
    log2_min_tb, log2_diff_tb:
        Smallest transform block, and how often it doubles.
    max_depth_intra:
        ``max_transform_hierarchy_depth_intra``.
    sao, strong_intra:
        Sample adaptive offset; strong intra smoothing.
    pcm:
        None, or luma depth - 1, chroma depth - 1, log2 of the smallest block - 3, doublings, loop filter off.
    range_flags:
        None, or the nine flags of the range extension (clause 7.3.2.3.2).
    """

    log2_min_cb: int
    log2_diff_cb: int
    log2_min_tb: int
    log2_diff_tb: int
    max_depth_intra: int
    sao: int
    pcm: tuple[int, int, int, int, int] | None
    strong_intra: int
    range_flags: tuple[int, ...] | None

    def check(self) -> CodingTools:
        """Return the tools themselves, if HEVC and BPG allow them.

        Raises
        ------
        CodecError
            If a block size is outside clause 7.4.3.2.1, or a tool is one that BPG forbids.
        """
        largest_cb = self.log2_min_cb + self.log2_diff_cb
        largest_tb = self.log2_min_tb + self.log2_diff_tb
        if largest_cb > 6 or self.log2_min_tb >= self.log2_min_cb or largest_tb > min(largest_cb, 5):
            raise CodecError(
                f"HEVC coding blocks 2^{self.log2_min_cb}..2^{largest_cb} with transform blocks "
                f"2^{self.log2_min_tb}..2^{largest_tb} do not exist"
            )
        if self.range_flags and any(self.range_flags[index] for index in _FORBIDDEN_RANGE_FLAGS):
            raise CodecError(f"BPG forbids one of the HEVC range extensions {self.range_flags}")
        return self

    @property
    def implicit_rdpcm(self) -> bool:
        """``implicit_rdpcm_enabled_flag``."""
        return self.range_flags is not None and bool(self.range_flags[_IMPLICIT_RDPCM])


@dataclass(frozen=True)
class SequenceParameters:
    """What an encoder's SPS says: the coding tools, and what BPG implies from its own header."""

    tools: CodingTools
    chroma: Chroma
    bit_depth: int
    coded_height: int
    coded_width: int


def coded_size(size: int, tools: CodingTools) -> int:
    """Pixels that are coded for ``size`` pixels shown: whole smallest coding blocks."""
    block = 1 << tools.log2_min_cb
    return -(-size // block) * block


# -- coding tools -----------------------------------------------------------------------------------------


def read_tools(data: bytes) -> tuple[CodingTools, bytes]:
    """Read ``hevc_header``; return the tools and the bytes behind them.

    Raises
    ------
    CodecError
        If it is cut off or names tools that do not exist.
    """
    length, start = read_ue7(data, 0)
    reader = BitReader(data[start : start + length])
    log2_min_cb, log2_diff_cb = reader.ue() + 3, reader.ue()
    log2_min_tb, log2_diff_tb, depth = reader.ue() + 2, reader.ue(), reader.ue()
    sao, pcm, strong = reader.u(1), _read_pcm(reader), reader.u(1)
    blocks = (log2_min_cb, log2_diff_cb, log2_min_tb, log2_diff_tb)
    tools = CodingTools(*blocks, depth, sao, pcm, strong, _read_range_flags(reader))
    return tools.check(), data[start + length :]


def write_tools(tools: CodingTools) -> bytes:
    """Write ``hevc_header``, its length first."""
    fields = BitWriter()
    _write_block_sizes(fields, tools)
    fields.ue(tools.max_depth_intra).u(1, tools.sao)
    _write_pcm(fields, tools)
    fields.u(1, tools.strong_intra)
    _write_range_flags(fields, tools)
    return write_ue7(len(fields.data())) + fields.data()


def _read_pcm(reader: BitReader) -> tuple[int, int, int, int, int] | None:
    return (reader.u(4), reader.u(4), reader.ue(), reader.ue(), reader.u(1)) if reader.u(1) else None


def _read_range_flags(reader: BitReader) -> tuple[int, ...] | None:
    if not reader.u(1):
        return None
    extensions = reader.u(8)
    if extensions & 0x7F:
        raise CodecError(f"HEVC extensions {extensions:08b} are not those of a BPG file")
    return tuple(reader.u(1) for _ in range(_RANGE_FLAGS)) if extensions else None


def _write_block_sizes(fields: BitWriter, tools: CodingTools) -> None:
    fields.ue(tools.log2_min_cb - 3).ue(tools.log2_diff_cb).ue(tools.log2_min_tb - 2).ue(tools.log2_diff_tb)


def _write_pcm(fields: BitWriter, tools: CodingTools) -> None:
    fields.u(1, tools.pcm is not None)
    if tools.pcm is not None:
        luma, chroma, smallest, doublings, no_filter = tools.pcm
        fields.u(4, luma).u(4, chroma).ue(smallest).ue(doublings).u(1, no_filter)


def _write_range_flags(fields: BitWriter, tools: CodingTools) -> None:
    fields.u(1, tools.range_flags is not None)
    if tools.range_flags is not None:
        fields.u(8, 0x80)
        for flag in tools.range_flags:
            fields.u(1, flag)


# -- NAL units --------------------------------------------------------------------------------------------


def split_nals(stream: bytes) -> Iterator[bytes]:
    """Cut a byte stream (annex B) at its start codes; the zeros before a start code are dropped.

    The first unit need not have a start code: BPG leaves it out.
    """
    for unit in stream.split(START_CODE):
        if nal := unit.rstrip(b"\x00"):
            yield nal


def nal_type(nal: bytes) -> int:
    """``nal_unit_type`` (clause 7.3.1.2)."""
    return nal[0] >> 1 & 0x3F


def nal_layer(nal: bytes) -> int:
    """``nuh_layer_id`` (clause 7.3.1.2) of a unit of two bytes or more."""
    return (nal[0] & 1) << 5 | nal[1] >> 3


def is_coded(nal: bytes) -> bool:
    """Whether a BPG file keeps this unit: a slice or the PPS."""
    return nal_type(nal) < VPS or nal_type(nal) == PPS


def starts_picture(nal: bytes) -> bool:
    """Whether this is the first slice segment of a picture."""
    return nal_type(nal) < VPS and len(nal) > 2 and nal[2] >= 0x80


def _payload(nal: bytes) -> bytes:
    """RBSP of a unit: without its header, and without emulation prevention (clause 7.4.2)."""
    return nal[2:].replace(b"\x00\x00\x03", b"\x00\x00")


def _unit(kind: int, fields: BitWriter) -> bytes:
    """Wrap an RBSP: stop bit, emulation prevention, NAL header, start code."""
    rbsp = fields.u(1, 1).data()
    return START_CODE + bytes([kind << 1, 1]) + re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\x00\x00\x03", rbsp)


# -- parameter sets ---------------------------------------------------------------------------------------


def parameter_sets(tools: CodingTools, height: int, width: int, chroma: Chroma, bit_depth: int) -> bytes:
    """Build the VPS and SPS that a BPG file implies, as a byte stream with start codes.

    Parameters
    ----------
    tools:
        From the file's ``hevc_header``.
    height, width:
        Size of the picture as shown; the SPS gets the coded size. BPG has no conformance window.
    chroma, bit_depth:
        From the file's header.
    """
    vps = BitWriter().u(4, 0).u(2, 3).u(6, 0).u(3, 0).u(1, 1).u(16, 0xFFFF)
    _write_profile(vps)
    vps.u(1, 1).ue(0).ue(0).ue(0).u(6, 0).ue(0).u(1, 0).u(1, 0)

    sps = BitWriter().u(4, 0).u(3, 0).u(1, 1)
    _write_profile(sps)
    sps.ue(0).ue(_CHROMA_FORMATS.index(chroma))
    if chroma == "444":
        sps.u(1, 0)
    sps.ue(coded_size(width, tools)).ue(coded_size(height, tools)).u(1, 0)
    sps.ue(bit_depth - 8).ue(bit_depth - 8).ue(4).u(1, 1).ue(0).ue(0).ue(0)
    _write_block_sizes(sps, tools)
    sps.ue(tools.max_depth_intra).ue(tools.max_depth_intra)
    sps.u(1, 0).u(1, 1).u(1, tools.sao)  # no scaling lists; asymmetric motion partitions
    _write_pcm(sps, tools)
    sps.ue(0).u(1, 0).u(1, 1).u(1, tools.strong_intra).u(1, 0)
    _write_range_flags(sps, tools)
    return _unit(VPS, vps) + _unit(SPS, sps)


def _write_profile(fields: BitWriter) -> None:
    """General profile 4 (format range extensions) at level 8.5, one sub-layer (clause 7.3.3)."""
    fields.u(3, 0).u(5, 4).u(32, 1 << 27).u(4, 0b1001).u(44, 0).u(8, 255)


def parse_sps(nal: bytes) -> SequenceParameters:
    """Read an encoder's SPS (clause 7.3.2.2), and make sure that BPG can imply what it does not carry.

    Raises
    ------
    CodecError
        If it is cut off, or uses what BPG leaves no room for (a conformance window, scaling lists, several
        sub-layers, unequal depths, reference picture sets, no asymmetric partitions, ...).
    """
    reader = BitReader(_payload(nal))
    ids, sub_layers, _nesting = reader.u(4), reader.u(3), reader.u(1)
    reader.u(96)
    ids += reader.ue()
    chroma = reader.ue()
    separate = reader.u(1) if chroma == 3 else 0
    width, height, window = reader.ue(), reader.ue(), reader.u(1)
    if ids or sub_layers or chroma > 3 or separate or window:
        raise CodecError(f"SPS {nal.hex()}: identifiers, sub-layers, planes or window that BPG cannot imply")
    depth, chroma_depth, log2_poc, _ordering = reader.ue() + 8, reader.ue() + 8, reader.ue() + 4, reader.u(1)
    for _ in range(3):
        reader.ue()
    log2_min_cb, log2_diff_cb = reader.ue() + 3, reader.ue()
    log2_min_tb, log2_diff_tb = reader.ue() + 2, reader.ue()
    depth_inter, depth_intra = reader.ue(), reader.ue()
    scaling, amp, sao, pcm = reader.u(1), reader.u(1), reader.u(1), _read_pcm(reader)
    reference_sets, long_term, temporal_mvp, strong = reader.ue(), reader.u(1), reader.u(1), reader.u(1)
    if (chroma_depth, depth_inter, log2_poc) != (depth, depth_intra, 8):
        raise CodecError(f"SPS {nal.hex()}: depths or picture order count that BPG cannot imply")
    if (scaling, amp, reference_sets, long_term, temporal_mvp) != (0, 1, 0, 0, 1):
        raise CodecError(f"SPS {nal.hex()}: scaling lists or inter tools that BPG cannot imply")
    if reader.u(1):
        _skip_vui(reader)
    blocks = (log2_min_cb, log2_diff_cb, log2_min_tb, log2_diff_tb)
    tools = CodingTools(*blocks, depth_intra, sao, pcm, strong, _read_range_flags(reader))
    return SequenceParameters(tools.check(), _CHROMA_FORMATS[chroma], depth, height, width)


def bypasses_transform(nal: bytes) -> bool:
    """``transquant_bypass_enabled_flag`` of a PPS (clause 7.3.2.3.1): whether blocks may be lossless.

    Raises
    ------
    CodecError
        If the PPS is cut off.
    """
    reader = BitReader(_payload(nal))
    _skip_ue(reader, 2)
    reader.u(7)  # dependent slices, output flag, extra header bits, sign hiding, CABAC initialisation
    _skip_ue(reader, 3)  # reference indices; the initial QP is signed, but as long as an unsigned number
    reader.u(2)  # constrained intra prediction, transform skip
    if reader.u(1):  # QP differences
        reader.ue()
    _skip_ue(reader, 2)  # chroma offsets
    reader.u(3)  # slices' chroma offsets, weighted prediction
    return bool(reader.u(1))


def _skip_vui(reader: BitReader) -> None:
    """Step over the video usability information (clause E.2.1), which BPG drops."""
    if reader.u(1) and reader.u(8) == 255:  # aspect ratio
        reader.u(32)
    if reader.u(1):  # overscan
        reader.u(1)
    if reader.u(1) and (reader.u(4), reader.u(1))[1]:  # video signal type, colour description
        reader.u(24)
    if reader.u(1):  # chroma location
        _skip_ue(reader, 2)
    reader.u(3)
    if reader.u(1):  # default display window
        _skip_ue(reader, 4)
    if reader.u(1):  # timing
        reader.u(64)
        if reader.u(1):
            reader.ue()
        if reader.u(1):
            raise CodecError("an SPS with hypothetical reference decoder parameters is not read")
    if reader.u(1):  # bitstream restriction
        reader.u(3)
        _skip_ue(reader, 5)


def _skip_ue(reader: BitReader, count: int) -> None:
    for _ in range(count):
        reader.ue()
