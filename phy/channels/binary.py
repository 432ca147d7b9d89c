"""Channels of bits: the binary symmetric and the binary erasure channel.

They take coded bits as they are, without a constellation, and return exact LLRs. What they do to a bit is
drawn from ``stream.child("noise")`` of each row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from phy.lazily import torch
from phy.random import Stream, events
from phy.units import EventProbability

__all__ = ["BEC", "BSC", "BitChannel"]


class BitChannel(Protocol):
    """A channel from coded bits to their LLRs."""

    @property
    def name(self) -> str:
        """Name; `phy.channels.names.parse_bit_channel` reads it back."""

    def __call__(
        self, coded: torch.Tensor, probability: EventProbability, streams: Sequence[Stream]
    ) -> torch.Tensor:
        """Send ``[batch, n]`` bits, ``torch.uint8``, one stream a row: their LLRs, ``torch.float32``."""


@dataclass(frozen=True)
class BSC:
    """Binary symmetric channel: a bit is flipped with probability p.

    Of a received bit r the LLR is L = log p(b=1)/p(b=0) = (2 r - 1) log((1 - p) / p).

    Examples
    --------
    >>> BSC()(torch.tensor([[0, 1, 1]], dtype=torch.uint8), EventProbability(0.1), [Stream(1)])
    tensor([[-2.1972,  2.1972,  2.1972]])
    """

    @property
    def name(self) -> str:
        """``bsc``."""
        return "bsc"

    def __call__(
        self, coded: torch.Tensor, probability: EventProbability, streams: Sequence[Stream]
    ) -> torch.Tensor:
        """Flip bits; a certain channel, p = 0 or 1, gives infinite LLRs."""
        p = probability.value
        size = math.copysign(math.inf, 0.5 - p) if p in (0.0, 1.0) else math.log1p(-p) - math.log(p)
        received = coded.bool() ^ _events(coded, p, streams)
        return torch.where(received, size, -size).to(torch.float32)


@dataclass(frozen=True)
class BEC:
    """Binary erasure channel: a bit is erased with probability p, and known otherwise.

    Its LLR is 0 if it was erased, else infinite with the sign of the bit, which `phy.coding.code.check_llr`
    takes for a certain bit.

    Examples
    --------
    >>> BEC()(torch.tensor([[0, 1, 1, 0]], dtype=torch.uint8), EventProbability(0.5), [Stream(1)])
    tensor([[-inf, inf, 0., 0.]])
    """

    @property
    def name(self) -> str:
        """``bec``."""
        return "bec"

    def __call__(
        self, coded: torch.Tensor, probability: EventProbability, streams: Sequence[Stream]
    ) -> torch.Tensor:
        """Erase bits."""
        known = torch.where(coded.bool(), math.inf, -math.inf).to(torch.float32)
        return known.masked_fill(_events(coded, probability.value, streams), 0.0)


def _events(coded: torch.Tensor, probability: float, streams: Sequence[Stream]) -> torch.Tensor:
    if coded.ndim != 2 or coded.dtype != torch.uint8 or len(streams) != len(coded):
        raise ValueError(
            f"bits must be [batch, n] of torch.uint8 with a stream a row, got {list(coded.shape)} of "
            f"{coded.dtype} with {len(streams)} streams"
        )
    own = [stream.child("noise") for stream in streams]
    return events(own, coded.shape[1], probability).to(coded.device)
