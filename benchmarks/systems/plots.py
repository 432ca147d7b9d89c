"""Figures of a comparison: metrics and failure rates against SNR, and the pictures that arrived."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, count, groupby
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from benchmarks.runs.figures import COLOURS, FORMATS, MARKERS, drawing, literal, new_figure, percent, save
from benchmarks.runs.statistics import Interval
from benchmarks.runs.store import Store
from benchmarks.settings.errors import InputError
from benchmarks.systems.curves import CurveRow, Sample
from benchmarks.systems.paired import differences
from benchmarks.systems.summary import curves, with_intervals
from semantic.metrics.catalog import describe

__all__ = ["plot_compare", "plot_metric", "plot_paired", "plot_rows", "plot_together"]

_NOUNS = {"image": "pictures", "text": "sentences", "embedding": "vectors"}
_DPI = 200

Rows = Sequence[CurveRow]


def plot_compare(
    store: Store, out: Path | None = None, formats: Sequence[str] = FORMATS, paired: str | None = None
) -> list[Path]:
    """Draw every figure of a stored run, with intervals of its own confidence, and return the files.

    Parameters
    ----------
    store:
        Run of ``semphy compare``, in a folder.
    out:
        Folder of the figures; ``figures`` in that of the run unless given.
    formats:
        Endings of the files.
    paired:
        A system: draws the others' differences to it instead (`plot_paired`).
    """
    if store.folder is None:
        raise ValueError("a run in memory has no folder for figures; draw its result instead: .plot()")
    confidence = float(store.spec["confidence"])
    if paired is not None:
        target = store.folder / "figures" if out is None else out
        figures = _paired(curves(store), paired, confidence)
        return [path for name, figure in figures for path in save(figure, target, name, formats, _DPI)]
    rows = with_intervals(curves(store), confidence)
    return plot_rows(rows, store.folder, out, formats)


def plot_rows(
    rows: Rows, folder: Path, out: Path | None = None, formats: Sequence[str] = FORMATS
) -> list[Path]:
    """Draw every figure of curves whose run lies in a folder, and return the files; see `plot_compare`."""
    target = folder / "figures" if out is None else out
    figures = chain(_curves(rows), _contact_sheets(folder / "pictures", rows))
    return [path for name, figure in figures for path in save(figure, target, name, formats, _DPI)]


def plot_together(stores: Sequence[Store], out: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Draw the curves of one or several stored runs in one figure a metric, and return the files.

    A system of several runs goes by its name and that of the run's folder. Pictures that arrived are drawn
    where there is a single run.

    Parameters
    ----------
    stores:
        Runs of ``semphy compare``, in folders.
    out, formats:
        As for `plot_compare`.
    """
    if len(stores) == 1:
        return plot_compare(stores[0], out, formats)
    runs = {_run_name(store, stores): curves(store) for store in stores}
    families = [family for rows in runs.values() for family in {row.family for row in rows}]
    rows = [
        replace(row, system=f"{row.system} ({run})", family=f"{row.family} ({run})")
        if families.count(row.family) > 1
        else row
        for (run, found), store in zip(runs.items(), stores, strict=True)
        for row in with_intervals(found, float(store.spec["confidence"]))
    ]
    return [path for name, figure in _curves(rows) for path in save(figure, out, name, formats, _DPI)]


def _run_name(store: Store, stores: Sequence[Store]) -> str:
    """Name of a run's folder, with as much of the way to it as tells it from the others."""
    own = _parts(store)
    others = [_parts(other) for other in stores if other is not store]
    length = next(
        (n for n in range(1, len(own)) if all(other[-n:] != own[-n:] for other in others)), len(own)
    )
    return "/".join(own[-length:])


def _parts(store: Store) -> tuple[str, ...]:
    return Path(str(store.folder)).resolve().parts


def plot_metric(rows: Rows, metric: str, axes: Axes | None = None) -> Figure:
    """Draw one metric of curves of one modality and bandwidth ratio against the SNR.

    Envelopes, bounds and systems without schemes have a line with its interval; the schemes below an
    envelope are thin.

    Parameters
    ----------
    rows:
        From `benchmarks.systems.summary.with_intervals`.
    metric:
        One that the rows have.
    axes:
        Where to draw; a figure as wide as a column of a paper unless given.
    """
    with drawing(axes) as (figure, place):
        _frame(place, describe(metric).label, rows)
        _metric_lines(place, rows, metric)
        place.legend(fontsize=5.5)
    return figure


