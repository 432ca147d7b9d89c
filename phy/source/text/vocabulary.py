"""What text is counted in: an alphabet of integers, and the entries of a table or model over it.

::

    text --alphabet.split--> symbols --vocabulary--> entries (the last one: escape, then the symbol itself)

An *alphabet* (code points here, tokens in `phy.source.text.tokens`) turns text into integers and back. A
*vocabulary* lists those of its symbols that have an entry, and thus a probability, of their own.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

__all__ = ["PRINTABLE", "Alphabet", "CodePoints", "Vocabulary", "assemble", "english_counts"]

_REPLACEMENT = "\ufffd"


class Alphabet(Protocol):
    """Text as a sequence of integers."""

    @property
    def unit(self) -> str:
        """What one symbol is: ``"character"`` or ``"token"``."""

    @property
    def size(self) -> int:
        """Symbols are 0 to ``size`` - 1."""

    def split(self, text: str) -> list[int]:
        """Symbols of ``text``; raises a ValueError where `join` would not give the text back."""

    def join(self, symbols: Sequence[int]) -> tuple[str, str]:
        """Text of whatever non-negative symbols arrived, and a remark if some of them are none."""


class CodePoints:
    """The characters of Unicode; what is no character (surrogates, 0x110000 and above) becomes U+FFFD."""

    unit = "character"
    size = 0x110000

    def split(self, text: str) -> list[int]:
        """Code points of ``text``.

        Raises
        ------
        ValueError
            If the text has a lone surrogate.
        """
        symbols = [ord(character) for character in text]
        if strange := next((symbol for symbol in symbols if not self._is_character(symbol)), None):
            raise ValueError(f"text must consist of Unicode characters, got the surrogate {strange:#x}")
        return symbols

    def join(self, symbols: Sequence[int]) -> tuple[str, str]:
        """Text, and a remark that says how many symbols were no characters."""
        bad = sum(not self._is_character(symbol) for symbol in symbols)
        text = "".join(chr(symbol) if self._is_character(symbol) else _REPLACEMENT for symbol in symbols)
        return text, f"{bad} code points are no characters" if bad else ""

    @staticmethod
    def _is_character(symbol: int) -> bool:
        return symbol < 0xD800 or 0xDFFF < symbol < 0x110000


class Vocabulary:
    """The symbols that have an entry of their own, and one more entry, *escape*, for all others.

    Entry i stands for ``symbols[i]``. The last entry is the escape; there is none if every symbol of the
    alphabet is listed.

    Parameters
    ----------
    alphabet:
        Text to symbols and back.
    symbols:
        Different symbols of the alphabet, in the order of their entries.

    Raises
    ------
    ValueError
        If there are fewer than two entries, or a symbol is listed twice or does not exist.

    Examples
    --------
    >>> letters = Vocabulary(CodePoints(), [ord(letter) for letter in "abc"])
    >>> len(letters), letters.escape, letters.entries("cat")
    (4, 3, [(2, 99), (0, 97), (3, 116)])
    """

    def __init__(self, alphabet: Alphabet, symbols: Iterable[int]) -> None:
        self.alphabet = alphabet
        self.symbols = tuple(symbols)
        self._entry = {symbol: entry for entry, symbol in enumerate(self.symbols)}
        if len(self._entry) != len(self.symbols) or not all(0 <= s < alphabet.size for s in self.symbols):
            raise ValueError(f"symbols must be different and from 0 to {alphabet.size - 1}")
        self.escape = len(self.symbols) if len(self.symbols) < alphabet.size else None
        if len(self) < 2:
            raise ValueError(f"a vocabulary needs at least two entries, got the symbols {self.symbols}")

    def __len__(self) -> int:
        return len(self.symbols) + (self.escape is not None)

    def entries(self, text: str) -> list[tuple[int, int]]:
        """Entry and symbol of every unit of ``text``."""
        return [(self._entry.get(symbol, len(self.symbols)), symbol) for symbol in self.alphabet.split(text)]


PRINTABLE = Vocabulary(CodePoints(), range(32, 127))
"""The 95 printable characters of ASCII in their order, and the escape: 96 entries."""


def english_counts() -> list[int]:
    """How often each entry of `PRINTABLE` occurs in English picture captions, but at least 1.

    The counts lie in ``english_characters.csv``, which names their source.
    """
    lines = Path(__file__).with_name("english_characters.csv").read_text(encoding="ascii").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return [max(1, int(row["count"])) for row in rows]


def assemble(alphabet: Alphabet, symbols: Sequence[int], count: int) -> tuple[str, str]:
    """Text of the symbols that arrived, and a remark on what is wrong with them, or if they are too few."""
    text, remark = alphabet.join(symbols)
    if len(symbols) < count:
        missing = f"count {count} claims more than the {len(symbols)} {alphabet.unit}s that arrived"
        remark = f"{remark}; {missing}" if remark else missing
    return text, remark
