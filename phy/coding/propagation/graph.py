"""Parity-check matrices as the compiled decoder reads them: rows in the order in which they are processed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

__all__ = ["Graph"]


@dataclass(frozen=True, eq=False)
class Graph:
    """A Tanner graph in compressed rows.

    Attributes
    ----------
    starts:
        First edge of every row, and the number of edges: ``[rows + 1]``, ``int32``.
    variables:
        Variable of every edge: ``[edges]``, ``int32``.
    size:
        Number of variables.

    Examples
    --------
    >>> graph = Graph.of(np.array([[1, 1, 0, 1], [0, 1, 1, 0]]))
    >>> graph.starts.tolist(), graph.variables.tolist(), graph.largest_degree
    ([0, 3, 5], [0, 1, 3, 1, 2], 3)
    """

    starts: NDArray[np.int32]
    variables: NDArray[np.int32]
    size: int

    @classmethod
    def of(cls, matrix: NDArray[np.generic] | scipy.sparse.spmatrix) -> Graph:
        """Read a matrix of zeros and ones, dense or sparse.

        Raises
        ------
        ValueError
            If an entry is neither, or a row has fewer than two ones.
        """
        rows = scipy.sparse.csr_matrix(matrix)
        rows.sum_duplicates()
        rows.eliminate_zeros()
        if not np.all(rows.data == 1):
            raise ValueError("a parity-check matrix holds zeros and ones only")
        rows.sort_indices()
        return cls(rows.indptr.astype(np.int32), rows.indices.astype(np.int32), rows.shape[1]).checked()

    @classmethod
    def of_edges(cls, rows: NDArray[np.int64], variables: NDArray[np.int64], shape: tuple[int, int]) -> Graph:
        """Take edges in any order, no two the same: the row and the variable of each, ``[edges]``.

        Examples
        --------
        >>> Graph.of_edges(np.array([1, 0, 0]), np.array([2, 1, 0]), shape=(2, 3)).variables
        array([0, 1, 2], dtype=int32)
        """
        order = np.lexsort((variables, rows))
        starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=shape[0]))])
        return cls(starts.astype(np.int32), variables[order].astype(np.int32), shape[1])

    def checked(self) -> Graph:
        """Return the graph if a decoder can take it.

        Raises
        ------
        ValueError
            If a row has fewer than two ones, or there is none.
        """
        degrees = np.diff(self.starts)
        if degrees.size == 0 or degrees.min() < 2:
            raise ValueError("every row of a parity-check matrix needs at least two ones")
        return self

    @property
    def rows(self) -> NDArray[np.int64]:
        """Row of every edge: ``[edges]``."""
        return np.repeat(np.arange(self.starts.size - 1), np.diff(self.starts))

    def part(self, rows: NDArray[np.bool_], variables: NDArray[np.bool_]) -> Graph:
        """The graph of some rows and some variables, each counted anew.

        Examples
        --------
        >>> graph = Graph.of(np.array([[1, 1, 0, 1], [0, 1, 1, 0]]))
        >>> graph.part(np.array([True, False]), np.array([True, False, True, True])).variables
        array([0, 2], dtype=int32)
        """
        of_row = self.rows
        kept = rows[of_row] & variables[self.variables]
        row, place = np.cumsum(rows)[of_row[kept]] - 1, np.cumsum(variables)[self.variables[kept]] - 1
        return Graph.of_edges(row, place, (int(rows.sum()), int(variables.sum())))

    @property
    def matrix(self) -> scipy.sparse.csr_matrix:
        """The matrix, sparse, of ``uint8``."""
        ones = np.ones(self.variables.size, np.uint8)
        return scipy.sparse.csr_matrix(
            (ones, self.variables, self.starts), shape=(self.starts.size - 1, self.size)
        )

    @property
    def edges(self) -> int:
        """Number of ones."""
        return int(self.variables.size)

    @property
    def largest_degree(self) -> int:
        """Ones of the heaviest row."""
        return int(np.diff(self.starts).max())

    def check_llr(self, llr: NDArray[Any]) -> NDArray[np.float32]:
        """Return ``llr`` as ``float32`` side by side if they are ``[frames, variables]`` numbers.

        Raises
        ------
        ValueError
            If the shape is another, or a value is NaN.

        Examples
        --------
        >>> Graph.of(np.array([[1, 1, 0], [0, 1, 1]])).check_llr(np.array([[1.0, 0.0, -np.inf]]))
        array([[  1.,   0., -inf]], dtype=float32)
        """
        llr = np.ascontiguousarray(llr, dtype=np.float32)
        if llr.ndim != 2 or llr.shape[1] != self.size:
            raise ValueError(f"LLRs must have shape [frames, {self.size}], got {llr.shape}")
        if np.isnan(llr).any():
            raise ValueError("LLRs must be numbers (infinite ones are certain bits), got NaN")
        return llr

    @cached_property
    def runs(self) -> NDArray[np.int32]:
        """Edges in runs ``(row, variable, length)``: edge i of a run joins row + i and variable + i.

        A lifted graph has long ones, at most two for each circulant. Where they are shorter than four edges
        on average there is nothing to gain, and the array is empty: ``[0, 3]``.

        Examples
        --------
        >>> Graph.of(np.kron(np.array([[1, 1, 1]]), np.eye(8))).runs
        array([[ 0,  0,  8],
               [ 0,  8,  8],
               [ 0, 16,  8]], dtype=int32)
        """
        rows = self.rows.astype(np.int32)
        order = np.lexsort((rows, self.variables - rows))
        rows, variables = rows[order], self.variables[order]
        begins = np.flatnonzero((np.diff(rows, prepend=-2) != 1) | (np.diff(variables, prepend=-2) != 1))
        if 4 * begins.size > self.edges:
            return np.zeros((0, 3), np.int32)
        lengths = np.diff(begins, append=self.edges)
        runs = np.stack([rows[begins], variables[begins], lengths], axis=1).astype(np.int32)
        return np.ascontiguousarray(runs[np.argsort(runs[:, 0], kind="stable")])