def plot_paired(
    rows: Rows, base: str, metric: str, cbr: str | None, confidence: float, axes: Axes | None = None
) -> Figure:
    """Draw the differences of systems to a base on the same sources (`benchmarks.systems.paired`).

    Parameters
    ----------
    rows:
        From `benchmarks.systems.summary.curves`.
    base, metric, cbr, confidence:
        As for `benchmarks.systems.paired.differences`.
    axes:
        Where to draw; a figure as wide as a column of a paper unless given.
    """
    found = differences(rows, base, metric, cbr, confidence)
    shown = [replace(row, confidence=confidence) for row in rows if row.cbr == cbr and metric in row.metrics]
    with drawing(axes) as (figure, place):
        _frame(place, f"{describe(metric).label}, less that of {base}", shown)
        place.axhline(0.0, color="black", linewidth=0.6)
        for index, system in enumerate(dict.fromkeys(each.system for each in found)):
            points = [each for each in found if each.system == system]
            colour, snr = COLOURS[index % len(COLOURS)], [each.snr_db for each in points]
            marker = MARKERS[index % len(MARKERS)]
            place.plot(snr, [each.mean for each in points], color=colour, marker=marker, label=system)
            bands = [each.interval for each in points if each.interval is not None]
            if len(bands) == len(points):
                low, high = [band.low for band in bands], [band.high for band in bands]
                place.fill_between(snr, low, high, color=colour, alpha=0.15, linewidth=0)
        place.legend(fontsize=5.5)
    return figure


def _paired(rows: Rows, base: str, confidence: float) -> Iterator[tuple[str, Figure]]:
    """One figure a metric and bandwidth ratio that the base has."""
    own = [row for row in rows if row.system == base]
    if not own:
        known = dict.fromkeys(row.system for row in rows)
        raise InputError(f"the run has no system {base!r}; there are {', '.join(known)}")
    for cbr in dict.fromkeys(row.cbr for row in own):
        for metric in dict.fromkeys(name for row in own if row.cbr == cbr for name in row.metrics):
            name = f"paired-{own[0].modality}-{_readable(metric)}{_slug(cbr)}"
            yield name, plot_paired(rows, base, metric, cbr, confidence)


def _slug(cbr: str | None) -> str:
    return "" if cbr is None else f"-cbr-{cbr.replace('/', 'over')}"


def _curves(rows: Rows) -> Iterator[tuple[str, Figure]]:
    def key(row: CurveRow) -> tuple[str, str]:
        return row.modality, row.cbr or ""

    for (modality, cbr), group in groupby(sorted(rows, key=key), key):
        chosen = list(group)
        for name in dict.fromkeys(name for row in chosen for name in row.metrics):
            yield f"{modality}-{_readable(name)}{_slug(cbr or None)}", plot_metric(chosen, name)
        yield f"{modality}-failures{_slug(cbr or None)}", _failure_figure(chosen)


def _frame(axes: Axes, ylabel: str, rows: Rows) -> None:
    axes.set_xlabel("$E_s/N_0$ (dB)")
    axes.set_ylabel(ylabel)
    axes.grid(True, linewidth=0.4, alpha=0.5)
    axes.set_title(_title(rows))


def _title(rows: Rows) -> str:
    first, trials = rows[0], max(row.trials for row in rows)
    levels = dict.fromkeys(percent(row.confidence) for row in rows if row.confidence)
    parts = [
        " and ".join(dict.fromkeys(row.channel for row in rows)),
        f"CBR {first.cbr}" if first.cbr else "",
        f"{max(row.images for row in rows)} {_NOUNS[first.modality]}",
        f"{trials} trial{'s' if trials > 1 else ''}",
        f"{' and '.join(levels)} intervals" if levels else "",
    ]
    return ", ".join(filter(None, parts))


def _families(rows: Rows) -> dict[str, str]:
    return {
        name: COLOURS[i % len(COLOURS)] for i, name in enumerate(dict.fromkeys(row.family for row in rows))
    }


def _systems(rows: Rows) -> dict[str, list[CurveRow]]:
    found: dict[str, list[CurveRow]] = {}
    for row in sorted(rows, key=lambda row: row.snr_db):
        found.setdefault(row.system, []).append(row)
    return found


