"""Figures of error rates: as wide as a column of a paper, with intervals and the references of theory."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from benchmarks.links.drawing.imported import Imported
from benchmarks.links.floor.stats import FloorStats, load_floor
from benchmarks.links.results import PointStats, load_points
from benchmarks.runs.figures import COLOURS, MARKERS, drawing, literal, percent
from benchmarks.runs.store import Store
from benchmarks.settings.errors import InputError
from phy import theory
from phy.modulation import Modulation
from phy.regions import position_error_rates
from phy.units import EsN0

Shown = PointStats | FloorStats
"""What a point of a figure is: counted, or estimated by importance sampling."""

__all__ = ["Curve", "curves_of", "load_curves", "plot_ber"]

_GREY = "0.45"
_BAND = 0.18  # opacity of the intervals
_THIN = {"linewidth": 0.6, "markersize": 2.5}  # what others have made
_UNCODED = {"awgn": (theory.ber_awgn, False), "rayleigh": (theory.ber_rayleigh, True)}
_ERRORS_AN_EVENT = {"bsc": 1.0, "bec": 0.5}
_GRAY_QAM = ("bpsk", "qpsk", "qam16", "qam64", "qam256", "qam1024")
_MOST_POINTS = 64  # of a constellation whose decision regions are integrated over


@dataclass(frozen=True)
class Curve:
    """One code of a run of ``semphy ber``, or one scheme of ``semphy mcs``.

    Attributes
    ----------
    kind:
        What the run is swept over: ``ebno``, ``esno``, or ``p`` of a binary channel.
    points:
        In ascending order of that; their conditions share all but it.
    """

    kind: str
    points: Sequence[Shown]

    @property
    def condition(self) -> Mapping[str, Any]:
        """What its points share: ``code``, ``modulation``, ``channel``, ``engine`` and so on."""
        return self.points[0].condition

    @property
    def channel_uses(self) -> int:
        """Complex channel uses a block."""
        return self.points[0].channel_uses

    @property
    def once(self) -> bool:
        """Whether its blocks are code words over a constellation, sent once, as theory has them."""
        known = isinstance(self.condition.get("code"), Mapping) and (
            "modulation" in self.condition or self.condition.get("channel") in _ERRORS_AN_EVENT
        )
        return known and not {"harq", "crc"} & self.condition.keys()

    @property
    def label(self) -> str:
        """What it is called in a legend."""
        if self.points[0].name is not None:
            return self.points[0].name
        code = self.condition["code"]
        decoder = code["decoder"]
        parts = [] if code["name"] == "none" else [f"{code['name']} ({code['k']}, {code['n']})"]
        if decoder["iterations"]:
            parts.append(f"{decoder['algorithm']} {decoder['iterations']}")
        if decoder["llr_bits"]:
            parts.append(f"{decoder['llr_bits']} bits")
        parts += [
            f"{name} {decoder[name]:g}" for name in ("factor", "offset") if decoder.get(name) is not None
        ]
        if "harq" in self.condition:
            parts.append(f"HARQ {'-'.join(map(str, self.condition['harq']['rv']))}")
        if "turns" in self.condition:
            parts.append(f"{self.condition['turns']} turns")
        over = [self.condition[name] for name in ("modulation", "channel") if name in self.condition]
        over += ["importance-sampled"] if "floor" in self.condition else []
        return ", ".join([*(parts or ["uncoded"]), *over])


def _place(point: Shown, kind: str) -> float:
    """Where a point lies on the axis of a kind.

    Raises
    ------
    InputError
        If that says nothing of it.
    """
    place = {"ebno": point.ebno_db, "esno": point.esno_db, "p": point.p}[kind]
    if place is None:
        raise InputError("runs over an SNR and over probabilities have no axis in common: draw them apart")
    return place


def curves_of(points: Iterable[Shown], kind: str) -> list[Curve]:
    """Sort points into curves, in the order of their first points."""
    groups: dict[str, list[Shown]] = {}
    for point in points:
        shared = {name: value for name, value in point.condition.items() if name not in ("esno_db", "p")}
        groups.setdefault(json.dumps(shared, sort_keys=True), []).append(point)
    return [Curve(kind, sorted(group, key=lambda point: _place(point, kind))) for group in groups.values()]


def load_curves(store: Store) -> list[Curve]:
    """Read the curves of a run of ``semphy ber`` or ``semphy mcs``, with intervals of its own confidence.

    Raises
    ------
    InputError
        If it is another kind of run, or has no point yet.
    """
    if store.kind not in ("ber", "mcs", "floor"):
        raise InputError(f"{str(store.folder)!r} holds a run of semphy {store.kind}, not of semphy ber")
    spec = store.spec
    found: Mapping[str, Shown] = (load_floor if store.kind == "floor" else load_points)(
        store, spec["confidence"]
    )
    if not found:
        raise InputError(f"{str(store.folder)!r} has no point yet")
    return curves_of(found.values(), spec["snr"]["kind"] if spec["snr"] else "esno")


def plot_ber(curves: Sequence[Curve], axes: Axes | None = None, overlay: Sequence[Imported] = ()) -> Figure:
    """Draw BER (solid) and BLER (dashed) of one or several curves against what the first one is swept over.

    Bands are the intervals. A point without errors is an arrow that hangs from its upper limit. Grey lines:
    theory of the uncoded modulation (dotted) where there is a closed form, and on AWGN the best block error
    rate at this block length (normal approximation, dash-dotted) and the capacity (vertical), both with
    Gaussian symbols; for BPSK and PAM with real ones. Binary channels: uncoded rate and capacity.

    Parameters
    ----------
    curves:
        One at least.
    axes:
        Where to draw; a figure as wide as a column of a paper unless given.
    overlay:
        Curves of other programs, drawn thinner beside them.

    Raises
    ------
    ValueError
        If there is nothing to draw.
    InputError
        If a curve of the overlay is over another kind of SNR.
    """
    if not curves:
        raise ValueError("there is no point to draw")
    kind, several = curves[0].kind, len(curves) + len(overlay) > 1
    height = 2.9 + (0.3 + 0.14 * (len(curves) + len(overlay)) if several else 0.0)  # room for their legends
    with drawing(axes, height) as (figure, place):
        for index, curve in enumerate(curves):
            line = _curve_style(index)
            for name, dash in (("ber", "-"), ("bler", "--")):
                _draw(place, curve, kind, name, {**line, "linestyle": dash})
        _frame(place, curves)
        _draw_overlay(place, overlay, kind, len(curves))
        notes = [_bands(curves), *_draw_references(place, _references(curves))]
        labels = [curve.label for curve in curves] + [other.label for other in overlay]
        _legend(place, labels, notes, figure if several and axes is None else None, len(curves))
    return figure


def _draw_overlay(axes: Axes, overlay: Sequence[Imported], kind: str, first: int) -> None:
    """Draw curves of other programs, in the styles that follow the first ones, and make room for them."""
    for index, other in enumerate(overlay, first):
        for name, dash in (("ber", "-"), ("bler", "--")):
            places = other.over(kind, name)
            if not places:
                continue
            line = {**_curve_style(index), **_THIN, "linestyle": dash}
            snr, rates = [x for x, _ in places], [rate for _, rate in places]
            axes.semilogy(snr, rates, markerfacecolor=_face(name, line), **line)
            (left, right), bottom = axes.get_xlim(), axes.get_ylim()[0]
            axes.set_xlim(min(left, snr[0] - 0.1), max(right, snr[-1] + 0.1))
            axes.set_ylim(bottom=min(bottom, 10.0 ** np.floor(np.log10(min(rates)))))


def _draw(axes: Axes, curve: Curve, kind: str, name: str, line: dict[str, Any]) -> None:
    """Draw ``ber`` or ``bler`` of a curve."""
    places = [
        (_place(point, kind), getattr(point, name), getattr(point, f"{name}_interval"))
        for point in curve.points
    ]
    seen = [place for place in places if place[1] > 0]
    if seen:
        snr = [x for x, _, _ in seen]
        axes.semilogy(snr, [rate for _, rate, _ in seen], markerfacecolor=_face(name, line), **line)
        low, high = [max(band.low, 1e-300) for _, _, band in seen], [band.high for _, _, band in seen]
        axes.fill_between(snr, low, high, color=line["color"], alpha=_BAND, linewidth=0)
        if len(seen) == 1:
            axes.vlines(snr, low, high, color=line["color"], alpha=0.4)
    for x, rate, band in places:
        if rate == 0:
            axes.annotate(
                "",
                xy=(x, band.high / 3),
                xytext=(x, band.high),
                arrowprops={"arrowstyle": "-|>", "color": line["color"], "shrinkA": 0, "shrinkB": 0},
            )
            axes.semilogy(x, band.high, marker="_", color=line["color"])


def _face(name: str, line: dict[str, Any]) -> str:
    return str(line["color"]) if name == "ber" else "white"


def _frame(axes: Axes, curves: Sequence[Curve]) -> None:
    kind, points = curves[0].kind, [point for curve in curves for point in curve.points]
    axes.set_yscale("log")
    axes.set_xlabel({"ebno": "$E_b/N_0$ (dB)", "esno": "$E_s/N_0$ (dB)", "p": "probability $p$"}[kind])
    axes.set_ylabel("error rate")
    axes.set_axisbelow(True)
    axes.grid(which="major", color="0.85", linewidth=0.5)
    axes.grid(which="minor", color="0.93", linewidth=0.3)
    rates = [(point.ber, point.ber_high) for point in points] + [
        (point.bler, point.bler_high) for point in points
    ]
    axes.set_ylim(10.0 ** np.floor(np.log10(min(rate or high / 3 for rate, high in rates))), 1.5)
    snr = [_place(point, kind) for point in points]
    margin = max(0.04 * (max(snr) - min(snr)), 0.002 if kind == "p" else 0.1)
    axes.set_xlim(min(snr) - margin, max(snr) + margin)


def _bands(curves: Sequence[Curve]) -> Patch:
    """What the bands are, for the legend."""
    levels = dict.fromkeys(percent(point.confidence) for curve in curves for point in curve.points)
    colour = COLOURS[0] if len(curves) == 1 else _GREY
    return Patch(facecolor=colour, alpha=_BAND, label=f"{', '.join(levels)} interval")


@dataclass(frozen=True)
class _Reference:
    """An error rate by theory, over what the figure's axis shows; ``limit`` is where capacity ends."""

    label: str
    rate: Callable[[float], float] | None
    dash: str
    limit: float | None = None


