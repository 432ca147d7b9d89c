"""Points of a curve as tasks: blocks at one SNR until a rule ends them, kept in a store.

The rules that end a point are asked at the ends of chunks, in order, so the counts are the same however the
work was divided, interrupted or resumed. A chunk that takes long is stored piece by piece, and the last piece
makes one row of all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

from benchmarks.links.chains import Chain
from benchmarks.links.counting import Chunk, Counts, chunk_end, chunk_start, on_grid
from benchmarks.links.levels import Level, rounded
from benchmarks.links.results import PointStats, counted
from benchmarks.runs import sweep
from benchmarks.runs.store import Store

__all__ = ["Point", "Session"]


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
    """One level of a chain: a task for `benchmarks.runs.sweep.run`, known to the store from here on.

    Parameters
    ----------
    session, chain, level:
        What, and where.
    enough:
        A further rule that ends the point.
    """

    def __init__(
        self, session: Session, chain: Chain, level: Level, enough: Callable[[Counts], bool] | None = None
    ) -> None:
        self._session = session
        self._enough = enough
        self._pace: float | None = None
        self.chain = chain
        self.level = rounded(level)
        self.condition, self.description = chain.describe(self.level)
        with session.store.transaction():
            session.store.register(self.condition, self.description)
            stored = counted(session.store, self.condition)
            self.counts = sum(stored.values(), Counts())
            begun = chunk_start(self.counts.blocks)
            self._pieces = {first: each for first, each in stored.items() if first >= begun}
            self.stop = self._rule()
            session.store.finish(self.condition, self.stop)

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
        batch_size = self._session.batch_size or self.chain.batch_size
        done, most = self.counts.blocks, self.chain.plan.stop.max_blocks
        while done < most:
            end = min(chunk_end(done), most)
            chunk = self.chain.chunk(self.level, done, end - done, batch_size)
            yield replace(chunk, pace=self._pace, seconds=sweep.SLICE_SECONDS)
            done = end

    def accept(self, item: Chunk, result: Counts) -> Chunk | None:
        """Store the counts of a chunk, or of its first blocks, and ask the rules; return the other blocks."""
        now = time.perf_counter()
        # Workers compute side by side, and starting them is no part of the point: whichever is shorter.
        seconds = min(result.seconds, now - self._session.clock)
        self._session.clock = now
        self._pace = result.seconds / result.blocks
        self._pieces[item.first] = replace(result, seconds=seconds)
        self.counts += self._pieces[item.first]
        self.stop = self._rule()
        with self._session.store.transaction():
            self._store(item.first, whole=result.blocks == item.blocks)
            self._session.store.finish(self.condition, self.stop)
        self._session.show(self)
        if self.stop is not None:
            self._end()
            return None
        first, blocks = item.first + result.blocks, item.blocks - result.blocks
        return replace(item, first=first, blocks=blocks, pace=self._pace) if blocks else None

    def _store(self, first: int, whole: bool) -> None:
        """Store the newest piece; where it makes a chunk whole, one row of all its pieces."""
        store, pieces = self._session.store, self._pieces
        if not whole or len(pieces) == 1:
            store.add(self.condition, first, asdict(pieces[first]))
        else:
            former = [each for each in pieces if each != first]
            total = sum(pieces.values(), Counts())
            store.merge(self.condition, former, min(pieces), asdict(total))
            self._pieces = {min(pieces): total}
        if on_grid(self.counts.blocks):
            self._pieces = {}

    def _end(self) -> None:
        floor = self.chain.plan.stop.below_bler
        if floor is not None and self.counts.block_errors < floor * self.counts.blocks:
            self.chain.ended = True

    def _rule(self) -> str | None:
        counts, rules = self.counts, self.chain.plan.stop
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
        return PointStats.of(self.description, self.counts, self.stop, self.chain.plan.confidence)

    def seconds_left(self) -> float:
        """Estimate from the pace and the error rate so far, infinite while there is nothing to go by."""
        counts, rules = self.counts, self.chain.plan.stop
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
