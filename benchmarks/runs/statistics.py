"""Intervals for what was counted and what was averaged.

Counts are the primitive: error rates and their intervals are derived here, from integers, whenever they are
wanted. Each question has its answer:

- independent trials, such as block errors: `rate_interval`;
- bit errors, which come in bursts of one block: `clustered_rate_interval`;
- shares of what comes in groups of any size, such as the words of sentences: `ratio_interval`;
- means of a metric over pictures, several trials a picture: `bootstrap_interval`;
- what follows from sums of counts over pictures or sentences, such as corpus BLEU: `pooled_interval`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from phy.random import Stream

__all__ = [
    "Interval",
    "bootstrap_interval",
    "clustered_rate_interval",
    "pooled_interval",
    "rate_interval",
    "ratio_interval",
]


class Interval(NamedTuple):
    """The two limits of an interval; unpacks as ``low, high``."""

    low: float
    high: float


def _check(errors: int, trials: int, confidence: float) -> None:
    if not 0 <= errors <= trials:
        raise ValueError(f"0 <= errors <= trials is needed, got {errors} errors in {trials} trials")
    _check_confidence(confidence)


def _check_confidence(confidence: float) -> None:
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must lie between 0 and 1, for example 0.95, got {confidence!r}")


def _wilson(rate: float, trials: float, quantile: float) -> Interval:
    """Wilson score interval (1927): the p for which |rate - p| <= quantile sqrt(p (1 - p) / trials)."""
    shrink = 1.0 + quantile**2 / trials
    centre = (rate + quantile**2 / (2.0 * trials)) / shrink
    half = quantile / shrink * math.sqrt(rate * (1.0 - rate) / trials + quantile**2 / (4.0 * trials**2))
    # At the ends the interval touches 0 and 1 exactly; rounding must not move it.
    low = 0.0 if rate == 0.0 else max(0.0, centre - half)
    return Interval(low, 1.0 if rate == 1.0 else min(1.0, centre + half))


def _clopper_pearson(errors: int, trials: int, confidence: float) -> Interval:
    """Exact interval (1934) from quantiles of the beta distribution."""
    tail = (1.0 - confidence) / 2.0
    low = stats.beta.ppf(tail, errors, trials - errors + 1) if errors > 0 else 0.0
    high = stats.beta.isf(tail, errors + 1, trials - errors) if errors < trials else 1.0
    return Interval(float(low), float(high))


def rate_interval(
    errors: int,
    trials: int,
    confidence: float = 0.95,
    method: Literal["wilson", "clopper-pearson"] = "wilson",
) -> Interval:
    """Two-sided interval for the rate of independent errors.

    Parameters
    ----------
    errors, trials:
        Counts.
    confidence:
        For example 0.95.
    method:
        ``"wilson"``: covers the true rate with this probability on average over rates; the usual choice.
        ``"clopper-pearson"``: covers it with at least this probability for every rate; wider.

    Returns
    -------
    Interval
        Without errors ``low`` is 0 and the point is an upper bound; without trials nothing is
        known, and the interval is (0, 1).

    Raises
    ------
    ValueError
        If the counts contradict each other, the confidence is not between 0 and 1, or the method is unknown.

    Notes
    -----
    Stopping after a fixed number of errors k rather than of trials changes the limits by about one part in k.

    Examples
    --------
    No error in 1,000 blocks: the upper limit is 1 - 0.025^(1/1000).

    >>> low, high = rate_interval(0, 1000, method="clopper-pearson")
    >>> low, round(high, 6)
    (0.0, 0.003682)
    """
    _check(errors, trials, confidence)
    if method not in ("wilson", "clopper-pearson"):
        raise ValueError(f"method must be wilson or clopper-pearson, got {method!r}")
    if trials == 0:
        return Interval(0.0, 1.0)
    if method == "clopper-pearson":
        return _clopper_pearson(errors, trials, confidence)
    return _wilson(errors / trials, trials, float(stats.norm.isf((1.0 - confidence) / 2.0)))


def clustered_rate_interval(
    errors: int,
    trials: int,
    squared_errors: int,
    clusters: int,
    confidence: float = 0.95,
) -> Interval:
    """Two-sided interval for an error rate whose errors come in blocks of equal size, such as a coded BER.

    A decoder that fails makes dozens of bit errors at once, so bits are no independent trials and an interval
    that takes them for such is several times too narrow. Here the spread is taken from between the blocks.

    Parameters
    ----------
    errors, trials:
        Wrong bits and all bits, over all blocks.
    squared_errors:
        Sum over the blocks of (wrong bits in the block)². Like the counts, it adds up over batches and
        workers.
    clusters:
        Blocks, each of ``trials / clusters`` bits.
    confidence:
        For example 0.95.

    Returns
    -------
    Interval
        Without errors ``low`` is 0 and ``high`` the Clopper-Pearson upper limit of the *block*
        error rate, which the bit error rate cannot exceed; if every bit is wrong, the mirror image of that.
        With fewer than two blocks the spread is unknown, and the interval is (0, 1).

    Raises
    ------
    ValueError
        If the counts contradict each other or the confidence is not between 0 and 1.

    Notes
    -----
    With e_i errors among m bits in each of C blocks, p = sum(e_i) / (C m) has the estimated variance
    (ratio estimator, equal sizes) v = sum((e_i - p m)²) / (C (C - 1) m²). The interval is Wilson's with the
    effective number of trials p (1 - p) / v, at most ``trials``, and the quantile of Student's distribution
    with C - 1 degrees of freedom. It reduces to `rate_interval` for independent bits and many blocks, stays
    inside 0 to 1, and keeps the asymmetry that a normal interval lacks at low rates.

    With few failed blocks (below some 30) the spread itself is poorly known, and the interval covers less
    than it says; the block error rate, whose interval holds at any count, is then the better figure.

    References
    ----------
    E. L. Korn, B. I. Graubard: Confidence intervals for proportions with small expected number of positive
    counts estimated from survey data. Survey Methodology 24, 1998. N. Dean, M. Pagano: Evaluating confidence
    interval methods for binomial proportions in clustered surveys. J. Surv. Stat. Methodol. 3, 2015.

    Examples
    --------
    Blocks that are wrong in all bits or none are trials by themselves: 50 of 1,000 blocks of 64 bits.

    >>> [round(limit, 3) for limit in clustered_rate_interval(50 * 64, 64_000, 50 * 64**2, 1000)]
    [0.038, 0.065]
    >>> [round(limit, 3) for limit in rate_interval(50, 1000)]
    [0.038, 0.065]
    """
    _check(errors, trials, confidence)
    _check_clusters(errors, trials, squared_errors, clusters)
    if clusters < 2:
        return Interval(0.0, 1.0)
    if errors in (0, trials):
        return _clopper_pearson(clusters if errors else 0, clusters, confidence)
    # In integers, as the difference of two large sums loses its digits in floating point.
    between = (clusters * squared_errors - errors**2) / (clusters - 1)
    return _designed(errors, trials, between / trials**2, clusters, confidence)


def _designed(errors: int, trials: int, variance: float, clusters: int, confidence: float) -> Interval:
    """Wilson's interval with as many trials as would have this variance if they were independent."""
    rate = errors / trials
    effective = trials if variance == 0.0 else min(float(trials), rate * (1.0 - rate) / variance)
    quantile = float(stats.t.isf((1.0 - confidence) / 2.0, clusters - 1))
    return _wilson(rate, effective, quantile)


