"""Binary BCH codes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from phy.coding.algebraic.algebra import CyclicCode
from phy.coding.algebraic.field import DEGREES, Field, bch_designs, coset
from phy.coding.code import Decoded, check_bits, check_llr
from phy.coding.rate_matching import RateMatcher, evenly

__all__ = ["BCH"]


@lru_cache(maxsize=256)
def _design(k: int, room: int) -> tuple[int, int, int]:
    """Field degree m, errors t and parity bits of the code that corrects most in ``room`` parity bits.

    Of equal ones that with the fewest parity bits, then the least m; t = 0 if there is none.
    """
    best = (0, 0, 0)  # t, parity negative, m negative
    for m in DEGREES[1:]:
        most = min(room, (1 << m) - 1 - k)
        if m > most or room // m < best[0]:
            continue
        designs = list(bch_designs(m, most))
        t, parity = designs[-1]
        best = max(best, (t, -parity, -m))
    return -best[2], best[0], -best[1]


@lru_cache(maxsize=64)
def _code(m: int, t: int) -> CyclicCode:
    field = Field.of(m)
    roots: set[int] = set()
    generator = np.ones(1, np.int32)
    for power in range(1, 2 * t, 2):
        if power not in roots:
            conjugates = coset(m, power)
            roots.update(conjugates)
            minimal = field.with_roots(conjugates)
            generator = (np.convolve(generator, minimal) % 2).astype(np.int32)
    return CyclicCode(field, generator, t)


class BCH:
    """Narrow-sense binary BCH code, shortened to ``k`` bits, decoded up to t errors.

    The generator is the product of the minimal polynomials of a, a^3, ..., a^(2t - 1) over GF(2^m); the code
    is that with the largest t whose parity fits into n - k bits, within a length of 2^m - 1. Bits that are
    left over repeat coded bits evenly. Systematic: information first, then parity, mixed by `RateMatcher`. So
    (63, 51) corrects 2 errors, (127, 106) 3, (255, 131) 18.

    ``algebraic`` decoding decides bit by bit, computes the syndromes S_j = r(a^j), finds the error locator by
    Berlekamp's and Massey's algorithm and its roots by trying all (Chien). With more than t errors it mostly
    finds none, and leaves the bits as they were decided. On a binary symmetric channel of crossover
    probability p a word of n bits, none of them repeated, fails with

        sum over i > t of C(n, i) p^i (1 - p)^(n - i).

    Parameters
    ----------
    k:
        Information bits, at least 1.
    n:
        Coded bits: at least the parity of t = 1 more than ``k``, which is 3 to 16 bits.
    device:
        Where results lie; the decoder runs on the CPU.

    Raises
    ------
    ValueError
        If there is no such code.

    Examples
    --------
    >>> BCH(7, 15).name, BCH(106, 127).name, BCH(64, 128).name
    ('bch(7,15,t=2)', 'bch(106,127,t=3)', 'bch(64,128,t=10)')
    """

    def __init__(self, k: int, n: int, *, device: str = "cpu") -> None:
        m, self.t, parity = _design(k, n - k) if k >= 1 else (0, 0, 0)
        if not self.t:
            raise ValueError(
                "a BCH code has k >= 1 and for every error that it corrects m parity bits, 3 to "
                f"{DEGREES[-1]}, with k + m at most 2^m - 1, got k = {k}, n = {n}"
            )
        self.k, self.n, self.device = k, n, device
        self._code = _code(m, self.t)
        self._matcher = RateMatcher(k + parity, evenly(k + parity, n), device=device)

    @property
    def name(self) -> str:
        """``bch(k,n,t=...)``."""
        return f"bch({self.k},{self.n},t={self.t})"

    @property
    def m(self) -> int:
        """Degree of the field that has the roots, GF(2^m)."""
        return self._code.field.m

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        """Encode ``[batch, k]`` bits into ``[batch, n]`` bits, ``torch.uint8``."""
        symbols = check_bits(bits, self.k).cpu().numpy().astype(np.int32)
        words = torch.from_numpy(self._code.encode(symbols).astype(np.uint8))
        return self._matcher.match(words.to(self.device))

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode the signs of ``[batch, n]`` LLRs; no soft values."""
        heard = self._matcher.recover(check_llr(llr, self.n).to(self.device))
        words, _ = self._code.decode((heard > 0).cpu().numpy().astype(np.int32))
        return Decoded(bits=torch.from_numpy(words[:, : self.k].astype(np.uint8)).to(self.device))
