"""``semphy ber``: bit and block error rates of one or several codes against the SNR, point by point."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.links.counting import Counts, count
from benchmarks.links.points import COLUMNS, Chain, Point, Session, load_points
from benchmarks.links.search import Crossing, find_crossing, reachable
from benchmarks.runs.store import Condition, Store, write_csv
from benchmarks.runs.sweep import open_pool, run
from benchmarks.runs.table import Column, LiveTable, duration, plain, rate
from benchmarks.settings.ber import BerSpec, differences
from benchmarks.settings.errors import InputError
from phy import theory

__all__ = ["BerRun", "Outcome", "csv_row", "load_points", "run_ber", "simulate"]

_TABLE = (
    Column("Es/N0", 7),
    Column("Eb/N0", 7),
    Column("blocks", 9),
    Column("block_err", 9),
    Column("bits", 12, rank=5),
    Column("bit_err", 10, rank=4),
    Column("BER", 8),
    Column("BLER", 8),
    Column("BLER_low", 8, rank=3),
    Column("BLER_high", 9, rank=3),
    Column("Mb/s", 8, rank=1),
    Column("elapsed", 8, rank=2),
    Column("left", 8),
    Column("stop", 12),
)
_TARGETS = (
    Column("target", 8),
    Column("Es/N0", 8),
    Column("Eb/N0", 8),
    Column("Eb/N0_low", 9),
    Column("Eb/N0_high", 10),
    Column("nearest", 8),
    Column("BLER", 8),
    Column("blocks", 9),
    Column("block_err", 9),
)


def _first(title: str, cells: Sequence[str]) -> Column:
    return Column(title, max(map(len, cells), default=0))


@dataclass(frozen=True)
class BerRun:
    """What a run found.

    Attributes
    ----------
    spec:
        Resolved settings; with several codes ``code`` is a list, and ``engine`` is auto where they differ.
    versions:
        See `benchmarks.runs.versions`.
    points:
        One dictionary a simulated point, in the order asked for, or of a search in ascending order of the
        SNR, code by code; a point without a block is absent.
    targets:
        One dictionary a code and target block error rate.
    interrupted:
        Whether Ctrl-C ended it.
    """

    spec: dict[str, Any]
    versions: dict[str, str | None]
    points: list[dict[str, Any]]
    targets: list[dict[str, Any]]
    interrupted: bool

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        found = {"spec": self.spec, "versions": self.versions, "points": self.points}
        return {**found, "targets": self.targets} if self.spec["target_bler"] else found

    def to_text(self) -> str:
        """Return the final table: of the targets if there are any, else of the points."""
        if self.spec["target_bler"]:
            codes = [target["code"] for target in self.targets]
            return plain((_first("code", codes), *_TARGETS), [_target_cells(t) for t in self.targets])
        several = isinstance(self.spec["code"], list)
        first = _first("code", [point["code"] for point in self.points])
        columns = (first, *_TABLE) if several else _TABLE
        rows = [_cells(point, several) for point in self.points]
        shown = [index for index, column in enumerate(columns) if column.title != "left"]
        return plain([columns[index] for index in shown], [[row[index] for index in shown] for row in rows])


def run_ber(
    spec: BerSpec | Sequence[BerSpec],
    out: Path | None = None,
    workers: int = 1,
    batch_size: int | None = None,
) -> BerRun:
    """Simulate every point of a spec, or of several that differ in their code, or what a former run left.

    Parameters
    ----------
    spec:
        What to simulate.
    out:
        Run directory; None stores nothing on disk.
    workers:
        Processes.
    batch_size:
        Blocks computed at once; neither it nor ``workers`` changes a count.

    Raises
    ------
    InputError
        If a spec or the directory cannot work.
    """
    chains = [Chain.of(one) for one in ([spec] if isinstance(spec, BerSpec) else spec)]
    described = _described([chain.spec for chain in chains])
    identity = chains[0].spec.identity()
    for chain in chains:
        for difference in differences(identity, chain.spec.identity()):
            raise InputError(f"curves of one run share all settings but the code, got {difference}")
    check_targets(chains)
    store = Store(out, "ber", COLUMNS, described, identity)
    outcome = simulate(chains, store, workers, batch_size)
    everything = load_points(store, chains[0].spec.confidence)
    if out is not None:
        write_csv(out / "curves.csv", [csv_row(*entry) for entry in everything])
    found = {condition.id: point for condition, point in everything}
    store.close()
    points = [found[name] for name in outcome.conditions if name in found]
    return BerRun(described, store.versions, points, outcome.targets, outcome.interrupted)


def _described(specs: Sequence[BerSpec]) -> dict[str, Any]:
    first = specs[0].model_dump(mode="json")
    if len(specs) == 1:
        return first
    engines = {spec.engine for spec in specs}
    codes = [spec.model_dump(mode="json")["code"] for spec in specs]
    return {**first, "code": codes, "engine": engines.pop() if len(engines) == 1 else "auto"}


def check_targets(chains: Sequence[Chain]) -> None:
    """Raise an `InputError` if there is a target that the largest number of blocks cannot tell."""
    for chain in chains:
        blocks = chain.spec.stop.max_blocks
        for target in chain.spec.target_bler:
            if not reachable(target, blocks, chain.spec.confidence):
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
        One dictionary a chain and target.
    interrupted:
        Whether Ctrl-C ended it.
    """

    conditions: list[str] = field(default_factory=list)
    targets: list[dict[str, Any]] = field(default_factory=list)
    interrupted: bool = False


