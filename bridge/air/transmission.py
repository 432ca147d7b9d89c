"""Payloads onto links and back: the one place where bits meet a channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch

from bridge.air.ledger import Entry, Ledger
from bridge.payloads.packed import Arrived, Packed
from phy.channels.channel import Channel, SymbolReception
from phy.coding.transport.block import TransportFormat
from phy.links.analog import AnalogLink
from phy.links.digital import BitReception, DigitalLink
from phy.links.passage import check_snr
from phy.random import Stream
from phy.units import EsN0

__all__ = [
    "LINKS",
    "Arrived",
    "ArrivedSymbols",
    "BitLink",
    "Part",
    "Reception",
    "SymbolPart",
    "Transmission",
    "part_over_link",
    "transmit",
]


LINKS = ("sequential", "orthogonal")
"""How the parts of a transmission meet the channel: one after the other in one passage over it, so that all
share its fading process, or each payload in a passage of its own, over fading and noise of its own."""


class BitLink(Protocol):
    """Whatever carries bits: a `DigitalLink`, or the ideal link of a bound.

    Only the symbols of a `DigitalLink` share a passage with others; any other link draws its own channel.
    """

    @property
    def channel_uses(self) -> int:
        """Complex channel uses of one transmission."""

    def __call__(self, bits: torch.Tensor, snr: EsN0, streams: Sequence[Stream]) -> BitReception:
        """Carry ``[batch, k]`` bits."""


@dataclass(frozen=True)
class Part:
    """Bits on a link of their own: name, bits ``[k]``, link, and the account of each payload in them."""

    name: str
    bits: torch.Tensor
    link: BitLink
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class SymbolPart:
    """Symbols on a link of their own: name, ``[N]`` complex symbols, link, account."""

    name: str
    symbols: torch.Tensor
    link: AnalogLink
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Transmission:
    """Everything a source sends, each part on channel uses of its own.

    Attributes
    ----------
    parts:
        The payloads' parts in the order of sending.
    shape:
        (height, width) of the picture, which both ends have agreed on; None without a picture.
    count:
        Length of the vector, which both ends have agreed on; None without a vector.
    notes:
        Choices that the transmitter made, for the results. The receiver never sees them.
    links:
        One of `LINKS`.

    Raises
    ------
    ValueError
        If ``links`` is none of them.

    Examples
    --------
    >>> from phy.channels.flat import AWGN
    >>> entry = Entry("pilot", 0, 0, 0, 0, 0, 4)
    >>> part = SymbolPart("pilot", torch.ones(4, dtype=torch.complex64), AnalogLink(AWGN()), (entry,))
    >>> Transmission((part,)).ledger.channel_uses
    4
    """

    parts: tuple[Part | SymbolPart, ...]
    shape: tuple[int, int] | None = None
    count: int | None = None
    notes: Mapping[str, int | str] = field(default_factory=dict)
    links: str = LINKS[0]

    def __post_init__(self) -> None:
        if self.links not in LINKS:
            raise ValueError(f"links of a transmission are {' or '.join(LINKS)}, got {self.links!r}")

    @property
    def ledger(self) -> Ledger:
        """What the transmission costs."""
        return Ledger.of(entry for part in self.parts for entry in part.entries)

    @property
    def channel_uses(self) -> int:
        """Complex channel uses that its links take, whatever the account says."""
        return sum(
            part.symbols.numel() if isinstance(part, SymbolPart) else part.link.channel_uses
            for part in self.parts
        )


@dataclass(frozen=True)
class ArrivedSymbols:
    """Symbols as they arrived in one trial.

    Attributes
    ----------
    symbols:
        ``[N]``, ``torch.complex64``, equalised, on the scale of unit power.
    no:
        Noise variance of each per complex dimension, ``[N]``.
    """

    symbols: torch.Tensor
    no: torch.Tensor


@dataclass(frozen=True)
class Reception:
    """What the receiver holds after one trial.

    Attributes
    ----------
    arrived, symbols:
        Bits, and symbols, by the name of their part.
    shape, count:
        What has been agreed on, as in `Transmission`.
    """

    arrived: Mapping[str, Arrived]
    shape: tuple[int, int] | None = None
    count: int | None = None
    symbols: Mapping[str, ArrivedSymbols] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture.

        Raises
        ------
        ValueError
            If none have been agreed on.
        """
        if self.shape is None:
            raise ValueError("a picture was sent without an agreed size")
        return self.shape

    @property
    def failed(self) -> bool:
        """Whether any check sum is wrong."""
        return any(part.intact is False for part in self.arrived.values())


