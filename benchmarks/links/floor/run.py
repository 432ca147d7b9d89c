"""``semphy ber --floor``: the error rates of a curve where they are too low to be counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.links.chains import SpecifiedLink
from benchmarks.links.curves import described_of, distinct, identity_of
from benchmarks.links.floor.points import FloorPoint, perform
from benchmarks.links.floor.stats import COLUMNS, FloorStats, load_floor
from benchmarks.links.labels import labels_of
from benchmarks.runs.results import Result, write_csv
from benchmarks.runs.store import Store
from benchmarks.runs.sweep import run
from benchmarks.runs.table import Column, LiveTable, decibels, duration, plain, rate
from benchmarks.settings.ber import BerSpec
from phy.units import EsN0

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FloorRun", "run_floor"]

_COLUMNS: tuple[Column[FloorStats], ...] = (
    Column("Es/N0", lambda point: decibels(point.esno_db), 7),
    Column("Eb/N0", lambda point: decibels(point.ebno_db), 7),
    Column("blocks", lambda point: str(point.blocks), 9),
    Column("descents", lambda point: str(point.descents), 8, rank=5),
    Column("BER", lambda point: rate(point.ber), 8),
    Column("BLER", lambda point: rate(point.bler), 8),
    Column("BLER_low", lambda point: rate(point.bler_low), 8),
    Column("BLER_high", lambda point: rate(point.bler_high), 9),
    Column("families", lambda point: f"{point.families:.0f}", 8, rank=4),
    Column("largest", lambda point: f"{point.largest_share:.2f}", 7, rank=3),
    Column("elapsed", lambda point: duration(point.seconds), 8, rank=2),
    Column("stop", lambda point: point.stop.replace(" ", "-"), 12),
    Column("doubt", lambda point: (point.doubt or "-").replace(" ", "-"), 12),
)


@dataclass(frozen=True, repr=False)
class FloorRun(Result):
    """What a run found.

    Attributes
    ----------
    spec, versions, interrupted:
        As of `benchmarks.links.ber.BerRun`.
    points:
        In the order asked for; a point without a descent is absent.

    Examples
    --------
    >>> from benchmarks import ber
    >>> run = ber(code="none", k=4, esno=12, floor=8, max_blocks=1e4)
    >>> run.points[0].doubt
    'few descents'
    """

    spec: dict[str, Any]
    versions: dict[str, str | None]
    points: list[FloorStats]
    interrupted: bool

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        points = [{**point.of_curve(), **point.to_json()} for point in self.points]
        return {"spec": self.spec, "versions": self.versions, "sampling": "importance", "points": points}

    def to_text(self) -> str:
        """Return the final table."""
        labels = dict(zip(map(id, self.points), labels_of([p.condition for p in self.points]), strict=True))
        columns = _COLUMNS
        if len(set(labels.values())) > 1:
            width = max(map(len, labels.values()))
            columns = (Column[FloorStats]("code", lambda point: labels[id(point)], width), *columns)
        return plain(columns, self.points)

    def to_csv_rows(self) -> list[dict[str, Any]]:
        """Return the points as rows of ``curves.csv``."""
        return [point.to_csv_row() for point in self.points]

    def plot(self, ax: Axes | None = None) -> Figure:
        """Draw the points as `benchmarks.links.drawing.plots.plot_ber` does, in these axes if given."""
        from benchmarks.links.drawing.plots import curves_of, plot_ber

        return plot_ber(curves_of(self.points, self.spec["snr"]["kind"]), ax)


def run_floor(specs: Sequence[BerSpec], out: Path | None = None, workers: int = 1) -> FloorRun:
    """Estimate the error rates of every point of some curves, or what a former run left.

    Parameters
    ----------
    specs:
        With a floor; else as for `benchmarks.links.ber.run_ber`.
    out:
        Run directory; None stores nothing on disk.
    workers:
        Processes; they do not change a result.

    Raises
    ------
    InputError
        If a spec or the directory cannot work.

    Examples
    --------
    >>> snr, code = {"kind": "esno", "values_db": [12]}, {"name": "none", "k": 4}
    >>> run = run_floor([BerSpec(code=code, snr=snr, floor=32)])
    >>> 2.5e-8 < run.points[0].bler < 5e-8  # 4 Q(5.63) = 3.6e-8
    True
    """
    links = distinct([SpecifiedLink.of(one) for one in specs])
    found = [link.spec for link in links]
    described, names = described_of(found), labels_of([link.describe() for link in links])
    chains = [link.chain(name) for link, name in zip(links, names, strict=True)]
    interrupted = False
    with (
        Store(out, "floor", COLUMNS, described, identity_of(found)) as store,
        LiveTable[FloorStats](_COLUMNS) as table,
    ):

        def show(point: FloorPoint) -> None:
            table.update(point.condition, point.stats, done=point.stop is not None)

        for chain in chains:
            table.note(f"{chain.link.name}, seed {chain.plan.seed}, importance-sampled")
        points = [
            FloorPoint(store, show, chain, link.spec, level)
            for chain, link in zip(chains, links, strict=True)
            for level in chain.levels
            if isinstance(level, EsN0)
        ]
        try:
            run(points, perform, workers)
        except KeyboardInterrupt:
            interrupted = True
        stats = load_floor(store, chains[0].plan.confidence)
        if store.folder is not None:
            write_csv(store.folder / "curves.csv", [point.to_csv_row() for point in stats.values()])
        order = dict.fromkeys(point.condition for point in points)
        return FloorRun(
            described, store.versions, [stats[name] for name in order if name in stats], interrupted
        )
