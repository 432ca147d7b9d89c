"""Who counts the blocks of a run: processes, or threads of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks.links.chains import Chain, SpecifiedLink
from benchmarks.links.counting import Chunk, Counts, count, in_one_piece

__all__ = ["Crew"]


@dataclass(frozen=True)
class Crew:
    """Who counts: processes, or threads of this one.

    Attributes
    ----------
    count:
        What each does with a chunk.
    processes:
        How many; 1 is this one.
    """

    count: Callable[[Chunk], Counts]
    processes: int

    @classmethod
    def of(cls, chains: Sequence[Chain], workers: int) -> Crew:
        """Divide work on these chains among ``workers``.

        A process that is started costs seconds, and the compiled chain fills all cores from one.
        """
        links = [chain.link for chain in chains]
        threaded = all(isinstance(link, SpecifiedLink) and in_one_piece(link.spec) for link in links)
        if threaded and workers > 1:
            return cls(partial(count, threads=workers), 1)
        return cls(count, workers)
