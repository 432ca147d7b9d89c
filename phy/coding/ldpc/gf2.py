"""Linear algebra over GF(2) on bits packed into 64-bit words, compiled.

A matrix is ``[rows, ceil(columns / 64)]``, ``uint64``: column ``j`` is bit ``j % 64`` of word ``j // 64``,
and the bits behind the last column are zero. Adding two rows takes one XOR for 64 columns.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from phy import simd as v
from phy.compiling import compiled

__all__ = [
    "LANES",
    "Words",
    "eliminate",
    "extract_transposed",
    "multiply",
    "pack",
    "pack_sparse",
    "unpack",
    "unpack_into",
]

Words = NDArray[np.uint64]

LANES = v.BYTES // 8
"""Words of a vector register."""
_TILE = 16  # products computed together, so that a part of the matrix is read often while it is in the cache


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


def pack_sparse(matrix: scipy.sparse.csr_matrix) -> Words:
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


@compiled
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


@compiled
def extract_transposed(words: Words, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Words:
    """Transpose of the matrix's part at the given rows and columns, as `multiply` wants it.

    Returns
    -------
    blocks:
        ``[ceil(len(rows) / 512), len(columns), LANES]``: the transpose, 512 columns after the other.
    """
    blocks = (rows.size + 64 * LANES - 1) // (64 * LANES)
    out = np.zeros((blocks, columns.size, LANES), np.uint64)
    for j in range(rows.size):
        row = words[rows[j]]
        for i in range(columns.size):
            bit = (row[columns[i] >> 6] >> np.uint64(columns[i] & 63)) & np.uint64(1)
            out[j // (64 * LANES), i, (j >> 6) % LANES] |= bit << np.uint64(j & 63)
    return out


@compiled
def multiply(bits: NDArray[np.uint8], matrix: Words, out: Words) -> None:
    """Multiply row vectors with a packed matrix: ``out = bits @ matrix`` over GF(2).

    Parameters
    ----------
    bits:
        ``[vectors, rows]``, ``uint8``, zeros and ones, not packed.
    matrix:
        ``[blocks, rows, LANES]``, from `extract_transposed`.
    out:
        ``[vectors, blocks * LANES]``, overwritten.
    """
    blocks, rows, _ = matrix.shape
    flat, sums = matrix.reshape(matrix.size), out.reshape(out.size)
    chosen = np.empty((_TILE, rows), np.int32)
    counts = np.empty(_TILE, np.int64)
    for tile in range(0, bits.shape[0], _TILE):
        size = min(_TILE, bits.shape[0] - tile)
        for i in range(size):
            count = 0
            for row in range(rows):  # without a branch, which random bits would mispredict
                chosen[i, count] = row
                count += bits[tile + i, row]
            counts[i] = count
        for block in range(blocks):
            for i in range(size):
                total = v.splat(np.uint64(0))
                for j in range(counts[i]):
                    total = v.xor(total, v.load(flat, (block * rows + chosen[i, j]) * LANES))
                v.store(sums, ((tile + i) * blocks + block) * LANES, total)


@compiled
def unpack_into(words: Words, octets: Words) -> None:
    """Spread the bits of ``words`` over the bytes of eight times as many ``octets``, lowest first."""
    for i in range(words.size):
        for j in range(8):
            copies = ((words[i] >> np.uint64(8 * j)) & np.uint64(255)) * np.uint64(0x0101010101010101)
            x = copies & np.uint64(0x8040201008040201)  # bit b of the byte, in byte b of the word
            x += np.uint64(0x7F7F7F7F7F7F7F7F)  # carries a bit at any place to the top of its byte
            octets[8 * i + j] = (x >> np.uint64(7)) & np.uint64(0x0101010101010101)
