"""Terminated convolutional codes with Viterbi decoding, by Sionna."""

from __future__ import annotations

from functools import lru_cache

import torch
from sionna.phy.fec.conv import ConvEncoder, ViterbiDecoder

from phy.coding.code import Decoded, check_bits, check_llr
from phy.coding.rate_matching import RateMatcher

__all__ = ["Convolutional"]

_RATES = {1 / 2: 2, 1 / 3: 3}
# Path metrics are float32 sums; beyond this a single bit would drown the others' resolution.
_LLR_CLIP = 100.0


@lru_cache(maxsize=16)
def _sionna(rate: float, constraint_length: int, device: str) -> tuple[ConvEncoder, ViterbiDecoder]:
    encoder = ConvEncoder(
        rate=rate, constraint_length=constraint_length, terminate=True, device=device, precision="single"
    )
    return encoder, ViterbiDecoder(encoder=encoder, device=device, precision="single")


class Convolutional:
    """Feed-forward convolutional code, terminated in the zero state, soft-decision Viterbi decoder.

    Generators of the best free distance (Moon, *Error Correction Coding*); at constraint length 7 and rate
    1/2 the classical (133, 171) code. Any length ``n`` is reached by `RateMatcher`, which also
    interleaves.

    With L the LLRs log p(b=1)/p(b=0) of the coded bits c, the decoder finds the code word of the largest
    sum c L, the most likely one, by Viterbi's recursion over the states of the trellis,
    M(s) = max over s' (M(s') + sum of c L on the step). It gives no soft values.

    Parameters
    ----------
    k:
        Information bits, at least 1.
    n:
        Coded bits, more than ``k``; None for the natural (k + constraint_length - 1) / rate.
    rate:
        Rate of the mother code, 1/2 or 1/3; None for 1/3 where ``n`` is at least 3 k, and 1/2 otherwise.
    constraint_length:
        3 to 8; there are 2^(constraint_length - 1) states.
    device:
        Where the code runs and its results lie.

    Raises
    ------
    ValueError
        If a parameter is outside its range.

    Examples
    --------
    >>> Convolutional(100).n, Convolutional(100, 160).n
    (212, 160)
    """

    def __init__(
        self,
        k: int,
        n: int | None = None,
        rate: float | None = None,
        constraint_length: int = 7,
        *,
        device: str = "cpu",
    ) -> None:
        if rate is None:
            rate = 1 / 3 if n is not None and n >= 3 * k else 1 / 2
        if rate not in _RATES:
            raise ValueError(f"mother rate of a convolutional code must be 1/2 or 1/3, got {rate}")
        if not 3 <= constraint_length <= 8:
            raise ValueError(f"constraint length must be 3 to 8, got {constraint_length}")
        if k < 1 or (n is not None and n <= k):
            raise ValueError(f"a convolutional code needs k >= 1 and n > k, got k = {k}, n = {n}")
        natural = (k + constraint_length - 1) * _RATES[rate]
        self.k, self.n = k, natural if n is None else n
        self.rate, self.constraint_length, self.device = rate, constraint_length, device
        self._matcher = RateMatcher(natural, self.n, device=device)
        self._encoder, self._decoder = _sionna(rate, constraint_length, device)

    @property
    def name(self) -> str:
        """``conv(k,n,r=1/2,K=7)``."""
        return f"conv({self.k},{self.n},r=1/{_RATES[self.rate]},K={self.constraint_length})"

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        """Encode ``[batch, k]`` bits into ``[batch, n]`` bits, ``torch.uint8``."""
        bits = check_bits(bits, self.k).to(self.device)
        if not bits.shape[0]:
            return bits.new_zeros(0, self.n)
        return self._matcher.match(self._encoder(bits.to(torch.float32))).to(torch.uint8)

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode ``[batch, n]`` LLRs to the most likely word; no soft values."""
        llr = check_llr(llr, self.n).to(self.device).clamp(-_LLR_CLIP, _LLR_CLIP)
        if not llr.shape[0]:
            return Decoded(bits=llr.new_zeros(0, self.k, dtype=torch.uint8))
        bits: torch.Tensor = self._decoder(self._matcher.recover(llr))
        return Decoded(bits=bits.to(torch.uint8))
