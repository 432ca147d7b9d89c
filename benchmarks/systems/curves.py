"""Points of a comparison's curves: a system at one budget and SNR, over all sources and trials."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.runs.statistics import Interval, rate_interval

__all__ = ["Broken", "CurveRow", "Mean", "Sample"]


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
        By name; one that has no value here, such as not a number, is absent.
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
class Broken:
    """A source and trial on which the system raised, and so tells nothing; the reason is what it raised."""

    source: str
    trial: int
    reason: str


@dataclass(frozen=True)
class Mean:
    """Mean of a metric over sources and trials, and its quartiles over sources.

    Attributes
    ----------
    mean:
        Over all samples.
    quartiles:
        25, 50 and 75 % of the sources (each the mean of its trials) lie below: where a single source drags
        the mean along, it leaves them.
    interval:
        Of the mean; None before it is known, and of a single source, which says nothing of others.
    """

    mean: float
    quartiles: tuple[float, float, float]
    interval: Interval | None = None

    @property
    def is_dragged(self) -> bool:
        """Whether the mean lies outside the middle half of the sources."""
        return not self.quartiles[0] <= self.mean <= self.quartiles[2]

    def to_json(self) -> dict[str, float | None]:
        """Return the mean, its limits, which are None where they are not known, and the quartiles."""
        low, high = self.interval or (None, None)
        quarter, median, rest = self.quartiles
        return {"mean": self.mean, "low": low, "high": high, "q25": quarter, "median": median, "q75": rest}


@dataclass(frozen=True)
class CurveRow:
    """One point of a curve: counts and means follow from the samples.

    An envelope repeats the scheme that is best in a metric, with no other metrics than those in which it is;
    where metrics disagree about the scheme, there are several envelope rows at one SNR.

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
        Means by name, of those metrics that all samples have.
    confidence:
        Of the intervals; None before `benchmarks.systems.summary.with_intervals`.
    samples:
        One a source and trial; all that arrived, failed or did not fit into the budget.
    broken:
        Sources and trials on which the system raised; they are no data, and are tried again.

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
    broken: Sequence[Broken] = field(default=(), repr=False)

    @property
    def is_envelope(self) -> bool:
        """Whether it repeats the best of several schemes."""
        return self.scheme is not None

    @property
    def stands_for_family(self) -> bool:
        """Whether it is the row of its family: an envelope, or a system without schemes of its own."""
        return self.system == self.family

    @property
    def channel_uses(self) -> float | None:
        """Mean number of complex channel uses; None without samples."""
        uses = sum(sample.channel_uses for sample in self.samples)
        return uses / len(self.samples) if self.samples else None

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
        """Number of sources and trials on which the system raised."""
        return len(self.broken)

    @property
    def failures(self) -> int:
        """Samples that did not arrive."""
        return sum(sample.failed for sample in self.samples)

    @property
    def failure_rate(self) -> float | None:
        """Share of the samples that did not arrive; None without samples."""
        return self.failures / len(self.samples) if self.samples else None

    @property
    def failure_interval(self) -> Interval | None:
        """Limits of the failure rate; None before `confidence` is known, and without samples."""
        if self.confidence is None or not self.samples:
            return None
        return rate_interval(self.failures, len(self.samples), self.confidence)

    def by_source(self, metric: str) -> dict[str, float]:
        """Mean of a metric over trials, by source; sources that lack a trial are left out.

        They do where the system raised, or the metric has no value.
        """
        values: dict[str, list[float]] = {each.source: [math.nan] for each in self.broken}
        for sample in self.samples:
            values.setdefault(sample.source, []).append(sample.metrics.get(metric, math.nan))
        means = {source: float(np.mean(each)) for source, each in values.items()}
        return {source: mean for source, mean in means.items() if not math.isnan(mean)}

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints of it."""
        return {**self._flat(), "metrics": {name: value.to_json() for name, value in self.metrics.items()}}

    def to_csv_row(self, metrics: Sequence[str]) -> dict[str, Any]:
        """Return its row of ``curves.csv``, six columns a metric; those it lacks are None."""
        row = self._flat()
        for name in metrics:
            found = self.metrics[name].to_json() if name in self.metrics else {}
            row[name] = found.get("mean")
            row |= {f"{name}_{part}": found.get(part) for part in ("low", "high", "q25", "median", "q75")}
        return row

    def _flat(self) -> dict[str, Any]:
        names = ("system", "family", "scheme", "modality", "snr_db", "ebno_db", "cbr", "channel")
        counts = (
            "channel_uses",
            "images",
            "trials",
            "policy",
            "engine",
            "errors",
            "failures",
            "failure_rate",
        )
        low, high = self.failure_interval or (None, None)
        about = {name: getattr(self, name) for name in (*names, *counts)}
        return {**about, "failure_low": low, "failure_high": high}
