"""What links make of sentences while a corrector learns: any code and constellation over AWGN, by simulation.

A corrector learns at character error rates, not at SNRs: which SNR has which rate depends on the link. For
uncoded QPSK a formula says it (`bridge.training.texts.garbling`); for all others it is measured once, on
random characters from 32 dB down, and interpolated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F

from bridge.air.schemes import Scheme, parse_scheme, transport_block
from bridge.training.texts import garbling
from phy.channels.flat import AWGN
from phy.coding.decoding import Decoding
from phy.links.digital import DigitalLink
from phy.modulation import Modulation
from phy.random import Stream, bits
from phy.source.text.coders import Characters
from phy.units import EsN0

__all__ = ["SimulatedLink", "TextLink", "UncodedQpsk", "parse_link"]

_WIDTH = 8
_GRAIN = 64  # bits to whose multiple texts are filled up, so that blocks of few sizes are built
_PROBE = (32, 512)  # texts and bits of each SNR that is measured
_HIGHEST_DB, _STEP_DB = 32.0, 0.5
_ENOUGH = 0.5  # character error rate at which measuring ends


class TextLink(Protocol):
    """What sentences pass in training."""

    def garble(self, texts: Sequence[str], snr: EsN0, stream: Stream, coder: Characters) -> list[str]:
        """Send sentences, their lengths being known at the receiver; as `garbling.garble`."""

    def snr_for(self, cer: float) -> EsN0:
        """Es/N0 at which so many 8-bit characters are wrong; as `garbling.snr_for`."""


class UncodedQpsk:
    """QPSK without a code, whose error rate is known in closed form (`bridge.training.texts.garbling`)."""

    garble = staticmethod(garbling.garble)
    snr_for = staticmethod(garbling.snr_for)


class SimulatedLink:
    """A code and a constellation over AWGN: a transport block a sentence, decided bits, right or wrong.

    Parameters
    ----------
    scheme:
        As in `bridge.air.schemes.parse_scheme`; check sums and scrambling are those of the systems.

    Examples
    --------
    >>> link = SimulatedLink(parse_scheme("1-qpsk"))
    >>> abs(link.snr_for(0.05).db - UncodedQpsk.snr_for(0.05).db) < 0.3
    True
    """

    def __init__(self, scheme: Scheme) -> None:
        self.scheme = scheme
        snrs, rates = zip(*self._measure(), strict=True)
        self._snrs, self._rates = np.array(snrs), np.maximum.accumulate(rates)

    def garble(self, texts: Sequence[str], snr: EsN0, stream: Stream, coder: Characters) -> list[str]:
        """Send sentences, a transport block each, their lengths being known at the receiver.

        Parameters
        ----------
        texts, coder:
            As for `garbling.garble`.
        snr:
            Es/N0 a channel use.
        stream:
            Noise; a child of it each.
        """
        coded = [coder.encode(text) for text in texts]
        longest = max((sent.numel() for sent, _ in coded), default=0)
        if not longest:
            return list(texts)
        size = -(-longest // _GRAIN) * _GRAIN
        rows = torch.stack([F.pad(sent, (0, size - sent.numel())) for sent, _ in coded])
        decided = self._sent(rows, snr, stream)
        return [
            coder.decode(row[: sent.numel()], count)[0]
            for row, (sent, count) in zip(decided, coded, strict=True)
        ]

    def snr_for(self, cer: float) -> EsN0:
        """Es/N0 at which so many 8-bit characters are wrong, between those that were measured."""
        return EsN0(float(np.interp(cer, self._rates, self._snrs)))

    def _sent(self, rows: torch.Tensor, snr: EsN0, stream: Stream) -> torch.Tensor:
        form = self.scheme.format_for_payload(rows.shape[1])
        block = transport_block(form, self.scheme.code, Decoding())
        link = DigitalLink(block, Modulation(self.scheme.modulation), AWGN())
        filled = F.pad(rows, (0, link.k - rows.shape[1]))
        return link(filled, snr, stream.batch(range(len(rows)))).bits[:, : rows.shape[1]]

    def _measure(self) -> Iterator[tuple[float, float]]:
        """SNRs in decibels, falling, and their character error rates."""
        count, size = _PROBE
        stream, snr_db, rate = Stream(1, "probe"), _HIGHEST_DB, 0.0
        sent = bits(stream.child("bits").batch(range(count)), size)
        while rate < _ENOUGH:
            wrong = (self._sent(sent, EsN0(snr_db), stream) != sent).reshape(-1, _WIDTH).any(dim=1)
            rate = float(wrong.double().mean())
            yield snr_db, rate
            snr_db -= _STEP_DB


def parse_link(text: str) -> TextLink:
    """Read a single scheme, such as ``1-qpsk`` or ``conv:1/2-qpsk``, as a link of sentences.

    Raises
    ------
    ValueError
        If it is none.
    """
    scheme = parse_scheme(text)
    return UncodedQpsk() if (scheme.code, scheme.modulation) == ("none", "qpsk") else SimulatedLink(scheme)
