"""Encoding as a list of exclusive ors, 64 blocks at a time: bit j of a word belongs to block j."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phy.compiling import compiled

__all__ = ["XorProgram", "run_program"]

Block = tuple[int, int]
"""Z words from a first one on, turned by a shift: word i of the block is word (i + shift) mod Z of them."""


@dataclass(frozen=True, eq=False)
class XorProgram:
    """A straight-line program: word ``targets[t]`` becomes the xor of ``inputs[starts[t] : starts[t + 1]]``.

    Attributes
    ----------
    targets, starts, inputs:
        ``int32``; the first words are given, then come those of coded bits, then temporary ones.
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
    def quasi_cyclic(cls, shifts: NDArray[np.int64], z: int) -> XorProgram:
        """Plan how all variables of a 5G mother code follow from its systematic ones (TS 38.212, 5.3.2).

        The four core rows of a base graph hang together by their four parity blocks p0 ... p3: added up,
        they leave p0 alone, and from it the others follow row by row. Every row behind them has a parity
        block of its own.

        Parameters
        ----------
        shifts:
            Shifts of the base graph, -1 where it has no edge, ``[rows, columns]``; columns behind the first
            ``columns - rows`` are parity blocks.
        z:
            Lifting size Z_c.
        """
        rows, columns = shifts.shape
        k = columns - rows
        edges = [[(int(c) * z, int(row[c])) for c in np.flatnonzero(row >= 0)] for row in shifts]
        sums = [((columns + r) * z, 0) for r in range(4)]  # temporary: the systematic part of each core row
        steps = [(sums[r], [edge for edge in edges[r] if edge[0] < k * z]) for r in range(4)]
        turns = [int(shift) for shift in shifts[:4, k] if shift >= 0]
        odd = next(shift for shift in turns if turns.count(shift) % 2)  # the others cancel
        steps.append(((k * z, odd), sums))
        known = {k * z}
        for r in range(3):
            parity = [edge for edge in edges[r] if edge[0] >= k * z]
            (new,) = (edge for edge in parity if edge[0] not in known)
            steps.append((new, [sums[r], *(edge for edge in parity if edge != new)]))
            known.add(new[0])
        steps += [(edges[r][-1], edges[r][:-1]) for r in range(4, rows)]
        return cls._blocks(steps, z, (columns + 4) * z)

    def pruned(self, needed: NDArray[np.integer[Any]], zeros: NDArray[np.integer[Any]]) -> XorProgram:
        """Return the steps that the words ``needed`` follow from, without the words that are known ``zeros``.

        Examples
        --------
        >>> both = XorProgram.sums(np.array([[True, True], [True, False]]))  # words 2 and 3 of 0 and 1
        >>> both.pruned(np.array([2]), np.array([1])).inputs
        array([0], dtype=int32)
        """
        live, nothing = np.zeros(self.words, np.bool_), np.zeros(self.words, np.bool_)
        live[needed], nothing[zeros] = True, True
        kept = np.zeros(self.targets.size, np.bool_)
        for step in range(self.targets.size - 1, -1, -1):
            if live[self.targets[step]]:
                kept[step] = True
                live[self.inputs[self.starts[step] : self.starts[step + 1]]] = True
        of_step = np.repeat(np.arange(self.targets.size), np.diff(self.starts))
        taken = kept[of_step] & ~nothing[self.inputs]
        counts = np.bincount(of_step[taken], minlength=self.targets.size)[kept]
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        return XorProgram(self.targets[kept], starts, self.inputs[taken], self.words)

    @classmethod
    def _blocks(cls, steps: list[tuple[Block, list[Block]]], z: int, words: int) -> XorProgram:
        """Write steps on blocks of ``z`` words out as steps on words."""
        i = np.arange(z)
        targets = [first + (i + shift) % z for (first, shift), _ in steps]
        inputs = [np.stack([a + (i + shift) % z for a, shift in blocks], axis=1) for _, blocks in steps]
        counts = np.concatenate([np.full(z, len(blocks)) for _, blocks in steps])
        return cls(
            np.concatenate(targets).astype(np.int32),
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
            np.concatenate([part.ravel() for part in inputs]).astype(np.int32),
            words,
        )

    def encode(self, bits: NDArray[np.uint8], sent: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Encode ``[batch, k]`` bits, the first words: the words ``sent`` of every block, ``[batch, n]``.

        Examples
        --------
        >>> parity = XorProgram.sums(np.array([[True], [True]]))  # word 2 is the sum of words 0 and 1
        >>> parity.encode(np.array([[0, 1], [1, 1]], np.uint8), np.array([0, 1, 2]))
        array([[0, 1, 1],
               [1, 1, 0]], dtype=uint8)
        """
        coded = np.empty((len(bits), sent.size), np.uint8)
        words = np.zeros(self.words, np.uint64)
        _encode(np.ascontiguousarray(bits), sent, coded, words, self.targets, self.starts, self.inputs)
        return coded


@compiled
def run_program(targets, starts, inputs, words):
    """Run an `XorProgram` on ``words``, ``uint64``, in place."""
    for step in range(targets.size):
        value = np.uint64(0)
        for i in range(starts[step], starts[step + 1]):
            value ^= words[inputs[i]]
        words[targets[step]] = value


@compiled
def _encode(bits, sent, coded, words, targets, starts, inputs):
    one = np.uint64(1)
    for first in range(0, bits.shape[0], 64):
        lanes = min(64, bits.shape[0] - first)
        words[: bits.shape[1]] = 0
        for lane in range(lanes):
            for i in range(bits.shape[1]):
                words[i] |= np.uint64(bits[first + lane, i]) << np.uint64(lane)
        run_program(targets, starts, inputs, words)
        for lane in range(lanes):
            for i in range(sent.size):
                coded[first + lane, i] = (words[sent[i]] >> np.uint64(lane)) & one
