"""Signal-to-noise ratios and bandwidth ratios as types, converted in this one place.

Everywhere in this project *SNR* is Es/N0 per complex channel use at unit average transmit power, and N0
is the variance of the noise per complex dimension (half of it per real dimension).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["LARGEST_DB", "BandwidthRatio", "BudgetExceeded", "EbN0", "EsN0", "EventProbability"]

LARGEST_DB = 300.0
"""Largest SNR either way: noise of 1e-30, or 1e30, is still a plain float32 beside a symbol of 1."""

_FINEST_RATIO = 1_000_000
"""Largest denominator of a bandwidth ratio: 0.020833333333333332 is 1/48."""


class BudgetExceeded(ValueError):  # noqa: N818 - what it says is the name of the state
    """What is to be sent does not fit into the channel uses, or the bits, that it was given.

    A transmitter that raises it has not failed to work: its source counts as one that did not arrive.

    Examples
    --------
    >>> raise BudgetExceeded("the caption takes 872 channel uses, more than the 512 given")
    Traceback (most recent call last):
    phy.units.BudgetExceeded: the caption takes 872 channel uses, more than the 512 given
    """


def _decibels(db: float, name: str) -> float:
    value = float(db)
    if not abs(value) <= LARGEST_DB:
        raise ValueError(f"{name} must be from -{LARGEST_DB:g} to {LARGEST_DB:g} dB, got {db!r}")
    return value


@dataclass(frozen=True, order=True)
class EsN0:
    """Energy per complex channel use over noise density.

    Parameters
    ----------
    db:
        The ratio in decibels.

    Raises
    ------
    ValueError
        If ``db`` is beyond `LARGEST_DB` either way, or no number.

    Examples
    --------
    >>> EsN0(3.0).to_ebn0(bits_per_use=2.0).db.__round__(2)
    -0.01
    """

    db: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "db", _decibels(self.db, "Es/N0"))

    @property
    def linear(self) -> float:
        """Es/N0 as a plain ratio."""
        return float(10.0 ** (self.db / 10.0))

    @property
    def no(self) -> float:
        """Noise variance per complex dimension at unit symbol energy, N0 = 1 / (Es/N0)."""
        return float(10.0 ** (-self.db / 10.0))

    def to_ebn0(self, bits_per_use: float) -> EbN0:
        """Eb/N0 of a link that carries ``bits_per_use`` information bits a channel use: Eb = Es / R."""
        return EbN0(self.db - 10.0 * math.log10(bits_per_use))


@dataclass(frozen=True, order=True)
class EbN0:
    """Energy per information bit over noise density.

    Parameters
    ----------
    db:
        The ratio in decibels.

    Raises
    ------
    ValueError
        If ``db`` is beyond `LARGEST_DB` either way, or no number.

    Examples
    --------
    >>> EbN0(0.0).to_esn0(bits_per_use=0.5).db.__round__(2)
    -3.01
    """

    db: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "db", _decibels(self.db, "Eb/N0"))

    def to_esn0(self, bits_per_use: float) -> EsN0:
        """Es/N0 of a link that carries ``bits_per_use`` information bits a channel use: Es = Eb R."""
        return EsN0(self.db + 10.0 * math.log10(bits_per_use))


@dataclass(frozen=True, order=True)
class EventProbability:
    """Probability that a binary channel does something to a bit: flips it (BSC), or erases it (BEC).

    Parameters
    ----------
    value:
        From 0 to 1.

    Raises
    ------
    ValueError
        If it is anything else.

    Examples
    --------
    >>> EventProbability(0.05).value
    0.05
    """

    value: float

    def __post_init__(self) -> None:
        value = float(self.value)
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"a probability is from 0 to 1, got {self.value!r}")
        object.__setattr__(self, "value", value)


@dataclass(frozen=True, order=True)
class BandwidthRatio:
    """Complex channel uses per source sample (CBR), k / (3 H W) for an RGB picture.

    Parameters
    ----------
    value:
        The ratio.

    Raises
    ------
    ValueError
        If it is not positive.

    Examples
    --------
    >>> BandwidthRatio.parse("1/24").channel_uses(512, 768)
    49152
    """

    value: Fraction

    def __post_init__(self) -> None:
        if self.value <= 0:
            raise ValueError(f"bandwidth ratio must be positive, got {self.value}")

    @classmethod
    def parse(cls, text: str) -> BandwidthRatio:
        """Read ``"1/24"`` or ``"0.0417"``, as the nearest fraction with a denominator up to a million.

        Two ways of writing one ratio are one ratio, whatever the last digits of a floating-point number say.

        Raises
        ------
        ValueError
            If the text is no positive number or fraction.

        Examples
        --------
        >>> str(BandwidthRatio.parse("0.020833333333333325"))
        '1/48'
        """
        try:
            return cls(Fraction(text.strip()).limit_denominator(_FINEST_RATIO))
        except (ValueError, ZeroDivisionError) as error:
            raise ValueError(
                f"bandwidth ratio must be a positive fraction such as 1/24, or a number, got {text!r}"
            ) from error

    def channel_uses(self, height: int, width: int, channels: int = 3) -> int:
        """Whole complex channel uses that a picture of this size may take, rounded down."""
        return int(self.value * height * width * channels)

    def __str__(self) -> str:
        return str(self.value)
