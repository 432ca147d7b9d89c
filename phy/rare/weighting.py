"""Likelihood ratios between noise of two strengths, and populations drawn anew by them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from phy.rare.walk import Population

__all__ = ["effective", "log_weights", "resampled"]


def log_weights(population: Population, scale: float, following: float) -> NDArray[np.float64]:
    """Logarithms of what blocks count for that were drawn with one strength of noise and meant for another.

    With f for ``scale`` and g for ``following``, and z the noise, a block that fails counts
    (f / g)^n exp(-(|z|² / 2)(1 / g² - 1 / f²)), the ratio of two normal densities, and others count 0.

    Returns
    -------
    NDArray
        ``[blocks]``, minus infinity for those that do not fail.

    Examples
    --------
    >>> noise, one = np.array([[1.0, 1.0]], np.float32), np.array([1])
    >>> failed = Population(None, noise, noise, one, one)
    >>> round(float(np.exp(log_weights(failed, 2.0, 1.0))[0]), 9) == round(4 * math.exp(-0.75), 9)
    True
    """
    energy = np.einsum("ij,ij->i", population.noise, population.noise, dtype=np.float64)
    ratio = population.noise.shape[1] * math.log(scale / following)
    return np.where(population.wrong > 0, ratio - 0.5 * energy * (following**-2 - scale**-2), -np.inf)


def resampled(log: NDArray[np.float64], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Draw ``count`` rows, each as often on average as its weight says: systematic resampling.

    Parameters
    ----------
    log:
        Logarithms of the weights, not all of them minus infinity.
    count, random:
        How many, and where the one draw comes from.

    Examples
    --------
    >>> resampled(np.log([0.25, 0.5, 0.25]), 4, np.random.default_rng(1)).tolist()
    [0, 1, 1, 2]
    """
    edges = np.cumsum(np.exp(log - log.max()))
    places = (np.arange(count) + random.random()) / count * edges[-1]
    last = int(np.flatnonzero(log > -np.inf)[-1])  # which rounding must not pass
    return np.minimum(np.searchsorted(edges, places, side="right"), last)


def effective(shares: NDArray[np.float64]) -> float:
    """Kish's effective number (sum of w)² / sum of w² of weights, not all of them 0.

    Examples
    --------
    >>> effective(np.array([2.0, 2.0, 0.0]))
    2.0
    """
    return float(shares.sum() ** 2 / (shares @ shares))
