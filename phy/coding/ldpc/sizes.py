"""Sizes of the LDPC codes of TS 38.212: base graph, lifting size, what a block may hold."""

from __future__ import annotations

__all__ = ["K_MAX", "K_MIN", "MAX_RATE", "lifting_size", "select_base_graph"]

K_MIN = 12
K_MAX = {1: 8448, 2: 3840}
"""Most information bits of a code block by base graph, K_cb of clause 5.2.2."""

MAX_RATE = 0.95
"""Highest code rate; TS 38.214, clause 5.1.3: a receiver need not decode above."""

MAX_PAYLOAD_WITH_CRC16 = 3824  # clause 7.2.1

# Table 5.3.2-1: set i_LS holds one of these times powers of two, up to 384.
_SETS = (2, 3, 5, 7, 9, 11, 13, 15)
_LARGEST = 384


def select_base_graph(payload_bits: int, rate: float) -> int:
    """Base graph for a payload of A bits at code rate R (TS 38.212, clauses 6.2.2 and 7.2.2).

    Examples
    --------
    >>> select_base_graph(292, 0.9), select_base_graph(3824, 0.67), select_base_graph(4000, 0.5)
    (2, 2, 1)
    """
    small = payload_bits <= 292 or (payload_bits <= MAX_PAYLOAD_WITH_CRC16 and rate <= 0.67)
    return 2 if small or rate <= 0.25 else 1


def lifting_size(k: int, base_graph: int) -> tuple[int, int]:
    """Lifting size Z_c of ``k`` information bits, and the index i_LS of its set (TS 38.212, clause 5.2.2).

    Examples
    --------
    >>> lifting_size(512, 2)  # the least Z of table 5.3.2-1 with 8 Z >= 512
    (64, 0)
    """
    columns = 22 if base_graph == 1 else 10 if k > 640 else 9 if k > 560 else 8 if k > 192 else 6
    sizes = [
        (base << power, index)
        for index, base in enumerate(_SETS)
        for power in range(8)
        if base << power <= _LARGEST and columns * (base << power) >= k
    ]
    return min(sizes)
