"""Intervals against SciPy, closed forms and coverage counted or computed."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pytest
from scipy import stats

from benchmarks.runs.statistics import (
    Interval,
    Sums,
    clustered_rate_interval,
    rate_interval,
    ratio_interval,
    summed_ratio_interval,
)

Method = Literal["wilson", "clopper-pearson"]
COUNTS = [(0, 1), (1, 1), (0, 50), (1, 50), (25, 50), (50, 50), (3, 10_000), (100, 10**9), (7, 10**12)]


def contains(interval: Interval, value: float) -> bool:
    return interval.low <= value <= interval.high


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_rate_intervals_are_scipys(confidence: float) -> None:
    for errors, trials in COUNTS:
        test = stats.binomtest(errors, trials)
        wilson = test.proportion_ci(confidence, method="wilson")
        assert rate_interval(errors, trials, confidence) == pytest.approx(tuple(wilson), rel=1e-9, abs=1e-16)
        exact = test.proportion_ci(confidence, method="exact")  # found by bisection, to about 1e-12
        got = rate_interval(errors, trials, confidence, "clopper-pearson")
        assert got == pytest.approx(tuple(exact), abs=1e-11)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_clopper_pearson_limits_are_the_rates_at_which_the_count_is_a_tail_event(confidence: float) -> None:
    tail = (1 - confidence) / 2
    for errors, trials in COUNTS:
        low, high = rate_interval(errors, trials, confidence, "clopper-pearson")
        if errors > 0:
            assert stats.binom.sf(errors - 1, trials, low) == pytest.approx(tail, rel=1e-6)
        if errors < trials:
            assert stats.binom.cdf(errors, trials, high) == pytest.approx(tail, rel=1e-6)


def test_no_errors_is_an_upper_bound() -> None:
    assert rate_interval(0, 1000, method="clopper-pearson") == pytest.approx((0, 1 - 0.025 ** (1 / 1000)))
    z = stats.norm.ppf(0.975)
    assert rate_interval(0, 1000) == pytest.approx((0, z**2 / (1000 + z**2)))
    assert rate_interval(0, 10**9).low == 0.0
    assert rate_interval(1000, 1000).high == 1.0


def test_no_trials_say_nothing() -> None:
    assert rate_interval(0, 0) == rate_interval(0, 0, method="clopper-pearson") == Interval(0.0, 1.0)
    assert clustered_rate_interval(0, 0, 0, 0) == Interval(0.0, 1.0)


def coverage(method: Method, trials: int, rates: np.ndarray) -> np.ndarray:
    """Probability, summed over all outcomes, that the interval holds the true rate."""
    intervals = np.array([rate_interval(k, trials, 0.95, method) for k in range(trials + 1)])
    outcomes = stats.binom.pmf(np.arange(trials + 1)[:, None], trials, rates)
    held = (intervals[:, :1] <= rates) & (rates <= intervals[:, 1:])
    return (outcomes * held).sum(axis=0)


def test_clopper_pearson_covers_at_every_rate_and_wilson_on_average() -> None:
    rates = np.linspace(0.002, 0.998, 997)
    assert coverage("clopper-pearson", 50, rates).min() >= 0.95
    assert coverage("wilson", 50, rates).mean() == pytest.approx(0.95, abs=0.005)


@pytest.mark.parametrize(
    ("errors", "trials", "confidence", "message"),
    [
        (-1, 10, 0.95, "got -1 errors in 10 trials"),
        (11, 10, 0.95, "got 11 errors in 10 trials"),
        (1, 10, 1.0, "got 1.0"),
        (1, 10, 95, "for example 0.95, got 95"),
    ],
)
def test_counts_that_contradict_are_quoted(errors: int, trials: int, confidence: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rate_interval(errors, trials, confidence)
    with pytest.raises(ValueError, match=message):
        clustered_rate_interval(errors, trials, abs(errors), 1, confidence)
    with pytest.raises(ValueError, match="wilson or clopper-pearson, got 'wald'"):
        rate_interval(1, 10, method="wald")  # type: ignore[arg-type]


# Errors in blocks. ----------------------------------------------------------------------------------------


def clustered(per_block: np.ndarray, size: int) -> Interval:
    squares = int((per_block.astype(np.int64) ** 2).sum())
    return clustered_rate_interval(int(per_block.sum()), size * len(per_block), squares, len(per_block))


def test_blocks_that_fail_whole_are_the_trials() -> None:
    blocks = np.zeros(100_000, dtype=np.int64)
    blocks[:300] = 64
    assert clustered(blocks, 64) == pytest.approx(rate_interval(300, 100_000), rel=1e-3)


def test_independent_bits_give_the_interval_of_independent_bits() -> None:
    blocks = np.random.default_rng(1).binomial(1000, 0.02, size=20_000)
    expected = rate_interval(int(blocks.sum()), 20_000_000)
    got = clustered(blocks, 1000)
    assert got.high - got.low == pytest.approx(expected.high - expected.low, rel=0.03)
    assert sum(got) == pytest.approx(sum(expected), rel=1e-6)


def test_with_many_failed_blocks_it_is_the_ratio_estimators_normal_interval() -> None:
    rng = np.random.default_rng(2)
    blocks = np.where(rng.random(50_000) < 0.2, rng.geometric(1 / 40, 50_000).clip(max=512), 0)
    rates = blocks / 512
    error = stats.sem(rates)
    expected = rates.mean() + np.array([-1.96, 1.96]) * error
    assert clustered(blocks, 512) == pytest.approx(tuple(expected), rel=1e-3)


@pytest.mark.parametrize("size", [1, 10**5])
def test_sums_of_large_counts_keep_their_digits(size: int) -> None:
    # Every block with 10^5 or 10^5 + 1 errors: the variance is 1/4 beside squares of 10^10, below the
    # binomial one, which then counts.
    blocks = np.full(10_000, 100_000) + np.arange(10_000) % 2
    got = clustered(blocks, 10**6)
    assert got == pytest.approx(rate_interval(int(blocks.sum()), 10**10), rel=1e-6)


def test_no_errors_bound_the_bits_by_the_blocks() -> None:
    got = clustered_rate_interval(0, 512_000, 0, 1000)
    assert got == rate_interval(0, 1000, method="clopper-pearson")


def test_equal_blocks_do_not_make_a_point() -> None:
    assert clustered(np.array([5, 5]), 100).low < 0.04
    assert clustered(np.array([5, 5]), 100).high > 0.06
    assert clustered(np.array([7]), 100) == Interval(0.0, 1.0)


def test_nothing_but_errors_mirrors_no_errors() -> None:
    none, all_wrong = clustered(np.zeros(40, int), 100), clustered(np.full(40, 100), 100)
    assert all_wrong == pytest.approx((1 - none.high, 1.0))


def bursts(rng: np.random.Generator) -> np.ndarray:
    failed = rng.random(2000) < 0.1
    return np.where(failed, np.minimum(rng.geometric(1 / 30, 2000), 512), 0)


@pytest.mark.slow
def test_intervals_of_bursty_errors_cover_as_they_say_and_binomial_ones_do_not() -> None:
    lengths = np.arange(1, 512)
    mean = (lengths * stats.geom.pmf(lengths, 1 / 30)).sum() + 512 * stats.geom.sf(511, 1 / 30)
    truth = 0.1 * mean / 512
    rng = np.random.default_rng(3)
    samples = [bursts(rng) for _ in range(2000)]
    held = sum(contains(clustered(blocks, 512), truth) for blocks in samples)
    assert contains(rate_interval(held, 2000, 0.999, "clopper-pearson"), 0.95)
    naive = sum(contains(rate_interval(int(blocks.sum()), 2000 * 512), truth) for blocks in samples)
    assert naive < 0.3 * 2000


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((10, 1001, 100, 10), "1001 trials do not divide into 10 blocks"),
        ((10, 1000, 9, 10), "cannot have squares that add up to 9"),
        ((10, 1000, 1001, 10), "10 blocks of 100 trials cannot have squares that add up to 1001"),
        ((30, 1000, 89, 10), "add up to 89"),
        ((0, 10, 0, 0), "into 0 blocks"),
    ],
)
def test_squares_that_contradict_are_quoted(counts: tuple[int, int, int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        clustered_rate_interval(*counts)


# Shares of groups of any size. ----------------------------------------------------------------------------


def test_groups_of_equal_size_are_blocks() -> None:
    rng = np.random.default_rng(4)
    errors = rng.binomial(20, rng.beta(1, 9, 60))
    blocks = clustered_rate_interval(
        int(errors.sum()), 60 * 20, int((errors.astype(np.int64) ** 2).sum()), 60
    )
    assert ratio_interval(errors, np.full(60, 20)) == pytest.approx(tuple(blocks), rel=1e-12)


def test_few_groups_have_the_variance_and_the_quantile_of_one_less() -> None:
    errors, trials = np.array([3, 0, 5, 1, 2]), np.array([10, 8, 12, 9, 11])
    share, groups = errors.sum() / trials.sum(), 5
    variance = groups * np.var(errors - share * trials, ddof=1) / trials.sum() ** 2
    effective, t = share * (1 - share) / variance, stats.t.ppf(0.975, groups - 1)
    got = ratio_interval(errors, trials)
    for limit in got:  # Wilson's limits solve this
        assert (share - limit) ** 2 == pytest.approx(t**2 * limit * (1 - limit) / effective, rel=1e-9)
    assert effective < trials.sum() and got.low < share < got.high


def test_sums_that_no_groups_have_are_quoted() -> None:
    with pytest.raises(ValueError, match="no groups have these sums: Sums.errors=5, trials=20"):
        summed_ratio_interval(Sums(5, 20, 0, 10, 0, 2))


def test_a_ratio_of_many_groups_has_the_normal_interval_of_its_residuals() -> None:
    rng = np.random.default_rng(5)
    trials = rng.integers(1, 12, 20_000)
    errors = rng.binomial(trials, rng.beta(2, 3, 20_000))
    share = errors.sum() / trials.sum()
    # The linearised ratio: residuals e - p m have mean 0, and the share the deviation of their mean over m's.
    deviation = np.std(errors - share * trials, ddof=1) / math.sqrt(20_000) / trials.mean()
    low, high = ratio_interval(errors, trials)
    assert (low, high) == pytest.approx((share - 1.96 * deviation, share + 1.96 * deviation), abs=2e-5)
    naive = rate_interval(int(errors.sum()), int(trials.sum()))
    assert high - low > 1.4 * (naive.high - naive.low)


@pytest.mark.slow
def test_shares_of_groups_cover_as_they_say_and_binomial_ones_do_not() -> None:
    rng = np.random.default_rng(6)
    runs, groups = 1500, 50
    covered = naive = 0
    for _ in range(runs):
        trials = rng.integers(0, 10, groups)
        errors = rng.binomial(trials, rng.beta(8, 2, groups))  # 0.8 on average, correlated within a group
        covered += contains(ratio_interval(errors, trials), 0.8)
        naive += contains(rate_interval(int(errors.sum()), int(trials.sum())), 0.8)
    # Standard error of a coverage of 0.95: 0.006.
    assert abs(covered / runs - 0.95) < 0.02
    assert naive / runs < 0.9


def test_groups_without_trials_tell_nothing() -> None:
    assert ratio_interval([1, 0, 0, 2], [3, 0, 2, 4]) == ratio_interval([1, 0, 2], [3, 2, 4])
    assert ratio_interval([], []) == ratio_interval([3], [4]) == ratio_interval([0, 0], [0, 5]) == (0.0, 1.0)


def test_all_or_nothing_is_bounded_by_the_groups() -> None:
    assert ratio_interval([0] * 40, [9] * 40) == pytest.approx((0, 1 - 0.025 ** (1 / 40)))
    assert ratio_interval([9] * 40, [9] * 40) == pytest.approx((0.025 ** (1 / 40), 1))


@pytest.mark.parametrize(("errors", "trials"), [([2], [1]), ([-1], [1]), ([1, 1], [1]), ([[1]], [[1]])])
def test_groups_that_contradict_are_quoted(errors: list[int], trials: list[int]) -> None:
    with pytest.raises(ValueError, match="0 <= errors <= trials"):
        ratio_interval(errors, trials)
