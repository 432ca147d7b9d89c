"""Find the SNR at which the block error rate meets a target.

The SNR lies on a grid of 0.01 dB, so that every point that was tried is a point like any other and is found
again when a run is resumed. Far from the target a point ends as soon as it is sure to be far; near it, it
counts as many errors as any point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.links.counting import Counts
from benchmarks.runs.statistics import rate_interval

__all__ = ["STEP_DB", "Probe", "RequiredSnr", "find_required_snr", "is_off", "reachable"]

STEP_DB = 0.01
_NEAR = 2.5  # odds; a log BLER is close to straight over so short a way
_BESIDE = 2.0  # odds at which a neighbour is put, clear of the target with the usual 100 errors
_SURE = 0.999  # asked again and again as blocks come in, hence far above the confidence of an interval
_GALLOP = 50  # grid steps
_MOST_PROBES = 60

Probe = Callable[[float, Callable[[Counts], bool]], Counts]
"""Simulates an Es/N0 in dB, until a rule says that the counts suffice or as long as any point."""


@dataclass(frozen=True)
class RequiredSnr:
    """The SNR that a block error rate requires.

    Attributes
    ----------
    target:
        Block error rate.
    esno_db:
        Es/N0 at which it is met, interpolated in the logarithm of the BLER; None if it was not found.
    low_db, high_db:
        Where the lower and the upper limits of the points' intervals, joined in the same way, meet it.
    nearest_db:
        Es/N0 of the point next to it.
    counts:
        Of that point.
    reason:
        Why there is none; empty if there is one.
    """

    target: float
    esno_db: float | None = None
    low_db: float | None = None
    high_db: float | None = None
    nearest_db: float | None = None
    counts: Counts | None = None
    reason: str = ""


def reachable(target: float, max_blocks: int, confidence: float) -> bool:
    """Whether so many blocks without an error put the upper limit of the BLER below the target."""
    return rate_interval(0, max_blocks, confidence).high < target


def is_off(counts: Counts, target: float) -> bool:
    """Whether the BLER is surely more than a factor of 2.5 (in odds) away from a target."""
    low, high = rate_interval(counts.block_errors, counts.blocks, _SURE)
    odds = target / (1.0 - target)
    return low > odds * _NEAR / (1.0 + odds * _NEAR) or high < odds / _NEAR / (1.0 + odds / _NEAR)


def find_required_snr(
    target: float, probe: Probe, guess_db: float, low_db: float, high_db: float, confidence: float
) -> RequiredSnr:
    """Bracket a target, close in, and interpolate.

    Parameters
    ----------
    target:
        Block error rate, between 0 and 1.
    probe:
        Simulates a point. The error rate it finds is supposed to fall with the SNR.
    guess_db, low_db, high_db:
        Es/N0 where to begin, and between which to search.
    confidence:
        Of the intervals.
    """
    first, last = math.ceil(low_db / STEP_DB - 1e-6), math.floor(high_db / STEP_DB + 1e-6)
    search = _Search(target, confidence, first, last)
    place: int | None = search.inside(round(guess_db / STEP_DB))
    while place is not None and len(search.known) < _MOST_PROBES:
        search.known[place] = probe(_decibels(place), lambda counts: is_off(counts, target))
        place = search.following()
    return search.required()


def _decibels(place: float) -> float:
    return round(place * STEP_DB, 6)


class _Search:
    """Points tried so far, by their place on the grid."""

    def __init__(self, target: float, confidence: float, first: int, last: int) -> None:
        self.known: dict[int, Counts] = {}
        self._target = target
        self._confidence = confidence
        self._first, self._last = first, max(first, last)

    def inside(self, place: int) -> int:
        """The nearest place of the interval to search."""
        return min(max(place, self._first), self._last)

    def following(self) -> int | None:
        """The place to try next; None when there is nothing more to learn, or nowhere to go."""
        span = max(_GALLOP, 2 * (max(self.known) - min(self.known)))
        left = self._above()
        if left is None:
            return self._new(self.inside(min(self.known) - span))
        right = self._below(left)
        if right is None:
            return self._new(self.inside(max(self.known) + span))
        between = self._between(left, right)
        if not between:
            done = right - left == 1 or (self._is_near(left) and self._is_near(right))
            return None if done else self._aim(left, right, 1.0)
        for end, inner, factor in ((left, between[0], _BESIDE), (right, between[-1], 1.0 / _BESIDE)):
            # With few errors a point can be undecided and yet beside the target.
            beside = (self._log_odds(inner) - _log_odds(self._target)) / math.log(factor) > 0.5
            if abs(end - inner) > 1 and not self._is_near(end) and not beside:
                return self._aim(min(end, inner), max(end, inner), factor)
        return None

    def required(self) -> RequiredSnr:
        """Interpolate between the points around the target."""
        left = self._above()
        right = None if left is None else self._below(left)
        if left is None or right is None:
            side = "below" if left is None else "above"
            end = _decibels(min(self.known) if left is None else max(self.known))
            return RequiredSnr(self._target, reason=f"the target lies {side} an Es/N0 of {end:g} dB")
        knots = [left, *self._between(left, right), right]
        limits = {place: self._interval(place) for place in knots}
        rates = {place: (c.block_errors or 0.5) / c.blocks for place, c in self.known.items()}
        middle = self._meet(knots, rates, last=True)
        nearest = min(knots, key=lambda place: abs(place - middle))
        return RequiredSnr(
            self._target,
            _decibels(middle),
            _decibels(self._meet(knots, {place: limits[place][0] for place in knots}, last=False)),
            _decibels(self._meet(knots, {place: limits[place][1] for place in knots}, last=True)),
            _decibels(nearest),
            self.known[nearest],
        )

    def _meet(self, knots: list[int], rates: Mapping[int, float], last: bool) -> float:
        """Where rates joined by lines over the logarithm fall through the target, first or last."""
        steps = [(a, b) for a, b in pairwise(knots) if rates[a] >= self._target > rates[b]]
        a, b = steps[-1 if last else 0]
        high, low = (math.log(max(rates[place] / self._target, 0.01)) for place in (a, b))
        return a + (b - a) * high / (high - low)

    def _new(self, place: int) -> int | None:
        return None if place in self.known else place

    def _interval(self, place: int) -> tuple[float, float]:
        counts = self.known[place]
        return rate_interval(counts.block_errors, counts.blocks, self._confidence)

    def _above(self) -> int | None:
        """The last place whose rate is above the target."""
        return max((p for p in self.known if self._interval(p)[0] > self._target), default=None)

    def _below(self, left: int) -> int | None:
        """The first place behind another whose rate is below the target."""
        below = (p for p in self.known if p > left and self._interval(p)[1] < self._target)
        return min(below, default=None)

    def _between(self, left: int, right: int) -> list[int]:
        return sorted(place for place in self.known if left < place < right)

    def _log_odds(self, place: int) -> float:
        counts = self.known[place]
        return math.log((counts.block_errors + 0.5) / (counts.blocks - counts.block_errors + 0.5))

    def _is_near(self, place: int) -> bool:
        return abs(self._log_odds(place) - _log_odds(self._target)) <= math.log(_NEAR)

    def _aim(self, left: int, right: int, factor: float) -> int:
        """The inner place where the odds should be the target's times a factor."""
        high, low = self._log_odds(left), self._log_odds(right)
        wanted = _log_odds(self._target) + math.log(factor)
        part = (high - wanted) / (high - low) if high > low else 0.5
        place = round(left + (right - left) * min(max(part, 0.1), 0.9))
        return min(max(place, left + 1), right - 1)


def _log_odds(rate: float) -> float:
    return math.log(rate / (1.0 - rate))
