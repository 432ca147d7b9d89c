"""Hamming codes, decoded by the most likely word or by the syndrome."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from phy.coding.algebraic.syndrome import most_likely
from phy.coding.code import Decoded, check_bits, check_llr
from phy.coding.rate_matching import RateMatcher, evenly
from phy.coding.workers import in_parts

__all__ = ["DECODERS", "K_MAX", "Hamming", "checks_of"]

DECODERS = ("ml", "hard")
K_MAX = 1013  # ten checks: 1,024 states of the syndrome's trellis
_LLR_CLIP = 100.0


def checks_of(k: int) -> int:
    """Parity checks r of a Hamming code of ``k`` bits: the fewest with 2^r - 1 - r >= k.

    Examples
    --------
    >>> checks_of(4), checks_of(5), checks_of(120)
    (3, 4, 7)
    """
    r = 2
    while (1 << r) - 1 - r < k:
        r += 1
    return r


class Hamming:
    """Hamming code of distance 3, or extended by one parity bit over all to distance 4.

    Systematic: the k bits, then r checks with 2^r - 1 - r >= k, shortened where k is less. With ``n`` of
    k + r + 1 and more it is the extended one; bits beyond that repeat coded bits evenly. Columns of the
    parity-check matrix are the numbers of two and more ones in ascending order, then the powers of two
    (Hamming, "Error detecting and error correcting codes", BSTJ 29(2), 1950).

    ``ml`` finds the word of the largest sum of c L over its bits c, with LLRs L = log p(b=1)/p(b=0), by
    Viterbi's recursion over the syndrome's 2^r states (Wolf, IEEE Trans. Inf. Theory 24(1), 1978): exact, at
    any length. ``hard`` decides bit by bit, and flips the one that the syndrome points to: up to one error is
    corrected, two are detected, and left, by the extended code. On a binary symmetric channel of crossover
    probability p a perfect code, n = 2^r - 1, fails with 1 - (1 - p)^n - n p (1 - p)^(n - 1).

    Parameters
    ----------
    k:
        Information bits, 1 to 1,013.
    n:
        Coded bits, at least k + r; None for k + r.
    decoder:
        ``"ml"`` or ``"hard"``.
    device:
        Where results lie; the decoder runs on the CPU.

    Raises
    ------
    ValueError
        If a parameter is outside its range.

    Examples
    --------
    >>> code = Hamming(4)
    >>> code.name
    'hamming(4,7,d=3)'
    >>> word = code.encode(torch.tensor([[1, 0, 1, 1]], dtype=torch.uint8))
    >>> word[0, 2] ^= 1
    >>> code.decode(2.0 * word - 1.0).bits
    tensor([[1, 0, 1, 1]], dtype=torch.uint8)
    """

    def __init__(self, k: int, n: int | None = None, decoder: str = "ml", *, device: str = "cpu") -> None:
        if not 1 <= k <= K_MAX:
            raise ValueError(f"a Hamming code here has k from 1 to {K_MAX}, got k = {k}")
        if decoder not in DECODERS:
            raise ValueError(f"decoder of a Hamming code must be {' or '.join(DECODERS)}, got {decoder!r}")
        r = checks_of(k)
        n = k + r if n is None else n
        if n < k + r:
            raise ValueError(f"a Hamming code of k = {k} has {r} checks, so n >= {k + r}, got n = {n}")
        self.k, self.n, self.decoder, self.device = k, n, decoder, device
        self.extended = n > k + r
        columns = [c for c in range(1 << r) if c.bit_count() > 1][:k] + [1 << i for i in range(r)]
        if self.extended:  # the last check is over all bits
            columns = [c | (1 << r) for c in columns] + [1 << r]
        self.columns: NDArray[np.int32] = np.array(columns, np.int32)
        self.checks = r + self.extended
        self._matcher = RateMatcher(len(columns), evenly(len(columns), n), device=device)

    @property
    def name(self) -> str:
        """``hamming(k,n,d=3)``, with the least distance of its words, repeated bits aside."""
        return f"hamming({self.k},{self.n},d={4 if self.extended else 3})"

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        """Encode ``[batch, k]`` bits into ``[batch, n]`` bits, ``torch.uint8``."""
        bits = check_bits(bits, self.k).to(self.device)
        syndrome = self._syndrome(bits.cpu().numpy())
        parity = (syndrome[:, None] >> np.arange(self.checks) & 1).astype(np.uint8)
        if self.extended:  # the checks are among all the bits that the last one is over
            parity[:, -1] ^= np.bitwise_xor.reduce(parity[:, :-1], axis=1)
        word = torch.cat([bits, torch.from_numpy(parity).to(self.device)], dim=1)
        return self._matcher.match(word)

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode ``[batch, n]`` LLRs; no soft values."""
        llr = check_llr(llr, self.n).to(self.device).clamp(-_LLR_CLIP, _LLR_CLIP)
        heard = self._matcher.recover(llr).cpu()
        words = self._nearest(heard) if self.decoder == "hard" else self._most_likely(heard)
        return Decoded(bits=torch.from_numpy(words[:, : self.k]).to(self.device))

    def _syndrome(self, words: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Sum of the columns at the ones of ``[frames, up to n]`` bits."""
        chosen = np.where(words == 1, self.columns[: words.shape[1]], np.int32(0))
        return np.bitwise_xor.reduce(chosen, axis=1)

    def _nearest(self, llr: torch.Tensor) -> NDArray[np.uint8]:
        words = (llr > 0).to(torch.uint8).numpy()
        words ^= (self._syndrome(words)[:, None] == self.columns).astype(np.uint8)
        return words

    def _most_likely(self, llr: torch.Tensor) -> NDArray[np.uint8]:
        values = llr.numpy()
        words = np.empty(values.shape, np.uint8)

        def work(part: slice) -> None:
            most_likely(values[part], self.columns, 1 << self.checks, words[part])

        in_parts(work, len(values))
        return words
