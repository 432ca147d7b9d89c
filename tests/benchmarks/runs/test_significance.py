"""P-values against closed forms, and Holm's procedure by hand and against the error that it bounds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarks.runs.resampling import bootstrap_interval
from benchmarks.runs.significance import holm, p_value
from benchmarks.runs.statistics import Interval, rate_interval


@pytest.mark.parametrize("right", [50, 58, 65, 80])
def test_an_interval_that_inverts_a_test_gives_its_p_value(right: int) -> None:
    z = (right / 100 - 0.5) / 0.05
    found = p_value(lambda confidence: rate_interval(right, 100, confidence), 0.5)
    assert found == pytest.approx(max(2 * stats.norm.sf(z), 1e-4), rel=1e-4)


def test_it_agrees_with_the_interval() -> None:
    values = 0.8 + stats.norm.ppf((np.arange(12) + 0.5) / 12)

    def interval(confidence: float) -> Interval:
        return bootstrap_interval(values, None, confidence)

    p = p_value(interval)
    assert interval(1 - 0.99 * p).low <= 0 <= interval(1 - 0.99 * p).high
    assert interval(1 - 1.01 * p).low > 0
    assert 0.2 < p / stats.ttest_1samp(values, 0).pvalue < 5


def test_holm_by_hand() -> None:
    # ascending .005, .01, .03, .04 times 4, 3, 2, 1, each no less than the one before
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_bounds_the_chance_of_any_wrong_verdict() -> None:
    """Of ten questions without an effect, in 2,000 repetitions, at 5 %."""
    p = np.random.default_rng(2).random((2000, 10))
    wrong = sum(min(holm(row)) < 0.05 for row in p.tolist())
    assert stats.binomtest(wrong, 2000, 1 - 0.995**10).pvalue > 0.01
    assert np.mean(p.min(axis=1) < 0.05) > 0.35  # uncorrected
