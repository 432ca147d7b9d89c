"""Which bits of a polar code carry what, and which are sent (TS 38.212, 5.3.1 and 5.4.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["DOWNLINK", "FROZEN", "INFORMATION", "PARITY", "UPLINK", "PolarStructure", "Usage"]

FROZEN, INFORMATION, PARITY = 0, 1, 2
_LARGEST_INTERLEAVED = 164

# P(i) of table 5.4.1.1-1.
_SUBBLOCKS = np.fromstring(
    "0 1 2 4 3 5 6 7 8 16 9 17 10 18 11 19 12 20 13 21 14 22 15 23 24 25 26 28 27 29 30 31", np.int64, sep=" "
)
# Pi of table 5.3.1.1-1.
_INTERLEAVED = np.fromstring(
    """
    0 2 4 7 9 14 19 20 24 25 26 28 31 34 42 45 49 50 51 53 54 56 58 59 61 62 65 66 67 69 70 71 72 76 77 81 82
    83 87 88 89 91 93 95 98 101 104 106 108 110 111 113 115 118 119 120 122 123 126 127 129 132 134 138 139
    140 1 3 5 8 10 15 21 27 29 32 35 43 46 52 55 57 60 63 68 73 78 84 90 92 94 96 99 102 105 107 109 112 114
    116 121 124 128 130 133 135 141 6 11 16 22 30 33 36 44 47 64 74 79 85 97 100 103 117 125 131 136 142 12 17
    23 37 48 75 80 86 137 143 13 18 38 144 39 145 40 146 41 147 148 149 150 151 152 153 154 155 156 157 158
    159 160 161 162 163
    """,
    np.int64,
    sep=" ",
)


@dataclass(frozen=True)
class Usage:
    """How a channel uses the code.

    Attributes
    ----------
    name:
        ``uplink`` (control information on PUCCH and PUSCH, clauses 6.3.1 and 6.3.2) or ``downlink`` (control
        information on PDCCH, clause 7.3).
    largest_order:
        n_max; the mother code has at most 2^n_max bits.
    interleaves_input, interleaves_output:
        I_IL and I_BIL.
    """

    name: str
    largest_order: int
    interleaves_input: bool
    interleaves_output: bool


UPLINK = Usage("uplink", 10, False, True)
DOWNLINK = Usage("downlink", 9, True, False)


@dataclass(frozen=True, eq=False)
class PolarStructure:
    """One code block: K bits c, their check sum included, in E bits.

    Attributes
    ----------
    k, e:
        K and E.
    order:
        The mother code has N = 2^order bits (5.3.1).
    roles:
        What each input bit of the transform is, `FROZEN`, `INFORMATION` or `PARITY`, ``[N]``, ``uint8``.
    places:
        Input bit that carries c_k, ``[K]``.
    sent:
        Output bit of the transform that is sent as bit i, ``[E]``.
    shortened:
        Output bits that are not sent because they are zero.
    """

    k: int
    e: int
    order: int
    roles: NDArray[np.uint8]
    places: NDArray[np.int64]
    sent: NDArray[np.int64]
    shortened: NDArray[np.int64]

    @property
    def length(self) -> int:
        """N, bits of the mother code."""
        return 1 << self.order

    @classmethod
    def of(cls, k: int, e: int, usage: Usage = UPLINK) -> PolarStructure:
        """Build the structure of K bits in E.

        Raises
        ------
        ValueError
            If the mother code is too short for K bits and their parity bits.

        Examples
        --------
        >>> PolarStructure.of(75, 96).length, int((PolarStructure.of(20, 100).roles == PARITY).sum())
        (128, 3)
        """
        order = _order(k, e, usage.largest_order)
        length = 1 << order
        parity = 3 if 18 <= k <= 25 and usage is UPLINK else 0
        ranking = _reliability()[_reliability() < length]  # least reliable first
        free = ranking[~np.isin(ranking, _frozen_by_rate_matching(k, e, length))]
        if k + parity > min(e, len(free)):
            raise ValueError(f"a polar code cannot hold {k} bits and {parity} parity bits in {e}")
        chosen = free[len(free) - k - parity :]
        roles = np.zeros(length, dtype=np.uint8)
        roles[chosen] = INFORMATION
        roles[_parity_places(chosen, parity, e - k + 3 > 192)] = PARITY
        places = np.flatnonzero(roles == INFORMATION)
        if usage.interleaves_input:
            places = places[np.argsort(_input_order(k))]
        chosen_bits, shortened = _selection(k, e, length)
        if usage.interleaves_output:
            chosen_bits = chosen_bits[_triangle(e)]
        return cls(k, e, order, roles, places, chosen_bits, shortened)


@lru_cache(maxsize=1)
def _reliability() -> NDArray[np.int64]:
    """Q of table 5.3.1.2-1: input bits of the transform from the least reliable to the most."""
    text = Path(__file__).with_name("reliability.csv").read_text()
    return np.array(text.replace("\n", ",").strip(",").split(","), dtype=np.int64)


def _order(k: int, e: int, largest: int) -> int:
    """Order of the mother code, n of clause 5.3.1."""
    full = math.ceil(math.log2(e))
    first = full - 1 if 8 * e <= 9 * 2 ** (full - 1) and 16 * k < 9 * e else full
    return max(min(first, math.ceil(math.log2(8 * k)), largest), 5)


def _subblock(length: int) -> NDArray[np.int64]:
    """J(n) of clause 5.4.1.1."""
    n = np.arange(length)
    return _SUBBLOCKS[32 * n // length] * (length // 32) + n % (length // 32)


def _punctures(k: int, e: int) -> bool:
    return 16 * k <= 7 * e


def _frozen_by_rate_matching(k: int, e: int, length: int) -> NDArray[np.int64]:
    """Q_F,tmp of clause 5.4.1.1."""
    if e >= length:
        return np.arange(0)
    if not _punctures(k, e):
        return _subblock(length)[e:]
    head = (
        math.ceil((3 * length - 2 * e) / 4) if 4 * e >= 3 * length else math.ceil((9 * length - 4 * e) / 16)
    )
    return np.union1d(_subblock(length)[: length - e], np.arange(head))


def _parity_places(chosen: NDArray[np.int64], parity: int, by_weight: bool) -> NDArray[np.int64]:
    """Q_PC of clause 5.3.1.2: of the least reliable bits, and if E is large one of least row weight."""
    if not parity:
        return chosen[:0]
    if not by_weight:
        return chosen[:parity]
    others = chosen[parity:]
    weight = np.array([place.bit_count() for place in others.tolist()])
    return np.append(chosen[: parity - 1], others[weight == weight.min()][-1])


def _input_order(k: int) -> NDArray[np.int64]:
    """Pi(k) of clause 5.3.1.1: c'_k = c_Pi(k)."""
    shifted = _INTERLEAVED - (_LARGEST_INTERLEAVED - k)
    return shifted[shifted >= 0]


def _selection(k: int, e: int, length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Output bits that are sent (5.4.1.2), and those that are shortened."""
    interleaved = _subblock(length)
    if e >= length:
        return interleaved[np.arange(e) % length], interleaved[:0]
    if _punctures(k, e):
        return interleaved[length - e :], interleaved[:0]
    return interleaved[:e], interleaved[e:]


def _triangle(e: int) -> NDArray[np.int64]:
    """Clause 5.4.1.3: written by rows into a triangle, read by columns."""
    side = math.ceil((math.sqrt(8 * e + 1) - 1) / 2)
    row, column = np.nonzero(np.arange(side)[:, None] + np.arange(side) < side)
    written = np.lexsort((row, column))
    return written[written < e]
