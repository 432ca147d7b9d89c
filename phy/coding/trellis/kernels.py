"""Viterbi's recursion, compiled; `phy.coding.trellis.reference` says the same in full.

Numbers lie lane by lane: value i of the 16 frames of a group are the elements 16 i to 16 i + 15.
"""

from __future__ import annotations

import numpy as np

from phy import simd as v
from phy.coding.trellis.machine import RESTART, UNREACHED
from phy.compiling import compiled, inlined

__all__ = ["tail_biting", "tail_biting_exact", "terminated"]

_LANES = v.BYTES // 4


@inlined
def _lay_branches(llr, step, rate, branch):
    """Sums of the LLRs of the ones of all output words, lowest bit first."""
    zero = v.splat(np.float32(0.0))
    for word in range(1 << rate):
        value = zero
        for output in range(rate):
            if word >> output & 1:
                value = v.add(value, v.load(llr, (step * rate + output) * _LANES))
        v.store(branch, word * _LANES, value)


@compiled
def _forward(llr, rate, outputs, metric, following, branch, chosen, taken):
    """Walk through all steps; returns the metrics at the end and the memory that is free.

    ``chosen[step, state]`` has a bit a lane: which predecessor the state had. ``taken`` is what has been
    taken off all metrics of a lane.
    """
    states = outputs.shape[0]
    taken[:] = 0.0
    for step in range(chosen.shape[0]):
        _lay_branches(llr, step, rate, branch)
        for state in range(states):
            low = (state << 1) & (states - 1)
            first = v.add(v.load(metric, low * _LANES), v.load(branch, outputs[state, 0] * _LANES))
            second = v.add(v.load(metric, (low + 1) * _LANES), v.load(branch, outputs[state, 1] * _LANES))
            v.store(following, state * _LANES, v.maximum(first, second))
            chosen[step, state] = v.decide(v.sub(first, second))
        if step % RESTART == RESTART - 1:
            least = v.load(following, 0)
            for state in range(states):
                v.store(following, state * _LANES, v.sub(v.load(following, state * _LANES), least))
            v.store(taken, 0, v.add(v.load(taken, 0), least))
        metric, following = following, metric
    return metric, following


@inlined
def _back(chosen, state, lane, found):
    """Write the input bits on the way of a lane to a state."""
    states = chosen.shape[1]
    for step in range(chosen.shape[0] - 1, -1, -1):
        found[step * _LANES + lane] = 2 * state >= states
        which = np.int64((chosen[step, state] >> np.uint64(lane)) & np.uint64(1))
        state = (state << 1) & (states - 1) | which


@compiled
def terminated(llr, rate, outputs, steps, found):
    """Most likely paths from state zero to state zero.

    Parameters
    ----------
    llr:
        LLRs log p(b=1)/p(b=0) of the output bits, ``[groups, steps * rate * 16]``, ``float32``.
    rate, outputs:
        Of `phy.coding.trellis.machine.ShiftRegister`.
    steps:
        Steps of the path.
    found:
        Input bits, ``[groups, steps * 16]``, ``float32``, filled.
    """
    states = outputs.shape[0]
    metric, following = np.empty(states * _LANES, np.float32), np.empty(states * _LANES, np.float32)
    branch, taken = np.empty((1 << rate) * _LANES, np.float32), np.empty(_LANES, np.float32)
    chosen = np.empty((steps, states), np.uint64)
    for group in range(llr.shape[0]):
        metric[:] = UNREACHED
        metric[:_LANES] = 0.0
        metric, following = _forward(llr[group], rate, outputs, metric, following, branch, chosen, taken)
        for lane in range(_LANES):
            _back(chosen, 0, lane, found[group])


@inlined
def _begins(chosen, state, lane):
    """State in which the way of a lane to a state began."""
    states = chosen.shape[1]
    for step in range(chosen.shape[0] - 1, -1, -1):
        which = np.int64((chosen[step, state] >> np.uint64(lane)) & np.uint64(1))
        state = (state << 1) & (states - 1) | which
    return state


@compiled
def _best_circle(chosen, metric, begun, lane, otherwise):
    """End state of the best path of a lane that ends where it began; ``otherwise`` if none does."""
    best, gain = otherwise, -np.float32(np.inf)
    for state in range(chosen.shape[1]):
        if _begins(chosen, state, lane) == state:
            gained = metric[state * _LANES + lane] - begun[state * _LANES + lane]
            if gained > gain:
                best, gain = state, gained
    return best


@compiled
def tail_biting(llr, rate, outputs, steps, passes, found):
    """Paths that end where they began, by the wrap-around Viterbi algorithm; arguments as `terminated`.

    A lane ends with the first pass whose best path, that to the lowest of equal end states, bites its tail.
    After ``passes`` it takes the path that gained most in the last one among those that do, or the best path.
    """
    states = outputs.shape[0]
    metric, following = np.empty(states * _LANES, np.float32), np.empty(states * _LANES, np.float32)
    begun, branch = np.empty(states * _LANES, np.float32), np.empty((1 << rate) * _LANES, np.float32)
    chosen, taken = np.empty((steps, states), np.uint64), np.empty(_LANES, np.float32)
    running = np.empty(_LANES, np.bool_)
    for group in range(llr.shape[0]):
        metric[:] = 0.0
        running[:] = True
        left = passes
        while left and running.any():
            begun[:] = metric
            metric, following = _forward(llr[group], rate, outputs, metric, following, branch, chosen, taken)
            left -= 1
            for lane in range(_LANES):
                if running[lane]:
                    end = 0
                    for state in range(1, states):
                        if metric[state * _LANES + lane] > metric[end * _LANES + lane]:
                            end = state
                    running[lane] = _begins(chosen, end, lane) != end
                    if running[lane] and left == 0:
                        end = _best_circle(chosen, metric, begun, lane, end)
                    if left == 0 or not running[lane]:
                        _back(chosen, end, lane, found[group])


@compiled
def tail_biting_exact(llr, rate, outputs, steps, found):
    """Most likely paths that end where they began, state by state; arguments as `terminated`."""
    states = outputs.shape[0]
    metric, following = np.empty(states * _LANES, np.float32), np.empty(states * _LANES, np.float32)
    branch, taken = np.empty((1 << rate) * _LANES, np.float32), np.empty(_LANES, np.float32)
    chosen, best = np.empty((steps, states), np.uint64), np.empty(_LANES, np.float32)
    for group in range(llr.shape[0]):
        best[:] = -np.float32(np.inf)
        for begin in range(states):
            metric[:] = UNREACHED
            metric[begin * _LANES : (begin + 1) * _LANES] = 0.0
            metric, following = _forward(llr[group], rate, outputs, metric, following, branch, chosen, taken)
            for lane in range(_LANES):
                gained = metric[begin * _LANES + lane] + taken[lane]
                if gained > best[lane]:
                    best[lane] = gained
                    _back(chosen, begin, lane, found[group])
