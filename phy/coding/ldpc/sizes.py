"""Sizes of the LDPC codes of TS 38.212."""

from __future__ import annotations

__all__ = ["select_base_graph"]

_MAX_TB_WITH_CRC16 = 3824  # clause 7.2.1


_LDPC_LIMIT = {1: 8448, 2: 3840}  # K_cb, clause 5.2.2


def select_base_graph(payload_bits: int, rate: float) -> int:
    """Base graph for a payload of A bits at code rate R (TS 38.212, clauses 6.2.2 and 7.2.2).

    Examples
    --------
    >>> select_base_graph(292, 0.9), select_base_graph(3824, 0.67), select_base_graph(4000, 0.5)
    (2, 2, 1)
    """
    small = payload_bits <= 292 or (payload_bits <= _MAX_TB_WITH_CRC16 and rate <= 0.67)
    return 2 if small or rate <= 0.25 else 1
