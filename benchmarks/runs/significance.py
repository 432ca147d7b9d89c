"""Verdicts: whether a value lies outside an interval, at which confidence, and of how many questions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.runs.statistics import Interval

__all__ = ["holm", "p_value"]

_LEAST = 1e-4


def p_value(interval: Callable[[float], Interval], value: float = 0.0) -> float:
    """Two-sided p-value of a value, by inverting an interval.

    Parameters
    ----------
    interval:
        From a confidence to an interval, which grows with it.
    value:
        What is in question.

    Returns
    -------
    float
        The least alpha for which the interval at the confidence 1 - alpha does not hold the value, from 1e-4,
        beyond which no resampling sees, to 1: it is below 0.05 where the interval at 95 % excludes the value.

    Examples
    --------
    60 of 100 against a fair coin: Wilson's interval inverts the score test, z = (0.6 - 0.5) / 0.05 = 2.

    >>> from benchmarks.runs.statistics import rate_interval
    >>> round(p_value(lambda confidence: rate_interval(60, 100, confidence), 0.5), 4)
    0.0455
    """
    low, high = np.log(_LEAST), 0.0
    if not _holds(interval(1.0 - _LEAST), value):
        return _LEAST
    for _ in range(20):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _holds(interval(1.0 - float(np.exp(middle))), value) else (low, middle)
    return float(np.exp(high))


def _holds(interval: Interval, value: float) -> bool:
    return interval.low <= value <= interval.high


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values of several questions that are asked at once, so that none below alpha is wrong with 1 - alpha.

    With m of them in ascending order the k-th, from 0, is multiplied by m - k, is at most 1, and no less than
    the one before it.

    References
    ----------
    S. Holm: A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6,
    1979.

    Examples
    --------
    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    found, least = [0.0] * len(p_values), 0.0
    for k, place in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - k) * p_values[place]))
        found[place] = least
    return found
