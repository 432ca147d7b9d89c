"""JPEG, JPEG 2000, WebP, AVIF and HEIF behind the contract of all image codecs."""

from __future__ import annotations

import faulthandler
import hashlib
import importlib.util
import io
import json
import resource
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile

from phy.source.pictures import pillow
from phy.source.pictures.codec import CodecError, ImageCodec
from phy.source.pictures.pillow import AVIF, HEIF, JPEG, JPEG2000, WebP

FACTORIES = {
    "jpeg-444": JPEG,
    "jpeg-420": lambda: JPEG("420"),
    "jpeg2000": JPEG2000,
    "webp": WebP,
    "avif-444": AVIF,
    "avif-420": lambda: AVIF("420"),
    "heif-444": HEIF,
    "heif-420": lambda: HEIF("420"),
}


def make(name: str) -> ImageCodec:
    if name.startswith("heif") and not importlib.util.find_spec("pillow_heif"):
        pytest.skip("pip install pillow-heif to run this test")
    return FACTORIES[name]()


@pytest.fixture(params=FACTORIES)
def codec(request: pytest.FixtureRequest) -> ImageCodec:
    return make(request.param)


def smooth(height: int, width: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width]
    waves = [128 + 100 * np.sin(x / 27 + phase) * np.cos(y / 23 + phase) for phase in range(3)]
    return np.stack(waves, -1).round().astype(np.uint8)


def psnr(reference: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    error = np.mean((reference.astype(float) - image) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


# -- what every codec does ---------------------------------------------------------------------------------


def test_names_versions_and_qualities(codec: ImageCodec, request: pytest.FixtureRequest) -> None:
    assert codec.name in request.node.name
    assert "unknown" not in codec.version and any(letter.isdigit() for letter in codec.version)
    assert list(codec.qualities) == sorted(set(codec.qualities))
    assert all(type(quality) is int for quality in codec.qualities)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 2), (33, 47), (64, 65)])
def test_pictures_of_any_size_survive_at_the_best_quality(codec: ImageCodec, shape: tuple[int, int]) -> None:
    image = smooth(*shape)
    decoded = codec.decode(codec.encode(image, codec.qualities[-1]), shape)
    assert decoded.shape == (*shape, 3) and decoded.dtype == np.uint8
    assert psnr(image, decoded) > 38
    gray = codec.decode(codec.encode(image[..., 0], codec.qualities[-1]), shape)
    assert psnr(np.repeat(image[..., :1], 3, 2), gray) > 42 and np.ptp(gray.astype(int), axis=2).max() <= 4


