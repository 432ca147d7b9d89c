"""``semphy compare``: several systems over the same sources, SNRs and trials, at equal channel uses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from benchmarks.runs import sweep
from benchmarks.runs.conditions import condition_id
from benchmarks.runs.results import Result
from benchmarks.runs.store import Store
from benchmarks.runs.sweep import run
from benchmarks.runs.table import Column, LiveTable
from benchmarks.settings.compare import CompareSpec, built_of
from benchmarks.settings.errors import input_errors
from benchmarks.systems.checks import (
    cautions,
    check_budgets,
    check_carriages,
    check_metrics,
    check_pictures,
)
from benchmarks.systems.curves import CurveRow
from benchmarks.systems.evaluate import Found, Job, OperatingPoint, evaluate, forget, listed
from benchmarks.systems.identity import identify, items_of, reads_references
from benchmarks.systems.sources import Listed, Sources
from benchmarks.systems.summary import curves, remarks, table_of, with_intervals

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["SAMPLE_COLUMNS", "CompareRun", "run_compare"]

Name = TypeVar("Name")
Conditions = Sequence[tuple[OperatingPoint, dict[str, Any]]]

SAMPLE_COLUMNS = {
    "source": "TEXT NOT NULL",
    "trial": "INTEGER NOT NULL",
    "failed": "INTEGER NOT NULL",
    "remark": "TEXT NOT NULL",
    "channel_uses": "INTEGER NOT NULL",
    "information_bits": "INTEGER NOT NULL",
    "metrics": "TEXT NOT NULL",
    "notes": "TEXT NOT NULL",
    "ledger": "TEXT NOT NULL",
    "arrived": "TEXT",
}
"""Columns of a run's rows in the store, one a condition, source and trial."""


def _conditions(spec: CompareSpec) -> Conditions:
    found = []
    for index, built in enumerate(built_of(spec)):
        shown, content = identify(spec, built)
        measures, reads = tuple(content["measures"]), reads_references(spec, built)
        for cbr in spec.cbr if built.system.modality == "image" else (None,):
            for snr_db in spec.snr:
                place = {"cbr": cbr, "snr_db": snr_db}
                point = OperatingPoint(condition_id(content | place), index, cbr, snr_db, measures, reads)
                found.append((point, content | place | shown))
    return found


class _SourceTask:
    """One source: a single job with whatever its rows in the store still lack."""

    def __init__(self, job: Job, name: str, store: Store, table: LiveTable[_SourceTask]) -> None:
        self.job, self.name, self.store, self.table = job, name, store, table
        self.finished = False
        self.rows = self.failures = self.errors = 0

    def items(self) -> Iterator[Job]:
        """Yield the job."""
        yield self.job

    def accept(self, item: Job, result: Found) -> Job | None:
        """Store the rows in one transaction, and return what is left to do."""
        self.store.add_all(result.rows, result.errors)
        self.finished = result.left is None
        self.rows += len(result.rows)
        self.failures += sum(values["failed"] for _, _, values in result.rows)
        self.errors += len(result.errors)
        self.table.update(self.name, self, done=self.finished)
        return result.left


_PROGRESS: tuple[Column[_SourceTask], ...] = (
    Column("source", lambda task: task.name, 24),
    Column("rows", lambda task: str(task.rows), 6),
    Column("failures", lambda task: str(task.failures), 8),
    Column("errors", lambda task: str(task.errors), 6),
)


@dataclass(frozen=True, repr=False)
class CompareRun(Result):
    """What a comparison found.

    Attributes
    ----------
    spec:
        Resolved settings.
    versions:
        See `benchmarks.runs.versions`.
    rows:
        Envelopes first, then every scheme of its own (`benchmarks.systems.summary.curves`).
    interrupted:
        Whether Ctrl-C ended it.
    """

    spec: dict[str, Any]
    versions: dict[str, str | None]
    rows: list[CurveRow]
    interrupted: bool

    @property
    def broken(self) -> tuple[str, ...]:
        """System, source and reason of every item that raised, and so has no row."""
        own = [row for row in self.rows if not row.is_envelope]
        return tuple(f"{row.system}, {each.source}: {each.reason}" for row in own for each in row.broken)

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {"spec": self.spec, "versions": self.versions, "rows": [row.to_json() for row in self.rows]}

    def to_text(self) -> str:
        """Return the table of envelopes, bounds and systems without schemes of their own."""
        return table_of(self.rows)

    def to_csv_rows(self) -> list[dict[str, Any]]:
        """Return all rows as those of ``curves.csv``, six columns a metric."""
        metrics = list(dict.fromkeys(name for row in self.rows for name in row.metrics))
        return [row.to_csv_row(metrics) for row in self.rows]

    def plot(self, ax: Axes | None = None, metric: str | None = None, cbr: str | None = None) -> Figure:
        """Draw one metric against the SNR, as `benchmarks.systems.plots.plot_metric` does.

        Parameters
        ----------
        ax:
            Where to draw; a figure of its own unless given.
        metric, cbr:
            Which metric, and of pictures, at which bandwidth ratio; the first unless given.

        Raises
        ------
        ValueError
            If the run lacks them; names those it has.
        """
        from benchmarks.systems.plots import plot_metric

        metrics = list(dict.fromkeys(name for row in self.rows for name in row.metrics))
        chosen = _among(metric, metrics, "metric")
        having = [row for row in self.rows if chosen in row.metrics]
        ratio = _among(cbr, list(dict.fromkeys(row.cbr for row in having)), "bandwidth ratio")
        return plot_metric([row for row in having if row.cbr == ratio], chosen, ax)


