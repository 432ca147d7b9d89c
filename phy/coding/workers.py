"""Rows of a batch, shared out to threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from phy.threads import thread_count

__all__ = ["in_parts"]


def in_parts(work: Callable[[slice], None], rows: int) -> None:
    """Call ``work`` for slices that make up ``rows``, one a thread (`phy.threads.thread_count`).

    Compiled functions (`phy.compiling.compiled`) run beside one another.

    Examples
    --------
    >>> doubled = np.zeros(5)
    >>> def work(part): doubled[part] = 2 * np.arange(5)[part]
    >>> in_parts(work, 5)
    >>> doubled.tolist()
    [0.0, 2.0, 4.0, 6.0, 8.0]
    """
    threads = min(thread_count(), max(rows, 1))
    bounds = np.linspace(0, rows, threads + 1).astype(int).tolist()
    parts = [slice(first, last) for first, last in pairwise(bounds)]
    if threads == 1:
        work(parts[0])
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, parts))
