"""The PyTorch decoder on a received 5G LDPC block."""

from __future__ import annotations

import torch

from phy.coding.code import Decoded
from phy.coding.decoding import Decoding
from phy.coding.ldpc.structure import Structure
from phy.coding.propagation.torch_layered import LayeredMinSum

__all__ = ["TorchDecoder"]


class TorchDecoder:
    """`LayeredMinSum` on the checks that a received block says something about.

    Parameters
    ----------
    structure:
        The code block.
    decoding:
        A min-sum rule.
    device:
        Where LLRs arrive and decisions lie.

    Examples
    --------
    >>> block = Structure.choose(12, 60)
    >>> llr = 4.0 * block.encode(torch.ones(1, 12, dtype=torch.uint8)) - 2.0
    >>> TorchDecoder(block, Decoding("minsum"), "cpu").decode(llr).bits
    tensor([[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]], dtype=torch.uint8)
    """

    def __init__(self, structure: Structure, decoding: Decoding, device: str) -> None:
        self.heard = structure.heard
        self.propagation = LayeredMinSum(self.heard.graph, decoding, device)
        self._information = torch.from_numpy(self.heard.information).to(device)

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode ``[batch, n]`` LLRs; the soft values returned are clipped as messages are."""
        clip = self.propagation.decoding.clip
        outcome = self.propagation.decode(self.heard.variables(llr))
        soft = outcome.soft[:, self._information].clamp(-clip, clip)
        return Decoded(bits=outcome.bits[:, self._information], llr=soft)
