"""Optimal scalar quantisers: the equations that levels and steps of least mean squared error solve."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_banded
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

__all__ = ["empirical_levels", "gaussian_levels", "gaussian_step"]

Levels = NDArray[np.float64]

_TOLERANCE = 1e-8  # of a level; the step of Newton's method after this one is below rounding
_BINS = 4096
_LARGEST_ITERATIONS = 10_000


@lru_cache
def gaussian_levels(bits: int) -> Levels:
    """Levels of the Lloyd-Max quantiser of the unit Gaussian.

    Every level is the mean of its cell, and every threshold is half-way between two levels (Max, "Quantizing
    for minimum distortion", IRE Trans. Inf. Theory 6, 1960, eqs. 3 and 4; Lloyd, IEEE Trans. Inf. Theory 28,
    1982). The Gaussian density is log-concave, so there is one fixed point only, and it is the optimum
    (Fleischer, 1964). Lloyd's iteration gets there too slowly for many levels; Newton's, whose matrix is
    tridiagonal, takes five steps from the asymptotically optimal levels, whose density goes with the cube
    root of the source's (Panter and Dite, 1951).

    Parameters
    ----------
    bits:
        At least 1.

    Returns
    -------
    NDArray
        ``[2**bits]``, ascending, odd about the middle.

    Examples
    --------
    >>> gaussian_levels(2).round(4).tolist()
    [-1.5104, -0.4528, 0.4528, 1.5104]
    """
    half = 1 << (bits - 1)
    levels: Levels = np.sqrt(3.0) * ndtri(0.5 + (np.arange(half) + 0.5) / (2 * half))
    step = np.full(half, np.inf)
    while np.abs(step).max() > _TOLERANCE:
        step = _newton_step(levels)
        levels = levels + step
    return np.concatenate([-levels[::-1], levels])


def _newton_step(levels: Levels) -> Levels:
    """Newton's step towards "every level is the mean of its cell", for the levels above zero."""
    edges = np.concatenate([[0.0], (levels[1:] + levels[:-1]) / 2, [np.inf]])
    density = _density(edges)
    probability = ndtr(-edges[:-1]) - ndtr(-edges[1:])
    centroid = -np.diff(density) / probability
    # Derivatives of a centroid by its lower and upper edge. Zero and infinity do not move.
    by_lower = density[1:-1] * (centroid[1:] - edges[1:-1]) / probability[1:]
    by_upper = density[1:-1] * (edges[1:-1] - centroid[:-1]) / probability[:-1]
    bands = np.zeros((3, len(levels)))
    bands[0, 1:] = -by_upper / 2
    bands[2, :-1] = -by_lower / 2
    bands[1] = 1.0 - np.append(by_upper, 0.0) / 2 - np.append(0.0, by_lower) / 2
    return np.asarray(solve_banded((1, 1), bands, centroid - levels))


@lru_cache
def gaussian_step(bits: int) -> float:
    """Step of the mid-rise uniform quantiser of least mean squared error for the unit Gaussian.

    With levels (i + 1/2) step, the derivative of the error by the step vanishes where

        phi(0) + 2 sum phi(k step) = step (1/4 + 4 sum k Q(k step)),   k = 1 ... 2^(bits-1) - 1

    (phi the density, Q the tail probability), summation by parts of the condition of Max (1960), section III.

    Examples
    --------
    >>> round(gaussian_step(4), 4)
    0.3352
    """
    k = np.arange(1, 1 << (bits - 1), dtype=np.float64)

    def slope(step: float) -> float:
        left = _density(np.zeros(1))[0] + 2 * _density(k * step).sum()
        return float(left - step * (0.25 + 4 * (k * ndtr(-k * step)).sum()))

    largest = 2.0 ** (1 - bits)  # a step that puts the outermost threshold at 1
    return float(brentq(slope, largest, 8 * largest, xtol=1e-15))


def empirical_levels(samples: Levels, bits: int) -> Levels:
    """Levels of a Lloyd-Max quantiser of given samples, by Lloyd's iteration until the cells stay the same.

    It starts from the levels that are asymptotically optimal for the histogram of the samples. The result
    is a local optimum.

    Parameters
    ----------
    samples:
        ``[n]``, with at least ``2**bits`` different values.
    bits:
        At least 1.

    Returns
    -------
    NDArray
        ``[2**bits]``, ascending.

    Raises
    ------
    ValueError
        If there are too few different values.
    """
    ordered = np.sort(samples, axis=None).astype(np.float64)
    count = 1 << bits
    if (distinct := len(np.unique(ordered))) < count:
        raise ValueError(f"{count} levels need at least as many different samples, got {distinct}")
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    levels = _companded(ordered, count)
    cells: NDArray[np.intp] = np.zeros(0, dtype=np.intp)
    for _ in range(_LARGEST_ITERATIONS):
        edges = np.searchsorted(ordered, (levels[1:] + levels[:-1]) / 2)
        if np.array_equal(edges, cells):
            break
        cells = edges
        bounds = np.concatenate([[0], edges, [len(ordered)]])
        members = np.diff(bounds)
        means = np.diff(sums[bounds]) / np.maximum(members, 1)
        levels = np.where(members > 0, means, levels)
    return levels


def _companded(ordered: Levels, count: int) -> Levels:
    """Levels whose density goes with the cube root of a histogram."""
    histogram, edges = np.histogram(ordered, _BINS)
    cumulative = np.concatenate([[0.0], np.cumsum(np.cbrt(histogram))])
    wanted = (np.arange(count) + 0.5) / count * cumulative[-1]
    return np.interp(wanted, cumulative, edges)


def _density(x: Levels) -> Levels:
    return np.asarray(np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi))
