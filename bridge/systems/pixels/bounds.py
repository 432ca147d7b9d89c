"""Bounds of separate coding: the codec with an ideal channel code, error-free at the largest possible rate.

::

    picture -> codec at the best quality within n R(SNR) bits -> (arrives) -> codec -> picture

R is the capacity of the complex AWGN channel, or the normal approximation of the largest rate at which n
channel uses can be decoded with a given error probability. No header and no check sum are charged: these
are bounds, not systems.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from bridge.air.ledger import Entry
from bridge.air.transmission import Part, Reception, Transmission
from bridge.systems.pixels.encoded import encodings_of
from bridge.systems.system import Reconstruction, Source
from phy import bits as bit_tools
from phy import theory
from phy.links.digital import BitReception
from phy.random import Stream
from phy.source.pictures.budget import SCALES, fit, restore, scaled_shape
from phy.source.pictures.codec import ImageCodec
from phy.units import EsN0

__all__ = ["ERROR_PROBABILITY", "Bound"]

ERROR_PROBABILITY = 1e-3
"""Block error probability at which the finite-length bound is taken."""

KINDS = ("capacity", "finite-length")


@dataclass(frozen=True)
class _IdealLink:
    """Delivers every bit; costs what it was told to cost."""

    channel_uses: int

    def __call__(self, bits: torch.Tensor, snr: EsN0, streams: Sequence[Stream]) -> BitReception:
        intact = torch.ones(len(bits), dtype=torch.bool)
        noise = torch.full((len(bits), self.channel_uses), snr.no)
        return BitReception(bits, self.channel_uses, symbol_no=noise, crc_ok=intact)


class Bound:
    """An image codec with an ideal code on the complex AWGN channel.

    Parameters
    ----------
    codec:
        The image codec.
    kind:
        ``capacity``: R = log2(1 + SNR). ``finite-length``: the normal approximation of Polyanskiy, Poor and
        Verdu (2010) for one block of all channel uses at error probability 1e-3.

    Examples
    --------
    >>> from phy.source.pictures.pillow import JPEG
    >>> bound = Bound("jpeg-capacity", JPEG(), "capacity")
    >>> bound.bits_per_use(4096, EsN0(0.0))
    1.0
    """

    modality = "image"
    delivers: tuple[str, ...] = ("image",)
    adapts = True
    policy = "none"

    def __init__(self, family: str, codec: ImageCodec, kind: str) -> None:
        if kind not in KINDS:
            raise ValueError(f"bound must be one of {', '.join(KINDS)}, got {kind!r}")
        self.family = family
        self.codec = codec
        self.kind = kind

    @property
    def name(self) -> str:
        """The family: a bound has no scheme."""
        return self.family

    def bits_per_use(self, channel_uses: int, snr: EsN0) -> float:
        """Information bits that an ideal code carries a channel use."""
        if self.kind == "capacity":
            return theory.capacity(snr)
        return max(theory.finite_length_rate(snr, channel_uses, ERROR_PROBABILITY), 0.0)

    def check(self, channel_uses: int) -> None:
        """Raise ValueError if there is no channel use at all."""
        if channel_uses < 1:
            raise ValueError(f"{self.name} needs at least one channel use, got {channel_uses}")

    def encode(self, source: Source, channel_uses: int | None, snr: EsN0) -> Transmission:
        """Code the picture at the best quality within the bound's bits, rounded down to bytes."""
        if channel_uses is None:
            raise ValueError(f"{self.name} needs a number of channel uses: give a bandwidth ratio")
        budget = int(channel_uses * self.bits_per_use(channel_uses, snr)) // 8
        fitted = fit(encodings_of(self.codec, source), budget)
        bits = bit_tools.from_bytes(bytes([fitted.scale_index]) + fitted.data)
        count = 8 * len(fitted.data)
        entry = Entry("picture", count, 0, 8 * budget - count, 0, 8 * budget, channel_uses)
        notes: dict[str, int | str] = {"quality": fitted.quality, "scale": str(SCALES[fitted.scale_index])}
        part = Part("picture", bits, _IdealLink(channel_uses), (entry,))
        return Transmission((part,), source.size, notes=notes)

    def decode(self, reception: Reception) -> Reconstruction:
        """Read the picture, which always arrives."""
        data = bit_tools.to_bytes(reception.arrived["picture"].bits)
        coded = self.codec.decode(data[1:], scaled_shape(reception.size, data[0]))
        return Reconstruction(restore(coded, reception.size))
