"""Where two curves of a comparison cross: the SNR at which one system becomes better than another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.runs.store import Store
from benchmarks.settings.errors import InputError, input_errors
from benchmarks.systems.curves import CurveRow
from benchmarks.systems.summary import curves
from bridge.spelling import meant
from phy.units import BandwidthRatio
from semantic.metrics.catalog import describe

__all__ = ["Crossing", "by_source", "crossing", "first_crossing"]

_RESAMPLES = 1000


@dataclass(frozen=True)
class Crossing:
    """The lowest SNR at which the second system becomes better than the first, with an interval over sources.

    It may fall back at a higher one: quantised vectors saturate where analog ones go on improving.

    Attributes
    ----------
    first, second, metric, cbr:
        What was compared.
    snr_db:
        Es/N0 in decibels, interpolated linearly between the points; None if the curves do not cross.
    low, high:
        Interval; None where fewer than ``confidence`` of the resampled curves cross, or of one source.
    """

    first: str
    second: str
    metric: str
    cbr: str | None
    snr_db: float | None
    low: float | None
    high: float | None


def first_crossing(snr: Sequence[float], gain: NDArray[np.float64]) -> float | None:
    """Return the lowest SNR at which ``gain`` goes from negative to positive, interpolated linearly."""
    for i in range(len(snr) - 1):
        if gain[i] < 0 <= gain[i + 1]:
            return float(snr[i] + (snr[i + 1] - snr[i]) * gain[i] / (gain[i] - gain[i + 1]))
    return None


def crossing(folder: str | Path, first: str, second: str, metric: str, cbr: str | None = None) -> Crossing:
    """Find where system ``second`` becomes better than ``first`` in a run of ``semphy compare``.

    Names are those of the rows, a family standing for its envelope; the envelope's schemes are those of the
    whole run, also in resampled curves. The interval resamples sources 1,000 times (percentiles). Sources on
    which either system broke at any SNR are left out of both curves.

    Raises
    ------
    InputError
        If the run lacks a system or the metric or has it under several settings, or both systems share
        fewer than two SNRs or no source.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from benchmarks import compare
    >>> with TemporaryDirectory() as folder:
    ...     run = compare(systems="text-uncoded,text-ldpc", snr="-4:4:2", max_sources=8, out=folder)
    ...     found = crossing(folder, "text-uncoded[1-qpsk]", "text-ldpc[1/2-qpsk]", metric="cer")
    >>> -4 < found.snr_db < 2  # from where on the code helps
    True
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
    found = first_crossing(snr, gains.mean(axis=0))
    draws = np.random.default_rng(1).integers(0, len(sources), (_RESAMPLES, len(sources)))
    each = [first_crossing(snr, gains[draw].mean(axis=0)) for draw in draws] if len(sources) > 1 else []
    crossed = [x for x in each if x is not None]
    low, high = None, None
    if found is not None and len(crossed) >= confidence * _RESAMPLES:
        tail = 50 * (1 - confidence)
        low, high = (float(x) for x in np.percentile(crossed, [tail, 100 - tail]))
    return Crossing(first, second, metric, cbr, found, low, high)


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
