"""BPG: parameter sets, and files of other writers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tiny.bpg import lossless, noise, parts, psnr, raw_planes, smooth

from phy.source.bpg import bpg
from phy.source.bpg.bpg import BPG
from phy.source.bpg.container import read_ue7, write_header, write_ue7
from phy.source.bpg.hevc import CodingTools, parameter_sets, parse_sps, read_tools, split_nals, write_tools
from phy.source.pictures.codec import CodecError


@pytest.mark.parametrize("size", [(1, 1), (8, 40), (9, 9), (61, 130)])
def test_rebuilt_parameter_sets_give_the_encoders_own_picture(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    streams: list[bytes] = []
    compress = bpg._compress

    def record(*args: object) -> bytes:
        streams.append(compress(*args))
        return streams[-1]

    monkeypatch.setattr(bpg, "_compress", record)
    codec = BPG("444", preset="medium")
    data = bytearray(codec.encode(smooth(*size), 20))
    data[5] |= 1 << 4  # colour space RGB: planes are G, B, R, and come out as they are
    green, blue, red = raw_planes(streams[0])
    expected = np.stack([red, green, blue], -1)[: size[0], : size[1]]
    np.testing.assert_array_equal(codec.decode(bytes(data), size), expected)


TOOLS = [
    CodingTools(3, 3, 2, 3, 1, 1, None, 1, None),
    CodingTools(4, 2, 3, 1, 0, 0, (7, 7, 0, 2, 1), 0, (1, 0, 1, 0, 0, 1, 0, 1, 0)),
]


@pytest.mark.parametrize("tools", TOOLS)
@pytest.mark.parametrize("chroma", ["gray", "420", "422", "444"])
def test_coding_tools_pass_through_header_and_sps(tools: CodingTools, chroma: str) -> None:
    again, rest = read_tools(write_tools(tools) + b"behind")
    assert again == tools and rest == b"behind"
    _, sps = split_nals(parameter_sets(tools, 1000, 257, chroma, 10))
    read = parse_sps(sps)
    assert (read.tools, read.chroma, read.bit_depth) == (tools, chroma, 10)
    block = 1 << tools.log2_min_cb
    assert read.coded_height == -(-1000 // block) * block and read.coded_width == -(-257 // block) * block


@pytest.mark.parametrize("value", [0, 1, 127, 128, 16383, 16384, 2**30 - 1])
def test_ue7_round_trip(value: int) -> None:
    assert read_ue7(b"x" + write_ue7(value) + b"y", 1) == (value, 1 + len(write_ue7(value)))


@pytest.mark.parametrize("data", [b"\x80\x01", b"\x84\x80\x80\x80\x00", b"\x81", b""])
def test_ue7_refuses_long_forms_overflow_and_ends(data: bytes) -> None:
    with pytest.raises(CodecError):
        read_ue7(data, 0)


@pytest.mark.parametrize("size", [(16, 4224), (8, 8192), (8193, 16), (64, 8448), (8, 70000)])
def test_long_and_narrow_pictures_are_pictures(size: tuple[int, int]) -> None:
    """x265 codes them in blocks of 16, which no level of HEVC has for such a length."""
    codec, ramp = BPG("gray", preset="ultrafast"), np.arange(max(size)) // 40 % 256
    picture = np.broadcast_to(ramp if size[1] > size[0] else ramp[:, None], size).astype(np.uint8)
    shown = codec.decode(codec.encode(picture, 20), size)
    assert psnr(np.repeat(picture[..., None], 3, axis=2), shown) > 40


def test_lengths_extensions_and_start_codes_of_other_writers() -> None:
    codec = BPG("420", preset="ultrafast")
    data = codec.encode(smooth(33, 47), 25)
    expected = codec.decode(data, (33, 47))
    head, tools, nals = parts(data)
    hevc = tools + b"\0\0\1" + b"\0\0\0\1".join(nals)
    with_length = head + bytes([47, 33]) + write_ue7(len(hevc)) + hevc + b"\0\0\1\x44\x01trash"
    np.testing.assert_array_equal(codec.decode(with_length, (33, 47)), expected)
    extension = bytes([1, 3]) + b"abc" + bytes([4, 0])
    flagged = head[:5] + bytes([head[5] | 0b1001])  # extension data, animation
    long = flagged + bytes([47, 33, 0, len(extension)]) + extension + hevc
    np.testing.assert_array_equal(codec.decode(long, (33, 47)), expected)
    np.testing.assert_array_equal(BPG("444", 10).decode(data, (33, 47)), expected)


def test_an_alpha_plane_is_ignored_and_premultiplied_or_cmyk_refused() -> None:
    codec = BPG("420", preset="ultrafast")
    data = codec.encode(smooth(33, 47), 25)
    head, tools, nals = parts(data)
    _, alpha_tools, alpha = parts(BPG("gray", preset="ultrafast").encode(smooth(33, 47, 1), 40))
    layered = [bytes([nal[0], nal[1] | 1 << 3]) + nal[2:] for nal in alpha]
    body = bytes([47, 33, 0]) + alpha_tools + tools + b"\0\0\1".join(layered + nals)
    plain = head[:4] + bytes([head[4] | 0x10, head[5]]) + body
    np.testing.assert_array_equal(codec.decode(plain, (33, 47)), codec.decode(data, (33, 47)))
    for alpha1 in (0x10, 0):
        with pytest.raises(CodecError, match="premultiplied"):
            codec.decode(head[:4] + bytes([head[4] | alpha1, head[5] | 4]) + body, (33, 47))


def test_lossless_files_come_back_exactly_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """With implicit residual DPCM, as the reference encoder has it, FFmpeg would predict other edges."""
    picture = noise(48, 64) // 4 + smooth(48, 64) // 2
    header, body = lossless(picture, monkeypatch)
    data = write_header(header) + body
    np.testing.assert_array_equal(BPG().decode(data, (48, 64)), picture)
    tools, nals = read_tools(body)
    for flags, refused in (((0, 0, 1, 0, 0, 0, 0, 0, 0), True), ((0, 1, 0, 0, 0, 0, 0, 0, 0), False)):
        changed = write_header(header) + write_tools(replace(tools, range_flags=flags)) + nals
        if refused:
            with pytest.raises(CodecError, match="implicit residual DPCM"):
                BPG().decode(changed, (48, 64))
        else:
            assert BPG().decode(changed, (48, 64)).shape == (48, 64, 3)


def test_implicit_residual_dpcm_is_read_where_nothing_is_lossless() -> None:
    """The tool touches only blocks without transform, of which an ordinary file has none."""
    codec, picture = BPG("444", preset="ultrafast"), smooth(48, 64)
    data = codec.encode(picture, 30)
    head, body = data[:9], data[9:]
    tools, nals = read_tools(body)
    changed = head + write_tools(replace(tools, range_flags=(0, 0, 1, 0, 0, 0, 0, 0, 0))) + nals
    np.testing.assert_array_equal(codec.decode(changed, (48, 64)), codec.decode(data, (48, 64)))
