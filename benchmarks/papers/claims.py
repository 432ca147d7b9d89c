"""What papers say about their figures, held against a run of ``semphy compare``.

Papers publish curves without values, so what can be held against them is what their text says: who is better
than whom, by how much, in which range of SNRs. A claim about two systems is judged from differences of the
same source over the same channel, with an interval over sources.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmarks.runs.statistics import bootstrap_interval
from benchmarks.settings.errors import InputError
from benchmarks.systems.crossing import by_source, first_crossing
from benchmarks.systems.curves import CurveRow
from semantic.metrics.catalog import describe

__all__ = ["Better", "Between", "Claim", "Finding", "Meets", "Verdict"]

Verdict = Literal["holds", "does not hold", "undecided", "reported"]
Metrics = tuple[str, ...]
"""Metrics or their families (``cosine`` of ``cosine:NETWORK``), the first that a run has counts."""


@dataclass(frozen=True)
class Finding:
    """What a run says to a claim.

    Attributes
    ----------
    statement:
        What is claimed, in words.
    published:
        The paper's figure, or a dash.
    metric:
        The one that the run has.
    here:
        The run's figures.
    verdict:
        ``undecided`` where the interval has both signs; ``reported`` where the paper gives nothing to hold
        the figure against.
    """

    statement: str
    published: str
    metric: str
    here: str
    verdict: Verdict


@dataclass(frozen=True)
class Better:
    """One system is better than another, on average over SNRs.

    Attributes
    ----------
    better, worse:
        Systems.
    metrics:
        By which the claim can be judged.
    published:
        The paper's figure.
    low_db, high_db:
        Bounds of the SNRs, inclusive.
    """

    better: str
    worse: str
    metrics: Metrics
    published: str = "-"
    low_db: float = -np.inf
    high_db: float = np.inf

    @property
    def systems(self) -> tuple[str, ...]:
        """Systems that a run must have."""
        return self.better, self.worse

    def hold(self, rows: Sequence[CurveRow], metric: str, cbr: str | None, confidence: float) -> Finding:
        """Judge from the differences of sources."""
        first, second = (by_source(rows, name, metric, cbr) for name in self.systems)
        snrs = [snr for snr in sorted(first.keys() & second.keys()) if self.low_db <= snr <= self.high_db]
        sources = _common([first, second], snrs)
        sign = 1.0 if describe(metric).higher_is_better else -1.0
        ours, theirs = (np.array([[curve[x][s] for x in snrs] for s in sources]) for curve in (first, second))
        gain = sign * (ours - theirs).mean(axis=1)
        low, high = bootstrap_interval(gain, sources, confidence)
        share = 100 * float(gain.mean()) / abs(float(theirs.mean())) if theirs.mean() else np.nan
        verdict: Verdict = "holds" if low > 0 else "does not hold" if high < 0 else "undecided"
        where = f" at {_range(snrs)}" if np.isfinite(self.low_db) or np.isfinite(self.high_db) else ""
        return Finding(
            f"{self.better} is better than {self.worse}{where}",
            self.published,
            metric,
            f"{ours.mean():.3f} against {theirs.mean():.3f}: by {gain.mean():.3f} [{low:.3f}, {high:.3f}], "
            f"{share:.0f} %",
            verdict,
        )


@dataclass(frozen=True)
class Between:
    """A system's curve stays between two values at all SNRs.

    Attributes
    ----------
    system, metrics, published:
        As in `Better`.
    low, high:
        The values; of another metric than the paper's, or a network of its own, they are only reported.
    """

    system: str
    metrics: Metrics
    published: str
    low: float
    high: float

    @property
    def systems(self) -> tuple[str, ...]:
        """Systems that a run must have."""
        return (self.system,)

    def hold(self, rows: Sequence[CurveRow], metric: str, cbr: str | None, confidence: float) -> Finding:
        """Report the lowest and the highest mean over the sources."""
        curve = by_source(rows, self.system, metric, cbr)
        means = [float(np.mean(list(values.values()))) for values in curve.values() if values]
        here = f"{min(means):.3f} to {max(means):.3f} at {_range(sorted(curve))}"
        return Finding(
            f"{self.system} stays between {self.low:g} and {self.high:g}",
            self.published,
            metric,
            here,
            "reported",
        )


@dataclass(frozen=True)
class Meets:
    """From some SNR on, one system is better than another.

    Attributes
    ----------
    first, second:
        ``second`` becomes better than ``first``.
    metrics, published:
        As in `Better`.
    """

    first: str
    second: str
    metrics: Metrics
    published: str

    @property
    def systems(self) -> tuple[str, ...]:
        """Systems that a run must have."""
        return self.first, self.second

    def hold(self, rows: Sequence[CurveRow], metric: str, cbr: str | None, confidence: float) -> Finding:
        """Report the crossing of the mean curves."""
        curves = [by_source(rows, name, metric, cbr) for name in self.systems]
        snrs = sorted(curves[0].keys() & curves[1].keys())
        sources = _common(curves, snrs)
        sign = 1.0 if describe(metric).higher_is_better else -1.0
        gain = sign * np.array([np.mean([curves[1][x][s] - curves[0][x][s] for s in sources]) for x in snrs])
        found = first_crossing(snrs, gain)
        here = f"at {found:.1f} dB" if found is not None else f"not at {_range(snrs)}"
        if found is None and gain[0] >= 0:
            here = f"better from {snrs[0]:g} dB on"
        return Finding(
            f"{self.second} becomes better than {self.first}", self.published, metric, here, "reported"
        )


Claim = Better | Between | Meets


def _common(curves: Sequence[dict[float, dict[str, float]]], snrs: Sequence[float]) -> list[str]:
    each = [set(curve[snr]) for curve in curves for snr in snrs]
    sources = sorted(set.intersection(*each)) if each else []
    if not sources:
        raise InputError("the run has no SNR at which the systems of a claim share a source")
    return sources


def _range(snrs: Sequence[float]) -> str:
    return f"{snrs[0]:g} dB" if len(snrs) == 1 else f"{snrs[0]:g} to {snrs[-1]:g} dB"
