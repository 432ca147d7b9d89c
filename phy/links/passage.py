"""What every link of coded bits shares: over a constellation and a channel to LLRs.

::

    coded bits -> filler -> mapper -> channel -> equaliser -> demapper -> LLRs of the coded bits
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phy.bits import pad
from phy.channels.channel import Channel, SymbolReception
from phy.lazily import torch
from phy.modulation import Modulation
from phy.random import Stream
from phy.units import EsN0

__all__ = ["Passage", "check_snr"]

_CERTAIN = -40.0  # filler is zero; e^-40 is nothing beside 1 in float32


@dataclass(frozen=True)
class Passage:
    """Coded bits over a constellation and a channel.

    Coded bits are followed by zeros up to a whole number of symbols; these take part in the channel uses,
    and the receiver drops their LLRs. Symbols have unit energy on average over the points of the
    constellation, and are not rescaled to the points that a row happens to use. A constellation on the real
    axis (BPSK) meets real noise of variance N0 / 2.

    Parameters
    ----------
    modulation, channel:
        What the bits pass through.

    Examples
    --------
    >>> from phy.channels.flat import AWGN
    >>> passage = Passage(Modulation("qam16"), AWGN())
    >>> coded = torch.tensor([[1, 0, 0, 1, 1]], dtype=torch.uint8)
    >>> passage.channel_uses(5), passage.filler_bits(5)
    (2, 3)
    >>> (passage.llr(coded, EsN0(30.0), [Stream(1)]) > 0).int()
    tensor([[1, 0, 0, 1, 1]], dtype=torch.int32)
    """

    modulation: Modulation
    channel: Channel

    def describe(self) -> dict[str, str]:
        """Names of constellation, demapping and channel."""
        modulation = self.modulation
        return {
            "modulation": modulation.name,
            "demapping": modulation.demapping,
            "channel": self.channel.name,
        }

    def channel_uses(self, n: int) -> int:
        """Complex channel uses of ``n`` coded bits, filler included: ceil(n / m)."""
        return -(-n // self.modulation.bits_per_symbol)

    def filler_bits(self, n: int) -> int:
        """Zeros appended to ``n`` coded bits."""
        return self.channel_uses(n) * self.modulation.bits_per_symbol - n

    def check(self, name: str, bits_per_symbol: int | None) -> None:
        """Raise ValueError if a code interleaves its bits for symbols of another size; None is no size."""
        m = self.modulation.bits_per_symbol
        if bits_per_symbol not in (None, m):
            raise ValueError(
                f"{name} was built with bits_per_symbol={bits_per_symbol}, but {self.modulation.name} "
                f"carries {m}: build it with bits_per_symbol={m}"
            )

    def map(self, coded: torch.Tensor) -> torch.Tensor:
        """Fill up and map ``[batch, n]`` coded bits, ``torch.uint8``: ``[batch, channel_uses(n)]``."""
        n = coded.shape[-1]
        padded, _ = pad(coded, n + self.filler_bits(n))
        return self.modulation.map(padded)

    @property
    def real(self) -> bool:
        """Whether the demapper looks at real parts only (`phy.channels.channel.Channel`)."""
        return self.modulation.axes == 1

    def send(self, coded: torch.Tensor, snr: EsN0, streams: Sequence[Stream]) -> SymbolReception:
        """Send ``[batch, n]`` coded bits, ``torch.uint8``: equalised symbols ``[batch, channel_uses(n)]``.

        Raises
        ------
        ValueError
            If the SNR is no `EsN0`, or there is not one stream a row.
        """
        check_snr(snr)
        return self.channel(self.map(coded), snr, streams, real=self.real)

    def demap(self, reception: SymbolReception, n: int, prior: torch.Tensor | None = None) -> torch.Tensor:
        """LLRs log p(b=1)/p(b=0) of the ``n`` coded bits of each row, ``[batch, n]``, ``torch.float32``.

        With ``prior`` LLRs of the coded bits, ``[batch, n]``, they are extrinsic
        (`phy.modulation.Modulation.demap`), and the filler is known to be zero.
        """
        if prior is not None:
            prior = torch.nn.functional.pad(prior, (0, self.filler_bits(n)), value=_CERTAIN)
        return self.modulation.demap(reception.symbols, reception.no, prior)[:, :n]

    def llr(self, coded: torch.Tensor, snr: EsN0, streams: Sequence[Stream]) -> torch.Tensor:
        """Send ``[batch, n]`` coded bits and demap: their LLRs, ``[batch, n]``, ``torch.float32``."""
        return self.demap(self.send(coded, snr, streams), coded.shape[-1])


def check_snr(snr: object) -> None:
    """Raise ValueError unless ``snr`` is Es/N0 by type: a bare number does not say which ratio it is.

    Examples
    --------
    >>> check_snr(5.0)
    Traceback (most recent call last):
    ValueError: the SNR of a link is Es/N0, got 5.0: write EsN0(5.0), or EbN0(5.0).to_esn0(bits_per_use)
    """
    if not isinstance(snr, EsN0):
        db = getattr(snr, "db", snr)
        raise ValueError(
            f"the SNR of a link is Es/N0, got {snr!r}: "
            f"write EsN0({db!r}), or EbN0({db!r}).to_esn0(bits_per_use)"
        )
