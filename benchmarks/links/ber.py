"""``semphy ber``: bit and block error rates of one or several codes against the SNR, point by point."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.links.chains import Chain, SpecifiedLink
from benchmarks.links.counting import Counts
from benchmarks.links.crew import Crew
from benchmarks.links.curves import described_of, distinct, identity_of
from benchmarks.links.labels import labels_of
from benchmarks.links.points import Point, Session
from benchmarks.links.results import COUNT_COLUMNS, PointStats, TargetRow, load_points
from benchmarks.links.search import RequiredSnr, find_required_snr, reachable
from benchmarks.runs.conditions import condition_id
from benchmarks.runs.results import Result, write_csv
from benchmarks.runs.store import Store
from benchmarks.runs.sweep import open_pool, run
from benchmarks.runs.table import Column, LiveTable, decibels, duration, plain, rate
from benchmarks.settings.ber import BerSpec
from benchmarks.settings.errors import InputError
from phy import theory
from phy.units import EsN0

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BerRun",
    "Outcome",
    "check_targets",
    "keep_points",
    "run_ber",
    "simulate",
]

_SNR: tuple[Column[PointStats], ...] = (
    Column("Es/N0", lambda point: decibels(point.esno_db), 7),
    Column("Eb/N0", lambda point: decibels(point.ebno_db), 7),
)
_P: tuple[Column[PointStats], ...] = (Column("p", lambda point: f"{point.p:g}", 9),)
_COUNTS: tuple[Column[PointStats], ...] = (
    Column("blocks", lambda point: str(point.blocks), 9),
    Column("block_err", lambda point: str(point.block_errors), 9),
    Column("bits", lambda point: str(point.bits), 12, rank=5),
    Column("bit_err", lambda point: str(point.bit_errors), 10, rank=4),
    Column("BER", lambda point: rate(point.ber), 8),
    Column("BLER", lambda point: rate(point.bler), 8),
    Column("BLER_low", lambda point: rate(point.bler_low), 8, rank=3),
    Column("BLER_high", lambda point: rate(point.bler_high), 9, rank=3),
    Column("Mb/s", lambda point: _megabits(point.info_bits_per_second), 8, rank=1),
    Column("elapsed", lambda point: duration(point.seconds), 8, rank=2),
    Column("stop", lambda point: point.stop.replace(" ", "-"), 12),
)
_REPEATED: tuple[Column[PointStats], ...] = (
    Column("sent", lambda point: f"{point.transmissions:.3f}", 6),
    Column("sent_low", lambda point: f"{point.transmissions_low:.3f}", 8),
    Column("sent_high", lambda point: f"{point.transmissions_high:.3f}", 9),
    Column("bit/use", lambda point: f"{point.throughput:.4f}", 7),
    Column("bit/use_low", lambda point: f"{point.throughput_low:.4f}", 11),
    Column("bit/use_high", lambda point: f"{point.throughput_high:.4f}", 12),
)
"""Of links that may send a block again: mean number of transmissions, and throughput, with intervals."""

_LIVE: tuple[Column[Point], ...] = (
    Column("left", lambda point: duration(point.seconds_left()), 8),
    Column("stop", lambda point: "..." if point.stop is None else point.stop.replace(" ", "-"), 12),
)
_TARGETS: tuple[Column[TargetRow], ...] = (
    Column("target", lambda target: f"{target.target_bler:g}", 8),
    Column("Es/N0", lambda target: decibels(target.esno_db), 8),
    Column("Eb/N0", lambda target: decibels(target.ebno_db), 8),
    Column("Eb/N0_low", lambda target: decibels(target.ebno_low_db), 9),
    Column("Eb/N0_high", lambda target: decibels(target.ebno_high_db), 10),
    Column("nearest", lambda target: decibels(target.nearest_esno_db), 8),
    Column("BLER", lambda target: "-" if target.bler is None else rate(target.bler), 8),
    Column("blocks", lambda target: "-" if target.blocks is None else str(target.blocks), 9),
    Column("block_err", lambda target: "-" if target.block_errors is None else str(target.block_errors), 9),
)


def _level(kind: str) -> tuple[Column[PointStats], ...]:
    """Columns of where points lie."""
    return _P if kind == "p" else _SNR


def _megabits(bits_per_second: float | None) -> str:
    return f"{bits_per_second / 1e6:.3g}" if bits_per_second else "-"


def _widest(names: Iterable[str]) -> int:
    return max(map(len, names), default=0)


@dataclass(frozen=True, repr=False)
class BerRun(Result):
    """What a run found.

    Attributes
    ----------
    spec:
        Resolved settings; with several codes, modulations or channels these are lists, and ``engine`` is
        auto where the curves' differ.
    versions:
        See `benchmarks.runs.versions`.
    points:
        The simulated points, in the order asked for, or of a search in ascending order of the SNR, code by
        code; a point without a block is absent.
    targets:
        One a code and target block error rate.
    interrupted:
        Whether Ctrl-C ended it.

    Examples
    --------
    >>> from benchmarks import ber
    >>> run = ber(code="none", modulation="qpsk", esno=[0, 40], max_blocks=64)
    >>> [row["bler"] for row in run.to_csv_rows()]
    [1.0, 0.0]
    """

    spec: dict[str, Any]
    versions: dict[str, str | None]
    points: list[PointStats]
    targets: list[TargetRow]
    interrupted: bool

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        points = [point.to_json() for point in self.points]
        if self._several:
            points = [point.of_curve() | row for point, row in zip(self.points, points, strict=True)]
        found = {"spec": self.spec, "versions": self.versions, "points": points}
        targets = [target.to_json() for target in self.targets]
        return {**found, "targets": targets} if self.spec["target_bler"] else found

    def to_text(self) -> str:
        """Return the final table: of the targets if there are any, else of the points."""
        if self.spec["target_bler"]:
            code = Column[TargetRow]("code", attrgetter("code"), _widest(row.code for row in self.targets))
            return plain((code, *_TARGETS), self.targets)
        columns = _COUNTS
        if any(point.transmissions != 1 for point in self.points):
            columns = (*_COUNTS[:6], *_REPEATED, *_COUNTS[6:])
        columns = (*_level(self.spec["snr"]["kind"]), *columns)
        labels = self._labels()
        if len(set(labels.values())) > 1:
            column = Column[PointStats]("code", lambda point: labels[id(point)], _widest(labels.values()))
            columns = (column, *columns)
        return plain(columns, self.points)

    @property
    def _several(self) -> bool:
        """Whether there are several curves of one code."""
        return len(set(self._labels().values())) > len({point.code for point in self.points})

    def _labels(self) -> dict[int, str]:
        """What each point's curve is called, by the point's identity."""
        own = {id(point): point.name for point in self.points if point.name is not None}
        specified = [point for point in self.points if point.name is None]
        names = labels_of([point.condition for point in specified])
        return own | dict(zip(map(id, specified), names, strict=True))

    def __add__(self, other: BerRun) -> BerRun:
        """Join the points of two runs; those of one link at one SNR with different seeds add.

        Raises
        ------
        ValueError
            If both hold the same blocks, which would count twice.
        """
        joined: dict[str, PointStats] = {}
        for point in (*self.points, *other.points):
            shared = {name: value for name, value in point.condition.items() if name != "seed"}
            key = condition_id(shared)
            joined[key] = joined[key] + point if key in joined else point
        return replace(
            self,
            points=list(joined.values()),
            targets=[*self.targets, *other.targets],
            interrupted=self.interrupted or other.interrupted,
        )

    def to_csv_rows(self) -> list[dict[str, Any]]:
        """Return the points as rows of ``curves.csv``."""
        return [point.to_csv_row() for point in self.points]

    def plot(self, ax: Axes | None = None) -> Figure:
        """Draw the points as `benchmarks.links.drawing.plots.plot_ber` does, in these axes if given."""
        from benchmarks.links.drawing.plots import curves_of, plot_ber

        return plot_ber(curves_of(self.points, self.spec["snr"]["kind"]), ax)


def run_ber(
    spec: BerSpec | Sequence[BerSpec],
    out: Path | None = None,
    workers: int = 1,
    batch_size: int | None = None,
) -> BerRun:
    """Simulate every point of a spec, or of several, or what a former run left.

    Parameters
    ----------
    spec:
        What to simulate; several are all combinations of some codes, modulations and channels, as
        `benchmarks.settings.reading.read_curves` makes them, and share everything else.
    out:
        Run directory; None stores nothing on disk.
    workers:
        Processes; where all links are simulated by the compiled engine, threads of this one.
    batch_size:
        Blocks computed at once; neither it nor ``workers`` changes a count.

    Raises
    ------
    InputError
        If a spec or the directory cannot work.

    Examples
    --------
    >>> snr, stop = {"kind": "esno", "values_db": [0, 40]}, {"max_blocks": 64}
    >>> spec = BerSpec(code={"name": "none"}, snr=snr, stop=stop)
    >>> [(point.blocks, point.block_errors) for point in run_ber(spec).points]
    [(64, 64), (64, 0)]
    """
    links = distinct([SpecifiedLink.of(one) for one in ([spec] if isinstance(spec, BerSpec) else spec)])
    specs = [link.spec for link in links]
    described, identity = described_of(specs), identity_of(specs)
    names = labels_of([link.describe() for link in links])
    chains = [link.chain(name) for link, name in zip(links, names, strict=True)]
    check_targets(chains)
    with Store(out, "ber", COUNT_COLUMNS, described, identity) as store:
        outcome = simulate(chains, store, workers, batch_size)
        points = keep_points(store, outcome, chains[0].plan.confidence)
    return BerRun(described, store.versions, points, outcome.targets, outcome.interrupted)


def keep_points(store: Store, outcome: Outcome, confidence: float) -> list[PointStats]:
    """Write all points of a store to ``curves.csv``, if it has a folder, and return those of an outcome."""
    found = load_points(store, confidence)
    if store.folder is not None:
        write_csv(store.folder / "curves.csv", [point.to_csv_row() for point in found.values()])
    return [found[name] for name in outcome.conditions if name in found]


def check_targets(chains: Sequence[Chain]) -> None:
    """Raise an `InputError` if there is a target that the largest number of blocks cannot tell."""
    for chain in chains:
        blocks = chain.plan.stop.max_blocks
        for target in chain.plan.target_bler:
            if not reachable(target, blocks, chain.plan.confidence):
                raise InputError(
                    f"{blocks} blocks cannot tell whether the BLER is below {target:g}: "
                    f"--max-blocks must be about {100 / target:.0g}"
                )


@dataclass
class Outcome:
    """What `simulate` did.

    Attributes
    ----------
    conditions:
        Ids of the points, in the order in which they are to be shown.
    targets:
        One a chain and target.
    interrupted:
        Whether Ctrl-C ended it.
    """

    conditions: list[str] = field(default_factory=list)
    targets: list[TargetRow] = field(default_factory=list)
    interrupted: bool = False


def simulate(
    chains: Sequence[Chain],
    store: Store,
    workers: int = 1,
    batch_size: int | None = None,
    title: str = "code",
) -> Outcome:
    """Simulate the points, or search the targets, of chains into a store, with a live table.

    Parameters
    ----------
    chains:
        In this order.
    store:
        With the columns `benchmarks.links.results.COUNT_COLUMNS`.
    workers, batch_size:
        As for `run_ber`.
    title:
        What the labels of the chains are, several of which are told apart in the table.
    """
    outcome = Outcome()
    crew = Crew.of(chains, workers)
    label = Column[Point](title, attrgetter("chain.label"), _widest(chain.label for chain in chains))
    shown = (*_level(chains[0].plan.snr.kind), *_COUNTS[:-1])
    live = (*(column.of(_stats) for column in shown), *_LIVE)
    with LiveTable((label, *live) if len(chains) > 1 else live) as table:

        def show(point: Point) -> None:
            table.update(point.condition, point, done=point.stop is not None)

        session = Session(store, show, batch_size, time.perf_counter())
        for chain in chains:
            table.note(f"{chain.link.name}, seed {chain.plan.seed}")
            if chain.filler_bits:
                table.note(
                    f"{chain.filler_bits} filler bits a block fill its last symbol, no bit interleaver"
                )
        try:
            if any(chain.plan.target_bler for chain in chains):
                with open_pool(crew.processes) as pool:
                    for chain in chains:
                        _search(session, chain, crew, pool, outcome)
            else:
                _climb(session, chains, crew, table, outcome)
        except KeyboardInterrupt:
            outcome.interrupted = True
    return outcome


def _stats(point: Point) -> PointStats:
    return point.stats


def _climb(
    session: Session, chains: Sequence[Chain], crew: Crew, table: LiveTable[Point], outcome: Outcome
) -> None:
    with session.store.transaction():
        points = [Point(session, chain, level) for chain in chains for level in chain.levels]
    outcome.conditions = list(dict.fromkeys(point.condition for point in points))
    run(points, crew.count, crew.processes)
    for chain in chains:
        if chain.ended and not all(point.counts.blocks for point in points if point.chain is chain):
            floor = chain.plan.stop.below_bler
            table.note(f"{chain.label}: ended behind the first point with a BLER below {floor:g}")


def _search(
    session: Session, chain: Chain, crew: Crew, pool: ProcessPoolExecutor | None, outcome: Outcome
) -> None:
    plan, values = chain.plan, [level.db for level in chain.levels if isinstance(level, EsN0)]
    guess_db = theory.capacity_snr(chain.bits_per_use).db + 2.0
    tried: dict[float, Point] = {}

    def probe(esno_db: float, enough: Callable[[Counts], bool]) -> Counts:
        point = Point(session, chain, EsN0(esno_db), enough)
        tried[esno_db] = point
        run([point], crew.count, crew.processes, pool)
        return point.counts

    before = list(outcome.conditions)
    try:
        for target in plan.target_bler:
            found = find_required_snr(target, probe, guess_db, min(values), max(values), plan.confidence)
            outcome.targets.append(_target(chain, found))
            guess_db = guess_db if found.esno_db is None else found.esno_db
    finally:
        outcome.conditions = before + [tried[esno_db].condition for esno_db in sorted(tried)]


def _target(chain: Chain, found: RequiredSnr) -> TargetRow:
    def ebno(esno_db: float | None) -> float | None:
        return None if esno_db is None else round(chain.to_ebno(esno_db), 6)

    counts = found.counts
    return TargetRow(
        code=chain.label,
        target_bler=found.target,
        esno_db=found.esno_db,
        ebno_db=ebno(found.esno_db),
        esno_low_db=found.low_db,
        ebno_low_db=ebno(found.low_db),
        esno_high_db=found.high_db,
        ebno_high_db=ebno(found.high_db),
        nearest_esno_db=found.nearest_db,
        bler=counts.block_errors / counts.blocks if counts else None,
        blocks=counts.blocks if counts else None,
        block_errors=counts.block_errors if counts else None,
        engine=chain.condition().get("engine", "own"),
        reason=found.reason or None,
    )