def _among(asked: Name | None, there: Sequence[Name], what: str) -> Name:
    """What was asked for, or else the first there is."""
    if not there or asked not in (None, *there):
        raise ValueError(f"the run has no {what} {asked!r}; there are {', '.join(map(str, there)) or 'none'}")
    return there[0] if asked is None else asked


def run_compare(spec: CompareSpec, out: Path | None = None, workers: int = 1) -> CompareRun:
    """Compute every row of a comparison, or what a former run left to do.

    Parameters
    ----------
    spec:
        What to compare.
    out:
        Run directory; None stores nothing on disk.
    workers:
        Processes.

    Raises
    ------
    InputError
        If a setting, a source or the directory cannot work.

    Examples
    --------
    >>> run = run_compare(CompareSpec(systems="text-uncoded", snr=(0.0, 20.0), max_sources=2))
    >>> [(row.snr_db, row.failures) for row in run.rows]
    [(0.0, 2), (20.0, 0)]
    """
    try:
        with input_errors():
            found = listed(spec, out)
            check_budgets(spec, found.sources)
            check_metrics(spec, found.sources)
            check_carriages(spec, found.sources)
            check_pictures(spec, found.sources)
            conditions = _conditions(spec)
        described = spec.model_dump(mode="json")
        with Store(out, "compare", SAMPLE_COLUMNS, described, spec.identity()) as store:
            interrupted = _fill(store, spec, found, conditions, workers)
            rows = with_intervals(curves(store), spec.confidence)
    finally:
        forget()
    result = CompareRun(described, store.versions, rows, interrupted)
    if out is not None:
        result.to_csv(out / "curves.csv")
    return result


def _fill(store: Store, spec: CompareSpec, found: Sources, conditions: Conditions, workers: int) -> bool:
    """Compute the rows that a store lacks; whether Ctrl-C ended it."""
    try:
        with store.transaction():
            for point, description in conditions:
                store.register(point.id, description)
            store.want(_wanted(spec, found.sources, conditions))
        with LiveTable(_PROGRESS) as table:
            for remark in (*found.repeats, *cautions(spec, found.sources), *remarks(store)):
                table.note(remark)
            run(_tasks(spec, store, found.sources, conditions, table), evaluate, workers)
    except KeyboardInterrupt:
        return True
    return False


def _wanted(
    spec: CompareSpec, sources: Sequence[Listed], conditions: Conditions
) -> dict[str, dict[str, str]]:
    """Items that the settings name, by condition: a store may hold rows of other sources and trials, too."""
    items = {
        (kind, reads): {
            item: source.name
            for source in sources
            if source.kind == kind
            for item in items_of(source, spec.trials, reads)
        }
        for kind in ("image", "text", "embedding")
        for reads in (False, True)
    }
    return {point.id: items[about["modality"], point.with_references] for point, about in conditions}


def _tasks(
    spec: CompareSpec,
    store: Store,
    sources: Sequence[Listed],
    conditions: Conditions,
    table: LiveTable[_SourceTask],
) -> Iterator[_SourceTask]:
    """Tasks of the sources that lack rows, made as they are drawn: what they want is large."""
    done = {point.id: store.items(point.id) for point, _ in conditions}
    # Without a folder nothing is kept that a part of the work could save.
    seconds = math.inf if store.folder is None else sweep.SLICE_SECONDS
    kept = [source for source in sources if source.kind == "image"][: spec.keep]
    for source in sources:
        items = {reads: items_of(source, spec.trials, reads) for reads in (False, True)}
        lacking = [
            (
                point,
                tuple(n for n, item in enumerate(items[point.with_references]) if item not in done[point.id]),
            )
            for point, description in conditions
            if description["modality"] == source.kind
        ]
        if wanted := tuple((point, trials) for point, trials in lacking if trials):
            job = Job(spec, source, wanted, store.folder, source in kept, seconds)
            yield _SourceTask(job, source.name, store, table)
