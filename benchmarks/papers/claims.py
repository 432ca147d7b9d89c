"""What papers say about their figures, held against a run of ``semphy compare``.

Papers publish curves without values, so what can be held against them is what their text says: who is better
than whom, by how much, in which range of SNRs. A claim about two systems is judged from differences of the
same source over the same channel, with an interval over sources; of several claims at once by `judged`, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.runs.resampling import bootstrap_interval, pooled_interval
from benchmarks.runs.significance import holm, p_value
from benchmarks.runs.statistics import Interval
from benchmarks.systems.crossing import by_source, gain_limits, locate
from benchmarks.systems.curves import CurveRow
from semantic.metrics.catalog import describe

__all__ = [
    "Better",
    "Between",
    "Cheaper",
    "Claim",
    "Finding",
    "Gain",
    "Meets",
    "Misspelt",
    "Size",
    "Verdict",
    "judged",
    "not_judged",
]

Verdict = Literal["holds", "does not hold", "undecided", "reported", "not judged"]
Size = Literal["as published", "smaller", "larger", "-"]
Metrics = tuple[str, ...]
"""Metrics or their families (``cosine`` of ``cosine:NETWORK``), the first that a run has counts."""
Curve = dict[float, dict[str, float]]


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
        The one that the run has, or a dash.
    here:
        The run's figures, or why there are none.
    verdict:
        By itself: ``undecided`` where the interval has both signs; ``reported`` where the paper gives nothing
        to hold the figure against; ``not judged`` where the run cannot tell.
    p:
        Two-sided p-value of no difference; None where nothing is judged.
    together:
        The verdict among all claims that are judged (`judged`).
    size:
        The gain against the published one: ``smaller`` or ``larger`` if that lies outside its interval.
    """

    statement: str
    published: str
    metric: str
    here: str
    verdict: Verdict
    p: float | None = None
    together: Verdict | None = None
    size: Size = "-"


class Gain(NamedTuple):
    """A published gain in percent of the worse system's mean, and the metrics of which it is one."""

    percent: float
    metrics: Metrics


def judged(findings: Sequence[Finding], confidence: float) -> tuple[Finding, ...]:
    """Judge claims together: with this confidence none that holds, or does not, is wrong.

    P-values are Holm's (`benchmarks.runs.significance.holm`); a claim that is decided by itself may be
    undecided together with others.
    """
    asked = [place for place, finding in enumerate(findings) if finding.p is not None]
    corrected = dict(zip(asked, holm([findings[place].p or 0.0 for place in asked]), strict=True))
    return tuple(
        replace(each, together="undecided" if corrected.get(place, 0.0) >= 1.0 - confidence else each.verdict)
        for place, each in enumerate(findings)
    )


