"""Stored rows of a comparison to curves: means, failure rates, envelopes over schemes, and then intervals."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import Any

from benchmarks.runs.conditions import Condition, differences
from benchmarks.runs.statistics import bootstrap_interval
from benchmarks.runs.store import Store
from benchmarks.runs.table import Column, plain
from benchmarks.runs.versions import DISTRIBUTIONS
from benchmarks.systems.curves import CurveRow, Mean, Sample
from semantic.metrics.catalog import describe

__all__ = ["curves", "remarks", "table_of", "with_intervals"]


def curves(store: Store) -> list[CurveRow]:
    """Points of the curves that the latest command named, without intervals: envelopes, then every scheme.

    Where a family of picture systems has several schemes, a further row with the family's name is its
    envelope: at each SNR the scheme whose first metric is best on average over all sources and trials, named
    under ``scheme``. Means are over sources and trials. Rows of other settings, sources or trials that a run
    holds, too, are left out.
    """
    named = _named(store)
    found = [
        _row(each, [_sample(row, each) for row in named.get(each.id, ())]) for each in store.conditions()
    ]
    rows = [row for row in found if row.samples]
    return _envelopes(rows) + rows


def remarks(store: Store) -> list[str]:
    """What should be known of the rows that a run holds before a command adds to them."""
    wanted, others = store.wanted() or {}, 0
    older: list[dict[str, str | None]] = []
    for condition, item, versions in store.makers():
        if item not in wanted.get(condition, ()):
            others += 1
        elif versions not in (store.versions, *older):
            older.append(versions)
    now = {name: store.versions.get(name) for name in DISTRIBUTIONS}
    before = [{name: versions.get(name) for name in DISTRIBUTIONS} for versions in older]
    changes = dict.fromkeys(change for versions in before for change in differences(versions, now))
    said = [f"rows that are there already were made with {', '.join(changes)}"] if changes else []
    if others:
        said.append(f"{others} rows of other settings, sources, files or rules are there, too, and not shown")
    return said


def _named(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Rows that the latest command named, by condition, their sources called as it calls them.

    A run may hold the same source from under another name, and others from under its name.
    """
    wanted = store.wanted()
    if wanted is None:  # a run of a version that did not record it
        return {condition.id: store.rows(condition.id) for condition in store.conditions()}
    return {
        condition: [
            {**row, "source": names[row["item"]]} for row in store.rows(condition) if row["item"] in names
        ]
        for condition, names in wanted.items()
    }


def with_intervals(rows: Sequence[CurveRow], confidence: float) -> list[CurveRow]:
    """Give curves their intervals, each condition's once.

    Those of means resample sources, because trials of one picture are no independent pictures.
    """
    known: dict[str, Mapping[str, Mean]] = {}
    for row in rows:
        if row.condition not in known:
            known[row.condition] = {name: _bootstrapped(row, name, confidence) for name in row.metrics}
    return [replace(row, metrics=known[row.condition], confidence=confidence) for row in rows]


def _sample(row: Mapping[str, Any], condition: Condition) -> Sample:
    about, stored = condition.description, json.loads(row["metrics"])
    measures = zip(about["metrics"], about.get("measures", about["metrics"]), strict=True)
    return Sample(
        source=row["source"],
        trial=row["trial"],
        failed=bool(row["failed"]),
        remark=row["remark"],
        channel_uses=row["channel_uses"],
        information_bits=row["information_bits"],
        metrics={name: stored[measure] for name, measure in measures if measure in stored},
        arrived=row["arrived"],
    )


def _row(condition: Condition, samples: Sequence[Sample]) -> CurveRow:
    about = condition.description
    measured = {
        name: [sample.metrics[name] for sample in samples if name in sample.metrics]
        for name in about["metrics"]
    }
    names = ("system", "family", "modality", "snr_db", "cbr", "channel", "policy")
    return CurveRow(
        condition=condition.id,
        scheme=None,
        engine=None if about["policy"] == "none" else about["engine"],
        metrics={name: Mean(sum(values) / len(values)) for name, values in measured.items() if values},
        samples=samples,
        **{name: about[name] for name in names},
    )


def _bootstrapped(row: CurveRow, name: str, confidence: float) -> Mean:
    seen = [sample for sample in row.samples if name in sample.metrics]
    interval = bootstrap_interval(
        [sample.metrics[name] for sample in seen], [sample.source for sample in seen], confidence
    )
    known = math.isfinite(interval.low) and math.isfinite(interval.high)
    return replace(
        row.metrics[name], interval=interval if known else None
    )  # one picture says nothing of others


def _envelopes(rows: Sequence[CurveRow]) -> list[CurveRow]:
    def key(row: CurveRow) -> tuple[Any, ...]:
        return row.family, row.cbr, row.snr_db, row.channel

    best = []
    pictures = [row for row in rows if row.modality == "image" and not row.stands_for_family]
    for (family, *_), group in groupby(sorted(pictures, key=key), key):
        schemes = list(group)
        name = next((name for row in schemes for name in row.metrics), None)
        if name is None:
            continue
        sign = 1 if describe(name).higher_is_better else -1
        chosen = max(schemes, key=lambda row: sign * row.metrics[name].mean)
        best.append(replace(chosen, system=family, scheme=chosen.system[len(family) + 1 : -1]))
    return best


def table_of(rows: Sequence[CurveRow]) -> str:
    """Lay out the rows that stand for a family: envelopes, bounds, and systems without an envelope."""
    whole = {row.family for row in rows if row.stands_for_family}
    shown = [row for row in rows if row.stands_for_family or row.family not in whole]
    tables = []
    for modality in dict.fromkeys(row.modality for row in shown):
        chosen = [row for row in shown if row.modality == modality]
        metrics = dict.fromkeys(name for row in chosen for name in row.metrics)
        tables.append(plain((*_COLUMNS, *map(_metric_column, metrics)), chosen))
    return "\n\n".join(tables)


_COLUMNS: tuple[Column[CurveRow], ...] = (
    Column("system", attrgetter("system")),
    Column("scheme", lambda row: row.scheme or "-"),
    Column("CBR", lambda row: row.cbr or "-"),
    Column("Es/N0", lambda row: f"{row.snr_db:g}"),
    Column("uses", lambda row: f"{row.channel_uses:.0f}"),
    Column("failed", lambda row: f"{row.failure_rate:.3f}"),
)


def _metric_column(name: str) -> Column[CurveRow]:
    return Column(name, lambda row: _measured(row.metrics.get(name)))


def _measured(metric: Mean | None) -> str:
    if metric is None:
        return "-"
    if metric.interval is None:
        return f"{metric.mean:.4g}"
    return f"{metric.mean:.4g} [{metric.interval.low:.4g}, {metric.interval.high:.4g}]"
