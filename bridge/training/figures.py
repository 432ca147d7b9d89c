"""What an evaluation finds: figures as counts a source, so that whoever reads them can derive intervals.

A source is what was drawn or taken independently: a scene, a photograph, a caption. What is counted within
one (the facts of a scene, the words of a caption) is not independent and stays together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Baseline", "Figure", "Mean", "Measured", "Pooled", "Share"]


@dataclass(frozen=True)
class Share:
    """So many of so many, ``sum(right) / sum(total)``.

    Attributes
    ----------
    right, total:
        Counts, one a source.
    """

    right: tuple[int, ...]
    total: tuple[int, ...]

    @property
    def value(self) -> float:
        """The share, in 0 to 1; NaN of nothing."""
        return sum(self.right) / sum(self.total) if any(self.total) else float("nan")


@dataclass(frozen=True)
class Mean:
    """A mean over sources.

    Attributes
    ----------
    values:
        One a source.
    """

    values: tuple[float, ...]

    @property
    def value(self) -> float:
        """The mean; NaN of nothing."""
        return float(np.mean(self.values)) if self.values else float("nan")


@dataclass(frozen=True)
class Pooled:
    """What follows from the sum of counts over all sources, such as corpus BLEU.

    Attributes
    ----------
    counts:
        ``[sources, ...]``, integers.
    function:
        From their sum ``[...]`` to the figure.
    """

    counts: NDArray[np.int64]
    function: Callable[[NDArray[Any]], float]

    @property
    def value(self) -> float:
        """The figure of all sources."""
        return self.function(self.counts.sum(axis=0))


Measured = Share | Mean | Pooled


@dataclass(frozen=True)
class Baseline:
    """What a figure is held against: the same question, put to something simpler on the same sources.

    Attributes
    ----------
    name:
        Without white space.
    measured:
        Its answer.
    """

    name: str
    measured: Measured


@dataclass(frozen=True)
class Figure:
    """One figure of a model.

    Attributes
    ----------
    name:
        What is measured, without white space: ``facts-told``.
    at:
        Under which condition, without white space: ``0dB``; empty if there is but one.
    measured:
        Its counts.
    baseline:
        What it is held against, if anything.
    unit:
        ``dB``, ``%`` of differences, or empty.
    """

    name: str
    at: str
    measured: Measured
    baseline: Baseline | None = None
    unit: str = ""
