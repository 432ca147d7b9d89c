"""Rows of one source: encode once a system and budget, send and decode at every SNR, measure."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from benchmarks.runs.conditions import condition_id
from benchmarks.runs.store import Row
from benchmarks.settings.compare import CompareSpec, built_of, systems_of
from benchmarks.settings.errors import InputError
from benchmarks.systems.identity import RULES_VERSION, identify, items_of
from benchmarks.systems.sources import Listed, Sources, load_sources
from bridge.air.ledger import Entry, Ledger
from bridge.air.transmission import Reception, Transmission, transmit
from bridge.systems.ends import decode_by, encode_by, unsent
from bridge.systems.system import Reconstruction, Source, System
from phy.random import Stream
from phy.units import BandwidthRatio, BudgetExceeded, EsN0
from semantic.metrics.catalog import describe, measure

__all__ = [
    "Found",
    "Job",
    "OperatingPoint",
    "channel_uses_of",
    "evaluate",
    "forget",
    "listed",
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
    source: Listed
    wanted: tuple[OperatingPoint, ...]
    folder: Path | None
    keep: bool


class Found(NamedTuple):
    """Rows of a job, and what has none because something raised (`benchmarks.runs.store.Store.add_all`)."""

    rows: list[Row]
    errors: list[Row]


def listed(spec: CompareSpec, folder: Path | None) -> Sources:
    """Sources of a comparison; in the folder transmitters keep what they know."""
    memory = None if folder is None else folder / f"encoded-{RULES_VERSION}"
    return load_sources(spec, {system.modality for system in systems_of(spec)}, memory)


def forget() -> None:
    """Let go of systems and metrics: their files may be others when the next comparison starts."""
    built_of.cache_clear()
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


def evaluate(job: Job) -> Found:
    """Compute the rows of one job: encode once a system and budget, send and decode at every SNR.

    A source that does not fit into its channel uses is data: it fails, takes them all, and is measured as
    its system's policy shows it. Whatever else raises makes no row.

    Raises
    ------
    InputError
        If what a system is made of, or the source's file, has changed since the job was made.
    """
    source = job.source.load()
    found = Found([], [])
    sent: tuple[tuple[int, str | None], Transmission | Exception] | None = None
    seen: dict[bytes, Values | Exception] = {}
    for point in job.wanted:
        _check_unchanged(job.spec, point)
        system = systems_of(job.spec)[point.system]
        place = (point.system, point.cbr)
        if sent is None or system.adapts or place != sent[0]:
            sent, seen = (place, _encode(job.spec, system, source, point)), {}
        values = _trials(job, source, point, sent[1], seen)
        for trial, (item, value) in enumerate(zip(point.items_of(source, len(values)), values, strict=True)):
            if isinstance(value, Exception):
                raised = {"source": source.name, "trial": trial, "reason": f"{type(value).__name__}: {value}"}
                found.errors.append((point.id, item, raised))
            else:
                found.rows.append((point.id, item, {**value, "trial": trial}))
    return found


def _encode(
    spec: CompareSpec, system: System, source: Source, point: OperatingPoint
) -> Transmission | Exception:
    """Encode; what goes wrong with one source is its rows', not the run's."""
    try:
        uses = channel_uses_of(spec, source, point.cbr)
        return encode_by(system, source, uses, EsN0(point.snr_db))
    except Exception as error:
        return error


def _trials(
    job: Job,
    source: Source,
    point: OperatingPoint,
    sent: Transmission | Exception,
    seen: dict[bytes, Values | Exception],
) -> list[Values | Exception]:
    """Send, reconstruct and measure in every trial; receptions that were ``seen`` are not decoded again."""
    spec, system, snr = job.spec, systems_of(job.spec)[point.system], EsN0(point.snr_db)
    uses = channel_uses_of(spec, source, point.cbr)
    try:
        if isinstance(sent, BudgetExceeded) and uses is not None:
            made = unsent(system, source, str(sent))
            return [_measured(job, point, source, made, Ledger.of([_nothing(uses)]))] * spec.trials
        if isinstance(sent, Exception):
            return [sent] * spec.trials
        receptions = transmit(sent, snr, _streams(spec, source, snr))
        keys = [_fingerprint(reception, soft=system.modality == "embedding") for reception in receptions]
    except Exception as error:
        return [error] * spec.trials
    for key, reception in zip(keys, receptions, strict=True):
        if key not in seen:
            seen[key] = _decode(job, source, point, sent, reception)
    return [seen[key] for key in keys]


def _decode(
    job: Job, source: Source, point: OperatingPoint, sent: Transmission, reception: Reception
) -> Values | Exception:
    """Reconstruct and measure."""
    try:
        made = decode_by(systems_of(job.spec)[point.system], source, reception)
        return _measured(job, point, source, made, sent.ledger, sent.notes)
    except Exception as error:
        return error


def channel_uses_of(spec: CompareSpec, source: Source, cbr: str | None) -> int | None:
    """Channel uses that a system is given for a source; None is as many as it needs."""
    if cbr is None or source.image is None:
        return spec.channel_uses
    return BandwidthRatio.parse(cbr).channel_uses(*source.size)


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


def _metrics(job: Job, point: OperatingPoint, source: Source, made: Reconstruction) -> dict[str, float]:
    """Measure a reconstruction; what is no number is absent."""
    metrics = {}
    names = job.spec.metrics_by(systems_of(job.spec)[point.system], job.spec.described)
    for name, measured in zip(names, point.measures, strict=True):
        about = describe(name)
        reference = getattr(source, about.reference)
        if about.reference == "text" and reference is None:
            reference = source.captions
        value = float(measure(name)(reference, getattr(made, about.received)))
        if math.isfinite(value):
            metrics[measured] = value
    return metrics


def _keep(folder: Path | None, made: Reconstruction) -> str | None:
    """Write a picture under the digest of its pixels, so that equal ones are stored once."""
    if folder is None or made.image is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{Source('', image=made.image).digest}.png"
    if not (folder / name).exists():
        Image.fromarray(made.image).save(folder / name)
    return name


def _nothing(channel_uses: int) -> Entry:
    """Account of channel uses on which nothing was sent."""
    return Entry("not sent", 0, 0, 0, 0, 0, channel_uses)


def _measured(
    job: Job,
    point: OperatingPoint,
    source: Source,
    made: Reconstruction,
    ledger: Ledger,
    notes: Mapping[str, int | str] = MappingProxyType({}),
) -> Values:
    """The row of a reconstruction; its picture is kept if the job says so."""
    folder = job.folder / "pictures" if job.folder is not None and job.keep else None
    picture = _keep(folder, made)
    return {
        "source": source.name,
        "failed": int(made.failed),
        "remark": made.remark,
        "channel_uses": ledger.channel_uses,
        "information_bits": ledger.information_bits,
        "metrics": json.dumps(_metrics(job, point, source, made)),
        "notes": json.dumps({**notes, **made.samples}),
        "ledger": json.dumps(ledger.rows()),
        "arrived": made.text if made.image is None else picture,
    }
