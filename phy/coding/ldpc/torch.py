"""LDPC codes of 5G NR decoded in PyTorch on any device, encoded by Sionna."""

from __future__ import annotations

import torch

from phy.coding.code import Decoded, check_llr
from phy.coding.ldpc.compiled import CompiledLDPC5G
from phy.coding.ldpc.sionna import bit_deinterleave
from phy.coding.propagation.torch_layered import LayeredMinSum

__all__ = ["TorchLDPC5G"]

_CLIP = 20.0


class TorchLDPC5G(CompiledLDPC5G):
    """`CompiledLDPC5G` with `LayeredMinSum` on ``device``; encoding stays on the CPU.

    Parameters
    ----------
    k, n, bits_per_symbol, base_graph, rv, schedule, iterations, early_stop:
        As for `CompiledLDPC5G`.
    decoder:
        ``minsum``, ``offset-minsum`` or ``normalized-minsum``.
    device:
        Where LLRs arrive and decisions lie.

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    def __init__(
        self,
        k: int,
        n: int,
        *,
        bits_per_symbol: int | None = None,
        base_graph: int | None = None,
        rv: int = 0,
        decoder: str = "offset-minsum",
        schedule: str = "layered",
        iterations: int = 20,
        early_stop: bool = True,
        device: str = "cuda",
    ) -> None:
        super().__init__(
            k,
            n,
            bits_per_symbol=bits_per_symbol,
            base_graph=base_graph,
            rv=rv,
            decoder=decoder,
            schedule=schedule,
            iterations=iterations,
            early_stop=early_stop,
        )
        self._target = device
        self._layered = LayeredMinSum(self.graph, decoder, schedule, iterations, early_stop, device=device)
        self._at = torch.from_numpy(self.places).to(device)
        self._zeros = torch.from_numpy(self.known).to(device)
        self._bits = torch.from_numpy(self.information).to(device)

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        """Encode ``[batch, k]`` bits into ``[batch, n]`` bits, ``torch.uint8``, on the device."""
        return super().encode(bits.cpu()).to(self._target)

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode ``[batch, n]`` LLRs; the soft values returned are clipped to 20 in magnitude."""
        llr = check_llr(llr, self.n).to(self._target)
        if self.bits_per_symbol is not None:
            llr = bit_deinterleave(llr, self.bits_per_symbol)
        whole = torch.zeros(llr.shape[0], self.graph.size, device=llr.device).index_add_(1, self._at, llr)
        whole[:, self._zeros] = -_CLIP
        outcome = self._layered.decode(whole)
        return Decoded(bits=outcome.bits[:, self._bits], llr=outcome.soft[:, self._bits].clamp(-_CLIP, _CLIP))
