"""The compiled chain's loop: blocks are made 64 at a time, wait, are decoded lane by lane, and counted.

Made blocks wait in a few slots, 64 in each. Block i is decoded in lane i mod (number of lanes), so that no
data change lanes; a lane whose block is done takes its next one from the slots, however far the others are. A
slot is filled anew when every lane has taken what it held for it.
"""

from __future__ import annotations

import numpy as np

from phy import simd as v
from phy.chain.drawing import LANES
from phy.chain.making import make_lanes
from phy.coding.propagation import kernels
from phy.coding.propagation.lanes import keep
from phy.compiling import compiled

__all__ = ["count_coded", "count_uncoded"]

_ONE = np.uint64(1)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@compiled
def _below(count):
    """Word whose lowest ``count`` bits are set."""
    return _ALL if count >= LANES else (_ONE << np.uint64(max(count, 0))) - _ONE


@compiled
def _count(wrong, lanes, counts):
    """Add block errors, bit errors and squared bit errors of these lanes; ``wrong`` is ``[k]``."""
    any_wrong = np.uint64(0)
    for i in range(wrong.size):
        any_wrong |= wrong[i]
    any_wrong &= lanes
    for lane in range(LANES):
        if (any_wrong >> np.uint64(lane)) & _ONE:
            errors = np.uint64(0)
            for i in range(wrong.size):
                errors += (wrong[i] >> np.uint64(lane)) & _ONE
            counts[0] += 1
            counts[1] += np.int64(errors)
            counts[2] += np.int64(errors * errors)


@compiled
def count_uncoded(first, blocks, source, words, llr, counts):
    """Send blocks and decide each bit by its LLR: ``llr`` is room for ``[k, 64]``, ``float32``."""
    k = source[2]
    wrong = np.empty(k, np.uint64)
    flat = llr.reshape(llr.size)
    lanes = v.BYTES // 4
    for done in range(0, blocks, LANES):
        _make(np.uint64(first + done), source, words, llr)
        for i in range(k):
            decided = np.uint64(0)
            for at in range(0, LANES, lanes):
                decided |= v.decide(v.load(flat, i * LANES + at)) << np.uint64(at)
            wrong[i] = decided ^ words[i]
        _count(wrong, _below(blocks - done), counts)


@compiled
def _make(first, source, words, out):
    key, tags, k, program, places, variables_of, repeated, constellation, radio, grid, table = source
    make_lanes(
        first,
        key,
        tags,
        k,
        program,
        words,
        places,
        variables_of,
        repeated,
        constellation,
        radio,
        grid,
        table,
        out,
    )


@compiled
def _enter(slot, part, lanes, width, posterior, channel, gathered, kept, made_bits, sent):
    """Move the blocks of these lanes from a slot to the decoder."""
    for variable in range(posterior.size // width):
        new = v.load(slot, variable * LANES + part * width)
        v.store(posterior, variable * width, v.select_bits(lanes, new, v.load(posterior, variable * width)))
        if gathered is not None:
            v.store(channel, variable * width, v.select_bits(lanes, new, v.load(channel, variable * width)))
    shift = np.uint64(part * width)
    for i in range(sent.size):
        sent[i] = (sent[i] & ~lanes) | ((made_bits[i] >> shift) & lanes)
    for lane in range(width):
        if (lanes >> np.uint64(lane)) & _ONE:
            kept[lane] = posterior.dtype.type(0)


@compiled
def count_coded(
    first, blocks, source, words, slots, made_bits, information,
    starts, variables, room, rule, offset, factor, clip, scale, largest,
    channel, posterior, gathered, messages, scratch, kept, decided, parity, runs, most, early, counts,
):  # fmt: skip
    """Send, decode and count blocks ``first`` to ``first + blocks - 1``.

    ``source`` and ``words`` are what `phy.chain.making.make_lanes` takes; ``slots`` and ``made_bits`` are
    zeros where blocks wait, ``[slots, variables, 64]`` in the decoder's numbers and ``[slots, k]``;
    ``information`` holds the variable of every information bit. What follows comes from
    ``BeliefPropagation.arguments``.
    Block errors, bit errors and squared bit errors are added to ``counts``.
    """
    k = information.size
    width = v.BYTES // posterior.itemsize
    parts = LANES // width  # groups of lanes in a slot
    batches, made = -(-blocks // LANES), 0
    taken, spent = np.zeros(width, np.int64), np.zeros(width, np.int32)
    sent, wrong = np.zeros(k, np.uint64), np.empty(k, np.uint64)
    busy, everybody = np.uint64(0), _below(width)
    while True:
        if busy != everybody:
            short, slowest = False, taken[0]
            for lane in range(width):
                if (busy >> np.uint64(lane)) & _ONE == 0 and taken[lane] == made * parts:
                    short = True
                slowest = min(slowest, taken[lane])
            if short and made < batches and slowest >= (made - slots.shape[0] + 1) * parts:
                at = made % slots.shape[0]
                _make(np.uint64(first + made * LANES), source, words, slots[at])
                made_bits[at] = words[:k]
                made += 1
            waiting = np.uint64(0)
            for lane in range(width):
                if (busy >> np.uint64(lane)) & _ONE == 0 and taken[lane] < made * parts:
                    waiting |= _ONE << np.uint64(lane)
            while waiting:
                batch, lanes = np.int64(-1), np.uint64(0)
                for lane in range(width):
                    if (waiting >> np.uint64(lane)) & _ONE and (batch < 0 or taken[lane] == batch):
                        batch = taken[lane]
                        lanes |= _ONE << np.uint64(lane)
                        taken[lane] += 1
                        spent[lane] = 0
                waiting &= ~lanes
                at, part = batch // parts % slots.shape[0], batch % parts
                lanes &= _below(blocks - (batch // parts * LANES + part * width))
                slot = slots[at].reshape(slots[at].size)
                _enter(slot, part, lanes, width, posterior, channel, gathered, kept, made_bits[at], sent)
                busy |= lanes
        if busy == 0:
            if made == batches:
                return
            continue
        kernels.iterate(
            posterior, gathered, channel, messages, scratch, kept, starts, variables, room, rule,
            offset, factor, clip,
        )  # fmt: skip
        kernels.decide(posterior, gathered, decided)
        failing = kernels.unsatisfied(decided, starts, variables, runs, parity)
        keep(kept)
        over = np.uint64(0)
        for lane in range(width):
            spent[lane] += 1
            if spent[lane] >= most:
                over |= _ONE << np.uint64(lane)
        done = busy & (over | ~failing if early else over)
        if done:
            for i in range(k):
                wrong[i] = decided[information[i]] ^ sent[i]
            _count(wrong, done, counts)
            busy &= ~done
