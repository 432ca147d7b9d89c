"""Finite fields of characteristic 2, and the generators of the cyclic codes over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["DEGREES", "Field", "bch_designs", "coset"]

# Primitive polynomials with the fewest terms, as the tables of Lin and Costello ("Error Control Coding",
# table 2.7) have them, bit i the coefficient of x^i.
_PRIMITIVE = {
    2: 0b111, 3: 0b1011, 4: 0b10011, 5: 0b100101, 6: 0b1000011, 7: 0b10001001, 8: 0b100011101,
    9: 0b1000010001, 10: 0b10000001001, 11: 0b100000000101, 12: 0b1000001010011, 13: 0b10000000011011,
    14: 0b100010001000011, 15: 0b1000000000000011, 16: 0b10001000000001011,
}  # fmt: skip

DEGREES = tuple(_PRIMITIVE)
"""Degrees m of the fields GF(2^m) that there are."""


@dataclass(frozen=True)
class Field:
    """GF(2^m) by the powers of its primitive element a; elements are integers, bit i the coefficient of a^i.

    Attributes
    ----------
    m:
        Bits of an element.
    exp:
        a^i for i from 0 to 2 (2^m - 1), ``int32``, so that sums of two logarithms need no remainder.
    log:
        Its inverse, ``[2^m]``, ``int32``; of 0, which has none, -1.

    Examples
    --------
    >>> field = Field.of(3)  # a^3 = a + 1
    >>> field.exp[:8].tolist()
    [1, 2, 4, 3, 6, 7, 5, 1]
    """

    m: int
    exp: NDArray[np.int32]
    log: NDArray[np.int32]

    @classmethod
    @lru_cache(maxsize=len(_PRIMITIVE))
    def of(cls, m: int) -> Field:
        """Build the field of 2^m elements.

        Raises
        ------
        ValueError
            If ``m`` is none of `DEGREES`.
        """
        if m not in _PRIMITIVE:
            raise ValueError(f"fields are GF(2^m) with m from {DEGREES[0]} to {DEGREES[-1]}, got m = {m}")
        order = (1 << m) - 1
        exp: NDArray[np.int32] = np.empty(2 * order + 1, np.int32)
        log: NDArray[np.int32] = np.full(order + 1, -1, np.int32)
        element = 1
        for power in range(order):
            exp[power] = element
            log[element] = power
            element <<= 1
            if element >> m:
                element ^= _PRIMITIVE[m]
        exp[order : 2 * order] = exp[:order]
        exp[2 * order] = exp[0]
        return cls(m, exp, log)

    @property
    def order(self) -> int:
        """Number of powers of a, 2^m - 1."""
        return (1 << self.m) - 1

    def with_roots(self, powers: Iterable[int]) -> NDArray[np.int32]:
        """Polynomial with the roots a^p, highest coefficient, which is 1, first."""
        polynomial: NDArray[np.int32] = np.ones(1, np.int32)
        for power in powers:
            # (x - a^p) times what there is
            logs = self.log[polynomial]
            scaled = np.where(logs < 0, np.int32(0), self.exp[(logs + power) % self.order])
            polynomial = np.bitwise_xor(np.append(polynomial, 0), np.append(0, scaled), dtype=np.int32)
        return polynomial


def coset(m: int, power: int) -> list[int]:
    """Exponents of the conjugates of a^power: power, 2 power, 4 power, ... modulo 2^m - 1.

    Examples
    --------
    >>> coset(4, 3)
    [3, 6, 12, 9]
    """
    found = [power]
    while (following := 2 * found[-1] % ((1 << m) - 1)) != power:
        found.append(following)
    return found


def bch_designs(m: int, most_parity: int) -> Iterator[tuple[int, int]]:
    """Errors t that narrow-sense binary BCH codes of length 2^m - 1 correct, and their parity bits.

    Of codes with equally many parity bits, which are the same code, the last and largest t is the one to
    take (the BCH bound on its minimum distance is 2 t + 1).

    Examples
    --------
    >>> list(bch_designs(4, 10))  # (15, 11), (15, 7) and (15, 5)
    [(1, 4), (2, 8), (3, 10)]
    """
    roots: set[int] = set()
    t = 0
    while 2 * t + 1 < (1 << m) - 1:
        added = coset(m, 2 * t + 1)
        roots.update(added)
        if len(roots) > most_parity:
            return
        t += 1
        yield t, len(roots)
