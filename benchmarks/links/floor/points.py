"""Points of a curve as tasks: descents at one SNR until a rule ends them, kept in a store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from benchmarks.links.chains import Chain
from benchmarks.links.counting import link_of
from benchmarks.links.floor.stats import FEWEST, FloorStats, stored
from benchmarks.links.levels import Level, key, rounded
from benchmarks.runs.store import Store
from benchmarks.settings.ber import BerSpec
from benchmarks.settings.errors import InputError
from phy.links.digital import DigitalLink
from phy.random import Stream
from phy.rare.descent import Descent, descend
from phy.rare.failures import Failures
from phy.rare.ladder import Ladder
from phy.units import EsN0

__all__ = ["FloorPoint", "Job", "perform"]

_ASKED_EVERY = 4
"""Descents between two times that the rules are asked: an end that looks for a lucky scatter is biased."""


@dataclass(frozen=True)
class Job:
    """One descent: of settings, at an SNR, by a ladder, with a number."""

    spec: BerSpec
    snr: EsN0
    ladder: Ladder
    index: int


def perform(job: Job) -> tuple[Descent, float]:
    """Descend, and say how long it took."""
    begin = time.perf_counter()
    found = descend(_failures(job.spec, job.snr), job.ladder, _root(job.spec, job.snr).child(job.index))
    return found, time.perf_counter() - begin


def _root(spec: BerSpec, snr: EsN0) -> Stream:
    _, text = key(snr)
    return Stream(spec.seed, spec.channel, f"esno={text}", "floor")


def _failures(spec: BerSpec, snr: EsN0) -> Failures:
    link = link_of(spec, spec.engine)
    if not isinstance(link, DigitalLink):
        raise TypeError(f"settings with a floor have a link of symbols, sent once, got {link.name}")
    return Failures(link.code, link.modulation, snr)


class FloorPoint:
    """One SNR of a chain: a task for `benchmarks.runs.sweep.run`, known to the store from here on.

    Parameters
    ----------
    store:
        With `benchmarks.links.floor.stats.COLUMNS`.
    show:
        Called whenever the point has changed.
    chain, spec, level:
        What, and where.
    """

    def __init__(
        self,
        store: Store,
        show: Callable[[FloorPoint], None],
        chain: Chain,
        spec: BerSpec,
        level: Level,
    ) -> None:
        self._store, self._show = store, show
        self.chain, self._spec = chain, spec
        snr = rounded(level)
        if not isinstance(snr, EsN0):
            raise TypeError(f"a floor is estimated at an Es/N0, got {snr}")
        self.snr = snr
        self.condition, self.description = chain.describe(snr)
        with store.transaction():
            before = [each.description for each in store.conditions() if each.id == self.condition]
            self.description["ladder"] = before[0]["ladder"] if before else None
            store.register(self.condition, self.description)
            self.found, self.seconds = stored(store, self.condition)
            self.stop = self._rule()
            store.finish(self.condition, self.stop)

    @property
    def finished(self) -> bool:
        """Whether no further descent is wanted."""
        return self.stop is not None or self.chain.ended

    def items(self) -> Iterator[Job]:
        """Descents that are missing."""
        if self.chain.ended:
            return
        if self.stop is not None:
            self._end()
            self._show(self)
            return
        ladder, index = self._ladder(), len(self.found)
        while True:
            yield Job(self._spec, self.snr, ladder, index)
            index += 1

    def _ladder(self) -> Ladder:
        """The ladder of former descents, or one that is fitted and written down before the first."""
        if self.description["ladder"] is None:
            root = _root(self._spec, self.snr)
            try:
                chosen = Ladder.fitted(_failures(self._spec, self.snr), root, self._spec.floor or 1)
            except ValueError as error:
                raise InputError(str(error)) from error
            self.description["ladder"] = asdict(chosen)
            self._store.register(self.condition, self.description)
        ladder = self.description["ladder"]
        return Ladder(**{**ladder, **{name: tuple(ladder[name]) for name in ("scales", "steps")}})

    def accept(self, item: Job, result: tuple[Descent, float]) -> None:
        """Store a descent and ask the rules."""
        found, seconds = result
        self.found.append(found)
        self.seconds += seconds
        self.stop = self._rule()
        with self._store.transaction():
            self._store.add(self.condition, item.index, {**asdict(found), "seconds": seconds})
            self._store.finish(self.condition, self.stop)
        self._show(self)
        if self.stop is not None:
            self._end()

    def _end(self) -> None:
        floor = self.chain.plan.stop.below_bler
        if floor is not None and self.stats.bler < floor:
            self.chain.ended = True

    def _rule(self) -> str | None:
        if not self.found:
            return None
        stats, rules = self._of(None), self.chain.plan.stop
        whole = stats.descents >= FEWEST and stats.descents % _ASKED_EVERY == 0
        if whole and stats.doubt is None and stats.equivalent_errors >= rules.block_errors:
            return "block errors"
        if stats.blocks >= rules.max_blocks:
            return "max blocks"
        if rules.seconds is not None and stats.seconds >= rules.seconds:
            return "seconds"
        return None

    @property
    def stats(self) -> FloorStats:
        """What was found so far; there must be a descent."""
        return self._of(self.stop)

    def _of(self, stop: str | None) -> FloorStats:
        return FloorStats.of(self.description, self.found, self.seconds, stop, self.chain.plan.confidence)
