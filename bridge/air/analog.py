"""Real numbers on I and Q, with their header as bits.

::

    header bits -> transport block -> link -> bits
    values, two a symbol, repeated -> link -> combined -> values, noise
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from fractions import Fraction

import torch

from bridge.air.carriage import Digital
from bridge.air.ledger import Entry
from bridge.air.schemes import Scheme, header_repeats
from bridge.air.transmission import Part, Reception, SymbolPart
from bridge.payloads.packed import Arrived, Packed
from phy.channels.channel import Channel
from phy.coding.decoding import Decoding
from phy.links.analog import AnalogLink
from phy.units import BudgetExceeded

__all__ = ["HEADER_SCHEME", "Analog"]

HEADER_SCHEME = Scheme(Fraction(1, 5), "qpsk")
"""What carries the header of an analog payload, unless told otherwise."""


@dataclass(frozen=True)
class Analog:
    """Real numbers on I and Q, and their header as bits.

    Two values make a symbol, one is left alone at the end of an odd number; each symbol is sent
    ``repetition`` times, a whole round after the other. The receiver combines the repetitions by their noise
    variances (maximum-ratio combining), which gains 10 log10(repetition) on AWGN.

    Attributes
    ----------
    channel:
        What all symbols pass.
    repetition:
        Times that each symbol is sent; None takes as many as the channel uses allow.
    mmse:
        Whether values are shrunk to the linear estimate of least squared error, x / (1 + variance of the
        noise on it). None does so on every channel but AWGN: where gains fade, the mean squared error of
        values that are not shrunk (zero forcing) does not exist, for E[1 / abs(h)^2] is infinite. Asking for
        these by False warns.
    header:
        Scheme of the header, which is a transport block of its own.
    decoding:
        As in `bridge.air.schemes.transport_block`.

    Raises
    ------
    ValueError
        If the repetition is below 1.

    Examples
    --------
    >>> from phy.channels.flat import AWGN
    >>> values = Packed(torch.zeros(0, dtype=torch.uint8), 0, 0, 0, values=torch.randn(768))
    >>> link = Analog(AWGN(), 2, mmse=True)
    >>> link.name, link.parts("x", values)[0].entries[0].channel_uses  # two values a symbol, sent twice
    ('analog:repeat=2+mmse', 768)
    """

    channel: Channel
    repetition: int | None = 1
    mmse: bool | None = None
    header: Scheme = HEADER_SCHEME
    decoding: Decoding = field(default_factory=Decoding)

    def __post_init__(self) -> None:
        if self.repetition is not None and self.repetition < 1:
            raise ValueError(f"repetition must be at least 1, got {self.repetition}")
        if self.caution:
            warnings.warn(self.caution, stacklevel=3)

    @property
    def name(self) -> str:
        """``analog``, ``analog:repeat=2+mmse``, ``analog:zf``."""
        repeat = "fill" if self.repetition is None else str(self.repetition)
        options = [f"repeat={repeat}"] * (self.repetition != 1)
        options += [] if self.mmse is None else ["mmse" if self.mmse else "zf"]
        return "analog" + (":" + "+".join(options) if options else "")

    @property
    def header_repeats(self) -> int:
        """See `Carriage.header_repeats`."""
        return header_repeats(self.header.code)

    @property
    def caution(self) -> str:
        """What to know before trusting a mean over what arrives; empty if nothing."""
        if self.mmse is not False or not self._fades:
            return ""
        return (
            f"{self.name} over {self.channel.name} equalises by zero forcing: its mean squared error "
            "diverges, and means over trials say nothing; leave zf away, or look at medians"
        )

    @property
    def _fades(self) -> bool:
        return self.channel.name != "awgn"

    def parts(
        self, name: str, packed: Packed, channel_uses: int | None = None
    ) -> tuple[Part | SymbolPart, ...]:
        """Lay header and values on links; see `Carriage.parts`."""
        if packed.values is None:
            raise ValueError(f"payload {name!r} is bits only, which takes a digital carriage")
        head: tuple[Part, ...] = ()
        if packed.bits.numel():
            only = Packed(packed.bits, packed.source_bits, packed.header_bits, packed.filler_bits)
            head = Digital(self.channel, (self.header,), self.decoding).parts(f"{name}/header", only)
        spent = sum(part.entries[0].channel_uses for part in head)
        symbols = _paired(packed.values)
        rounds = self._rounds(name, symbols.numel(), channel_uses, spent)
        sent = symbols.repeat(rounds)
        entry = Entry(f"{name}/values", 0, 0, 0, 0, 0, sent.numel())
        return (*head, SymbolPart(f"{name}/values", sent, AnalogLink(self.channel), (entry,)))

    def _rounds(self, name: str, symbols: int, channel_uses: int | None, spent: int) -> int:
        if self.repetition is None and channel_uses is None:
            raise ValueError("repetition to fill needs a number of channel uses")
        room = spent + symbols * (self.repetition or 1) if channel_uses is None else channel_uses
        rounds = self.repetition or max((room - spent) // symbols, 1)
        if spent + rounds * symbols > room:
            raise BudgetExceeded(
                f"payload {name!r} takes {spent} channel uses for its header and {rounds * symbols} for its "
                f"values, more than the {room} given"
            )
        return rounds

    def collect(self, name: str, reception: Reception, count: int = 0) -> Arrived:
        """Combine the repetitions and take the values off I and Q; see `Carriage.collect`."""
        heard = reception.symbols[f"{name}/values"]
        nothing = Arrived(torch.zeros(0, dtype=torch.uint8))
        head = reception.arrived.get(f"{name}/header", nothing)
        once = (count + 1) // 2
        weight = heard.no.reshape(-1, once).reciprocal()
        no = weight.sum(0).reciprocal()
        symbols = (heard.symbols.reshape(-1, once) * weight).sum(0) * no
        # A symbol of unit power carries two values of mean square 1/2; an odd number leaves one alone.
        values = torch.view_as_real(symbols).reshape(-1)[:count] * (count / once) ** 0.5
        noise = (0.5 * count / once * no).repeat_interleave(2)[:count]
        if self._fades if self.mmse is None else self.mmse:
            values = values / (1.0 + noise)
        return Arrived(head.bits, head.llr, head.intact, head.intact, values, noise)


def _paired(values: torch.Tensor) -> torch.Tensor:
    """Two values a symbol, ``[ceil(count / 2)]`` complex."""
    even = torch.nn.functional.pad(values, (0, values.numel() % 2))
    return torch.view_as_complex(even.reshape(-1, 2).contiguous())
