"""BPG: files, headers and refusals."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from tiny.bpg import FORMATS, LUMA, psnr, smooth, tiny_parser

from phy.source.bpg.bpg import BPG

# -- files -----------------------------------------------------------------------------------------------


@pytest.mark.slow
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


@pytest.mark.slow
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
