"""Payloads onto links and back: the one place where bits meet a channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch

from bridge.ledger import Entry, Ledger
from bridge.payloads import Packed
from phy.coding.transport import TransportFormat
from phy.links import BitReception, DigitalLink
from phy.random import Stream
from phy.units import EsN0

__all__ = ["Arrived", "BitLink", "Part", "Reception", "Transmission", "part_over_link", "send"]


class BitLink(Protocol):
    """Whatever carries bits: a `DigitalLink`, or the ideal link of a bound."""

    @property
    def channel_uses(self) -> int:
        """Complex channel uses of one transmission."""

    def __call__(self, bits: torch.Tensor, snr: EsN0, streams: Sequence[Stream]) -> BitReception:
        """Carry ``[batch, k]`` bits."""


@dataclass(frozen=True)
class Part:
    """One payload of a transmission: its name, its bits ``[k]``, its link, its account."""

    name: str
    bits: torch.Tensor
    link: BitLink
    entry: Entry


@dataclass(frozen=True)
class Transmission:
    """Everything a source sends, each payload on its own (orthogonal) channel uses.

    Attributes
    ----------
    parts:
        The payloads in the order of sending.
    shape:
        (height, width) of the picture, which both ends have agreed on; None without a picture.
    notes:
        Choices that the transmitter made, for the results. The receiver never sees them.
    """

    parts: tuple[Part, ...]
    shape: tuple[int, int] | None = None
    notes: Mapping[str, int | str] = field(default_factory=dict)

    @property
    def ledger(self) -> Ledger:
        """What the transmission costs."""
        return Ledger.of(part.entry for part in self.parts)


@dataclass(frozen=True)
class Arrived:
    """One payload as it arrived in one trial.

    Attributes
    ----------
    bits:
        ``[k]``, ``torch.uint8``, right or wrong.
    llr:
        Soft values log p(b=1)/p(b=0) of the same bits; None if the decoder has none.
    intact:
        Verdict of the check sum; None without one.
    """

    bits: torch.Tensor
    llr: torch.Tensor | None
    intact: bool | None


@dataclass(frozen=True)
class Reception:
    """What the receiver holds after one trial: payloads by name, and the agreed size of the picture."""

    arrived: Mapping[str, Arrived]
    shape: tuple[int, int] | None = None


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
    return Part(name, packed.bits, link, entry)


def send(transmission: Transmission, snr: EsN0, streams: Sequence[Stream]) -> list[Reception]:
    """Send a transmission once for every stream (trial) over its links at one SNR.

    The n-th payload draws its fading and noise from the n-th child of each stream, whatever the system, so
    that compared systems meet the same channel.

    Returns
    -------
    list of Reception
        One a trial.
    """
    trials: list[dict[str, Arrived]] = [{} for _ in streams]
    for index, part in enumerate(transmission.parts):
        own = [stream.child("payload", index) for stream in streams]
        received = part.link(part.bits.expand(len(streams), -1), snr, own)
        for trial, arrived in enumerate(trials):
            arrived[part.name] = Arrived(
                bits=received.bits[trial],
                llr=None if received.llr is None else received.llr[trial],
                intact=None if received.crc_ok is None else bool(received.crc_ok[trial]),
            )
    return [Reception(arrived, transmission.shape) for arrived in trials]
