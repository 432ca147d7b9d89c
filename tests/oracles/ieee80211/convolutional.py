"""The encoder of figure 17-8 and the stolen bits of figures 17-9 and 19-11, as they are drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["PATTERNS", "encode", "least_weight", "puncture"]

# Rows A and B of a period; 1 is sent, 0 stolen.
PATTERNS = {"1/2": ("1", "1"), "2/3": ("11", "10"), "3/4": ("110", "101"), "5/6": ("11010", "10101")}
_A, _B = (0, 2, 3, 5, 6), (0, 1, 2, 3, 6)  # delays of g0 = 133 and g1 = 171, octal


def encode(bits: list[int]) -> tuple[list[int], list[int]]:
    """Outputs A and B for data that six zeros follow."""
    padded = bits + [0] * 6
    past = [0] * 6 + padded
    a, b = ([sum(past[6 + t - d] for d in taps) % 2 for t in range(len(padded))] for taps in (_A, _B))
    return a, b


def puncture(a: list[int], b: list[int], rate: str) -> list[int]:
    """What is sent of A and B, in the order of transmission."""
    first, second = PATTERNS[rate]
    sent = []
    for t in range(len(a)):
        if first[t % len(first)] == "1":
            sent.append(a[t])
        if second[t % len(second)] == "1":
            sent.append(b[t])
    return sent


def least_weight(mask: NDArray[np.bool_]) -> int:
    """Least weight of a word other than zero among all that begin and end in state zero.

    ``mask`` ``[steps, 2]`` tells which of A and B are sent. The weights of the lightest paths to all states,
    step by step, of those that have left the zero path, are an enumeration of all words.
    """
    states = np.arange(64)  # the latest bit is the highest
    out = np.empty((2, 64, 2), dtype=int)
    following = np.empty((2, 64), dtype=int)
    for bit in (0, 1):
        window = [(bit << 6 | states) >> (6 - d) & 1 for d in range(7)]
        out[bit] = np.stack([sum(window[d] for d in taps) % 2 for taps in (_A, _B)], axis=1)
        following[bit] = (bit << 6 | states) >> 1
    weights = np.full(64, 10**6)  # of paths that have left; none has
    for sent in mask:
        steps = out @ sent.astype(int)
        reached = np.full(64, 10**6)
        for bit in (0, 1):
            np.minimum.at(reached, following[bit], weights + steps[bit])
        reached[following[1, 0]] = min(reached[following[1, 0]], steps[1, 0])  # leaves now
        weights = reached
    return int(weights[0])
