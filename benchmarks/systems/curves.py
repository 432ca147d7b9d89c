"""Points of a comparison's curves: a system at one budget and SNR, over all sources and trials."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.runs.statistics import Interval, rate_interval

__all__ = ["CurveRow", "Mean", "Sample"]


@dataclass(frozen=True)
class Sample:
    """What became of one source in one trial.

    Attributes
    ----------
    source, trial:
        Which.
    failed:
        Whether it did not arrive; its policy then says what is shown.
    remark:
        Why.
    channel_uses, information_bits:
        What was sent.
    metrics:
        By name; empty where the system raised.
    arrived:
        File of the picture, if it was kept, or the sentence.
    """

    source: str
    trial: int
    failed: bool
    remark: str
    channel_uses: int
    information_bits: int
    metrics: Mapping[str, float]
    arrived: str | None


@dataclass(frozen=True)
class Mean:
    """Mean of a metric, with its interval once that is known; of a single source it is not."""

    mean: float
    interval: Interval | None = None

    def to_json(self) -> dict[str, float | None]:
        """Return the mean and the limits, which are None where they are not known."""
        low, high = self.interval or (None, None)
        return {"mean": self.mean, "low": low, "high": high}


@dataclass(frozen=True)
class CurveRow:
    """One point of a curve: counts and means follow from the samples.

    Attributes
    ----------
    condition:
        Its id in the store; of an envelope that of the scheme that was chosen.
    system, family:
        Names; they are equal for an envelope, a bound, and a system without schemes of its own.
    scheme:
        What an envelope chose; None of every other row.
    modality:
        ``image``, ``text`` or ``embedding``.
    snr_db:
        Es/N0 in decibels.
    cbr:
        Bandwidth ratio; None for systems that take as many channel uses as they need.
    channel, policy:
        Names.
    engine:
        What decodes; None of bounds.
    metrics:
        Means over the samples that have them, by name.
    confidence:
        Of the intervals; None before `benchmarks.systems.summary.with_intervals`.
    samples:
        One a source and trial, at least one.

    Examples
    --------
    >>> from benchmarks import compare
    >>> (row,) = compare(systems="text-uncoded", snr=20, max_sources=2).rows
    >>> row.system, row.failure_rate, row.metrics["cer"].mean
    ('text-uncoded[1-qpsk]', 0.0, 0.0)
    """

    condition: str
    system: str
    family: str
    scheme: str | None
    modality: str
    snr_db: float
    cbr: str | None
    channel: str
    policy: str
    engine: str | None
    metrics: Mapping[str, Mean]
    samples: Sequence[Sample] = field(repr=False)
    confidence: float | None = None

    @property
    def is_envelope(self) -> bool:
        """Whether it repeats the best of several schemes."""
        return self.scheme is not None

    @property
    def stands_for_family(self) -> bool:
        """Whether it is the row of its family: an envelope, or a system without schemes of its own."""
        return self.system == self.family

    @property
    def channel_uses(self) -> float:
        """Mean number of complex channel uses."""
        return sum(sample.channel_uses for sample in self.samples) / len(self.samples)

    @property
    def ebno_db(self) -> float | None:
        """Eb/N0 in decibels; None where no bits are sent."""
        bits = sum(sample.information_bits for sample in self.samples)
        uses = sum(sample.channel_uses for sample in self.samples)
        return self.snr_db - 10 * math.log10(bits / uses) if bits else None

    @property
    def images(self) -> int:
        """Number of sources of whatever kind."""
        return len({sample.source for sample in self.samples})

    @property
    def trials(self) -> int:
        """Channel realisations a source."""
        return len({sample.trial for sample in self.samples})

    @property
    def errors(self) -> int:
        """Samples on which the system raised."""
        return sum(not sample.metrics for sample in self.samples)

    @property
    def failures(self) -> int:
        """Samples that did not arrive."""
        return sum(sample.failed for sample in self.samples)

    @property
    def failure_rate(self) -> float:
        """Share of the samples that did not arrive."""
        return self.failures / len(self.samples)

    @property
    def failure_interval(self) -> Interval | None:
        """Limits of the failure rate; None before `confidence` is known."""
        if self.confidence is None:
            return None
        return rate_interval(self.failures, len(self.samples), self.confidence)

    def by_source(self, metric: str) -> dict[str, float]:
        """Mean of a metric over trials, by source; sources on which the system raised are left out."""
        values: dict[str, list[float]] = {}
        for sample in self.samples:
            values.setdefault(sample.source, []).append(sample.metrics.get(metric, math.nan))
        means = {source: float(np.mean(each)) for source, each in values.items()}
        return {source: mean for source, mean in means.items() if not math.isnan(mean)}

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints of it."""
        return {**self._flat(), "metrics": {name: value.to_json() for name, value in self.metrics.items()}}

    def to_csv_row(self, metrics: Sequence[str]) -> dict[str, Any]:
        """Return its row of ``curves.csv``, three columns a metric; those it lacks are None."""
        row = self._flat()
        for name in metrics:
            found = self.metrics[name].to_json() if name in self.metrics else {}
            row[name] = found.get("mean")
            row[f"{name}_low"], row[f"{name}_high"] = found.get("low"), found.get("high")
        return row

    def _flat(self) -> dict[str, Any]:
        names = ("system", "family", "scheme", "modality", "snr_db", "ebno_db", "cbr", "channel")
        counts = ("channel_uses", "images", "trials", "policy", "engine", "errors", "failure_rate")
        low, high = self.failure_interval or (None, None)
        about = {name: getattr(self, name) for name in (*names, *counts)}
        return {**about, "failure_low": low, "failure_high": high}
