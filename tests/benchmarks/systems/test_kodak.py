"""The separation baseline on the Kodak photographs, against figures measured with other BPG writers."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.settings.compare import CompareSpec
from benchmarks.settings.reading import read_settings
from benchmarks.systems.compare import run_compare

pytestmark = pytest.mark.slow

# BPG 4:4:4, 8 bit, preset veryslow, integer q by bisection, mean of per-picture RGB PSNR, CBR 1/24.
CAPACITY_1_24 = {7.0: 31.54}


def compare(data_dir: Path, images: int, **more: str) -> dict[tuple[str, float], dict[str, float]]:
    """PSNR, in dB, and share of failures of each system at each SNR, on the first of the photographs."""
    flags = {"images": str(data_dir / "kodak24"), "max_sources": images, "cbr": "1/24", "metrics": "psnr"}
    rows = run_compare(read_settings(CompareSpec, flags={**flags, "keep": 0, **more}), workers=1).rows
    assert all(row.images == images for row in rows)
    return {
        (row.system, row.snr_db): {
            "psnr": row.metrics["psnr"].mean,
            "failed": row.failure_rate,
        }
        for row in rows
    }


@pytest.fixture(scope="module")
def points(data_dir: Path) -> dict[tuple[str, float], dict[str, float]]:
    schemes = "1/2-qpsk,1/2-qam16,2/3-qam16,1/2-qam64"
    return compare(data_dir, 3, systems="bpg-ldpc,bpg-capacity", snr="4,7,10,13", schemes=schemes)


def test_codec_at_capacity(data_dir: Path) -> None:
    found = compare(data_dir, 24, systems="bpg-capacity", snr="7")
    assert abs(found["bpg-capacity", 7.0]["psnr"] - CAPACITY_1_24[7.0]) < 0.1


@pytest.mark.parametrize("snr", [4.0, 7.0, 10.0, 13.0])
def test_envelope_lies_within_two_decibels_of_capacity(
    points: dict[tuple[str, float], dict[str, float]], snr: float
) -> None:
    envelope = points["bpg-ldpc", snr]
    assert envelope["failed"] == 0.0
    assert 0 < points["bpg-capacity", snr]["psnr"] - envelope["psnr"] < 2


def test_single_schemes_fall_off_a_cliff(points: dict[tuple[str, float], dict[str, float]]) -> None:
    """Each scheme is flat above its threshold and shows the mean colour below."""
    for scheme, below, above in (
        ("1/2-qam16", 4.0, 7.0),
        ("2/3-qam16", 7.0, 10.0),
        ("1/2-qam64", 10.0, 13.0),
    ):
        name = f"bpg-ldpc[{scheme}]"
        assert points[name, below]["failed"] == 1.0
        assert points[name, above]["failed"] == 0.0
        assert points[name, above]["psnr"] - points[name, below]["psnr"] > 10
    assert points["bpg-ldpc[1/2-qam16]", 7.0]["psnr"] == points["bpg-ldpc[1/2-qam16]", 13.0]["psnr"]
