"""BPG: the container by an independent parser, the arithmetic by floating point, the pictures by PSNR."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import correlate1d

from phy.source.bpg import bpg
from phy.source.bpg.bpg import BPG
from phy.source.bpg.color import decimate, gray_plane, interpolate, planes_to_rgb, rgb_to_ycc
from phy.source.bpg.container import Header, read_ue7, write_header, write_ue7
from phy.source.bpg.hevc import CodingTools, parameter_sets, parse_sps, read_tools, split_nals, write_tools
from phy.source.pictures.codec import CodecError

FORMATS = list(product(("444", "422", "420", "gray"), (8, 10)))
LUMA = np.array([0.299, 0.587, 0.114])


def smooth(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """A picture of slow waves in all three channels."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [
        128 + 100 * np.sin(x / rng.uniform(25, 60) + rng.uniform(0, 6)) * np.cos(y / rng.uniform(25, 60))
        for _ in range(3)
    ]
    return np.stack(waves, -1).round().astype(np.uint8)


def psnr(reference: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    error = np.mean((reference.astype(float) - image) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


# -- an independent reader of the container, bit by bit ------------------------------------------------------


class Bits:
    """The bits of a byte string as text."""

    def __init__(self, data: bytes) -> None:
        self.text = "".join(f"{byte:08b}" for byte in data)

    def u(self, count: int) -> int:
        field, self.text = self.text[:count], self.text[count:]
        return int(field, 2)

    def ue(self) -> int:
        zeros = self.text.index("1")
        return self.u(2 * zeros + 1) - 1

    def se(self) -> int:
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def tiny_parser(data: bytes) -> dict[str, object]:
    """Fields of a BPG file as BPG specification 0.9.5 and H.265 lay them out."""
    head = Bits(data[4:6])
    fields: dict[str, object] = {
        "magic": data[:4],
        "pixel_format": head.u(3),
        "alpha1": head.u(1),
        "depth": head.u(4) + 8,
        "color_space": head.u(4),
        "flags": head.u(4),
    }
    rest, numbers = data[6:], []
    while len(numbers) < 4:  # width, height, length of the data, length of hevc_header
        end = next(i for i, byte in enumerate(rest) if byte < 128) + 1
        numbers.append(int("".join(f"{byte & 127:07b}" for byte in rest[:end]), 2))
        rest = rest[end:]
    fields["width"], fields["height"], fields["length"], size = numbers
    tools = Bits(rest[:size])
    fields["min_cb"] = 8 << tools.ue()
    fields["ctb"] = int(str(fields["min_cb"])) << tools.ue()
    tools.ue(), tools.ue(), tools.ue()
    fields["sao"], fields["pcm"], fields["strong"], fields["extension"] = (tools.u(1) for _ in range(4))
    fields["padding"] = tools.text
    pps, *slices = rest[size:].replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")
    fields["nal_types"] = [nal[0] >> 1 for nal in (pps, *slices)]
    bits = Bits(pps[2:].replace(b"\0\0\3", b"\0\0"))
    bits.ue(), bits.ue(), bits.u(7), bits.ue(), bits.ue()
    init_qp = 26 + bits.se()
    bits = Bits(slices[0][2:12].replace(b"\0\0\3", b"\0\0"))
    fields["first_slice"] = bits.u(1)
    bits.u(1), bits.ue()
    fields["slice_type"] = bits.ue()
    if fields["sao"]:
        bits.u(1 if fields["pixel_format"] == 0 else 2)
    fields["slice_qp"] = init_qp + bits.se()
    return fields


# -- files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("chroma", "depth"), FORMATS)
def test_smooth_pictures_of_any_size_survive_at_low_qp(chroma: str, depth: int) -> None:
    codec = BPG(chroma, depth, preset="ultrafast")
    rng = np.random.default_rng([depth, len(chroma), sum(map(ord, chroma))])
    for trial in range(25):
        height, width = (int(rng.choice([1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 40, 65])) for _ in range(2))
        image = smooth(height, width, trial)
        quality = int(rng.integers(0, 11))
        decoded = codec.decode(codec.encode(image, quality), (height, width))
        assert decoded.shape == (height, width, 3) and decoded.dtype == np.uint8
        if chroma == "gray":
            assert (decoded == decoded[..., :1]).all()
            image = np.repeat((image @ LUMA).round().astype(np.uint8)[..., None], 3, axis=2)
        assert psnr(image, decoded) > 40, (height, width, quality)


@pytest.mark.parametrize(("chroma", "depth"), FORMATS)
def test_header_reads_as_the_specification_says(chroma: str, depth: int) -> None:
    image = smooth(70, 200)
    for quality in (51, 29, 2):
        fields = tiny_parser(BPG(chroma, depth).encode(image, quality))
        assert set(str(fields.pop("padding"))) <= {"0"}
        assert fields.pop("nal_types") in ([34, 19], [34, 20])  # a PPS, an IDR slice
        assert fields == {
            "magic": b"BPG\xfb",
            "pixel_format": {"gray": 0, "420": 1, "422": 2, "444": 3}[chroma],
            "alpha1": 0,
            "depth": depth,
            "color_space": 0,
            "flags": 0,
            "width": 200,
            "height": 70,
            "length": 0,
            "min_cb": 8,
            "ctb": 64,
            "sao": 1,
            "pcm": 0,
            "strong": 1,
            "extension": 0,
            "first_slice": 1,
            "slice_type": 2,
            "slice_qp": max(0, quality - 3),
        }


def test_hevc_header_is_what_the_reference_encoder_writes() -> None:
    """CTU 64, CU 8, TU 4..32, one level of intra splits, SAO, strong smoothing: 03 92 47 40."""
    data = BPG("420").encode(smooth(64, 64), 29)
    assert data[6:13].hex(" ") == "40 40 00 03 92 47 40"


def test_gray_pictures_may_come_without_a_channel_dimension() -> None:
    image = smooth(20, 30)[..., 0]
    for chroma, depth in FORMATS:
        codec = BPG(chroma, depth, preset="ultrafast")
        assert psnr(np.repeat(image[..., None], 3, 2), codec.decode(codec.encode(image, 0), (20, 30))) > 42


def test_more_quality_is_more_bytes_and_more_psnr() -> None:
    rng = np.random.default_rng(1)
    image = np.clip(smooth(96, 96) + rng.normal(0, 12, (96, 96, 3)), 0, 255).astype(np.uint8)
    codec = BPG("444", preset="medium")
    files = [codec.encode(image, quality) for quality in codec.qualities[::5]]
    quality = [psnr(image, codec.decode(data, (96, 96))) for data in files]
    assert sorted(map(len, files)) == list(map(len, files))
    assert sorted(quality) == quality and quality[-1] > 45


@pytest.mark.parametrize(
    ("name", "quality", "size", "reference"),
    [("astronaut", 51, 2018, 24.67), ("coffee", 40, 6266, 29.31), ("chelsea", 22, 25276, 40.79)],
)
def test_photographs_match_an_independent_prototype(
    name: str, quality: int, size: int, reference: float
) -> None:
    """Bytes and PSNR over RGB of another BPG writer on x265 4.2, 4:2:0, veryslow."""
    data = pytest.importorskip("skimage.data")
    image = np.ascontiguousarray(getattr(data, name)()[..., :3])
    codec = BPG("420")
    coded = codec.encode(image, quality)
    assert len(coded) == pytest.approx(size, rel=0.02)
    assert psnr(image, codec.decode(coded, image.shape[:2])) == pytest.approx(reference, abs=0.1)


PROCESS = """
import sys, hashlib, numpy as np
from phy.source.bpg.bpg import BPG
from phy.source.pictures.codec import CodecError
image = (np.arange(33 * 50 * 3).reshape(33, 50, 3) * 7 % 256).astype(np.uint8)
data = b"".join(BPG(c, d).encode(image, 30) for c in ("444", "420", "gray") for d in (8, 10))
for cut in (100, 300, 500):
    try:
        BPG("444").decode(data[:30] + data[cut:], (33, 50))
    except CodecError:
        pass
print(hashlib.sha256(data).hexdigest())
"""


@pytest.mark.slow
def test_bytes_are_the_same_in_another_process_and_nothing_is_printed() -> None:
    image = (np.arange(33 * 50 * 3).reshape(33, 50, 3) * 7 % 256).astype(np.uint8)
    data = b"".join(BPG(c, d).encode(image, 30) for c in ("444", "420", "gray") for d in (8, 10))
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    ran = subprocess.run(
        [sys.executable, "-c", PROCESS],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=True,
    )
    assert ran.stdout.strip() == hashlib.sha256(data).hexdigest()
    assert ran.stderr == ""


# -- parameter sets ----------------------------------------------------------------------------------------


def raw_planes(stream: bytes) -> list[NDArray[np.uint8]]:
    """Decode x265's own byte stream, with its own parameter sets."""
    context = av.CodecContext.create("hevc", "r")
    (frame,) = [*context.decode(av.Packet(stream + bytes(64))), *context.decode(None)]
    return [np.frombuffer(p, np.uint8).reshape(p.height, -1)[:, : p.width] for p in frame.planes]


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


# -- other writers' files ----------------------------------------------------------------------------------


def parts(data: bytes) -> tuple[bytes, bytes, list[bytes]]:
    """Split a file of 33 x 47: four bytes of magic and two of fields, hevc_header, NAL units."""
    assert data[6:9] == bytes([47, 33, 0])
    size = 1 + data[9]
    return data[:6], data[9 : 9 + size], data[9 + size :].split(b"\0\0\1")


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


def lossless(rgb: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> tuple[Header, bytes]:
    """Header and body of what ``bpgenc -e x265 -lossless`` writes: the planes G, B, R without transform."""
    monkeypatch.setattr(bpg, "_X265", bpg._X265 + ":lossless=1")
    header = Header(*rgb.shape[:2], "444", 8, "rgb")
    planes = [rgb[..., place].astype(np.int32) for place in (1, 2, 0)]
    return header, bpg._strip(bpg._compress(planes, BPG("444", preset="ultrafast"), 0, 8), header)


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


# -- refusals ----------------------------------------------------------------------------------------------


def test_zeros_behind_the_file_are_ignored() -> None:
    codec = BPG("444", preset="ultrafast")
    data = codec.encode(smooth(17, 40), 30)
    expected = codec.decode(data, (17, 40))
    for count in (1, 2, 3, 64, 5000):
        np.testing.assert_array_equal(codec.decode(data + bytes(count), (17, 40)), expected)


def test_another_size_is_refused_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = BPG("444", preset="ultrafast")
    data = codec.encode(smooth(17, 40), 30)
    monkeypatch.setattr(bpg, "_decompress", lambda *_: pytest.fail("must not decode"))
    with pytest.raises(CodecError, match="expected a picture of 40 x 17, got 17 x 40"):
        codec.decode(data, (40, 17))
    huge = data[:6] + write_ue7(2**29) * 2 + data[8:]
    with pytest.raises(CodecError, match="536870912 x 536870912"):
        codec.decode(huge, (17, 40))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"BPG\xfb",
        b"BPG\xfb\x60\x00",
        b"BPG\xfb\xc0\x00\x08\x08\x00",
        b"BPG\xfb\x67\x00\x08\x08\x00",
        b"BPG\xfb\x60\x50\x08\x08\x00",
        b"BPG\xfb\x00\x10\x08\x08\x00",
        b"BPG\xfb\x60\x00\x00\x08\x00",
        b"BPG\xfb\x61\x00\x08\x08\x00\x03\x92\x47\x40",
        b"BPG\xfb\x60\x00\x08\x08\x00\x03\x92\x47\x40",
        b"BPG\xfb\x60\x00\x08\x08\x00\x01\x01\x44\x01",
        b"\x89PNG\r\n\x1a\n",
    ],
)
def test_what_is_no_bpg_picture_is_a_codec_error(data: bytes) -> None:
    with pytest.raises(CodecError):
        BPG().decode(data, (8, 8))


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="chroma must be one of gray, 420, 422, 444, got '411'"):
        BPG("411")
    with pytest.raises(ValueError, match="bit_depth must be 8 or 10, got 9"):
        BPG(bit_depth=9)
    with pytest.raises(ValueError, match=r"preset must be one of .*, got 'best'"):
        BPG(preset="best")
    with pytest.raises(ValueError, match=r"got 52"):
        BPG().encode(smooth(8, 8), 52)
    with pytest.raises(ValueError, match=r"got float64 of shape \[8, 8, 3\]"):
        BPG().encode(smooth(8, 8).astype(float), 20)
    for shape in ((8, 8, 4), (0, 8, 3), (8,), (1, 8, 8, 3)):
        with pytest.raises(ValueError, match="picture must be"):
            BPG().encode(np.zeros(shape, np.uint8), 20)


