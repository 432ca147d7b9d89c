"""``semphy evaluate``: the figures of a trained model, with intervals from counts."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine.training import bundled
from benchmarks.runs.resampling import bootstrap_interval, pooled_interval
from benchmarks.runs.statistics import ratio_interval
from benchmarks.runs.table import Column, LiveTable, plain
from benchmarks.runs.versions import command_line, versions
from benchmarks.settings.errors import input_errors
from bridge.training.evaluations import ALL, EVALUATIONS, find_evaluation
from bridge.training.figures import Figure, Mean, Measured, Pooled, Share
from semantic.files import write_text
from semantic.zoo.digests import digest_of_model

__all__ = ["Estimate", "Evaluated", "Row", "estimate", "evaluate_model"]


@dataclass(frozen=True)
class Estimate:
    """A number and how sure it is.

    Attributes
    ----------
    value, low, high:
        The number and the limits of its interval; None where sources tell nothing of it.
    right, total:
        Counts of a share, else None.
    sources:
        Scenes, photographs or captions that told something.
    """

    value: float | None
    low: float | None
    high: float | None
    right: int | None
    total: int | None
    sources: int


def estimate(measured: Measured, confidence: float, unit: str = "") -> Estimate:
    """Derive a number and its interval from counts, sources being what is independent.

    A number without a unit lies between 0 and 1.
    """
    limits = None if unit else (0.0, 1.0)
    right = total = None
    match measured:
        case Share(of, all_):
            interval = ratio_interval(of, all_, confidence)
            right, total, sources = sum(of), sum(all_), int(np.count_nonzero(all_))
        case Mean(values):
            interval, sources = bootstrap_interval(values, None, confidence, limits), len(values)
        case Pooled(counts, function):
            interval, sources = pooled_interval(counts, function, confidence, limits), len(counts)
    value, low, high = map(_known, (measured.value, *interval))
    return Estimate(value, low, high, right, total, sources)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes
    ----------
    figure, at, unit:
        What, under which condition, in which unit (``dB``; empty for what lies between 0 and 1).
    found:
        The figure.
    against, baseline:
        Name of what it is held against, and its figure, or None.
    """

    figure: str
    at: str
    unit: str
    found: Estimate
    against: str | None
    baseline: Estimate | None


def _number(row: Row, estimate: Estimate | None, part: str) -> str:
    """One of the numbers of a row, in its unit."""
    value = None if estimate is None else getattr(estimate, part)
    if value is None:
        return "-"
    return f"{value:.2f}{row.unit}" if row.unit else f"{value:.4f}"


def _count(row: Row) -> str:
    return "-" if row.found.total is None else f"{row.found.right}/{row.found.total}"


_COLUMNS: tuple[Column[Row], ...] = (
    Column("figure", lambda row: row.figure, 19),
    Column("at", lambda row: row.at or "-", 14),
    Column("value", lambda row: _number(row, row.found, "value"), 7),
    Column("low", lambda row: _number(row, row.found, "low"), 7, 1),
    Column("high", lambda row: _number(row, row.found, "high"), 7, 1),
    Column("count", _count, 13, 3),
    Column("sources", lambda row: str(row.found.sources), 7, 4),
    Column("against", lambda row: row.against or "-", 17, 2),
    Column("its_value", lambda row: _number(row, row.baseline, "value"), 9, 2),
    Column("its_low", lambda row: _number(row, row.baseline, "low"), 7, 5),
    Column("its_high", lambda row: _number(row, row.baseline, "high"), 8, 5),
)


def _row(figure: Figure, confidence: float) -> Row:
    found, against = estimate(figure.measured, confidence, figure.unit), figure.baseline
    if against is None:
        return Row(figure.name, figure.at, figure.unit, found, None, None)
    baseline = estimate(against.measured, confidence, figure.unit)
    return Row(figure.name, figure.at, figure.unit, found, against.name, baseline)


@dataclass(frozen=True)
class Evaluated:
    """The figures of a model.

    Attributes
    ----------
    model, folder, digest:
        By which evaluation, where it lies, and what it is (`semantic.zoo.digests.digest_of_model`).
    sources:
        On what the figures were taken.
    max_sources, seed, confidence:
        Most of them (None: all), the root of what was drawn, and the level of the intervals.
    data:
        What was read, with digests.
    command, versions:
        What made this.
    rows:
        Figures.
    """

    model: str
    folder: str
    digest: str
    sources: str
    max_sources: int | None
    seed: int
    confidence: float
    data: tuple[str, ...]
    command: str
    versions: dict[str, str | None]
    rows: tuple[Row, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints and ``--out`` keeps."""
        return asdict(self)

    def to_text(self) -> str:
        """Return the table, below a line that says on what it was taken."""
        head = f"# {self.model}: {self.sources}; seed {self.seed}, intervals at {self.confidence:g}"
        return "\n".join([head, plain(_COLUMNS, self.rows)])


def evaluate_model(
    name: str,
    kind: str | None = None,
    data: Path | None = None,
    max_sources: int | None = None,
    seed: int | None = None,
    out: Path | None = None,
    confidence: float = 0.95,
) -> Evaluated:
    """Take the figures of a model that was trained.

    Parameters
    ----------
    name:
        Of a bundled model, or a folder in the layout of ``kind``.
    kind:
        In `bridge.training.evaluations.EVALUATIONS`; None is the model's own name.
    data:
        Folder with the data that the figures need; None: the one that ``SEMPHY_DATA`` names.
    max_sources, seed:
        None are those of the model's card.
    out:
        File for the result as JSON.
    confidence:
        Of the intervals.

    Raises
    ------
    InputError
        If there is no such evaluation or model, data are missing, or something cannot be read.
    """
    with input_errors():
        folder, kind = _place(name, kind)
        evaluation = find_evaluation(kind)
        evaluation.check(kind, folder)
        found = evaluation.find(kind, data)
        count = evaluation.count if max_sources is None else max_sources
        root = evaluation.seed if seed is None else seed
        _check(out, confidence)
        digest, read = digest_of_model(folder), tuple(found.describe())
        work = evaluation.prepare(folder, found.places, count, root)
    rows: list[Row] = []
    with LiveTable(_COLUMNS) as table:
        for figure in work():
            rows.append(_row(figure, confidence))
            table.update(len(rows), rows[-1], done=True)
    made = Evaluated(
        kind,
        str(folder),
        digest,
        evaluation.sources,
        None if count == ALL else count,
        root,
        confidence,
        read,
        command_line(),
        versions(),
        tuple(rows),
    )
    if out is not None:
        write_text(out, json.dumps(made.to_json(), indent=2) + "\n")
    return made


def _place(name: str, kind: str | None) -> tuple[Path, str]:
    """Folder of a model, and by which evaluation it is measured."""
    if kind is not None:
        folder = Path(name).expanduser()
        if not folder.is_dir():
            raise ValueError(f"there is no folder {name!r}: --as takes one in the layout of {kind}")
        return folder, kind
    if name not in EVALUATIONS and Path(name).is_dir():
        raise ValueError(
            f"{name!r} is a folder: say by --as what lies in it, one of {', '.join(EVALUATIONS)}"
        )
    find_evaluation(name)
    if not bundled(name).is_dir():
        raise ValueError(f"{name} was not made yet; make it with: semphy train {name}")
    return bundled(name), name


def _check(out: Path | None, confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"the confidence of intervals lies between 0 and 1, got {confidence!r}")
    if out is not None and (out.is_dir() or not out.parent.is_dir()):
        raise ValueError(f"{str(out)!r} cannot be written: --out takes a file in a folder that is there")
