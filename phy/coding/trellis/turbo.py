"""The turbo code of LTE (TS 36.212), decoded by BCJR recursions in compiled code."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from phy.coding.code import Decoded, check_bits, check_llr
from phy.coding.decoding import Decoding
from phy.coding.rate_matching import RateMatcher, evenly
from phy.coding.trellis.bcjr import encode, turbo
from phy.coding.trellis.lanes import decode_lanes
from phy.coding.trellis.machine import Recursive
from phy.coding.trellis.qpp import K_MAX, interleaver
from phy.coding.workers import in_parts

__all__ = ["COMPONENT", "DECODERS", "Turbo", "tables"]

DECODERS = ("bcjr", "max-log")

COMPONENT = Recursive(feedback=0o13, forward=0o15, memory=3)
"""Both component codes: clause 5.1.3.2.1."""

_TAIL = 4 * COMPONENT.memory
_LLR_CLIP = 100.0


@lru_cache(maxsize=8)
def tables(code: Recursive) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """What `phy.coding.trellis.bcjr.component` wants to know of a code: before, labels, following."""
    labels = np.arange(2) + 2 * code.parity
    arrivals = [
        [(state, labels[state, bit]) for state, bit in code.arrivals(to)] for to in range(code.states)
    ]
    return np.array(arrivals), labels, code.following


class Turbo:
    """Parallel concatenation of two (13, 15) recursive codes, terminated, log-MAP decoder.

    Constituent codes, tail and internal interleaver are those of TS 36.212, clause 5.1.3.2 (a ``k`` that is
    not in its table uses the next larger interleaver, pruned). Rate matching is not LTE's circular buffer
    but `RateMatcher`: systematic bits are kept, both parities are punctured evenly.

    Each component's pass (``bcjr``) computes, over the steps from state s' to s of the trellis at bit u,

        L(u) = log sum_{u=1} exp(A(s') + G(s', s) + B(s)) - log sum_{u=0} exp(A(s') + G(s', s) + B(s))

    with the forward and backward recursions A(s) = log sum exp(A(s') + G), B(s') = log sum exp(G + B(s)), and
    G the sum of the LLRs of the step's ones, the other decoder's extrinsic ones among them (Bahl et al.,
    IEEE Trans. Inf. Theory 20(2), 1974; Berrou et al., ICC 1993). ``max-log`` takes the largest term for the
    logarithm of each sum, and multiplies extrinsic LLRs by ``factor`` (Vogt and Finger, Electronics Letters
    36(23), 2000: about 0.1 dB worse at 0.75, 0.4 dB at 1).

    Parameters
    ----------
    k:
        Information bits, 2 to 6144.
    n:
        Coded bits, more than ``k``; None for the natural 3 k + 12.
    decoder:
        ``"bcjr"`` or ``"max-log"``.
    iterations:
        Turbo iterations, two passes each.
    factor:
        Of ``max-log``.
    device:
        Where results lie; encoder and decoder run on the CPU.

    Raises
    ------
    ValueError
        If a parameter is outside its range.

    Examples
    --------
    >>> Turbo(40).n
    132
    """

    def __init__(
        self,
        k: int,
        n: int | None = None,
        decoder: str = "bcjr",
        *,
        iterations: int = 8,
        factor: float = 0.75,
        device: str = "cpu",
    ) -> None:
        if not 2 <= k <= K_MAX or (n is not None and n <= k):
            raise ValueError(f"the turbo code needs k from 2 to {K_MAX} and n > k, got k = {k}, n = {n}")
        if iterations < 1:
            raise ValueError(f"the turbo decoder needs at least one iteration, got {iterations}")
        if decoder not in DECODERS:
            raise ValueError(f"turbo decoder must be {' or '.join(DECODERS)}, got {decoder!r}")
        Decoding("max-log", factor=factor)  # which checks it
        natural = 3 * k + _TAIL
        self.k, self.n = k, natural if n is None else n
        self.decoder, self.iterations, self.device = decoder, iterations, device
        self.factor = factor if decoder == "max-log" else 1.0
        self._matcher = RateMatcher(natural, evenly(natural, self.n, k), device=device)

    @property
    def name(self) -> str:
        """``turbo(k,n)``."""
        return f"turbo({self.k},{self.n})"

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        """Encode ``[batch, k]`` bits into ``[batch, n]`` bits, ``torch.uint8``."""
        data = check_bits(bits, self.k).cpu().numpy()
        words: NDArray[np.uint8] = np.empty((len(data), 3 * self.k + _TAIL), np.uint8)
        _, labels, following = tables(COMPONENT)
        order = interleaver(self.k)
        in_parts(lambda part: encode(data[part], order, labels, following, words[part]), len(data))
        return self._matcher.match(torch.from_numpy(words).to(self.device))

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode ``[batch, n]`` LLRs; the soft values are a-posteriori log-likelihood ratios."""
        llr = check_llr(llr, self.n).to(self.device).clamp(-_LLR_CLIP, _LLR_CLIP)
        heard = self._matcher.recover(llr).cpu()
        exact = 1 if self.decoder == "bcjr" else None
        settings = (interleaver(self.k), self.iterations, self.factor, *tables(COMPONENT), exact)
        found = decode_lanes(heard, self.k, lambda groups, soft: turbo(groups, *settings, soft))
        soft = torch.from_numpy(found).to(self.device)
        return Decoded(bits=(soft > 0).to(torch.uint8), llr=soft)
