"""The tail-biting convolutional code of LTE control channels (TS 36.212)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from phy.coding.code import Decoded, check_bits, check_llr
from phy.coding.rate_matching import RateMatcher
from phy.coding.trellis.kernels import tail_biting, tail_biting_exact
from phy.coding.trellis.lanes import decode_lanes
from phy.coding.trellis.machine import ShiftRegister

__all__ = ["DECODERS", "REGISTER", "TailBiting", "circular_buffer"]

DECODERS = ("wava", "ml")

REGISTER = ShiftRegister((0o133, 0o171, 0o165), 7)
"""G0, G1 and G2 of clause 5.1.3.1."""

# Table 5.1.4-2: inter-column permutation of the sub-block interleaver.
_COLUMNS = (
    1, 17, 9, 25, 5, 21, 13, 29, 3, 19, 11, 27, 7, 23, 15, 31,
    0, 16, 8, 24, 4, 20, 12, 28, 2, 18, 10, 26, 6, 22, 14, 30,
)  # fmt: skip

_LLR_CLIP = 100.0


def circular_buffer(k: int, n: int) -> torch.Tensor:
    """Which of the 3 k coded bits are sent as ``n``, in order (clause 5.1.4.2): ``[n]``, ``torch.int64``.

    Bit j of stream i, i = 0, 1, 2, is coded bit 3 j + i. Each stream is written by rows of 32, filled up in
    front, and read by columns in the order of table 5.1.4-2; the three follow one another around a circle
    from which n bits are read.

    Examples
    --------
    >>> circular_buffer(32, 4).tolist()  # bits 1, 17, 9 and 25 of the first stream
    [3, 51, 27, 75]
    """
    filler = -k % 32
    written = np.arange(k + filler).reshape(-1, 32)[:, _COLUMNS].T.ravel() - filler
    stream = written[written >= 0]
    around = np.concatenate([3 * stream + i for i in range(3)])
    return torch.from_numpy(around[np.arange(n) % (3 * k)])


class TailBiting:
    """Tail-biting convolutional code of TS 36.212, clause 5.1.3.1, with the rate matching of 5.1.4.2.

    Rate 1/3, 64 states, G0 = 133, G1 = 171, G2 = 165 (octal). The register begins with the last six bits, so
    that it ends in the state in which it began, and no tail is sent.

    Paths are compared by the sum of c L over their coded bits c, with LLRs L = log p(b=1)/p(b=0). The
    wrap-around Viterbi algorithm (``wava``) walks around the circle until the best path ends in the state in
    which it began, at most ``iterations`` times, and then takes the best one that does (Shao, Lin and
    Fossorier, "Two decoding algorithms for tailbiting codes", IEEE Trans. Commun. 51(10), 2003). ``ml`` finds
    the most likely word by one walk from each of the states, in about eight times the time. At rate 1/3 they
    fail in .31 and .28 of the blocks of 24 bits, .347 and .339 of 40, and alike from 70 bits on. Neither
    gives soft values.

    Parameters
    ----------
    k:
        Information bits, check sums included, 7 or more.
    n:
        Coded bits, at least 4/3 of ``k``: with fewer, words are no longer told apart; None for 3 k.
    decoder:
        ``"wava"`` or ``"ml"``.
    iterations:
        Most walks of ``wava`` around the circle.
    device:
        Where results lie; encoder and decoder run on the CPU.

    Raises
    ------
    ValueError
        If a parameter is outside its range.

    Examples
    --------
    >>> code = TailBiting(40)
    >>> code.n, bool(code.encode(torch.ones(1, 40, dtype=torch.uint8)).all())
    (120, True)
    """

    def __init__(
        self,
        k: int,
        n: int | None = None,
        decoder: str = "wava",
        *,
        iterations: int = 4,
        device: str = "cpu",
    ) -> None:
        n = 3 * k if n is None else n
        if k < 7 or 3 * n < 4 * k:
            raise ValueError(
                f"the tail-biting code of TS 36.212 needs k >= 7 and n >= 4/3 k, got k = {k}, n = {n}"
            )
        if iterations < 1:
            raise ValueError(f"the tail-biting decoder needs at least one iteration, got {iterations}")
        if decoder not in DECODERS:
            raise ValueError(
                f"decoder of a tail-biting code must be {' or '.join(DECODERS)}, got {decoder!r}"
            )
        self.k, self.n, self.decoder, self.iterations, self.device = k, n, decoder, iterations, device
        self._matcher = RateMatcher(3 * k, circular_buffer(k, n), mixed=False, device=device)

    @property
    def name(self) -> str:
        """``tbcc(k,n)``."""
        return f"tbcc({self.k},{self.n})"

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        """Encode ``[batch, k]`` bits into ``[batch, n]`` bits, ``torch.uint8``."""
        data = check_bits(bits, self.k).cpu().numpy()
        last = data[:, -REGISTER.memory :].astype(np.int64)  # the latest one is the highest of the state
        coded = REGISTER.encode(data, last @ (1 << np.arange(REGISTER.memory)))
        return self._matcher.match(torch.from_numpy(coded).to(self.device))

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode ``[batch, n]`` LLRs; no soft values."""
        llr = check_llr(llr, self.n).to(self.device).clamp(-_LLR_CLIP, _LLR_CLIP)
        code = (REGISTER.rate, REGISTER.outputs, self.k)

        def kernel(groups: NDArray[np.float32], bits: NDArray[np.float32]) -> None:
            if self.decoder == "ml":
                tail_biting_exact(groups, *code, bits)
            else:
                tail_biting(groups, *code, self.iterations, bits)

        found = decode_lanes(self._matcher.recover(llr).cpu(), self.k, kernel)
        return Decoded(bits=torch.from_numpy(found.astype(np.uint8)).to(self.device))
