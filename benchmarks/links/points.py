"""Points of a curve as tasks: blocks at one SNR until a rule ends them, kept in a store.

The rules that end a point are asked at the ends of chunks, in order, so the counts are the same however the
work was divided, interrupted or resumed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks.links.counting import RULES_VERSION, Chunk, Counts, build_link, chunk_end, on_grid
from benchmarks.links.results import PointStats, counted
from benchmarks.runs.conditions import condition_id
from benchmarks.runs.store import Store
from benchmarks.settings.ber import BerSpec
from benchmarks.settings.codes import from_file
from benchmarks.settings.errors import InputError
from phy.links.digital import DigitalLink
from phy.units import EbN0, EsN0

__all__ = ["Chain", "Point", "Session"]


@dataclass
class Chain:
    """What one curve is simulated with.

    Attributes
    ----------
    spec:
        Resolved settings.
    link:
        What they describe.
    label:
        What it is called among others.
    ended:
        Whether the points behind the current one are left out.
    """

    spec: BerSpec
    link: DigitalLink
    label: str
    ended: bool = False

    @classmethod
    def of(cls, spec: BerSpec, label: str | None = None) -> Chain:
        """Build the link of a spec, and resolve the spec by it; the label is its code's unless given.

        Raises
        ------
        InputError
            If a part does not exist or the parts do not fit together.
        """
        if from_file(spec.code.name):
            build_link.cache_clear()  # the file may have changed
        link = build_link(spec.code, spec.modulation, spec.demapping, spec.channel)
        built = {"k": link.code.k, "n": link.code.n}
        for name, value in built.items():
            asked = getattr(spec.code, name)
            if from_file(spec.code.name) and asked not in (None, value):
                raise InputError(f"{link.code.name} has {name}={value}, got {name}={asked}; leave it out")
        digest = getattr(link.code, "digest", None)
        if spec.code.digest not in (None, digest):
            raise InputError(f"the matrix of {spec.code.name} is not the one that the settings are about")
        names = link.modulation.name, link.channel.name
        resolved = spec.resolved(link.code.n, *names, k=link.code.k, digest=digest)
        return cls(resolved, link, label or resolved.code.label)

    @property
    def name(self) -> str:
        """Parts and engine, for people."""
        return f"{self.link.name}, engine {self.spec.engine}, seed {self.spec.seed}"

    @property
    def batch_size(self) -> int:
        """Blocks computed at once unless told otherwise."""
        return max(1, min(256, 2**18 // self.link.code.n))

    def to_esno(self, value_db: float) -> float:
        """Es/N0 of a value of the kind that the spec is written in."""
        if self.spec.snr.kind == "esno":
            return value_db
        return EbN0(value_db).to_esn0(self.link.bits_per_use).db

    def to_ebno(self, esno_db: float) -> float:
        """Eb/N0 of an Es/N0."""
        return EsN0(esno_db).to_ebn0(self.link.bits_per_use).db

    def describe(self, esno_db: float) -> tuple[str, dict[str, Any]]:
        """Id and description of one point."""
        esno_db = round(esno_db, 6) + 0.0  # what names the condition is what is simulated, to the last digit
        condition = {"counting": RULES_VERSION, "esno_db": f"{esno_db:.6f}", **self.spec.condition()}
        return condition_id(condition), {
            "condition": condition,
            "esno_db": esno_db,
            "ebno_db": round(self.to_ebno(esno_db), 6) + 0.0,
            "channel_uses": self.link.channel_uses,
            "filler_bits": self.link.filler_bits,
        }


@dataclass
class Session:
    """What points that are simulated together share.

    Attributes
    ----------
    store:
        Where their counts go.
    show:
        Called whenever a point has changed.
    batch_size:
        Blocks computed at once; None is the chain's own.
    clock:
        When the last result came in.
    """

    store: Store
    show: Callable[[Point], None]
    batch_size: int | None = None
    clock: float = 0.0


class Point:
    """One SNR of a chain: a task for `benchmarks.runs.sweep.run`, known to the store from here on.

    Parameters
    ----------
    session, chain, esno_db:
        What, and where.
    enough:
        A further rule that ends the point.
    """

    def __init__(
        self, session: Session, chain: Chain, esno_db: float, enough: Callable[[Counts], bool] | None = None
    ) -> None:
        self._session = session
        self._enough = enough
        self.chain = chain
        self.condition, self.description = chain.describe(esno_db)
        session.store.register(self.condition, self.description)
        self.counts = counted(session.store, self.condition)
        self.stop = self._rule()

    @property
    def finished(self) -> bool:
        """Whether no further result is wanted."""
        return self.stop is not None or self.chain.ended

    def items(self) -> Iterator[Chunk]:
        """Chunks that are missing, up to the largest number of blocks."""
        if self.chain.ended:
            return
        if self.stop is not None:
            self._end()
            self._session.show(self)
            return
        self._session.store.finish(self.condition, None)
        spec, batch_size = self.chain.spec, self._session.batch_size or self.chain.batch_size
        done, most = self.counts.blocks, spec.stop.max_blocks
        while done < most:
            end = min(chunk_end(done), most)
            yield Chunk(spec, self.description["esno_db"], done, end - done, batch_size)
            done = end

    def accept(self, item: Chunk, result: Counts) -> None:
        """Store the counts of a chunk and ask the rules."""
        now = time.perf_counter()
        # Workers compute side by side, and starting them is no part of the point: whichever is shorter.
        seconds = min(result.seconds, now - self._session.clock)
        self._session.clock = now
        result = replace(result, seconds=seconds)
        self._session.store.add(self.condition, item.first, asdict(result))
        self.counts += result
        self.stop = self._rule()
        self._session.show(self)
        if self.stop is not None:
            self._end()

    def _end(self) -> None:
        if self.stop is None:
            return
        self._session.store.finish(self.condition, self.stop)
        floor = self.chain.spec.stop.below_bler
        if floor is not None and self.counts.block_errors < floor * self.counts.blocks:
            self.chain.ended = True

    def _rule(self) -> str | None:
        counts, rules = self.counts, self.chain.spec.stop
        # A former run may have ended inside a chunk, at its own --max-blocks; rules are asked where a run in
        # one piece would ask them.
        whole = on_grid(counts.blocks) or counts.blocks >= rules.max_blocks
        if whole and counts.block_errors >= rules.block_errors:
            return "block errors"
        if counts.blocks >= rules.max_blocks:
            return "max blocks"
        if rules.seconds is not None and counts.seconds >= rules.seconds:
            return "seconds"
        if whole and counts.blocks and self._enough is not None and self._enough(counts):
            return "off target"
        return None

    @property
    def stats(self) -> PointStats:
        """What was counted so far; it must have counts."""
        return PointStats.of(self.description, self.counts, self.stop, self.chain.spec.confidence)

    def seconds_left(self) -> float:
        """Estimate from the pace and the error rate so far, infinite while there is nothing to go by."""
        counts, rules = self.counts, self.chain.spec.stop
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
