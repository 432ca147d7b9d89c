"""The separation baseline on the Kodak photographs, against figures measured with other BPG writers."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.settings.compare import CompareSpec
from benchmarks.settings.reading import read_settings
from benchmarks.systems.compare import run_compare

pytestmark = pytest.mark.slow

# BPG 4:4:4, 8 bit, preset veryslow, integer q by bisection, mean of per-picture RGB PSNR, CBR 1/24.
CAPACITY_1_24 = {4.0: 30.09, 7.0: 31.54, 10.0: 32.71, 13.0: 33.84}


@pytest.fixture(scope="module")
def points(data_dir: Path) -> dict[tuple[str, float], dict[str, float]]:
    flags = {
        "systems": "bpg-ldpc,bpg-capacity",
        "images": str(data_dir / "kodak24"),
        "snr": "4,7,10,13",
        "cbr": "1/24",
        "metrics": "psnr",
        "keep": 0,
    }
    rows = run_compare(read_settings(CompareSpec, flags=flags), workers=1).rows
    assert all(row.images == 24 for row in rows)
    return {
        (row.system, row.snr_db): {
            "psnr": row.metrics["psnr"].mean,
            "failed": row.failure_rate,
        }
        for row in rows
    }


@pytest.mark.parametrize(("snr", "expected"), CAPACITY_1_24.items())
def test_codec_at_capacity(
    points: dict[tuple[str, float], dict[str, float]], snr: float, expected: float
) -> None:
    assert abs(points["bpg-capacity", snr]["psnr"] - expected) < 0.1


@pytest.mark.parametrize("snr", CAPACITY_1_24)
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