def _references(curves: Sequence[Curve]) -> list[_Reference]:
    """What theory says about some curves, each line once."""
    kind = curves[0].kind
    curves = [curve for curve in curves if curve.once]
    if kind == "p":
        return _binary_references(curves)
    found = []
    for modulation, channel in dict.fromkeys(
        (c.condition["modulation"], c.condition["channel"]) for c in curves
    ):
        rate = _uncoded(Modulation(modulation), channel)
        if rate is not None:
            offset = _offset_db(Modulation(modulation).bits_per_symbol, kind)
            found.append(_Reference("uncoded, theory", _shifted(rate, offset), ":"))
    coded = [c for c in curves if c.condition["channel"] == "awgn" and not _is_uncoded(c)]
    for k, uses, real in dict.fromkeys(
        (c.condition["code"]["k"], c.channel_uses, _is_real(c)) for c in coded
    ):
        found.append(_finite_length(k, uses, real, _offset_db(k / uses, kind)))
    return found


def _offset_db(bits_per_use: float, kind: str) -> float:
    """What lies between Es/N0 and the figure's SNR."""
    return EsN0(0.0).to_ebn0(bits_per_use).db if kind == "ebno" else 0.0


def _shifted(rate: Callable[[EsN0], float], offset_db: float) -> Callable[[float], float]:
    return lambda db: rate(EsN0(db - offset_db))


