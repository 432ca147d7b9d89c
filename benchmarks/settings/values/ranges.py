"""Ranges of decibels, and of probabilities, as people write them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation

from phy.units import LARGEST_DB

__all__ = ["parse_probabilities", "parse_range"]

_MOST_POINTS = 10_000


def parse_range(text: str) -> tuple[float, ...]:
    """Read SNRs in decibels from ``"first:last:step"``, numbers, or a mixture separated by commas.

    The last value belongs to the range when a whole number of steps leads to it. Repeated values count once.

    Raises
    ------
    ValueError
        If the text is no such list, a step never leads from first to last, or a value is no SNR
        (`phy.units.LARGEST_DB`).

    Examples
    --------
    >>> parse_range("0:1:0.5,2,3")
    (0.0, 0.5, 1.0, 2.0, 3.0)
    """
    values = _numbers(text, "an SNR range", "0:4:0.5 or 1,1.5,3")
    for value in values:
        if abs(value) > LARGEST_DB:
            raise ValueError(
                f"an SNR is from -{LARGEST_DB:g} to {LARGEST_DB:g} dB, got {value:g} in {text!r}"
            )
    return values


def parse_probabilities(text: str) -> tuple[float, ...]:
    """Read probabilities, written as `parse_range` has it.

    Raises
    ------
    ValueError
        If the text is no such list, or a value is not from 0 to 1.

    Examples
    --------
    >>> parse_probabilities("0.01:0.03:0.01")
    (0.01, 0.02, 0.03)
    """
    values = _numbers(text, "a range of probabilities", "0.01:0.1:0.01 or 0.02,0.05")
    for value in values:
        if not 0 <= value <= 1:
            raise ValueError(f"a probability is from 0 to 1, got {value:g} in {text!r}")
    return values


def _numbers(text: str, what: str, example: str) -> tuple[float, ...]:
    values: dict[float, None] = {}
    for part in text.split(","):
        try:
            numbers = [Decimal(field.strip()) for field in part.split(":")]
        except InvalidOperation:
            numbers = []
        if len(numbers) not in (1, 3) or not all(number.is_finite() for number in numbers):
            raise ValueError(
                f"{what} is first:last:step or numbers separated by commas, such as {example}, got {text!r}"
            )
        values.update(dict.fromkeys(_steps(numbers, text)))
    return tuple(values)


def _steps(numbers: Sequence[Decimal], text: str) -> Iterable[float]:
    if len(numbers) == 1:
        return [float(numbers[0])]
    first, last, step = numbers
    if step == 0 or (last - first) / step < 0:
        raise ValueError(f"a step of {step} never leads from {first} to {last} in the range {text!r}")
    count = int((last - first) / step) + 1
    if count > _MOST_POINTS:
        raise ValueError(f"the range {text!r} has {count} points, at most {_MOST_POINTS} work")
    # Decimal arithmetic: 0.1 + 0.1 + 0.1 must be the 0.3 of another range, because SNRs name conditions.
    return [float(first + index * step) for index in range(count)]
