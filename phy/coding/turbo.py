"""The turbo code of LTE (TS 36.212) with BCJR decoding, by Sionna."""

from __future__ import annotations

from functools import lru_cache

import torch
from sionna.phy.fec.turbo import TurboDecoder, TurboEncoder

from phy.coding.code import Decoded, check_bits, check_llr
from phy.coding.rate_matching import RateMatcher, evenly

__all__ = ["K_MAX", "Turbo"]

K_MAX = 6144  # largest internal interleaver, TS 36.212, table 5.1.3-3
_TAIL = 12
_LLR_CLIP = 100.0  # exponents of the recursion stay well inside float32


@lru_cache(maxsize=16)
def _sionna(iterations: int, device: str) -> tuple[TurboEncoder, TurboDecoder]:
    encoder = TurboEncoder(constraint_length=4, rate=1 / 3, terminate=True, device=device, precision="single")
    decoder = TurboDecoder(
        encoder,
        num_iter=iterations,
        hard_out=False,
        algorithm="log",  # "map" divides 0 by 0 at large LLRs
        device=device,
        precision="single",
    )
    return encoder, decoder


def _streams_first(k: int) -> torch.Tensor:
    """Positions of s, p1, p2 and the tail in Sionna's order: s p1 p2 s p1 p2 ... tail."""
    triples = torch.arange(3 * k).reshape(k, 3)
    return torch.cat([triples.T.reshape(-1), torch.arange(3 * k, 3 * k + _TAIL)])


class Turbo:
    """Parallel concatenation of two (13, 15) recursive codes, terminated, log-MAP decoder.

    Constituent codes, tail and internal interleaver are those of TS 36.212, clause 5.1.3.2 (a ``k`` that is
    not in its table uses the next larger interleaver, pruned). Rate matching is not LTE's circular buffer
    but `RateMatcher`: systematic bits are kept, both parities are punctured evenly.

    Each BCJR pass computes, over the steps from state s' to s of the trellis at bit u,

        L(u) = log sum_{u=1} exp(A(s') + G(s', s) + B(s)) - log sum_{u=0} exp(A(s') + G(s', s) + B(s))

    with the forward and backward recursions A(s) = log sum exp(A(s') + G), B(s') = log sum exp(G + B(s)), and
    G the sum of the LLRs of the step's ones, the other decoder's extrinsic ones among them (Bahl et al.,
    IEEE Trans. Inf. Theory 20(2), 1974; Berrou et al., ICC 1993).

    Parameters
    ----------
    k:
        Information bits, 2 to 6144.
    n:
        Coded bits, more than ``k``; None for the natural 3 k + 12.
    iterations:
        Turbo iterations, two BCJR passes each.
    device:
        Where the code runs and its results lie.

    Raises
    ------
    ValueError
        If a parameter is outside its range.

    Examples
    --------
    >>> Turbo(40).n
    132
    """

    def __init__(self, k: int, n: int | None = None, *, iterations: int = 8, device: str = "cpu") -> None:
        if not 2 <= k <= K_MAX or (n is not None and n <= k):
            raise ValueError(f"the turbo code needs k from 2 to {K_MAX} and n > k, got k = {k}, n = {n}")
        if iterations < 1:
            raise ValueError(f"the turbo decoder needs at least one iteration, got {iterations}")
        natural = 3 * k + _TAIL
        self.k, self.n = k, natural if n is None else n
        self.iterations, self.device = iterations, device
        self._matcher = RateMatcher(natural, evenly(natural, self.n, k), device=device)
        self._order = _streams_first(k).to(device)
        self._inverse = torch.argsort(self._order)
        self._encoder, self._decoder = _sionna(iterations, device)

    @property
    def name(self) -> str:
        """``turbo(k,n)``."""
        return f"turbo({self.k},{self.n})"

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        """Encode ``[batch, k]`` bits into ``[batch, n]`` bits, ``torch.uint8``."""
        bits = check_bits(bits, self.k).to(self.device)
        if not bits.shape[0]:
            return bits.new_zeros(0, self.n)
        coded: torch.Tensor = self._encoder(bits.to(torch.float32))
        return self._matcher.match(coded[:, self._order]).to(torch.uint8)

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode ``[batch, n]`` LLRs; the soft values are a-posteriori log-likelihood ratios."""
        llr = check_llr(llr, self.n).to(self.device).clamp(-_LLR_CLIP, _LLR_CLIP)
        if not llr.shape[0]:
            return Decoded(bits=llr.new_zeros(0, self.k, dtype=torch.uint8), llr=llr.new_zeros(0, self.k))
        soft: torch.Tensor = self._decoder(self._matcher.recover(llr)[:, self._inverse])
        return Decoded(bits=(soft > 0).to(torch.uint8), llr=soft)
