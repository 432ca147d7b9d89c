"""``semphy ber``: bit and block error rates against the SNR, point by point.

The rules that end a point are asked at the ends of chunks, in order, so the counts are the same however the
work was divided, interrupted or resumed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.counting import RULES_VERSION, Chunk, Counts, build_link, chunk_end, count, on_grid
from benchmarks.spec import BerSpec, condition_id
from benchmarks.statistics import clustered_rate_interval, rate_interval
from benchmarks.store import Condition, Store, write_csv
from benchmarks.sweep import run
from benchmarks.table import Column, LiveTable, duration, plain, rate
from phy.links import DigitalLink
from phy.units import EbN0, EsN0

__all__ = ["COLUMNS", "BerRun", "load_points", "run_ber"]

COLUMNS = {
    "blocks": "INTEGER NOT NULL",
    "block_errors": "INTEGER NOT NULL",
    "bits": "INTEGER NOT NULL",
    "bit_errors": "INTEGER NOT NULL",
    "squared_bit_errors": "INTEGER NOT NULL",
    "seconds": "REAL NOT NULL",
}
"""Columns of a chunk in the store; its item is its first block."""

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


@dataclass
class _Sweep:
    """What the points of a run share."""

    spec: BerSpec
    store: Store
    batch_size: int
    show: Callable[[_Point], None]
    ended: bool = False
    clock: float = 0.0


class _Point:
    """One SNR: a task for `benchmarks.sweep.run`."""

    def __init__(self, sweep: _Sweep, condition: str, esno_db: float) -> None:
        self._sweep = sweep
        self.condition = condition
        self.esno_db = esno_db
        self.counts = _total(sweep.store, condition)
        self.stop = self._rule()

    @property
    def finished(self) -> bool:
        return self.stop is not None or self._sweep.ended

    def items(self) -> Iterator[Chunk]:
        if self._sweep.ended:
            return
        if self.stop is not None:
            self._end()
            self._sweep.show(self)
            return
        self._sweep.store.finish(self.condition, None)
        done, most = self.counts.blocks, self._sweep.spec.stop.max_blocks
        while done < most:
            end = min(chunk_end(done), most)
            yield Chunk(self._sweep.spec, self.esno_db, done, end - done, self._sweep.batch_size)
            done = end

    def accept(self, item: Chunk, result: Counts) -> None:
        now = time.perf_counter()
        # Workers compute side by side, and starting them is no part of the point: whichever is shorter.
        seconds = min(result.seconds, now - self._sweep.clock)
        self._sweep.clock = now
        result = Counts(**{**asdict(result), "seconds": seconds})
        self._sweep.store.add(self.condition, item.first, asdict(result))
        self.counts += result
        self.stop = self._rule()
        self._sweep.show(self)
        if self.stop is not None:
            self._end()

    def _end(self) -> None:
        if self.stop is None:
            return
        self._sweep.store.finish(self.condition, self.stop)
        floor = self._sweep.spec.stop.below_bler
        if floor is not None and self.counts.block_errors < floor * self.counts.blocks:
            self._sweep.ended = True

    def _rule(self) -> str | None:
        counts, rules = self.counts, self._sweep.spec.stop
        # A former run may have ended inside a chunk, at its own --max-blocks; rules are asked where a run in
        # one piece would ask them.
        whole = on_grid(counts.blocks) or counts.blocks >= rules.max_blocks
        if whole and counts.block_errors >= rules.block_errors:
            return "block errors"
        if counts.blocks >= rules.max_blocks:
            return "max blocks"
        if rules.seconds is not None and counts.seconds >= rules.seconds:
            return "seconds"
        return None

    def seconds_left(self) -> float:
        """Estimate from the pace and the error rate so far, infinite while there is nothing to go by."""
        counts, rules = self.counts, self._sweep.spec.stop
        if self.stop is not None:
            return 0.0
        if not counts.blocks:
            return float("inf")
        more = counts.seconds * (rules.max_blocks / counts.blocks - 1)
        if counts.block_errors:
            more = min(more, counts.seconds * (rules.block_errors / counts.block_errors - 1))
        if rules.seconds is not None:
            more = min(more, rules.seconds - counts.seconds)
        return max(more, 0.0)


@dataclass(frozen=True)
class BerRun:
    """What a run found.

    Attributes
    ----------
    spec:
        Resolved settings.
    versions:
        See `benchmarks.versions`.
    points:
        One dictionary a simulated point, in the order asked for; a point without a block is absent.
    interrupted:
        Whether Ctrl-C ended it.
    """

    spec: dict[str, Any]
    versions: dict[str, str | None]
    points: list[dict[str, Any]]
    interrupted: bool

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {"spec": self.spec, "versions": self.versions, "points": self.points}

    def to_text(self) -> str:
        """Return the final table."""
        shown = [index for index, column in enumerate(_TABLE) if column.title != "left"]
        rows = [_cells(point) for point in self.points]
        return plain([_TABLE[index] for index in shown], [[row[index] for index in shown] for row in rows])


def run_ber(
    spec: BerSpec, out: Path | None = None, workers: int = 1, batch_size: int | None = None
) -> BerRun:
    """Simulate every point of a spec, or what a former run left to do.

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
        If the spec or the directory cannot work.
    """
    link = build_link(spec.code, spec.modulation, spec.demapping, spec.channel)
    spec = spec.resolved(n=link.code.n, modulation=link.modulation.name, channel=link.channel.name)
    described = spec.model_dump(mode="json")
    store = Store(out, "ber", COLUMNS, described, spec.identity())
    conditions = dict(_describe(spec, link, value) for value in spec.snr.values_db)
    interrupted = False
    with LiveTable(_TABLE) as table:
        table.note(f"{link.name}, engine {spec.engine}, seed {spec.seed}")
        if link.filler_bits:
            table.note(f"{link.filler_bits} filler bits a block fill its last symbol, no bit interleaver")
        sweep = _Sweep(spec, store, batch_size or _batch_size(link.code.n), lambda point: show(point))

        def show(point: _Point) -> None:
            row = _point(conditions[point.condition], point.counts, point.stop, spec.confidence)
            done = point.stop is not None
            table.update(point.condition, _cells(row, point.seconds_left(), running=not done), done)

        for condition, description in conditions.items():
            store.register(condition, description)
        points = [_Point(sweep, name, text["esno_db"]) for name, text in conditions.items()]
        sweep.clock = time.perf_counter()
        try:
            run(points, count, workers)
        except KeyboardInterrupt:
            interrupted = True
        if sweep.ended and not all(point.counts.blocks for point in points):
            table.note(f"ended behind the first point with a BLER below {spec.stop.below_bler:g}")
    everything = load_points(store, spec.confidence)
    if out is not None:
        write_csv(out / "curves.csv", [_csv_row(*entry) for entry in everything])
    found = {condition.id: point for condition, point in everything}
    store.close()
    return BerRun(
        described, store.versions, [found[name] for name in conditions if name in found], interrupted
    )


def load_points(store: Store, confidence: float) -> list[tuple[Condition, dict[str, Any]]]:
    """Derive rates and intervals from the rows of a store; conditions without a row are absent.

    Returns
    -------
    list
        Conditions in the order in which they were first asked for, each with its point as ``--json`` prints
        it.
    """
    points = []
    for condition in store.conditions():
        counts = _total(store, condition.id)
        if counts.blocks:
            points.append((condition, _point(condition.description, counts, condition.stop, confidence)))
    return points


def _total(store: Store, condition: str) -> Counts:
    rows = store.rows(condition)
    return sum((Counts(**{name: row[name] for name in COLUMNS}) for row in rows), Counts())


def _point(
    description: Mapping[str, Any], counts: Counts, stop: str | None, confidence: float
) -> dict[str, Any]:
    bler = rate_interval(counts.block_errors, counts.blocks, confidence)
    ber = clustered_rate_interval(
        counts.bit_errors, counts.bits, counts.squared_bit_errors, counts.blocks, confidence
    )
    return {
        "esno_db": description["esno_db"],
        "ebno_db": description["ebno_db"],
        "blocks": counts.blocks,
        "block_errors": counts.block_errors,
        "bits": counts.bits,
        "bit_errors": counts.bit_errors,
        "ber": counts.bit_errors / counts.bits,
        "ber_low": ber[0],
        "ber_high": ber[1],
        "bler": counts.block_errors / counts.blocks,
        "bler_low": bler[0],
        "bler_high": bler[1],
        "engine": description["condition"]["engine"],
        "info_bits_per_second": counts.bits / counts.seconds if counts.seconds else None,
        "seconds": counts.seconds,
        "stop": stop or "interrupted",
    }


def _cells(point: Mapping[str, Any], seconds_left: float = 0.0, running: bool = False) -> list[str]:
    speed = point["info_bits_per_second"]
    return [
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


def _describe(spec: BerSpec, link: DigitalLink, value_db: float) -> tuple[str, dict[str, Any]]:
    """Id and description of one point."""
    esno_db = value_db if spec.snr.kind == "esno" else EbN0(value_db).to_esn0(link.bits_per_use).db
    esno_db = round(esno_db, 6) + 0.0  # what names the condition is what is simulated, to the last digit
    ebno_db = round(EsN0(esno_db).to_ebn0(link.bits_per_use).db, 6) + 0.0
    condition = {"counting": RULES_VERSION, "esno_db": f"{esno_db:.6f}", **spec.identity()}
    return condition_id(condition), {
        "condition": condition,
        "esno_db": esno_db,
        "ebno_db": ebno_db,
        "channel_uses": link.channel_uses,
        "filler_bits": link.filler_bits,
    }


def _csv_row(condition: Condition, point: Mapping[str, Any]) -> dict[str, Any]:
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


def _batch_size(n: int) -> int:
    return max(1, min(256, 2**18 // n))
