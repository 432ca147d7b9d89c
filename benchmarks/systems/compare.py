"""``semphy compare``: several systems over the same sources, SNRs and trials, at equal channel uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.runs.store import Store, write_csv
from benchmarks.runs.sweep import run
from benchmarks.runs.table import Column, LiveTable
from benchmarks.settings.ber import condition_id
from benchmarks.settings.compare import CompareSpec
from benchmarks.settings.errors import input_errors
from benchmarks.systems.checks import check_budgets, check_carriages, check_metrics, check_sources
from benchmarks.systems.evaluate import (
    NOTHING,
    Condition,
    Job,
    Row,
    evaluate,
    item_of,
    sources_of,
    systems_of,
)
from benchmarks.systems.sources import kind_of
from benchmarks.systems.summary import flat, summarise, table_of
from bridge.systems.system import Source

__all__ = ["COLUMNS", "CompareRun", "run_compare"]

COLUMNS = {
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
"""Columns of a run's rows, one a condition, source and trial; ``arrived`` is a picture's file or a text."""


def _conditions(spec: CompareSpec) -> list[tuple[Condition, dict[str, Any]]]:
    found = []
    for index, system in enumerate(systems_of(spec)):
        for cbr in spec.cbr if system.modality == "image" else (None,):
            for snr_db in spec.snr:
                description = spec.describe(system, cbr, snr_db)
                found.append((Condition(condition_id(description), index, cbr, snr_db), description))
    return found


class _SourceTask:
    """One source: a single job with whatever its rows in the store still lack."""

    def __init__(
        self, job: Job, name: str, store: Store, done: Mapping[str, set[str]], table: LiveTable
    ) -> None:
        self.job, self.name, self.store, self.done, self.table = job, name, store, done, table
        self.finished = False

    def items(self) -> Iterator[Job]:
        """Yield the job."""
        yield self.job

    def accept(self, item: Job, result: list[Row]) -> None:
        """Store the rows in one transaction."""
        self.store.add_all([row for row in result if row[1] not in self.done[row[0]]])
        self.finished = True
        failures = sum(values["failed"] for _, _, values in result)
        self.table.update(self.name, [self.name, str(len(result)), str(failures)], done=True)


_PROGRESS = (Column("source", 24), Column("rows", 6), Column("failures", 8))


@dataclass(frozen=True)
class CompareRun:
    """What a comparison found.

    Attributes
    ----------
    spec:
        Resolved settings.
    versions:
        See `benchmarks.runs.versions`.
    rows:
        See `benchmarks.systems.summary.summarise`.
    interrupted:
        Whether Ctrl-C ended it.
    broken:
        System, source and reason of every row on which a system raised.
    """

    spec: dict[str, Any]
    versions: dict[str, str | None]
    rows: list[dict[str, Any]]
    interrupted: bool
    broken: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {"spec": self.spec, "versions": self.versions, "rows": self.rows}

    def to_text(self) -> str:
        """Return the table of envelopes, bounds and systems without schemes of their own."""
        return table_of(self.rows)


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
    """
    encoded = None if out is None else out / "encoded"
    with input_errors():
        sources = sources_of(spec, encoded)
        check_sources(sources)
        check_budgets(spec, sources)
        check_metrics(spec, sources)
        check_carriages(spec, sources)
    described = spec.model_dump(mode="json")
    store = Store(out, "compare", COLUMNS, described, spec.identity())
    conditions = _conditions(spec)
    for condition, description in conditions:
        store.register(condition.id, description)
    interrupted = False
    with LiveTable(_PROGRESS) as table:
        try:
            run(_tasks(spec, store, sources, conditions, table), evaluate, workers)
        except KeyboardInterrupt:
            interrupted = True
    rows = summarise(store, {condition.id for condition, _ in conditions}, spec.confidence)
    if out is not None:
        write_csv(out / "curves.csv", flat(rows))
    broken = tuple(
        f"{description['system']}, {row['source']}: {row['remark']}"
        for condition, description in conditions
        for row in store.rows(condition.id)
        if row["metrics"] == NOTHING
    )
    store.close()
    return CompareRun(described, store.versions, rows, interrupted, broken)


def _tasks(
    spec: CompareSpec,
    store: Store,
    sources: Sequence[Source],
    conditions: Sequence[tuple[Condition, dict[str, Any]]],
    table: LiveTable,
) -> list[_SourceTask]:
    done = {condition.id: {row["item"] for row in store.rows(condition.id)} for condition, _ in conditions}
    kept = [index for index, source in enumerate(sources) if source.image is not None][: spec.keep]
    tasks = []
    for index, source in enumerate(sources):
        wanted = tuple(
            condition
            for condition, description in conditions
            if description["modality"] == kind_of(source)
            and any(item_of(source, trial) not in done[condition.id] for trial in range(spec.trials))
        )
        if wanted:
            job = Job(spec, index, wanted, store.folder, index in kept)
            tasks.append(_SourceTask(job, source.name, store, done, table))
    return tasks
