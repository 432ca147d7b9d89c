"""The convolutional code against IEEE 802.11: what is sent, how far words lie apart, how often they fail."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import binom

from phy.coding.trellis.convolutional import Convolutional, punctured
from phy.random import Stream, bits, complex_normal
from tests.oracles.ieee80211.convolutional import PATTERNS, encode, least_weight, puncture


def sent(steps: int, rate: str) -> int:
    """Bits that a pattern sends of so many steps."""
    return len(puncture([0] * steps, [0] * steps, rate))


@pytest.mark.parametrize("rate", sorted(PATTERNS))
@pytest.mark.parametrize("k", [1, 19, 20, 21, 94, 1000, 1002])
def test_words_are_those_of_the_standard(rate: str, k: int) -> None:
    """Pattern from the first bit, through the tail, broken off anywhere in its last period."""
    code = Convolutional(k, sent(k + 6, rate), 1 / 2)
    data = bits(Stream(1, rate).batch(range(4)), k)
    in_order = torch.argsort(code._matcher.index)
    coded = code.encode(data)[:, in_order]
    for row, word in zip(data.tolist(), coded.tolist(), strict=True):
        assert word == puncture(*encode(row), rate)


@pytest.mark.parametrize(
    ("k", "n", "distance"),
    [
        (300, 612, 10),  # 1/2
        (300, sent(306, "2/3"), 6),
        (1002, sent(1008, "3/4"), 5),
        (1000, sent(1006, "3/4"), 5),
        (1000, sent(1006, "5/6"), 4),
        (1000, 1333, 4),  # k / n = 3/4, of which the tail takes some: 3/4 and 4/5 mixed
        (1000, 1143, 3),  # 7/8
        (1000, 1500, 5),
        (1000, 1600, 6),  # 1/2 and 2/3 mixed
    ],
)
def test_free_distance(k: int, n: int, distance: int) -> None:
    mask = np.zeros(2 * (k + 6), dtype=bool)
    mask[punctured(k + 6, n).numpy()] = True
    assert mask.sum() == n
    assert least_weight(mask.reshape(-1, 2)) == distance


def test_every_length_is_reached() -> None:
    """Each step sends one bit at least, the first two, and as many others two as it takes."""
    for steps in (7, 8, 30, 101):
        for n in range(steps + 1, 2 * steps + 1):
            index = punctured(steps, n)
            counts = torch.bincount(index // 2, minlength=steps)
            assert len(index) == n and torch.equal(index, index.unique())
            assert set(counts.tolist()) <= {1, 2} and counts[0] == 2


@pytest.mark.slow
@pytest.mark.parametrize(("ebno_db", "expected", "blocks"), [(4.0, 0.036, 1000), (5.0, 0.004, 2000)])
def test_block_error_rate_at_three_quarters(ebno_db: float, expected: float, blocks: int) -> None:
    """1,002 bits, BPSK. Even puncturing, whose free distance is 4, fails in .149 and .017 of the blocks."""
    code = Convolutional(1002, 1344)
    variance = 0.5 * code.n / code.k * 10.0 ** (-ebno_db / 10.0)
    wrong = 0
    for first in range(0, blocks, 500):
        streams = Stream(2, str(ebno_db)).batch(range(first, first + 500))
        data = bits([stream.child("bits") for stream in streams], code.k)
        noise = torch.view_as_real(complex_normal([s.child("noise") for s in streams], 672)).flatten(1)
        received = 2.0 * code.encode(data) - 1.0 + math.sqrt(2.0 * variance) * noise
        wrong += int((code.decode(2.0 / variance * received).bits != data).any(dim=1).sum())
    low, high = binom.interval(0.99, blocks, expected)
    assert low <= wrong <= high, wrong / blocks
