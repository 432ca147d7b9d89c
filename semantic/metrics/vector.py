"""Metrics of vectors: what arrived against what was sent, both ``[count]``."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["OUTPUT_SNR_CAP_DB", "cosine", "mean_squared_error", "output_snr", "relative_error"]

OUTPUT_SNR_CAP_DB = 100.0
"""What vectors get that are equal, so that means over vectors stay finite."""

Vector = NDArray[np.floating]


def mean_squared_error(reference: Vector, received: Vector) -> float:
    """Mean of the squared differences."""
    return float(np.mean(_difference(reference, received) ** 2))


def relative_error(reference: Vector, received: Vector) -> float:
    """Norm of the difference over the norm of the reference.

    Raises
    ------
    ValueError
        If the reference is zero.
    """
    size = float(np.linalg.norm(np.asarray(reference, np.float64)))
    if size == 0:
        raise ValueError("nothing is relative to a vector of zeros")
    return float(np.linalg.norm(_difference(reference, received))) / size


def output_snr(reference: Vector, received: Vector) -> float:
    """Energy of the reference over that of the difference, in decibels, at most `OUTPUT_SNR_CAP_DB`.

    Raises
    ------
    ValueError
        If the reference is zero.

    Examples
    --------
    >>> output_snr(np.array([3.0, 4.0]), np.array([3.0, 4.5]))
    20.0
    """
    error = relative_error(reference, received)
    return min(OUTPUT_SNR_CAP_DB, -20.0 * math.log10(error)) if error else OUTPUT_SNR_CAP_DB


def cosine(reference: Vector, received: Vector) -> float:
    """Cosine of the angle between both; 0 if the received one is zero.

    Examples
    --------
    >>> cosine(np.array([1.0, 0.0]), np.array([1.0, 1.0]))
    0.7071067811865475
    """
    a, b = np.asarray(reference, np.float64), np.asarray(received, np.float64)
    _difference(a, b)
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size else 0.0


def _difference(reference: Vector, received: Vector) -> NDArray[np.float64]:
    a, b = np.asarray(reference, np.float64), np.asarray(received, np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(
            f"vectors of one length are compared, got shapes {list(a.shape)} and {list(b.shape)}"
        )
    return a - b
