"""LDPC codes of 5G NR (TS 38.212): one code block, encoded here, decoded by the engine of one's choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from phy.coding.code import Decoded, check_bits, check_llr
from phy.coding.decoding import ALGORITHMS, HARD, Decoding
from phy.coding.ldpc.structure import Structure
from phy.lazily import torch

if TYPE_CHECKING:
    from phy.coding.ldpc.compiled import CompiledDecoder

__all__ = ["LDPC5G", "BlockDecoder"]


class BlockDecoder(Protocol):
    """Whatever decodes a code block."""

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode ``[batch, n]`` LLRs log p(b=1)/p(b=0), in the order of sending, on the code's device."""


class LDPC5G:
    """LDPC code of TS 38.212: encoding (clause 5.3.2), rate matching (5.4.2.1), bit interleaving (5.4.2.2).

    One code block, without CRC. Filler bits (clause 5.2.2) fill the ``k`` information bits up to the
    mother code's; they are not transmitted and known to the decoder.

    Parameters
    ----------
    k, n, bits_per_symbol, rv:
        As for `phy.coding.ldpc.structure.Structure`.
    base_graph:
        1 or 2; None selects by clause 7.2.2 from ``k`` and ``k/n``.
    decoding:
        How blocks are decoded, and by which engine; its docstring has the rules. Sionna's runs all its
        iterations, whatever `Decoding.early_stop`; Sionna's and PyTorch's know no fixed point.
    decoder:
        Makes another decoder from the block's `structure`, in place of the engine's.
    device:
        Where bits and LLRs lie; the compiled engine runs on the CPU, and so does every encoder.

    Attributes
    ----------
    structure:
        What the standard says of the block.
    decoder:
        A `BlockDecoder`.

    Raises
    ------
    ValueError
        If a parameter is outside its range, or the engine does not decode so.

    Examples
    --------
    >>> code = LDPC5G(100, 200, decoding=Decoding("offset-minsum", iterations=10))
    >>> word = code.encode(torch.ones(1, 100, dtype=torch.uint8))
    >>> int(code.decode(8.0 * word - 4.0).bits.sum())
    100

    A decoder of one's own gets the checks that a received block says something about:

    >>> class Undecided:
    ...     def __init__(self, structure):
    ...         self.heard = structure.heard
    ...
    ...     def decode(self, llr):
    ...         soft = self.heard.variables(llr)[:, self.heard.information]
    ...         return Decoded(bits=(soft > 0).to(torch.uint8), llr=soft)
    >>> plain = LDPC5G(100, 200, decoder=Undecided)
    >>> int(plain.decode(8.0 * word - 4.0).bits.sum())  # the first 2 Z = 36 are not sent
    64
    """

    def __init__(
        self,
        k: int,
        n: int,
        *,
        bits_per_symbol: int | None = None,
        base_graph: int | None = None,
        rv: int = 0,
        decoding: Decoding = Decoding(),
        decoder: Callable[[Structure], BlockDecoder] | None = None,
        device: str = "cpu",
    ) -> None:
        self.structure = Structure.choose(k, n, bits_per_symbol, base_graph, rv)
        self.k, self.n, self.device = k, n, device
        self.decoding = decoding.among("5G LDPC", (*ALGORITHMS, *HARD))
        own = None if decoder is None else decoder(self.structure)
        self.decoder = own or _decoder(self.structure, decoding, device)

    @property
    def name(self) -> str:
        """``ldpc5g(k,n)`` and, where they differ from the standard's first choice, base graph and rv."""
        version = f",rv={self.structure.rv}" if self.structure.rv else ""
        return f"ldpc5g({self.k},{self.n},bg{self.structure.base_graph}{version})"

    @property
    def compiled(self) -> CompiledDecoder:
        """The compiled engine's decoder, for those that need more of it than decisions.

        Raises
        ------
        ValueError
            If another decoder is at work.
        """
        from phy.coding.ldpc.compiled import CompiledDecoder

        if not isinstance(self.decoder, CompiledDecoder):
            found = type(self.decoder).__name__
            raise ValueError(f"{self.name} is decoded by {found}; this takes the compiled engine")
        return self.decoder

    @property
    def bits_per_symbol(self) -> int | None:
        """Modulation order of the bit interleaver; None without one."""
        return self.structure.bits_per_symbol

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        """Encode ``[batch, k]`` bits into ``[batch, n]`` bits, ``torch.uint8``."""
        return self.structure.encode(check_bits(bits, self.k)).to(self.device)

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode ``[batch, n]`` LLRs; the soft values returned are clipped as messages are."""
        return self.decoder.decode(check_llr(llr, self.n).to(self.device))


def _decoder(structure: Structure, decoding: Decoding, device: str) -> BlockDecoder:
    """Take the part that decodes: each brings an engine of its own, which another code does not import."""
    if decoding.algorithm in HARD and decoding.engine != "compiled":
        raise ValueError(f"{decoding.algorithm} runs on the compiled engine, got engine {decoding.engine!r}")
    if decoding.engine == "sionna":
        from phy.coding.ldpc.sionna import SionnaDecoder

        return SionnaDecoder(structure, decoding, device)
    if decoding.engine == "torch":
        from phy.coding.ldpc.torch import TorchDecoder

        return TorchDecoder(structure, decoding, device)
    if device != "cpu":
        raise ValueError(f"the compiled engine runs on the CPU, got device {device!r}; use engine sionna")
    if decoding.algorithm in HARD:
        from phy.coding.ldpc.flipping import FlippingDecoder

        return FlippingDecoder(structure, decoding)
    from phy.coding.ldpc.compiled import CompiledDecoder

    return CompiledDecoder(structure, decoding)
