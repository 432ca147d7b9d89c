"""What every channel code offers, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

__all__ = ["Code", "Decoded"]


@dataclass(frozen=True)
class Decoded:
    """What a decoder returns, right or wrong.

    Attributes
    ----------
    bits:
        Decided information bits, ``[batch, k]``, ``torch.uint8``.
    llr:
        Their soft values log p(b=1)/p(b=0), ``[batch, k]``, ``torch.float32``; None if the decoder has none.
    crc_ok:
        Verdict of the code's own check sum, ``[batch]``, ``torch.bool``; None if it has no check sum.
    """

    bits: torch.Tensor
    llr: torch.Tensor | None = None
    crc_ok: torch.Tensor | None = None


class Code(Protocol):
    """A binary block code of ``k`` information bits and ``n`` coded bits."""

    @property
    def name(self) -> str:
        """Name and parameters, as they stand in results."""

    @property
    def k(self) -> int:
        """Information bits a block."""

    @property
    def n(self) -> int:
        """Coded bits a block."""

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        """Map ``[batch, k]`` bits to ``[batch, n]`` coded bits, both ``torch.uint8``."""

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode ``[batch, n]`` channel LLRs log p(b=1)/p(b=0), ``torch.float32``."""
