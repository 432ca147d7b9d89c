"""The compiled chain's inner loops: blocks to LLRs on the decoder's grid, and decisions to counts.

LLRs are log p(b=0)/p(b=1) here, as in `phy.coding.propagation.kernels`.
"""

from __future__ import annotations

import numpy as np

from phy import philox
from phy.chain.demapping import demap_axis
from phy.coding.ldpc.encoding import run_program
from phy.compiling import compiled, inlined

__all__ = ["AWGN", "RAYLEIGH", "count_errors", "make_blocks"]

AWGN, RAYLEIGH = 0, 1

_f = np.float32
_LANES = 64


@inlined
def _transpose(square):
    """Transpose 64 words of 64 bits in place: bit c of word r changes places with bit r of word c."""
    step, mask = np.uint64(32), np.uint64(0x00000000FFFFFFFF)
    while step:
        for r in range(_LANES):
            if not np.uint64(r) & step:
                other = r + np.int64(step)
                swapped = ((square[r] >> step) ^ square[other]) & mask
                square[other] ^= swapped
                square[r] ^= swapped << step
        step >>= np.uint64(1)
        mask ^= mask << step


@compiled
def _spread(sent, group, lanes, k, words):
    """Turn ``k`` information bits of ``lanes`` blocks into words, one a bit: bit j belongs to block j."""
    square = np.empty(_LANES, np.uint64)
    for begin in range(0, sent.shape[1], 2):
        for lane in range(_LANES):
            low, high = np.uint64(0), np.uint64(0)
            if lane < lanes:
                low = np.uint64(sent[group + lane, begin])
                if begin + 1 < sent.shape[1]:
                    high = np.uint64(sent[group + lane, begin + 1])
            square[lane] = low | high << np.uint64(32)
        _transpose(square)
        for i in range(min(_LANES, k - 32 * begin)):
            words[32 * begin + i] = square[i]


@compiled
def _gather(words, blocks):
    """Turn words back: ``blocks[j]`` receives the bits of block j, 64 of them a number."""
    square = np.empty(_LANES, np.uint64)
    for part in range(blocks.shape[1]):
        for i in range(_LANES):
            v = part * _LANES + i
            square[i] = words[v] if v < words.size else np.uint64(0)
        _transpose(square)
        for lane in range(_LANES):
            blocks[lane, part] = square[lane]


@compiled
def _transmitted(block, places, values, bits):
    """Bits of one block in the order of sending; a negative place is a filler zero."""
    one = np.uint64(1)
    for part in range(block.size):
        for i in range(_LANES):
            values[part * _LANES + i] = np.uint8((block[part] >> np.uint64(i)) & one)
    for i in range(places.size):
        bits[i] = values[places[i]] if places[i] >= 0 else np.uint8(0)


@compiled
def _amplitudes(bits, bits_per_symbol, axes, levels, samples):
    """Label bits alternate between the axes, most significant first: ``samples`` is ``[axes, symbols]``."""
    per_axis = bits_per_symbol // axes
    symbols = bits.size // bits_per_symbol
    for axis in range(axes):
        if per_axis == 1:
            for s in range(symbols):
                samples[axis, s] = levels[bits[s * axes + axis]]
            continue
        for s in range(symbols):
            label = 0
            for b in range(per_axis):
                label = 2 * label + bits[s * bits_per_symbol + axes * b + axis]
            samples[axis, s] = levels[label]


@compiled
def _receive(samples, no, noise, gain, precision):
    """Add noise; with a gain, fade and equalise by zero forcing. ``precision`` is 1 / N0 of what remains."""
    amplitude = np.sqrt(no)
    axes, symbols = samples.shape[0], noise.shape[1]
    if gain is None:
        precision[:] = _f(1.0) / no
        for axis in range(axes):
            for s in range(symbols):
                samples[axis, s] += amplitude * noise[axis, s]
        return
    for s in range(symbols):
        a, b = gain[0, s], gain[1, s]
        power = max(a * a + b * b, _f(1e-12))
        precision[s] = power / no
        scale = amplitude / power
        if axes == 1:
            samples[0, s] += amplitude / np.sqrt(power) * noise[0, s]
        else:  # n conj(h) / |h|^2
            samples[0, s] += scale * (noise[0, s] * a + noise[1, s] * b)
            samples[1, s] += scale * (noise[1, s] * a - noise[0, s] * b)


