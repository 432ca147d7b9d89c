"""Compiled LDPC decoding for any parity-check matrix: frames side by side, finished ones replaced at once.

A worker decodes as many frames together as a 64-byte vector has lanes: 64 in 8-bit, 32 in 16-bit fixed
point, 16 in floating point. A frame that satisfies all checks leaves its lane to the next one, so that a
slow frame holds up nobody. Workers are threads; the compiled code releases Python's lock.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phy import simd as v
from phy.coding.decoding import ALGORITHMS, Decoding
from phy.coding.propagation.graph import Graph
from phy.coding.propagation.lanes import decode_frames
from phy.threads import thread_count

__all__ = ["BeliefPropagation", "Outcome"]


@dataclass(frozen=True)
class Outcome:
    """What the decoder found.

    Attributes
    ----------
    bits:
        Decisions of all variables, ``[frames, variables]``, ``uint8``; an LLR of exactly 0 decides 1.
    soft:
        A-posteriori LLRs log p(b=1)/p(b=0) of all variables, ``float32``; None if not asked for.
    iterations:
        Iterations used, ``[frames]``, ``int32``.
    satisfied:
        Whether all parity checks hold, ``[frames]``, ``bool``.
    """

    bits: NDArray[np.uint8]
    soft: NDArray[np.float32] | None
    iterations: NDArray[np.int32]
    satisfied: NDArray[np.bool_]


class BeliefPropagation:
    """Belief propagation on a graph, compiled for this machine at the first call.

    With P_v the a-posteriori LLR of variable v and m_cv the last message of check c to it, an iteration takes
    the checks in order. Each forms x_v = P_v - m_cv of its variables, and from the x of the *other* variables
    the new m_cv by the rule of `Decoding`. ``layered``: P_v = x_v + m_cv at once. ``flooding``: P_v is the
    channel's LLR plus all m_cv, at the end of the iteration. `phy.coding.propagation.reference` is the same
    to the last bit, as a specification.

    Parameters
    ----------
    graph:
        The parity-check matrix; layered decoding follows its rows from top to bottom.
    decoding:
        Rule, schedule, iterations, number format and workers.

    Raises
    ------
    ValueError
        If the algorithm is none of belief propagation.

    Examples
    --------
    >>> decoder = BeliefPropagation(Graph.of(np.array([[1, 1, 0], [0, 1, 1]])), Decoding("minsum"))
    >>> decoder.decode(np.array([[3.0, -1.0, 2.0]])).bits
    array([[1, 1, 1]], dtype=uint8)
    """

    def __init__(self, graph: Graph, decoding: Decoding | None = None) -> None:
        self.graph = graph
        self.decoding = (decoding or Decoding()).among("a graph", ALGORITHMS)
        self.threads = self.decoding.threads or thread_count()
        form = self.decoding.fixed_point
        self.dtype: Any = np.float32 if form is None else np.int8 if form.lane == 8 else np.int16
        self.scale = np.float32(1.0 if form is None else form.scale)
        self.largest = np.float32(self.decoding.clip if form is None else form.largest)

    def decode(self, llr: NDArray[np.float32], soft: bool = False) -> Outcome:
        """Decode frames.

        Parameters
        ----------
        llr:
            Channel LLRs log p(b=1)/p(b=0) of all variables, ``[frames, variables]``: 0 for punctured ones,
            large and negative for known zeros.
        soft:
            Whether to return a-posteriori LLRs.

        Raises
        ------
        ValueError
            If the shape is another, or a value is NaN.
        """
        llr = self.graph.check_llr(llr)
        frames = len(llr)
        bits = np.empty((frames, self.graph.size), np.uint8)
        values = np.empty((frames, self.graph.size), np.float32) if soft else None
        used, satisfied = np.empty(frames, np.int32), np.empty(frames, np.bool_)
        bounds = np.linspace(0, frames, min(self.threads, max(frames, 1)) + 1).astype(int)
        parts = [slice(a, b) for a, b in pairwise(bounds)]

        def work(part: slice) -> None:
            share = None if values is None else values[part]
            decode_frames(llr[part], bits[part], share, used[part], satisfied[part], *self.arguments())

        if len(parts) == 1:
            work(parts[0])
        else:
            with ThreadPoolExecutor(len(parts)) as pool:
                list(pool.map(work, parts))
        return Outcome(bits, values, used, satisfied)

    def arguments(self) -> tuple[Any, ...]:
        """Graph, settings and the memory of one worker, in the order of the compiled function."""
        graph, dtype = self.graph, self.dtype
        width = v.BYTES // np.dtype(dtype).itemsize
        decoding, flooding = self.decoding, self.decoding.schedule == "flooding"
        return (
            graph.starts,
            graph.variables,
            graph.largest_degree,
            1 if decoding.algorithm == "sum-product" else None,
            dtype(self._offset()),
            self._factor(),
            dtype(self.largest),
            self.scale,
            self.largest,
            np.zeros(graph.size * width if flooding else 0, dtype),
            np.zeros(graph.size * width, dtype),
            np.zeros(graph.size * width, dtype) if flooding else None,
            np.zeros(graph.edges * width, dtype),
            np.zeros(3 * graph.largest_degree * width, dtype),
            np.full(v.BYTES, 255, np.uint8).view(dtype),
            np.zeros(graph.size, np.uint64),
            np.zeros(graph.starts.size - 1, np.uint64),
            graph.runs,
            decoding.iterations,
            decoding.early_stop,
        )

    def _offset(self) -> float:
        """What is taken off a message's size, in the decoder's numbers."""
        if self.decoding.algorithm != "offset-minsum":
            return 0
        if self.decoding.fixed_point is None:
            return self.decoding.offset
        return min(math.floor(self.decoding.offset * self.scale + 0.5), int(self.largest))

    def _factor(self) -> Any:
        """What `simd.scaled` multiplies by, or in fixed point the 64ths that it takes away; None is 1."""
        if self.decoding.algorithm != "normalized-minsum":
            return None
        factor = self.decoding.factor
        return self.dtype(
            factor if self.decoding.fixed_point is None else math.floor(64 * (1 - factor) + 0.5)
        )
