"""Random words and Gaussians by counter: Philox4x32-10 and the inverse normal distribution, compiled.

Every number is a function of a 64-bit key, a 64-bit block, a 32-bit tag and its place, so that any engine
on any number of threads draws the same. Source: J. Salmon et al., "Parallel random numbers: as easy as
1, 2, 3", SC 2011.

Words are grouped for vector registers: 64 counters give 256 words, first the words 0 of all 64, then the
words 1, 2, 3. A Gaussian is Phi^-1(u) of its own u on a grid of 2^-32: the upper 16 bits of u come from half
a word of counter c, the lower ones from the same half of counter c + 2^31. Counter c so gives eight
Gaussians, the numbers 8 c to 8 c + 7, word by word, the upper half of a word in front. Most decisions on a
received bit need no more than the upper half.
"""

from __future__ import annotations

import numpy as np

from phy import simd as v
from phy.compiling import compiled, inlined

__all__ = [
    "GROUP",
    "fill_complex_normal",
    "fill_gaussian_lanes",
    "fill_gaussians",
    "fill_lanes",
    "fill_words",
    "gaussian",
    "lower_word",
]

GROUP = 64
"""Counters whose words are computed side by side."""

_MULTIPLY_0, _MULTIPLY_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_LOWER = 1 << 31
"""Where the counters begin that give the lower halves of the Gaussians' u."""
_f = np.float32
_LANES = v.BYTES // 4


@inlined
def _rounds(a, b, c, d, key):
    """Ten rounds on the counter (a, b, c, d)."""
    x, y = np.uint32(key & _LOW), np.uint32(key >> _HALF)
    for _ in range(10):
        p, q = np.uint64(a) * _MULTIPLY_0, np.uint64(c) * _MULTIPLY_1
        a, b, c, d = (
            np.uint32(np.uint32(q >> _HALF) ^ b ^ x),
            np.uint32(q),
            np.uint32(np.uint32(p >> _HALF) ^ d ^ y),
            np.uint32(p),
        )
        x, y = np.uint32(x + _WEYL_0), np.uint32(y + _WEYL_1)
    return a, b, c, d


@compiled
def _philox(words, first, key, block, tag):
    """Words of the counters ``first`` to ``first + 63`` of a block: ``words`` is ``[4, 64]``, ``uint32``."""
    low, high = np.uint32(block & _LOW), np.uint32(block >> _HALF)
    for i in range(GROUP):
        words[0, i], words[1, i], words[2, i], words[3, i] = _rounds(
            np.uint32(first + i), tag, low, high, key
        )


@compiled
def fill_lanes(words, counter, key, first, tag):
    """Words of a counter of the blocks ``first`` to ``first + 63``: ``words`` is ``[4, 64]``, ``uint32``."""
    for i in range(GROUP):
        block = first + np.uint64(i)
        words[0, i], words[1, i], words[2, i], words[3, i] = _rounds(
            np.uint32(counter), tag, np.uint32(block & _LOW), np.uint32(block >> _HALF), key
        )


