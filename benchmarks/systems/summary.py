"""Rows of a comparison to curves: means with intervals, failure rates, and envelopes over schemes."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Any

from benchmarks.runs.statistics import bootstrap_interval, rate_interval
from benchmarks.runs.store import Store
from benchmarks.runs.table import Column, plain
from semantic.metrics.catalog import describe

__all__ = ["arrived", "flat", "summarise", "table_of"]


def summarise(
    store: Store, wanted: Collection[str] | None = None, confidence: float = 0.95
) -> list[dict[str, Any]]:
    """Rows ``{"system", "snr_db", "cbr", "channel_uses", ..., "metrics": {name: {"mean", "low", "high"}}}``.

    Every scheme is a row of its own. Where a family of picture systems has several schemes, a further row
    with the family's name is its envelope: at each SNR the scheme whose first metric is best on average over
    all sources and trials, named under ``scheme``. Means are over sources and trials; their intervals
    resample sources, because trials of one picture are no independent pictures. ``wanted`` restricts the
    rows to these conditions.
    """
    rows = [
        _point(condition.description, store.rows(condition.id), confidence)
        for condition in store.conditions()
        if wanted is None or condition.id in wanted
    ]
    rows = [row for row in rows if row["images"]]
    return _envelopes(rows) + rows


def _point(description: dict[str, Any], rows: Sequence[dict[str, Any]], confidence: float) -> dict[str, Any]:
    failures, count = sum(row["failed"] for row in rows), len(rows)
    low, high = rate_interval(failures, count, confidence)
    uses = [row["channel_uses"] for row in rows]
    bits = sum(row["information_bits"] for row in rows)
    return {
        "system": description["system"],
        "family": description["family"],
        "scheme": None,
        "modality": description["modality"],
        "snr_db": description["snr_db"],
        "ebno_db": description["snr_db"] - 10 * math.log10(bits / sum(uses)) if bits else None,
        "cbr": description["cbr"],
        "channel": description["channel"],
        "channel_uses": sum(uses) / count if count else None,
        "images": len({row["source"] for row in rows}),
        "trials": len({row["trial"] for row in rows}),
        "policy": description["policy"],
        "engine": None if description["policy"] == "none" else description["engine"],
        "errors": sum(row["metrics"] == "{}" for row in rows),
        "failure_rate": failures / count if count else None,
        "failure_low": low,
        "failure_high": high,
        "metrics": _metrics(description["metrics"], rows, confidence),
    }


def _metrics(
    names: Sequence[str], rows: Sequence[dict[str, Any]], confidence: float
) -> dict[str, dict[str, float | None]]:
    measured = [json.loads(row["metrics"]) for row in rows]
    found: dict[str, dict[str, float | None]] = {}
    for name in names:
        values = [metrics[name] for metrics in measured if name in metrics]
        if not values:
            continue
        sources = [row["source"] for row, metrics in zip(rows, measured, strict=True) if name in metrics]
        low, high = bootstrap_interval(values, sources, confidence)
        known = math.isfinite(low) and math.isfinite(high)  # one picture says nothing about others
        found[name] = {
            "mean": sum(values) / len(values),
            "low": low if known else None,
            "high": high if known else None,
        }
    return found


def _envelopes(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    def key(row: dict[str, Any]) -> tuple[Any, ...]:
        return row["family"], row["cbr"], row["snr_db"], row["channel"]

    best = []
    pictures = [row for row in rows if row["modality"] == "image" and row["system"] != row["family"]]
    for (family, *_), group in groupby(sorted(pictures, key=key), key):
        schemes = list(group)
        name = next((name for row in schemes for name in row["metrics"]), None)
        if name is None:
            continue
        sign = 1 if describe(name).higher_is_better else -1
        chosen = max(schemes, key=lambda row: sign * row["metrics"][name]["mean"])
        best.append({**chosen, "system": family, "scheme": chosen["system"][len(family) + 1 : -1]})
    return best


def arrived(
    store: Store, source: str, trial: int = 0
) -> dict[tuple[str, str | None, float], tuple[str, dict[str, float]]]:
    """What arrived of one source in one trial, by system, bandwidth ratio and SNR.

    Returns
    -------
    dict
        The file name of the picture, or the sentence, and its metrics.
    """
    found = {}
    for condition in store.conditions():
        about = condition.description
        for row in store.rows(condition.id):
            if row["source"] == source and row["trial"] == trial and row["arrived"] is not None:
                key = about["system"], about["cbr"], about["snr_db"]
                found[key] = row["arrived"], json.loads(row["metrics"])
    return found


def flat(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows for a CSV file: metrics as columns ``psnr``, ``psnr_low``, ``psnr_high``; absent ones empty."""
    names = dict.fromkeys(name for row in rows for name in row["metrics"])
    found = []
    for row in rows:
        line = {key: value for key, value in row.items() if key != "metrics"}
        for name in names:
            values = row["metrics"].get(name, {})
            line |= {
                name: values.get("mean"),
                f"{name}_low": values.get("low"),
                f"{name}_high": values.get("high"),
            }
        found.append(line)
    return found


def table_of(rows: Sequence[dict[str, Any]]) -> str:
    """Lay out the rows that stand for a family: envelopes, bounds, and systems without an envelope."""
    whole = {row["family"] for row in rows if row["system"] == row["family"]}
    shown = [row for row in rows if row["system"] == row["family"] or row["family"] not in whole]
    tables = []
    for modality in dict.fromkeys(row["modality"] for row in shown):
        chosen = [row for row in shown if row["modality"] == modality]
        names = list(dict.fromkeys(name for row in chosen for name in row["metrics"]))
        columns = [
            Column(title, 1) for title in ("system", "scheme", "CBR", "Es/N0", "uses", "failed", *names)
        ]
        tables.append(plain(columns, [_cells(row, names) for row in chosen]))
    return "\n\n".join(tables)


def _cells(row: dict[str, Any], names: Sequence[str]) -> list[str]:
    metrics = [row["metrics"].get(name) for name in names]
    return [
        row["system"],
        row["scheme"] or "-",
        row["cbr"] or "-",
        f"{row['snr_db']:g}",
        f"{row['channel_uses']:.0f}",
        f"{row['failure_rate']:.3f}",
        *(_measured(metric) for metric in metrics),
    ]


def _measured(metric: dict[str, float | None] | None) -> str:
    if metric is None:
        return "-"
    if metric["low"] is None or metric["high"] is None:
        return f"{metric['mean']:.4g}"
    return f"{metric['mean']:.4g} [{metric['low']:.4g}, {metric['high']:.4g}]"