def _check_clusters(errors: int, trials: int, squared_errors: int, clusters: int) -> None:
    if clusters < 0 or (clusters == 0) != (trials == 0) or trials % max(clusters, 1):
        raise ValueError(f"{trials} trials do not divide into {clusters} blocks of equal size")
    size = trials // max(clusters, 1)
    if not errors**2 <= squared_errors * clusters or not squared_errors <= errors * size:
        raise ValueError(
            f"{errors} errors in {clusters} blocks of {size} trials cannot have squares that add up to "
            f"{squared_errors}; squared_errors is the sum over the blocks of (errors in the block)²"
        )


def ratio_interval(errors: ArrayLike, trials: ArrayLike, confidence: float = 0.95) -> Interval:
    """Two-sided interval for a share whose trials come in groups of any size, such as words of sentences.

    What happens to the trials of one group is not independent; groups are. It is `clustered_rate_interval`
    for groups of unequal sizes.

    Parameters
    ----------
    errors, trials:
        Counts, ``[groups]`` each. Groups without trials tell nothing and are left out.
    confidence:
        For example 0.95.

    Returns
    -------
    Interval
        Around sum(errors) / sum(trials). Where all or none of the trials are errors, the Clopper-Pearson
        limit of the share of groups with one; with fewer than two groups (0, 1).

    Raises
    ------
    ValueError
        If the counts contradict each other or the confidence is not between 0 and 1.

    Notes
    -----
    With e_i of m_i in each of C groups, M = sum(m_i) and p = sum(e_i) / M, the ratio's variance is estimated
    as v = C / (C - 1) sum((e_i - p m_i)²) / M² (Cochran, section 6.4); Wilson's interval then takes the
    effective number of trials p (1 - p) / v, at most M, and Student's quantile.

    References
    ----------
    W. G. Cochran: Sampling Techniques. 3rd edition, 1977.

    Examples
    --------
    Groups of one trial each are independent trials: 50 of 1,000.

    >>> [round(limit, 3) for limit in ratio_interval([1] * 50 + [0] * 950, [1] * 1000)]
    [0.038, 0.065]
    """
    _check_confidence(confidence)
    e, m = (np.asarray(counts, dtype=np.int64) for counts in (errors, trials))
    if e.ndim != 1 or e.shape != m.shape or (e < 0).any() or (e > m).any():
        raise ValueError(f"0 <= errors <= trials is needed in each group, got {errors!r} and {trials!r}")
    e, m = e[m > 0], m[m > 0]
    right, total, groups = int(e.sum()), int(m.sum()), len(m)
    if groups < 2:
        return Interval(0.0, 1.0)
    if right in (0, total):
        return _clopper_pearson(groups if right else 0, groups, confidence)
    variance = groups / (groups - 1) * float(np.square(e - right / total * m).sum()) / total**2
    return _designed(right, total, variance, groups, confidence)