def test_qualities_run_from_worst_to_best(codec: ImageCodec) -> None:
    noise = np.random.default_rng(0).normal(0, 10, (96, 96, 3))
    image = np.clip(smooth(96, 96) + noise, 0, 255).astype(np.uint8)
    chosen = codec.qualities[:: len(codec.qualities) // 6]
    files = [codec.encode(image, quality) for quality in chosen]
    quality = [psnr(image, codec.decode(data, (96, 96))) for data in files]
    assert sorted(map(len, files)) == list(map(len, files))
    assert min(np.diff(quality)) > -0.2 and quality[-1] > quality[0] + 2


def test_zeros_behind_the_file_are_ignored(codec: ImageCodec) -> None:
    data = codec.encode(smooth(33, 47), codec.qualities[len(codec.qualities) // 2])
    expected = codec.decode(data, (33, 47))
    for count in (1, 7, 8, 500):
        np.testing.assert_array_equal(codec.decode(data + bytes(count), (33, 47)), expected)


def test_another_size_is_refused_before_decoding(codec: ImageCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    data = codec.encode(smooth(33, 47), codec.qualities[0])
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("must not decode"))
    with pytest.raises(CodecError, match="expected a picture of 47 x 33, got 33 x 47"):
        codec.decode(data, (47, 33))


def test_other_formats_and_garbage_are_codec_errors(codec: ImageCodec) -> None:
    png = io.BytesIO()
    Image.fromarray(smooth(8, 8)).save(png, "PNG")
    for data in (b"", b"\0" * 100, png.getvalue(), b"\xff\xd8\xff", b"RIFF....WEBPVP8 ", bytes(range(256))):
        with pytest.raises(CodecError):
            codec.decode(data, (8, 8))


def test_wrong_arguments_are_named(codec: ImageCodec) -> None:
    with pytest.raises(ValueError, match=r"quality must be one of .* got 5000"):
        codec.encode(smooth(8, 8), 5000)
    with pytest.raises(ValueError, match=r"got float64 of shape \[8, 8, 3\]"):
        codec.encode(smooth(8, 8).astype(float), codec.qualities[0])


@pytest.mark.slow
def test_bytes_are_the_same_in_another_process(codec: ImageCodec) -> None:
    image = (np.arange(150 * 200 * 3).reshape(150, 200, 3) * 7 % 256).astype(np.uint8)
    quality = codec.qualities[len(codec.qualities) // 2]
    program = (
        "import numpy as np, hashlib\n"
        f"from phy.source.pictures.pillow import {type(codec).__name__}\n"
        "image = (np.arange(150 * 200 * 3).reshape(150, 200, 3) * 7 % 256).astype(np.uint8)\n"
        f"print(hashlib.sha256({codec!r}.encode(image, {quality})).hexdigest())\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stdout.strip() == hashlib.sha256(codec.encode(image, quality)).hexdigest()


# -- each on its own ---------------------------------------------------------------------------------------


def test_settings_are_checked() -> None:
    for factory in (JPEG, AVIF, HEIF):
        with pytest.raises(ValueError, match="subsampling must be '444' or '420', got '422'"):
            factory("422")
    with pytest.raises(ValueError, match="method must be 0 to 6, got 7"):
        WebP(method=7)
    with pytest.raises(ValueError, match="speed must be 0 to 10, got 11"):
        AVIF(speed=11)


def test_missing_libraries_name_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    pillow._heif.cache_clear()
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImportError, match="pip install pillow-heif"):
        HEIF()
    monkeypatch.setattr(pillow.features, "check", lambda _: False)
    for factory in (JPEG, JPEG2000, WebP, AVIF):
        with pytest.raises(ImportError, match=r"pip install .* 'pillow>=12'"):
            factory()


def test_a_cut_jpeg_shows_what_arrived() -> None:
    image = smooth(128, 128)
    data = JPEG().encode(image, 90)
    decoded = JPEG().decode(data[: len(data) * 3 // 4], (128, 128))
    assert psnr(image[:56], decoded[:56]) > 35
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.parametrize("position", [10, 50, 100, 150])
def test_jpeg2000_hits_its_rate(position: int) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    image = np.array(Image.fromarray(noise).resize((256, 256)))
    codec = JPEG2000()
    quality = codec.qualities[position]
    size = len(codec.encode(image, quality))
    assert size == pytest.approx(256 * 256 * quality / 100 / 8, rel=0.03)


def test_jpeg2000_decorrelates_colour() -> None:
    """A gray picture in RGB must cost about as much as the same picture in gray, not three times."""
    noise = np.random.default_rng(1).normal(0, 15, (128, 128, 1))
    image = np.repeat(np.clip(smooth(128, 128)[..., :1] + noise, 0, 255), 3, 2).astype(np.uint8)
    codec = JPEG2000()
    color = codec.decode(codec.encode(image, 200), (128, 128))
    gray = codec.decode(codec.encode(image[..., 0], 200), (128, 128))
    assert psnr(image, color) > psnr(image, gray) - 1


def test_webp_size_is_read_from_the_frame_header() -> None:
    data = bytearray(WebP().encode(smooth(8, 8), 50))
    struct.pack_into("<HH", data, 26, 16383, 16383)
    with pytest.raises(CodecError, match="got 16383 x 16383"):
        WebP().decode(bytes(data), (8, 8))


@pytest.mark.parametrize(
    ("name", "minimum"), [("jpeg-444", 34.8), ("jpeg2000", 38.8), ("webp", 37.1), ("avif-444", 38.4)]
)
def test_kodim23_at_half_a_bit_per_pixel(name: str, minimum: float, data_dir: Path) -> None:
    """The order of the formats at about 26 kB: JPEG, WebP, AVIF and JPEG 2000 on this smooth picture."""
    image = np.array(Image.open(data_dir / "kodak24" / "kodim23.png").convert("RGB"))
    quality = {"jpeg-444": 36, "jpeg2000": 54, "webp": 79, "avif-444": 62}[name]
    codec = make(name)
    data = codec.encode(image, quality)
    assert 25_500 < len(data) < 27_500
    assert minimum < psnr(image, codec.decode(data, (512, 768))) < minimum + 1


# -- damaged files, in a child process ----------------------------------------------------------------------


def damage(rng: np.random.Generator, data: bytes, kind: int) -> bytes:
    if kind == 0:
        return data[: rng.integers(0, len(data))]
    if kind == 1:
        return rng.bytes(int(rng.integers(1, 100))) + data[int(rng.integers(1, 100)) :]
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    wrong = rng.random(bits.size) < 10 ** rng.uniform(-4, -2)
    wrong[rng.integers(0, bits.size if kind == 2 else min(bits.size, 480))] = True
    return np.packbits(bits ^ wrong).tobytes()


def main(name: str, count: int) -> None:
    """Decode so many damaged files, and print how many of each outcome there were, and megabytes grown."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    codec, outcomes, rng = FACTORIES[name](), Counter[str](), np.random.default_rng(5)
    data = codec.encode(smooth(64, 96), codec.qualities[len(codec.qualities) // 2])
    for number in range(count):
        faulthandler.dump_traceback_later(20, exit=True)
        try:
            picture = codec.decode(damage(rng, data, number % 4), (64, 96))
            outcomes["picture" if picture.shape == (64, 96, 3) else "wrong"] += 1
        except CodecError:
            outcomes["error"] += 1
    faulthandler.cancel_dump_traceback_later()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    print(json.dumps([outcomes, grown]))


def check_damaged(codec: ImageCodec, count: int, seconds: int) -> None:
    command = [sys.executable, __file__, codec.name, str(count)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    assert ran.returncode == 0 and ran.stderr == "", f"{ran.returncode}: {ran.stderr[-2000:]}"
    outcomes, megabytes = json.loads(ran.stdout)
    assert "wrong" not in outcomes and sum(outcomes.values()) == count and outcomes["error"] > count / 6
    assert megabytes < 512


@pytest.mark.slow
def test_damaged_files_give_a_picture_or_a_codec_error(codec: ImageCodec) -> None:
    check_damaged(codec, 300, 60)


@pytest.mark.slow
def test_two_thousand_damaged_files(codec: ImageCodec) -> None:
    check_damaged(codec, 2000, 300)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
