"""Points between those of a run, where two of its curves cross."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.runs.store import Store
from benchmarks.settings.compare import CompareSpec
from benchmarks.settings.errors import InputError, input_errors
from benchmarks.systems.compare import run_compare
from benchmarks.systems.crossing import Crossing, Located, find_crossing

__all__ = ["refine_crossing"]


def refine_crossing(
    folder: str | Path,
    first: str,
    second: str,
    metric: str,
    cbr: str | None = None,
    within_db: float = 0.25,
    workers: int = 1,
) -> Crossing:
    """Find a crossing as `find_crossing` does, with further SNRs in the run until they lie close around it.

    The run goes on by its own settings, all systems of it, so that its table and figures have the new points,
    too. Gaps are halved: the one in which the mean curves cross, and those in which an end of the interval
    lies.

    Parameters
    ----------
    folder, first, second, metric, cbr:
        As for `find_crossing`.
    within_db:
        Width of the gaps that are left, in decibels.
    workers:
        Processes.

    Raises
    ------
    InputError
        As `find_crossing`, and if the width is no positive number, or the run's sources are not where they
        were.
    """
    if not within_db > 0:
        raise InputError(f"points lie some decibels apart, such as 0.25, got {within_db!r}")
    found = find_crossing(folder, first, second, metric, cbr)
    while True:
        with Store.read(folder) as store, input_errors():
            spec = CompareSpec.model_validate(store.spec)
        if not (new := _between(sorted(spec.snr), found.at, within_db)):
            return found
        more = CompareSpec.model_validate({**spec.model_dump(), "snr": sorted({*spec.snr, *new})})
        run = run_compare(more, Path(folder), workers)
        found = find_crossing(folder, first, second, metric, cbr)
        if run.interrupted:
            return found


def _between(snr: list[float], found: Located, within_db: float) -> set[float]:
    """Middles of the gaps in question that are still too wide."""
    gaps = [(found.before_db, found.after_db)]
    gaps.append((found.low, _next(snr, lambda x: found.low is not None and x > found.low)))
    gaps.append((_next(snr[::-1], lambda x: found.high is not None and x < found.high), found.high))
    known = [(low, high) for low, high in gaps if low is not None and high is not None]
    return {round((low + high) / 2, 6) for low, high in known if high - low > within_db * (1 + 1e-9)}


def _next(snr: list[float], beyond: Callable[[float], bool]) -> float | None:
    return next((x for x in snr if beyond(x)), None)
