"""Modulation-coding schemes by index (TS 38.214), and the transport block that goes onto given resources."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

__all__ = ["TABLES", "McsEntry", "Resources", "mcs_entry", "transport_block_size"]

TABLES = ("table1", "table2", "table3")
"""Tables 5.1.3.1-1 (64-QAM), -2 (256-QAM) and -3 (64-QAM, low spectral efficiency)."""

_MODULATIONS = {2: "qpsk", 4: "qam16", 6: "qam64", 8: "qam256"}

# Table 5.1.3.2-1
_SIZES = (
    *range(24, 193, 8), *range(208, 385, 16), *range(408, 577, 24), *range(608, 769, 32),
    *(808, 848, 888, 928, 984, 1032, 1064, 1128), *range(1160, 1321, 32), *range(1352, 1929, 64),
    *range(2024, 2281, 64), *range(2408, 2857, 64), 2976, 3104, *range(3240, 3753, 128), 3824,
)  # fmt: skip
_RESOURCES_A_BLOCK = 156


@dataclass(frozen=True)
class McsEntry:
    """One row of a table.

    Attributes
    ----------
    name:
        ``38.214:table1:10``.
    bits_per_symbol:
        Q_m.
    rate:
        Target code rate R.
    """

    name: str
    bits_per_symbol: int
    rate: Fraction

    @property
    def modulation(self) -> str:
        """Name of the constellation (`phy.modulation`)."""
        return _MODULATIONS[self.bits_per_symbol]


@lru_cache(maxsize=1)
def _entries() -> dict[str, McsEntry]:
    with Path(__file__).with_name("mcs.csv").open() as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        named = [(f"38.214:{row['table']}:{row['index']}", row) for row in rows]
    return {name: McsEntry(name, int(row["qm"]), Fraction(row["rate_1024"]) / 1024) for name, row in named}


def mcs_entry(name: str) -> McsEntry:
    """Read ``38.214:TABLE:INDEX``.

    Raises
    ------
    ValueError
        If there is no such row.

    Examples
    --------
    >>> entry = mcs_entry("38.214:table1:10")
    >>> entry.modulation, float(entry.rate * 1024)
    ('qam16', 340.0)
    """
    entry = _entries().get(name)
    if entry is None:
        last = {table: sum(f":{table}:" in known for known in _entries()) - 1 for table in TABLES}
        there_are = ", ".join(f"38.214:{table}:0 to {index}" for table, index in last.items())
        raise ValueError(f"an MCS is {there_are}, got {name!r}")
    return entry


@dataclass(frozen=True)
class Resources:
    """What a transport block may use of the grid, one layer.

    Attributes
    ----------
    prb:
        n_PRB, resource blocks of 12 subcarriers, 1 to 275.
    symbols:
        OFDM symbols of the slot, 1 to 14.
    dmrs:
        Resource elements of pilots in a resource block, N_DMRS.
    overhead:
        Further ones that are not used, N_oh: 0, 6, 12 or 18.

    Raises
    ------
    ValueError
        If a number is outside its range, or nothing is left.

    Examples
    --------
    >>> Resources(prb=50, symbols=14, dmrs=12).channel_uses
    7800
    """

    prb: int = 50
    symbols: int = 14
    dmrs: int = 12
    overhead: int = 0

    def __post_init__(self) -> None:
        if not (1 <= self.prb <= 275 and 1 <= self.symbols <= 14):
            raise ValueError(
                "resources have 1 to 275 resource blocks and 1 to 14 symbols, "
                f"got {self.prb} and {self.symbols}"
            )
        if self.overhead not in (0, 6, 12, 18) or not 0 <= self.dmrs < 12 * self.symbols - self.overhead:
            raise ValueError(
                f"pilots and an overhead of 0, 6, 12 or 18 must leave some of {12 * self.symbols} resource "
                f"elements, got dmrs = {self.dmrs} and overhead = {self.overhead}"
            )

    @property
    def _each(self) -> int:
        return 12 * self.symbols - self.dmrs - self.overhead

    @property
    def channel_uses(self) -> int:
        """Resource elements that carry coded bits."""
        return self._each * self.prb

    @property
    def counted(self) -> int:
        """N_RE of step 1: at most 156 of each resource block."""
        return min(_RESOURCES_A_BLOCK, self._each) * self.prb


def transport_block_size(elements: int, bits_per_symbol: int, rate: Fraction) -> int:
    """Size of a transport block on one layer, in bits (TS 38.214, clause 5.1.3.2, steps 2 to 4).

    With N = N_RE R Q_m: up to 3,824 the next size of table 5.1.3.2-1 from N rounded down to a multiple of
    2^n, n = max(3, floor(log2 N) - 6); above, from N - 24 rounded to a multiple of 2^n with
    n = floor(log2(N - 24)) - 5, the next size whose code blocks are equally long and of whole bytes.

    Parameters
    ----------
    elements:
        N_RE.
    bits_per_symbol:
        Q_m.
    rate:
        R.

    Examples
    --------
    >>> transport_block_size(7800, 4, Fraction(340, 1024))
    10248
    """
    information = elements * bits_per_symbol * rate
    if information <= _SIZES[-1]:
        step = 1 << max(3, math.floor(information).bit_length() - 1 - 6)
        wanted = max(24, step * math.floor(information / step))
        return min(size for size in _SIZES if size >= wanted)
    step = 1 << (math.floor(information - 24).bit_length() - 1 - 5)
    wanted = max(3840, step * math.floor((information - 24) / step + Fraction(1, 2)))
    if rate <= Fraction(1, 4):
        blocks = -(-(wanted + 24) // 3816)
    else:
        blocks = -(-(wanted + 24) // 8424) if wanted > 8424 else 1
    return 8 * blocks * -(-(wanted + 24) // (8 * blocks)) - 24
