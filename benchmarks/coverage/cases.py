"""Laws that metrics and counts follow, from kind to unkind, and the intervals that are printed of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.coverage.measure import Case
from benchmarks.links.counting import Counts, chunk_end
from benchmarks.links.results import PointStats
from benchmarks.links.search import find_required_snr
from benchmarks.runs.resampling import Limits, bootstrap_interval, pooled_interval
from benchmarks.runs.statistics import Interval, clustered_rate_interval, rate_interval, ratio_interval
from benchmarks.systems.crossing import locate

__all__ = ["SOURCES", "cases"]

SOURCES = (8, 24, 48)
"""Numbers of sources, from the fewest for which intervals are meant to hold."""

_RESAMPLES = 1999
_TRIALS = 4
_SHARE = (0.0, 1.0)
_BITS, _FAILED = 512, 0.1
"""Of a block, and the share of blocks that fail."""
_STEEP_DB = 0.5
"""How fast a block error rate falls."""

Rng = np.random.Generator
Draw = Callable[[Rng, int], NDArray[np.float64]]
"""A generator and a number of sources to ``[sources, trials]``."""


def cases(sources: tuple[int, ...] = SOURCES) -> Iterator[Case]:
    """Return every case, those over sources for each of these numbers of them."""
    for n in sources:
        for law, truth, draw, limits in _METRICS:
            yield Case("mean of a metric", law, n, truth, partial(_mean, draw, limits, n))
        for law, spread in (("ratio, sizes 1 to 10", 0.5), ("ratio, sizes 1 to 100", 1.0)):
            yield Case("figure of sums", law, n, math.exp(-0.02), partial(_pooled, spread, n))
        yield Case("share of groups", "words of sentences", n, 0.2, partial(_groups, n))
        for law, spread in (("cliff, on a grid of 3 dB", 0.2), ("slope, on a grid of 1 dB", 2.0)):
            step = 3.0 if spread < 1 else 1.0
            yield Case("crossing", law, n, 5.8, partial(_crossing, step, spread, n))
    for rate in (0.1, 0.001):
        law = f"{rate:g}, until 100 are wrong"
        yield Case("block error rate", law, round(100 / rate), rate, partial(_blocks, rate))
    yield Case("bit error rate", "bursts", 1000, _FAILED * _burst() / _BITS, _bits)
    for lost in (0.02, 0.5):
        law = f"{100 * lost:g} % of transmissions lost"
        yield Case("mean transmissions", law, 1000, (1 - lost**4) / (1 - lost), partial(_sent, lost))
        yield Case("throughput", law, 1000, 1 - lost, partial(_carried, lost))
    truth = _STEEP_DB * float(stats.norm.isf(0.1))
    yield Case("SNR of a target BLER", "10 %", 100, truth, _target)


def _normal(rng: Rng, n: int) -> NDArray[np.float64]:
    return rng.normal(30.0, 4.0, (n, 1))


def _lognormal(rng: Rng, n: int) -> NDArray[np.float64]:
    return rng.lognormal(size=(n, 1))


def _right(rng: Rng, n: int) -> NDArray[np.float64]:
    return (rng.random((n, 1)) < 0.1).astype(float)


def _cliff(share: float, rng: Rng, n: int) -> NDArray[np.float64]:
    """Sources that arrive from some SNR of their own on, which noise moves from trial to trial."""
    thresholds = rng.normal(0.0, 1.0, (n, 1)) + rng.normal(0.0, 0.3, (n, _TRIALS))
    return (thresholds < stats.norm.ppf(share) * math.hypot(1.0, 0.3)).astype(float)


def _lost(rng: Rng, n: int) -> NDArray[np.float64]:
    return np.where(rng.random((n, 1)) < 0.1, 12.0, rng.normal(35.0, 3.0, (n, 1)))


_METRICS: tuple[tuple[str, float, Draw, Limits | None], ...] = (
    ("normal", 30.0, _normal, None),
    ("log-normal", math.exp(0.5), _lognormal, None),
    ("right in 1 of 10", 0.1, _right, _SHARE),
    ("cliff, 25 % arrive", 0.25, partial(_cliff, 0.25), _SHARE),
    ("cliff, 50 % arrive", 0.5, partial(_cliff, 0.5), _SHARE),
    ("35 dB, 1 of 10 lost", 0.9 * 35.0 + 0.1 * 12.0, _lost, None),
)


def _mean(draw: Draw, limits: Limits | None, n: int, rng: Rng) -> Interval:
    values = draw(rng, n)
    groups = np.repeat(np.arange(n), values.shape[1])
    return bootstrap_interval(values.ravel(), groups, limits=limits, resamples=_RESAMPLES)


def _pooled(spread: float, n: int, rng: Rng) -> Interval:
    """Ratio of two sums whose terms share a factor, their size: 1 / E[exp(0.2 z)] is left."""
    shared = rng.lognormal(0.0, spread, n)
    counts = np.stack([shared, shared * rng.lognormal(0.0, 0.2, n)], axis=1)
    return pooled_interval(counts, lambda total: float(total[0] / total[1]), resamples=_RESAMPLES)


def _groups(n: int, rng: Rng) -> Interval:
    words = rng.integers(4, 16, n)
    return ratio_interval(rng.binomial(words, rng.beta(1.0, 4.0, n)), words)


def _crossing(step: float, spread: float, n: int, rng: Rng) -> Interval | None:
    """Gains that rise with the SNR by a decibel a decibel, or jump, from each source's own on."""
    grid = np.arange(-6.0, 18.1, step)
    beyond = np.subtract.outer(-rng.normal(5.8, spread, n), -grid)
    found = locate([*grid], np.sign(beyond) if spread < 1 else beyond)
    return None if found.low is None or found.high is None else Interval(found.low, found.high)


