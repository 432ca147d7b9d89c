"""The compiled chain's front end: information bits to LLRs on the decoder's grid, 64 blocks side by side.

Bit j of a word, and lane j of an array ``[..., 64]``, belong to block ``first + j``. LLRs are
log p(b=0)/p(b=1) here, as in `phy.coding.propagation.kernels`.
"""

from __future__ import annotations

import numpy as np

from phy import philox
from phy import simd as v
from phy.chain.demapping import demap_axis
from phy.chain.drawing import LANES, draw_levels
from phy.coding.ldpc.encoding import run_program
from phy.compiling import compiled, inlined

__all__ = ["AWGN", "RAYLEIGH", "make_lanes"]

AWGN, RAYLEIGH = 0, 1

_f = np.float32


@inlined
def _transpose(square):
    """Transpose 64 words of 64 bits in place: bit c of word r changes places with bit r of word c."""
    step, mask = np.uint64(32), np.uint64(0x00000000FFFFFFFF)
    while step:
        for r in range(LANES):
            if not np.uint64(r) & step:
                other = r + np.int64(step)
                swapped = ((square[r] >> step) ^ square[other]) & mask
                square[other] ^= swapped
                square[r] ^= swapped << step
        step >>= np.uint64(1)
        mask ^= mask << step


@compiled
def _draw_bits(first, key, tag, k, words):
    """Information bits as `phy.philox.fill_words` draws them for each block: the words 0 to k - 1."""
    low, high = np.empty((4, LANES), np.uint32), np.empty((4, LANES), np.uint32)
    square = np.empty(LANES, np.uint64)
    group = 4 * philox.GROUP
    for pair in range(-(-k // LANES)):
        at = 2 * pair
        counter = at // group * philox.GROUP + at % philox.GROUP
        philox.fill_lanes(low, counter, key, first, tag)
        philox.fill_lanes(high, counter + 1, key, first, tag)
        which = at // philox.GROUP % 4
        for lane in range(LANES):
            square[lane] = np.uint64(low[which, lane]) | np.uint64(high[which, lane]) << np.uint64(32)
        _transpose(square)
        for i in range(min(LANES, k - LANES * pair)):
            words[LANES * pair + i] = square[i]


@compiled
def make_lanes(
    first,
    key,
    tags,
    k,
    program,
    words,
    places,
    variables_of,
    repeated,
    constellation,
    radio,
    grid,
    table,
    out,
):
    """Make 64 blocks: draw, encode, map, send, demap, put on the decoder's grid.

    Parameters
    ----------
    first, key, tags:
        First block, key of the point, and the tags of bits, noise and fading: `phy.random`.
    k, program, words:
        Information bits, `phy.coding.ldpc.encoding.XorProgram` as arrays, and its words, of which the first k
        receive the information bits.
    places:
        Word of every transmitted bit in the order of sending, -1 for filler: ``[symbols x bits]``.
    variables_of:
        Variable of the decoder's graph of every transmitted bit, -1 for none: as many.
    repeated:
        Room for sums, ``[variables, 64]``, ``float32``, if some variable is sent more than once; otherwise it
        is empty.
    constellation:
        Label bits, real axes, amplitudes of an axis by label, and whether demapping is exact.
    radio:
        N0, `AWGN` or `RAYLEIGH`, and symbols that share a gain.
    grid:
        Steps a unit of LLR (0 for floating point), the largest LLR in steps, and what `draw_levels` needs:
        setting and unclear.
    table:
        What it reads LLRs from; None where they are computed.
    out:
        ``[variables, 64]``, in the decoder's numbers: variables that are not sent keep what stands there.
    """
    _draw_bits(first, key, tags[0], k, words)
    targets, starts, inputs = program
    run_program(targets, starts, inputs, words)
    scale, largest, setting, unclear = grid
    if table is not None:
        draw_levels(first, key, tags[1], words, places, variables_of, setting, unclear, table, out)
        return
    repeated[:] = _f(0.0)
    _send(first, key, tags, words, places, variables_of, repeated, constellation, radio, scale, largest, out)
    for variable in range(repeated.shape[0]):
        _settle(repeated[variable], scale, largest, out[variable])


@compiled
def _send(first, key, tags, words, places, variables_of, repeated, constellation, radio, scale, largest, out):
    """Map, send and demap symbol by symbol."""
    m, axes, levels, exact = constellation
    no, fading, coherence = radio
    upper, lower = np.empty((4, LANES), np.uint32), np.empty((4, LANES), np.uint32)
    room, noise, drawn = np.empty(8 * LANES, np.int32), np.empty(8 * LANES, _f), np.empty(8 * LANES, _f)
    samples, precision = np.empty((2, LANES), _f), np.empty(LANES, _f)
    label, turned = np.empty(LANES, np.int32), np.empty(LANES, np.int32)
    terms, llr = np.empty(16 * levels.size, _f), np.empty((m // axes, LANES), _f)
    flat = llr.reshape(llr.size)
    amplitude, there = np.sqrt(no), np.int64(-1)
    precision[:] = _f(1.0) / no
    for symbol in range(places.size // m):
        of_draw = symbol * axes % 8
        if of_draw == 0:
            philox.fill_gaussian_lanes(symbol * axes // 8, key, first, tags[1], upper, lower, room, noise)
        for axis in range(axes):
            label[:] = 0
            for b in range(axis, m, axes):
                place = places[symbol * m + b]
                v.spread(turned, words[place] if place >= 0 else np.uint64(0))
                for lane in range(LANES):
                    label[lane] = 2 * label[lane] - turned[lane]
            for lane in range(LANES):
                samples[axis, lane] = levels[label[lane]]
        own = noise[of_draw * LANES : (of_draw + axes) * LANES]
        if fading == RAYLEIGH:
            gain = symbol // coherence
            if gain // 4 != there:
                there = gain // 4
                philox.fill_gaussian_lanes(there, key, first, tags[2], upper, lower, room, drawn)
            begin = gain % 4 * 2 * LANES
            _fade(samples, axes, own, drawn[begin : begin + 2 * LANES], no, amplitude, precision)
        else:
            for axis in range(axes):
                for lane in range(LANES):
                    samples[axis, lane] += amplitude * own[axis * LANES + lane]
        for axis in range(axes):
            demap_axis(samples[axis], precision, levels, exact, terms, flat)
            for b in range(m // axes):
                variable = variables_of[symbol * m + axes * b + axis]
                if variable < 0:
                    continue
                if repeated.shape[0]:
                    for lane in range(LANES):
                        repeated[variable, lane] += llr[b, lane]
                else:
                    _settle(llr[b], scale, largest, out[variable])


@compiled
def _fade(samples, axes, noise, gain, no, amplitude, precision):
    """Send over known gains and equalise by zero forcing; ``precision`` is 1 / N0 of what remains."""
    for lane in range(LANES):
        a, b = gain[lane], gain[LANES + lane]
        power = max(a * a + b * b, _f(1e-12))
        precision[lane] = power / no
        if axes == 1:
            samples[0, lane] += amplitude / np.sqrt(power) * noise[lane]
        else:  # n conj(h) / |h|^2
            real, imaginary = noise[lane], noise[LANES + lane]
            scale = amplitude / power
            samples[0, lane] += scale * (real * a + imaginary * b)
            samples[1, lane] += scale * (imaginary * a - real * b)


@inlined
def _settle(llr, scale, largest, out):
    """Put LLRs on the decoder's grid."""
    if scale == _f(0.0):
        for lane in range(LANES):
            out[lane] = min(max(llr[lane], -largest), largest) + _f(0.0)
    else:
        for lane in range(LANES):
            out[lane] = out.dtype.type(min(max(np.rint(llr[lane] * scale), -largest), largest))
