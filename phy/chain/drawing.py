"""Fixed-point LLRs of BPSK and QPSK on AWGN, read from a table by the word that would make the noise.

A bit's LLR on the decoder's grid is a function of its Gaussian's u alone, and grows with it. The upper half
of u decides it, unless one of the grid's steps lies among the u that share this half: in such a cell, one in
a thousand, the Gaussian is made from all of u, by the arithmetic of `phy.chain.making`. A bit of 1 sees the
mirror image: u complemented, the LLR negated.
"""

from __future__ import annotations

import numpy as np

from phy import philox
from phy import simd as v
from phy.compiling import compiled, inlined

__all__ = ["LANES", "LARGEST", "draw_levels", "fill_table"]

LARGEST = 127
"""Largest LLR on a grid that is drawn from a table: finer grids have steps in too many cells."""

_f = np.float32
LANES = 64
"""Blocks that are made side by side."""

_CELLS = 1 << 16
_MARGIN = 1 << 14
"""How far from a step, in u, the rounding of the Gaussian might still lead to the other side."""


@inlined
def _level(word, setting, vectors):
    """LLR on the grid of a bit of 0 whose Gaussian comes from the ``int32`` word."""
    amplitude, precision, scale, largest, zero, one = setting
    v.store(vectors, 0, philox.gaussian(v.splat(np.int32(word))))
    noise = vectors[0] * _f(0.70710678)
    sample = zero + amplitude * noise
    llr = sample * (precision * (_f(2.0) * (zero - one)))
    return min(max(np.rint(llr * scale), -largest), largest)


@compiled
def fill_table(setting, unclear, table):
    """Fill ``table``, ``[65536]`` in the decoder's integers, with LLRs by upper half, or with ``unclear``.

    ``setting`` holds, as ``float32``, the amplitude sqrt(N0) of the noise, 1 / N0, the steps a unit of LLR,
    the largest LLR in steps, and the amplitudes of the bits 0 and 1.
    """
    vectors = np.empty(v.BYTES // 4, np.float32)
    largest = np.int64(setting[3])
    above = np.int64(0)  # the first u whose LLR is that of the cell at hand or more
    for cell in range(_CELLS):
        table[cell] = largest
    steps = np.empty(2 * largest, np.int64)
    for step in range(2 * largest):
        low, high = above, np.int64(1 << 32)
        while low < high:
            middle = (low + high) // 2
            if _level(np.uint32(middle), setting, vectors) > _f(step - largest):
                high = middle
            else:
                low = middle + 1
        above = low
        steps[step] = low
    begin = np.int64(0)
    for step in range(2 * largest):
        end = steps[step] >> 16
        for cell in range(begin, end):
            table[cell] = step - largest
        begin = end
    for step in range(2 * largest):
        for cell in range(
            max(steps[step] - _MARGIN, 0) >> 16, min(((steps[step] + _MARGIN) >> 16) + 1, _CELLS)
        ):
            table[cell] = unclear


@compiled
def draw_levels(first, key, tag, words, places, variables_of, setting, unclear, table, out):
    """LLRs of 64 blocks, into ``out``, ``[variables, 64]``.

    ``setting``, ``unclear`` and ``table`` are those of `fill_table`, other arguments those of
    `phy.chain.making.make_lanes`.
    """
    upper = np.empty((4, philox.GROUP), np.uint32)
    turned, cells = np.empty(LANES, np.uint16), np.empty(LANES, np.uint16)
    drawn, vectors = np.empty(LANES, table.dtype), np.empty(v.BYTES // 4, np.float32)
    width = v.BYTES // table.itemsize
    nothing, in_doubt = v.splat(table.dtype.type(0)), v.splat(unclear)
    flat = out.reshape(out.size)
    for place in range(places.size):
        if place & 7 == 0:
            philox.fill_lanes(upper, place >> 3, key, first, tag)
        variable = variables_of[place]
        if variable < 0:
            continue
        sent = words[places[place]]
        v.spread(turned, sent)
        word, shift = upper[(place >> 1) & 3], np.uint32(0 if place & 1 else 16)
        for lane in range(LANES):
            cells[lane] = np.uint16(word[lane] >> shift) ^ turned[lane]
        for lane in range(LANES):
            drawn[lane] = table[cells[lane]]
        left = np.uint64(0)
        for at in range(0, LANES, width):
            left |= v.equal(v.load(drawn, at), in_doubt) << np.uint64(at)
        if left:
            for lane in range(LANES):
                if (left >> np.uint64(lane)) & np.uint64(1):
                    lower = philox.lower_word((place >> 1) & 3, place >> 3, key, first + np.uint64(lane), tag)
                    below = ((lower >> shift) & np.uint32(0xFFFF)) ^ np.uint32(turned[lane])
                    u = (np.uint32(cells[lane]) << np.uint32(16)) | below
                    drawn[lane] = table.dtype.type(_level(u, setting, vectors))
        for at in range(0, LANES, width):
            llr = v.load(drawn, at)
            mirrored = v.sub(nothing, llr)
            v.store(flat, variable * LANES + at, v.select_bits(sent >> np.uint64(at), mirrored, llr))
