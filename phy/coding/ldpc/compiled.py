"""The compiled decoder on a received 5G LDPC block."""

from __future__ import annotations

from phy.coding.code import Decoded
from phy.coding.decoding import Decoding
from phy.coding.ldpc.structure import Structure
from phy.coding.propagation.compiled import BeliefPropagation
from phy.lazily import torch

__all__ = ["CompiledDecoder"]


class CompiledDecoder:
    """`BeliefPropagation` on the checks that a received block says something about.

    Parameters
    ----------
    structure:
        The code block.
    decoding:
        How it is decoded.

    Attributes
    ----------
    heard:
        The checks, and where the block's bits are among their variables.
    propagation:
        The decoder on them.

    Examples
    --------
    >>> block = Structure.choose(12, 60)
    >>> llr = 4.0 * block.encode(torch.ones(1, 12, dtype=torch.uint8)) - 2.0
    >>> CompiledDecoder(block, Decoding("minsum")).decode(llr).bits
    tensor([[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]], dtype=torch.uint8)
    """

    def __init__(self, structure: Structure, decoding: Decoding) -> None:
        self.heard = structure.heard
        self.propagation = BeliefPropagation(self.heard.graph, decoding)

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode ``[batch, n]`` LLRs; the soft values returned are clipped as messages are."""
        outcome = self.propagation.decode(self.heard.variables(llr).numpy(), soft=True)
        information, clip = self.heard.information, self.propagation.decoding.clip
        soft = torch.from_numpy(outcome.soft)[:, information].clamp(-clip, clip)
        return Decoded(bits=torch.from_numpy(outcome.bits)[:, information], llr=soft)
