"""``semphy compare``: several systems over the same sources, SNRs and trials, at equal channel uses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.compare_spec import CompareSpec
from benchmarks.errors import input_errors
from benchmarks.measures import describe, measure
from benchmarks.sources import kind_of, load_sources
from benchmarks.spec import condition_id
from benchmarks.store import Store, write_csv
from benchmarks.summary import flat, summarise, table_of
from benchmarks.sweep import run
from benchmarks.table import Column, LiveTable
from bridge.ledger import Ledger
from bridge.systems.carried import Carried
from bridge.systems.system import Reconstruction, Source, System
from bridge.transport import Reception, Transmission, send
from phy.random import Stream
from phy.units import BandwidthRatio, EsN0
from semantic.metrics.image import fitting_scales

__all__ = ["COLUMNS", "CompareRun", "run_compare"]

MS_SSIM_SCALES = 5
_NOTHING = "{}"  # the metrics of a row on which a system raised

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


@dataclass(frozen=True)
class Condition:
    """One system at one bandwidth ratio and SNR."""

    id: str
    system: int
    cbr: str | None
    snr_db: float


@dataclass(frozen=True)
class Job:
    """Everything that is still wanted of one source."""

    spec: CompareSpec
    source: int
    conditions: tuple[Condition, ...]
    folder: Path | None
    keep: bool


Row = tuple[str, str, dict[str, Any]]
"""Condition, item and values of one row."""


@lru_cache(maxsize=2)
def _built(spec: str) -> tuple[System, ...]:
    return tuple(CompareSpec.model_validate_json(spec).build())


def _systems(spec: CompareSpec) -> tuple[System, ...]:
    """Systems of a comparison, built once a process."""
    return _built(spec.model_dump_json())


@lru_cache(maxsize=2)
def _loaded(spec: str, folder: Path | None) -> list[Source]:
    parsed = CompareSpec.model_validate_json(spec)
    return load_sources(parsed, {system.modality for system in _systems(parsed)}, folder)


def _sources(spec: CompareSpec, folder: Path | None) -> list[Source]:
    """Sources of a comparison, loaded once a process."""
    return _loaded(spec.model_dump_json(), folder)


def _conditions(spec: CompareSpec) -> list[tuple[Condition, dict[str, Any]]]:
    found = []
    for index, system in enumerate(_systems(spec)):
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
        See `benchmarks.versions`.
    rows:
        See `benchmarks.summary.summarise`.
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
        sources = _sources(spec, encoded)
        _check_sources(sources)
        _check_budgets(spec, sources)
        _check_metrics(spec, sources)
        _check_carriages(spec, sources)
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
        if row["metrics"] == _NOTHING
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
            and any(_item(source, trial) not in done[condition.id] for trial in range(spec.trials))
        )
        if wanted:
            job = Job(spec, index, wanted, store.folder, index in kept)
            tasks.append(_SourceTask(job, source.name, store, done, table))
    return tasks


def _check_sources(sources: Sequence[Source]) -> None:
    """Find a source that comes twice: rows are kept by content, and it would meet the same channel again."""
    names: dict[str, str] = {}
    for source in sources:
        if source.digest in names:
            raise ValueError(
                f"{source.name} is the same as {names[source.digest]}: a source counts once, drop one of them"
            )
        names[source.digest] = source.name


def _check_carriages(spec: CompareSpec, sources: Sequence[Source]) -> None:
    """Find a carriage that cannot take its payload, on the first source of the kind."""
    for system in _systems(spec):
        source = next((each for each in sources if kind_of(each) == system.modality), None)
        if source is not None and isinstance(system, Carried):
            for cbr in spec.cbr if system.modality == "image" else (None,):
                system.encode(source, _channel_uses(spec, source, cbr), EsN0(spec.snr[0]))


def _check_budgets(spec: CompareSpec, sources: Sequence[Source]) -> None:
    """Find a bandwidth ratio that cannot work before any long work starts."""
    shapes = {source.image.shape[:2] for source in sources if source.image is not None}
    for system in _systems(spec):
        if system.modality == "image":
            for cbr in spec.cbr:
                for shape in shapes:
                    system.check(BandwidthRatio.parse(cbr).channel_uses(*shape))


def _check_metrics(spec: CompareSpec, sources: Sequence[Source]) -> None:
    """Find a metric that cannot work, for want of weights or of pixels, before any long work starts."""
    for source in sources if {"snr-out", "relative-error"} & set(spec.embedding_metrics) else ():
        if source.embedding is not None and not source.embedding.any():
            raise ValueError(
                f"{source.name} is a vector of zeros, to which no error is relative; drop it, or snr-out and "
                "relative-error from --embedding-metrics"
            )
    images = [source.image for source in sources if source.image is not None]
    described = any(source.captions or source.scene is not None for source in sources)
    names = {name for system in _systems(spec) for name in spec.metrics_by(system, described)}
    for name in sorted(names):
        measure(name)
        about = describe(name)
        if about.reference in ("captions", "scene") and not all(
            getattr(source, about.reference) for source in sources if source.image is not None
        ):
            raise ValueError(
                f"{name} holds what arrives against the {about.reference} of pictures, and these have none: "
                "give --captions FILE, or --images scenes"
            )
    for image in images if "ms-ssim" in spec.metrics else ():
        if fitting_scales(*image.shape[:2]) < MS_SSIM_SCALES:
            raise ValueError(
                f"ms-ssim with {MS_SSIM_SCALES} scales needs pictures of at least 161 pixels a side, "
                f"got {image.shape[1]} x {image.shape[0]}; drop it from --metrics"
            )


def _item(source: Source, trial: int) -> str:
    return f"{source.digest}/{trial}"


def evaluate(job: Job) -> list[Row]:
    """Compute the rows of one job: encode once a system and budget, send and decode at every SNR."""
    encoded = None if job.folder is None else job.folder / "encoded"
    source = _sources(job.spec, encoded)[job.source]
    rows: list[Row] = []
    sent: tuple[tuple[int, str | None], Transmission | Exception] | None = None
    seen: dict[bytes, Row] = {}
    for condition in job.conditions:
        system = _systems(job.spec)[condition.system]
        snr = EsN0(condition.snr_db)
        place = (condition.system, condition.cbr)
        if sent is None or system.adapts or place != sent[0]:
            sent, seen = (place, _encode(job.spec, system, source, condition)), {}
        transmission = sent[1]
        if isinstance(transmission, Exception):
            rows += [
                _broken(condition, source, trial, None, transmission) for trial in range(job.spec.trials)
            ]
            continue
        receptions = send(transmission, snr, _streams(job.spec, source, snr))
        for trial, reception in enumerate(receptions):
            key = _fingerprint(reception, soft=system.modality == "embedding")
            if key not in seen:
                seen[key] = _decode(job, system, source, condition, transmission, reception)
            _, _, values = seen[key]
            rows.append((condition.id, _item(source, trial), {**values, "trial": trial}))
    source.memory.clear()
    return rows


def _encode(
    spec: CompareSpec, system: System, source: Source, condition: Condition
) -> Transmission | Exception:
    """Encode; what goes wrong with one source is its row's, not the run's."""
    try:
        return system.encode(source, _channel_uses(spec, source, condition.cbr), EsN0(condition.snr_db))
    except Exception as error:
        return error


def _decode(
    job: Job,
    system: System,
    source: Source,
    condition: Condition,
    transmission: Transmission,
    reception: Reception,
) -> Row:
    """Reconstruct and measure."""
    try:
        made = system.decode(reception)
        return _row(condition, source, transmission, *_judge(job, system, source, made))
    except Exception as error:
        return _broken(condition, source, 0, transmission, error)


def _channel_uses(spec: CompareSpec, source: Source, cbr: str | None) -> int | None:
    if cbr is None or source.image is None:
        return spec.channel_uses
    return BandwidthRatio.parse(cbr).channel_uses(*source.image.shape[:2])


def _streams(spec: CompareSpec, source: Source, snr: EsN0) -> list[Stream]:
    """One stream a trial; no system's name is in them, so that all meet the same channel."""
    stream = Stream(spec.seed, "compare", spec.channel, f"esno_db={snr.db!r}", source.digest)
    return stream.batch(range(spec.trials))