@compiled
def fill_words(out, key, block, tag):
    """Fill a vector of ``uint32`` with equiprobable words."""
    words = np.empty((4, GROUP), np.uint32)
    flat = words.reshape(4 * GROUP)
    for group in range(-(-out.size // (4 * GROUP))):
        _philox(words, group * GROUP, key, block, tag)
        begin = group * 4 * GROUP
        end = min(begin + 4 * GROUP, out.size)
        for i in range(begin, end):
            out[i] = flat[i - begin]


@inlined
def gaussian(word):
    """Phi^-1((u + 1/2) / 2^32) of 16 words u as a vector of ``int32``, to 1.1e-6; it ends at 6.34.

    With p the smaller of the two tails and s = sqrt(-log p), the Gaussian is a polynomial of s of degree 14,
    which was fitted at Chebyshev's points and is off by 2.2e-7 at most; the rest is rounding. ``~u`` gives
    exactly the negative.
    """
    tail = v.xor(word, v.signs(word))
    p = v.scaled(v.add(v.to_float(tail), v.splat(_f(0.5))), v.splat(_f(2.0**-32)))
    s = v.root(v.minus_log(p))
    x = v.scaled(v.sub(s, v.splat(_f(2.8080583))), v.splat(_f(0.5061744)))
    g = v.splat(_f(-0.0029023191891610622))
    g = v.add(v.scaled(g, x), v.splat(_f(0.003840405959635973)))
    g = v.add(v.scaled(g, x), v.splat(_f(0.005041386932134628)))
    g = v.add(v.scaled(g, x), v.splat(_f(-0.005609198473393917)))
    g = v.add(v.scaled(g, x), v.splat(_f(-0.007934280671179295)))
    g = v.add(v.scaled(g, x), v.splat(_f(0.009476102888584137)))
    g = v.add(v.scaled(g, x), v.splat(_f(-0.002193589461967349)))
    g = v.add(v.scaled(g, x), v.splat(_f(0.005819421261548996)))
    g = v.add(v.scaled(g, x), v.splat(_f(-0.015204385854303837)))
    g = v.add(v.scaled(g, x), v.splat(_f(0.024898109957575798)))
    g = v.add(v.scaled(g, x), v.splat(_f(-0.041686076670885086)))
    g = v.add(v.scaled(g, x), v.splat(_f(0.07376167923212051)))
    g = v.add(v.scaled(g, x), v.splat(_f(-0.1351914405822754)))
    g = v.add(v.scaled(g, x), v.splat(_f(3.057633638381958)))
    g = v.add(v.scaled(g, x), v.splat(_f(3.3696823120117188)))
    return v.negated_where_positive(g, word)


@compiled
def fill_gaussians(upper, lower, words, out):
    """Eight Gaussians of variance 1/2 for each of 64 lanes, from words of counters c and c + 2^31.

    ``upper`` and ``lower`` are ``[4, 64]``, ``uint32``; ``words``, ``int32``, is room for ``[8 * 64]``, and
    ``out``, ``float32``, receives as many: number i of all lanes, then number i + 1.
    """
    for w in range(4):
        for i in range(GROUP):
            a, b = upper[w, i], lower[w, i]
            words[2 * w * GROUP + i] = np.int32((a & np.uint32(0xFFFF0000)) | (b >> np.uint32(16)))
            words[(2 * w + 1) * GROUP + i] = np.int32((a << np.uint32(16)) | (b & np.uint32(0xFFFF)))
    amplitude = v.splat(_f(0.70710678))
    for i in range(0, 8 * GROUP, _LANES):
        v.store(out, i, v.scaled(gaussian(v.load(words, i)), amplitude))


@compiled
def fill_complex_normal(real, imaginary, key, block, tag):
    """Fill real and imaginary parts, ``float32``, of circular Gaussians of unit variance.

    Parts are the Gaussians of the block in turn, times sqrt(1/2).
    """
    upper, lower = np.empty((4, GROUP), np.uint32), np.empty((4, GROUP), np.uint32)
    words, parts = np.empty(8 * GROUP, np.int32), np.empty(8 * GROUP, np.float32)
    for begin in range(0, real.size, 4 * GROUP):
        _philox(upper, begin // 4, key, block, tag)
        _philox(lower, _LOWER + begin // 4, key, block, tag)
        fill_gaussians(upper, lower, words, parts)
        for i in range(min(4 * GROUP, real.size - begin)):
            at = 2 * (i & 3) * GROUP + (i >> 2)
            real[begin + i], imaginary[begin + i] = parts[at], parts[at + GROUP]


@compiled
def fill_gaussian_lanes(counter, key, first, tag, upper, lower, words, out):
    """Gaussians 8 c to 8 c + 7 of variance 1/2 of the blocks ``first`` to ``first + 63``, c the counter.

    ``upper``, ``lower`` and ``words`` are room as for `fill_gaussians`, which says how ``out`` is filled.
    """
    fill_lanes(upper, counter, key, first, tag)
    fill_lanes(lower, _LOWER + counter, key, first, tag)
    fill_gaussians(upper, lower, words, out)


@compiled
def lower_word(w, counter, key, block, tag):
    """Word ``w`` of counter c + 2^31, whose halves are the lower halves of the Gaussians 2 w and 2 w + 1."""
    low, high = np.uint32(block & _LOW), np.uint32(block >> _HALF)
    a, b, c, d = _rounds(np.uint32(_LOWER + counter), tag, low, high, key)
    if w < 2:
        return a if w == 0 else b
    return c if w == 2 else d
