"""The benchmark of coverage: against Student's interval, whose coverage is exact, and as a command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

from benchmarks.coverage import __main__ as command
from benchmarks.coverage.cases import cases
from benchmarks.coverage.measure import Case, measure
from benchmarks.runs.statistics import Interval


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_students_interval_of_normal_values_covers_as_it_says(confidence: float) -> None:
    quantile = float(stats.t.ppf((1 + confidence) / 2, 5))

    def student(rng: np.random.Generator) -> Interval:
        values = rng.normal(3.0, 2.0, 6)
        mean, half = float(values.mean()), quantile * float(values.std(ddof=1)) / 6**0.5
        return Interval(mean - half, mean + half)

    found = measure(Case("student", "normal", 6, 3.0, student), runs=1000)
    assert found.limits.low < confidence < found.limits.high
    assert found.limits.high - found.limits.low < 0.06


def test_what_has_no_interval_does_not_count() -> None:
    drawn = iter([None, Interval(0.0, 1.0), Interval(2.0, 4.0)])
    found = measure(Case("some", "any", 1, 0.5, lambda rng: next(drawn)), runs=3)
    assert (found.held, found.runs, found.share, found.width) == (1, 2, 0.5, 1.5)


@pytest.mark.slow
def test_every_case_holds_its_truth_in_most_samples() -> None:
    """Twenty samples a case: one that misses its truth by construction holds it in none."""
    found = [measure(case, runs=20) for case in cases(sources=(8,))]
    assert len({(row.interval, row.law) for row in found}) == len(found) > 15
    assert {f"{row.interval}, {row.law}": row.held for row in found if row.held < 15} == {}
    json.dumps([row.to_json() for row in found], allow_nan=False)


def test_as_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "cases", lambda: [next(iter(cases(sources=(8,))))])
    done = CliRunner().invoke(command.main, ["--runs", "10", "--json", "--out", str(tmp_path / "c.json")])
    assert done.exit_code == 0, done.output
    (row,) = json.loads((tmp_path / "c.json").read_text())["rows"]
    assert (row["interval"], row["law"], row["sources"], row["runs"]) == ("mean of a metric", "normal", 8, 10)
    assert row["low"] <= row["coverage"] <= row["high"]
