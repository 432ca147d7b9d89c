"""Differences of systems on the same sources over the same channel: what their own intervals hide.

Sources differ by far more than systems do, and systems share them: bands of two means may overlap where one
system is better on every single source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.runs.resampling import bootstrap_interval
from benchmarks.runs.statistics import Interval
from benchmarks.settings.errors import InputError
from benchmarks.systems.crossing import by_source, gain_limits
from benchmarks.systems.curves import CurveRow

__all__ = ["Difference", "differences"]


@dataclass(frozen=True)
class Difference:
    """Mean difference of a metric between two systems at one SNR.

    Attributes
    ----------
    system:
        Whose values less those of the base.
    snr_db:
        Es/N0 in decibels.
    mean:
        Over the sources that both have.
    interval:
        By resampling these; None of a single one.
    sources:
        How many.
    """

    system: str
    snr_db: float
    mean: float
    interval: Interval | None
    sources: int


def differences(
    rows: Sequence[CurveRow], base: str, metric: str, cbr: str | None, confidence: float
) -> list[Difference]:
    """Differences to one system of all others that have a metric, SNR by SNR.

    Parameters
    ----------
    rows:
        Curves of a comparison.
    base:
        System, a family standing for its envelope.
    metric, cbr:
        Of which metric, and at which bandwidth ratio; None of sources that are no pictures.
    confidence:
        Of the intervals.

    Raises
    ------
    InputError
        If the rows lack the base or the metric; names what there is.
    """
    theirs = by_source(rows, base, metric, cbr)
    whole = {row.family for row in rows if row.stands_for_family}
    others = {
        row.system: None
        for row in rows
        if row.system != base
        and metric in row.metrics
        and row.cbr == cbr
        and (row.stands_for_family or row.family not in whole)
    }
    found = []
    for system in others:
        ours = by_source(rows, system, metric, cbr)
        for snr_db in sorted(ours.keys() & theirs.keys()):
            shared = sorted(ours[snr_db].keys() & theirs[snr_db].keys())
            if shared:
                values = [ours[snr_db][source] - theirs[snr_db][source] for source in shared]
                interval = bootstrap_interval(values, None, confidence, gain_limits(metric))
                known = None if len(shared) == 1 else interval
                found.append(Difference(system, snr_db, float(np.mean(values)), known, len(shared)))
    if not found:
        raise InputError(f"no other system of the run shares a source with {base!r} at one SNR")
    return found