def simulate(
    chains: Sequence[Chain],
    store: Store,
    workers: int = 1,
    batch_size: int | None = None,
    names: Sequence[str] = (),
) -> Outcome:
    """Simulate the points, or search the targets, of chains into a store, with a live table.

    Parameters
    ----------
    chains:
        In this order.
    store:
        With the columns `benchmarks.links.points.COLUMNS`.
    workers, batch_size:
        As for `run_ber`.
    names:
        What the chains are called in the table; their codes unless given.
    """
    outcome = Outcome()
    several = len(chains) > 1
    called = names or [chain.spec.code.label for chain in chains]
    labels = dict(zip(map(id, chains), called, strict=True))
    first = _first("scheme" if names else "code", called)
    with LiveTable((first, *_TABLE) if several else _TABLE) as table:

        def show(point: Point) -> None:
            row, done = point.rates(), point.stop is not None
            row["code"] = labels[id(point.chain)]
            table.update(point.condition, _cells(row, several, point.seconds_left(), not done), done)

        session = Session(store, show, batch_size, time.perf_counter())
        for chain in chains:
            table.note(chain.name)
            if filler := chain.link.filler_bits:
                table.note(f"{filler} filler bits a block fill its last symbol, no bit interleaver")
        try:
            if any(chain.spec.target_bler for chain in chains):
                with open_pool(workers) as pool:
                    for chain in chains:
                        _search(session, chain, workers, pool, outcome)
            else:
                _climb(session, chains, workers, table, outcome)
        except KeyboardInterrupt:
            outcome.interrupted = True
    return outcome


def _climb(
    session: Session, chains: Sequence[Chain], workers: int, table: LiveTable, outcome: Outcome
) -> None:
    points = [
        Point(session, chain, chain.to_esno(value)) for chain in chains for value in chain.spec.snr.values_db
    ]
    outcome.conditions = list(dict.fromkeys(point.condition for point in points))
    run(points, count, workers)
    for chain in chains:
        if chain.ended and not all(point.counts.blocks for point in points if point.chain is chain):
            floor = chain.spec.stop.below_bler
            table.note(f"{chain.link.code.name}: ended behind the first point with a BLER below {floor:g}")


def _search(
    session: Session, chain: Chain, workers: int, pool: ProcessPoolExecutor | None, outcome: Outcome
) -> None:
    spec = chain.spec
    ends = [chain.to_esno(value) for value in (min(spec.snr.values_db), max(spec.snr.values_db))]
    guess_db = theory.capacity_snr(chain.link.bits_per_use).db + 2.0
    tried: dict[float, Point] = {}

    def probe(esno_db: float, enough: Callable[[Counts], bool]) -> Counts:
        point = Point(session, chain, esno_db, enough)
        tried[esno_db] = point
        run([point], count, workers, pool)
        return point.counts

    before = list(outcome.conditions)
    try:
        for target in spec.target_bler:
            found = find_crossing(target, probe, guess_db, ends[0], ends[1], spec.confidence)
            outcome.targets.append(_target(chain, found))
            guess_db = guess_db if found.esno_db is None else found.esno_db
    finally:
        outcome.conditions = before + [tried[esno_db].condition for esno_db in sorted(tried)]


def _target(chain: Chain, found: Crossing) -> dict[str, Any]:
    described: dict[str, Any] = {"code": chain.spec.code.label, "target_bler": found.target}
    for name, value in (("", found.esno_db), ("_low", found.low_db), ("_high", found.high_db)):
        described[f"esno{name}_db"] = value
        described[f"ebno{name}_db"] = None if value is None else round(chain.to_ebno(value), 6)
    counts = found.counts
    return {
        **described,
        "nearest_esno_db": found.nearest_db,
        "bler": counts.block_errors / counts.blocks if counts else None,
        "blocks": counts.blocks if counts else None,
        "block_errors": counts.block_errors if counts else None,
        "engine": chain.spec.engine,
        "reason": found.reason or None,
    }


def _target_cells(target: Mapping[str, Any]) -> list[str]:
    numbers = [
        target[name] for name in ("esno_db", "ebno_db", "ebno_low_db", "ebno_high_db", "nearest_esno_db")
    ]
    return [
        target["code"],
        f"{target['target_bler']:g}",
        *("-" if number is None else f"{number:.3f}" for number in numbers),
        "-" if target["bler"] is None else rate(target["bler"]),
        "-" if target["blocks"] is None else str(target["blocks"]),
        "-" if target["block_errors"] is None else str(target["block_errors"]),
    ]


def _cells(
    point: Mapping[str, Any], with_code: bool, seconds_left: float = 0.0, running: bool = False
) -> list[str]:
    speed = point["info_bits_per_second"]
    return [
        *([point["code"]] if with_code else []),
        f"{point['esno_db']:.3f}",
        f"{point['ebno_db']:.3f}",
        str(point["blocks"]),
        str(point["block_errors"]),
        str(point["bits"]),
        str(point["bit_errors"]),
        rate(point["ber"]),
        rate(point["bler"]),
        rate(point["bler_low"]),
        rate(point["bler_high"]),
        f"{speed / 1e6:.3g}" if speed else "-",
        duration(point["seconds"]),
        duration(seconds_left),
        "..." if running else point["stop"].replace(" ", "-"),
    ]


def csv_row(condition: Condition, point: Mapping[str, Any]) -> dict[str, Any]:
    """Row of ``curves.csv`` of a point."""
    identity = condition.description["condition"]
    code = identity["code"]
    return {
        "code": code["name"],
        "k": code["k"],
        "n": code["n"],
        **code["decoder"],
        **{name: identity[name] for name in ("modulation", "demapping", "channel", "seed")},
        "channel_uses": condition.description["channel_uses"],
        "filler_bits": condition.description["filler_bits"],
        **point,
    }