@compiled
def _demap(samples, precision, bits_per_symbol, levels, exact, terms, by_bit, llr):
    """LLR of every bit in the order of sending, an axis by itself (`phy.chain.demapping`)."""
    axes, room = samples.shape
    for axis in range(axes):
        demap_axis(samples[axis], precision, levels, exact, terms, by_bit)
        for b in range(bits_per_symbol // axes):
            first = axis + axes * b
            for s in range(llr.size // bits_per_symbol):
                llr[first + s * bits_per_symbol] = by_bit[b * room + s]


@compiled
def make_blocks(
    first, key, tags, k, program, words, places, variables_of, base, bits_per_symbol, axes, levels, exact,
    no, fading, coherence, scale, largest, sent, out,
):  # fmt: skip
    """Make blocks ``first`` and on: draw, encode, map, send, demap, put on the decoder's grid.

    Parameters
    ----------
    first, key, tags:
        First block, key of the point, and the tags of bits, noise and fading: `phy.random`.
    k, program, words:
        Information bits, `phy.coding.ldpc.encoding.XorProgram` as arrays, and room for its words.
    places:
        Word of every transmitted bit in the order of sending, -1 for filler: ``[symbols x bits]``.
    variables_of:
        Variable of the decoder's graph of every transmitted bit, -1 for filler.
    base:
        LLR that every variable of the graph has before anything arrives, ``[variables]``.
    bits_per_symbol, axes, levels, exact:
        Constellation: label bits, real axes, amplitudes of an axis by label, and the way of demapping.
    no, fading, coherence:
        N0, `AWGN` or `RAYLEIGH`, and symbols that share a gain.
    scale, largest:
        The decoder's grid: LLRs are rounded to multiples of 1 / ``scale`` and clipped to ``largest`` of them.
    sent:
        Information bits as they were drawn, ``[blocks, words of 32 bits]``, ``uint32``.
    out:
        ``[blocks, variables]``, in the decoder's numbers.
    """
    targets, starts, inputs = program
    symbols = places.size // bits_per_symbol
    blocks = np.empty((_LANES, -(-words.size // _LANES)), np.uint64)
    values = np.empty(_LANES * blocks.shape[1], np.uint8)
    bits = np.empty(places.size, np.uint8)
    llr = np.empty(places.size, np.float32)
    room = -(-symbols // 16) * 16
    samples = np.zeros((axes, room), np.float32)
    noise = np.empty((2, symbols), np.float32)
    halves = np.empty((2, -(-symbols // 2)), np.float32)
    precision = np.ones(room, np.float32)
    terms = np.empty(levels.size * 16, np.float32)
    by_bit = np.empty(bits_per_symbol // axes * room, np.float32)
    gain = np.empty((2, symbols), np.float32)
    drawn = np.empty((2, -(-symbols // coherence)), np.float32)
    total = np.empty(base.size, np.float32)
    for group in range(0, out.shape[0], _LANES):
        lanes = min(_LANES, out.shape[0] - group)
        for lane in range(lanes):
            block = np.uint64(first + group + lane)
            philox.fill_words(sent[group + lane], key, block, tags[0])
        _spread(sent, group, lanes, k, words)
        run_program(targets, starts, inputs, words)
        _gather(words, blocks)
        for lane in range(lanes):
            block = np.uint64(first + group + lane)
            _transmitted(blocks[lane], places, values, bits)
            _amplitudes(bits, bits_per_symbol, axes, levels, samples)
            if axes == 1:  # both parts of a draw serve, one a symbol
                philox.fill_complex_normal(halves[0], halves[1], key, block, tags[1])
                for s in range(symbols):
                    noise[0, s] = halves[s & 1, s >> 1]
            else:
                philox.fill_complex_normal(noise[0], noise[1], key, block, tags[1])
            if fading == RAYLEIGH:
                philox.fill_complex_normal(drawn[0], drawn[1], key, block, tags[2])
                for s in range(symbols):
                    gain[0, s], gain[1, s] = drawn[0, s // coherence], drawn[1, s // coherence]
                _receive(samples, no, noise, gain, precision)
            else:
                _receive(samples, no, noise, None, precision)
            _demap(samples, precision, bits_per_symbol, levels, exact, terms, by_bit, llr)
            for v in range(base.size):
                total[v] = base[v]
            for i in range(places.size):
                if variables_of[i] >= 0:
                    total[variables_of[i]] += llr[i]
            _quantise(total, scale, largest, out[group + lane])


@inlined
def _quantise(total, scale, largest, out):
    if scale == _f(0.0):
        for v in range(total.size):
            out[v] = min(max(total[v], -largest), largest) + _f(0.0)
    else:
        for v in range(total.size):
            out[v] = out.dtype.type(min(max(np.rint(total[v] * scale), -largest), largest))


@compiled
def count_errors(sent, bits, counts):
    """Add block errors, bit errors and squared bit errors of ``bits``, ``[blocks, k]``, to ``counts``."""
    for frame in range(bits.shape[0]):
        wrong = 0
        for i in range(bits.shape[1]):
            wrong += bits[frame, i] != (sent[frame, i >> 5] >> np.uint32(i & 31)) & np.uint32(1)
        counts[0] += wrong > 0
        counts[1] += wrong
        counts[2] += wrong * wrong
