"""Terminated convolutional codes with Viterbi decoding, by Sionna."""

from __future__ import annotations

from functools import lru_cache

import torch
from sionna.phy.fec.conv import ConvEncoder, ViterbiDecoder

from phy.coding.code import Decoded, check_bits, check_llr
from phy.coding.rate_matching import RateMatcher, evenly

__all__ = ["Convolutional", "punctured"]

_RATES = {1 / 2: 2, 1 / 3: 3}
# Path metrics are float32 sums; beyond this a single bit would drown the others' resolution.
_LLR_CLIP = 100.0


@lru_cache(maxsize=16)
def _sionna(rate: float, constraint_length: int, device: str) -> tuple[ConvEncoder, ViterbiDecoder]:
    encoder = ConvEncoder(
        rate=rate, constraint_length=constraint_length, terminate=True, device=device, precision="single"
    )
    return encoder, ViterbiDecoder(encoder=encoder, device=device, precision="single")


def punctured(steps: int, n: int) -> torch.Tensor:
    """Which bits of a code of rate 1/2, A1 B1 A2 B2 ..., are sent as ``n``: ``[n]``, ``torch.int64``.

    The patterns of IEEE 802.11, 17.3.5.6 and 19.3.11.6, and their like: the first of every p steps sends
    both bits, those behind it one each, A, B, A, ... in turn::

        p = 2, rate 2/3: A1 B1 A2       p = 3, rate 3/4: A1 B1 A2 B3       p = 5, rate 5/6: A1 B1 A2 B3 A4 B5

    A pattern begins with the first bit, runs through the tail that ends the code in state zero, and may
    break off within its last period. A length ``n`` that no p gives has periods of p - 1 and p, evenly mixed.

    Raises
    ------
    ValueError
        If ``n`` is not above ``steps`` and at most twice as many.

    Examples
    --------
    >>> punctured(6, 8).tolist()  # A1 B1 A2 B3, A4 B4 A5 B6
    [0, 1, 2, 5, 6, 7, 8, 11]
    """
    full = n - steps  # steps that send both bits
    if not 0 < full <= steps:
        raise ValueError(f"{steps} steps of a code of rate 1/2 send {steps + 1} to {2 * steps} bits, got {n}")
    both = torch.arange(full) * -(-steps // full)
    if both[-1] >= steps:  # with one period throughout, the last ones would lie behind the end
        both = torch.arange(full) * steps // full
    behind = torch.arange(steps) - both[torch.searchsorted(both, torch.arange(steps), right=True) - 1]
    sent = torch.stack([(behind == 0) | (behind % 2 == 1), behind % 2 == 0], dim=1)
    return sent.flatten().nonzero()[:, 0]


class Convolutional:
    """Feed-forward convolutional code, terminated in the zero state, soft-decision Viterbi decoder.

    Generators of the best free distance (Moon, *Error Correction Coding*); at constraint length 7 and rate
    1/2 the classical (133, 171) code. Behind the ``k`` bits, constraint_length - 1 zeros lead back to the
    zero state; the bits of this tail are sent, and count in ``n``, like all others. Fewer bits than the
    natural number are reached from rate 1/2 by puncturing as IEEE 802.11 does (`punctured`), from rate 1/3
    by leaving out bits evenly; more by repeating them evenly. `RateMatcher` interleaves.

    With L the LLRs log p(b=1)/p(b=0) of the coded bits c, the decoder finds the code word of the largest
    sum c L, the most likely one, by Viterbi's recursion over the states of the trellis,
    M(s) = max over s' (M(s') + sum of c L on the step). It gives no soft values.

    Parameters
    ----------
    k:
        Information bits, at least 1.
    n:
        Coded bits; None for the natural (k + constraint_length - 1) / rate. From rate 1/2 more than
        k + constraint_length - 1, from rate 1/3 more than ``k``.
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
        steps = k + constraint_length - 1
        natural = steps * _RATES[rate]
        self.k, self.n = k, natural if n is None else n
        self.rate, self.constraint_length, self.device = rate, constraint_length, device
        halved = rate == 1 / 2 and self.n <= natural
        sent = punctured(steps, self.n) if halved else evenly(natural, self.n)
        self._matcher = RateMatcher(natural, sent, device=device)
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
