"""Intervals of means against closed forms, all resamples enumerated, a textbook, and coverage counted."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from benchmarks.runs.resampling import bootstrap_interval, pooled_interval
from benchmarks.runs.statistics import Interval, rate_interval, ratio_interval


def contains(interval: Interval, value: float) -> bool:
    return interval.low <= value <= interval.high


def confidence_with(tail: float, n: int) -> float:
    """Confidence at which quantiles of t are taken at this tail."""
    return float(1 - 2 * stats.t.sf(stats.norm.isf(tail) / math.sqrt(n / (n - 1)), n - 1))


# -- means ---------------------------------------------------------------------------------------------------


def test_means_of_many_normal_values_get_students_interval() -> None:
    values = np.random.default_rng(2).normal(30, 4, 400)
    expected = stats.t.interval(0.95, 399, values.mean(), stats.sem(values))
    assert bootstrap_interval(values) == pytest.approx(expected, abs=0.04 * (expected[1] - expected[0]))


def test_the_survival_of_mice_in_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """Efron and Tibshirani 1993, section 12.5: 5 and 95 % of t are -4.53 and 1.53 of 1,000 resamples.

    Theirs takes errors as they come; ours, which does not, is the shorter for it.
    """
    days = [52, 104, 146, 10, 50, 31, 40, 27, 46]
    ours = bootstrap_interval(days, confidence=confidence_with(0.05, 9))
    monkeypatch.setattr("benchmarks.runs.resampling._LEAST_ERROR", 0.0)
    theirs = bootstrap_interval(days, confidence=confidence_with(0.05, 9))
    assert theirs == pytest.approx((35.82, 116.74), rel=0.03)
    assert ours.low == pytest.approx(theirs.low) and 100 < ours.high < theirs.high


def test_few_sources_against_all_resamples() -> None:
    values = np.array([1.0, 2.0, 4.0, 8.0, 3.5])
    error, found = values.std(ddof=1) / math.sqrt(5), []
    for places in product(range(5), repeat=5):
        drawn = values[list(places)]
        found.append((drawn.mean() - values.mean()) / max(drawn.std(ddof=1) / math.sqrt(5), 0.4 * error))
    for tail in (0.02, 0.1):
        low, high = np.quantile(found, [tail, 1 - tail])
        got = bootstrap_interval(values, confidence=confidence_with(tail, 5), resamples=200_000)
        assert got == pytest.approx((values.mean() - high * error, values.mean() - low * error), abs=0.02)


def test_skew_turns_the_interval_to_the_long_tail() -> None:
    values = np.random.default_rng(3).lognormal(size=24)
    mean = values.mean()
    student = stats.t.interval(0.95, 23, mean, stats.sem(values))
    low, high = bootstrap_interval(values)
    assert student[0] < low < mean and high > student[1]
    mirrored = bootstrap_interval(-values)
    assert (-mirrored.high, -mirrored.low) == pytest.approx((low, high))


def test_further_trials_of_the_same_pictures_do_not_narrow_it() -> None:
    values = np.random.default_rng(4).normal(30, 4, 12)
    groups = [f"kodim{index:02}" for index in range(12)]
    once = bootstrap_interval(values, groups)
    assert bootstrap_interval(np.repeat(values, 10), np.repeat(groups, 10)) == pytest.approx(once)
    alone = bootstrap_interval(np.repeat(values, 10))
    assert alone.high - alone.low < 0.4 * (once.high - once.low)


def test_order_of_rows_does_not_matter_and_the_seed_does() -> None:
    rng = np.random.default_rng(5)
    values, groups = rng.normal(size=60), rng.integers(0, 9, 60)
    order = rng.permutation(60)
    once = bootstrap_interval(values, groups)
    assert bootstrap_interval(values[order], groups[order]) == pytest.approx(once)
    assert bootstrap_interval(values, groups) == bootstrap_interval(values, groups, seed=0)
    assert bootstrap_interval(values, groups) != bootstrap_interval(values, groups, seed=1)


def test_pictures_with_more_rows_weigh_more() -> None:
    values = np.array([0.0] * 90 + [1.0] * 10 + list(np.linspace(0.3, 0.7, 20)))
    groups = np.array(["a"] * 90 + ["b"] * 10 + [f"c{index}" for index in range(20)])
    rows = [values[groups == name] for name in np.unique(groups)]
    sums, counts = np.array([row.sum() for row in rows]), np.array([row.size for row in rows])

    def share_and_error(places: np.ndarray) -> tuple[float, float]:
        """A ratio and its error of the first order, of the residuals (Cochran, section 6.4)."""
        s, c = sums[places], counts[places]
        share = s.sum() / c.sum()
        return share, np.sqrt(22 / 21 * ((s - share * c) ** 2).sum()) / c.sum()

    rng = np.random.default_rng(6)
    mean, error = share_and_error(np.arange(22))
    drawn = np.array([share_and_error(rng.integers(0, 22, 22)) for _ in range(8000)])
    t = (drawn[:, 0] - mean) / np.maximum(drawn[:, 1], 0.4 * error)
    tail = stats.norm.cdf(stats.t.ppf(0.025, 21) * math.sqrt(22 / 21))
    high, low = np.quantile(t, [tail, 1 - tail])
    assert bootstrap_interval(values, groups) == pytest.approx(
        (mean - low * error, mean - high * error), abs=0.02
    )


def test_one_picture_has_no_interval_and_two_have_students() -> None:
    assert all(math.isnan(limit) for limit in bootstrap_interval([31.0]))
    assert all(math.isnan(limit) for limit in bootstrap_interval([31.0, 32.0, 33.0], ["a", "a", "a"]))
    half = stats.t.ppf(0.975, 1) * 0.5
    assert bootstrap_interval([1.0, 2.0]) == pytest.approx((1.5 - half, 1.5 + half))


def test_equal_values_without_limits_are_a_point() -> None:
    assert bootstrap_interval([100.0] * 5) == Interval(100.0, 100.0)
    assert bootstrap_interval([0.3, 0.3, 0.3], ["a", "b", "b"]) == pytest.approx((0.3, 0.3))


@pytest.mark.parametrize("sources", [1, 2, 24])
def test_equal_shares_are_bounded_by_what_was_not_seen(sources: int) -> None:
    """A11: no width without knowledge; the limit is Clopper and Pearson's where none of n is otherwise."""
    none = bootstrap_interval([0.0] * sources * 3, np.repeat(np.arange(sources), 3), limits=(0, 1))
    if sources == 1:
        assert all(math.isnan(limit) for limit in none)
        return
    assert none == pytest.approx(rate_interval(0, sources, method="clopper-pearson"))
    all_ = bootstrap_interval([1.0] * sources, limits=(0, 1))
    assert all_ == pytest.approx(rate_interval(sources, sources, method="clopper-pearson"))
    unseen = none.high
    assert bootstrap_interval([0.6] * sources, limits=(0, 1)) == pytest.approx(
        (0.6 - 0.6 * unseen, 0.6 + 0.4 * unseen)
    )


