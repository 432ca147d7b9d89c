"""Scrambling of TS 38.211, clauses 6.3.1.1 and 7.3.1.1, with the Gold sequence of clause 5.2.1."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from phy.lazily import torch

__all__ = ["gold_sequence", "scrambling_sequence"]

_DISCARD = 1600  # N_C of clause 5.2.1
_MEMORY = 31


def _shift_register(state: NDArray[np.uint8], taps: tuple[int, ...], length: int) -> NDArray[np.uint8]:
    """Run x(n + 31) = sum of x(n + tap) mod 2 from 31 bits of ``state``.

    Over GF(2) the recursion also holds with every offset doubled (Frobenius), so the known part lets
    ever larger pieces be written at once.
    """
    x: NDArray[np.uint8] = np.zeros(max(length, _MEMORY), dtype=np.uint8)
    x[:_MEMORY] = state
    known = _MEMORY
    while known < length:
        scale = 1
        while 2 * scale * _MEMORY <= known:
            scale *= 2
        step = min(scale * (_MEMORY - max(taps)), length - known)
        start = known - scale * _MEMORY
        for tap in taps:
            x[known : known + step] ^= x[start + scale * tap : start + scale * tap + step]
        known += step
    return x[:length]


@lru_cache(maxsize=32)
def gold_sequence(c_init: int, length: int) -> torch.Tensor:
    """Pseudo-random sequence c(n) of TS 38.211, clause 5.2.1: ``[length]``, ``torch.uint8``.

    Parameters
    ----------
    c_init:
        Initial state of the second register, 0 to 2^31 - 1.
    length:
        Number of bits.

    Raises
    ------
    ValueError
        If ``c_init`` does not fit into 31 bits.

    Examples
    --------
    >>> gold_sequence(1, 8)
    tensor([0, 0, 0, 0, 0, 0, 1, 0], dtype=torch.uint8)
    """
    if not 0 <= c_init < 2**_MEMORY:
        raise ValueError(f"c_init must be 0 to 2^31 - 1, got {c_init}")
    first: NDArray[np.uint8] = np.zeros(_MEMORY, dtype=np.uint8)
    first[0] = 1
    second = (c_init >> np.arange(_MEMORY) & 1).astype(np.uint8)
    total = length + _DISCARD
    x = _shift_register(first, (3, 0), total) ^ _shift_register(second, (3, 2, 1, 0), total)
    return torch.from_numpy(x[_DISCARD:].copy())


def scrambling_sequence(n_rnti: int, n_id: int, length: int) -> torch.Tensor:
    """Sequence of a shared channel's codeword 0, c_init = n_rnti 2^15 + n_id: ``[length]``, ``torch.uint8``.

    Raises
    ------
    ValueError
        If ``n_rnti`` is outside 0 to 65535 or ``n_id`` outside 0 to 1023.

    Examples
    --------
    >>> scrambling_sequence(1, 1, 8)
    tensor([0, 0, 0, 1, 0, 0, 1, 1], dtype=torch.uint8)
    """
    if not (0 <= n_rnti < 2**16 and 0 <= n_id < 2**10):
        raise ValueError(f"scrambling needs n_rnti in 0..65535 and n_id in 0..1023, got {n_rnti} and {n_id}")
    return gold_sequence((n_rnti << 15) + n_id, length)
