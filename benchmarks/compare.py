"""``semphy compare``: several systems over the same sources, SNRs and trials, at equal channel uses."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from benchmarks.errors import input_errors
from benchmarks.measures import EMBEDDING_METRICS, IMAGE_METRICS, TEXT_METRICS, measure
from benchmarks.spec import Count, condition_id, parse_range
from benchmarks.store import Store, write_csv
from benchmarks.summary import flat, summarise, table_of
from benchmarks.sweep import run
from benchmarks.table import Column, LiveTable
from bridge.schemes import Decoding
from bridge.systems.carried import Carried
from bridge.systems.catalog import build_systems
from bridge.systems.system import Reconstruction, Source, System
from bridge.transport import Reception, Transmission, send
from phy.channels import parse_channel
from phy.random import Stream
from phy.units import BandwidthRatio, EsN0
from semantic.datasets import load_pictures, load_sentences, sample_pictures, sample_sentences
from semantic.metrics.image import fitting_scales
from semantic.vectors import load_embeddings, sample_embeddings

__all__ = ["COLUMNS", "CompareRun", "CompareSpec", "load_sources", "run_compare"]

MS_SSIM_SCALES = 5

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


class CompareSpec(BaseModel):
    """Everything ``semphy compare`` is told, except how the work is divided.

    Attributes
    ----------
    systems:
        Names as `bridge.systems.catalog` reads them.
    payload, carriage:
        Ways of carrying one kind of payload, as `bridge.systems.carried` reads them, compared like systems.
    images, texts, embeddings:
        ``sample`` for the bundled ones, or a file or folder.
    image_size:
        Pictures are resized to squares of this many pixels; None keeps them.
    snr:
        Es/N0 in decibels.
    cbr:
        Bandwidth ratios; a system of pictures gets exactly that many channel uses.
    channel_uses:
        Of every sentence or vector: a limit, or what a carriage fills that fills its channel uses.
    schemes, text_schemes:
        Modulation-coding schemes of pictures and of sentences (`bridge.schemes`).
    channel, decoder, schedule, iterations, engine, policy:
        As in `bridge.systems.catalog.build_systems`.
    metrics:
        Metrics of pictures (others are of sentences and of vectors). The first one picks the scheme of the
        envelope.
    trials:
        Channel realisations a source and SNR.
    max_sources:
        Take only the first so many pictures, and sentences.
    keep:
        Pictures of so many sources are kept as they arrived in the first trial.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    systems: tuple[str, ...] = ()
    payload: Literal["text", "embedding", "image"] | None = None
    carriage: tuple[str, ...] = ()
    images: str = "sample"
    image_size: Count | None = None
    texts: str = "sample"
    embeddings: str = "sample"
    snr: tuple[float, ...] = Field(min_length=1)
    cbr: tuple[str, ...] = ("1/24",)
    channel_uses: Count | None = None
    channel: str = "awgn"
    schemes: str = "witt"
    text_schemes: str = "1/2-qpsk"
    decoder: Literal["sum-product", "minsum", "offset-minsum", "normalized-minsum"] = "sum-product"
    schedule: Literal["flooding", "layered"] = "layered"
    iterations: Count = 20
    engine: Literal["compiled", "sionna"] = "compiled"
    policy: str = "mean"
    metrics: tuple[str, ...] = ("psnr", "ssim", "ms-ssim")
    text_metrics: tuple[str, ...] = ("bleu", "cer", "wer")
    embedding_metrics: tuple[str, ...] = ("snr-out", "cosine", "mse")
    trials: Count = 1
    max_sources: Count | None = None
    keep: Annotated[int, Field(ge=0)] = 1
    seed: Annotated[int, Field(ge=0)] = 1
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95

    @field_validator("carriage", mode="before")
    @classmethod
    def _carriages(cls, value: object) -> object:
        """Commas separate carriages only before a new one: quantisers have commas of their own."""
        return re.split(r",\s*(?=digital|analog)", value) if isinstance(value, str) else value

    @field_validator("systems", "metrics", "text_metrics", "embedding_metrics", "cbr", mode="before")
    @classmethod
    def _list(cls, value: object) -> object:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value

    @field_validator("snr", mode="before")
    @classmethod
    def _range(cls, value: object) -> object:
        return parse_range(value) if isinstance(value, str) else value

    @field_validator("cbr")
    @classmethod
    def _ratio(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(BandwidthRatio.parse(ratio)) for ratio in value)

    @model_validator(mode="after")
    def _names(self) -> CompareSpec:
        if not self.systems and not self.carriage:
            raise ValueError("nothing to compare: give --systems, or --payload and --carriage")
        if (self.payload is None) != (not self.carriage):
            raise ValueError(
                f"--payload and --carriage go together, got {self.payload} and {list(self.carriage)}"
            )
        for names, known in (
            (self.metrics, IMAGE_METRICS),
            (self.text_metrics, TEXT_METRICS),
            (self.embedding_metrics, EMBEDDING_METRICS),
        ):
            for name in names:
                if name not in known:
                    raise ValueError(f"unknown metric {name!r}: there are {', '.join(known)}")
        self.build()
        return self

    def build(self) -> list[System]:
        """Build all systems."""
        channel = parse_channel(self.channel)
        decoding = Decoding(self.decoder, self.schedule, self.iterations, self.engine)
        carried: list[System] = [
            Carried(self.payload or "", carriage, channel, decoding) for carriage in self.carriage
        ]
        return carried + [
            system
            for name in self.systems
            for system in build_systems(
                name,
                channel,
                self.text_schemes if name.startswith("text-") else self.schemes,
                decoding,
                self.policy,
            )
        ]

    def metrics_of(self, modality: str) -> tuple[str, ...]:
        """Names of the metrics that sources of this kind are measured by."""
        return {"image": self.metrics, "text": self.text_metrics, "embedding": self.embedding_metrics}[
            modality
        ]

    def identity(self) -> dict[str, Any]:
        """What all rows of one run directory share."""
        return self.model_dump(mode="json", include={"seed", "channel", "image_size"})

    def describe(self, system: System, cbr: str | None, snr_db: float) -> dict[str, Any]:
        """Everything that determines the rows of one condition, apart from the source and the trial."""
        shared = {"channel", "image_size", "decoder", "schedule", "iterations", "engine", "seed"}
        limited = system.modality != "image"
        return {
            "system": system.name,
            "family": system.family,
            "modality": system.modality,
            "policy": system.policy,
            "cbr": cbr,
            "snr_db": snr_db,
            "metrics": list(self.metrics_of(system.modality)),
            **({"channel_uses": self.channel_uses} if limited and self.channel_uses else {}),
            **self.model_dump(mode="json", include=shared),
        }


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
    pictures: Path | None


