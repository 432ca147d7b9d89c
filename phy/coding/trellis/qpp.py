"""Internal interleaver of the turbo code of TS 36.212, clause 5.1.3.2.3."""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["K_MAX", "interleaver"]

K_MAX = 6144
"""Largest block of table 5.1.3-3."""


@lru_cache(maxsize=1)
def _table() -> dict[int, tuple[int, int]]:
    """Table 5.1.3-3: f1 and f2 by block size."""
    with Path(__file__).with_name("qpp.csv").open() as file:
        return {int(row["k"]): (int(row["f1"]), int(row["f2"])) for row in csv.DictReader(file)}


@lru_cache(maxsize=64)
def interleaver(k: int) -> NDArray[np.int64]:
    """Which bit the second component has as its bit i: (f1 i + f2 i^2) mod K, ``[k]``.

    A ``k`` that is not in the table has the interleaver of the next larger block, without what lies behind.

    Examples
    --------
    >>> interleaver(40)[:4].tolist(), sorted(interleaver(41).tolist()) == list(range(41))
    ([0, 13, 6, 19], True)
    """
    size = min(entry for entry in _table() if entry >= k)
    f1, f2 = _table()[size]
    i = np.arange(size)
    order = (f1 * i + f2 * i * i) % size
    return order[order < k]
