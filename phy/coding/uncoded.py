"""No code at all: the reference against which coding gains are measured."""

from __future__ import annotations

from phy.coding.code import Decoded, check_bits, check_llr
from phy.lazily import torch

__all__ = ["Uncoded"]


class Uncoded:
    """The identity as a code: ``k = n``, hard decision, 1 where L = log p(b=1)/p(b=0) > 0.

    Parameters
    ----------
    n:
        Bits a block, at least 1.

    Raises
    ------
    ValueError
        If ``n`` is less than 1.

    Examples
    --------
    >>> Uncoded(2).decode(torch.tensor([[-3.0, 0.5]])).bits
    tensor([[0, 1]], dtype=torch.uint8)
    """

    def __init__(self, n: int) -> None:
        if n < 1:
            raise ValueError(f"an uncoded block needs at least one bit, got n = {n}")
        self.k = self.n = n

    @property
    def name(self) -> str:
        """``uncoded(n)``."""
        return f"uncoded({self.n})"

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        """Return the bits ``[batch, n]`` as they are."""
        return check_bits(bits, self.n)

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decide each bit on its own: 1 where its LLR ``[batch, n]`` is positive."""
        llr = check_llr(llr, self.n)
        return Decoded(bits=(llr > 0).to(torch.uint8), llr=llr)
