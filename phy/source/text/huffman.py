"""Canonical Huffman codes over a table of counts, of limited length, with an escape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from phy.source.text.vocabulary import PRINTABLE, Vocabulary, assemble, english_counts

__all__ = ["MAX_LENGTH", "Huffman", "canonical_codes", "code_lengths"]

MAX_LENGTH = 24
"""Longest code word in bits; it binds only where counts differ by more than about 2^17."""


class Huffman:
    """Text as code words of a canonical Huffman code.

    A symbol without an entry is sent as the escape's code word and then as itself, in as many bits as the
    alphabet needs (21 for Unicode).

    Parameters
    ----------
    vocabulary:
        The symbols of the table.
    counts:
        At least 1 for each entry of the vocabulary, the escape's last.
    name:
        Name, as it stands in results.

    Raises
    ------
    ValueError
        If the counts do not fit the vocabulary.

    References
    ----------
    D. A. Huffman: A method for the construction of minimum-redundancy codes. Proc. IRE 40(9), 1952.

    Examples
    --------
    >>> coder = Huffman.english()
    >>> bits, count = coder.encode("A dog runs.")
    >>> bits.numel(), count, coder.decode(bits, count)
    (50, 11, ('A dog runs.', ''))
    """

    def __init__(self, vocabulary: Vocabulary, counts: Sequence[int], name: str = "huffman-table") -> None:
        if len(counts) != len(vocabulary) or min(counts) < 1:
            raise ValueError(
                f"a Huffman code needs a count of at least 1 for each of the {len(vocabulary)} entries, "
                f"got {len(counts)} counts from {min(counts, default=None)} on"
            )
        self.name = name
        self.unit = vocabulary.alphabet.unit
        self.vocabulary = vocabulary
        self.codes = canonical_codes(code_lengths(counts))
        self._entries = {code: entry for entry, code in enumerate(self.codes)}
        self._escape_bits = (vocabulary.alphabet.size - 1).bit_length()

    @classmethod
    def english(cls) -> Huffman:
        """Return the code of the bundled statistics of English characters."""
        return cls(PRINTABLE, english_counts(), "huffman")

    def encode(self, text: str) -> tuple[torch.Tensor, int]:
        """Bits ``[n]``, ``torch.uint8``, and the number of units.

        Raises
        ------
        ValueError
            If the alphabet cannot express the text.
        """
        entries = self.vocabulary.entries(text)
        line = "".join(self._word(entry, symbol) for entry, symbol in entries)
        return torch.from_numpy(np.frombuffer(line.encode("ascii"), dtype=np.uint8) - 48), len(entries)

    def _word(self, entry: int, symbol: int) -> str:
        escaped = f"{symbol:0{self._escape_bits}b}" if entry == self.vocabulary.escape else ""
        return self.codes[entry] + escaped

    def decode(self, bits: torch.Tensor, count: int) -> tuple[str, str]:
        """Text and remark of whatever arrived, at most ``count`` units; bits behind them are ignored.

        Parameters
        ----------
        bits:
            ``[m]``, ``torch.uint8``.
        count:
            Number of units that were sent, as far as the receiver knows.
        """
        line = (bits.cpu().numpy() + 48).tobytes().decode("ascii")
        symbols: list[int] = []
        position = 0
        while len(symbols) < count and (word := self._next(line, position)):
            symbol, position = word
            symbols.append(symbol)
        return assemble(self.vocabulary.alphabet, symbols, count)

    def _next(self, line: str, start: int) -> tuple[int, int] | None:
        """Symbol that starts at ``start``, and where the next one starts; None if the bits run out."""
        for end in range(start + 1, min(start + MAX_LENGTH, len(line)) + 1):
            entry = self._entries.get(line[start:end])
            if entry is None:
                continue
            if entry != self.vocabulary.escape:
                return self.vocabulary.symbols[entry], end
            stop = end + self._escape_bits
            return (int(line[end:stop], 2), stop) if stop <= len(line) else None
        return None


def code_lengths(counts: Sequence[int], limit: int = MAX_LENGTH) -> list[int]:
    """Lengths of an optimal prefix code with words of at most ``limit`` bits, by package-merge.

    Where no word of the Huffman code is longer than ``limit``, the code is as short as Huffman's.

    Parameters
    ----------
    counts:
        How often each of two or more symbols occurs.
    limit:
        Longest word in bits.

    Raises
    ------
    ValueError
        If there are more symbols than words of ``limit`` bits, or fewer than two.

    References
    ----------
    L. L. Larmore, D. S. Hirschberg: A fast algorithm for optimal length-limited Huffman codes.
    Journal of the ACM 37(3), 1990.

    Examples
    --------
    >>> code_lengths([8, 4, 2, 1, 1]), code_lengths([8, 4, 2, 1, 1], limit=3)
    ([1, 2, 3, 4, 4], [1, 3, 3, 3, 3])
    """
    if not 2 <= len(counts) <= 1 << limit:
        raise ValueError(f"a code of at most {limit} bits has 2 to {1 << limit} words, got {len(counts)}")
    order = np.argsort(np.asarray(counts, dtype=np.int64), kind="stable")
    coins = np.asarray(counts, dtype=np.int64)[order]
    levels = []  # at each denomination: which items, cheapest first, are coins (others are packages)
    items, are_coins = coins, np.ones(coins.size, dtype=bool)
    for _ in range(limit):
        levels.append(are_coins)
        packages = items[: items.size // 2 * 2].reshape(-1, 2).sum(axis=1)
        merged = np.concatenate([coins, packages])
        rank = np.argsort(merged, kind="stable")
        items, are_coins = merged[rank], rank < coins.size
    lengths: NDArray[np.int64] = np.zeros(coins.size, dtype=np.int64)
    taken = 2 * coins.size - 2
    for are_coins in reversed(levels):
        spent = int(are_coins[:taken].sum())
        lengths[order[:spent]] += 1
        taken = 2 * (taken - spent)
    return lengths.tolist()


def canonical_codes(lengths: Sequence[int]) -> list[str]:
    """Code words of given lengths: in order of length, then of index, each the next binary number.

    Examples
    --------
    >>> canonical_codes([2, 1, 3, 3])
    ['10', '0', '110', '111']
    """
    codes = [""] * len(lengths)
    code, previous = 0, 0
    for length, index in sorted((length, index) for index, length in enumerate(lengths)):
        code <<= length - previous
        codes[index] = f"{code:0{length}b}"
        code, previous = code + 1, length
    return codes
