"""One estimate of how often blocks fail, however rarely, by a descent through noise of falling strength."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phy.random import Stream
from phy.rare.failures import Failures
from phy.rare.ladder import Ladder
from phy.rare.walk import draw, walk
from phy.rare.weighting import effective, log_weights, resampled

__all__ = ["Descent", "descend"]


@dataclass(frozen=True)
class Descent:
    """What one descent found; descents of streams of their own are independent and equally distributed.

    Attributes
    ----------
    bler, ber:
        Unbiased estimates of the block and bit error rates; 0 where the descent lost its last failed block.
    families:
        Effective number of independently drawn blocks whose descendants carry the estimate: few mean that it
        hangs on few.
    blocks:
        Blocks decoded.

    Examples
    --------
    >>> found = [Descent(1e-9, 2e-10, 9.0, 5000), Descent(3e-9, 4e-10, 7.0, 5000)]
    >>> sum(each.bler for each in found) / len(found)
    2e-09
    """

    bler: float
    ber: float
    families: float
    blocks: int


def descend(failures: Failures, ladder: Ladder, stream: Stream) -> Descent:
    """Estimate block and bit error rates by sequential Monte Carlo over strengths of the noise.

    On rung t the noise is f_t times as strong as the SNR says, f_0 > f_1 > ... > f_T = 1, while the decoder
    is told the SNR, so that the set F of failures is the same on all rungs. With p_t the noise's density:

    1. N = chains x length blocks are drawn from p_0.
    2. Each failed block is weighted by w = p_{t+1}(z) / p_t(z), others by 0; W_t is the mean weight.
    3. As many blocks as there are chains are drawn by their weights, and walk, each for ``length`` blocks,
       by moves that leave p_{t+1} on F as it is (`phy.rare.walk`). All N blocks visited go on at 2.

    BLER = W_0 W_1 ... W_{T-1}, and BER is that times the weighted mean share of wrong bits at the end. Both
    are unbiased for any ladder, number of chains and length [1]_, [2]_, however badly the walks mix: only the
    scatter depends on these, and independent descents show it. Neither the code's linearity nor the decoder's
    symmetry is used: every block carries random bits of its own, which its descendants keep.

    It needs no list of dangerous error patterns, and so forgets none: at the top all kinds of failure occur
    in their proportions, and the likelihood ratios carry them on. What can still mislead is a kind of failure
    that makes up less than about one in N on the upper rungs and all of them at the end (a floor far below
    a waterfall): most descents then miss it and are too low, and few that meet it are far too high. Estimates
    of which one descent is a large share, and small numbers of families, are the signs of that; more chains
    are the remedy.

    Parameters
    ----------
    failures:
        Code, constellation and SNR.
    ladder:
        Settled before, such as by `Ladder.fitted` from another stream.
    stream:
        Of this descent.

    References
    ----------
    .. [1] P. Del Moral, A. Doucet, A. Jasra, "Sequential Monte Carlo samplers", J. R. Stat. Soc. B 68(3),
       2006.
    .. [2] H.-D. Dau, N. Chopin, "Waste-free sequential Monte Carlo", J. R. Stat. Soc. B 84(1), 2022.

    Examples
    --------
    Four bits over BPSK at 12 dB: 4 Q(5.63) = 3.6e-8.

    >>> from phy.coding.uncoded import Uncoded
    >>> from phy.modulation import Modulation
    >>> from phy.units import EsN0
    >>> rare = Failures(Uncoded(4), Modulation("bpsk"), EsN0(12.0))
    >>> ladder = Ladder.fitted(rare, Stream(1, "ladder"), chains=64, length=64)
    >>> found = [descend(rare, ladder, Stream(1, index)).bler for index in range(16)]
    >>> 3e-8 < sum(found) / 16 < 4.2e-8
    True
    """
    random = stream.generator()
    population = draw(failures, ladder.chains * ladder.length, ladder.scales[0], random)
    blocks = len(population)
    if not population.wrong.any():
        return Descent(0.0, 0.0, 0.0, blocks)
    following = (*ladder.scales[1:], 1.0)
    log = log_weights(population, ladder.scales[0], following[0])
    log_rate = _log_mean(log)
    for scale, step, after in zip(ladder.scales[1:], ladder.steps[1:], following[1:], strict=True):
        start = population.taken(resampled(log, ladder.chains, random))
        population, _ = walk(failures, start, scale, step, ladder.length, random)
        blocks += ladder.chains * (ladder.length - 1)
        log = log_weights(population, scale, after)
        log_rate += _log_mean(log)
    weights, bler = np.exp(log - log.max()), math.exp(log_rate)
    wrong = float(weights @ population.wrong) / (weights.sum() * failures.code.k)
    return Descent(
        bler, bler * wrong, effective(np.bincount(population.family, weights).astype(np.float64)), blocks
    )


def _log_mean(log: NDArray[np.float64]) -> float:
    """Logarithm of the mean of weights that are given by their logarithms."""
    return float(log.max()) + math.log(float(np.exp(log - log.max()).mean()))
