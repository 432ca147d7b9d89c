"""Terminated convolutional codes with Viterbi decoding in compiled code."""

from __future__ import annotations

import numpy as np
import torch

from phy.coding.code import Decoded, check_bits, check_llr
from phy.coding.rate_matching import RateMatcher, evenly
from phy.coding.trellis.kernels import terminated
from phy.coding.trellis.lanes import decode_lanes
from phy.coding.trellis.machine import ShiftRegister

__all__ = ["Convolutional", "punctured"]

_RATES = {1 / 2: 2, 1 / 3: 3}

# Of the best free distance (Moon, "Error Correction Coding", table 12.1), by rate and constraint length.
_GENERATORS: dict[int, dict[int, tuple[int, ...]]] = {
    2: {
        3: (0o5, 0o7), 4: (0o15, 0o13), 5: (0o23, 0o33), 6: (0o65, 0o57),
        7: (0o133, 0o171), 8: (0o345, 0o237),
    },
    3: {
        3: (0o5, 0o7, 0o7), 4: (0o13, 0o15, 0o17), 5: (0o25, 0o33, 0o37), 6: (0o47, 0o53, 0o75),
        7: (0o171, 0o145, 0o133), 8: (0o225, 0o331, 0o367),
    },
}  # fmt: skip

# Path metrics are float32 sums; beyond this a single bit would drown the others' resolution.
_LLR_CLIP = 100.0


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
        Where results lie; encoder and decoder run on the CPU.

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
        self.register = ShiftRegister(_GENERATORS[_RATES[rate]][constraint_length], constraint_length)

    @property
    def name(self) -> str:
        """``conv(k,n,r=1/2,K=7)``."""
        return f"conv({self.k},{self.n},r=1/{_RATES[self.rate]},K={self.constraint_length})"

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        """Encode ``[batch, k]`` bits into ``[batch, n]`` bits, ``torch.uint8``."""
        data = check_bits(bits, self.k).cpu().numpy()
        padded = np.pad(data, ((0, 0), (0, self.register.memory)))
        coded = self.register.encode(padded, np.zeros(len(data), np.int64))
        return self._matcher.match(torch.from_numpy(coded).to(self.device))

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode ``[batch, n]`` LLRs to the most likely word; no soft values."""
        llr = check_llr(llr, self.n).to(self.device).clamp(-_LLR_CLIP, _LLR_CLIP)
        register, steps = self.register, self.k + self.register.memory
        settings = (register.rate, register.outputs, steps)
        heard = self._matcher.recover(llr).cpu()
        found = decode_lanes(heard, steps, lambda groups, bits: terminated(groups, *settings, bits))
        return Decoded(bits=torch.from_numpy(found[:, : self.k].astype(np.uint8)).to(self.device))
