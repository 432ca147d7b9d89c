"""Decoders of hard decisions on a received 5G LDPC block."""

from __future__ import annotations

from phy.coding.code import Decoded
from phy.coding.decoding import Decoding
from phy.coding.ldpc.structure import Structure
from phy.coding.propagation.flipping import HardDecision
from phy.lazily import torch

__all__ = ["FlippingDecoder"]


class FlippingDecoder:
    """`HardDecision` on the checks that a received block says something about.

    Parameters
    ----------
    structure:
        The code block.
    decoding:
        How it is decoded.

    Examples
    --------
    >>> block = Structure.choose(12, 60)
    >>> llr = 4.0 * block.encode(torch.ones(1, 12, dtype=torch.uint8)) - 2.0
    >>> FlippingDecoder(block, Decoding("gallager-b")).decode(llr).bits
    tensor([[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]], dtype=torch.uint8)
    """

    def __init__(self, structure: Structure, decoding: Decoding) -> None:
        self.heard = structure.heard
        self.decision = HardDecision(self.heard.graph, decoding)

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode ``[batch, n]`` LLRs; there are no soft values."""
        outcome = self.decision.decode(self.heard.variables(llr).numpy())
        return Decoded(bits=torch.from_numpy(outcome.bits)[:, self.heard.information])
