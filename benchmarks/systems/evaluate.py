"""Rows of one source: encode once a system and budget, send and decode at every SNR, measure."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from bridge.systems.system import Reconstruction, Source
from phy.random import Stream
from phy.units import BandwidthRatio, BudgetExceeded, EsN0
from semantic.files import written
from semantic.metrics.catalog import describe, measure
from semantic.zoo.complete import WrongWeights
from semantic.zoo.missing import WeightsMissing

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


_RAISED = (Exception, SystemExit)
"""What a system may raise that is the error of a row; somebody's own code may call ``exit()``."""

_NO_MODEL = (WeightsMissing, WrongWeights)
"""What ends the run: the next row would need the same model."""


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
    """Everything that is still wanted of one source.

    Attributes
    ----------
    spec, source:
        The comparison, and which of its sources.
    wanted:
        Points, each with the trials that it lacks.
    folder:
        Of the run.
    keep:
        Whether pictures are kept as they arrived.
    seconds:
        Time after which `evaluate` leaves the rest.
    """

    spec: CompareSpec
    source: Listed
    wanted: tuple[tuple[OperatingPoint, tuple[int, ...]], ...]
    folder: Path | None
    keep: bool
    seconds: float = math.inf


class Found(NamedTuple):
    """What was found of a job, as `benchmarks.runs.store.Store.add_all` takes it.

    Attributes
    ----------
    rows, errors:
        What is done, and what has no row because something raised.
    left:
        A job of what is not; None if nothing is left.
    """

    rows: list[Row]
    errors: list[Row]
    left: Job | None


def listed(spec: CompareSpec, folder: Path | None) -> Sources:
    """Sources of a comparison; in the folder transmitters keep what they know."""
    memory = None if folder is None else folder / f"encoded-{RULES_VERSION}"
    return load_sources(spec, {system.modality for system in systems_of(spec)}, memory)


def forget() -> None:
    """Let go of systems and metrics: their files may be others when the next comparison starts."""
    built_of.cache_clear()
    measure.cache_clear()
    _content.cache_clear()
    _at_hand.cache_clear()
    _sending.cache_clear()


@lru_cache(maxsize=1)
def _at_hand(source: Listed) -> Source:
    """The whole source, once a process for all parts of the work on it."""
    return source.load()


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
    """Compute the rows of one job, or those for which its time suffices.

    A source is encoded once a system and budget, sent and decoded at every SNR.

    A source that does not fit into its channel uses is data: it fails, takes them all, and is measured as
    its system's policy shows it. Whatever else raises makes no row.

    Raises
    ------
    InputError
        If what a system is made of, or the source's file, has changed since the job was made; or if a model
        turns out to lack files or tensors when it is loaded.
    """
    rows, errors = list[Row](), list[Row]()
    source = _at_hand(job.source)
    end = None  # counted from the first row on: another process would have to encode again
    for index, (point, trials) in enumerate(job.wanted):
        _check_unchanged(job.spec, point)
        items = point.items_of(source, job.spec.trials)
        for trial, value in zip(trials, _trials(job, source, point, trials), strict=True):
            if isinstance(value, BaseException):
                raised = {"source": source.name, "trial": trial, "reason": _reason(value)}
                errors.append((point.id, items[trial], raised))
            else:
                rows.append((point.id, items[trial], {**value, "trial": trial}))
            end = end or time.monotonic() + job.seconds
            if time.monotonic() >= end and (wanted := _behind(job, index, trial)):
                return Found(rows, errors, replace(job, wanted=wanted))
    source.memory.clear()
    return Found(rows, errors, None)


def _reason(error: BaseException) -> str:
    """What raised, as one line; somebody's own exception may not even have words."""
    try:
        words = str(error)
    except Exception:
        words = ""
    return " ".join(f"{type(error).__name__}: {words}".split())


def _behind(job: Job, index: int, trial: int) -> tuple[tuple[OperatingPoint, tuple[int, ...]], ...]:
    """What a job wants behind a trial of one of its points."""
    point, trials = job.wanted[index]
    others = trials[trials.index(trial) + 1 :]
    return (*([(point, others)] if others else []), *job.wanted[index + 1 :])


