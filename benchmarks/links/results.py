"""What links were found to do: points of a curve, and the SNRs at which targets are met."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks.links.counting import Counts
from benchmarks.runs.statistics import (
    Interval,
    Sums,
    clustered_rate_interval,
    rate_interval,
    summed_ratio_interval,
)
from benchmarks.runs.store import Store
from benchmarks.settings.codes import DecoderSpec

__all__ = ["COUNT_COLUMNS", "PointStats", "TargetRow", "counted", "load_points"]

COUNT_COLUMNS = {
    "blocks": "INTEGER NOT NULL",
    "block_errors": "INTEGER NOT NULL",
    "bits": "INTEGER NOT NULL",
    "bit_errors": "INTEGER NOT NULL",
    "squared_bit_errors": "INTEGER NOT NULL",
    "channel_uses": "INTEGER NOT NULL",
    "squared_channel_uses": "INTEGER NOT NULL",
    "right_channel_uses": "INTEGER NOT NULL",
    "seconds": "REAL NOT NULL",
}
"""Columns of a chunk in the store, those of `Counts`; its item is its first block."""

_INTERRUPTED = "interrupted"
"""Why a point ended that no rule has ended."""

_JSON = (
    *("code", "esno_db", "ebno_db", "blocks", "block_errors", "bits", "bit_errors"),
    *("ber", "ber_low", "ber_high", "bler", "bler_low", "bler_high"),
    *("transmissions", "transmissions_low", "transmissions_high"),
    *("throughput", "throughput_low", "throughput_high"),
    *("engine", "info_bits_per_second", "seconds", "stop"),
)


@dataclass(frozen=True)
class PointStats:
    """What was counted at one SNR of one link; rates and intervals follow from the counts.

    Attributes
    ----------
    condition:
        What names the point: link, channel, seed, Es/N0 or probability.
    esno_db, ebno_db:
        The SNR in decibels; None over a binary channel.
    channel_uses:
        Complex channel uses of one transmission of a block.
    filler_bits:
        Bits a block that fill its last symbol.
    counts:
        Of at least one block.
    stop:
        Which rule ended it.
    confidence:
        Of the intervals; `dataclasses.replace` gives those of another.
    p:
        Probability of a binary channel's flips or erasures; None at an SNR.
    name:
        Of a link that is an object; None for the link of settings, which goes by its code's.

    Examples
    --------
    3 of 1,000 blocks of 64 bits are wrong, in 10, 12 and 14 bits:

    >>> condition = {"code": {"name": "none"}, "engine": "compiled", "seed": 1}
    >>> squares = 10**2 + 12**2 + 14**2
    >>> counts = Counts(1000, 3, 64_000, 36, squares, 64_000, 64_000 * 64, 997 * 64, seconds=0.5)
    >>> point = PointStats(condition, 3.0, 3.0, 64, 0, counts)
    >>> point.bler, round(point.bler_low, 4), round(point.bler_high, 4)
    (0.003, 0.001, 0.0088)

    The same link over the blocks of another seed; counts add:

    >>> (point + replace(point, condition={**condition, "seed": 2})).block_errors
    6
    """

    condition: Mapping[str, Any]
    esno_db: float | None
    ebno_db: float | None
    channel_uses: int
    filler_bits: int
    counts: Counts
    stop: str = _INTERRUPTED
    confidence: float = 0.95
    name: str | None = None
    p: float | None = None

    @classmethod
    def of(
        cls, description: Mapping[str, Any], counts: Counts, stop: str | None, confidence: float
    ) -> PointStats:
        """Make one of a condition's description in the store."""
        return cls(**description, counts=counts, stop=stop or _INTERRUPTED, confidence=confidence)

    def __add__(self, other: PointStats) -> PointStats:
        """Add the counts of the same link at the same SNR over other blocks, those of other seeds.

        Raises
        ------
        ValueError
            If anything but the seed differs, or the seeds do not: equal seeds draw equal blocks.
        """
        seeds = [*self.seeds, *other.seeds]
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"equal seeds draw equal blocks, which would count twice, got seeds {seeds}")
        both = {**self.condition, "seed": seeds}
        stop = " + ".join(dict.fromkeys((self.stop, other.stop)))
        total = replace(self, condition=both, counts=self.counts + other.counts, stop=stop)
        if (
            replace(other, condition={**other.condition, "seed": seeds}, counts=total.counts, stop=stop)
            != total
        ):
            raise ValueError(f"points of one link at one SNR add, got {self._named()} and {other._named()}")
        return total

    def _named(self) -> str:
        place = f"p = {self.p:g}" if self.esno_db is None else f"{self.esno_db:g} dB of Es/N0"
        return f"{self.code} at {place}, confidence {self.confidence:g}"

    @property
    def seeds(self) -> tuple[int, ...]:
        """Roots of the random draws, several where points were added."""
        seed = self.condition["seed"]
        return (seed,) if isinstance(seed, int) else tuple(seed)

    @property
    def code(self) -> str:
        """Name of the channel code, or of the link that is an object."""
        name: str = self.name or self.condition["code"]["name"]
        return name

    @property
    def engine(self) -> str:
        """What simulated it; ``own`` for an object that does not say."""
        name: str = self.condition.get("engine", "own")
        return name

    @property
    def blocks(self) -> int:
        """Blocks sent."""
        return self.counts.blocks

    @property
    def block_errors(self) -> int:
        """Blocks decoded with any wrong information bit."""
        return self.counts.block_errors

    @property
    def bits(self) -> int:
        """Information bits sent."""
        return self.counts.bits

    @property
    def bit_errors(self) -> int:
        """Wrong information bits."""
        return self.counts.bit_errors

    @property
    def seconds(self) -> float:
        """Time it took."""
        return self.counts.seconds

    @property
    def ber(self) -> float:
        """Bit error rate."""
        return self.bit_errors / self.bits

    @property
    def bler(self) -> float:
        """Block error rate."""
        return self.block_errors / self.blocks

    @property
    def ber_interval(self) -> Interval:
        """Limits of the bit error rate, whose errors come in blocks."""
        counts = self.counts
        return clustered_rate_interval(
            counts.bit_errors, counts.bits, counts.squared_bit_errors, counts.blocks, self.confidence
        )

    @property
    def bler_interval(self) -> Interval:
        """Limits of the block error rate."""
        return rate_interval(self.block_errors, self.blocks, self.confidence)

    @property
    def ber_low(self) -> float:
        """Lower limit of the bit error rate."""
        return self.ber_interval.low

    @property
    def ber_high(self) -> float:
        """Upper limit of the bit error rate."""
        return self.ber_interval.high

    @property
    def bler_low(self) -> float:
        """Lower limit of the block error rate."""
        return self.bler_interval.low

    @property
    def bler_high(self) -> float:
        """Upper limit of the block error rate."""
        return self.bler_interval.high

    @property
    def transmissions(self) -> float:
        """Mean number of transmissions of a block."""
        return self.counts.channel_uses / (self.blocks * self.channel_uses)

    @property
    def transmissions_interval(self) -> Interval:
        """Limits of the mean number of transmissions: those of the share of first ones among all, inverted.

        Where no block was sent again, as many may be as Clopper and Pearson allow of blocks that never were.
        """
        low, high = self._share_of_transmissions(self.blocks, self.counts.channel_uses)
        return Interval(1.0 / high, 1.0 / low if low else math.inf)

    @property
    def throughput(self) -> float:
        """Information bits of blocks that arrived right, a channel use."""
        right = (self.blocks - self.block_errors) * (self.bits // self.blocks)
        return right / self.counts.channel_uses

    @property
    def throughput_interval(self) -> Interval:
        """Limits of the throughput: those of the share of transmissions that brought a block.

        A block that is sent often and lost counts with all its transmissions, so blocks are the groups of
        `benchmarks.runs.statistics.summed_ratio_interval`.
        """
        right = self.blocks - self.block_errors
        low, high = self._share_of_transmissions(right, self.counts.right_channel_uses)
        most = self.bits / self.blocks / self.channel_uses
        return Interval(most * low, most * high)

    def _share_of_transmissions(self, blocks: int, uses: int) -> Interval:
        """Limits of the share that some of the blocks, with these channel uses, are of all transmissions."""
        one, counts = self.channel_uses, self.counts
        squares = (one**2 * blocks, one * uses, counts.squared_channel_uses)
        sums = Sums(one * blocks, counts.channel_uses, *squares, groups=self.blocks)
        return summed_ratio_interval(sums, self.confidence)

    @property
    def transmissions_low(self) -> float:
        """Lower limit of the mean number of transmissions."""
        return self.transmissions_interval.low

    @property
    def transmissions_high(self) -> float:
        """Upper limit of the mean number of transmissions."""
        return self.transmissions_interval.high

    @property
    def throughput_low(self) -> float:
        """Lower limit of the throughput."""
        return self.throughput_interval.low

    @property
    def throughput_high(self) -> float:
        """Upper limit of the throughput."""
        return self.throughput_interval.high

    @property
    def info_bits_per_second(self) -> float | None:
        """Information bits simulated a second; None if no time was measured."""
        return self.bits / self.seconds if self.seconds else None

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints of it; a limit that is not known is None."""
        names = _JSON if self.p is None else ["p", *(name for name in _JSON if not name.endswith("no_db"))]
        return {name: None if (value := getattr(self, name)) == math.inf else value for name in names}

    def of_curve(self) -> dict[str, Any]:
        """Return the settings of which one command takes several values, as columns of ``curves.csv``."""
        code = self._code
        return {
            "code": self.code,
            "k": self.bits // self.blocks,
            "n": code.get("n"),
            "algorithm": code.get("decoder", {}).get("algorithm"),
            **{name: self.condition.get(name) for name in ("modulation", "channel")},
        }

    @property
    def _code(self) -> Mapping[str, Any]:
        """Settings of its code; empty for an object that has none."""
        known = self.condition.get("code")
        return known if isinstance(known, Mapping) else {}

    def to_csv_row(self) -> dict[str, Any]:
        """Return its row of ``curves.csv``: the parts of the link, then what ``--json`` prints."""
        curve, decoder = self.of_curve(), self._code.get("decoder", {})
        return {
            **{name: curve[name] for name in ("code", "k", "n")},
            **{name: decoder.get(name) for name in DecoderSpec.model_fields},
            **{name: self.condition.get(name) for name in ("modulation", "demapping", "channel")},
            "seed": self.seeds[0] if len(self.seeds) == 1 else "+".join(map(str, self.seeds)),
            "channel_uses": self.channel_uses,
            "filler_bits": self.filler_bits,
            **self.to_json(),
        }


@dataclass(frozen=True)
class TargetRow:
    """The SNR at which a link meets a block error rate.

    Attributes
    ----------
    code:
        Name of its code, or what else tells it from others.
    target_bler:
        The block error rate.
    esno_db, ebno_db:
        Where it is met, in decibels; None if that was not found.
    esno_low_db, ebno_low_db, esno_high_db, ebno_high_db:
        Limits of the interval.
    nearest_esno_db, bler, blocks, block_errors:
        The simulated point next to it.
    engine:
        What simulated.
    reason:
        Why there is none; None if there is one.
    """

    code: str
    target_bler: float
    esno_db: float | None
    ebno_db: float | None
    esno_low_db: float | None
    ebno_low_db: float | None
    esno_high_db: float | None
    ebno_high_db: float | None
    nearest_esno_db: float | None
    bler: float | None
    blocks: int | None
    block_errors: int | None
    engine: str
    reason: str | None

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints of it."""
        return asdict(self)


def load_points(store: Store, confidence: float) -> dict[str, PointStats]:
    """Points of a run by their condition, in the order in which they were first asked for.

    A condition without a row is absent.
    """
    found = {}
    for condition in store.conditions():
        counts = sum(counted(store, condition.id).values(), Counts())
        if counts.blocks:
            found[condition.id] = PointStats.of(condition.description, counts, condition.stop, confidence)
    return found


def counted(store: Store, condition: str) -> dict[int, Counts]:
    """Counts of a condition so far, row by row, by the first block of each."""
    rows = store.rows(condition)
    return {row["item"]: Counts(**{name: row[name] for name in COUNT_COLUMNS}) for row in rows}