def _metric_lines(axes: Axes, rows: Rows, metric: str) -> None:
    colours = _families(rows)
    whole = {row.family for row in rows if row.stands_for_family}
    measured = [row for row in rows if metric in row.metrics]
    for index, (system, points) in enumerate(_systems(measured).items()):
        colour, family = colours[points[0].family], points[0].family
        snr, values = [point.snr_db for point in points], [point.metrics[metric] for point in points]
        means = [value.mean for value in values]
        if system != family and family in whole:  # one scheme of a family whose envelope is drawn
            axes.plot(snr, means, color=colour, linewidth=0.5, alpha=0.45)
            continue
        bound = points[0].policy == "none"
        axes.plot(
            snr,
            means,
            color=colour,
            linestyle="--" if bound else ("-", "-.")[index // len(COLOURS) % 2],
            marker=None if bound else MARKERS[index % len(MARKERS)],
            markersize=3,
            linewidth=1.2,
            label=literal(system),
        )
        bands = [value.interval for value in values if value.interval is not None]
        if len(bands) == len(values):
            low, high = [band.low for band in bands], [band.high for band in bands]
            axes.fill_between(snr, low, high, color=colour, alpha=0.12, linewidth=0)


def _failure_figure(rows: Rows) -> Figure:
    with drawing() as (figure, axes):
        _frame(axes, "failure rate", rows)
        _failure_lines(axes, rows)
    return figure


def _failure_lines(axes: Axes, rows: Rows) -> None:
    colours = _families(rows)
    schemes = [
        (system, points)
        for system, points in _systems([row for row in rows if row.samples]).items()
        if points[0].policy != "none" and not points[0].is_envelope
    ]
    many = len({points[0].family for _, points in schemes}) > 1
    for index, (system, points) in enumerate(schemes):
        rates = [point.failures / len(point.samples) for point in points]
        limits = [
            point.failure_interval or Interval(rate, rate) for point, rate in zip(points, rates, strict=True)
        ]
        below = [rate - limit.low for rate, limit in zip(rates, limits, strict=True)]
        above = [limit.high - rate for rate, limit in zip(rates, limits, strict=True)]
        axes.errorbar(
            [point.snr_db for point in points],
            rates,
            yerr=(below, above),
            marker=MARKERS[index % len(MARKERS)],
            markersize=3,
            linewidth=1,
            elinewidth=0.5,
            capsize=1.5,
            color=colours[points[0].family] if many else COLOURS[index % len(COLOURS)],
            label=literal(system),
        )
    axes.set_ylim(-0.03, 1.03)
    if schemes:
        axes.legend(fontsize=4.5)


def _contact_sheets(pictures: Path, rows: Rows) -> Iterator[tuple[str, Figure]]:
    """One sheet a kept picture: a row a system (of a family its envelope), a column an SNR."""
    images = [row for row in rows if row.modality == "image"]
    sources = {sample.source for row in images for sample in row.samples if sample.arrived}
    for source, name in _file_names(sorted(sources)).items():
        for cbr in dict.fromkeys(row.cbr for row in images if row.cbr):
            shown = [row for row in images if row.cbr == cbr and row.stands_for_family]
            kept = [(row, sample) for row in shown if (sample := _kept(row, source)) is not None]
            if kept:
                yield f"pictures-{name}{_slug(cbr)}", _sheet(pictures, kept)


def _file_names(sources: Sequence[str]) -> dict[str, str]:
    """Part of a file name for each source: its stem, with suffix and number where that is not unique."""
    stems = [_readable(Path(source).stem) for source in sources]
    found: dict[str, str] = {}
    for source, stem in zip(sources, stems, strict=True):
        name = stem if stems.count(stem) == 1 else _readable(source)
        taken = {each.casefold() for each in found.values()}  # which some file systems take for the same
        numbered = (f"{name}-{number}" for number in count(2))
        found[source] = next(each for each in chain([name], numbered) if each.casefold() not in taken)
    return found


def _readable(name: str) -> str:
    return re.sub("[^A-Za-z0-9._]+", "-", name).strip("-.") or "picture"


def _kept(row: CurveRow, source: str) -> Sample | None:
    """The first trial of a source, if its picture was kept."""
    first = (sample for sample in row.samples if sample.source == source and sample.trial == 0)
    return next((sample for sample in first if sample.arrived is not None), None)


def _show(axes: Axes, picture: Path) -> None:
    try:
        axes.imshow(Image.open(picture))
    except (OSError, SyntaxError):  # Pillow's words for half a PNG; the numbers do not need it
        axes.text(0.5, 0.5, "unreadable", ha="center", va="center", transform=axes.transAxes, fontsize=5)


def _sheet(pictures: Path, kept: Sequence[tuple[CurveRow, Sample]]) -> Figure:
    systems = list(dict.fromkeys(row.system for row, _ in kept))
    snrs = sorted({row.snr_db for row, _ in kept})
    figure = new_figure(1.15 * len(snrs) + 0.2, 1.35 * len(systems) + 0.2)
    grid = figure.subplots(len(systems), len(snrs), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    best = {(row.system, row.snr_db): (row, sample) for row, sample in reversed(kept)}
    for row, sample in best.values():  # of an envelope the scheme that is best in the first metric
        axes = grid[systems.index(row.system)][snrs.index(row.snr_db)]
        _show(axes, pictures / str(sample.arrived))
        label, value = next(iter(sample.metrics.items()))
        scheme = "" if row.scheme is None else f"\n{row.scheme}"
        axes.set_title(f"{row.snr_db:g} dB, {label} {value:.1f}{scheme}", fontsize=5)
    for system, axes in zip(systems, grid[:, 0], strict=True):
        beside = {"rotation": 90, "va": "center", "ha": "right", "fontsize": 6}
        axes.text(-0.04, 0.5, literal(system), transform=axes.transAxes, **beside)
    return figure
