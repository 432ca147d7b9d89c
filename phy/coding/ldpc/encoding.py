"""Encoding as a list of exclusive ors, 64 blocks at a time: bit j of a word belongs to block j.

For a sparse parity-check matrix most code bits follow from one row each; only where rows hang together in
circles (the four core rows of a 5G base graph) a small system is inverted once, when the list is made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

__all__ = ["XorProgram", "run_program"]


@dataclass(frozen=True, eq=False)
class XorProgram:
    """A straight-line program: word ``targets[t]`` becomes the xor of ``inputs[starts[t] : starts[t + 1]]``.

    Attributes
    ----------
    targets, starts, inputs:
        ``int32``; words are the variables of the matrix, then temporary ones.
    words:
        Number of all words.
    """

    targets: NDArray[np.int32]
    starts: NDArray[np.int32]
    inputs: NDArray[np.int32]
    words: int

    @classmethod
    def sums(cls, generator: NDArray[np.bool_]) -> XorProgram:
        """Make coded bit i, the word k + i, the sum of the information bits in column i of ``[k, n]``."""
        k, n = generator.shape
        columns = [np.flatnonzero(generator[:, i]) for i in range(n)]
        return cls(
            np.arange(k, k + n, dtype=np.int32),
            np.concatenate([[0], np.cumsum([column.size for column in columns])]).astype(np.int32),
            np.concatenate(columns).astype(np.int32),
            k + n,
        )

    @classmethod
    def of(cls, matrix: csr_matrix, given: NDArray[np.int64]) -> XorProgram:
        """Plan how all variables follow from the ``given`` ones by H c = 0.

        Parameters
        ----------
        matrix:
            H, of full rank, ``[checks, variables]``; as many variables are not given as there are checks.
        given:
            Variables that are known, among them those that are always zero.

        Raises
        ------
        ValueError
            If the given variables do not determine the others.
        """
        rows = [matrix.indices[matrix.indptr[r] : matrix.indptr[r + 1]] for r in range(matrix.shape[0])]
        unknown = np.ones(matrix.shape[1], dtype=bool)
        unknown[given] = False
        leaves, core = _strip(rows, unknown)
        steps: list[tuple[int, NDArray[np.int64]]] = []
        words = matrix.shape[1]
        if core:
            solved, words = _solve(rows, core, unknown, leaves, words)
            steps += solved
        for row, variable in reversed(leaves):
            steps.append((variable, rows[row][rows[row] != variable]))
        starts = np.concatenate([[0], np.cumsum([len(inputs) for _, inputs in steps])])
        return cls(
            np.array([target for target, _ in steps], np.int32),
            starts.astype(np.int32),
            np.concatenate([inputs for _, inputs in steps]).astype(np.int32),
            words,
        )


def _strip(
    rows: list[NDArray[np.int32]], unknown: NDArray[np.bool_]
) -> tuple[list[tuple[int, int]], list[int]]:
    """Take off rows that alone know some variable, until none does: (row, variable), and what is left."""
    holders: dict[int, set[int]] = {}
    for index, row in enumerate(rows):
        for variable in row[unknown[row]]:
            holders.setdefault(int(variable), set()).add(index)
    left = set(range(len(rows)))
    waiting = [variable for variable, held in holders.items() if len(held) == 1]
    leaves: list[tuple[int, int]] = []
    while waiting:
        variable = waiting.pop()
        if len(holders[variable]) != 1:
            continue
        (index,) = holders[variable]
        leaves.append((index, variable))
        left.discard(index)
        for other in rows[index][unknown[rows[index]]]:
            holders[int(other)].discard(index)
            if len(holders[int(other)]) == 1:
                waiting.append(int(other))
    return leaves, sorted(left)


def _solve(
    rows: list[NDArray[np.int32]],
    core: list[int],
    unknown: NDArray[np.bool_],
    leaves: list[tuple[int, int]],
    words: int,
) -> tuple[list[tuple[int, NDArray[np.int64]]], int]:
    """Invert what is left: a sum of known variables for each row, then each unknown as a sum of those."""
    solved_later = {variable for _, variable in leaves}
    wanted = sorted({int(v) for row in core for v in rows[row][unknown[rows[row]]]} - solved_later)
    if len(wanted) != len(core):
        raise ValueError(
            f"{len(core)} checks are left for {len(wanted)} variables: the given ones do not fit"
        )
    place = {variable: index for index, variable in enumerate(wanted)}
    system = np.zeros((len(core), len(core)), dtype=bool)
    steps: list[tuple[int, NDArray[np.int64]]] = []
    for index, row in enumerate(core):
        for variable in rows[row][unknown[rows[row]]]:
            system[index, place[int(variable)]] = True
        steps.append((words + index, rows[row][~unknown[rows[row]]].astype(np.int64)))
    for variable, sums in zip(wanted, _invert(system), strict=True):
        steps.append((variable, words + np.flatnonzero(sums)))
    return steps, words + len(core)


def _invert(system: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Invert a square matrix over GF(2) by Gauss and Jordan."""
    size = len(system)
    work = np.concatenate([system, np.eye(size, dtype=bool)], axis=1)
    for column in range(size):
        pivots = np.flatnonzero(work[column:, column])
        if not pivots.size:
            raise ValueError("the given variables do not determine the others")
        pivot = column + pivots[0]
        work[[column, pivot]] = work[[pivot, column]]
        others = np.flatnonzero(work[:, column])
        work[others[others != column]] ^= work[column]
    return work[:, size:]


@njit(nogil=True, cache=True)
def run_program(targets, starts, inputs, words):
    """Run an `XorProgram` on ``words``, ``uint64``, in place."""
    for step in range(targets.size):
        value = np.uint64(0)
        for i in range(starts[step], starts[step + 1]):
            value ^= words[inputs[i]]
        words[targets[step]] = value
