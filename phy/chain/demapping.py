"""Demapping of one axis of a constellation, compiled: samples side by side in vector registers.

LLRs are log p(b=0)/p(b=1) here, as in `phy.coding.propagation.kernels`. With a_l the amplitudes by label and
x_l = (2 y a_l - a_l^2) / N0::

    app     log sum exp(x_l), l with b = 0, - log sum exp(x_l), l with b = 1
    maxlog  max x_l, l with b = 0, - max x_l, l with b = 1

Each level's exponential is taken once, against the largest of all, and serves every bit of the label. Terms
below e^-83 of the largest count as that much, so that exact LLRs end between 80 and 83, beyond
every decoder's largest floating-point LLR.
"""

from __future__ import annotations

import numpy as np

from phy import simd as v
from phy.compiling import compiled, inlined

__all__ = ["demap_axis"]

_f = np.float32
_LANES = v.BYTES // 4
_FARTHEST = _f(83.0)  # 2^5 e^-83 and less are normal numbers


@compiled
def demap_axis(samples, precision, levels, exact, terms, llr):
    """LLRs of the bits of one axis.

    Parameters
    ----------
    samples, precision:
        Received amplitudes and 1 / N0 of each, ``[samples]``, ``float32``, a multiple of 16 of them.
    levels:
        Amplitudes by label, ``[levels]``, ``float32``: a power of two of them.
    exact:
        Whether LLRs are exact, or max-log.
    terms:
        Room, ``[16 * levels]``, ``float32``.
    llr:
        Receives them bit by bit, the label's first in front: ``[bits * samples]``, ``float32``.
    """
    count = levels.size
    two = v.splat(_f(2.0))
    for at in range(0, samples.size, _LANES):
        y, over = v.load(samples, at), v.load(precision, at)
        if count == 2:
            slope = v.scaled(over, v.splat(_f(2.0) * (levels[0] - levels[1])))
            v.store(llr, at, v.scaled(y, slope))
            continue
        largest = v.splat(_f(-3e38))
        for level in range(count):
            a = v.splat(levels[level])
            term = v.scaled(v.sub(v.scaled(v.scaled(two, y), a), v.scaled(a, a)), over)
            largest = v.maximum(largest, term)
            v.store(terms, level * _LANES, term)
        if exact:
            farthest = v.splat(_FARTHEST)
            for level in range(count):
                below = v.minimum(v.sub(largest, v.load(terms, level * _LANES)), farthest)
                v.store(terms, level * _LANES, v.exp_minus(below))
        half, row = count >> 1, at
        while half:
            zero, one = v.load(terms, 0), v.load(terms, half * _LANES)
            for level in range(1, half):
                zero = _joined(zero, v.load(terms, level * _LANES), exact)
                one = _joined(one, v.load(terms, (half + level) * _LANES), exact)
            for first in range(2 * half, count, 2 * half):
                for level in range(first, first + half):
                    zero = _joined(zero, v.load(terms, level * _LANES), exact)
                    one = _joined(one, v.load(terms, (half + level) * _LANES), exact)
            if exact:
                zero, one = v.minus_log(one), v.minus_log(zero)
            v.store(llr, row, v.sub(zero, one))
            half >>= 1
            row += samples.size


@inlined
def _joined(a, b, exact):
    return v.add(a, b) if exact else v.maximum(a, b)
