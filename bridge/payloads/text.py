"""Sentences as bits."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bridge.payloads.packed import REPEATS, Arrived, Packed, Unpacked, protect, vote
from phy.source.text.coders import Characters, TextCoder

__all__ = ["TextPayload"]


class TextPayload:
    """A sentence as the bits of a text coder.

    The bits are a header, sent three times and decided bit by bit by majority, then the coder's bits. The
    header holds a 16-bit number of units (characters, bytes or tokens) and, where several coders have been
    agreed on, which of them it was: the one that needs the fewest bits.

    Parameters
    ----------
    coders:
        A coder, or several that the sender may choose from; ``Characters("utf-8")`` if None.

    Raises
    ------
    ValueError
        If there is no coder.

    Examples
    --------
    >>> from phy import parse_text_coder
    >>> payload = TextPayload([parse_text_coder("ascii7"), parse_text_coder("huffman")])
    >>> packed = payload.pack("A dog runs.")
    >>> packed.header_bits, packed.source_bits  # 17 bits three times, and the shorter of the two
    (51, 50)
    """

    COUNT_BITS = 16

    def __init__(self, coders: TextCoder | Sequence[TextCoder] | None = None) -> None:
        given = Characters("utf-8") if coders is None else coders
        self.coders: tuple[TextCoder, ...] = tuple(given) if isinstance(given, Sequence) else (given,)
        if not self.coders:
            raise ValueError("a text payload needs at least one coder")

    @property
    def name(self) -> str:
        """Names of the coders."""
        return "|".join(coder.name for coder in self.coders)

    @property
    def _fields(self) -> tuple[int, int]:
        """Header bits of the mode and of the count."""
        return (len(self.coders) - 1).bit_length(), self.COUNT_BITS

    @property
    def header_bits(self) -> int:
        """Bits of the repeated header."""
        return REPEATS * sum(self._fields)

    def pack(self, value: str) -> Packed:
        """Write a text by the coder that needs the fewest bits.

        Raises
        ------
        ValueError
            If the text has more than 65,535 units, or something that none of the coders can express.
        """
        coded, count, mode = self._shortest(value)
        if count >= 1 << self.COUNT_BITS:
            raise ValueError(f"a text may have at most 65535 {self.coders[mode].unit}s, got {count}")
        width = sum(self._fields)
        number = mode << self.COUNT_BITS | count
        header = torch.tensor([number >> (width - 1 - i) & 1 for i in range(width)], dtype=torch.uint8)
        notes: dict[str, int | str] = {"coder": self.coders[mode].name}
        return Packed(torch.cat([protect(header), coded]), coded.numel(), self.header_bits, 0, notes)

    def _shortest(self, text: str) -> tuple[torch.Tensor, int, int]:
        found, errors = [], []
        for mode, coder in enumerate(self.coders):
            try:
                coded, count = coder.encode(text)
                found.append((coded, count, mode))
            except ValueError as error:
                errors.append(error)
        if not found:
            raise errors[0]
        return min(found, key=lambda each: each[0].numel())

    def unpack(self, arrived: Arrived) -> Unpacked[str]:
        """Read a text, misspelt where bits are wrong and cut where the count claims more than arrived."""
        (mode, count), coded = vote(arrived.bits, self._fields)
        if mode >= len(self.coders):
            return Unpacked("", f"header damaged: coder {mode} of {len(self.coders)}")
        text, remark = self.coders[mode].decode(coded, count)
        checked = "check sum wrong" if arrived.intact is False else ""
        return Unpacked(text, "; ".join(filter(None, (remark, checked))))
