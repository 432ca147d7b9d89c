"""What descents found at one SNR of one link, and whether that can be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.runs.statistics import Interval, scattered_interval
from benchmarks.runs.store import Store
from phy.rare.descent import Descent
from phy.rare.weighting import effective

__all__ = ["COLUMNS", "FEWEST", "FloorStats", "load_floor", "stored"]

COLUMNS = {
    "bler": "REAL NOT NULL",
    "ber": "REAL NOT NULL",
    "families": "REAL NOT NULL",
    "blocks": "INTEGER NOT NULL",
    "seconds": "REAL NOT NULL",
}
"""Columns of a descent in the store; its item is its number."""

FEWEST = 8
"""Descents without which nothing is said of their scatter."""

_FEWEST_EFFECTIVE, _FEWEST_FAMILIES = 4.0, 30.0
_INTERRUPTED = "interrupted"
_JSON = (
    *("code", "esno_db", "ebno_db", "blocks", "descents", "ber", "ber_low", "ber_high"),
    *("bler", "bler_low", "bler_high", "equivalent_errors", "families", "largest_share", "doubt"),
    *("engine", "seconds", "stop"),
)


@dataclass(frozen=True)
class FloorStats:
    """Error rates at one SNR of one link, from independent descents (`phy.rare.descent.descend`).

    Attributes
    ----------
    condition:
        What names the point.
    esno_db, ebno_db, channel_uses, filler_bits:
        As of `benchmarks.links.results.PointStats`.
    ladder:
        Strengths of the noise and moves of its descents, as JSON has `phy.rare.ladder.Ladder`.
    found:
        One at least.
    seconds:
        Time they took.
    stop:
        Which rule ended the point.
    confidence:
        Of the intervals.

    Examples
    --------
    >>> found = [Descent(1e-9 * x, 1e-10 * x, 9.0, 5000) for x in (1.0, 1.2, 0.9, 1.1, 0.8, 1.0, 1.1, 0.9)]
    >>> point = FloorStats({"code": {"name": "none"}}, 3.0, 3.0, 64, 0, {}, found, 0.5)
    >>> f"{point.bler:.2e}", f"{point.bler_low:.2e}", f"{point.bler_high:.2e}", point.doubt
    ('1.00e-09', '8.96e-10', '1.12e-09', None)
    >>> FloorStats({"code": {"name": "none"}}, 3.0, 3.0, 64, 0, {}, found[:2], 0.5).doubt
    'few descents'
    """

    condition: Mapping[str, Any]
    esno_db: float
    ebno_db: float
    channel_uses: int
    filler_bits: int
    ladder: Mapping[str, Any]
    found: Sequence[Descent]
    seconds: float
    stop: str = _INTERRUPTED
    confidence: float = 0.95
    name: None = None
    p: None = None

    @classmethod
    def of(
        cls,
        description: Mapping[str, Any],
        found: Sequence[Descent],
        seconds: float,
        stop: str | None,
        confidence: float,
    ) -> FloorStats:
        """Make one of a condition's description in the store."""
        return cls(
            **description, found=found, seconds=seconds, stop=stop or _INTERRUPTED, confidence=confidence
        )

    @property
    def code(self) -> str:
        """Name of the channel code."""
        return str(self.condition["code"]["name"])

    @property
    def engine(self) -> str:
        """What decoded."""
        return str(self.condition["engine"])

    @property
    def descents(self) -> int:
        """How many there are."""
        return len(self.found)

    @property
    def blocks(self) -> int:
        """Blocks decoded, those by which the ladder was chosen apart."""
        return sum(each.blocks for each in self.found)

    @property
    def bler(self) -> float:
        """Block error rate: the mean of unbiased estimates."""
        return float(np.mean([each.bler for each in self.found]))

    @property
    def ber(self) -> float:
        """Bit error rate."""
        return float(np.mean([each.ber for each in self.found]))

    @property
    def bler_interval(self) -> Interval:
        """Limits of the block error rate, from the scatter of the descents."""
        return scattered_interval([each.bler for each in self.found], self.confidence)

    @property
    def ber_interval(self) -> Interval:
        """Limits of the bit error rate."""
        return scattered_interval([each.ber for each in self.found], self.confidence)

    @property
    def bler_low(self) -> float:
        """Lower limit of the block error rate."""
        return self.bler_interval.low

    @property
    def bler_high(self) -> float:
        """Upper limit of the block error rate."""
        return self.bler_interval.high

    @property
    def ber_low(self) -> float:
        """Lower limit of the bit error rate."""
        return self.ber_interval.low

    @property
    def ber_high(self) -> float:
        """Upper limit of the bit error rate."""
        return self.ber_interval.high

    @property
    def equivalent_errors(self) -> float:
        """Counted errors that would tell the block error rate as well: its squared relative precision."""
        rates = np.array([each.bler for each in self.found])
        if len(rates) < 2 or not rates.any():
            return 0.0
        variance = float(rates.var(ddof=1)) / len(rates)
        return float(rates.mean()) ** 2 / variance if variance else math.inf

    @property
    def largest_share(self) -> float:
        """Share of the largest estimate in the sum of all; 1 where all are 0."""
        rates = [each.bler for each in self.found]
        return max(rates) / sum(rates) if any(rates) else 1.0

    @property
    def families(self) -> float:
        """Effective number of independently drawn blocks from which all estimates come."""
        shares = [(each.bler, each.families) for each in self.found if each.bler]
        total = sum(rate for rate, _ in shares)
        return total**2 / sum(rate**2 / families for rate, families in shares) if shares else 0.0

    @property
    def doubt(self) -> str | None:
        """Why the interval is not to be trusted; None if nothing speaks against it."""
        rates = np.array([each.bler for each in self.found])
        if len(rates) < FEWEST:
            return "few descents"
        if not rates.any() or effective(rates) < _FEWEST_EFFECTIVE:
            return "few outweigh the others"
        return "few families" if self.families < _FEWEST_FAMILIES else None

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints of it."""
        return {name: None if (value := getattr(self, name)) == math.inf else value for name in _JSON}

    def of_curve(self) -> dict[str, Any]:
        """Return the settings of which one command takes several values, as columns of ``curves.csv``."""
        code = self.condition["code"]
        return {
            **{name: code.get(name) for name in ("k", "n")},
            "algorithm": code["decoder"]["algorithm"],
            **{name: self.condition[name] for name in ("modulation", "channel")},
        }

    def to_csv_row(self) -> dict[str, Any]:
        """Return it as a row of ``curves.csv``."""
        row = self.to_json()
        return {"code": row.pop("code"), **self.of_curve(), "sampling": "importance", **row}


def stored(store: Store, condition: str) -> tuple[list[Descent], float]:
    """Descents of a condition so far, in order, and the time that they took."""
    rows = store.rows(condition)
    names = Descent.__dataclass_fields__
    return [Descent(**{name: row[name] for name in names}) for row in rows], sum(
        row["seconds"] for row in rows
    )


def load_floor(store: Store, confidence: float) -> dict[str, FloorStats]:
    """Points of a run by their condition; a condition without a descent is absent."""
    found = {}
    for condition in store.conditions():
        descents, seconds = stored(store, condition.id)
        if descents:
            found[condition.id] = FloorStats.of(
                condition.description, descents, seconds, condition.stop, confidence
            )
    return found
