"""Q formats of fixed-point decoders."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LLR_BITS", "FixedPoint"]

# Fractional bits by width, from BLER simulations: 5G code (512, 1024), BPSK on AWGN, 20 layered iterations of
# offset-min-sum. Messages need to reach about 15: where they saturate at 8, BLER levels off at 4e-5 (22 of
# 5e5 blocks wrong at 2.5 dB and 6 bits; 3 where they reach 15, 4 in float32), for a gain of 0.02 dB at BLER
# 1e-2. That rate takes 2.9 dB with 3 bits and 2.3 dB with 4; with steps half as wide 6.5 and 3.3 dB.
_FRACTIONS = {3: -1, 4: 0, 5: 1, 6: 1, 7: 2, 8: 3, 16: 6}

LLR_BITS = tuple(_FRACTIONS)
"""Widths of fixed-point LLRs."""


@dataclass(frozen=True)
class FixedPoint:
    """A Q format for LLRs: ``bits`` in all, sign included, ``fraction`` of them behind the point.

    Channel LLRs and messages saturate symmetrically at ``bits`` bits. A-posteriori LLRs saturate at the
    width of their lane: 8 bits for ``bits`` up to 6, and 16 bits above. `phy.coding.propagation.reference`
    writes down what is computed.

    Parameters
    ----------
    bits:
        3 to 8, or 16.
    fraction:
        The least step is 2^-fraction; -1 and -2 make it 2 and 4.

    Raises
    ------
    ValueError
        If ``bits`` is not 3 to 8 or 16, or the fraction does not fit.

    Examples
    --------
    >>> FixedPoint.of(6)
    FixedPoint(bits=6, fraction=1)
    >>> FixedPoint(6, 1).largest  # 15.5
    31
    """

    bits: int
    fraction: int

    def __post_init__(self) -> None:
        if self.bits not in _FRACTIONS:
            raise ValueError(f"llr_bits must be 3, 4, 5, 6, 7, 8 or 16, got {self.bits}")
        if not -2 <= self.fraction < self.bits:
            raise ValueError(
                f"a {self.bits}-bit LLR has -2 to {self.bits - 1} fractional bits, got {self.fraction}"
            )

    @classmethod
    def of(cls, bits: int) -> FixedPoint:
        """Return the format of this width that decodes best with offset-min-sum.

        At 3 bits the offset rounds to 0. Normalised min-sum gains 0.2 dB from one more fractional bit at 6
        bits, and 0.1 dB at 7, at the price of a floor around BLER 1e-4.
        """
        return cls(bits, _FRACTIONS.get(bits, 0))

    @property
    def largest(self) -> int:
        """Largest channel LLR and message."""
        return (1 << (self.bits - 1)) - 1

    @property
    def lane(self) -> int:
        """Bits of the integer that holds an a-posteriori LLR, 8 or 16."""
        return 8 if self.bits <= 6 else 16

    @property
    def scale(self) -> float:
        """Integers a unit of LLR, 2^fraction."""
        return 2.0**self.fraction
