"""Stored rows of a comparison to curves: means, failure rates, envelopes over schemes, and then intervals."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np

from benchmarks.runs.conditions import Condition, differences
from benchmarks.runs.resampling import bootstrap_interval
from benchmarks.runs.store import Store
from benchmarks.runs.table import Column, plain
from benchmarks.runs.versions import DISTRIBUTIONS
from benchmarks.systems.curves import Broken, CurveRow, Mean, Sample
from semantic.metrics.catalog import describe

__all__ = ["curves", "remarks", "table_of", "with_intervals"]


def curves(store: Store) -> list[CurveRow]:
    """Points of the curves that the latest command named, without intervals: envelopes, then every scheme.

    Where a family of picture systems has several schemes, further rows with the family's name are its
    envelope: at each SNR and bandwidth ratio, and for each metric, the scheme that is best in it on average
    over all sources and trials, named under ``scheme``. Means are over sources and trials. Rows of other
    settings, sources or trials that a run holds, too, are left out.
    """
    named, raised = _named(store, store.rows), _named(store, store.errors)
    found = [_row(each, named.get(each.id, ()), raised.get(each.id, ())) for each in store.conditions()]
    rows = [row for row in found if row.samples or row.broken]
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


def _named(store: Store, rows_of: Callable[[str], list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Rows, or errors, that the latest command named, by condition, their sources called as it calls them.

    A run may hold the same source from under another name, and others from under its name.
    """
    wanted, found = store.wanted(), {}
    for condition in [each.id for each in store.conditions()] if wanted is None else wanted:
        rows = rows_of(condition)
        # A run of an older version did not record what was wanted: that is what it has.
        names = {row["item"]: row["source"] for row in rows} if wanted is None else wanted[condition]
        known = _apart(names)
        found[condition] = [{**row, "source": known[row["item"]]} for row in rows if row["item"] in known]
    return found


def _apart(names: Mapping[str, str]) -> dict[str, str]:
    """Names of sources by item, with a part of its digest behind a name that another content has, too.

    What is one source is told by its content: everything behind this asks for names.
    """
    contents = {item: item.partition("/")[0].partition("+")[0] for item in names}  # as `items_of` made them
    of_name: dict[str, set[str]] = {}
    for item, name in names.items():
        of_name.setdefault(name, set()).add(contents[item])
    return {
        item: name if len(of_name[name]) == 1 else f"{name}~{contents[item][:6]}"
        for item, name in names.items()
    }


def with_intervals(rows: Sequence[CurveRow], confidence: float) -> list[CurveRow]:
    """Give curves their intervals, each condition's once.

    Those of means resample sources, because trials of one picture are no independent pictures.
    """
    known: dict[tuple[str, str], Mean] = {}

    def mean(row: CurveRow, name: str) -> Mean:
        if (row.condition, name) not in known:
            known[row.condition, name] = _bootstrapped(row, name, confidence)
        return known[row.condition, name]

    return [
        replace(row, metrics={name: mean(row, name) for name in row.metrics}, confidence=confidence)
        for row in rows
    ]


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


def _row(
    condition: Condition, stored: Sequence[Mapping[str, Any]], errors: Sequence[Mapping[str, Any]]
) -> CurveRow:
    about = condition.description
    samples = [_sample(row, condition) for row in stored]
    shared = [name for name in about["metrics"] if samples and all(name in each.metrics for each in samples)]
    names = ("system", "family", "modality", "snr_db", "cbr", "channel", "policy")
    return CurveRow(
        condition=condition.id,
        scheme=None,
        engine=None if about["policy"] == "none" else about["engine"],
        metrics={name: _mean(samples, name) for name in shared},
        samples=samples,
        broken=[Broken(each["source"], each["trial"], each["reason"]) for each in errors],
        **{name: about[name] for name in names},
    )


def _mean(samples: Sequence[Sample], name: str) -> Mean:
    by_source: dict[str, list[float]] = {}
    for sample in samples:
        by_source.setdefault(sample.source, []).append(sample.metrics[name])
    means = [sum(values) / len(values) for values in by_source.values()]
    quarter, median, rest = (float(value) for value in np.quantile(means, (0.25, 0.5, 0.75)))
    return Mean(sum(sample.metrics[name] for sample in samples) / len(samples), (quarter, median, rest))


def _bootstrapped(row: CurveRow, name: str, confidence: float) -> Mean:
    interval = bootstrap_interval(
        [sample.metrics[name] for sample in row.samples],
        [sample.source for sample in row.samples],
        confidence,
        describe(name).limits,
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
        for chosen, names in _best_schemes(list(group)):
            scheme, metrics = (
                chosen.system[len(family) + 1 : -1],
                {name: chosen.metrics[name] for name in names},
            )
            best.append(replace(chosen, system=family, scheme=scheme, metrics=metrics))
    return best


def _best_schemes(schemes: Sequence[CurveRow]) -> list[tuple[CurveRow, list[str]]]:
    """Schemes of a family at one point, each with the metrics in which it is the best.

    Only those take part that were measured on every source and trial that any of them was given: a scheme on
    which some raised might be the best of what is left.
    """
    given = {(each.source, each.trial) for row in schemes for each in row.samples}
    given |= {(each.source, each.trial) for row in schemes for each in row.broken}
    whole = [row for row in schemes if len(row.samples) == len(given)]
    names = list(dict.fromkeys(name for row in whole for name in row.metrics))
    found: dict[str, tuple[CurveRow, list[str]]] = {}
    for index, name in enumerate(names):
        order = names[index:] + names[:index]
        best = max((row for row in whole if name in row.metrics), key=lambda row: _merit(row, order))
        found.setdefault(best.condition, (best, []))[1].append(name)
    return list(found.values())


def _merit(row: CurveRow, names: Sequence[str]) -> tuple[float, ...]:
    """What schemes are ranked by: metrics in turn, then fewer failures, then fewer bits a channel use."""
    signs = {name: 1 if describe(name).higher_is_better else -1 for name in names}
    means = [signs[name] * row.metrics[name].mean if name in row.metrics else -math.inf for name in names]
    return (*means, -row.failures, -sum(sample.information_bits for sample in row.samples))


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
    Column("uses", lambda row: _counted(row.channel_uses, ".0f")),
    Column("failed", lambda row: _counted(row.failure_rate, ".3f")),
    Column("errors", lambda row: str(row.errors)),
)


def _counted(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _metric_column(name: str) -> Column[CurveRow]:
    return Column(name, lambda row: _measured(row.metrics.get(name)))


def _measured(metric: Mean | None) -> str:
    if metric is None:
        return "-"
    median = f" (median {metric.quartiles[1]:.4g})" if metric.is_dragged else ""
    if metric.interval is None:
        return f"{metric.mean:.4g}{median}"
    return f"{metric.mean:.4g} [{metric.interval.low:.4g}, {metric.interval.high:.4g}]{median}"
