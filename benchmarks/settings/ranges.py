"""Ranges of decibels as people write them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation

from phy.units import LARGEST_DB

__all__ = ["parse_range"]

_MOST_POINTS = 10_000


def parse_range(text: str) -> tuple[float, ...]:
    """Read decibel values from ``"first:last:step"``, numbers, or a mixture separated by commas.

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
    values: dict[float, None] = {}
    for part in text.split(","):
        try:
            numbers = [Decimal(field.strip()) for field in part.split(":")]
        except InvalidOperation:
            numbers = []
        if len(numbers) not in (1, 3) or not all(number.is_finite() for number in numbers):
            raise ValueError(
                "an SNR range is first:last:step or numbers separated by commas, such as 0:4:0.5 or 1,1.5,3, "
                f"got {text!r}"
            )
        values.update(dict.fromkeys(_steps(numbers, text)))
    for value in values:
        if abs(value) > LARGEST_DB:
            raise ValueError(
                f"an SNR is from -{LARGEST_DB:g} to {LARGEST_DB:g} dB, got {value:g} in {text!r}"
            )
    return tuple(values)


def _steps(numbers: Sequence[Decimal], text: str) -> Iterable[float]:
    if len(numbers) == 1:
        return [float(numbers[0])]
    first, last, step = numbers
    if step == 0 or (last - first) / step < 0:
        raise ValueError(f"a step of {step} never leads from {first} to {last} in the SNR range {text!r}")
    count = int((last - first) / step) + 1
    if count > _MOST_POINTS:
        raise ValueError(f"the SNR range {text!r} has {count} points, at most {_MOST_POINTS} work")
    # Decimal arithmetic: 0.1 + 0.1 + 0.1 must be the 0.3 of another range, because SNRs name conditions.
    return [float(first + index * step) for index in range(count)]
