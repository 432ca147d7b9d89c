"""Compiled LDPC decoding for any parity-check matrix: frames side by side, finished ones replaced at once.

A worker decodes as many frames together as a 64-byte vector has lanes: 64 in 8-bit, 32 in 16-bit fixed
point, 16 in floating point. A frame that satisfies all checks leaves its lane to the next one, so that a
slow frame holds up nobody. Workers are threads; the compiled code releases Python's lock.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phy.coding.propagation import simd as v
from phy.coding.propagation.graph import Graph
from phy.coding.propagation.lanes import decode_frames

__all__ = ["ALGORITHMS", "BeliefPropagation", "FixedPoint", "Outcome"]

ALGORITHMS = ("sum-product", "minsum", "offset-minsum", "normalized-minsum")
SCHEDULES = ("flooding", "layered")
OFFSET = 0.5
FACTOR = 0.75
LARGEST_CLIP = 80.0  # exp(-clip) must be a normal float32


# Fractional bits by width, from BLER simulations: 5G code (512, 1024), BPSK on AWGN, 20 layered iterations of
# offset-min-sum. Messages need to reach about 15: where they saturate at 8, BLER levels off at 4e-5 (22 of
# 5e5 blocks wrong at 2.5 dB and 6 bits; 3 where they reach 15, 4 in float32), for a gain of 0.02 dB at BLER
# 1e-2. That rate takes 2.9 dB with 3 bits and 2.3 dB with 4; with steps half as wide 6.5 and 3.3 dB.
FRACTIONS = {3: -1, 4: 0, 5: 1, 6: 1, 7: 2, 8: 3, 16: 6}


@dataclass(frozen=True)
class FixedPoint:
    """A Q format for LLRs: ``bits`` in all, sign included, ``fraction`` of them behind the point.

    Channel LLRs and messages saturate symmetrically at ``bits`` bits. A-posteriori LLRs saturate at the
    width of their lane: 8 bits for ``bits`` up to 6, and 16 bits above. `phy.coding.propagation.reference`
    writes down what is computed.

    Parameters
    ----------
    bits:
        3 to 8, or 16.
    fraction:
        The least step is 2^-fraction; -1 and -2 make it 2 and 4.

    Raises
    ------
    ValueError
        If ``bits`` is not 3 to 8 or 16, or the fraction does not fit.

    Examples
    --------
    >>> FixedPoint.of(6)
    FixedPoint(bits=6, fraction=1)
    >>> FixedPoint(6, 1).largest  # 15.5
    31
    """

    bits: int
    fraction: int

    def __post_init__(self) -> None:
        if self.bits not in FRACTIONS:
            raise ValueError(f"llr_bits must be 3, 4, 5, 6, 7, 8 or 16, got {self.bits}")
        if not -2 <= self.fraction < self.bits:
            raise ValueError(
                f"a {self.bits}-bit LLR has -2 to {self.bits - 1} fractional bits, got {self.fraction}"
            )

    @classmethod
    def of(cls, bits: int) -> FixedPoint:
        """Return the format of this width that decodes best with offset-min-sum.

        At 3 bits the offset rounds to 0. Normalised min-sum gains 0.2 dB from one more fractional bit at 6
        bits, and 0.1 dB at 7, at the price of a floor around BLER 1e-4.
        """
        return cls(bits, FRACTIONS.get(bits, 0))

    @property
    def largest(self) -> int:
        """Largest channel LLR and message."""
        return (1 << (self.bits - 1)) - 1

    @property
    def scale(self) -> float:
        """Integers a unit of LLR, 2^fraction."""
        return 2.0**self.fraction

    @property
    def dtype(self) -> type[np.int8] | type[np.int16]:
        """Integers of a lane."""
        return np.int8 if self.bits <= 6 else np.int16

    @property
    def offset(self) -> int:
        """The offset of offset-min-sum, 0.5 rounded to the grid, halves up."""
        return int(OFFSET * self.scale + 0.5)


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

    Parameters
    ----------
    graph:
        The parity-check matrix; layered decoding follows its rows from top to bottom.
    algorithm:
        ``sum-product``, ``minsum``, ``offset-minsum`` (0.5) or ``normalized-minsum`` (0.75).
    schedule:
        ``flooding`` or ``layered``.
    iterations:
        Most iterations of a frame.
    early_stop:
        Whether a frame ends when all parity checks hold.
    fixed_point:
        Q format of a fixed-point decoder; None decodes in ``float32``.
    clip:
        Largest magnitude of a floating-point channel LLR and message, as in Sionna; at most 80.
    threads:
        Workers; all cores by default.

    Raises
    ------
    ValueError
        If a choice does not exist, or fixed point is asked of sum-product.
    """

    def __init__(
        self,
        graph: Graph,
        algorithm: str = "offset-minsum",
        schedule: str = "layered",
        iterations: int = 20,
        early_stop: bool = True,
        fixed_point: FixedPoint | None = None,
        clip: float = 20.0,
        threads: int | None = None,
    ) -> None:
        if algorithm not in ALGORITHMS:
            raise ValueError(f"algorithm must be one of {', '.join(ALGORITHMS)}, got {algorithm!r}")
        if schedule not in SCHEDULES:
            raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}, got {schedule!r}")
        if iterations < 1:
            raise ValueError(f"iterations must be at least 1, got {iterations}")
        if fixed_point is not None and algorithm == "sum-product":
            raise ValueError(
                "sum-product has no fixed-point form here: choose a min-sum algorithm or drop llr_bits"
            )
        if not 0 < clip <= LARGEST_CLIP:
            raise ValueError(f"clip must be above 0 and at most {LARGEST_CLIP}, got {clip}")
        if threads is not None and threads < 1:
            raise ValueError(f"threads must be at least 1, or None for all cores, got {threads}")
        self.graph = graph
        self.algorithm = algorithm
        self.schedule = schedule
        self.iterations = iterations
        self.early_stop = early_stop
        self.fixed_point = fixed_point
        self.threads = threads or len(os.sched_getaffinity(0))
        self.dtype: Any = np.float32 if fixed_point is None else fixed_point.dtype
        self._scale = np.float32(1.0 if fixed_point is None else fixed_point.scale)
        self.largest = np.float32(clip if fixed_point is None else fixed_point.largest)

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
            If the shape is another, or a value is NaN or infinite.
        """
        llr = np.ascontiguousarray(llr, dtype=np.float32)
        if llr.ndim != 2 or llr.shape[1] != self.graph.size:
            raise ValueError(f"LLRs must have shape [frames, {self.graph.size}], got {llr.shape}")
        if not np.isfinite(llr).all():
            raise ValueError("LLRs must be finite, got NaN or infinity")
        frames = len(llr)
        bits = np.empty((frames, self.graph.size), np.uint8)
        values = np.empty((frames, self.graph.size), np.float32) if soft else None
        used, satisfied = np.empty(frames, np.int32), np.empty(frames, np.bool_)
        bounds = np.linspace(0, frames, min(self.threads, max(frames, 1)) + 1).astype(int)
        parts = [slice(a, b) for a, b in pairwise(bounds)]

        every = np.arange(self.graph.size, dtype=np.int32)

        def work(part: slice) -> None:
            share = None if values is None else values[part]
            decode_frames(
                llr[part], None, every, bits[part], share, used[part], satisfied[part], *self.arguments()
            )

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
        flooding = self.schedule == "flooding"
        return (
            graph.starts,
            graph.variables,
            graph.largest_degree,
            1 if self.algorithm == "sum-product" else None,
            dtype(self._offset()),
            dtype(self._factor()),
            dtype(self.largest),
            self._scale,
            self.largest,
            np.zeros(graph.size * width if flooding else 0, dtype),
            np.zeros(graph.size * width, dtype),
            np.zeros(graph.size * width, dtype) if flooding else None,
            np.zeros(graph.edges * width, dtype),
            np.zeros(3 * graph.largest_degree * width, dtype),
            np.full(v.BYTES, 255, np.uint8).view(dtype),
            np.zeros(graph.size, np.uint64),
            self.iterations,
            self.early_stop,
        )

    def _offset(self) -> float:
        if self.algorithm != "offset-minsum":
            return 0
        return OFFSET if self.fixed_point is None else self.fixed_point.offset

    def _factor(self) -> float:
        normalised = self.algorithm == "normalized-minsum"
        if self.fixed_point is None:
            return FACTOR if normalised else 1.0
        # m - (m >> 2) is 3/4 of m rounded up; a shift by all value bits takes nothing away.
        return 2 if normalised else 8 * np.dtype(self.dtype).itemsize - 1
