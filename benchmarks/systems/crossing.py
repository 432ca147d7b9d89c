"""Where two curves of a comparison cross: the SNR at which one system becomes better than another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.runs.resampling import Limits, bootstrap_interval
from benchmarks.runs.statistics import Interval
from benchmarks.runs.store import Store
from benchmarks.settings.errors import InputError, input_errors
from benchmarks.systems.curves import CurveRow
from benchmarks.systems.summary import curves
from bridge.spelling import meant
from phy.units import BandwidthRatio
from semantic.metrics.catalog import describe

__all__ = ["Crossing", "Located", "by_source", "find_crossing", "gain_limits", "locate"]


@dataclass(frozen=True)
class Located:
    """Where a gain turns from negative to positive, as far as points at some SNRs can tell.

    Attributes
    ----------
    snr_db:
        Es/N0 in decibels, interpolated linearly between the two points next to it; None if it does not.
    before_db, after_db:
        These points.
    low, high:
        Interval: the nearest point before at which the gain is surely negative, and the nearest after at
        which it is surely positive, by intervals of the mean gain over sources. None where there is none.
    """

    snr_db: float | None
    before_db: float | None
    after_db: float | None
    low: float | None
    high: float | None

    def to_text(self) -> str:
        """``8.40 dB, between 6 and 12 dB``, as far as it is known."""
        if self.snr_db is None:
            return "no SNR"
        match self.low, self.high:
            case None, None:
                where = "with no SNR at which either is surely better"
            case low, None:
                where = f"above {low:g} dB"
            case None, high:
                where = f"below {high:g} dB"
            case low, high:
                where = f"between {low:g} and {high:g} dB"
        return f"{self.snr_db:.2f} dB, {where}"


@dataclass(frozen=True)
class Crossing:
    """The lowest SNR at which the second system becomes better than the first, with an interval.

    It may fall back at a higher one: quantised vectors saturate where analog ones go on improving. The
    spacing of the SNRs belongs to the interval: between two of them a curve may do anything, such as fall off
    a cliff.

    Attributes
    ----------
    first, second, metric, cbr:
        What was compared.
    confidence:
        Of the interval, that of the run.
    at:
        Where they cross.
    """

    first: str
    second: str
    metric: str
    cbr: str | None
    confidence: float
    at: Located

    @property
    def snr_db(self) -> float | None:
        """Es/N0 in decibels; None if they do not cross."""
        return self.at.snr_db

    @property
    def low(self) -> float | None:
        """Lower end of the interval; None if it is not known."""
        return self.at.low

    @property
    def high(self) -> float | None:
        """Upper end of the interval; None if it is not known."""
        return self.at.high

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        names = ("first", "second", "metric", "cbr", "confidence")
        return {**{name: getattr(self, name) for name in names}, **asdict(self.at)}

    def to_text(self) -> str:
        """One sentence."""
        if self.snr_db is None:
            return f"{self.second} does not become better than {self.first} within the run"
        return f"{self.second} becomes better than {self.first} at {self.at.to_text()}"


def locate(
    snr: Sequence[float], gains: NDArray[np.float64], confidence: float = 0.95, limits: Limits | None = None
) -> Located:
    """Find the lowest SNR at which a mean gain turns from negative to positive.

    Parameters
    ----------
    snr:
        Es/N0 in decibels, ascending.
    gains:
        ``[sources, SNRs]``.
    confidence:
        Of the interval, if the mean gain turns once: each of its ends is wrong with at most half of what is
        left. At 95 % it held the truth in 99 % on a grid of 1 dB, and always where sources have a cliff
        (``python -m benchmarks.coverage``), as it ends at points of the grid.
    limits:
        Of a gain (`benchmarks.runs.resampling.bootstrap_interval`).

    Examples
    --------
    Gains that jump by 2 somewhere between -3 and 0 dB:

    >>> gains = np.array([[-1.0, -1.0, 1.0, 1.0]] * 8)
    >>> locate([-6, -3, 0, 3], gains).to_text()
    '-1.50 dB, between -3 and 0 dB'
    """
    mean = gains.mean(axis=0)
    turns = [i for i in range(len(snr) - 1) if mean[i] < 0 <= mean[i + 1]]
    if not turns:
        return Located(None, None, None, None, None)
    before, after = turns[0], turns[0] + 1
    step = (snr[after] - snr[before]) * mean[before] / (mean[before] - mean[after])

    def interval(place: int) -> Interval:
        return bootstrap_interval(gains[:, place], None, confidence, limits)

    low = next((snr[i] for i in range(before, -1, -1) if interval(i).high < 0), None)
    high = next((snr[i] for i in range(after, len(snr)) if interval(i).low > 0), None)
    return Located(float(snr[before] + step), snr[before], snr[after], low, high)


def find_crossing(
    folder: str | Path, first: str, second: str, metric: str, cbr: str | None = None
) -> Crossing:
    """Find where system ``second`` becomes better than ``first`` in a run of ``semphy compare``.

    Names are those of the rows, a family standing for its envelope; the envelope's schemes are those of the
    whole run. Sources on which either system broke at any SNR are left out of both curves.

    Raises
    ------
    InputError
        If the run lacks a system or the metric or has it under several settings, or both systems share
        fewer than two SNRs or no source.
    """
    with Store.read(folder) as store:
        if store.kind != "compare":
            raise InputError(f"{str(folder)!r} holds a run of semphy {store.kind}, not of semphy compare")
        confidence = float(store.spec["confidence"])
        rows = curves(store)
    if cbr is not None:
        with input_errors():
            cbr = str(BandwidthRatio.parse(cbr))
    first_curve, second_curve = (by_source(rows, name, metric, cbr) for name in (first, second))
    snr = sorted(first_curve.keys() & second_curve.keys())
    if len(snr) < 2:
        raise InputError(f"{first} and {second} share {len(snr)} SNRs in {str(folder)!r}; two are needed")
    sources = sorted(set.intersection(*(set(curve[x]) for curve in (first_curve, second_curve) for x in snr)))
    if not sources:
        raise InputError(f"{first} and {second} have no source in common in {str(folder)!r}")
    sign = 1.0 if describe(metric).higher_is_better else -1.0
    gains = np.array([[sign * (second_curve[x][s] - first_curve[x][s]) for x in snr] for s in sources])
    found = locate(snr, gains, confidence, gain_limits(metric))
    return Crossing(first, second, metric, cbr, confidence, found)


def gain_limits(metric: str) -> Limits | None:
    """Return the least and the greatest difference of two values of a metric, where it has such."""
    limits = describe(metric).limits
    return None if limits is None else (limits[0] - limits[1], limits[1] - limits[0])


def by_source(
    rows: Sequence[CurveRow], system: str, metric: str, cbr: str | None
) -> dict[float, dict[str, float]]:
    """Mean of a metric over trials, by SNR and source; sources on which the system broke are left out.

    Parameters
    ----------
    rows:
        Curves of a comparison (`benchmarks.systems.summary.curves`).
    system:
        Name in the rows; a family stands for its envelope.
    metric, cbr:
        Which metric, and of several bandwidth ratios, which.

    Raises
    ------
    InputError
        If the rows lack them, or have the system under several settings.
    """
    own = [row for row in rows if row.system == system and cbr in (None, row.cbr) and metric in row.metrics]
    if not own:
        raise InputError(_lacking(rows, system, metric, cbr))
    if len({row.cbr for row in own}) > 1:
        raise InputError(f"{system} has several bandwidth ratios; name one by --cbr")
    for row in own:
        name = system if row.scheme is None else f"{system}[{row.scheme}]"
        alike = [each for each in rows if (each.system, each.cbr, each.snr_db) == (name, row.cbr, row.snr_db)]
        if len(alike) > 1:
            raise InputError(f"the run has {name} under several settings; give each a run of its own")
    return {row.snr_db: row.by_source(metric) for row in own}


def _lacking(rows: Sequence[CurveRow], system: str, metric: str, cbr: str | None) -> str:
    """What a run has instead of what was asked for."""
    systems = sorted({row.system for row in rows})
    if system not in systems:
        return f"the run has no system {system!r}{meant(system, systems)}; it has {', '.join(systems)}"
    own = [row for row in rows if row.system == system]
    metrics = sorted({name for row in own for name in row.metrics})
    if metric not in metrics:
        has = f"it has {', '.join(metrics)}" if metrics else "it has none"
        return f"the run has no metric {metric!r} of {system}{meant(metric, metrics)}; {has}"
    ratios = list(dict.fromkeys(row.cbr for row in own if metric in row.metrics))
    there = ", ".join(ratio for ratio in ratios if ratio) or "none, for it takes as many uses as it needs"
    return f"the run has no bandwidth ratio {cbr!r} of {system}; there are {there}"
