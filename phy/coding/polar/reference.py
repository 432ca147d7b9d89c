"""Successive-cancellation list decoding as it is defined: what the compiled decoder must equal.

Every LLR is worked out anew from the channel's and from the bits decided before, by the recursion of the
transform.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log1p

from phy.coding.polar.structure import FROZEN, INFORMATION

__all__ = ["decode_list", "transform"]


def transform(bits: Sequence[int]) -> list[int]:
    """Bits times the power of [[1, 0], [1, 1]] (Kronecker) modulo 2.

    Examples
    --------
    >>> transform([0, 1, 1, 1])
    [1, 0, 0, 1]
    """
    if len(bits) == 1:
        return list(bits)
    left, right = transform(bits[: len(bits) // 2]), transform(bits[len(bits) // 2 :])
    return [a ^ b for a, b in zip(left, right, strict=True)] + right


def _check(a: float, b: float) -> float:
    sign = 1.0 if (a >= 0) == (b >= 0) else -1.0
    return sign * min(abs(a), abs(b)) + log1p(exp(-abs(a + b))) - log1p(exp(-abs(a - b)))


def _llr(channel: Sequence[float], past: Sequence[int]) -> float:
    """LLR of the input bit behind those of the past."""
    if len(channel) == 1:
        return channel[0]
    half = len(channel) // 2
    pairs = list(zip(channel[:half], channel[half:], strict=True))
    if len(past) < half:
        return _llr([_check(a, b) for a, b in pairs], past)
    known = transform(past[:half])
    return _llr([b - a if u else b + a for (a, b), u in zip(pairs, known, strict=True)], past[half:])


def _parity(past: Sequence[int], roles: Sequence[int]) -> int:
    """Clause 5.3.1.2: the sum of the information bits 5, 10, 15, ... places before."""
    before = range(len(past) - 5, -1, -5)
    return sum(past[place] for place in before if roles[place] == INFORMATION) % 2


def decode_list(channel: Sequence[float], roles: Sequence[int], size: int) -> list[tuple[float, list[int]]]:
    """Decode one frame.

    Parameters
    ----------
    channel:
        LLRs log p(b=0)/p(b=1) of the N output bits.
    roles:
        What each input bit is, as in `phy.coding.polar.structure.PolarStructure`.
    size:
        Paths of the list.

    Returns
    -------
    list
        Paths, each with its metric sum log(1 + exp(-(1 - 2 u) L)) and its input bits.
    """
    paths: list[tuple[float, list[int]]] = [(0.0, [])]
    for role in roles:
        longer = []
        for bit in (0, 1):
            for metric, past in paths:
                llr = _llr(channel, past)
                if role == INFORMATION or bit == (0 if role == FROZEN else _parity(past, roles)):
                    against = llr if bit else -llr
                    penalty = max(against, 0.0) + log1p(exp(-abs(llr)))
                    longer.append((metric + penalty, [*past, bit]))
        # of equal ones the first; the order of those that stay is kept
        kept = sorted(sorted(range(len(longer)), key=lambda place: longer[place][0])[:size])
        paths = [longer[place] for place in kept]
    return paths