@dataclass(frozen=True)
class Better:
    """One system is better than another, on average over SNRs.

    Attributes
    ----------
    better, worse:
        Systems.
    metrics:
        By which the claim can be judged.
    note:
        What the paper says beside it.
    gain:
        By how much, if it says so.
    low_db, high_db:
        Bounds of the SNRs, inclusive.
    """

    better: str
    worse: str
    metrics: Metrics
    note: str = "-"
    gain: Gain | None = None
    low_db: float = -np.inf
    high_db: float = np.inf

    @property
    def systems(self) -> tuple[str, ...]:
        """Systems that a run must have."""
        return self.better, self.worse

    @property
    def statement(self) -> str:
        """The claim in words."""
        bounds = {"from": self.low_db, "up to": self.high_db}
        where = [f"{word} {bound:g} dB" for word, bound in bounds.items() if np.isfinite(bound)]
        return " ".join([f"{self.better} is better than {self.worse}", *where])

    @property
    def published(self) -> str:
        """The paper's figure."""
        return self.note if self.gain is None else f"{self.gain.percent:g} %"

    def hold(self, rows: Sequence[CurveRow], metric: str, cbr: str | None, confidence: float) -> Finding:
        """Judge from the differences of sources."""
        curves = [by_source(rows, name, metric, cbr) for name in self.systems]
        shared = sorted(curves[0].keys() & curves[1].keys())
        snrs = [snr for snr in shared if self.low_db <= snr <= self.high_db]
        if not snrs:
            return not_judged(self, metric, "no SNR in its range")
        sources = _common(curves, snrs)
        if not sources:
            return not_judged(self, metric, f"no source in common at {_range(snrs)}")
        ours, theirs = (
            np.array([[curve[x][s] for x in snrs] for s in sources]).mean(axis=1) for curve in curves
        )
        gain = (1.0 if describe(metric).higher_is_better else -1.0) * (ours - theirs)
        here = f"{ours.mean():.3f} against {theirs.mean():.3f} at {_range(snrs)}: by {gain.mean():.3f}"
        if len(sources) < 2:
            return not_judged(self, metric, f"{here}, of one source, which says nothing of others")

        def interval(level: float) -> Interval:
            return bootstrap_interval(gain, None, level, gain_limits(metric))

        low, high = interval(confidence)
        share, size = self._size(gain, theirs, metric, confidence)
        here = f"{here} [{low:.3f}, {high:.3f}]{share}"
        verdict = _verdict(low, high)
        return Finding(self.statement, self.published, metric, here, verdict, p_value(interval), size=size)

    def _size(
        self, gain: NDArray[np.float64], theirs: NDArray[np.float64], metric: str, confidence: float
    ) -> tuple[str, Size]:
        """The gain in percent of the worse system's mean, unless that may be zero, and how it compares."""
        low, high = bootstrap_interval(theirs, None, confidence, describe(metric).limits)
        if low <= 0 <= high:
            return "", "-"
        counts = np.stack([gain, theirs], axis=1)
        low, high = pooled_interval(counts, lambda sums: 100 * float(sums[0] / abs(sums[1])), confidence)
        text = f", {100 * gain.mean() / abs(theirs.mean()):.0f} % [{low:.0f}, {high:.0f}]"
        if self.gain is None or metric.partition(":")[0] not in self.gain.metrics:
            return text, "-"
        percent = self.gain.percent
        return text, "smaller" if high < percent else "larger" if low > percent else "as published"