def part_over_link(name: str, packed: Packed, form: TransportFormat, link: DigitalLink) -> Part:
    """Put packed bits on a link that carries them as one transport block, and write the account."""
    entry = Entry(
        payload=name,
        source_bits=packed.source_bits,
        header_bits=packed.header_bits,
        filler_bits=packed.filler_bits + form.filler_bits,
        crc_bits=form.crc_bits,
        coded_bits=form.coded_bits,
        channel_uses=link.channel_uses,
    )
    return Part(name, packed.bits, link, (entry,))


def transmit(transmission: Transmission, snr: EsN0, streams: Sequence[Stream]) -> list[Reception]:
    """Send a transmission once for every stream (trial) over its links at one SNR.

    Parts over one channel (of one type and name) pass it as one row of symbols, in the order of sending: a
    block of fading is one gain for all of them, and where gains change, they go on changing from part to
    part. Orthogonal links share a passage within each payload only, header and values for one. A passage
    draws fading and noise from the child of each stream with the number of its first part, whatever the
    system, so that compared systems meet the same channel.

    Returns
    -------
    list of Reception
        One a trial.

    Examples
    --------
    >>> from phy.channels.flat import AWGN
    >>> entry = Entry("pilot", 0, 0, 0, 0, 0, 4)
    >>> part = SymbolPart("pilot", torch.ones(4, dtype=torch.complex64), AnalogLink(AWGN()), (entry,))
    >>> heard = transmit(Transmission((part,)), EsN0(100.0), Stream(1).batch(range(2)))
    >>> [reception.symbols["pilot"].symbols.real.round(decimals=3).tolist() for reception in heard]
    [[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]
    """
    found: dict[str, BitReception | SymbolReception] = {}
    for passage in _passages(transmission):
        own = [stream.child("payload", passage.first) for stream in streams]
        found |= passage.send(snr, own)
    bits: list[dict[str, Arrived]] = [{} for _ in streams]
    symbols: list[dict[str, ArrivedSymbols]] = [{} for _ in streams]
    for part in transmission.parts:
        heard = found[part.name]
        for trial in range(len(streams)):
            if isinstance(heard, SymbolReception):
                symbols[trial][part.name] = ArrivedSymbols(heard.symbols[trial], heard.no[trial])
            else:
                bits[trial][part.name] = Arrived(
                    bits=heard.bits[trial],
                    llr=None if heard.llr is None else heard.llr[trial],
                    intact=None if heard.crc_ok is None else bool(heard.crc_ok[trial]),
                )
    return [
        Reception(a, transmission.shape, transmission.count, b) for a, b in zip(bits, symbols, strict=True)
    ]


@dataclass(frozen=True)
class _Passage:
    """Parts that pass a channel one behind the other; without a channel, a part whose link has its own."""

    first: int
    channel: Channel | None
    parts: list[Part | SymbolPart]

    def send(self, snr: EsN0, streams: Sequence[Stream]) -> dict[str, BitReception | SymbolReception]:
        """What arrives of each part, a row a stream, by its name."""
        rows = len(streams)
        if self.channel is None:
            return {
                part.name: part.link(part.bits.expand(rows, -1), snr, streams)
                for part in self.parts
                if isinstance(part, Part)
            }
        check_snr(snr)
        sent = [_modulated(part, rows) for part in self.parts]
        real = all(isinstance(part.link, DigitalLink) and part.link.real for part in self.parts)
        whole = self.channel(torch.cat(sent, dim=1), snr, streams, real=real)
        sizes = [symbols.shape[1] for symbols in sent]
        pieces = zip(torch.split(whole.symbols, sizes, 1), torch.split(whole.no, sizes, 1), strict=True)
        heard = [SymbolReception(symbols, no) for symbols, no in pieces]
        return {
            part.name: part.link.receive(each) if isinstance(part.link, DigitalLink) else each
            for part, each in zip(self.parts, heard, strict=True)
        }


def _passages(transmission: Transmission) -> list[_Passage]:
    found: dict[tuple[object, ...], _Passage] = {}
    for index, part in enumerate(transmission.parts):
        channel = part.link.channel if isinstance(part.link, DigitalLink | AnalogLink) else None
        payload = part.name.split("/")[0] if transmission.links == "orthogonal" else None
        key = (index,) if channel is None else (payload, type(channel), channel.name)
        found.setdefault(key, _Passage(index, channel, [])).parts.append(part)
    return list(found.values())


def _modulated(part: Part | SymbolPart, rows: int) -> torch.Tensor:
    """Symbols of a part as the channel is given them, one row for all trials: ``[rows, N]``."""
    if isinstance(part, SymbolPart):
        return part.link.modulate(part.symbols[None])[0].expand(rows, -1)
    if isinstance(part.link, DigitalLink):
        return part.link.modulate(part.bits[None]).expand(rows, -1)
    raise TypeError(f"the link of {part.name!r} has no symbols")
