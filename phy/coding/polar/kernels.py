"""Successive-cancellation list decoding, compiled; `phy.coding.polar.reference` says the same in full.

The LLRs of a path lie stage by stage: stage s has 2^s of them, from place 2^s - 1 on, and so have the partial
sums. All paths write a stage at the same bit, so a path that is copied copies only whose stages it reads.
"""

from __future__ import annotations

from math import exp, log1p
from typing import Any

import numpy as np

from phy.coding.polar.structure import FROZEN, INFORMATION
from phy.compiling import compiled, inlined

__all__ = ["decode_list"]


@inlined
def _check(a: float, b: float) -> float:
    """2 atanh(tanh(a / 2) tanh(b / 2)) without overflow."""
    least = min(abs(a), abs(b))
    signed = least if (a >= 0) == (b >= 0) else -least
    return signed + log1p(exp(-abs(a + b))) - log1p(exp(-abs(a - b)))


@inlined
def _penalty(llr: float, bit: int) -> float:
    """log(1 + exp(-(1 - 2 u) L)) without overflow."""
    against = llr if bit else -llr
    return max(against, 0.0) + log1p(exp(-abs(llr)))


@compiled
def _descend(
    bit: int, order: int, channel: Any, llr: Any, sums: Any, reads_llr: Any, reads_sums: Any, paths: int
) -> None:
    """Work out the LLR of an input bit for all paths: g at the stage that changes, f below it."""
    stage = order
    if bit:
        stage = 0
        while not bit >> stage & 1:
            stage += 1
        half = 1 << stage
        for path in range(paths):
            above = channel if stage + 1 == order else llr[reads_llr[path, stage + 1], 2 * half - 1 :]
            known = sums[reads_sums[path, stage], half - 1 :]
            for i in range(half):
                a = above[i]
                llr[path, half - 1 + i] = above[half + i] + (-a if known[i] else a)
        for path in range(paths):
            reads_llr[path, stage] = path
    for lower in range(stage - 1, -1, -1):
        half = 1 << lower
        for path in range(paths):
            above = channel if lower + 1 == order else llr[reads_llr[path, lower + 1], 2 * half - 1 :]
            for i in range(half):
                llr[path, half - 1 + i] = _check(above[i], above[half + i])
        for path in range(paths):
            reads_llr[path, lower] = path


@compiled
def _ascend(bit: int, order: int, decided: Any, sums: Any, reads_sums: Any, scratch: Any, paths: int) -> None:
    """Add the decided bits to the partial sums of all paths."""
    top = 0
    while bit >> top & 1:
        top += 1
    if top >= order:
        return
    for path in range(paths):
        scratch[0] = decided[path]
        for stage in range(top):
            half = 1 << stage
            left = sums[reads_sums[path, stage], half - 1 :]
            for i in range(half):
                scratch[half + i] = scratch[i]
                scratch[i] ^= left[i]
        for i in range(1 << top):
            sums[path, (1 << top) - 1 + i] = scratch[i]
    for path in range(paths):
        reads_sums[path, top] = path


@compiled
def _fork(metric: Any, llr: Any, paths: int, size: int, parents: Any, decided: Any) -> int:
    """Choose the best of both continuations of all paths: how many, their parents, bits and metrics."""
    both = np.empty(2 * paths)
    for path in range(paths):
        both[path] = metric[path] + _penalty(llr[path, 0], 0)
        both[paths + path] = metric[path] + _penalty(llr[path, 0], 1)
    kept = min(2 * paths, size)
    best = np.sort(np.argsort(both, kind="mergesort")[:kept])
    for path in range(kept):
        parents[path] = best[path] % paths
        decided[path] = best[path] // paths
        metric[path] = both[best[path]]
    return kept


@compiled
def decode_list(channel: Any, roles: Any, order: int, size: int, found: Any, metrics: Any) -> None:
    """Decode frames.

    Parameters
    ----------
    channel:
        LLRs log p(b=0)/p(b=1) of the output bits, ``[frames, N]``, ``float64``, finite.
    roles:
        `PolarStructure.roles`.
    order, size:
        N = 2^order; paths of the list.
    found, metrics:
        Input bits of all paths, ``[frames, size, N]``, ``uint8``, and what each path costs,
        ``[frames, size]``, ``float64``, infinite where there is none; both are filled.
    """
    length = 1 << order
    llr, sums = np.empty((size, length)), np.empty((size, length), np.uint8)
    reads_llr, reads_sums = np.zeros((size, order + 1), np.int64), np.zeros((size, order + 1), np.int64)
    registers = np.zeros((size, 5), np.uint8)
    scratch = np.empty(length, np.uint8)
    parents, decided = np.zeros(size, np.int64), np.zeros(size, np.uint8)
    history, bits = np.empty((length, size), np.int64), np.empty((length, size), np.uint8)
    for frame in range(len(channel)):
        metric = np.zeros(size)
        registers[:] = 0
        paths = 1
        for bit in range(length):
            _descend(bit, order, channel[frame], llr, sums, reads_llr, reads_sums, paths)
            turn = bit % 5  # of the register: adding to place bit % 5 is what rotating it does
            if roles[bit] == INFORMATION:
                paths = _fork(metric, llr, paths, size, parents, decided)
                reads_llr[:paths] = reads_llr[parents[:paths]]
                reads_sums[:paths] = reads_sums[parents[:paths]]
                registers[:paths] = registers[parents[:paths]]
            else:
                for path in range(paths):
                    parents[path] = path
                    decided[path] = 0 if roles[bit] == FROZEN else registers[path, turn]
                    metric[path] += _penalty(llr[path, 0], decided[path])
            for path in range(paths):
                if roles[bit] == INFORMATION:
                    registers[path, turn] ^= decided[path]
                history[bit, path], bits[bit, path] = parents[path], decided[path]
            _ascend(bit, order, decided, sums, reads_sums, scratch, paths)
        for path in range(size):
            metrics[frame, path] = metric[path] if path < paths else np.inf
            place = path
            for bit in range(length - 1, -1, -1):
                found[frame, path, bit] = bits[bit, place] if path < paths else 0
                place = history[bit, place] if path < paths else place
