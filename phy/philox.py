"""Random words and Gaussians by counter: Philox4x32-10 and Box-Muller, compiled.

Every number is a function of a 64-bit key, a 64-bit block, a 32-bit tag and its place, so that any engine
on any number of threads draws the same. Source: J. Salmon et al., "Parallel random numbers: as easy as
1, 2, 3", SC 2011.

Places are grouped for vector registers: 64 counters give 256 words, first the words 0 of all 64, then the
words 1, 2, 3; and 128 complex Gaussians, 64 from the words 0 (radius) and 1 (angle), 64 from 2 and 3.
"""

from __future__ import annotations

import numpy as np

from phy.compiling import compiled

__all__ = ["GROUP", "fill_complex_normal", "fill_words"]

GROUP = 64
"""Counters whose words are computed side by side."""

_MULTIPLY_0, _MULTIPLY_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_f = np.float32


@compiled
def _philox(words, first, key, block, tag):
    """Ten rounds on the counters ``first`` to ``first + 63``: ``words`` is ``[4, 64]``, ``uint32``."""
    block_low, block_high = np.uint32(block & _LOW), np.uint32(block >> _HALF)
    key_low, key_high = np.uint32(key & _LOW), np.uint32(key >> _HALF)
    for i in range(GROUP):
        a, b, c, d = np.uint32(first + i), tag, block_low, block_high
        x, y = key_low, key_high
        for _ in range(10):
            p, q = np.uint64(a) * _MULTIPLY_0, np.uint64(c) * _MULTIPLY_1
            a, b, c, d = (
                np.uint32(q >> _HALF) ^ b ^ x,
                np.uint32(q & _LOW),
                np.uint32(p >> _HALF) ^ d ^ y,
                np.uint32(p & _LOW),
            )
            x, y = np.uint32(x + _WEYL_0), np.uint32(y + _WEYL_1)
        words[0, i], words[1, i], words[2, i], words[3, i] = a, b, c, d


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


@compiled
def _gaussians(radius_words, angle_words, real, imaginary, scratch):
    """Box-Muller: 64 circular Gaussians of unit variance from as many pairs of words."""
    bits = scratch.view(np.int32)
    for i in range(GROUP):
        scratch[i] = (_f(radius_words[i]) + _f(0.5)) * _f(2.0**-32)
    for i in range(GROUP):
        # log of a number in (0, 1] by its exponent and a polynomial of its mantissa (Cephes, logf)
        offset = bits[i] - np.int32(0x3F3504F3)
        exponent = _f(offset >> np.int32(23))
        bits[i] = (offset & np.int32(0x7FFFFF)) + np.int32(0x3F3504F3)
        x = scratch[i] - _f(1.0)
        p = _f(7.0376836292e-2)
        p = p * x + _f(-1.1514610310e-1)
        p = p * x + _f(1.1676998740e-1)
        p = p * x + _f(-1.2420140846e-1)
        p = p * x + _f(1.4249322787e-1)
        p = p * x + _f(-1.6668057665e-1)
        p = p * x + _f(2.0000714765e-1)
        p = p * x + _f(-2.4999993993e-1)
        p = p * x + _f(3.3333331174e-1)
        square = x * x
        log = x + (p * square * x - _f(0.5) * square) + exponent * _f(0.69314718)
        radius = np.sqrt(max(-log, _f(0.0)))
        # An angle in (-pi/4, pi/4) by its series, then turned by quarters.
        word = angle_words[i]
        quarter = np.int32(word >> np.uint32(30))
        turn = (_f(np.int32(word & np.uint32(0x3FFFFFFF))) + _f(0.5)) * _f(1.4629180792671596e-9)
        z = turn - _f(0.7853981633974483)
        zz = z * z
        sine = z + z * zz * (_f(-1.6666654611e-1) + zz * (_f(8.3321608736e-3) + zz * _f(-1.9515295891e-4)))
        cosine = (
            _f(1.0)
            - _f(0.5) * zz
            + zz * zz * (_f(4.166664568e-2) + zz * (_f(-1.388731625e-3) + zz * _f(2.443315711e-5)))
        )
        odd = _f(quarter & np.int32(1))
        even = _f(1.0) - odd
        signed = radius * _f(np.int32(1) - (quarter & np.int32(2)))
        real[i] = signed * (even * cosine - odd * sine)
        imaginary[i] = signed * (even * sine + odd * cosine)


@compiled
def fill_complex_normal(real, imaginary, key, block, tag):
    """Fill real and imaginary parts, ``float32``, of circular Gaussians of unit variance.

    The radius is sqrt(-log u) with u on a grid of 2^-32: it ends at 4.7, 6.7 standard deviations of a part.
    """
    words = np.empty((4, GROUP), np.uint32)
    scratch, re, im = np.empty(GROUP, np.float32), np.empty(GROUP, np.float32), np.empty(GROUP, np.float32)
    count = real.size
    for begin in range(0, count, GROUP):
        half = begin // GROUP % 2
        if half == 0:
            _philox(words, begin // 2, key, block, tag)
        _gaussians(words[2 * half], words[2 * half + 1], re, im, scratch)
        for i in range(min(GROUP, count - begin)):
            real[begin + i] = re[i]
            imaginary[begin + i] = im[i]