def test_right_and_wrong_make_a_share_in_any_unit() -> None:
    right = np.array([1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 1])
    groups = np.repeat(np.arange(4), 3)
    share = ratio_interval([1, 3, 2, 2], [3] * 4)
    assert bootstrap_interval(right, groups, limits=(0, 1)) == pytest.approx(share)
    scaled = bootstrap_interval(10.0 * right - 5.0, groups, limits=(-5, 5))
    assert scaled == pytest.approx([10 * limit - 5 for limit in share])


def test_shares_stay_inside_their_limits() -> None:
    found = bootstrap_interval([1.0] * 9 + [0.2], limits=(0, 1))
    assert 0.2 < found.low < 0.8 and found.high == 1.0
    assert bootstrap_interval([1.0] * 9 + [0.2]).high > 0.92
    above = bootstrap_interval([0.0] * 4 + [1.5] * 4, limits=(0, 1))  # an error rate of more than all words
    assert 0.75 < above.high <= 1.5


def test_resampling_pictures_covers_as_it_says_and_resampling_rows_does_not() -> None:
    rng, index = np.random.default_rng(7), np.repeat(np.arange(12), 4)
    samples = [(rng.normal(0, 3, (12, 1)) + rng.normal(0, 1, (12, 4))).ravel() for _ in range(300)]
    held = sum(contains(bootstrap_interval(values, index, resamples=999), 0.0) for values in samples)
    assert 0.93 < held / 300 < 0.995
    by_row = sum(contains(bootstrap_interval(values, resamples=199), 0.0) for values in samples)
    assert by_row / 300 < 0.8


def test_values_that_do_not_fit_are_quoted() -> None:
    with pytest.raises(ValueError, match=r"finite values is needed, got array\(\[ 1., inf\]\)"):
        bootstrap_interval([1.0, math.inf])
    with pytest.raises(ValueError, match=r"got array\(\[\]"):
        bootstrap_interval([])
    with pytest.raises(ValueError, match="2 values and 3 groups"):
        bootstrap_interval([1.0, 2.0], ["a", "b", "c"])
    with pytest.raises(ValueError, match="got 2"):
        bootstrap_interval([1.0, 2.0], confidence=2)


# -- what follows from sums ----------------------------------------------------------------------------------


def test_a_mean_is_a_pooled_quantity_too() -> None:
    rng = np.random.default_rng(7)
    values = rng.integers(0, 100, 40)
    counts = np.stack([values, np.ones_like(values)], axis=1)
    pooled = pooled_interval(counts, lambda total: total[0] / total[1])
    # Percentiles of 1,999 resamples and studentised ones of 9,999, of values that have no skew.
    assert pooled == pytest.approx(tuple(bootstrap_interval(values)), abs=1.5)
    assert pooled == pooled_interval(counts, lambda total: total[0] / total[1])
    assert pooled != pooled_interval(counts, lambda total: total[0] / total[1], seed=1)


def test_a_function_of_sums_has_the_interval_of_its_first_order() -> None:
    """Of many sources: the delta method, here for the ratio of two sums of correlated terms."""
    rng = np.random.default_rng(8)
    counts = rng.lognormal(0, 0.5, (400, 1)) * rng.lognormal(0, 0.2, (400, 2))
    ratio = counts[:, 0].sum() / counts[:, 1].sum()
    error = np.std(counts[:, 0] - ratio * counts[:, 1], ddof=1) / math.sqrt(400) / counts[:, 1].mean()
    found = pooled_interval(counts, lambda total: float(total[0] / total[1]))
    assert found == pytest.approx((ratio - 1.966 * error, ratio + 1.966 * error), abs=0.4 * error)


def test_pooled_tables_are_summed_whole() -> None:
    counts = np.tile(np.arange(6).reshape(2, 3), (9, 1, 1))
    assert pooled_interval(counts, lambda total: float(total[1, 2] / total[0, 1])) == (5.0, 5.0)
    assert all(math.isnan(limit) for limit in pooled_interval(counts[:1], lambda total: 0.0))


def test_a_pooled_share_of_one_is_bounded_by_what_was_not_seen() -> None:
    counts = np.tile([7, 7], (24, 1))
    found = pooled_interval(counts, lambda total: total[0] / total[1], limits=(0, 1))
    assert found == pytest.approx((0.025 ** (1 / 24), 1.0))
