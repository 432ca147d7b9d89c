"""Points of a curve as tasks: blocks at one SNR until a rule ends them, kept in a store.

The rules that end a point are asked at the ends of chunks, in order, so the counts are the same however the
work was divided, interrupted or resumed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

from benchmarks.links.chains import Chain
from benchmarks.links.counting import Chunk, Counts, chunk_end, on_grid
from benchmarks.links.levels import Level, rounded
from benchmarks.links.results import PointStats, counted
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
        self.chain = chain
        self.level = rounded(level)
        self.condition, self.description = chain.describe(self.level)
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
        batch_size = self._session.batch_size or self.chain.batch_size
        done, most = self.counts.blocks, self.chain.plan.stop.max_blocks
        while done < most:
            end = min(chunk_end(done), most)
            yield self.chain.chunk(self.level, done, end - done, batch_size)
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
