"""Links: a whole chain from bits to bits, or from symbols to symbols, as one object.

::

    DigitalLink   bits -> code -> filler -> mapper -> channel -> equaliser -> demapper -> decoder -> bits
    AnalogLink    symbols -> unit power per row -> channel -> equaliser -> symbols
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from phy.channels.channel import Channel, SymbolReception
from phy.coding.code import Code, describe_code
from phy.lazily import torch
from phy.links.passage import Passage, check_snr
from phy.modulation import Modulation
from phy.random import Stream
from phy.units import EsN0

__all__ = ["BitReception", "DigitalLink"]


@dataclass(frozen=True)
class BitReception:
    """What a digital link delivers, right or wrong.

    Attributes
    ----------
    bits:
        Decided information bits, ``[batch, k]``, ``torch.uint8``.
    channel_uses:
        Complex channel uses of one row.
    symbol_no:
        Noise variance of every symbol after equalisation, ``[batch, channel_uses]``, ``torch.float32``.
    llr:
        Soft values log p(b=1)/p(b=0) of `bits`, ``[batch, k]``, ``torch.float32``; None if the decoder gives
        none.
    crc_ok:
        The receiver's own verdict on a row, ``[batch]``, ``torch.bool``; None if the code has no check sum.
    block_ok:
        The same for each code block of a row, ``[batch, blocks]``, ``torch.bool``; None if the code is not
        made of blocks.
    """

    bits: torch.Tensor
    channel_uses: int
    symbol_no: torch.Tensor
    llr: torch.Tensor | None = None
    crc_ok: torch.Tensor | None = None
    block_ok: torch.Tensor | None = None


@dataclass(frozen=True)
class DigitalLink:
    """Channel code, modulation and channel in a row.

    Parameters
    ----------
    code, modulation, channel:
        What a row passes through; `phy.links.passage.Passage` tells how symbols are filled.

    Raises
    ------
    ValueError
        If the code interleaves its bits for symbols of another size.

    Examples
    --------
    >>> from phy.channels.flat import AWGN
    >>> from phy.coding.ldpc.ldpc5g import LDPC5G
    >>> from phy.random import bits
    >>> link = DigitalLink(LDPC5G(128, 252, bits_per_symbol=6), Modulation("qam64"), AWGN())
    >>> streams = Stream(1).batch(range(8))
    >>> sent = bits([stream.child("bits") for stream in streams], link.code.k)
    >>> bool((link(sent, EsN0(15.0), streams).bits == sent).all())
    True
    """

    code: Code
    modulation: Modulation
    channel: Channel

    def __post_init__(self) -> None:
        self._passage.check(self.code.name, getattr(self.code, "bits_per_symbol", None))

    @property
    def _passage(self) -> Passage:
        return Passage(self.modulation, self.channel)

    @property
    def name(self) -> str:
        """Names of the three parts, as they stand in results."""
        return f"{self.code.name} / {self.modulation.name} / {self.channel.name}"

    @property
    def k(self) -> int:
        """Information bits of one block."""
        return self.code.k

    def describe(self) -> dict[str, Any]:
        """What the errors of the link depend on, SNR and streams apart."""
        return {"code": describe_code(self.code), **self._passage.describe()}

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

    @property
    def real(self) -> bool:
        """Whether the demapper looks at real parts only (`phy.channels.channel.Channel`)."""
        return self._passage.real

    def modulate(self, bits: torch.Tensor) -> torch.Tensor:
        """Encode and map ``[batch, k]`` bits: what the channel is given, ``[batch, channel_uses]``.

        Raises
        ------
        ValueError
            If the bits have another shape.
        """
        if bits.ndim != 2 or bits.shape[-1] != self.code.k:
            raise ValueError(
                f"{self.code.name} takes bits of shape [batch, {self.code.k}], got {tuple(bits.shape)}"
            )
        return self._passage.map(self.code.encode(bits.to(self.modulation.device)))

    def receive(self, reception: SymbolReception) -> BitReception:
        """Demap and decode what the channel made of `modulate`'s symbols."""
        decoded = self.code.decode(self._passage.demap(reception, self.code.n))
        return BitReception(
            bits=decoded.bits,
            channel_uses=self.channel_uses,
            symbol_no=reception.no,
            llr=decoded.llr,
            crc_ok=decoded.crc_ok,
            block_ok=decoded.block_ok,
        )

    def __call__(self, bits: torch.Tensor, snr: EsN0, streams: Sequence[Stream]) -> BitReception:
        """Send one block a row.

        Parameters
        ----------
        bits:
            Information bits, ``[batch, k]``, ``torch.uint8``.
        snr:
            Es/N0 a channel use.
        streams:
            One a row: fading and noise.

        Raises
        ------
        ValueError
            If the bits do not have the shape ``[batch, k]``, the SNR is no `EsN0`, or there is not one stream
            a row.
        """
        symbols = self.modulate(bits)
        check_snr(snr)
        return self.receive(self.channel(symbols, snr, streams, real=self.real))
