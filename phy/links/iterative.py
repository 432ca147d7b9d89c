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

import numpy as np
import torch

from phy.bits import pad
from phy.channels.channel import Channel, SymbolReception
from phy.coding.code import Decoded, check_llr
from phy.coding.ldpc.compiled import CompiledLDPC5G
from phy.coding.ldpc.sionna import bit_interleave
from phy.links.digital import BitReception
from phy.modulation import Modulation
from phy.random import Stream
from phy.units import EsN0

__all__ = ["IterativeLink", "SoftDecoded", "decode_coded"]

_CLIP = 20.0  # of `CompiledLDPC5G`, in floating point
_CERTAIN = -40.0  # filler is zero; e^-40 is nothing beside 1 in float32


@dataclass(frozen=True)
class SoftDecoded:
    """A decoder's view of the coded bits beside its decisions.

    Attributes
    ----------
    bits, llr:
        As from `CompiledLDPC5G.decode`: ``[batch, k]``, ``torch.uint8`` and ``torch.float32``.
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


def decode_coded(code: CompiledLDPC5G, llr: torch.Tensor) -> SoftDecoded:
    """Decode ``[batch, n]`` LLRs with soft output of all coded bits.

    The a-posteriori LLR of coded bit i is ``llr[:, i] + extrinsic[:, i]``.

    Parameters
    ----------
    code:
        Its decoder starts afresh at every call: messages of an earlier one are not kept.
    llr:
        Channel LLRs log p(b=1)/p(b=0), ``torch.float32``.

    Raises
    ------
    ValueError
        If the shape is another, or a value is NaN or infinite.
    """
    llr = check_llr(llr, code.n)
    channel = code.variables(llr)
    outcome = code.propagation.decode(channel, soft=True)
    soft = torch.from_numpy(outcome.soft)
    form = code.propagation.fixed_point
    if form is None:
        taken = channel.clip(-_CLIP, _CLIP)
    else:
        taken = np.rint(channel * form.scale).clip(-form.largest, form.largest) / np.float32(form.scale)
    # Messages of the checks, and the sum of a bit's copies before the decoder limits it.
    by_bit = (soft - torch.from_numpy(taken) + torch.from_numpy(channel))[:, code.places]
    if code.bits_per_symbol is not None:
        by_bit = bit_interleave(by_bit, code.bits_per_symbol)
    return SoftDecoded(
        bits=torch.from_numpy(outcome.bits)[:, code.information],
        llr=soft[:, code.information].clamp(-_CLIP, _CLIP),
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
        If ``turns`` is not positive.

    Examples
    --------
    >>> code = CompiledLDPC5G(512, 1024, bits_per_symbol=4)
    >>> link = IterativeLink(code, Modulation("qam16-natural"), AWGN(), turns=8)  # doctest: +SKIP
    >>> reception = link(bits, EsN0(6.0), Stream(1).batch(range(8)))              # doctest: +SKIP
    """

    code: CompiledLDPC5G
    modulation: Modulation
    channel: Channel
    turns: int = 4

    def __post_init__(self) -> None:
        if self.turns < 1:
            raise ValueError(f"turns must be at least 1, got {self.turns}")

    @property
    def name(self) -> str:
        """Names of the three parts and the number of turns, as they stand in results."""
        parts = (self.code.name, self.modulation.name, self.channel.name)
        return " / ".join(parts) + f" / {self.turns} turns"

    @property
    def channel_uses(self) -> int:
        """Complex channel uses of one block, filler included: ceil(n / m)."""
        return -(-self.code.n // self.modulation.bits_per_symbol)

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
        padded, _ = pad(self.code.encode(bits), self.channel_uses * self.modulation.bits_per_symbol)
        reception = self.channel(self.modulation.map(padded), snr, streams)
        decoded = self.receive(reception)
        return BitReception(decoded.bits, self.channel_uses, reception.no, decoded.llr)

    def receive(self, reception: SymbolReception) -> Decoded:
        """Demap and decode ``[batch, channel_uses]`` symbols, each row until its parity checks hold."""
        n, filler = self.code.n, self.channel_uses * self.modulation.bits_per_symbol - self.code.n
        llr = self.modulation.demap(reception.symbols, reception.no)
        result = decode_coded(self.code, llr[:, :n])
        bits, soft = result.bits, result.llr
        rows = torch.nonzero(~result.satisfied)[:, 0]
        prior = result.extrinsic[rows]
        for _ in range(self.turns - 1):
            if not len(rows):
                break
            known = torch.nn.functional.pad(prior, (0, filler), value=_CERTAIN)
            llr = self.modulation.demap(reception.symbols[rows], reception.no[rows], known)
            result = decode_coded(self.code, llr[:, :n])
            bits[rows], soft[rows] = result.bits, result.llr
            rows, prior = rows[~result.satisfied], result.extrinsic[~result.satisfied]
        return Decoded(bits, soft)
