"""Linear algebra over GF(2) on bits packed into 64-bit words, compiled.

A matrix is ``[rows, ceil(columns / 64)]``, ``uint64``: column ``j`` is bit ``j % 64`` of word ``j // 64``,
and the bits behind the last column are zero. Adding two rows takes one XOR for 64 columns.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

__all__ = ["Words", "eliminate", "extract_transposed", "multiply", "pack", "pack_sparse", "unpack"]

Words = NDArray[np.uint64]

_compiled = njit(nogil=True, cache=True)
_TILE = 64  # products computed together: their sums stay in the first cache
_BLOCK = 1 << 14  # words of the matrix read together: they stay in the second cache


def pack(bits: NDArray[np.uint8]) -> Words:
    """Pack a matrix of zeros and ones.

    Examples
    --------
    >>> pack(np.array([[1, 0, 1, 1]], np.uint8))
    array([[13]], dtype=uint64)
    """
    octets = np.packbits(bits, axis=1, bitorder="little")
    padded = np.pad(octets, ((0, 0), (0, -octets.shape[1] % 8)))
    return np.ascontiguousarray(padded).view("<u8").astype(np.uint64)


def pack_sparse(matrix: csr_matrix) -> Words:
    """Pack a sparse matrix of zeros and ones, none of them stored twice."""
    words = np.zeros((matrix.shape[0], -(-matrix.shape[1] // 64)), np.uint64)
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    columns = matrix.indices.astype(np.uint64)
    np.bitwise_or.at(words, (rows, columns >> np.uint64(6)), np.uint64(1) << (columns & np.uint64(63)))
    return words


def unpack(words: Words, columns: int) -> NDArray[np.uint8]:
    """Undo `pack`."""
    octets = np.ascontiguousarray(words.astype("<u8")).view(np.uint8)
    return np.unpackbits(octets, axis=1, count=columns, bitorder="little")


@_compiled
def eliminate(words: Words, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bring a matrix to reduced row echelon form in place, trying columns for pivots in the given order.

    The rows that come first hold the pivots, one a row and in no other; the rest become zero.

    Parameters
    ----------
    words:
        The matrix, overwritten.
    order:
        Columns in the order of preference. A column becomes a pivot if it is linearly independent of those
        before it.

    Returns
    -------
    pivots:
        Column of every pivot, ``[rank]``, in the order of the rows.
    """
    rows = words.shape[0]
    pivots = np.empty(rows, np.int64)
    rank = 0
    for column in order:
        word, bit = column >> 6, np.uint64(column & 63)
        found = rank
        while found < rows and (words[found, word] >> bit) & np.uint64(1) == 0:
            found += 1
        if found == rows:
            continue
        for w in range(words.shape[1]):
            words[found, w], words[rank, w] = words[rank, w], words[found, w]
        for row in range(rows):
            if row != rank and (words[row, word] >> bit) & np.uint64(1):
                for w in range(words.shape[1]):
                    words[row, w] ^= words[rank, w]
        pivots[rank] = column
        rank += 1
        if rank == rows:
            break
    return pivots[:rank].copy()


@_compiled
def extract_transposed(words: Words, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Words:
    """Transpose of the matrix's part at the given rows and columns: ``[len(columns), ceil(len(rows) / 64)]``."""
    out = np.zeros((columns.size, (rows.size + 63) // 64), np.uint64)
    for j in range(rows.size):
        row = words[rows[j]]
        for i in range(columns.size):
            bit = (row[columns[i] >> 6] >> np.uint64(columns[i] & 63)) & np.uint64(1)
            out[i, j >> 6] |= bit << np.uint64(j & 63)
    return out


@_compiled
def _add_rows(total: Words, matrix: Words, chosen: NDArray[np.int64], count: int) -> None:
    """Add the first ``count`` chosen rows of a matrix to a vector, four at a time."""
    whole = count // 4 * 4
    for i in range(0, whole, 4):
        a, b, c, d = chosen[i], chosen[i + 1], chosen[i + 2], chosen[i + 3]
        for w in range(total.size):
            total[w] ^= (matrix[a, w] ^ matrix[b, w]) ^ (matrix[c, w] ^ matrix[d, w])
    for i in range(whole, count):
        for w in range(total.size):
            total[w] ^= matrix[chosen[i], w]


@_compiled
def multiply(bits: NDArray[np.uint8], matrix: Words, out: Words) -> None:
    """Multiply row vectors with a packed matrix: ``out = bits @ matrix`` over GF(2).

    Parameters
    ----------
    bits:
        ``[vectors, rows]``, ``uint8``, zeros and ones, not packed.
    matrix:
        ``[rows, words]``.
    out:
        ``[vectors, words]``, overwritten.
    """
    rows = matrix.shape[0]
    block = max(64, _BLOCK // max(1, matrix.shape[1]))
    chosen = np.empty(block, np.int64)
    out[:] = np.uint64(0)
    for tile in range(0, bits.shape[0], _TILE):
        for begin in range(0, rows, block):
            end = min(begin + block, rows)
            for vector in range(tile, min(tile + _TILE, bits.shape[0])):
                count = 0
                for row in range(begin, end):  # without a branch, which random bits would mispredict
                    chosen[count] = row
                    count += bits[vector, row]
                _add_rows(out[vector], matrix, chosen, count)
