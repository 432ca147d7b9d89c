"""What every channel code offers, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from phy.lazily import torch

if TYPE_CHECKING:
    from phy.coding.decoding import Decoding

CERTAIN = 1e30
"""Magnitude of the LLR that a certain bit has."""

__all__ = ["CERTAIN", "Code", "Decoded", "check_bits", "check_llr", "describe_code"]


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
    block_ok:
        Verdict of the check sum of each code block inside, ``[batch, blocks]``, ``torch.bool``; None if the
        code is not made of blocks.

    Examples
    --------
    >>> from phy.coding.uncoded import Uncoded
    >>> Uncoded(3).decode(torch.tensor([[1.5, -2.0, 0.5]])).bits
    tensor([[1, 0, 1]], dtype=torch.uint8)
    """

    bits: torch.Tensor
    llr: torch.Tensor | None = None
    crc_ok: torch.Tensor | None = None
    block_ok: torch.Tensor | None = None


class Code(Protocol):
    """A binary block code of ``k`` information bits and ``n`` coded bits.

    Examples
    --------
    >>> class Twice:
    ...     name, k, n = "twice", 4, 8
    ...
    ...     def encode(self, bits):
    ...         return bits.repeat(1, 2)
    ...
    ...     def decode(self, llr):
    ...         soft = llr[:, :4] + llr[:, 4:]
    ...         return Decoded(bits=(soft > 0).to(torch.uint8), llr=soft)
    >>> Twice().decode(torch.tensor([[2.0, -1.0, 3.0, -1.0, -3.0, -1.0, 1.0, 2.0]])).bits
    tensor([[0, 0, 1, 1]], dtype=torch.uint8)
    """

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


def check_bits(bits: torch.Tensor, k: int) -> torch.Tensor:
    """Return ``bits`` if they are ``[batch, k]`` zeros and ones of ``torch.uint8``.

    Raises
    ------
    ValueError
        If shape, type or values are anything else.
    """
    if bits.ndim != 2 or bits.shape[1] != k or bits.dtype != torch.uint8:
        raise ValueError(f"expected bits [batch, {k}] of torch.uint8, got {list(bits.shape)} of {bits.dtype}")
    if bits.numel() and int(bits.max()) > 1:
        raise ValueError(f"bits must be 0 or 1, got {int(bits.max())}")
    return bits


def check_llr(llr: torch.Tensor, n: int) -> torch.Tensor:
    """Return ``llr`` as ``torch.float32`` if they are ``[batch, n]`` floating-point numbers.

    One rule for all decoders: an infinite LLR is a certain bit, and becomes the finite 1e30, so that repeated
    bits can be added; decisions have no gradients, and LLRs that have some are taken by their values.

    Raises
    ------
    ValueError
        If the shape is another, the numbers are no floats, or one of them is NaN.

    Examples
    --------
    >>> check_llr(torch.tensor([[1.0, -torch.inf]], requires_grad=True), 2)
    tensor([[ 1.0000e+00, -1.0000e+30]])
    """
    if llr.ndim != 2 or llr.shape[1] != n or not llr.is_floating_point():
        raise ValueError(f"expected LLRs [batch, {n}] of torch.float32, got {list(llr.shape)} of {llr.dtype}")
    llr = llr.detach()
    if bool(torch.isnan(llr).any()):
        raise ValueError("LLRs must be numbers (infinite ones are certain bits), got NaN")
    return llr.to(torch.float32).clamp(-CERTAIN, CERTAIN)


def describe_code(code: Code) -> dict[str, Any]:
    """Name, lengths and decoding of a code: what its errors depend on, as JSON can hold it.

    Examples
    --------
    >>> from phy.coding.uncoded import Uncoded
    >>> describe_code(Uncoded(4))
    {'name': 'uncoded(4)', 'k': 4, 'n': 4}
    """
    described: dict[str, Any] = {"name": code.name, "k": code.k, "n": code.n}
    decoding: Decoding | None = getattr(code, "decoding", None)
    if decoding is not None:
        described["decoder"] = decoding.describe()
    if (digest := getattr(code, "digest", None)) is not None:  # of a matrix from a file
        described["digest"] = digest
    return described