Row = tuple[str, str, dict[str, Any]]
"""Condition, item and values of one row."""


def load_sources(spec: CompareSpec) -> list[Source]:
    """Load the pictures and sentences that the systems of a comparison need."""
    modalities = {system.modality for system in _systems(spec)}
    sources = []
    if "image" in modalities:
        pictures = (
            sample_pictures(size=spec.image_size)
            if spec.images == "sample"
            else load_pictures(Path(spec.images), size=spec.image_size)
        )
        sources += [Source(name, image=image) for name, image in pictures[: spec.max_sources]]
    if "text" in modalities:
        sentences = sample_sentences() if spec.texts == "sample" else load_sentences(Path(spec.texts))
        sources += [
            Source(f"sentence-{number}", text=text)
            for number, text in enumerate(sentences[: spec.max_sources], 1)
        ]
    if "embedding" in modalities:
        vectors = (
            sample_embeddings() if spec.embeddings == "sample" else load_embeddings(Path(spec.embeddings))
        )
        sources += [Source(name, embedding=vector) for name, vector in vectors[: spec.max_sources]]
    return sources


def _modality(source: Source) -> str:
    """What a source of a comparison is."""
    if source.image is not None:
        return "image"
    return "text" if source.text is not None else "embedding"


@lru_cache(maxsize=2)
def _systems(spec: CompareSpec) -> tuple[System, ...]:
    return tuple(spec.build())


