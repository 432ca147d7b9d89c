"""What a transmission cost: bits, channel uses and energy, payload by payload, nothing free."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from fractions import Fraction

__all__ = ["Entry", "Ledger"]


@dataclass(frozen=True)
class Entry:
    """The account of one payload.

    Attributes
    ----------
    payload:
        Name of the payload, or of its part: ``name/part``.
    source_bits:
        Bits that the source codec made: the compressed file, the characters.
    header_bits:
        Bits that tell the receiver how to read them: lengths, scales, modes.
    filler_bits:
        Zeros that fill the last byte, block or symbol.
    crc_bits:
        Check sums of the transport block and of its code blocks.
    coded_bits:
        Bits behind the channel encoder, as they are mapped to symbols.
    channel_uses:
        Complex channel uses.
    """

    payload: str
    source_bits: int
    header_bits: int
    filler_bits: int
    crc_bits: int
    coded_bits: int
    channel_uses: int


@dataclass(frozen=True)
class Ledger:
    """The account of a transmission.

    Attributes
    ----------
    entries:
        One a payload or part of one.

    Examples
    --------
    >>> ledger = Ledger.of([Entry("text", 800, 48, 0, 24, 1744, 872), Entry("slice", 0, 0, 0, 0, 0, 128)])
    >>> ledger.channel_uses, float(ledger.bandwidth_ratio(height=64, width=64))
    (1000, 0.08138020833333333)
    """

    entries: tuple[Entry, ...]

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Ledger:
        """Collect entries in the order in which they were sent."""
        return cls(tuple(entries))

    def of_payload(self, name: str) -> Ledger:
        """Return the entries of one payload and of its parts."""
        return Ledger.of(entry for entry in self.entries if entry.payload.split("/")[0] == name)

    @property
    def channel_uses(self) -> int:
        """Complex channel uses of all payloads together."""
        return sum(entry.channel_uses for entry in self.entries)

    @property
    def information_bits(self) -> int:
        """Source and header bits of all payloads: what Eb is counted over (filler and CRC carry nothing).

        0 if real numbers are sent as they are: these share the energy and have no bits to share it among.
        """
        if any(entry.channel_uses and not entry.coded_bits for entry in self.entries):
            return 0
        return sum(entry.source_bits + entry.header_bits for entry in self.entries)

    def bandwidth_ratio(self, height: int, width: int, channels: int = 3) -> Fraction:
        """Channel uses per source sample of a picture (CBR)."""
        return Fraction(self.channel_uses, height * width * channels)

    def rows(self) -> list[dict[str, int | str]]:
        """Entries as plain dictionaries, for storing."""
        return [asdict(entry) for entry in self.entries]
