"""Payloads onto links and back: the one place where bits meet a channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch

from bridge.air.ledger import Entry, Ledger
from bridge.payloads.packed import Arrived, Packed
from phy.coding.transport.block import TransportFormat
from phy.links.analog import AnalogLink
from phy.links.digital import BitReception, DigitalLink
from phy.random import Stream
from phy.units import EsN0

__all__ = [
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


class BitLink(Protocol):
    """Whatever carries bits: a `DigitalLink`, or the ideal link of a bound."""

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
    """Everything a source sends, each payload on its own (orthogonal) channel uses.

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

    The n-th part draws its fading and noise from the n-th child of each stream, whatever the system, so
    that compared systems meet the same channel.

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
    bits: list[dict[str, Arrived]] = [{} for _ in streams]
    symbols: list[dict[str, ArrivedSymbols]] = [{} for _ in streams]
    for index, part in enumerate(transmission.parts):
        own = [stream.child("payload", index) for stream in streams]
        if isinstance(part, SymbolPart):
            heard = part.link(part.symbols.expand(len(streams), -1), snr, own)
            for trial, row in enumerate(symbols):
                row[part.name] = ArrivedSymbols(heard.symbols[trial], heard.no[trial])
            continue
        received = part.link(part.bits.expand(len(streams), -1), snr, own)
        for trial, arrived in enumerate(bits):
            arrived[part.name] = Arrived(
                bits=received.bits[trial],
                llr=None if received.llr is None else received.llr[trial],
                intact=None if received.crc_ok is None else bool(received.crc_ok[trial]),
            )
    return [
        Reception(a, transmission.shape, transmission.count, b) for a, b in zip(bits, symbols, strict=True)
    ]