@dataclass(frozen=True)
class _Sending:
    """A source as a system sends it, or why not, and what was made of receptions so far."""

    sent: Transmission | BaseException
    seen: dict[bytes, Values | BaseException] = field(default_factory=dict)


@lru_cache(maxsize=1)
def _sending(
    spec: CompareSpec, source: Listed, system: int, cbr: str | None, snr_db: float | None
) -> _Sending:
    """Encode; what goes wrong with one source is its rows', not the run's.

    The SNR is that for which a system adapts, and None for others, which send the same at all.
    """
    one, other = systems_of(spec)[system], _at_hand(source)
    try:
        snr = EsN0(spec.snr[0] if snr_db is None else snr_db)
        return _Sending(encode_by(one, other, channel_uses_of(spec, other, cbr), snr))
    except _NO_MODEL as error:
        raise InputError(f"{one.name}: {error}") from error
    except _RAISED as error:
        return _Sending(error)


def _trials(
    job: Job, source: Source, point: OperatingPoint, trials: Sequence[int]
) -> Iterator[Values | BaseException]:
    """Send, reconstruct and measure, trial by trial; receptions that were seen are not decoded again."""
    spec, system, snr = job.spec, systems_of(job.spec)[point.system], EsN0(point.snr_db)
    adapted = point.snr_db if system.adapts else None
    sending = _sending(spec, job.source, point.system, point.cbr, adapted)
    sent, seen = sending.sent, sending.seen
    try:
        uses = channel_uses_of(spec, source, point.cbr)
        if isinstance(sent, BudgetExceeded) and uses is not None:
            made = unsent(system, source, str(sent))
            yield from [_measured(job, point, source, made, Ledger.of([_nothing(uses)]))] * len(trials)
            return
        if isinstance(sent, BaseException):
            yield from [sent] * len(trials)
            return
        receptions = transmit(sent, snr, _streams(spec, source, snr, trials))
        keys = [_fingerprint(reception, soft=system.modality == "embedding") for reception in receptions]
    except _RAISED as error:
        yield from [error] * len(trials)
        return
    for key, reception in zip(keys, receptions, strict=True):
        if key not in seen:
            seen[key] = _decode(job, source, point, sent, reception)
        yield seen[key]


def _decode(
    job: Job, source: Source, point: OperatingPoint, sent: Transmission, reception: Reception
) -> Values | BaseException:
    """Reconstruct and measure."""
    try:
        made = decode_by(systems_of(job.spec)[point.system], source, reception)
        return _measured(job, point, source, made, sent.ledger, sent.notes)
    except _NO_MODEL as error:
        raise InputError(f"{systems_of(job.spec)[point.system].name}: {error}") from error
    except _RAISED as error:
        return error


def channel_uses_of(spec: CompareSpec, source: Source, cbr: str | None) -> int | None:
    """Channel uses that a system is given for a source; None is as many as it needs."""
    if cbr is None or source.image is None:
        return spec.channel_uses
    return BandwidthRatio.parse(cbr).channel_uses(*source.size)


def _streams(spec: CompareSpec, source: Source, snr: EsN0, trials: Sequence[int]) -> list[Stream]:
    """One stream a trial; no system's name is in them, so that all meet the same channel."""
    stream = Stream(spec.seed, "compare", spec.channel, f"esno_db={snr.db!r}", source.digest)
    return stream.batch(trials)


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
    name = f"{Source('', image=made.image).digest}.png"
    if not (folder / name).exists():
        with written(folder / name) as beside:
            Image.fromarray(made.image).save(beside)
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
        "channel_uses": int(ledger.channel_uses),
        "information_bits": int(ledger.information_bits),
        "metrics": json.dumps(_metrics(job, point, source, made)),
        "notes": json.dumps({**notes, **made.samples}),
        "ledger": json.dumps(ledger.rows()),
        "arrived": made.text if made.image is None else picture,
    }