@lru_cache(maxsize=2)
def _sources(spec: CompareSpec) -> list[Source]:
    return load_sources(spec)


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
    """

    spec: dict[str, Any]
    versions: dict[str, str | None]
    rows: list[dict[str, Any]]
    interrupted: bool

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
    with input_errors():
        sources = _sources(spec)
        _check_budgets(spec, sources)
        _check_metrics(spec, sources)
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
    store.close()
    return CompareRun(described, store.versions, rows, interrupted)


def _tasks(
    spec: CompareSpec,
    store: Store,
    sources: Sequence[Source],
    conditions: Sequence[tuple[Condition, dict[str, Any]]],
    table: LiveTable,
) -> list[_SourceTask]:
    done = {condition.id: {row["item"] for row in store.rows(condition.id)} for condition, _ in conditions}
    folder = None if store.folder is None else store.folder / "pictures"
    kept = [index for index, source in enumerate(sources) if source.image is not None][: spec.keep]
    tasks = []
    for index, source in enumerate(sources):
        wanted = tuple(
            condition
            for condition, description in conditions
            if description["modality"] == _modality(source)
            and any(_item(source, trial) not in done[condition.id] for trial in range(spec.trials))
        )
        if wanted:
            job = Job(spec, index, wanted, folder if index in kept else None)
            tasks.append(_SourceTask(job, source.name, store, done, table))
    return tasks


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
    images = [source.image for source in sources if source.image is not None]
    for name in spec.metrics if images else ():
        measure(name)
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
    source = _sources(job.spec)[job.source]
    rows: list[Row] = []
    transmission: Transmission | None = None
    last: tuple[int, str | None] | None = None
    seen: dict[bytes, tuple[Reconstruction, dict[str, float], str | None]] = {}
    for condition in job.conditions:
        system = _systems(job.spec)[condition.system]
        snr = EsN0(condition.snr_db)
        if transmission is None or system.adapts or (condition.system, condition.cbr) != last:
            with input_errors():
                transmission = system.encode(source, _channel_uses(job.spec, source, condition.cbr), snr)
            last, seen = (condition.system, condition.cbr), {}
        receptions = send(transmission, snr, _streams(job.spec, source, snr))
        for trial, reception in enumerate(receptions):
            key = _fingerprint(reception)
            if key not in seen:
                seen[key] = _judge(job, system, source, system.decode(reception))
            rows.append(_row(condition, source, trial, transmission, *seen[key]))
    source.memory.clear()
    return rows


def _channel_uses(spec: CompareSpec, source: Source, cbr: str | None) -> int | None:
    if cbr is None or source.image is None:
        return spec.channel_uses
    return BandwidthRatio.parse(cbr).channel_uses(*source.image.shape[:2])


def _streams(spec: CompareSpec, source: Source, snr: EsN0) -> list[Stream]:
    """One stream a trial; no system's name is in them, so that all meet the same channel."""
    stream = Stream(spec.seed, "compare", spec.channel, f"esno_db={snr.db!r}", source.digest)
    return stream.batch(range(spec.trials))


def _fingerprint(reception: Reception) -> bytes:
    """Equal for receptions that a deterministic receiver cannot tell apart."""
    content = hashlib.sha256()
    for name, arrived in reception.arrived.items():
        content.update(f"{name}:{arrived.intact}:".encode() + np.packbits(arrived.bits.numpy()).tobytes())
        if reception.count is not None and arrived.llr is not None:  # soft reading of a vector
            content.update(arrived.llr.numpy().tobytes())
    for name, heard in reception.symbols.items():
        content.update(name.encode() + heard.symbols.numpy().tobytes() + heard.no.numpy().tobytes())
    return content.digest()


def _judge(
    job: Job, system: System, source: Source, made: Reconstruction
) -> tuple[Reconstruction, dict[str, float], str | None]:
    """Measure a reconstruction, and keep its picture if the job says so."""
    sent, got = getattr(source, system.modality), getattr(made, system.modality)
    metrics = {name: measure(name)(sent, got) for name in job.spec.metrics_of(system.modality)}
    return made, metrics, _keep(job.pictures, made)


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
    trial: int,
    transmission: Transmission,
    made: Reconstruction,
    metrics: dict[str, float],
    picture: str | None,
) -> Row:
    ledger = transmission.ledger
    values = {
        "source": source.name,
        "trial": trial,
        "failed": int(made.failed),
        "remark": made.remark,
        "channel_uses": ledger.channel_uses,
        "information_bits": ledger.information_bits,
        "metrics": json.dumps(metrics),
        "notes": json.dumps(dict(transmission.notes)),
        "ledger": json.dumps(ledger.rows()),
        "arrived": made.text if made.image is None else picture,
    }
    return condition.id, _item(source, trial), values