def _fingerprint(reception: Reception, soft: bool) -> bytes:
    """Equal for receptions that a deterministic receiver cannot tell apart; a ``soft`` one looks at LLRs."""
    content = hashlib.sha256()
    for name, arrived in reception.arrived.items():
        content.update(f"{name}:{arrived.intact}:".encode() + np.packbits(arrived.bits.numpy()).tobytes())
        if soft and arrived.llr is not None:
            content.update(arrived.llr.numpy().tobytes())
    for name, heard in reception.symbols.items():
        content.update(name.encode() + heard.symbols.numpy().tobytes() + heard.no.numpy().tobytes())
    return content.digest()


def _judge(
    job: Job, system: System, source: Source, made: Reconstruction
) -> tuple[Reconstruction, dict[str, float], str | None]:
    """Measure a reconstruction, and keep its picture if the job says so."""
    metrics = {}
    for name in job.spec.metrics_by(system, bool(source.captions) or source.scene is not None):
        about = describe(name)
        reference = getattr(source, about.reference)
        if about.reference == "text" and reference is None:
            reference = source.captions
        metrics[name] = measure(name)(reference, getattr(made, about.received))
    folder = job.folder / "pictures" if job.folder is not None and job.keep else None
    return made, metrics, _keep(folder, made)


def _keep(folder: Path | None, made: Reconstruction) -> str | None:
    """Write a picture under the digest of its pixels, so that equal ones are stored once."""
    if folder is None or made.image is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{Source('', image=made.image).digest}.png"
    if not (folder / name).exists():
        Image.fromarray(made.image).save(folder / name)
    return name


def _row(
    condition: Condition,
    source: Source,
    transmission: Transmission,
    made: Reconstruction,
    metrics: dict[str, float],
    picture: str | None,
) -> Row:
    ledger = transmission.ledger
    values = {
        "source": source.name,
        "trial": 0,
        "failed": int(made.failed),
        "remark": made.remark,
        "channel_uses": ledger.channel_uses,
        "information_bits": ledger.information_bits,
        "metrics": json.dumps(metrics),
        "notes": json.dumps({**transmission.notes, **made.samples}),
        "ledger": json.dumps(ledger.rows()),
        "arrived": made.text if made.image is None else picture,
    }
    return condition.id, _item(source, 0), values


def _broken(
    condition: Condition, source: Source, trial: int, transmission: Transmission | None, error: Exception
) -> Row:
    """Row of a source on which a system raised: without metrics, with the reason."""
    ledger = Ledger(()) if transmission is None else transmission.ledger
    values = {
        "source": source.name,
        "trial": trial,
        "failed": 1,
        "remark": f"{type(error).__name__}: {error}",
        "channel_uses": ledger.channel_uses,
        "information_bits": ledger.information_bits,
        "metrics": _NOTHING,
        "notes": "{}",
        "ledger": json.dumps(ledger.rows()),
        "arrived": None,
    }
    return condition.id, _item(source, trial), values
