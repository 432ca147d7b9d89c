"""How a payload travels: as bits over codes and constellations (`bridge.air.analog`: as real numbers).

A carriage makes the parts of a transmission out of a packed payload, and what arrived of it out of a
reception::

    Digital    bits -> [a transport block a scheme] -> links -> bits, LLRs, verdict
    Multiplex  bits of several payloads -> one transport block -> link -> bits of each
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from typing import Protocol

import torch

from bridge.air.ledger import Entry
from bridge.air.schemes import Scheme, header_repeats, transport_block
from bridge.air.transmission import Part, Reception, SymbolPart, part_over_link
from bridge.payloads.packed import Arrived, Packed
from phy.channels.channel import Channel
from phy.coding.decoding import Decoding
from phy.coding.transport.format import TransportFormat
from phy.links.digital import DigitalLink
from phy.modulation import Modulation
from phy.units import BudgetExceeded

__all__ = ["Carriage", "Digital", "Fill", "Multiplex"]

_HIGHEST_RATE = Fraction(19, 20)  # of 5G LDPC, TS 38.214, clause 5.1.3


class Carriage(Protocol):
    """Whatever brings a packed payload over a channel."""

    @property
    def name(self) -> str:
        """Name, as it stands in results."""

    @property
    def header_repeats(self) -> int:
        """How often a payload should write its header: once where a code protects it, else three times."""

    def parts(
        self, name: str, packed: Packed, channel_uses: int | None = None
    ) -> tuple[Part | SymbolPart, ...]:
        """Lay a payload on links, in at most ``channel_uses`` if given.

        Raises
        ------
        ValueError
            If it does not fit, or the payload has what this carriage does not carry.
        """

    def collect(self, name: str, reception: Reception, count: int = 0) -> Arrived:
        """Gather what arrived of the payload laid on links under this name.

        ``count`` is the number of real values that a payload sends as they are, which both ends know.
        """


@dataclass(frozen=True)
class Fill:
    """A constellation and a code whose rate is chosen so that a payload fills its channel uses exactly.

    Attributes
    ----------
    modulation:
        Name of the constellation (`phy.modulation`).
    code:
        As in `bridge.air.schemes.Scheme`.

    Examples
    --------
    >>> form, scheme = Fill("qpsk").format(payload_bits=476, channel_uses=500)
    >>> scheme.rate  # 476 bits, and room for a check sum of 24, in 1,000 coded bits
    Fraction(1, 2)
    """

    modulation: str
    code: str = "ldpc5g"

    @property
    def name(self) -> str:
        """The constellation."""
        return self.modulation

    def format(self, payload_bits: int, channel_uses: int) -> tuple[TransportFormat, Scheme]:
        """Transport block that carries ``payload_bits`` in exactly ``channel_uses``.

        Raises
        ------
        BudgetExceeded
            If even the highest rate does not do.
        """
        bits_per_symbol = Modulation(self.modulation).bits_per_symbol
        highest = Fraction(1) if self.code == "none" else _HIGHEST_RATE
        rate = Fraction(payload_bits + 24, max(channel_uses, 1) * bits_per_symbol)
        scheme = Scheme(highest if self.code == "none" else min(rate, highest), self.modulation, self.code)
        cut = replace(scheme, rate=highest).format_for_payload(payload_bits)
        least = cut.blocks * math.ceil(
            cut.block_bits / (highest * bits_per_symbol)
        )  # no block above the rate
        if channel_uses < least:
            raise BudgetExceeded(
                f"{payload_bits} bits take at least {least} channel uses of {self.modulation}, "
                f"more than the {channel_uses} given"
            )
        form = TransportFormat.fixed(
            payload_bits, channel_uses, bits_per_symbol, float(scheme.rate), code=self.code
        )
        return form, scheme


@dataclass(frozen=True)
class Digital:
    """Bits over a channel code and a constellation, or over several for unequal error protection.

    Attributes
    ----------
    channel:
        What all symbols pass.
    schemes:
        One scheme for all bits, or one a bit plane, the most important first: the header and the first
        plane take the first scheme, and the planes that are left over the last. `Fill` in place of a single
        scheme chooses the rate by the channel uses.
    decoding:
        As in `bridge.air.schemes.transport_block`.

    Raises
    ------
    ValueError
        If there is no scheme.

    Examples
    --------
    >>> from bridge.air.schemes import parse_schemes
    >>> from phy.channels.flat import AWGN
    >>> link = Digital(AWGN(), parse_schemes("1/2-qam16"))
    >>> packed = Packed(torch.ones(476, dtype=torch.uint8), source_bits=476, header_bits=0, filler_bits=0)
    >>> link.parts("bits", packed)[0].entries[0].channel_uses  # 476 bits and a check sum of 16, 2 a symbol
    246
    """

    channel: Channel
    schemes: tuple[Scheme, ...] | Fill
    decoding: Decoding = field(default_factory=Decoding)

    def __post_init__(self) -> None:
        if not isinstance(self.schemes, Fill) and not self.schemes:
            raise ValueError("a digital carriage needs at least one scheme")

    @property
    def name(self) -> str:
        """Schemes, joined by ``|``."""
        fill = self.schemes
        return fill.name if isinstance(fill, Fill) else "|".join(scheme.name for scheme in fill)

    @property
    def header_repeats(self) -> int:
        """See `Carriage.header_repeats`; the header goes with the first scheme."""
        first = self.schemes if isinstance(self.schemes, Fill) else self.schemes[0]
        return header_repeats(first.code)

    def parts(self, name: str, packed: Packed, channel_uses: int | None = None) -> tuple[Part, ...]:
        """Lay the bits on one transport block a scheme; see `Carriage.parts`."""
        if packed.values is not None:
            raise ValueError(f"payload {name!r} has real numbers to send, which takes an analog carriage")
        if isinstance(self.schemes, Fill):
            if channel_uses is None:
                raise ValueError(f"{self.schemes.name} without a rate needs a number of channel uses to fill")
            form, scheme = self.schemes.format(packed.bits.numel(), channel_uses)
            return (self._part(name, packed, form, scheme),)
        made = tuple(
            self._part(f"{name}/{index}" if len(self.schemes) > 1 else name, section, form, scheme)
            for index, (section, form, scheme) in enumerate(self._sections(packed))
        )
        total = sum(entry.channel_uses for part in made for entry in part.entries)
        if channel_uses is not None and total > channel_uses:
            raise BudgetExceeded(
                f"payload {name!r} takes {total} channel uses by {self.name}, "
                f"more than the {channel_uses} given"
            )
        return made

    def _sections(self, packed: Packed) -> list[tuple[Packed, TransportFormat, Scheme]]:
        if isinstance(self.schemes, Fill):
            return []
        if len(self.schemes) == 1:
            scheme = self.schemes[0]
            return [(packed, scheme.format_for_payload(packed.bits.numel()), scheme)]
        found = []
        for index, (bits, scheme) in enumerate(
            zip(packed.sections(len(self.schemes)), self.schemes, strict=True)
        ):
            header = packed.header_bits if index == 0 else 0
            last = index == len(self.schemes) - 1
            filler = packed.filler_bits if last else 0
            section = Packed(bits, bits.numel() - header - filler, header, filler)
            found.append((section, scheme.format_for_payload(bits.numel()), scheme))
        return found

    def _part(self, name: str, packed: Packed, form: TransportFormat, scheme: Scheme) -> Part:
        return part_over_link(name, packed, form, self.link(form, scheme))

    def room(self, channel_uses: int) -> int:
        """Payload bits that a carriage with one scheme takes in exactly ``channel_uses``.

        Raises
        ------
        ValueError
            If it has not one scheme, or they are too few for anything.
        """
        if isinstance(self.schemes, Fill) or len(self.schemes) > 1:
            raise ValueError(f"only a single scheme says how many bits it carries, got {self.name}")
        return self.schemes[0].format_for_channel_uses(channel_uses).payload_bits

    def link(self, form: TransportFormat, scheme: Scheme) -> DigitalLink:
        """Build the link of one transport block."""
        block = transport_block(form, scheme.code, self.decoding)
        return DigitalLink(block, Modulation(scheme.modulation), self.channel)

    def collect(self, name: str, reception: Reception, count: int = 0) -> Arrived:
        """Join the bits of all schemes; see `Carriage.collect`."""
        if name in reception.arrived:
            whole = reception.arrived[name]
            return replace(whole, header_intact=whole.intact)
        planes = 0 if isinstance(self.schemes, Fill) else len(self.schemes)
        pieces = [reception.arrived[f"{name}/{index}"] for index in range(planes)]
        soft = [piece.llr for piece in pieces if piece.llr is not None]
        verdicts = [piece.intact for piece in pieces]
        return Arrived(
            bits=torch.cat([piece.bits for piece in pieces]),
            llr=torch.cat(soft) if len(soft) == len(pieces) else None,
            intact=None if None in verdicts else all(verdicts),
            header_intact=verdicts[0],
        )


@dataclass(frozen=True)
class Multiplex:
    """Several payloads in one transport block, one after the other.

    The block has one check sum and one end; its channel uses are charged to the payloads by their bits.

    Attributes
    ----------
    link:
        A digital carriage with one scheme, or one that fills its channel uses.

    Examples
    --------
    >>> from phy.channels.flat import AWGN
    >>> long, short = (Packed(torch.ones(size, dtype=torch.uint8), size, 0, 0) for size in (300, 100))
    >>> (part,) = Multiplex(Digital(AWGN(), Fill("qpsk"))).parts([("a", long), ("b", short)], 400)
    >>> [(entry.payload, entry.channel_uses) for entry in part.entries]  # by their bits
    [('a', 300), ('b', 100)]
    """

    link: Digital

    def parts(
        self, payloads: Sequence[tuple[str, Packed]], channel_uses: int | None = None
    ) -> tuple[Part, ...]:
        """Lay payloads, named, on one link.

        Raises
        ------
        ValueError
            If there are several schemes, or a payload is not made of bits alone.
        """
        schemes = self.link.schemes
        if not isinstance(schemes, Fill) and len(schemes) > 1:
            raise ValueError(f"one transport block takes one scheme, got {self.link.name}")
        whole = Packed(
            torch.cat([packed.bits for _, packed in payloads]),
            *(sum(getattr(packed, kind) for _, packed in payloads) for kind in _KINDS),
        )
        if any(packed.values is not None for _, packed in payloads):
            raise ValueError("only payloads of bits can share a transport block")
        (part,) = self.link.parts("multiplex", whole, channel_uses)
        sizes = [packed.bits.numel() for _, packed in payloads]
        total = part.entries[0]
        filler = _shares(total.filler_bits - whole.filler_bits, sizes)
        crc, coded = _shares(total.crc_bits, sizes), _shares(total.coded_bits, sizes)
        uses = _shares(total.channel_uses, sizes)
        entries = tuple(
            Entry(
                name, packed.source_bits, packed.header_bits, packed.filler_bits + extra, check, bits, share
            )
            for (name, packed), extra, check, bits, share in zip(
                payloads, filler, crc, coded, uses, strict=True
            )
        )
        return (Part(part.name, part.bits, part.link, entries),)

    def collect(self, names: Sequence[str], sizes: Sequence[int], reception: Reception) -> dict[str, Arrived]:
        """Cut what arrived into payloads of ``sizes`` bits, which both ends know."""
        arrived = reception.arrived["multiplex"]
        soft = [None] * len(sizes) if arrived.llr is None else torch.split(arrived.llr, list(sizes))
        return {
            name: Arrived(bits, llr, arrived.intact, arrived.intact)
            for name, bits, llr in zip(names, torch.split(arrived.bits, list(sizes)), soft, strict=True)
        }


_KINDS = ("source_bits", "header_bits", "filler_bits")


def _shares(total: int, weights: Sequence[int]) -> list[int]:
    """Split a whole number by weights, exactly; equal weights get equal shares but for the remainder."""
    bounds, running, whole = [0], 0, sum(weights)
    for weight in weights:
        running += weight
        bounds.append(total * running // whole)
    return [high - low for low, high in pairwise(bounds)]