def test_missing_pyav_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    bpg._av.cache_clear()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "av", None)
        with pytest.raises(ImportError, match="pip install av"):
            BPG()
    with monkeypatch.context() as patch:
        patch.setattr(av, "codecs_available", {"hevc"})
        with pytest.raises(ImportError, match=r"libx265.*pip install .*av"):
            BPG()
    BPG()


def test_name_and_version() -> None:
    assert BPG().name == "bpg-444-8" and BPG("420", 10, "medium").name == "bpg-420-10-medium"
    assert BPG().qualities[0] == 51 and BPG().qualities[-1] == 0
    for part in (f"av {av.__version__}", "libavcodec ", "x265 "):
        assert part in BPG().version
    assert "unknown" not in BPG().version


# -- arithmetic against floating point -----------------------------------------------------------------------


@pytest.fixture(params=[8, 10])
def depth(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng([height, width]).integers(0, 256, (height, width, 3), dtype=np.uint8)


def float_ycc(image: NDArray[np.uint8], k_r: float, k_b: float) -> NDArray[np.float64]:
    """Y in 0..1 and chroma in -1/2..1/2, as the Recommendations define them."""
    red, green, blue = np.moveaxis(image / 255.0, -1, 0)
    luma = k_r * red + (1 - k_r - k_b) * green + k_b * blue
    return np.stack([luma, (blue - luma) / (2 - 2 * k_b), (red - luma) / (2 - 2 * k_r)])


def test_rgb_to_ycc(depth: int) -> None:
    image = noise(50, 70)
    planes = np.stack(rgb_to_ycc(image, depth))
    center = np.array([0, 1, 1])[:, None, None] * 2.0 ** (depth - 1)
    expected = (2**depth - 1) * float_ycc(image, 0.299, 0.114) + center
    assert np.abs(planes - np.clip(expected, 0, 2**depth - 1)).max() < 0.51
    if depth == 8:
        jfif = np.moveaxis(np.array(Image.fromarray(image).convert("YCbCr"), dtype=int), -1, 0)
        assert np.abs(planes - jfif).max() <= 1


def test_gray_plane(depth: int) -> None:
    levels = np.arange(256, dtype=np.uint8)[None]
    np.testing.assert_array_equal(gray_plane(levels, depth), np.rint(levels * ((2**depth - 1) / 255)))


DECIMATION = np.array([2, -4, -8, 17, 57, 57, 17, -8, -4, 2]) / 128


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (31, 44), (64, 65)])
def test_decimation(size: tuple[int, int], depth: int) -> None:
    plane = rgb_to_ycc(noise(*size), depth)[1]

    def halve(samples: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        # correlate1d centres an even filter on its tap 5; the picture's lies half a sample on.
        filtered = correlate1d(samples, DECIMATION, axis, mode="nearest", origin=-1)
        return np.take(filtered, range(0, samples.shape[axis], 2), axis)

    across = halve(plane.astype(float), 1)
    top = 2**depth - 1
    assert np.abs(decimate(plane, "422", depth) - np.clip(across, 0, top)).max() <= 0.51
    both = np.clip(halve(across, 0), 0, top)
    assert np.abs(decimate(plane, "420", depth) - both).max() <= 1
    assert decimate(plane, "420", depth).shape == ((size[0] + 1) // 2, (size[1] + 1) // 2)


QUARTER = np.array([2, -6, 18, 57, -10, 4, -1]) / 64
HALF = np.array([-1, 4, -11, 40, 40, -11, 4, -1]) / 64


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (31, 44), (64, 65)])
@pytest.mark.parametrize("cosited", [False, True])
def test_interpolation(size: tuple[int, int], cosited: bool, depth: int) -> None:
    top = 2**depth - 1
    rng = np.random.default_rng(0)

    def double(samples: NDArray[np.float64], axis: int, length: int, aligned: bool) -> NDArray[np.float64]:
        even = samples if aligned else correlate1d(samples, QUARTER, axis, mode="nearest")
        odd = correlate1d(samples, HALF if aligned else QUARTER[::-1], axis, mode="nearest", origin=-aligned)
        both = np.stack([even, odd], axis + 1).reshape(
            [n * (1 + (i == axis)) for i, n in enumerate(samples.shape)]
        )
        return np.take(both, range(length), axis)

    plane = rng.integers(0, top + 1, (size[0], (size[1] + 1) // 2)).astype(np.int32)
    header = Header(*size, "422", depth, cosited=cosited)
    expected = np.clip(double(plane.astype(float), 1, size[1], cosited), 0, top)
    assert np.abs(interpolate(plane, size, header) - expected).max() <= 0.51

    plane = plane[: (size[0] + 1) // 2]
    header = Header(*size, "420", depth, cosited=cosited)
    tall = double(plane.astype(float), 0, size[0], False)
    expected = np.clip(double(tall, 1, size[1], cosited), 0, top)
    assert np.abs(interpolate(plane, size, header) - expected).max() <= 1


SPACES = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}


@pytest.mark.parametrize("space", [*SPACES, "rgb", "ycgco"])
@pytest.mark.parametrize("limited", [False, True])
def test_planes_to_rgb(space: str, limited: bool) -> None:
    """At 12 bits the planes hold RGB exactly enough to come back within one level."""
    image = noise(40, 30)
    if space in SPACES:
        unit = float_ycc(image, *SPACES[space])
    elif space == "rgb":
        unit = np.moveaxis(image[..., [1, 2, 0]] / 255.0, -1, 0)
    else:
        red, green, blue = np.moveaxis(image / 255.0, -1, 0)
        even = (red + blue) / 2
        unit = np.stack([(green + even) / 2, (green - even) / 2, (red - blue) / 2])
    chroma = np.array([0, 1, 1])[:, None, None] if space != "rgb" else np.zeros((3, 1, 1))
    if not limited:
        planes = unit * 4095 + chroma * 2048
    elif space == "ycgco":  # the reference tools scale all three planes as luma
        planes = unit * (219 * 16) + np.where(chroma, 2048, 256)
    else:
        planes = unit * np.where(chroma, 224 * 16, 219 * 16) + np.where(chroma, 2048, 256)
    header = Header(40, 30, "444", 12, space, limited)
    decoded = planes_to_rgb(list(np.rint(planes).astype(np.int32)), header)
    assert np.abs(decoded.astype(int) - image).max() <= 1


def test_gray_to_rgb_at_all_depths() -> None:
    image = np.arange(256, dtype=np.uint8)[None]
    for depth in (8, 10, 12):
        decoded = planes_to_rgb([gray_plane(image, depth)], Header(1, 256, "gray", depth))
        np.testing.assert_array_equal(decoded, np.repeat(image[..., None], 3, 2))


def test_extreme_samples_do_not_wrap_around() -> None:
    """Damaged files hold any samples; sums of the fixed-point arithmetic must stay in range."""
    for depth, space, limited in product((8, 10, 12), SPACES, (False, True)):
        top = 2**depth - 1
        corners = np.array(list(product((0, top), repeat=3)), dtype=np.int32)
        planes = [corners[None, :, index] for index in range(3)]
        decoded = planes_to_rgb(planes, Header(1, 8, "444", depth, space, limited))[0]
        k_r, k_b = SPACES[space]
        scale = (219 / 255, 224 / 255, 16 * (top + 1) / 256) if limited else (1.0, 1.0, 0.0)
        unit = top if not limited else 255 * (top + 1) / 256
        luma = (corners[:, 0] - scale[2]) / scale[0] * 255 / unit
        cb, cr = ((corners[:, index] - (top + 1) / 2) / scale[1] * 255 / unit for index in (1, 2))
        red, blue = luma + 2 * (1 - k_r) * cr, luma + 2 * (1 - k_b) * cb
        green = (luma - k_r * red - k_b * blue) / (1 - k_r - k_b)
        expected = np.clip(np.stack([red, green, blue], -1), 0, 255)
        assert np.abs(decoded - expected).max() < 0.52, (depth, space, limited)


# -- the reference tools, where installed --------------------------------------------------------------------


@pytest.mark.skipif(
    not (shutil.which("bpgenc") and shutil.which("bpgdec")), reason="bpgenc and bpgdec are not on the PATH"
)
@pytest.mark.parametrize(("chroma", "depth"), FORMATS)
def test_reference_tools_give_the_same_pixels(chroma: str, depth: int, tmp_path: Path) -> None:
    image = smooth(97, 131)
    codec = BPG(chroma, depth, preset="medium")
    png, ours, theirs, shown = (tmp_path / name for name in ("a.png", "a.bpg", "b.bpg", "c.png"))
    ours.write_bytes(codec.encode(image, 28))
    subprocess.run(["bpgdec", "-o", shown, ours], check=True, timeout=60)
    decoded = codec.decode(ours.read_bytes(), (97, 131))
    np.testing.assert_array_equal(np.array(Image.open(shown).convert("RGB")), decoded)
    if chroma == "gray":
        return
    Image.fromarray(image).save(png)
    command = ["bpgenc", "-q", "28", "-f", chroma, "-b", str(depth), "-o", theirs, png]
    subprocess.run(command, check=True, timeout=60)
    subprocess.run(["bpgdec", "-o", shown, theirs], check=True, timeout=60)
    decoded = codec.decode(theirs.read_bytes(), (97, 131))
    np.testing.assert_array_equal(np.array(Image.open(shown).convert("RGB")), decoded)
