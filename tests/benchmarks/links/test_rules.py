"""Rules that end points and searches, at the very count at which they do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.links.ber import run_ber
from benchmarks.links.results import PointStats
from benchmarks.links.search import reachable
from benchmarks.settings.ber import BerSpec
from benchmarks.settings.reading import read_settings


def point(out: Path | None = None, **stop: Any) -> PointStats:
    """One point of uncoded QPSK at 4 dB of Eb/N0, where most blocks of 64 bits are wrong."""
    flags: dict[str, Any] = {"code.name": "none", "code.k": 64, "modulation": "qpsk"}
    flags |= {
        "snr": {"kind": "ebno", "values_db": "4"},
        **{f"stop.{name}": each for name, each in stop.items()},
    }
    (found,) = run_ber(read_settings(BerSpec, flags=flags), out).points
    return found


def counts(found: PointStats) -> tuple[int, int, int, str]:
    return found.blocks, found.block_errors, found.bit_errors, found.stop


def test_as_many_errors_as_were_asked_for_are_enough() -> None:
    errors = point(max_blocks=64).block_errors
    assert 10 < errors < 64
    assert counts(point(block_errors=errors, max_blocks=1000))[::3] == (64, "block errors")
    more = point(block_errors=errors + 1, max_blocks=1000)
    assert (more.blocks, more.stop) == (128, "block errors")


def test_a_run_that_ended_inside_a_chunk_goes_on_to_where_it_would_have_ended(tmp_path: Path) -> None:
    """Or else the counts would depend on how often somebody had looked at them."""
    assert point(tmp_path / "run", block_errors=10**6, max_blocks=40).block_errors > 5
    grown = point(tmp_path / "run", block_errors=5, max_blocks=1000)
    assert counts(grown) == counts(point(block_errors=5, max_blocks=1000))
    assert grown.blocks == 64


@pytest.mark.parametrize(("target", "least"), [(0.01, 381), (0.001, 3838), (0.1, 35)])
def test_targets_that_so_many_blocks_without_an_error_can_tell(target: float, least: int) -> None:
    """Wilson's upper limit without errors is z² / (n + z²), with z = 1.96 at 95 %."""
    assert 1.959964**2 / (least + 1.959964**2) < target <= 1.959964**2 / (least - 1 + 1.959964**2)
    assert reachable(target, least, 0.95)
    assert not reachable(target, least - 1, 0.95)
