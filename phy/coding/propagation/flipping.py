"""Decoders of hard decisions: Gallager's algorithm B, and gradient-descent bit flipping.

They exchange signs instead of LLRs, or nothing at all, and correct less than belief propagation. Frames are
decoded one by one in compiled code, on one thread.

Within this file +1 stands for 0 and -1 for 1, as in `phy.coding.propagation.kernels`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phy.coding.code import CERTAIN
from phy.coding.decoding import HARD, Decoding
from phy.coding.propagation.compiled import Outcome
from phy.coding.propagation.graph import Graph
from phy.compiling import compiled

__all__ = ["THRESHOLD", "HardDecision", "reliabilities"]

THRESHOLD = -0.5
"""Below what a bit flips in ``bit-flipping``, as long as many flip at once."""


class HardDecision:
    """Gallager B or bit flipping on a graph, by the rules of `phy.coding.decoding.Decoding`.

    Received values are the signs of the channel's LLRs, 0 where there is none (punctured, or erased); a
    certain bit (`phy.coding.code.check_llr`) is never doubted. `phy.coding.propagation.reference` is the same
    in plain NumPy.

    Parameters
    ----------
    graph:
        The parity-check matrix.
    decoding:
        ``gallager-b`` or ``bit-flipping``; its number of iterations, and whether it stops early.

    Raises
    ------
    ValueError
        If the algorithm is another one.

    Examples
    --------
    >>> graph = Graph.of(np.array([[1, 1, 0, 1, 0, 0], [0, 1, 1, 0, 1, 0], [1, 0, 1, 0, 0, 1]]))
    >>> decoder = HardDecision(graph, Decoding("gallager-b"))
    >>> decoder.decode(np.array([[-2.0, 2.0, -2.0, -2.0, -2.0, -2.0]])).bits  # the second bit is wrong
    array([[0, 0, 0, 0, 0, 0]], dtype=uint8)
    """

    def __init__(self, graph: Graph, decoding: Decoding) -> None:
        self.graph, self.decoding = graph, decoding.among("hard decisions", HARD, ("compiled",))
        order = np.argsort(graph.variables, kind="stable").astype(np.int32)
        counts = np.bincount(graph.variables, minlength=graph.size)
        self._by_variable = order, np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)

    def decode(self, llr: NDArray[np.float32], soft: bool = False) -> Outcome:
        """Decode frames.

        Parameters
        ----------
        llr:
            Channel LLRs log p(b=1)/p(b=0) of all variables, ``[frames, variables]``: 0 for punctured ones.
        soft:
            Makes no difference: there are no a-posteriori LLRs.

        Raises
        ------
        ValueError
            If the shape is another, or a value is NaN.
        """
        llr = self.graph.check_llr(llr)
        bits = np.empty(llr.shape, np.uint8)
        used, satisfied = np.empty(len(llr), np.int32), np.empty(len(llr), np.bool_)
        rows = (self.graph.starts, self.graph.variables, *self._by_variable)
        known, most = np.abs(llr) >= CERTAIN, self.decoding.iterations
        if self.decoding.algorithm == "gallager-b":
            signs = -np.sign(llr).astype(np.int8)
            _gallager_b(signs, known, *rows, most, self.decoding.early_stop, bits, used, satisfied)
        else:
            _flip(reliabilities(llr), known, *rows, most, np.float32(THRESHOLD), bits, used, satisfied)
        return Outcome(bits, None, used, satisfied)


def reliabilities(llr: NDArray[np.float32]) -> NDArray[np.float32]:
    """Channel values y of bit flipping, ``[frames, variables]``: log p(b=0)/p(b=1) over its mean magnitude.

    The mean is taken over the variables of a frame that are neither unknown nor certain.
    """
    size = np.abs(llr)
    counted = (size > 0) & (size < CERTAIN)
    total = np.where(counted, size, 0).sum(axis=1, dtype=np.float64, keepdims=True)
    mean = total / np.maximum(counted.sum(axis=1, keepdims=True), 1)
    return np.asarray(-llr / np.where(mean > 0, mean, 1.0), np.float32)


@compiled
def _majority(others, received):
    """Sign of what others say and was received; a tie goes to what was received."""
    total = others + received
    return np.int8(1) if total > 0 else np.int8(-1) if total < 0 else np.int8(received)


@compiled
def _unsatisfied(x, starts, variables):
    for row in range(starts.size - 1):
        parity = 0
        for e in range(starts[row], starts[row + 1]):
            parity ^= x[variables[e]] <= 0
        if parity:
            return True
    return False


@compiled
def _gallager_b(received, known, starts, variables, edges, begins, most, early, bits, used, satisfied):
    """Decode frames of signs; ``edges`` lists the edges by variable, from ``begins`` on."""
    forward, back = np.empty(variables.size, np.int8), np.empty(variables.size, np.int8)
    x = np.empty(begins.size - 1, np.int8)
    for frame in range(received.shape[0]):
        for e in range(variables.size):
            forward[e] = received[frame, variables[e]]
        iteration, good = 0, False
        while iteration < most and not (early and good):
            iteration += 1
            for row in range(starts.size - 1):
                product, unknown = 1, 0
                for e in range(starts[row], starts[row + 1]):
                    if forward[e]:
                        product *= forward[e]
                    else:
                        unknown += 1
                for e in range(starts[row], starts[row + 1]):
                    if forward[e]:
                        back[e] = product * forward[e] if unknown == 0 else 0
                    else:
                        back[e] = product if unknown == 1 else 0
            for v in range(x.size):
                r = np.int64(received[frame, v])
                total = 0
                for i in range(begins[v], begins[v + 1]):
                    total += back[edges[i]]
                x[v] = r if known[frame, v] else _majority(total, r)
                for i in range(begins[v], begins[v + 1]):
                    e = edges[i]
                    forward[e] = r if known[frame, v] else _majority(total - back[e], r)
            good = not _unsatisfied(x, starts, variables)
        for v in range(x.size):
            bits[frame, v] = x[v] <= 0
        used[frame], satisfied[frame] = iteration, good


@compiled
def _flip(y, known, starts, variables, edges, begins, most, threshold, bits, used, satisfied):
    """Decode frames of reliabilities; arguments as for `_gallager_b`."""
    row_of = np.empty(variables.size, np.int32)
    for row in range(starts.size - 1):
        row_of[starts[row] : starts[row + 1]] = row
    x, syndrome = np.empty(begins.size - 1, np.int8), np.empty(starts.size - 1, np.int8)
    gain = np.empty(begins.size - 1, np.float32)
    for frame in range(y.shape[0]):
        for v in range(x.size):
            x[v] = 1 if y[frame, v] > 0 else -1
        iteration, single, before = 0, False, -np.inf
        while True:
            good, objective = True, 0.0
            for row in range(syndrome.size):
                product = 1
                for e in range(starts[row], starts[row + 1]):
                    product *= x[variables[e]]
                syndrome[row] = product
                good = good and product > 0
                objective += product
            if good or iteration == most:
                break
            iteration += 1
            for v in range(x.size):
                own = x[v] * y[frame, v]
                total = own
                for i in range(begins[v], begins[v + 1]):
                    total += syndrome[row_of[edges[i]]]
                gain[v] = np.inf if known[frame, v] else total
                objective += 0.0 if known[frame, v] else own
            single = single or objective <= before
            before = objective
            least = np.argmin(gain)
            if gain[least] == np.inf:
                break  # all bits are certain, and they contradict each other
            if single or not gain[least] < threshold:
                x[least] = -x[least]
            else:
                for v in range(x.size):
                    if gain[v] < threshold:
                        x[v] = -x[v]
        for v in range(x.size):
            bits[frame, v] = x[v] <= 0
        used[frame], satisfied[frame] = iteration, good
