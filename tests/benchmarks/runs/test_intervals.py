"""Limits of intervals, each solved for by hand where there are few blocks."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from benchmarks.runs.statistics import clustered_rate_interval, rate_interval

BLOCKS = [3, 0, 7, 2]
"""Wrong bits in each of four blocks of 40 bits."""


def score(rate: float, limit: float, trials: float) -> float:
    """How many standard deviations of a rate ``limit`` the observed one is away."""
    return abs(rate - limit) / math.sqrt(limit * (1 - limit) / trials)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_few_blocks_get_students_quantile_of_one_fewer_and_their_own_spread(confidence: float) -> None:
    """Wilson's limits with p (1 - p) / v trials; v = sum((e - p m)²) / (C (C - 1) m²)."""
    size, blocks, errors = 40, len(BLOCKS), sum(BLOCKS)
    rate = errors / (blocks * size)
    variance = sum((e - rate * size) ** 2 for e in BLOCKS) / (blocks * (blocks - 1) * size**2)
    effective = rate * (1 - rate) / variance
    assert effective < blocks * size  # errors come in bursts here
    low, high = clustered_rate_interval(errors, blocks * size, sum(e * e for e in BLOCKS), blocks, confidence)
    quantile = stats.t.ppf((1 + confidence) / 2, blocks - 1)
    assert 0 < low < rate < high < 1
    assert score(rate, low, effective) == pytest.approx(quantile, rel=1e-9)
    assert score(rate, high, effective) == pytest.approx(quantile, rel=1e-9)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_both_tails_share_what_an_interval_misses(confidence: float) -> None:
    low, high = rate_interval(7, 160, confidence)
    quantile = stats.norm.ppf((1 + confidence) / 2)
    assert score(7 / 160, low, 160) == pytest.approx(quantile, rel=1e-9)
    assert score(7 / 160, high, 160) == pytest.approx(quantile, rel=1e-9)
    exact = rate_interval(7, 160, confidence, "clopper-pearson")
    tail = (1 - confidence) / 2
    assert stats.binom.sf(6, 160, exact.low) == pytest.approx(tail, rel=1e-9)  # 7 or more
    assert stats.binom.cdf(7, 160, exact.high) == pytest.approx(tail, rel=1e-9)  # 7 or fewer
