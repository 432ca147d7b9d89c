"""Viterbi's and the BCJR recursion as they are defined: what the compiled decoders must equal.

A step of the trellis leads from a state with an input bit u to a state, and shows output bits. Metrics are
``float32`` and added in the order written here, so that decisions agree to the last bit (the logarithms and
exponentials of ``exact`` apart). LLRs are log p(b=1)/p(b=0).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from phy.coding.trellis.machine import RESTART, UNREACHED, Recursive, ShiftRegister

__all__ = ["bcjr", "turbo", "viterbi", "wrap_around"]

_F = np.float32


def _forward(
    llr: NDArray[np.float32], register: ShiftRegister, metric: list[np.float32]
) -> tuple[list[np.float32], list[list[int]]]:
    """Metrics of all states behind the last step, and which predecessor, 0 or 1, each state had at each."""
    chosen = []
    for step in range(len(llr)):
        branch = []
        for word in range(1 << register.rate):
            value = _F(0.0)
            for output in range(register.rate):
                if word >> output & 1:
                    value = value + llr[step, output]
            branch.append(value)
        following, decisions = [], []
        for state in range(register.states):
            first, second = (
                metric[before] + branch[register.outputs[state, which]]
                for which, before in enumerate(register.predecessors(state))
            )
            following.append(first if first > second else second)
            decisions.append(int(not first > second))
        if step % RESTART == RESTART - 1:
            following = [value - following[0] for value in following]
        metric = following
        chosen.append(decisions)
    return metric, chosen


def _back(chosen: Sequence[Sequence[int]], state: int, register: ShiftRegister) -> tuple[list[int], int]:
    """Input bits on the way to a state, and where it began."""
    bits = []
    for decisions in reversed(chosen):
        bits.append(state >> (register.memory - 1))
        state = register.predecessors(state)[decisions[state]]
    return bits[::-1], state


def viterbi(llr: NDArray[np.float32], register: ShiftRegister) -> list[int]:
    """Input bits of the most likely path from state zero to state zero.

    Parameters
    ----------
    llr:
        Of the output bits, ``[steps, rate]``.
    register:
        The code.
    """
    start = [_F(0.0 if state == 0 else UNREACHED) for state in range(register.states)]
    _, chosen = _forward(llr, register, start)
    return _back(chosen, 0, register)[0]


def wrap_around(llr: NDArray[np.float32], register: ShiftRegister, passes: int) -> list[int]:
    """Input bits of a path that ends where it began, by the wrap-around Viterbi algorithm (Shao et al. 2003).

    The first pass begins with all states alike, each other with the metrics that the one before it ended
    with. A pass whose best path ends in the state where it began is the last. After ``passes`` it is the path
    that gained most in the last one among those that end where they began, or the best path if none does.
    """
    metric = [_F(0.0)] * register.states
    for _ in range(passes):
        begun = metric
        metric, chosen = _forward(llr, register, begun)
        ways = [_back(chosen, state, register) for state in range(register.states)]
        end = max(range(register.states), key=lambda state: metric[state])
        if ways[end][1] == end:
            return ways[end][0]
    circles = [state for state, (_, begin) in enumerate(ways) if begin == state]
    return ways[max(circles, key=lambda state: metric[state] - begun[state], default=end)][0]


def bcjr(
    inputs: NDArray[np.float32], parity: NDArray[np.float32], code: Recursive, exact: bool
) -> NDArray[np.float32]:
    """LLRs of the input bits of a path from state zero to state zero.

    Parameters
    ----------
    inputs, parity:
        LLRs of the systematic bits, a-priori ones added, and of the parity bits, ``[steps]``.
    code:
        The code.
    exact:
        Whether sums of exponentials are exact (log-MAP), or their largest term (max-log).
    """

    def join(a: np.float32, b: np.float32) -> np.float32:
        return _F(np.logaddexp(np.float64(a), np.float64(b))) if exact else max(a, b)

    def branch(step: int, state: int, bit: int) -> np.float32:
        values = (_F(0.0), inputs[step], parity[step], inputs[step] + parity[step])
        return values[bit + 2 * code.parity[state, bit]]

    states, steps = range(code.states), len(inputs)
    start = [_F(0.0 if state == 0 else UNREACHED) for state in states]
    before = [start]
    for step in range(steps):
        following = []
        for state in states:
            (a, u), (b, v) = code.arrivals(state)
            following.append(join(before[-1][a] + branch(step, a, u), before[-1][b] + branch(step, b, v)))
        before.append([value - following[0] for value in following])
    behind, found = start, np.empty(steps, np.float32)
    for step in range(steps - 1, -1, -1):
        ways = [
            [branch(step, state, bit) + behind[code.following[state, bit]] for bit in (0, 1)]
            for state in states
        ]
        totals = []
        for bit in (0, 1):
            total = before[step][0] + ways[0][bit]
            for state in states[1:]:
                total = join(total, before[step][state] + ways[state][bit])
            totals.append(total)
        found[step] = totals[1] - totals[0]
        joined = [join(zero, one) for zero, one in ways]
        behind = [value - joined[0] for value in joined]
    return found


def turbo(
    llr: NDArray[np.float32],
    order: NDArray[np.int64],
    code: Recursive,
    iterations: int,
    factor: float,
    exact: bool,
) -> NDArray[np.float32]:
    """LLRs of the bits of a turbo code whose components are both ``code``, and begin and end in state zero.

    Parameters
    ----------
    llr:
        ``[3 k + 4 memory]``: systematic bits, both parities, of either component the tail, systematic and
        parity bit in turn.
    order:
        Bit i of the second component is bit ``order[i]``, ``[k]``.
    code:
        The components.
    iterations:
        Two components each.
    factor:
        What extrinsic LLRs are multiplied by.
    exact:
        As in `bcjr`.
    """
    k, orders = len(order), (np.arange(len(order)), order)
    streams, tails = llr[: 3 * k].reshape(3, k), llr[3 * k :].reshape(2, code.memory, 2)
    extrinsic, found = np.zeros(k, np.float32), np.zeros(k, np.float32)
    for turn in range(2 * iterations):
        which = turn % 2
        known = (streams[0] + extrinsic)[orders[which]]
        inputs = np.append(known, tails[which, :, 0])
        soft = bcjr(inputs, np.append(streams[1 + which], tails[which, :, 1]), code, exact)[:k]
        found[orders[which]] = soft
        extrinsic[orders[which]] = (soft - known) * _F(factor)
    return found
