"""What the min-sum decoders, and those of hard decisions, compute, number by number, in plain NumPy.

`phy.coding.propagation.compiled` must return what `decode` returns: decisions, a-posteriori LLRs,
iterations and verdicts, in fixed point and in ``float32``. Write L for log p(b=0)/p(b=1), the sign in which
decoders count. Every operation below is on integers of unlimited width or on single ``float32`` numbers,
followed by the saturation named.

=================== ======================================= =========================================
step                fixed point, Q format (bits, fraction)  float32
=================== ======================================= =========================================
channel LLR         round(L * 2^fraction), ties to even,    clip L to [-clip, clip]
                    clipped to +-(2^(bits-1) - 1)
offset              floor(offset * 2^fraction + 0.5)        offset
normalisation       m - floor(q m / 64),                    factor * m
                    q = floor(64 (1 - factor) + 0.5)
largest message     2^(bits-1) - 1                          clip
a-posteriori LLR    saturates at [-2^(lane-1),              any
                    2^(lane-1) - 1], lane = 8 or 16 bits
=================== ======================================= =========================================

One iteration visits the rows of the parity-check matrix from top to bottom, and within a row every variable
of the row at once:

1. x = saturate(P - m): the variable's a-posteriori LLR less this check's last message to it (0 at first).
2. a = the least of min(|x'|, largest message) over the *other* variables x' of the row.
3. m = scale(max(a - offset, 0)), negative if an odd number of the other x' are negative; 0 is not negative.
4. P = saturate(P0 + m).

Layered decoding has one P and P0 = x: the next row sees what this one has found. In flooding decoding step 1
reads the P of the last iteration, P0 is the sum under way, and sums begin with the channel LLR; so the order
of the rows decides where a saturating sum saturates, or how a float sum is rounded.

After the iteration a variable is decided 1 if P <= 0. A frame ends when it has had its iterations, or at the
first iteration after which all parity checks hold, if it may stop early.

The decoders of hard decisions are written down in `decode_hard`, frame by frame on the matrix itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phy.coding.code import CERTAIN
from phy.coding.decoding import HARD, MIN_SUM, Decoding
from phy.coding.fixed_point import FixedPoint
from phy.coding.propagation.compiled import Outcome
from phy.coding.propagation.flipping import THRESHOLD, reliabilities
from phy.coding.propagation.graph import Graph

__all__ = ["decode", "decode_hard"]

Array = NDArray[Any]


def decode(graph: Graph, llr: NDArray[np.float32], decoding: Decoding) -> Outcome:
    """Decode as `phy.coding.propagation.compiled.BeliefPropagation` does, a thousand times slower.

    Parameters
    ----------
    graph:
        The parity-check matrix.
    llr:
        Channel LLRs log p(b=1)/p(b=0), ``[frames, variables]``, ``float32``.
    decoding:
        ``minsum``, ``offset-minsum`` or ``normalized-minsum`` with all that belongs to it.

    Raises
    ------
    ValueError
        If there is no such algorithm here.

    Examples
    --------
    >>> graph = Graph.of(np.ones((1, 3)))  # one check: the weakest decision gives way
    >>> decode(graph, np.array([[3.0, -4.0, -0.5]], np.float32), Decoding("minsum")).soft.round(1)
    array([[ 2.5, -3.5,  2.5]], dtype=float32)
    """
    decoding.among("the reference", MIN_SUM)
    form = decoding.fixed_point
    arithmetic = _Float(decoding) if form is None else _Fixed(decoding, form)
    channel = arithmetic.channel(-llr.T)  # frames are the last dimension of everything below
    posterior, final = channel.copy(), channel.copy()
    messages = np.zeros((graph.edges, len(llr)), channel.dtype)
    running = np.arange(len(llr))
    used, satisfied = np.zeros(len(llr), np.int32), np.zeros(len(llr), np.bool_)
    for iteration in range(1, decoding.iterations + 1):
        start = channel if decoding.schedule == "flooding" else None
        posterior = _iterate(graph, arithmetic, posterior, start, messages)
        good = _checks_hold(graph, posterior)
        ended = (good & decoding.early_stop) | (iteration == decoding.iterations)
        frames = running[ended]
        final[:, frames], satisfied[frames], used[frames] = posterior[:, ended], good[ended], iteration
        running = running[~ended]
        posterior, channel, messages = posterior[:, ~ended], channel[:, ~ended], messages[:, ~ended]
    return Outcome((final <= 0).astype(np.uint8).T, -arithmetic.value(final).T, used, satisfied)


def _iterate(
    graph: Graph, arithmetic: _Fixed | _Float, posterior: Array, channel: Array | None, messages: Array
) -> Array:
    """One iteration over all rows; flooding if ``channel`` is given. Returns the new a-posteriori LLRs."""
    saturate = arithmetic.saturate
    new = posterior if channel is None else channel.copy()
    for first, end in pairwise(graph.starts):
        variables, edges = graph.variables[first:end], slice(first, end)
        x = saturate(posterior[variables] - messages[edges])
        messages[edges] = _check(arithmetic, x)
        new[variables] = saturate((x if channel is None else new[variables]) + messages[edges])
    return new


def _check(arithmetic: _Fixed | _Float, x: Array) -> Array:
    """Messages of one check to its variables, from theirs to it: ``[degree, frames]``."""
    size = np.minimum(np.abs(x), arithmetic.largest)
    least, second = np.partition(size, 1, axis=0)[:2]  # equal where two inputs share the least
    others = np.where(size == least, second, least)
    size = arithmetic.scale(np.maximum(others - arithmetic.offset, 0))
    negative = x < 0
    return np.where(np.logical_xor.reduce(negative) ^ negative, -size, size)


def _checks_hold(graph: Graph, posterior: Array) -> NDArray[np.bool_]:
    """Whether the decisions of each frame satisfy all parity checks, ``[frames]``."""
    ones = (posterior <= 0)[graph.variables]
    failing: NDArray[np.bool_] = np.logical_xor.reduceat(ones, graph.starts[:-1])
    return np.logical_not(failing.any(axis=0))


class _Fixed:
    """Integers of a Q format."""

    def __init__(self, decoding: Decoding, form: FixedPoint) -> None:
        self.one = np.float32(2.0**form.fraction)
        self.largest = (1 << (form.bits - 1)) - 1
        self.lane = 8 if form.bits <= 6 else 16
        self.offset = 0
        if decoding.algorithm == "offset-minsum":
            self.offset = math.floor(decoding.offset * 2.0**form.fraction + 0.5)
        q = math.floor(64 * (1 - decoding.factor) + 0.5)
        self.scale = _choose(decoding, lambda m: m - q * m // 64)

    def channel(self, llr: Array) -> Array:
        return np.clip(np.rint(llr * self.one), -self.largest, self.largest).astype(np.int32)

    def saturate(self, values: Array) -> Array:
        return np.clip(values, -(1 << (self.lane - 1)), (1 << (self.lane - 1)) - 1)

    def value(self, values: Array) -> NDArray[np.float32]:
        return values.astype(np.float32) / self.one


class _Float:
    """Single ``float32`` numbers, rounded after every operation."""

    def __init__(self, decoding: Decoding) -> None:
        self.largest = np.float32(decoding.clip)
        self.offset = np.float32(decoding.offset if decoding.algorithm == "offset-minsum" else 0)
        self.scale = _choose(decoding, lambda m: m * np.float32(decoding.factor))

    def channel(self, llr: Array) -> Array:
        return np.clip(llr.astype(np.float32), -self.largest, self.largest)

    def saturate(self, values: Array) -> Array:
        return values

    def value(self, values: Array) -> NDArray[np.float32]:
        return values.astype(np.float32)


def _choose(decoding: Decoding, normalise: Callable[[Array], Array]) -> Callable[[Array], Array]:
    return normalise if decoding.algorithm == "normalized-minsum" else lambda m: m


def decode_hard(graph: Graph, llr: NDArray[np.float32], decoding: Decoding) -> Outcome:
    """Decode as `phy.coding.propagation.flipping.HardDecision` does, by the rules of `Decoding`.

    Parameters are those of `decode`; the algorithm is ``gallager-b`` or ``bit-flipping``.

    Examples
    --------
    >>> graph = Graph.of(np.array([[1, 1, 0, 1, 0, 0], [0, 1, 1, 0, 1, 0], [1, 0, 1, 0, 0, 1]]))
    >>> llr = np.array([[-2.0, 2.0, -2.0, -2.0, -2.0, -2.0]], np.float32)
    >>> decode_hard(graph, llr, Decoding("bit-flipping")).bits
    array([[0, 0, 0, 0, 0, 0]], dtype=uint8)
    """
    decoding.among("the reference", HARD)
    step = _gallager_b if decoding.algorithm == "gallager-b" else _bit_flipping
    H = graph.matrix.toarray().astype(bool)
    y, known = reliabilities(llr), np.abs(llr) >= CERTAIN
    frames = [step(H, each, fixed, decoding) for each, fixed in zip(y, known, strict=True)]
    x = np.array([frame for frame, _ in frames])
    satisfied = np.array([_satisfied(H, frame) for frame in x])
    return Outcome(
        (x <= 0).astype(np.uint8), None, np.array([used for _, used in frames], np.int32), satisfied
    )


def _satisfied(H: Array, x: Array) -> bool:
    return not (H.astype(int) @ (x <= 0) % 2).any()


def _gallager_b(H: Array, y: Array, known: Array, decoding: Decoding) -> tuple[Array, int]:
    """Decide one frame: signs, 0 for unknown, and iterations."""

    def majority(others: Array, said: Array) -> Array:
        doubtless = np.where(others + said == 0, said, np.sign(others + said))
        return np.where(known, r, doubtless)

    r = np.sign(y).astype(int)
    to_check, x = np.where(H, r, 1), r
    used = 0
    while used < decoding.iterations:
        used += 1
        others = [np.delete(to_check, v, axis=1).prod(axis=1) for v in range(len(r))]
        to_variable = np.where(H, np.array(others).T, 0)
        total = to_variable.sum(axis=0)
        x = majority(total, r)
        to_check = np.where(H, [majority(total - row, r) for row in to_variable], 1)
        if decoding.early_stop and _satisfied(H, x):
            break
    return x, used


def _bit_flipping(H: Array, y: Array, known: Array, decoding: Decoding) -> tuple[Array, int]:
    """Decide one frame: signs and iterations."""
    x, single, before = np.where(y > 0, 1, -1), False, -np.inf
    for iteration in range(decoding.iterations + 1):
        products = np.where(H, x, 1).prod(axis=1)
        own = x * y
        gain = np.where(known, np.inf, own + products @ H)
        objective = products.sum() + own[~known].sum(dtype=np.float64)
        if iteration == decoding.iterations or (products > 0).all() or known.all():
            break
        single, before = single or objective <= before, objective
        flipped = gain < THRESHOLD
        if single or not flipped.any():
            flipped = np.arange(len(x)) == gain.argmin()
        x = np.where(flipped, -x, x)
    return x, iteration
