"""Lanes of the compiled decoder: frames go in, are iterated side by side, and leave when they are done."""

from __future__ import annotations

import numpy as np

from phy import simd as v
from phy.coding.propagation import kernels
from phy.compiling import compiled

__all__ = ["decode_frames", "keep"]


@compiled
def _put(llr, frame, lane, width, scale, largest, channel, posterior, gathered):
    """Move a frame into a lane: LLRs log p1/p0 onto the decoder's grid."""
    for variable in range(llr.shape[1]):
        x = -llr[frame, variable] * scale
        x = x if posterior.itemsize == 4 else np.rint(x)
        x = min(max(x, -largest), largest) + np.float32(0.0)  # no negative zero: signs multiply
        value = posterior.dtype.type(x)
        posterior[variable * width + lane] = value
        if gathered is not None:
            channel[variable * width + lane] = value


@compiled
def _take(frame, lane, width, scale, decided, posterior, bits, soft):
    """Write what a lane has decided."""
    one = np.uint64(1)
    for variable in range(decided.size):
        bits[frame, variable] = (decided[variable] >> np.uint64(lane)) & one
    if soft is not None:
        for variable in range(soft.shape[1]):
            soft[frame, variable] = np.float32(0.0) - np.float32(posterior[variable * width + lane]) / scale


@compiled
def decode_frames(
    llr, bits, soft, used, satisfied, starts, variables, room, rule, offset, factor, clip, scale, largest,
    channel, posterior, gathered, messages, scratch, kept, decided, parity, runs, most, early,
):  # fmt: skip
    """Decode all frames, refilling lanes as they finish.

    ``llr`` is ``[frames, variables]``: LLRs log p1/p0 in ``float32``. ``bits``, ``soft``, ``used`` and
    ``satisfied`` receive what an `Outcome` holds. The other arguments come from
    ``BeliefPropagation.arguments``.
    """
    width = v.BYTES // posterior.itemsize
    frames = llr.shape[0]
    begun = posterior.dtype.type(0)
    frame_of = np.full(width, -1, np.int64)
    spent = np.zeros(width, np.int32)
    upcoming = 0
    running = 0
    while True:
        for lane in range(width):
            if frame_of[lane] < 0 and upcoming < frames:
                _put(llr, upcoming, lane, width, scale, largest, channel, posterior, gathered)
                kept[lane] = begun
                frame_of[lane] = upcoming
                spent[lane] = 0
                upcoming += 1
                running += 1
        if running == 0:
            return
        kernels.iterate(
            posterior, gathered, channel, messages, scratch, kept, starts, variables, room, rule,
            offset, factor, clip,
        )  # fmt: skip
        kernels.decide(posterior, gathered, decided)
        failing = kernels.unsatisfied(decided, starts, variables, runs, parity)
        keep(kept)
        for lane in range(width):
            if frame_of[lane] < 0:
                continue
            spent[lane] += 1
            good = (failing >> np.uint64(lane)) & np.uint64(1) == 0
            if spent[lane] == most or (early and good):
                frame = frame_of[lane]
                _take(frame, lane, width, scale, decided, posterior, bits, soft)
                used[frame] = spent[lane]
                satisfied[frame] = good
                frame_of[lane] = -1
                running -= 1


@compiled
def keep(kept):
    """Keep the messages of all lanes: none has just begun."""
    words = kept.view(np.uint64)
    for i in range(words.size):
        words[i] = np.uint64(0xFFFFFFFFFFFFFFFF)
