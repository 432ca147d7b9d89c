"""The most likely word of a code with few parity checks: Viterbi's recursion over syndromes, compiled."""

from __future__ import annotations

import numpy as np

from phy.compiling import compiled

__all__ = ["most_likely"]


@compiled
def most_likely(llr, columns, states, words):
    """Find the word of syndrome zero with the largest sum of its ones' LLRs (Wolf 1978).

    A state is the syndrome of the bits so far; a one at bit i leads from s to s xor h_i::

        M(s) = max(M(s), M(s xor h_i) + L_i)

    Parameters
    ----------
    llr:
        LLRs log p(b=1)/p(b=0), ``[frames, n]``, ``float32``.
    columns:
        h_i, columns of the parity-check matrix as integers, ``[n]``, ``int32``.
    states:
        Two to the number of checks.
    words:
        ``[frames, n]``, ``uint8``, filled.
    """
    metric, following = np.empty(states, np.float32), np.empty(states, np.float32)
    ones = np.empty((columns.size, states), np.uint8)
    for frame in range(llr.shape[0]):
        metric[:] = -np.float32(1e30)
        metric[0] = 0.0
        for i in range(columns.size):
            value = llr[frame, i]
            for state in range(states):
                zero, one = metric[state], metric[state ^ columns[i]] + value
                ones[i, state] = one > zero
                following[state] = max(zero, one)
            metric, following = following, metric
        state = 0
        for i in range(columns.size - 1, -1, -1):
            bit = ones[i, state]
            words[frame, i] = bit
            if bit:
                state ^= columns[i]
