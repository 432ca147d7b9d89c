"""Parity-check matrices as the compiled decoder reads them: rows in the order in which they are processed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, spmatrix

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
    def of(cls, matrix: NDArray[np.generic] | spmatrix) -> Graph:
        """Read a matrix of zeros and ones, dense or sparse.

        Raises
        ------
        ValueError
            If an entry is neither, or a row has fewer than two ones.
        """
        rows = csr_matrix(matrix)
        rows.sum_duplicates()
        rows.eliminate_zeros()
        if not np.all(rows.data == 1):
            raise ValueError("a parity-check matrix holds zeros and ones only")
        degrees = np.diff(rows.indptr)
        if degrees.size == 0 or degrees.min() < 2:
            raise ValueError("every row of a parity-check matrix needs at least two ones")
        rows.sort_indices()
        return cls(rows.indptr.astype(np.int32), rows.indices.astype(np.int32), rows.shape[1])

    @property
    def matrix(self) -> csr_matrix:
        """The matrix, sparse, of ``uint8``."""
        ones = np.ones(self.variables.size, np.uint8)
        return csr_matrix((ones, self.variables, self.starts), shape=(self.starts.size - 1, self.size))

    @property
    def edges(self) -> int:
        """Number of ones."""
        return int(self.variables.size)

    @property
    def largest_degree(self) -> int:
        """Ones of the heaviest row."""
        return int(np.diff(self.starts).max())
