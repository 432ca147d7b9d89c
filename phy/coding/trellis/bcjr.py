"""The BCJR recursion and turbo decoding, compiled; `phy.coding.trellis.reference` says the same in full.

Numbers lie lane by lane, as in `phy.coding.trellis.kernels`. The LLRs that a step's bits have are called
``inputs`` (systematic, a-priori ones added) and ``parity``; the forward metrics A and backward metrics B are
logarithms, 0 in state 0 after each step.
"""

from __future__ import annotations

import numpy as np

from phy import simd as v
from phy.coding.trellis.machine import UNREACHED
from phy.compiling import compiled, inlined

__all__ = ["component", "encode", "turbo"]

_LANES = v.BYTES // 4


@compiled
def encode(data, order, labels, following, words):
    """Encode blocks by two components, the second in the order of the interleaver.

    Parameters
    ----------
    data:
        ``[frames, k]``, ``uint8``.
    order, labels, following:
        As in `turbo`.
    words:
        ``[frames, 3 k + 4 memory]``, ``uint8``, filled in the order in which `turbo` takes their LLRs.
    """
    k = order.size
    memory = (words.shape[1] - 3 * k) // 4
    for frame in range(data.shape[0]):
        word = words[frame]
        word[:k] = data[frame]
        for which in range(2):
            state = 0
            for i in range(k):
                bit = data[frame, order[i] if which else i]
                word[(1 + which) * k + i] = labels[state, bit] >> 1
                state = following[state, bit]
            for i in range(memory):  # the bit that shifts in a zero leads to the lower half of the states
                bit = 0 if following[state, 0] < following[state, 1] else 1
                place = 3 * k + 2 * (which * memory + i)
                word[place] = bit
                word[place + 1] = labels[state, bit] >> 1
                state = following[state, bit]


@inlined
def _join(a, b, exact):
    """Logarithm of a sum of exponentials, log(e^a + e^b) = max(a, b) + log(1 + e^-|a - b|); or max(a, b)."""
    greater = v.maximum(a, b)
    if exact is None:
        return greater
    apart = v.minimum(v.magnitude(v.sub(a, b)), v.splat(np.float32(87.0)))
    return v.sub(greater, v.minus_log(v.add(v.splat(np.float32(1.0)), v.exp_minus(apart))))


@inlined
def _lay_branches(inputs, parity, step, branch):
    """Metrics of a step by bit u + 2 p."""
    u, p = v.load(inputs, step * _LANES), v.load(parity, step * _LANES)
    v.store(branch, 0, v.sub(u, u))
    v.store(branch, _LANES, u)
    v.store(branch, 2 * _LANES, p)
    v.store(branch, 3 * _LANES, v.add(u, p))


@inlined
def _way(branch, label, metrics, place):
    return v.add(v.load(branch, label * _LANES), v.load(metrics, place * _LANES))


