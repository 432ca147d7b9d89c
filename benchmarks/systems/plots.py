"""Figures of a comparison: metrics and failure rates against SNR, and the pictures that arrived."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from benchmarks.runs.store import Store
from benchmarks.systems.summary import arrived, summarise
from semantic.metrics.catalog import describe

__all__ = ["plot_compare"]

COLUMN_INCHES = 3.5
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")  # Okabe and Ito
_MARKERS = "osD^vP*X"
_NOUNS = {"image": "pictures", "text": "sentences", "embedding": "vectors"}

Rows = list[dict[str, Any]]


def plot_compare(folder: Path, formats: Sequence[str] = ("png", "svg", "pdf")) -> list[Path]:
    """Draw every figure of a run into its folder ``figures``, and return the files."""
    store = Store.read(folder)
    try:
        rows = summarise(store)
        figures = dict(_curves(rows))
        figures |= _contact_sheets(store, folder, rows)
    finally:
        store.close()
    target = folder / "figures"
    target.mkdir(exist_ok=True)
    written = []
    for name, figure in figures.items():
        for suffix in formats:
            path = target / f"{name}.{suffix}"
            figure.savefig(path, dpi=200)
            written.append(path)
        plt.close(figure)
    return written


def _slug(cbr: str | None) -> str:
    return "" if cbr is None else f"-cbr-{cbr.replace('/', 'over')}"


def _curves(rows: Rows) -> list[tuple[str, Figure]]:
    def key(row: dict[str, Any]) -> tuple[str, str]:
        return row["modality"], row["cbr"] or ""

    figures: list[tuple[str, Figure]] = []
    for (modality, cbr), group in groupby(sorted(rows, key=key), key):
        chosen = list(group)
        figures.extend(
            (
                f"{modality}-{re.sub('[^A-Za-z0-9.]+', '-', name)}{_slug(cbr or None)}",
                _metric_figure(chosen, name, cbr),
            )
            for name in dict.fromkeys(name for row in chosen for name in row["metrics"])
        )
        figures.append((f"{modality}-failures{_slug(cbr or None)}", _failure_figure(chosen, cbr)))
    return figures


def _axes(ylabel: str, title: str) -> tuple[Figure, Axes]:
    figure, axes = plt.subplots(figsize=(COLUMN_INCHES, 2.9), layout="constrained")
    axes.set_xlabel("$E_s/N_0$ (dB)", fontsize=8)
    axes.set_ylabel(ylabel, fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(True, linewidth=0.4, alpha=0.5)
    axes.set_title(title, fontsize=7)
    return figure, axes


def _title(rows: Rows, cbr: str) -> str:
    sources, trials = max(row["images"] for row in rows), max(row["trials"] for row in rows)
    noun = _NOUNS[rows[0]["modality"]]
    return ", ".join(
        part
        for part in (
            rows[0]["channel"],
            f"CBR {cbr}" if cbr else "",
            f"{sources} {noun}",
            f"{trials} trial{'s' if trials > 1 else ''}",
        )
        if part
    )


def _families(rows: Rows) -> dict[str, str]:
    return {
        name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(dict.fromkeys(r["family"] for r in rows))
    }


def _systems(rows: Rows) -> dict[str, Rows]:
    found: dict[str, Rows] = {}
    for row in sorted(rows, key=lambda row: row["snr_db"]):
        found.setdefault(row["system"], []).append(row)
    return found


def _metric_figure(rows: Rows, name: str, cbr: str) -> Figure:
    label = describe(name).label
    figure, axes = _axes(label, _title(rows, cbr))
    colours = _families(rows)
    whole = {row["family"] for row in rows if row["system"] == row["family"]}
    measured = [row for row in rows if name in row["metrics"]]
    for index, (system, points) in enumerate(_systems(measured).items()):
        family = points[0]["family"]
        snr = [point["snr_db"] for point in points]
        mean, low, high = (
            [point["metrics"][name][part] for point in points] for part in ("mean", "low", "high")
        )
        if system != family and family in whole:  # one scheme of a family whose envelope is drawn
            axes.plot(snr, mean, color=colours[family], linewidth=0.5, alpha=0.45)
            continue
        bound = points[0]["policy"] == "none"
        axes.plot(
            snr,
            mean,
            color=colours[family],
            linestyle="--" if bound else ("-", "-.")[index // len(_COLOURS) % 2],
            marker=None if bound else _MARKERS[index % len(_MARKERS)],
            markersize=3,
            linewidth=1.2,
            label=system,
        )
        if all(edge is not None for edge in (*low, *high)):
            axes.fill_between(snr, low, high, color=colours[family], alpha=0.12, linewidth=0)
    axes.legend(fontsize=5.5)
    return figure


def _failure_figure(rows: Rows, cbr: str) -> Figure:
    figure, axes = _axes("failure rate", _title(rows, cbr))
    colours = _families(rows)
    schemes = [
        (system, points)
        for system, points in _systems(rows).items()
        if points[0]["policy"] != "none" and points[0]["scheme"] is None
    ]
    many = len({points[0]["family"] for _, points in schemes}) > 1
    for index, (system, points) in enumerate(schemes):
        colour = colours[points[0]["family"]] if many else _COLOURS[index % len(_COLOURS)]
        snr, failures = [p["snr_db"] for p in points], [p["failure_rate"] for p in points]
        below = [point["failure_rate"] - point["failure_low"] for point in points]
        above = [point["failure_high"] - point["failure_rate"] for point in points]
        axes.errorbar(
            snr,
            failures,
            yerr=(below, above),
            marker=_MARKERS[index % len(_MARKERS)],
            markersize=3,
            linewidth=1,
            elinewidth=0.5,
            capsize=1.5,
            color=colour,
            label=system,
        )
    axes.set_ylim(-0.03, 1.03)
    if schemes:
        axes.legend(fontsize=4.5)
    return figure


def _contact_sheets(store: Store, folder: Path, rows: Rows) -> dict[str, Figure]:
    """One sheet a kept picture: a row a system (of a family its envelope), a column an SNR."""
    sources = {
        row["source"]
        for condition in store.conditions()
        if condition.description["modality"] == "image"
        for row in store.rows(condition.id)
        if row["arrived"]
    }
    sheets = {}
    for source in sorted(sources):
        pictures = arrived(store, source)
        for cbr in dict.fromkeys(row["cbr"] for row in rows if row["cbr"]):
            shown = [row for row in rows if row["cbr"] == cbr and row["system"] == row["family"]]
            sheet = _sheet(
                folder, [(row, pictures.get((_stored_name(row), cbr, row["snr_db"]))) for row in shown]
            )
            if sheet is not None:
                sheets[f"pictures-{Path(source).stem}{_slug(cbr)}"] = sheet
    return sheets


def _stored_name(row: dict[str, Any]) -> str:
    return row["system"] if row["scheme"] is None else f"{row['system']}[{row['scheme']}]"


def _sheet(
    folder: Path, cells: list[tuple[dict[str, Any], tuple[str, dict[str, float]] | None]]
) -> Figure | None:
    found = [(row, cell) for row, cell in cells if cell is not None]
    if not found:
        return None
    systems = list(dict.fromkeys(row["system"] for row, _ in found))
    snrs = sorted({row["snr_db"] for row, _ in found})
    size = (1.15 * len(snrs) + 0.2, 1.35 * len(systems) + 0.2)
    figure, grid = plt.subplots(len(systems), len(snrs), figsize=size, layout="constrained", squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for row, cell in found:
        name, metrics = cell
        axes = grid[systems.index(row["system"])][snrs.index(row["snr_db"])]
        axes.imshow(Image.open(folder / "pictures" / name))
        label, value = next(iter(metrics.items()))
        scheme = "" if row["scheme"] is None else f"\n{row['scheme']}"
        axes.set_title(f"{row['snr_db']:g} dB, {label} {value:.1f}{scheme}", fontsize=5)
    for index, system in enumerate(systems):
        grid[index][0].text(
            -0.04,
            0.5,
            system,
            transform=grid[index][0].transAxes,
            rotation=90,
            va="center",
            ha="right",
            fontsize=6,
        )
    return figure
