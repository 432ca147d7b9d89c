"""Compiled belief propagation on many frames side by side: inner loops of `phy.coding.propagation.compiled`.

One vector holds one variable, or one message, of as many frames as it has lanes
(`phy.simd`). Within these functions LLRs are log p(b=0)/p(b=1), as decoders like them:
positive means 0. Arrays of a worker:

========== ============================ ==========================================================
name       elements                     meaning
========== ============================ ==========================================================
channel    variables x lanes            LLRs from the channel (flooding only)
posterior  variables x lanes            a-posteriori LLRs
gathered   variables x lanes            posteriors of the iteration in progress (flooding only)
messages   edges x lanes                check to variable, in the order of the rows
scratch    3 x largest degree x lanes   one row's inputs
kept       lanes                        all bits set, or none where a frame has just begun
decided    variables                    hard decisions, one bit a lane
parity     rows                         sums of checks, one bit a lane
========== ============================ ==========================================================
"""

from __future__ import annotations

import numpy as np

from phy import simd as v
from phy.coding.propagation.rows import MOST_IN_REGISTERS, layered_row
from phy.compiling import compiled, inlined

__all__ = ["decide", "iterate", "min_sum_iteration", "sum_product_iteration", "unsatisfied"]


@inlined
def _input(posterior, messages, kept, variable, edge, width):
    """Variable to check: what the variable knows without this check; of a fresh frame, all that it knows."""
    return v.sub(v.load(posterior, variable * width), v.keep_where(v.load(messages, edge * width), kept))


@inlined
def _output(posterior, gathered, messages, variable, edge, width, x, message):
    """Check to variable: keep the message, and let the variable know, at once or in the next iteration."""
    v.store(messages, edge * width, message)
    if gathered is None:
        v.store(posterior, variable * width, v.add(x, message))
    else:
        v.store(gathered, variable * width, v.add(v.load(gathered, variable * width), message))


@compiled
def min_sum_iteration(posterior, gathered, messages, scratch, kept, starts, variables, offset, factor, clip):
    """Run one iteration of (offset, normalised) min-sum over all rows.

    Layered if ``gathered`` is None: each row sees what the rows above it have found. Otherwise flooding:
    rows read ``posterior`` and add to ``gathered``, which begins as the channel's LLRs.
    Message: sign product of the others times ``(min(|others|, clip) - offset)+ * factor``; a ``factor`` of
    None is 1.
    """
    width = v.BYTES // posterior.itemsize
    limit, less, old = v.splat(clip), v.splat(offset), v.load(kept, 0)
    for row in range(starts.size - 1):
        first, degree = starts[row], starts[row + 1] - starts[row]
        if gathered is None and degree <= MOST_IN_REGISTERS:
            layered_row(posterior, messages, variables, first, degree, old, limit, less, factor)
            continue
        least, second, product = limit, limit, v.xor(limit, limit)
        for e in range(degree):
            x = _input(posterior, messages, old, variables[first + e], first + e, width)
            v.store(scratch, e * width, x)
            a = v.magnitude(x)
            second = v.minimum(second, v.maximum(least, a))
            least = v.minimum(least, a)
            product = v.xor(product, x)
        others = v.scaled_by(v.sub_floor(least, less), factor)
        own = v.scaled_by(v.sub_floor(second, less), factor)
        for e in range(degree):
            x = v.load(scratch, e * width)
            # Where several inputs share the least magnitude, least and second are equal and either is right.
            size = v.select_equal(v.minimum(v.magnitude(x), limit), least, own, others)
            message = v.apply_sign(size, v.xor(product, x))
            _output(posterior, gathered, messages, variables[first + e], first + e, width, x, message)


@compiled
def sum_product_iteration(posterior, gathered, messages, scratch, kept, starts, variables, room, clip):
    """Run one iteration of sum-product over all rows; layered or flooding as in `min_sum_iteration`.

    Magnitudes travel as exp(-|x|), in which box-plus is (a + b) / (1 + a b); a message combines the inputs
    on its left with those on its right, so that none is ever divided out.
    """
    width = v.BYTES // posterior.itemsize
    limit, old = v.splat(clip), v.load(kept, 0)
    for row in range(starts.size - 1):
        first, degree = starts[row], starts[row + 1] - starts[row]
        product = v.xor(limit, limit)
        left = v.exp_minus(limit)
        for e in range(degree):
            x = _input(posterior, messages, old, variables[first + e], first + e, width)
            product = v.xor(product, x)
            a = v.exp_minus(v.minimum(v.magnitude(x), limit))
            v.store(scratch, e * width, x)
            v.store(scratch, (room + e) * width, a)
            v.store(scratch, (2 * room + e) * width, left)
            left = v.box_plus(left, a) if e else a
        right = v.load(scratch, (room + degree - 1) * width)
        for step in range(degree):
            e = degree - 1 - step
            x = v.load(scratch, e * width)
            a = v.load(scratch, (room + e) * width)
            combined = v.load(scratch, (2 * room + e) * width)
            if step:
                combined = v.box_plus(combined, right) if e else right
                right = v.box_plus(right, a)
            size = v.minimum(v.minus_log(combined), limit)
            message = v.apply_sign(size, v.xor(product, x))
            _output(posterior, gathered, messages, variables[first + e], first + e, width, x, message)


@compiled
def iterate(
    posterior, gathered, channel, messages, scratch, kept, starts, variables, room, rule, offset, factor, clip
):
    """Run one iteration by the rule: min-sum if ``rule`` is None, otherwise sum-product."""
    if gathered is not None:  # flooding sums begin with the channel's LLRs
        for i in range(channel.size):
            gathered[i] = channel[i]
    if rule is None:
        min_sum_iteration(
            posterior, gathered, messages, scratch, kept, starts, variables, offset, factor, clip
        )
    else:
        sum_product_iteration(posterior, gathered, messages, scratch, kept, starts, variables, room, clip)


@compiled
def decide(posterior, gathered, decided):
    """Take the decisions of all variables; what flooding has gathered becomes the posterior."""
    width = v.BYTES // posterior.itemsize
    for variable in range(decided.size):
        known = v.load(posterior if gathered is None else gathered, variable * width)
        if gathered is not None:
            v.store(posterior, variable * width, known)
        decided[variable] = v.decide(known)


@compiled
def unsatisfied(decided, starts, variables, runs, parity):
    """Lanes, as bits, in which some parity check fails.

    ``runs`` are those of `phy.coding.propagation.graph.Graph.runs`: rows side by side whose variables are
    side by side, too; without any, rows are taken one by one. ``parity`` is room for ``[rows]``, ``uint64``.
    """
    failing = np.uint64(0)
    if runs.shape[0] == 0:
        for row in range(starts.size - 1):
            sum_of_row = np.uint64(0)
            for edge in range(starts[row], starts[row + 1]):
                sum_of_row ^= decided[variables[edge]]
            failing |= sum_of_row
        return failing
    parity[:] = np.uint64(0)
    for run in range(runs.shape[0]):
        row, variable = runs[run, 0], runs[run, 1]
        for i in range(runs[run, 2]):
            parity[row + i] ^= decided[variable + i]
    for row in range(parity.size):
        failing |= parity[row]
    return failing
