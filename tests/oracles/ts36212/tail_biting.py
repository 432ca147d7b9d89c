"""Clauses 5.1.3.1 and 5.1.4.2, step by step as they are written."""

from __future__ import annotations

import math

__all__ = ["encode", "rate_match"]

# Table 5.1.4-2
_PERMUTATION = [
    *(1, 17, 9, 25, 5, 21, 13, 29, 3, 19, 11, 27, 7, 23, 15, 31),
    *(0, 16, 8, 24, 4, 20, 12, 28, 2, 18, 10, 26, 6, 22, 14, 30),
]

_GENERATORS = ("1011011", "1111001", "1110101")  # 133, 171, 165 octal; figure 5.1.3-1


def encode(c: list[int]) -> tuple[list[int], list[int], list[int]]:
    """d(0), d(1), d(2) of figure 5.1.3-1, from s_i = c_(K-1-i)."""
    s = [c[len(c) - 1 - i] for i in range(6)]
    streams: tuple[list[int], list[int], list[int]] = ([], [], [])
    for bit in c:
        register = [bit, *s]
        for stream, taps in zip(streams, _GENERATORS, strict=True):
            stream.append(sum(r for r, tap in zip(register, taps, strict=True) if tap == "1") % 2)
        s = [bit, *s[:5]]
    return streams


def rate_match(streams: tuple[list[int], list[int], list[int]], e: int) -> list[int]:
    """Sub-block interleaver (5.1.4.2.1), bit collection and selection (5.1.4.2.2)."""
    w: list[int | None] = []
    for d in streams:
        rows = math.ceil(len(d) / 32)
        y: list[int | None] = [None] * (32 * rows - len(d))
        y += d
        for column in _PERMUTATION:
            w += [y[32 * row + column] for row in range(rows)]
    sent: list[int] = []
    j = 0
    while len(sent) < e:
        bit = w[j % len(w)]
        if bit is not None:
            sent.append(bit)
        j += 1
    return sent
