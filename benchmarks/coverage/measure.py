"""Draw samples whose truth is known, and count how many of their intervals hold it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.runs.statistics import Interval, rate_interval
from phy.random import Stream

__all__ = ["Case", "Coverage", "measure"]


@dataclass(frozen=True)
class Case:
    """Samples of a known law, and the interval that is made of each.

    Attributes
    ----------
    interval:
        Where it is printed.
    law:
        What the samples are drawn from.
    sources:
        Independent ones in a sample.
    truth:
        What the interval is for.
    draw:
        Draws a sample and returns its interval at 95 %; None where nothing would be printed, which does not
        count.
    """

    interval: str
    law: str
    sources: int
    truth: float
    draw: Callable[[np.random.Generator], Interval | None]


@dataclass(frozen=True)
class Coverage:
    """How often an interval held the truth.

    Attributes
    ----------
    interval, law, sources:
        Of the `Case`.
    held, runs:
        Samples whose interval did, of those that had one.
    width:
        Median width of the intervals.
    """

    interval: str
    law: str
    sources: int
    held: int
    runs: int
    width: float

    @property
    def share(self) -> float:
        """Coverage."""
        return self.held / self.runs

    @property
    def limits(self) -> Interval:
        """Interval of the coverage itself at 95 %, Clopper and Pearson's."""
        return rate_interval(self.held, self.runs, method="clopper-pearson")

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        low, high = self.limits
        return {**asdict(self), "coverage": self.share, "low": low, "high": high}


def measure(case: Case, runs: int, seed: int = 1) -> Coverage:
    """Draw so many samples of a case.

    Examples
    --------
    An interval that knows nothing holds everything:

    >>> measure(Case("none", "any", 8, 0.5, lambda generator: Interval(0.0, 1.0)), runs=10).share
    1.0
    """
    generator = Stream(seed, "coverage", case.interval, case.law, case.sources).generator()
    found = [limits for _ in range(runs) if (limits := case.draw(generator)) is not None]
    held = sum(bool(limits.low <= case.truth <= limits.high) for limits in found)
    width = float(np.median([limits.high - limits.low for limits in found])) if found else np.nan
    return Coverage(case.interval, case.law, case.sources, held, len(found), width)
