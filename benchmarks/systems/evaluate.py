"""Rows of one source: encode once a system and budget, send and decode at every SNR, measure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.runs.conditions import condition_id
from benchmarks.runs.store import Row
from benchmarks.settings.compare import CompareSpec, built_of, systems_of
from benchmarks.settings.errors import InputError
from benchmarks.systems.identity import RULES_VERSION, identify, items_of
from benchmarks.systems.sources import Sources, load_sources
from bridge.air.ledger import Ledger
from bridge.air.transmission import Reception, Transmission, transmit
from bridge.systems.ends import decode_by, encode_by
from bridge.systems.system import Reconstruction, Source, System
from phy.random import Stream
from phy.units import BandwidthRatio, EsN0
from semantic.metrics.catalog import describe, measure

__all__ = [
    "Job",
    "OperatingPoint",
    "channel_uses_of",
    "evaluate",
    "forget",
    "loaded",
]

Values = dict[str, Any]
"""Columns of a row but the trial, which receptions that are equal differ in alone."""


@dataclass(frozen=True)
class OperatingPoint:
    """One system, by its place among those of the comparison, at one bandwidth ratio and SNR.

    Attributes
    ----------
    id:
        Of its condition in the store.
    system, cbr, snr_db:
        What it is.
    measures:
        Names of the metrics in rows, in the order of those that the system is measured by.
    with_references:
        Whether its rows depend on captions and scenes of pictures
        (`benchmarks.systems.identity.reads_references`).
    """

    id: str
    system: int
    cbr: str | None
    snr_db: float
    measures: tuple[str, ...]
    with_references: bool = False

    def items_of(self, source: Source, trials: int) -> list[str]:
        """Names of its rows of a source, one a trial."""
        return items_of(source, trials, self.with_references)


@dataclass(frozen=True)
class Job:
    """Everything that is still wanted of one source."""

    spec: CompareSpec
    source: int
    wanted: tuple[OperatingPoint, ...]
    folder: Path | None
    keep: bool


@lru_cache(maxsize=2)
def loaded(spec: CompareSpec, folder: Path | None) -> Sources:
    """Sources of a comparison, loaded once a process; in the folder transmitters keep what they know."""
    memory = None if folder is None else folder / f"encoded-{RULES_VERSION}"
    return load_sources(spec, {system.modality for system in systems_of(spec)}, memory)


def forget() -> None:
    """Let go of systems, sources and metrics: their files may be others when the next comparison starts."""
    built_of.cache_clear()
    loaded.cache_clear()
    measure.cache_clear()
    _content.cache_clear()


@lru_cache(maxsize=1024)
def _content(spec: CompareSpec, system: int) -> dict[str, Any]:
    _, content = identify(spec, built_of(spec)[system])
    return content


def _check_unchanged(spec: CompareSpec, point: OperatingPoint) -> None:
    """Refuse to compute a point of code, models or files that are no longer those of the run's beginning."""
    content = _content(spec, point.system) | {"cbr": point.cbr, "snr_db": point.snr_db}
    if condition_id(content) != point.id:
        name = systems_of(spec)[point.system].name
        raise InputError(f"files of {name} have changed since the run began; run the command again")


def evaluate(job: Job) -> list[Row]:
    """Compute the rows of one job: encode once a system and budget, send and decode at every SNR.

    Raises
    ------
    InputError
        If what a system is made of has changed since the job was made.
    """
    source = loaded(job.spec, job.folder).sources[job.source]
    rows: list[Row] = []
    sent: tuple[tuple[int, str | None], Transmission | Exception] | None = None
    seen: dict[bytes, Values] = {}
    for point in job.wanted:
        _check_unchanged(job.spec, point)
        system = systems_of(job.spec)[point.system]
        snr = EsN0(point.snr_db)
        place = (point.system, point.cbr)
        if sent is None or system.adapts or place != sent[0]:
            sent, seen = (place, _encode(job.spec, system, source, point)), {}
        transmission, items = sent[1], point.items_of(source, job.spec.trials)
        if isinstance(transmission, Exception):
            broken = _broken(source, None, transmission)
            rows += [(point.id, item, {**broken, "trial": trial}) for trial, item in enumerate(items)]
            continue
        receptions = transmit(transmission, snr, _streams(job.spec, source, snr))
        for trial, reception in enumerate(receptions):
            key = _fingerprint(reception, soft=system.modality == "embedding")
            if key not in seen:
                seen[key] = _decode(job, system, source, point, transmission, reception)
            rows.append((point.id, items[trial], {**seen[key], "trial": trial}))
    source.memory.clear()
    return rows


def _encode(
    spec: CompareSpec, system: System, source: Source, point: OperatingPoint
) -> Transmission | Exception:
    """Encode; what goes wrong with one source is its row's, not the run's."""
    try:
        uses = channel_uses_of(spec, source, point.cbr)
        return encode_by(system, source, uses, EsN0(point.snr_db))
    except Exception as error:
        return error


def _decode(
    job: Job,
    system: System,
    source: Source,
    point: OperatingPoint,
    transmission: Transmission,
    reception: Reception,
) -> Values:
    """Reconstruct and measure."""
    try:
        made = decode_by(system, source, reception)
        return _measured(source, transmission, *_judge(job, point, source, made))
    except Exception as error:
        return _broken(source, transmission, error)


def channel_uses_of(spec: CompareSpec, source: Source, cbr: str | None) -> int | None:
    """Channel uses that a system is given for a source; None is as many as it needs."""
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
    job: Job, point: OperatingPoint, source: Source, made: Reconstruction
) -> tuple[Reconstruction, dict[str, float], str | None]:
    """Measure a reconstruction, and keep its picture if the job says so."""
    metrics = {}
    names = job.spec.metrics_by(systems_of(job.spec)[point.system], job.spec.described)
    for name, measured in zip(names, point.measures, strict=True):
        about = describe(name)
        reference = getattr(source, about.reference)
        if about.reference == "text" and reference is None:
            reference = source.captions
        metrics[measured] = measure(name)(reference, getattr(made, about.received))
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


def _measured(
    source: Source,
    transmission: Transmission,
    made: Reconstruction,
    metrics: dict[str, float],
    picture: str | None,
) -> Values:
    ledger = transmission.ledger
    return {
        "source": source.name,
        "failed": int(made.failed),
        "remark": made.remark,
        "channel_uses": ledger.channel_uses,
        "information_bits": ledger.information_bits,
        "metrics": json.dumps(metrics),
        "notes": json.dumps({**transmission.notes, **made.samples}),
        "ledger": json.dumps(ledger.rows()),
        "arrived": made.text if made.image is None else picture,
    }


def _broken(source: Source, transmission: Transmission | None, error: Exception) -> Values:
    """A source on which a system raised: without metrics, with the reason."""
    ledger = Ledger(()) if transmission is None else transmission.ledger
    return {
        "source": source.name,
        "failed": 1,
        "remark": f"{type(error).__name__}: {error}",
        "channel_uses": ledger.channel_uses,
        "information_bits": ledger.information_bits,
        "metrics": "{}",
        "notes": "{}",
        "ledger": json.dumps(ledger.rows()),
        "arrived": None,
    }
