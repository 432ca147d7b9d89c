"""Strengths of noise from where blocks fail often down to that of an SNR, chosen by a trial run."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from phy.random import Stream
from phy.rare.failures import Failures
from phy.rare.walk import Population, draw, walk
from phy.rare.weighting import effective, log_weights, resampled

__all__ = ["Ladder"]

_OFTEN = 0.2
"""Least share of blocks that fail on the first rung."""

_GROWTH, _MOST_NOISE = 1.1, 100.0
_LIKE = 0.4
"""Effective share of a population that the weights of one rung leave."""

_TAKEN = 0.3
"""Share of moves that are to be taken."""

_STEPS, _STEP = (0.01, 0.9), 0.5
_TRIALS, _TRIAL = 8, 8
"""Walks in which the length of a move settles, and blocks a chain of each."""

_BISECTIONS = 30


@dataclass(frozen=True)
class Ladder:
    """How `phy.rare.descent.descend` goes from much noise to the SNR's own.

    Attributes
    ----------
    scales:
        Strengths of the noise in units of the SNR's, falling, all but the last 1 that follows them.
    steps:
        Share of the noise that a move renews on each rung, as many; the first is not used.
    chains, length:
        Failed blocks that start to walk on each rung, and blocks that each walk makes of one. Larger products
        see rarer kinds of failure, longer walks forget their start.

    Examples
    --------
    >>> from phy.coding.uncoded import Uncoded
    >>> from phy.modulation import Modulation
    >>> from phy.units import EsN0
    >>> often = Failures(Uncoded(8), Modulation("bpsk"), EsN0(0.0))
    >>> Ladder.fitted(often, Stream(1)).scales  # nothing is rare there
    (1.0,)
    """

    scales: tuple[float, ...]
    steps: tuple[float, ...]
    chains: int = 64
    length: int = 256

    @classmethod
    def fitted(cls, failures: Failures, stream: Stream, chains: int = 64, length: int = 256) -> Ladder:
        """Choose rungs and moves by one trial descent, of which nothing else is kept.

        Descents that know nothing of each other are unbiased only if what they do was settled before.

        Raises
        ------
        ValueError
            If blocks hardly fail under any noise.
        """
        random = stream.generator()
        scale, population = _first(failures, chains * length, random)
        scales, steps = [scale], [_STEP]
        while (scale := _following(population, scales[-1])) > 1.0:
            rows = resampled(log_weights(population, scales[-1], scale), chains, random)
            start, step = population.taken(rows), steps[-1]
            for _ in range(_TRIALS):
                found, taken = walk(failures, start, scale, step, _TRIAL, random)
                start = found.taken(np.arange(len(found) - chains, len(found)))
                step = float(np.clip(step * math.exp(taken - _TAKEN), *_STEPS))
            population, _ = walk(failures, start, scale, step, length, random)
            scales.append(scale)
            steps.append(step)
        return cls(tuple(scales), tuple(steps), chains, length)


def _first(failures: Failures, blocks: int, random: np.random.Generator) -> tuple[float, Population]:
    """A strength of the noise under which blocks fail often, and such blocks."""
    scale = 1.0
    while True:
        population = draw(failures, blocks, scale, random)
        if np.mean(population.wrong > 0) >= _OFTEN:
            return scale, population
        scale *= _GROWTH
        if scale > _MOST_NOISE:
            raise ValueError(f"{failures.code.name} hardly fails under any noise")


def _following(population: Population, scale: float) -> float:
    """The least strength for which the weights still leave enough of a population; 1 ends the ladder."""
    failed = population.taken(np.flatnonzero(population.wrong > 0))

    def alike(following: float) -> bool:
        log = log_weights(failed, scale, following)
        return effective(np.exp(log - log.max())) >= _LIKE * len(failed)

    if alike(1.0):
        return 1.0
    low, high = 1.0, scale
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if alike(middle) else (middle, high)
    return high
