"""Bit-interleaved coded modulation with iterative demapping (BICM-ID).

::

    channel -> demapper -> deinterleaver -> decoder -> bits
                  ^                            |
                  +------- interleaver <-------+   extrinsic LLRs of the coded bits

A demapper that knows something of the other bits of a symbol has fewer points to tell apart. Li and Ritcey,
"Bit-interleaved coded modulation with iterative decoding", IEEE Commun. Lett. 1(6), 1997; ten Brink, Speidel
and Yan, "Iterative demapping and decoding for multilevel modulation", GLOBECOM 1998.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from phy.channels.channel import Channel, SymbolReception
from phy.coding.code import Decoded, check_llr, describe_code
from phy.coding.ldpc.ldpc5g import LDPC5G
from phy.lazily import torch
from phy.links.digital import BitReception
from phy.links.passage import Passage
from phy.modulation import Modulation
from phy.random import Stream
from phy.units import EsN0

__all__ = ["IterativeLink", "SoftDecoded", "decode_coded"]


@dataclass(frozen=True)
class SoftDecoded:
    """A decoder's view of the coded bits beside its decisions.

    Attributes
    ----------
    bits, llr:
        As from `LDPC5G.decode`: ``[batch, k]``, ``torch.uint8`` and ``torch.float32``.
    extrinsic:
        What the code says of each coded bit without the LLR that came in for it, log p(b=1)/p(b=0),
        ``[batch, n]``, ``torch.float32``. The other copies of a repeated bit are part of it.
    satisfied:
        Whether all parity checks hold, ``[batch]``, ``torch.bool``.
    """

    bits: torch.Tensor
    llr: torch.Tensor
    extrinsic: torch.Tensor
    satisfied: torch.Tensor


def decode_coded(code: LDPC5G, llr: torch.Tensor) -> SoftDecoded:
    """Decode ``[batch, n]`` LLRs with soft output of all coded bits.

    The a-posteriori LLR of coded bit i is ``llr[:, i] + extrinsic[:, i]``.

    Parameters
    ----------
    code:
        Decoded by the compiled engine. It starts afresh at every call: earlier messages are not kept.
    llr:
        Channel LLRs log p(b=1)/p(b=0), ``torch.float32``.

    Raises
    ------
    ValueError
        If the shape is another, a value is NaN, or another engine decodes the code.

    Examples
    --------
    >>> code = LDPC5G(100, 200)
    >>> word = code.encode(torch.tensor([50 * [0, 1]], dtype=torch.uint8))
    >>> llr = 4.0 * word - 2.0
    >>> llr[:, :20] = 0.0  # the others say what these bits are
    >>> bool(((decode_coded(code, llr).extrinsic[:, :20] > 0) == word[:, :20]).all())
    True
    """
    llr = check_llr(llr, code.n)
    decoder, clip = code.compiled, code.decoding.clip
    channel = decoder.heard.variables(llr).numpy()
    outcome = decoder.propagation.decode(channel, soft=True)
    soft = torch.from_numpy(outcome.soft)
    form = code.decoding.fixed_point
    if form is None:
        taken = channel.clip(-clip, clip)
    else:
        taken = np.rint(channel * form.scale).clip(-form.largest, form.largest) / np.float32(form.scale)
    # Messages of the checks, and the sum of a bit's copies before the decoder limits it.
    by_bit = (soft - torch.from_numpy(taken) + torch.from_numpy(channel))[:, decoder.heard.places]
    information = decoder.heard.information
    return SoftDecoded(
        bits=torch.from_numpy(outcome.bits)[:, information],
        llr=soft[:, information].clamp(-clip, clip),
        extrinsic=by_bit - llr,
        satisfied=torch.from_numpy(outcome.satisfied),
    )


@dataclass(frozen=True)
class IterativeLink:
    """A `phy.links.digital.DigitalLink` whose receiver demaps and decodes in turns.

    Filler behind the coded bits is known to be zero from the second turn on. A row whose parity checks hold
    is finished. Min-sum decoders believe too much in what they pass on; sum-product, or normalised min-sum,
    suits a demapper better.

    Parameters
    ----------
    code, modulation, channel:
        What a row passes through. With ``bits_per_symbol`` the code's own interleaver (TS 38.212, clause
        5.4.2.2) spreads the bits of a symbol over the block.
    turns:
        Most passes through demapper and decoder; 1 is `phy.links.digital.DigitalLink`. The decoder runs up
        to its own iterations in each.

    Raises
    ------
    ValueError
        If ``turns`` is not positive, another engine decodes the code, or it interleaves its bits for symbols
        of another size.

    Examples
    --------
    >>> from phy.channels.flat import AWGN
    >>> from phy.random import bits
    >>> code = LDPC5G(128, 256, bits_per_symbol=4)
    >>> once, often = (IterativeLink(code, Modulation("qam16-natural"), AWGN(), turns) for turns in (1, 8))
    >>> streams = Stream(1).batch(range(40))
    >>> sent = bits([stream.child("bits") for stream in streams], 128)
    >>> [int((link(sent, EsN0(7.5), streams).bits != sent).any(dim=1).sum()) for link in (once, often)]
    [15, 2]
    """

    code: LDPC5G
    modulation: Modulation
    channel: Channel
    turns: int = 4

    def __post_init__(self) -> None:
        if self.turns < 1:
            raise ValueError(f"turns must be at least 1, got {self.turns}")
        _ = self.code.compiled  # which says so if there is none
        self._passage.check(self.code.name, self.code.bits_per_symbol)

    @property
    def _passage(self) -> Passage:
        return Passage(self.modulation, self.channel)

    @property
    def name(self) -> str:
        """Names of the three parts and the number of turns, as they stand in results."""
        parts = (self.code.name, self.modulation.name, self.channel.name)
        return " / ".join(parts) + f" / {self.turns} turns"

    @property
    def k(self) -> int:
        """Information bits of one block."""
        return self.code.k

    def describe(self) -> dict[str, Any]:
        """What the errors of the link depend on, SNR and streams apart."""
        return {"code": describe_code(self.code), **self._passage.describe(), "turns": self.turns}

    @property
    def channel_uses(self) -> int:
        """Complex channel uses of one block, filler included: ceil(n / m)."""
        return self._passage.channel_uses(self.code.n)

    @property
    def filler_bits(self) -> int:
        """Zeros appended to the coded bits of one block."""
        return self._passage.filler_bits(self.code.n)

    @property
    def bits_per_use(self) -> float:
        """Information bits a channel use, k / channel_uses: what turns Es/N0 into Eb/N0."""
        return self.code.k / self.channel_uses

    def __call__(self, bits: torch.Tensor, snr: EsN0, streams: Sequence[Stream]) -> BitReception:
        """Send one block a row.

        Parameters
        ----------
        bits:
            Information bits, ``[batch, k]``, ``torch.uint8``.
        snr:
            Es/N0 a channel use.
        streams:
            One a row: fading and noise, the same as of a `phy.links.digital.DigitalLink`.

        Raises
        ------
        ValueError
            If the bits are not ``[batch, k]`` zeros and ones, or there is not one stream a row.
        """
        reception = self._passage.send(self.code.encode(bits), snr, streams)
        decoded = self.receive(reception)
        return BitReception(decoded.bits, self.channel_uses, reception.no, decoded.llr)

    def receive(self, reception: SymbolReception) -> Decoded:
        """Demap and decode ``[batch, channel_uses]`` symbols, each row until its parity checks hold."""
        n = self.code.n
        result = decode_coded(self.code, self._passage.demap(reception, n))
        bits, soft = result.bits, result.llr
        rows = torch.nonzero(~result.satisfied)[:, 0]
        prior = result.extrinsic[rows]
        for _ in range(self.turns - 1):
            if not len(rows):
                break
            left = SymbolReception(reception.symbols[rows], reception.no[rows])
            result = decode_coded(self.code, self._passage.demap(left, n, prior))
            bits[rows], soft[rows] = result.bits, result.llr
            rows, prior = rows[~result.satisfied], result.extrinsic[~result.satisfied]
        return Decoded(bits, soft)
