"""Reed-Solomon codes over bits."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from phy.coding.algebraic.algebra import CyclicCode
from phy.coding.algebraic.field import DEGREES, Field
from phy.coding.code import Decoded, check_bits, check_llr
from phy.coding.rate_matching import RateMatcher, evenly

__all__ = ["ReedSolomon"]


def _design(k: int, n: int) -> tuple[int, int]:
    """Bits m of a symbol, and symbols t to correct; t = 0 if there is no field that holds them."""
    for m in DEGREES[1:]:
        t = (n - k) // m // 2
        if -(-k // m) + 2 * t <= (1 << m) - 1:
            return m, max(t, 0)
    return DEGREES[-1], 0


@lru_cache(maxsize=64)
def _code(m: int, t: int) -> CyclicCode:
    field = Field.of(m)
    return CyclicCode(field, field.with_roots(range(1, 2 * t + 1)), t)


class ReedSolomon:
    """Reed-Solomon code on symbols of m bits, shortened, decoded up to t wrong symbols.

    Its generator has the roots a, a^2, ..., a^2t in GF(2^m): t is the number of pairs of parity symbols that
    fit into n - k bits, and the field the smallest whose 2^m - 1 symbols hold these and ceil(k / m) of
    information. So 11 of 15 symbols of 4 bits are (k, n) = (44, 60) with t = 2, and the 239 of 255 bytes of
    ITU-T G.975 are (1912, 2040) with t = 8. A last information symbol is filled up with zeros, which are not
    sent; bits that are left over repeat coded bits evenly. A symbol's first bit is its highest. Bits are sent
    in the order of the code, so that a burst of errors stays within few symbols.

    ``algebraic`` decoding decides bit by bit and corrects symbols by the algorithms of Berlekamp and Massey,
    Chien and Forney. With more than t wrong symbols it mostly finds none, and leaves the bits as they were
    decided. Where a symbol of N is wrong with probability q = 1 - (1 - p)^m, a word fails with

        sum over i > t of C(N, i) q^i (1 - q)^(N - i).

    Parameters
    ----------
    k:
        Information bits, at least 1.
    n:
        Coded bits, at least two symbols more than ``k``.
    device:
        Where results lie; the decoder runs on the CPU.

    Raises
    ------
    ValueError
        If there is no such code.

    Examples
    --------
    >>> ReedSolomon(44, 60).name, ReedSolomon(1912, 2040).name
    ('rs(44,60,m=4,t=2)', 'rs(1912,2040,m=8,t=8)')
    """

    def __init__(self, k: int, n: int, *, device: str = "cpu") -> None:
        self.m, self.t = _design(max(k, 1), n)
        if k < 1 or self.t < 1:
            raise ValueError(
                "a Reed-Solomon code has k >= 1 and for every symbol that it corrects two parity symbols, of "
                f"3 to {DEGREES[-1]} bits m, 2^m - 1 symbols in all, got k = {k}, n = {n}"
            )
        self.k, self.n, self.device = k, n, device
        self._shifts: NDArray[np.int32] = np.arange(self.m - 1, -1, -1, dtype=np.int32)
        self._code = _code(self.m, self.t)
        own = k + 2 * self.t * self.m
        self._matcher = RateMatcher(own, evenly(own, n), mixed=False, device=device)

    @property
    def name(self) -> str:
        """``rs(k,n,m=...,t=...)``."""
        return f"rs({self.k},{self.n},m={self.m},t={self.t})"

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        """Encode ``[batch, k]`` bits into ``[batch, n]`` bits, ``torch.uint8``."""
        bits = check_bits(bits, self.k).cpu()
        words = self._code.encode(self._symbols(bits))
        parity = torch.from_numpy(words[:, -2 * self.t :, None] >> self._shifts & 1).flatten(1)
        return self._matcher.match(torch.cat([bits, parity.to(torch.uint8)], dim=1).to(self.device))

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode the signs of ``[batch, n]`` LLRs; no soft values."""
        heard = self._matcher.recover(check_llr(llr, self.n).to(self.device)).cpu() > 0
        parts = [self._symbols(heard[:, : self.k]), self._symbols(heard[:, self.k :])]
        words, _ = self._code.decode(np.concatenate(parts, axis=1))
        information = torch.from_numpy(words[:, : -2 * self.t, None] >> self._shifts & 1).flatten(1)
        return Decoded(bits=information[:, : self.k].to(torch.uint8).to(self.device))

    def _symbols(self, bits: torch.Tensor) -> NDArray[np.int32]:
        """Join bits into symbols, highest first, the last one filled up with zeros."""
        filled = torch.nn.functional.pad(bits.to(torch.int32), (0, -bits.shape[1] % self.m))
        grouped = filled.reshape(len(bits), filled.shape[1] // self.m, self.m).numpy()
        return np.ascontiguousarray((grouped << self._shifts).sum(axis=2, dtype=np.int32))
