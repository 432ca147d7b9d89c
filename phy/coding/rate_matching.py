"""Rate matching and bit interleaving for codes whose standard brings none for arbitrary lengths."""

from __future__ import annotations

import torch

from phy.random import Stream

__all__ = ["RateMatcher"]


class RateMatcher:
    """Repeat or puncture ``n0`` coded bits evenly into ``n``, then interleave them.

    Bit i of the output is bit floor(i n0 / n) of the input: even puncturing where n < n0 (for a rate 1/2
    convolutional code at 2/3 and 3/4 these are the usual patterns), even repetition where n > n0. A
    fixed pseudo-random permutation follows, so that neighbours in the code share neither a symbol nor a
    fade. Receiver: LLRs of repeated bits add, those of punctured bits are 0.

    Parameters
    ----------
    n0:
        Coded bits of the mother code.
    n:
        Coded bits on the channel.
    keep:
        Leading bits (systematic ones) that puncturing spares.
    device:
        Where the index lies.

    Raises
    ------
    ValueError
        If ``n`` is not larger than ``keep`` or not positive.

    Examples
    --------
    >>> matcher = RateMatcher(4, 3)
    >>> matcher.recover(matcher.match(torch.tensor([[1.0, 2.0, 3.0, 4.0]])))
    tensor([[1., 2., 3., 0.]])
    """

    def __init__(self, n0: int, n: int, *, keep: int = 0, device: str = "cpu") -> None:
        if n < 1 or n <= keep:
            raise ValueError(f"rate matching of {n0} bits needs n > {keep}, got n = {n}")
        spared = keep if n < n0 else 0
        evenly = torch.arange(n - spared) * (n0 - spared) // (n - spared) + spared
        index = torch.cat([torch.arange(spared), evenly])
        order = Stream("bit interleaver", n).generator().permutation(n)
        self.n0, self.n = n0, n
        self.index = index[torch.from_numpy(order)].to(device)

    def match(self, coded: torch.Tensor) -> torch.Tensor:
        """Map ``[batch, n0]`` coded bits to ``[batch, n]``."""
        return coded[:, self.index]

    def recover(self, llr: torch.Tensor) -> torch.Tensor:
        """Map ``[batch, n]`` LLRs back to ``[batch, n0]``."""
        return llr.new_zeros(llr.shape[0], self.n0).index_add_(1, self.index, llr)