def bootstrap_interval(
    values: ArrayLike,
    groups: Sequence[object] | NDArray[np.generic] | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    resamples: int = 9999,
) -> Interval:
    """Two-sided interval for the mean of a metric over pictures, by resampling pictures.

    The question it answers is "what if other pictures of this kind had been sent": several trials of one
    picture are not several pictures, so whole groups of rows are drawn, never single rows.

    Parameters
    ----------
    values:
        ``[rows]``, finite numbers: the metric, one row a picture and trial.
    groups:
        ``[rows]``: which picture a row belongs to; None if every row is a picture of its own.
    confidence:
        For example 0.95.
    seed:
        Equal seeds give equal intervals.
    resamples:
        How often the pictures are drawn anew.

    Returns
    -------
    Interval
        Limits around the mean over all rows. With a single picture its spread is unknown, and both
        are NaN. If all pictures have the same value, both are that value.

    Raises
    ------
    ValueError
        If there are no values, some are not finite, groups are as many as values, or the confidence is not
        between 0 and 1.

    Notes
    -----
    Percentile bootstrap of the ratio (sum of values) / (number of rows) over drawn pictures, at the level
    that Hesterberg's expansion prescribes: the normal quantile z is replaced by t sqrt(n / (n - 1)) with
    Student's t of n - 1 degrees of freedom. With it, intervals at 95 % covered the mean of normal values in
    73, 88, 90, 95 and 95 % of trials for n = 3, 4, 5, 8 and 24: no resampling makes up for very few pictures,
    as the means it can draw end at the least and the greatest value seen.

    References
    ----------
    T. C. Hesterberg: What teachers should know about the bootstrap. The American Statistician 69(4), 2015,
    section 4.

    Examples
    --------
    The mean of 0, 1, ..., 99 has the standard error sqrt(100 * 101 / 12 / 100) = 2.90, and 1.98 of these on
    either side make the interval.

    >>> [round(limit) for limit in bootstrap_interval(range(100))]
    [44, 55]
    """
    _check_confidence(confidence)
    sums, counts = _per_group(np.asarray(values, dtype=np.float64), groups)
    n = len(sums)
    if n < 2:
        return Interval(math.nan, math.nan)
    means = sums / counts
    if np.all(means == means[0]):
        return Interval(float(means[0]), float(means[0]))
    result = stats.bootstrap(
        (sums, counts),
        lambda s, c, axis: s.sum(axis=axis) / c.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=resamples,
        batch=max(1, 1_000_000 // n),
        confidence_level=_expanded(confidence, n),
        method="percentile",
        rng=Stream(seed, "bootstrap").generator(),
    )
    limits = result.confidence_interval
    return Interval(float(limits.low), float(limits.high))


def pooled_interval(
    counts: NDArray[Any],
    function: Callable[[NDArray[Any]], float],
    confidence: float = 0.95,
    seed: int = 0,
    resamples: int = 1999,
) -> Interval:
    """Two-sided interval for what follows from the sum of counts over sources, by resampling sources.

    Parameters
    ----------
    counts:
        ``[sources, ...]``: what is counted in each.
    function:
        From their sum ``[...]`` to the figure, such as corpus BLEU or a mean IoU.
    confidence:
        For example 0.95.
    seed:
        Equal seeds give equal intervals.
    resamples:
        How often the sources are drawn anew.

    Returns
    -------
    Interval
        Limits; both are NaN of fewer than two sources.

    Raises
    ------
    ValueError
        If the confidence is not between 0 and 1.

    Notes
    -----
    Percentile bootstrap at the level of Hesterberg's expansion, as in `bootstrap_interval`.
    """
    _check_confidence(confidence)
    n = len(counts)
    if n < 2:
        return Interval(math.nan, math.nan)
    generator = Stream(seed, "bootstrap").generator()
    often = generator.multinomial(n, np.full(n, 1 / n), size=resamples)
    sums = np.tensordot(often, counts, axes=1)
    tail = 100 * (1.0 - _expanded(confidence, n)) / 2
    low, high = np.percentile([function(each) for each in sums], [tail, 100 - tail])
    return Interval(float(low), float(high))


def _expanded(confidence: float, n: int) -> float:
    """Level at which a percentile interval of n values covers as often as it should (Hesterberg 2015)."""
    quantile = stats.t.isf((1.0 - confidence) / 2.0, n - 1) * math.sqrt(n / (n - 1))
    return float(1.0 - 2.0 * stats.norm.sf(quantile))


def _per_group(
    values: NDArray[np.float64], groups: Sequence[object] | NDArray[np.generic] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum of the values and number of rows of every group."""
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"one vector of finite values is needed, got {values!r}")
    if groups is None:
        return values, np.ones_like(values)
    if len(groups) != len(values):
        raise ValueError(f"every value needs its group, got {len(values)} values and {len(groups)} groups")
    _, index = np.unique(np.asarray(groups), return_inverse=True)
    return np.bincount(index, values).astype(np.float64), np.bincount(index).astype(np.float64)
