"""Sentences as bits."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bridge.payloads.packed import Arrived, Packed, Unpacked, check_repeats, protect, vote, written
from phy.source.text.coders import Characters, TextCoder

__all__ = ["MOST_UNITS", "TextPayload"]

_SHORT_BITS, _LONG_BITS = 7, 9  # of a count's lower end, and of what a long one has above it
MOST_UNITS = (1 << _SHORT_BITS + _LONG_BITS) - 1
"""Characters, bytes or tokens that a text may have."""


class TextPayload:
    """A sentence as the bits of a text coder.

    The bits are a header, then the coder's bits. The header says, where several coders have been agreed on,
    which of them it was, the one that needs the fewest bits; and the number of units (characters, bytes or
    tokens): a bit that is 0 for less than 128, and 7 bits; from 128 on 9 bits more, the upper ones.

    Parameters
    ----------
    coders:
        A coder, or several that the sender may choose from; ``Characters("utf-8")`` if None.
    repeats:
        How often the header is written, to be decided bit by bit by majority: once where a code protects all
        bits and a check sum covers them, three times where none does
        (`bridge.air.carriage.Carriage.header_repeats`).

    Raises
    ------
    ValueError
        If there is no coder, or ``repeats`` is no odd number.

    Examples
    --------
    >>> from phy import parse_text_coder
    >>> payload = TextPayload([parse_text_coder("ascii7"), parse_text_coder("huffman")])
    >>> packed = payload.pack("A dog runs.")
    >>> packed.header_bits, packed.source_bits  # one for the coder, 8 of the length; the shorter of the two
    (9, 50)
    """

    def __init__(self, coders: TextCoder | Sequence[TextCoder] | None = None, *, repeats: int = 1) -> None:
        given = Characters("utf-8") if coders is None else coders
        self.coders: tuple[TextCoder, ...] = tuple(given) if isinstance(given, Sequence) else (given,)
        if not self.coders:
            raise ValueError("a text payload needs at least one coder")
        self.repeats = check_repeats(repeats)

    @property
    def name(self) -> str:
        """Names of the coders."""
        return "|".join(coder.name for coder in self.coders)

    @property
    def _fields(self) -> tuple[int, int, int]:
        """Header bits of the mode, of whether the count goes on, and of its lower end."""
        return (len(self.coders) - 1).bit_length(), 1, _SHORT_BITS

    def pack(self, value: str) -> Packed:
        """Write a text by the coder that needs the fewest bits.

        Raises
        ------
        ValueError
            If the text has more than 65,535 units, or something that none of the coders can express.
        """
        coded, count, mode = self._shortest(value)
        _check_count(self.coders[mode], count)
        upper, lower = divmod(count, 1 << _SHORT_BITS)
        header = protect(written((mode, int(upper > 0), lower), self._fields), self.repeats)
        if upper:
            header = torch.cat([header, protect(written((upper,), (_LONG_BITS,)), self.repeats)])
        notes: dict[str, int | str] = {"coder": self.coders[mode].name}
        return Packed(torch.cat([header, coded]), coded.numel(), header.numel(), 0, notes)

    def _shortest(self, text: str) -> tuple[torch.Tensor, int, int]:
        found, errors = [], []
        for mode, coder in enumerate(self.coders):
            try:
                if coder.unit in (
                    "character",
                    "byte",
                ):  # at least one a letter
                    _check_count(coder, len(text))
                coded, count = coder.encode(text)
                found.append((coded, count, mode))
            except ValueError as error:
                errors.append(error)
        if not found:
            raise errors[0]
        return min(found, key=lambda each: each[0].numel())

    def unpack(self, arrived: Arrived) -> Unpacked[str]:
        """Read a text, misspelt where bits are wrong and cut where the count claims more than arrived."""
        (mode, long, count), coded = vote(arrived.bits, self._fields, self.repeats)
        if long:
            (upper,), coded = vote(coded, (_LONG_BITS,), self.repeats)
            count += upper << _SHORT_BITS
        if mode >= len(self.coders):
            return Unpacked("", f"header damaged: coder {mode} of {len(self.coders)}")
        text, remark = self.coders[mode].decode(coded, count)
        checked = "check sum wrong" if arrived.intact is False else ""
        return Unpacked(text, "; ".join(filter(None, (remark, checked))))


def _check_count(coder: TextCoder, count: int) -> None:
    if count > MOST_UNITS:
        raise ValueError(f"a text may have at most {MOST_UNITS} {coder.unit}s, got {count}")