@dataclass(frozen=True)
class Between:
    """A system's curve stays between two values at all SNRs.

    Attributes
    ----------
    system, metrics:
        As in `Better`.
    published:
        The paper's figure.
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

    @property
    def statement(self) -> str:
        """The claim in words."""
        return f"{self.system} stays between {self.low:g} and {self.high:g}"

    def hold(self, rows: Sequence[CurveRow], metric: str, cbr: str | None, confidence: float) -> Finding:
        """Report the lowest and the highest mean over the sources."""
        curve = by_source(rows, self.system, metric, cbr)
        means = {snr: float(np.mean(list(values.values()))) for snr, values in curve.items() if values}
        if not means:
            return not_judged(self, metric, "no SNR at which a source has it")
        here = f"{min(means.values()):.3f} to {max(means.values()):.3f} at {_range(sorted(means))}"
        return Finding(self.statement, self.published, metric, here, "reported")


@dataclass(frozen=True)
class Meets:
    """From some SNR on, one system is better than another.

    Attributes
    ----------
    first, second:
        ``second`` becomes better than ``first``.
    metrics, published:
        As in `Between`.
    """

    first: str
    second: str
    metrics: Metrics
    published: str

    @property
    def systems(self) -> tuple[str, ...]:
        """Systems that a run must have."""
        return self.first, self.second

    @property
    def statement(self) -> str:
        """The claim in words."""
        return f"{self.second} becomes better than {self.first}"

    def hold(self, rows: Sequence[CurveRow], metric: str, cbr: str | None, confidence: float) -> Finding:
        """Report the crossing of the mean curves (`benchmarks.systems.crossing.locate`)."""
        curves = [by_source(rows, name, metric, cbr) for name in self.systems]
        snrs = sorted(curves[0].keys() & curves[1].keys())
        sources = _common(curves, snrs)
        if not sources:
            return not_judged(self, metric, "no SNR at which both share a source")
        sign = 1.0 if describe(metric).higher_is_better else -1.0
        gains = sign * np.array([[curves[1][x][s] - curves[0][x][s] for x in snrs] for s in sources])
        found = locate(snrs, gains, confidence, gain_limits(metric))
        here = f"at {found.to_text()}" if found.snr_db is not None else f"not at {_range(snrs)}"
        if found.snr_db is None and gains[:, 0].mean() >= 0:
            here = f"better from {snrs[0]:g} dB on"
        return Finding(self.statement, self.published, metric, here, "reported")


@dataclass(frozen=True)
class Cheaper:
    """A system takes fewer channel uses than others together.

    Attributes
    ----------
    system, others:
        Whose channel uses, and whose together.
    published:
        The paper's figure.
    """

    system: str
    others: tuple[str, ...]
    published: str
    metrics: Metrics = ()

    @property
    def systems(self) -> tuple[str, ...]:
        """Systems that a run must have."""
        return self.system, *self.others

    @property
    def statement(self) -> str:
        """The claim in words."""
        return f"{self.system} takes fewer channel uses than {' and '.join(self.others)}"

    def hold(self, rows: Sequence[CurveRow], metric: str, cbr: str | None, confidence: float) -> Finding:
        """Count them; of a count there is no interval."""
        uses = {
            name: [
                sample.channel_uses
                for row in rows
                if row.system == name and row.cbr in (cbr, None)
                for sample in row.samples
            ]
            for name in self.systems
        }
        if not all(uses.values()):
            return not_judged(self, "-", f"the run lacks one of {', '.join(self.systems)}")
        own, *others = (float(np.mean(each)) for each in uses.values())
        here = f"{own:.0f} against {' + '.join(f'{each:.0f}' for each in others)}"
        verdict: Verdict = "holds" if own < sum(others) else "does not hold"
        return Finding(self.statement, self.published, "channel uses", here, verdict)


@dataclass(frozen=True)
class Misspelt:
    """Texts that did not arrive whole still tell at least half of what whole ones tell.

    Attributes
    ----------
    system, metrics, published:
        As in `Between`; the metric is one of which nothing told is 0.
    """

    system: str
    metrics: Metrics
    published: str

    @property
    def systems(self) -> tuple[str, ...]:
        """Systems that a run must have."""
        return (self.system,)

    @property
    def statement(self) -> str:
        """The claim in words."""
        return f"texts of {self.system} arrive misspelt below, whole above"

    def hold(self, rows: Sequence[CurveRow], metric: str, cbr: str | None, confidence: float) -> Finding:
        """Judge from the damaged samples' share of the same source's value where it arrived whole."""
        own = [row for row in rows if row.system == self.system and row.cbr in (cbr, None)]
        samples = [(row.snr_db, each) for row in own for each in row.samples if metric in each.metrics]
        whole = _by_name((each.source, each.metrics[metric]) for _, each in samples if not each.failed)
        parts = [(snr, each) for snr, each in samples if each.failed and whole.get(each.source, 0) > 0]
        if len({each.source for _, each in parts}) < 2:
            return not_judged(self, metric, "fewer than two sources arrived both damaged and whole")
        shares = _by_name((each.source, each.metrics[metric] / whole[each.source]) for _, each in parts)
        gain = np.array(list(shares.values())) - 0.5

        def interval(level: float) -> Interval:
            return bootstrap_interval(gain, None, level, (-0.5, 0.5))

        low, high = interval(confidence)
        where = _range(sorted({snr for snr, _ in parts}))
        here = f"{gain.mean() + 0.5:.2f} [{low + 0.5:.2f}, {high + 0.5:.2f}] of a whole one's at {where}"
        return Finding(self.statement, self.published, metric, here, _verdict(low, high), p_value(interval))


Claim = Better | Between | Meets | Cheaper | Misspelt


def not_judged(claim: Claim, metric: str, why: str) -> Finding:
    """Return what there is to say where a run cannot tell."""
    return Finding(claim.statement, claim.published, metric, why, "not judged")


def _verdict(low: float, high: float) -> Verdict:
    """Of a gain, by its interval."""
    return "holds" if low > 0 else "does not hold" if high < 0 else "undecided"


def _by_name(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Mean of the values of each name."""
    found: dict[str, list[float]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in found.items()}


def _common(curves: Sequence[Curve], snrs: Sequence[float]) -> list[str]:
    each = [set(curve[snr]) for curve in curves for snr in snrs]
    return sorted(set.intersection(*each)) if each else []


def _range(snrs: Sequence[float]) -> str:
    return f"{snrs[0]:g} dB" if len(snrs) == 1 else f"{snrs[0]:g} to {snrs[-1]:g} dB"