def _binary_references(curves: Sequence[Curve]) -> list[_Reference]:
    """Uncoded, a flip is an error, and an erasure every second time; and where the rate is the capacity."""
    found = [
        _Reference("uncoded, theory", partial(operator.mul, _ERRORS_AN_EVENT[channel]), ":")
        for channel in dict.fromkeys(curve.condition["channel"] for curve in curves)
    ]
    limits = {"bsc": theory.bsc_limit, "bec": theory.bec_limit}
    for channel, rate in dict.fromkeys(
        (c.condition["channel"], c.condition["code"]["k"] / c.channel_uses) for c in curves
    ):
        found.append(_Reference("capacity", None, "", limits[channel](rate)))
    return found


def _uncoded(modulation: Modulation, channel: str) -> Callable[[EsN0], float] | None:
    """Bit error rate without a code, where theory has it."""
    if channel not in _UNCODED:
        return None
    gray_qam, rayleigh = _UNCODED[channel]
    if modulation.name in _GRAY_QAM:
        return partial(gray_qam, modulation.bits_per_symbol)
    if len(modulation.points) > _MOST_POINTS:
        return None
    return lambda snr: float(position_error_rates(modulation, snr, rayleigh).mean())


def _is_uncoded(curve: Curve) -> bool:
    return bool(curve.condition["code"]["k"] == curve.condition["code"]["n"])


