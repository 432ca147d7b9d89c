"""Coded bits over a binary channel, without a constellation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from phy.channels.binary import BitChannel
from phy.coding.code import Code, Decoded, describe_code
from phy.lazily import torch
from phy.random import Stream
from phy.units import EventProbability

__all__ = ["BinaryLink"]


@dataclass(frozen=True)
class BinaryLink:
    """Channel code and binary channel in a row; a channel use is one coded bit.

    Parameters
    ----------
    code, channel:
        What a row passes through.

    Examples
    --------
    >>> from phy.channels.binary import BSC
    >>> from phy.coding.ldpc.ldpc5g import LDPC5G
    >>> from phy.random import bits
    >>> link, streams = BinaryLink(LDPC5G(100, 200), BSC()), Stream(1).batch(range(8))
    >>> sent = bits(streams, link.k)
    >>> bool((link(sent, EventProbability(0.03), streams).bits == sent).all())
    True
    """

    code: Code
    channel: BitChannel

    @property
    def name(self) -> str:
        """Names of the two parts, as they stand in results."""
        return f"{self.code.name} / {self.channel.name}"

    @property
    def k(self) -> int:
        """Information bits of one block."""
        return self.code.k

    @property
    def channel_uses(self) -> int:
        """Uses of the channel, one a coded bit."""
        return self.code.n

    @property
    def filler_bits(self) -> int:
        """None: there are no symbols to fill."""
        return 0

    @property
    def bits_per_use(self) -> float:
        """Information bits a channel use, k / n."""
        return self.code.k / self.code.n

    def describe(self) -> dict[str, Any]:
        """What the errors of the link depend on, probability and streams apart."""
        return {"code": describe_code(self.code), "channel": self.channel.name}

    def __call__(
        self, bits: torch.Tensor, probability: EventProbability, streams: Sequence[Stream]
    ) -> Decoded:
        """Send one block a row.

        Parameters
        ----------
        bits:
            Information bits, ``[batch, k]``, ``torch.uint8``.
        probability:
            Of a flip, or of an erasure.
        streams:
            One a row.

        Raises
        ------
        ValueError
            If the bits are not ``[batch, k]``, the probability is a bare number, or there is not one stream
            a row.
        """
        if not isinstance(probability, EventProbability):
            raise ValueError(
                f"a binary channel has a probability, got {probability!r}: write EventProbability(0.05)"
            )
        return self.code.decode(self.channel(self.code.encode(bits), probability, streams))
