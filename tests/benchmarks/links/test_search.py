"""The search for a target BLER: against closed forms, with intervals that cover."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

from benchmarks.links.ber import run_ber
from benchmarks.links.counting import Chunk, Counts, chunk_end
from benchmarks.links.search import RequiredSnr, find_required_snr, is_off, reachable
from benchmarks.settings.errors import InputError
from benchmarks.settings.reading import read_curves


def uncoded_bler(ebno_db: float, k: int) -> float:
    """1 - (1 - p)^k with p = Q(sqrt(2 Eb/N0))."""
    return float(-np.expm1(k * np.log1p(-stats.norm.sf(math.sqrt(2 * 10 ** (ebno_db / 10))))))


def waterfall(esno_db: float) -> float:
    return float(stats.norm.sf(6 * (esno_db - 1.8)))


def cliff(esno_db: float) -> float:
    return float(stats.norm.sf(40 * (esno_db - 2.0)))


def outage(esno_db: float) -> float:
    return -math.expm1(-3.0 / 10 ** (esno_db / 10))


def searched(
    bler: Callable[[float], float], target: float, seed: int, low_db: float = -30, high_db: float = 60
) -> tuple[RequiredSnr, dict[float, int]]:
    """Search with blocks that are coin tosses, and what it cost."""
    rng, cost = np.random.default_rng(seed), dict[float, int]()

    def probe(esno_db: float, enough: Callable[[Counts], bool]) -> Counts:
        blocks = errors = 0
        while errors < 100 and blocks < 10**6 and not (blocks and enough(Counts(blocks, errors))):
            end = min(chunk_end(blocks), 10**6)
            errors += int(rng.binomial(end - blocks, bler(esno_db)))
            blocks = end
        assert esno_db not in cost
        cost[esno_db] = blocks
        return Counts(blocks, errors)

    guess_db = rng.uniform(-2, 6)
    return find_required_snr(target, probe, guess_db, low_db, high_db, 0.95), cost


@pytest.mark.slow
@pytest.mark.parametrize("bler", [waterfall, cliff, outage])
@pytest.mark.parametrize("target", [0.3, 0.1, 0.01])
def test_interval_covers_the_crossing(bler: Callable[[float], float], target: float) -> None:
    true_db = brentq(lambda esno_db: bler(esno_db) - target, -30, 60)
    runs = [searched(bler, target, seed) for seed in range(60)]
    covered = sum((found.low_db or 99) <= true_db <= (found.high_db or -99) for found, _ in runs)
    # At 95 % a coverage of 60 runs below 51 has a probability of 0.2 %.
    assert covered >= 51
    for found, cost in runs:
        assert found.esno_db is not None and found.low_db is not None and found.high_db is not None
        assert found.low_db <= found.esno_db <= found.high_db
        assert len(cost) <= 30
    # 100 errors are 10 %, two standard deviations on either side 40 %: what that is in decibels here
    slope = math.log(bler(true_db - 0.01) / bler(true_db + 0.01)) / 0.02
    widths = [found.high_db - found.low_db for found, _ in runs]  # type: ignore[operator]
    assert 0.15 / slope < np.median(widths) < 0.7 / slope + 0.01
    assert np.median([sum(cost.values()) for _, cost in runs]) < 900 / target


def test_points_lie_on_the_grid() -> None:
    _, cost = searched(waterfall, 0.01, 1)
    assert all(esno_db == round(esno_db, 2) for esno_db in cost)


@pytest.mark.parametrize(("low_db", "high_db", "word"), [(-9, 0, "above"), (4, 9, "below")])
def test_target_outside_the_interval_is_absent(low_db: float, high_db: float, word: str) -> None:
    found, cost = searched(waterfall, 0.1, 1, low_db, high_db)
    assert found.esno_db is None
    assert word in found.reason
    assert all(low_db <= esno_db <= high_db for esno_db in cost)


def test_what_is_off_and_what_can_be_told() -> None:
    assert is_off(Counts(64, 64), 0.1)
    assert not is_off(Counts(64, 6), 0.1)
    assert is_off(Counts(1024, 0), 0.1)
    assert reachable(0.01, 1000, 0.95)
    assert not reachable(0.001, 1000, 0.95)


def specs(**flags: Any) -> Any:
    settings = {"code.name": "none", "code.k": 64, "modulation": "qpsk", "target_bler": "0.1,0.01"}
    return read_curves(
        flags={**settings, **{name.replace("__", "."): value for name, value in flags.items()}}
    )


@pytest.mark.slow
def test_uncoded_blocks_meet_the_closed_form() -> None:
    found = run_ber(specs(stop__block_errors=400, confidence=0.99, engine="sionna"))
    assert [target.target_bler for target in found.targets] == [0.1, 0.01]
    for target in found.targets:
        true_db = brentq(lambda ebno_db, t=target: uncoded_bler(ebno_db, 64) - t.target_bler, 0, 15)
        assert target.esno_db is not None and target.ebno_db is not None
        assert target.ebno_low_db is not None and target.ebno_high_db is not None
        assert target.ebno_low_db < true_db < target.ebno_high_db
        assert target.ebno_high_db - target.ebno_low_db < 0.25
        assert target.esno_db - target.ebno_db == pytest.approx(10 * math.log10(2), abs=1e-4)
    assert found.spec["snr"]["values_db"] == [-2, 60]
    assert set(found.to_json()) == {"spec", "versions", "points", "targets"}
    stops = {point.stop for point in found.points}
    assert stops <= {"block errors", "off target"}
    snrs = [point.esno_db for point in found.points]
    assert snrs == sorted(snrs)


def test_search_resumes_without_simulating(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run_ber(specs(), tmp_path / "run")

    def forbidden(chunk: Chunk) -> Counts:
        raise AssertionError(chunk)

    monkeypatch.setattr("benchmarks.links.crew.count", forbidden)
    again = run_ber(specs(), tmp_path / "run")
    assert again.targets == first.targets
    assert again.points == first.points
    json.dumps(again.to_json())


def test_targets_that_cannot_be_told_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1000 blocks cannot tell.*0.0001"):
        run_ber(specs(target_bler="1e-4", stop__max_blocks=1000), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    for wrong in ("0", "1.5", "low", "0.1,,0.2"):
        with pytest.raises(InputError, match="target_bler"):
            specs(target_bler=wrong)


def test_search_stays_inside_the_range_given() -> None:
    found = run_ber(specs(snr={"kind": "ebno", "values_db": "0:4:1"}))
    assert [target.ebno_db for target in found.targets] == [None, None]
    assert all(0 <= point.ebno_db <= 4.001 for point in found.points)
    assert "above" in str(found.targets[0].reason)
    assert len(found.to_text().splitlines()) == 3
