"""Figures of error rates: as wide as a column of a paper, with intervals and the references of theory."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.links.points import load_points
from benchmarks.runs.store import Condition, Store
from benchmarks.settings.errors import InputError
from phy import theory
from phy.modulation import Modulation
from phy.units import EsN0

__all__ = ["STYLE", "Curve", "load_curves", "plot_ber"]

COLUMN_INCHES = 3.5
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")  # Okabe and Ito
_MARKERS = "osD^vP*X"
_GREY = "0.45"
_UNCODED = {"awgn": theory.ber_awgn, "rayleigh": theory.ber_rayleigh}
STYLE: Any = {
    "font.size": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 6.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.5,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
}


@dataclass(frozen=True)
class Curve:
    """One code of a run of ``semphy ber``, or one scheme of ``semphy mcs``.

    Attributes
    ----------
    condition:
        What its points share: ``code``, ``modulation``, ``channel``, ``engine`` and so on.
    kind:
        Kind of SNR that the run is written in, ``ebno`` or ``esno``.
    channel_uses:
        Complex channel uses a block.
    points:
        As ``--json`` prints them, in ascending order of the SNR.
    """

    condition: dict[str, Any]
    kind: str
    channel_uses: int
    points: list[dict[str, Any]]

    @property
    def label(self) -> str:
        """What it is called in a legend."""
        code = self.condition["code"]
        decoder = code["decoder"]
        parts = [] if code["name"] == "none" else [f"{code['name']} ({code['k']}, {code['n']})"]
        if decoder["iterations"]:
            parts.append(f"{decoder['algorithm']} {decoder['iterations']}")
        if decoder["llr_bits"]:
            parts.append(f"{decoder['llr_bits']} bits")
        return ", ".join([*(parts or ["uncoded"]), self.condition["modulation"], self.condition["channel"]])


def load_curves(folder: Path) -> list[Curve]:
    """Read the curves of a run directory of ``semphy ber`` or ``semphy mcs``, in the order of their making.

    Raises
    ------
    InputError
        If there is no such run, or it has no point yet.
    """
    store = Store.read(folder)
    try:
        if store.kind not in ("ber", "mcs"):
            raise InputError(f"{str(folder)!r} holds a run of semphy {store.kind}, not of semphy ber")
        spec = store.spec
        found = load_points(store, spec["confidence"])
    finally:
        store.close()
    if not found:
        raise InputError(f"{str(folder)!r} has no point yet")
    kind = spec["snr"]["kind"] if spec["snr"] else "esno"
    groups: dict[str, list[tuple[Condition, dict[str, Any]]]] = {}
    for condition, point in found:
        shared = {k: v for k, v in condition.description["condition"].items() if k != "esno_db"}
        groups.setdefault(json.dumps(shared, sort_keys=True), []).append((condition, point))
    return [_curve(group, kind) for group in groups.values()]


def _curve(group: Sequence[tuple[Condition, dict[str, Any]]], kind: str) -> Curve:
    description = group[0][0].description
    points = sorted((point for _, point in group), key=lambda point: point["esno_db"])
    return Curve(description["condition"], kind, description["channel_uses"], points)


def plot_ber(curves: Sequence[Curve]) -> Figure:
    """Draw BER (solid) and BLER (dashed) of one or several curves against the first one's kind of SNR.

    Bands are the intervals. A point without errors is an arrow that hangs from its upper limit. Grey lines:
    theory of the uncoded modulation (dotted) where there is a closed form, and on AWGN the best block error
    rate at this block length (normal approximation, dash-dotted) and the capacity (vertical), both with
    Gaussian symbols; for BPSK with real ones.
    """
    kind = curves[0].kind
    with plt.rc_context(STYLE):
        height = 2.9 + (0.3 + 0.14 * len(curves) if len(curves) > 1 else 0.0)  # room for their legends
        figure, axes = plt.subplots(figsize=(COLUMN_INCHES, height), layout="constrained")
        for index, curve in enumerate(curves):
            style = _curve_style(index)
            for name, dash in (("ber", "-"), ("bler", "--")):
                _draw(axes, curve.points, f"{kind}_db", name, {**style, "linestyle": dash})
        _frame(axes, curves, kind)
        notes = _draw_references(axes, _references(curves), kind)
        _legend(axes, curves, notes)
    return figure


def _draw(axes: Axes, points: Sequence[dict[str, Any]], x: str, name: str, style: dict[str, Any]) -> None:
    seen = [point for point in points if point[name] > 0]
    if seen:
        snr = [point[x] for point in seen]
        axes.semilogy(snr, [point[name] for point in seen], markerfacecolor=_face(name, style), **style)
        low = [max(point[f"{name}_low"], 1e-300) for point in seen]
        high = [point[f"{name}_high"] for point in seen]
        axes.fill_between(snr, low, high, color=style["color"], alpha=0.18, linewidth=0)
        if len(seen) == 1:
            axes.vlines(snr, low, high, color=style["color"], alpha=0.4)
    for point in points:
        if point[name] == 0:
            bound = point[f"{name}_high"]
            axes.annotate(
                "",
                xy=(point[x], bound / 3),
                xytext=(point[x], bound),
                arrowprops={"arrowstyle": "-|>", "color": style["color"], "shrinkA": 0, "shrinkB": 0},
            )
            axes.semilogy(point[x], bound, marker="_", color=style["color"])


def _face(name: str, style: dict[str, Any]) -> str:
    return str(style["color"]) if name == "ber" else "white"


def _frame(axes: Axes, curves: Sequence[Curve], kind: str) -> None:
    axes.set_yscale("log")
    axes.set_xlabel("$E_b/N_0$ (dB)" if kind == "ebno" else "$E_s/N_0$ (dB)")
    axes.set_ylabel("error rate")
    axes.set_axisbelow(True)
    axes.grid(which="major", color="0.85", linewidth=0.5)
    axes.grid(which="minor", color="0.93", linewidth=0.3)
    lowest = min(_bottom(point, name) for c in curves for point in c.points for name in ("ber", "bler"))
    axes.set_ylim(10.0 ** np.floor(np.log10(lowest)), 1.5)
    snr = [point[f"{kind}_db"] for curve in curves for point in curve.points]
    margin = max(0.04 * (max(snr) - min(snr)), 0.1)
    axes.set_xlim(min(snr) - margin, max(snr) + margin)


def _bottom(point: dict[str, Any], name: str) -> float:
    return float(point[name] or point[f"{name}_high"] / 3)


@dataclass(frozen=True)
class _Reference:
    """An error rate by theory; ``capacity_db`` is the Es/N0 below which it cannot vanish."""

    label: str
    rate: Callable[[EsN0], float]
    bits_per_use: float
    dash: str
    capacity_db: float | None = None


def _references(curves: Sequence[Curve]) -> list[_Reference]:
    """What theory says about some curves, each line once."""
    found = []
    for modulation, channel in dict.fromkeys(
        (c.condition["modulation"], c.condition["channel"]) for c in curves
    ):
        if channel in _UNCODED:
            bits = Modulation(modulation).bits_per_symbol
            found.append(_Reference("uncoded, theory", partial(_UNCODED[channel], bits), bits, ":"))
    coded = [c for c in curves if c.condition["channel"] == "awgn" and c.condition["code"]["name"] != "none"]
    for k, uses, real in dict.fromkeys(
        (c.condition["code"]["k"], c.channel_uses, _is_real(c)) for c in coded
    ):
        found.append(_finite_length(k, uses, real))
    return found


def _is_real(curve: Curve) -> bool:
    return bool(curve.condition["modulation"] == "bpsk")


def _finite_length(k: int, uses: int, real: bool) -> _Reference:
    """BPSK leaves one dimension empty: two of its uses are a complex one at twice the ratio of powers."""
    gain_db, shared = (10.0 * math.log10(2.0), 2) if real else (0.0, 1)

    def rate(snr: EsN0) -> float:
        return theory.finite_length_error(EsN0(snr.db + gain_db), k, uses // shared)

    capacity_db = theory.capacity_snr(shared * k / uses).db - gain_db
    return _Reference("finite length", rate, k / uses, "-.", capacity_db)


def _draw_references(axes: Axes, references: Sequence[_Reference], kind: str) -> list[Line2D]:
    """Draw them behind the curves, and return the handles of the legend."""
    handles: dict[str, Line2D] = {}
    style: dict[str, Any] = {"color": _GREY, "linewidth": 0.8, "zorder": 1}

    def offset_db(reference: _Reference) -> float:
        return EsN0(0.0).to_ebn0(reference.bits_per_use).db if kind == "ebno" else 0.0

    for reference in references:
        if reference.capacity_db is not None:
            x = reference.capacity_db + offset_db(reference)
            handles["capacity"] = axes.axvline(x, linestyle=(0, (6, 2)), **style)
            axes.set_xlim(left=min(axes.get_xlim()[0], x - 0.1))
    grid = np.linspace(*axes.get_xlim(), 200)
    for reference in references:
        rates = [reference.rate(EsN0(x - offset_db(reference))) for x in grid]
        (handles[reference.label],) = axes.plot(grid, rates, linestyle=reference.dash, **style)
    for label, handle in handles.items():
        handle.set_label(label)
    return list(handles.values())


def _legend(axes: Axes, curves: Sequence[Curve], notes: Sequence[Line2D]) -> None:
    single = len(curves) == 1
    first: dict[str, Any] = _curve_style(0) if single else {"color": "black"}
    handles = [
        Line2D([], [], linestyle="-", label="BER", **first),
        Line2D([], [], linestyle="--", label="BLER", **{**first, "markerfacecolor": "white"}),
        *notes,
    ]
    if single:
        axes.set_title(curves[0].label, fontsize=7)
        axes.legend(handles=handles, loc="best", framealpha=0.9, handlelength=2.4)
        return
    names = [Line2D([], [], label=curve.label, **_curve_style(i)) for i, curve in enumerate(curves)]
    axes.figure.legend(handles=names, loc="outside upper center", frameon=False, handlelength=2.4)
    axes.figure.legend(handles=handles, loc="outside lower center", frameon=False, handlelength=2.4, ncols=3)


def _curve_style(index: int) -> dict[str, Any]:
    return {"color": _COLOURS[index % len(_COLOURS)], "marker": _MARKERS[index % len(_MARKERS)]}
