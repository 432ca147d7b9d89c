"""The repetition code: the simplest that there is, and exact in closed form."""

from __future__ import annotations

import torch

from phy.coding.code import Decoded, check_bits, check_llr
from phy.coding.rate_matching import RateMatcher, evenly

__all__ = ["DECODERS", "Repetition"]

DECODERS = ("ml", "hard")


class Repetition:
    """Every bit n / k times; where that is no whole number, some of them, evenly chosen, once more.

    ``ml`` decides for 1 where the sum of a bit's LLRs log p(b=1)/p(b=0) is positive, which is the most likely
    bit. ``hard`` decides every copy by itself and takes the majority, of a tie the first copy. Over BPSK and
    AWGN a bit of r copies is wrong with probability Q(sqrt(2 r Es/N0)) by ``ml``; over a binary symmetric
    channel of crossover probability p by ``hard`` with

        sum over i > r/2 of C(r, i) p^i (1 - p)^(r - i), and half the term i = r/2 if r is even.

    `RateMatcher` mixes the copies. Soft values of ``ml`` are the sums, which are exact.

    Parameters
    ----------
    k:
        Information bits, at least 1.
    n:
        Coded bits, at least ``k``; None for 3 k.
    decoder:
        ``"ml"`` or ``"hard"``.
    device:
        Where the code runs and its results lie.

    Raises
    ------
    ValueError
        If a parameter is outside its range.

    Examples
    --------
    >>> code = Repetition(2, 6)
    >>> code.decode(4.0 * code.encode(torch.tensor([[1, 0]], dtype=torch.uint8)) - 2.0).llr
    tensor([[ 6., -6.]])
    """

    def __init__(self, k: int, n: int | None = None, decoder: str = "ml", *, device: str = "cpu") -> None:
        n = 3 * k if n is None else n
        if not 1 <= k <= n:
            raise ValueError(f"a repetition code needs k >= 1 and n >= k, got k = {k}, n = {n}")
        if decoder not in DECODERS:
            raise ValueError(f"decoder of a repetition code must be {' or '.join(DECODERS)}, got {decoder!r}")
        self.k, self.n, self.decoder, self.device = k, n, decoder, device
        sent = evenly(k, n)
        self._matcher = RateMatcher(k, sent, device=device)
        copies = torch.arange(n, device=device)
        first = torch.full((k,), n, device=device).scatter_reduce(0, self._matcher.index, copies, "amin")
        self._votes = torch.ones(n, device=device)
        self._votes[first] = 1.5  # which decides ties, and nothing else

    @property
    def name(self) -> str:
        """``repetition(k,n)``."""
        return f"repetition({self.k},{self.n})"

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        """Encode ``[batch, k]`` bits into ``[batch, n]`` bits, ``torch.uint8``."""
        return self._matcher.match(check_bits(bits, self.k).to(self.device))

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode ``[batch, n]`` LLRs; the hard decoder has no soft values."""
        llr = check_llr(llr, self.n).to(self.device)
        if self.decoder == "hard":
            votes = torch.where(llr > 0, self._votes, -self._votes)
            return Decoded(bits=(self._matcher.recover(votes) > 0).to(torch.uint8))
        soft = self._matcher.recover(llr)
        return Decoded(bits=(soft > 0).to(torch.uint8), llr=soft)