def _is_real(curve: Curve) -> bool:
    return Modulation(curve.condition["modulation"]).dimensions == 1


def _finite_length(k: int, uses: int, real: bool, offset_db: float) -> _Reference:
    """A real constellation leaves a dimension empty: two uses are a complex one at twice the power."""
    gain_db, shared = (10.0 * math.log10(2.0), 2) if real else (0.0, 1)

    def rate(snr: EsN0) -> float:
        return theory.finite_length_error(EsN0(snr.db + gain_db), k, uses // shared)

    capacity_db = theory.capacity_snr(shared * k / uses).db - gain_db
    return _Reference("finite length", _shifted(rate, offset_db), "-.", capacity_db + offset_db)


def _draw_references(axes: Axes, references: Sequence[_Reference]) -> list[Line2D]:
    """Draw them behind the curves, and return the handles of the legend."""
    handles: dict[str, Line2D] = {}
    line: dict[str, Any] = {"color": _GREY, "linewidth": 0.8, "zorder": 1}
    for reference in references:
        if (x := reference.limit) is not None:
            handles["capacity"] = axes.axvline(x, linestyle=(0, (6, 2)), **line)
            margin = 0.02 * (axes.get_xlim()[1] - axes.get_xlim()[0])
            axes.set_xlim(min(axes.get_xlim()[0], x - margin), max(axes.get_xlim()[1], x + margin))
    grid = np.linspace(*axes.get_xlim(), 200)
    for reference in references:
        if reference.rate is None:
            continue
        rates = [reference.rate(x) for x in grid]
        (handles[reference.label],) = axes.plot(grid, rates, linestyle=reference.dash, **line)
    for label, handle in handles.items():
        handle.set_label(label)
    return list(handles.values())


def _legend(
    axes: Axes, labels: Sequence[str], notes: Sequence[Artist], figure: Figure | None, ours: int
) -> None:
    """Name the curves, the first of which are ours, and lines in the axes, or around them in a figure."""
    single = len(labels) == 1
    first: dict[str, Any] = _curve_style(0) if single else {"color": "black"}
    handles = [
        Line2D([], [], linestyle="-", label="BER", **first),
        Line2D([], [], linestyle="--", label="BLER", **{**first, "markerfacecolor": "white"}),
        *notes,
    ]
    names = [
        Line2D([], [], label=literal(label), **(_curve_style(i) | ({} if i < ours else _THIN)))
        for i, label in enumerate(labels)
    ]
    shared: dict[str, Any] = {"handlelength": 2.4}
    if figure is not None:
        figure.legend(handles=names, loc="outside upper center", frameon=False, **shared)
        figure.legend(handles=handles, loc="outside lower center", frameon=False, ncols=3, **shared)
        return
    if single:
        axes.set_title(literal(labels[0]))
    axes.legend(handles=handles if single else [*names, *handles], loc="best", framealpha=0.9, **shared)


def _curve_style(index: int) -> dict[str, Any]:
    return {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)]}
