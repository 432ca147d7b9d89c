"""Where a point of a curve lies: at an SNR, or at a probability of a binary channel."""

from __future__ import annotations

from typing import Any

from benchmarks.settings.ber import SnrSpec
from phy.units import EbN0, EsN0, EventProbability

__all__ = ["Level", "columns", "key", "levels", "rounded"]

Level = EsN0 | EventProbability


def levels(spec: SnrSpec, bits_per_use: float) -> list[Level]:
    """Points of a sweep, for a link of so many information bits a channel use.

    Examples
    --------
    >>> levels(SnrSpec(kind="ebno", values_db=[3.0]), bits_per_use=1.0)
    [EsN0(db=3.0)]
    >>> levels(SnrSpec(kind="p", values_db="0.1,0.2"), bits_per_use=0.5)
    [EventProbability(value=0.1), EventProbability(value=0.2)]
    """
    if spec.kind == "p":
        return [EventProbability(value) for value in spec.values_db]
    if spec.kind == "esno":
        return [EsN0(value) for value in spec.values_db]
    return [EbN0(value).to_esn0(bits_per_use) for value in spec.values_db]


def rounded(level: Level) -> Level:
    """The level that its name tells, to the last digit: what names a condition is what is simulated."""
    if isinstance(level, EventProbability):
        return EventProbability(float(f"{level.value:.9g}"))
    return EsN0(round(level.db, 6) + 0.0)


def key(level: Level) -> tuple[str, str]:
    """Name and text of a level, as conditions have them.

    Examples
    --------
    >>> key(EsN0(3.0)), key(EventProbability(0.05))
    (('esno_db', '3.000000'), ('p', '0.05'))
    """
    if isinstance(level, EventProbability):
        return "p", f"{level.value:.9g}"
    return "esno_db", f"{level.db:.6f}"


def columns(level: Level, bits_per_use: float) -> dict[str, Any]:
    """What rows say of a level: both SNRs, or the probability; the others are None."""
    if isinstance(level, EventProbability):
        return {"esno_db": None, "ebno_db": None, "p": level.value}
    return {"esno_db": level.db, "ebno_db": round(level.to_ebn0(bits_per_use).db, 6) + 0.0}