@compiled
def component(inputs, parity, steps, before, labels, following, exact, forward, behind, branch, ways, found):
    """LLRs of the input bits of one group of 16 frames, whose paths begin and end in state zero.

    Parameters
    ----------
    inputs, parity:
        LLRs log p(b=1)/p(b=0), ``[steps * 16]``, ``float32``.
    steps:
        Steps of the path.
    before:
        States from which a step leads to each state, and its labels u + 2 p: ``[states, 2, 2]``.
    labels, following:
        Of the step from each state with each bit: u + 2 p, and the state behind it, ``[states, 2]``.
    exact:
        1 for sums of exponentials, None for their largest terms.
    forward, behind, branch, ways:
        Memory of ``(steps + 1) * states``, ``states``, 4 and ``2 * states`` vectors.
    found:
        ``[steps * 16]``, filled.
    """
    states = labels.shape[0]
    forward[: states * _LANES] = UNREACHED
    forward[:_LANES] = 0.0
    for step in range(steps):
        _lay_branches(inputs, parity, step, branch)
        here, there = step * states, (step + 1) * states
        for state in range(states):
            first = _way(branch, before[state, 0, 1], forward, here + before[state, 0, 0])
            second = _way(branch, before[state, 1, 1], forward, here + before[state, 1, 0])
            v.store(forward, (there + state) * _LANES, _join(first, second, exact))
        zero = v.load(forward, there * _LANES)
        for state in range(states):
            place = (there + state) * _LANES
            v.store(forward, place, v.sub(v.load(forward, place), zero))
    behind[:] = UNREACHED
    behind[:_LANES] = 0.0
    for step in range(steps - 1, -1, -1):
        _lay_branches(inputs, parity, step, branch)
        here = step * states
        for state in range(states):
            for bit in range(2):
                way = _way(branch, labels[state, bit], behind, following[state, bit])
                v.store(ways, (2 * state + bit) * _LANES, way)
        start = v.load(forward, here * _LANES)
        zeros, ones = v.add(start, v.load(ways, 0)), v.add(start, v.load(ways, _LANES))
        for state in range(1, states):
            start = v.load(forward, (here + state) * _LANES)
            zeros = _join(zeros, v.add(start, v.load(ways, 2 * state * _LANES)), exact)
            ones = _join(ones, v.add(start, v.load(ways, (2 * state + 1) * _LANES)), exact)
        v.store(found, step * _LANES, v.sub(ones, zeros))
        for state in range(states):
            joined = _join(v.load(ways, 2 * state * _LANES), v.load(ways, (2 * state + 1) * _LANES), exact)
            v.store(behind, state * _LANES, joined)
        zero = v.load(behind, 0)
        for state in range(states):
            v.store(behind, state * _LANES, v.sub(v.load(behind, state * _LANES), zero))


@compiled
def turbo(llr, order, iterations, factor, before, labels, following, exact, found):
    """Turbo decoding: two components take turns, each with the extrinsic LLRs of the other.

    Parameters
    ----------
    llr:
        LLRs log p(b=1)/p(b=0), ``[groups, (3 * k + 4 * memory) * 16]``, ``float32``: systematic bits, both
        parities, and of either component the tail, systematic and parity bit in turn.
    order:
        The interleaver: bit i of the second component is bit ``order[i]``, ``[k]``.
    iterations:
        Two components each.
    factor:
        What extrinsic LLRs are multiplied by.
    before, labels, following, exact:
        As in `component`.
    found:
        LLRs of the information bits, ``[groups, k * 16]``, filled.
    """
    states, k = labels.shape[0], order.size
    memory = (llr.shape[1] // _LANES - 3 * k) // 4
    steps = k + memory
    forward = np.empty((steps + 1) * states * _LANES, np.float32)
    behind = np.empty(states * _LANES, np.float32)
    branch, ways = np.empty(4 * _LANES, np.float32), np.empty(2 * states * _LANES, np.float32)
    inputs, soft = np.empty(steps * _LANES, np.float32), np.empty(steps * _LANES, np.float32)
    parities = np.empty((2, steps * _LANES), np.float32)
    tails = np.empty((2, memory * _LANES), np.float32)
    extrinsic = np.empty(k * _LANES, np.float32)
    scale = v.splat(np.float32(factor))
    for group in range(llr.shape[0]):
        channel = llr[group]
        for which in range(2):
            first = (1 + which) * k * _LANES
            parities[which, : k * _LANES] = channel[first : first + k * _LANES]
            for i in range(memory):
                place = (3 * k + 2 * (which * memory + i)) * _LANES
                tails[which, i * _LANES : (i + 1) * _LANES] = channel[place : place + _LANES]
                parities[which, (k + i) * _LANES : (k + i + 1) * _LANES] = channel[
                    place + _LANES : place + 2 * _LANES
                ]
        extrinsic[:] = 0.0
        for turn in range(2 * iterations):
            which = turn % 2
            inputs[k * _LANES :] = tails[which]
            for i in range(k):
                at = (order[i] if which else i) * _LANES
                v.store(inputs, i * _LANES, v.add(v.load(channel, at), v.load(extrinsic, at)))
            component(
                inputs, parities[which], steps, before, labels, following, exact,
                forward, behind, branch, ways, soft,
            )  # fmt: skip
            for i in range(k):
                at = (order[i] if which else i) * _LANES
                value = v.load(soft, i * _LANES)
                v.store(found[group], at, value)
                v.store(extrinsic, at, v.scaled(v.sub(value, v.load(inputs, i * _LANES)), scale))