def _repeated(lost: float, rng: Rng) -> PointStats:
    """Blocks of one bit a use, in up to four transmissions each of which is lost with a probability."""
    needed = rng.geometric(1 - lost, 1000)
    uses, right = np.minimum(needed, 4), needed <= 4
    wrong = 1000 - int(right.sum())
    sums = (int(uses.sum()), int((uses * uses).sum()), int(uses[right].sum()))
    return PointStats({}, 0.0, 0.0, 1, 0, Counts(1000, wrong, 1000, wrong, wrong, *sums))


def _sent(lost: float, rng: Rng) -> Interval:
    return _repeated(lost, rng).transmissions_interval


def _carried(lost: float, rng: Rng) -> Interval:
    return _repeated(lost, rng).throughput_interval


def _target(rng: Rng) -> Interval | None:
    """A block error rate that falls like the tail of a normal law, searched as ``ber --target-bler`` does."""
    known: dict[float, Counts] = {}

    def probe(esno_db: float, enough: Callable[[Counts], bool]) -> Counts:
        counts, rate = known.get(esno_db, Counts()), float(stats.norm.sf(esno_db / _STEEP_DB))
        while counts.block_errors < 100 and counts.blocks < 10**5 and not (counts.blocks and enough(counts)):
            more = chunk_end(counts.blocks) - counts.blocks
            counts += Counts(more, int(rng.binomial(more, rate)))
        known[esno_db] = counts
        return counts

    found = find_required_snr(0.1, probe, 2.0, -5.0, 5.0, 0.95)
    return None if found.low_db is None or found.high_db is None else Interval(found.low_db, found.high_db)


def _blocks(rate: float, rng: Rng) -> Interval:
    """Blocks until 100 are wrong, as points of a curve end."""
    return rate_interval(100, 100 + int(rng.negative_binomial(100, rate)))


def _burst() -> float:
    lengths = np.arange(1, _BITS)
    law = stats.geom(1 / 30)
    return float((lengths * law.pmf(lengths)).sum() + _BITS * law.sf(_BITS - 1))


def _bits(rng: Rng) -> Interval:
    failed = rng.random(1000) < _FAILED
    wrong = np.where(failed, np.minimum(rng.geometric(1 / 30, 1000), _BITS), 0)
    return clustered_rate_interval(int(wrong.sum()), 1000 * _BITS, int((wrong * wrong).sum()), 1000)
