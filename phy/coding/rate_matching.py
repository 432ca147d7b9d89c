"""Rate matching and bit interleaving for codes whose standard brings none for arbitrary lengths."""

from __future__ import annotations

import torch

from phy.random import Stream

__all__ = ["RateMatcher", "evenly"]


def evenly(n0: int, n: int, keep: int = 0) -> torch.Tensor:
    """Which of ``n0`` coded bits are sent as ``n``: bit i is bit floor(i n0 / n), ``[n]``, ``torch.int64``.

    This is even puncturing where n < n0, and even repetition where n > n0. Puncturing spares the ``keep``
    leading (systematic) bits.

    Raises
    ------
    ValueError
        If ``n`` is not larger than ``keep`` or not positive.

    Examples
    --------
    >>> evenly(6, 4).tolist(), evenly(2, 4).tolist()
    ([0, 1, 3, 4], [0, 0, 1, 1])
    """
    if n < 1 or n <= keep:
        raise ValueError(f"rate matching of {n0} bits needs n > {keep}, got n = {n}")
    spared = keep if n < n0 else 0
    rest = torch.arange(n - spared) * (n0 - spared) // (n - spared) + spared
    return torch.cat([torch.arange(spared), rest])


class RateMatcher:
    """Send some of ``n0`` coded bits, or some of them several times, in a mixed order.

    A fixed pseudo-random permutation follows the choice unless told otherwise, so that neighbours in the code
    share neither a symbol nor a fade. Receiver: LLRs of repeated bits add, those of punctured bits are 0.

    Parameters
    ----------
    n0:
        Coded bits of the mother code.
    sent:
        Which of them are sent, ``[n]``, ``torch.int64``.
    mixed:
        Whether the order is mixed; bits are sent in the order of ``sent`` otherwise.
    device:
        Where the index lies.

    Examples
    --------
    >>> matcher = RateMatcher(4, evenly(4, 3))
    >>> matcher.recover(matcher.match(torch.tensor([[1.0, 2.0, 3.0, 4.0]])))
    tensor([[1., 2., 3., 0.]])
    """

    def __init__(self, n0: int, sent: torch.Tensor, *, mixed: bool = True, device: str = "cpu") -> None:
        self.n0, self.n = n0, len(sent)
        if mixed:
            order = Stream("bit interleaver", self.n).generator().permutation(self.n)
            sent = sent[torch.from_numpy(order)]
        self.index = sent.to(device)

    def match(self, coded: torch.Tensor) -> torch.Tensor:
        """Map ``[batch, n0]`` coded bits to ``[batch, n]``."""
        return coded[:, self.index]

    def recover(self, llr: torch.Tensor) -> torch.Tensor:
        """Map ``[batch, n]`` LLRs back to ``[batch, n0]``."""
        return llr.new_zeros(llr.shape[0], self.n0).index_add_(1, self.index, llr)
