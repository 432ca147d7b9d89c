"""Random regular LDPC codes, and what density evolution says of them."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.stats import binom

__all__ = ["gallager_b_errors", "regular"]


def regular(variables: int, columns: int, rows: int, seed: int) -> csr_matrix:
    """A random regular matrix without double edges; ``columns`` and ``rows`` are the degrees."""
    rng = np.random.default_rng(seed)
    checks = variables * columns // rows
    ends = np.repeat(np.arange(checks), rows)
    rng.shuffle(ends)
    ends = ends.reshape(variables, columns)
    while True:
        twice = np.flatnonzero((np.diff(np.sort(ends, axis=1), axis=1) == 0).any(axis=1))
        if not twice.size:
            break
        for variable in twice:  # swap an end with another variable's
            place, other = rng.integers(columns), (rng.integers(variables), rng.integers(columns))
            ends[variable, place], ends[other] = ends[other], ends[variable, place]
    pairs = (ends.ravel(), np.repeat(np.arange(variables), columns))
    return csr_matrix((np.ones(variables * columns, np.uint8), pairs), shape=(checks, variables))


def gallager_b_errors(p: float, columns: int, rows: int, iterations: int) -> list[float]:
    """Bit error probabilities after 1, 2, ... iterations on a tree, by counting majorities.

    A message from a check is wrong with q = (1 - (1 - 2 x)^(rows - 1)) / 2, where x is that of a variable's.
    A variable gives up what it received only if k of m messages speak against that with m - k + 1 < k: of the
    other checks for what it sends, of all checks for the decision.
    """
    found, x = [], p
    for _ in range(iterations):
        q = (1 - (1 - 2 * x) ** (rows - 1)) / 2

        def wrong(messages: int, q: float = q) -> float:
            most = (messages + 1) // 2  # that may speak against it
            stays = binom.cdf(most, messages, 1 - q)
            turns = binom.sf(most, messages, q)
            return float(p * stays + (1 - p) * turns)

        found.append(wrong(columns))
        x = wrong(columns - 1)
    return found
