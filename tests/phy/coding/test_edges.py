"""Sizes on the very edges of the rules of TS 38.212, where "up to" and "below" differ."""

from __future__ import annotations

import pytest

from phy.coding.polar.polar5g import Polar5G
from phy.coding.transport.format import TransportFormat
from phy.random import Stream, bits
from tests.oracles.ts38212 import polar as ts38212


@pytest.mark.parametrize(
    ("payload", "check", "blocks"), [(3824, 16, 1), (3825, 24, 1), (8424, 24, 1), (8425, 24, 2)]
)
def test_check_sums_of_clauses_7_2_1_and_5_2_2(payload: int, check: int, blocks: int) -> None:
    """CRC16 up to 3,824 bits; base graph 1 holds 8,448 with the check sum, and several have one each."""
    form = TransportFormat.for_payload(payload, 2, 0.75)
    assert (form.tb_crc_bits, form.blocks, form.cb_crc_bits) == (check, blocks, 24 * (blocks > 1))
    assert form.crc_bits == check + 24 * blocks * (blocks > 1)


@pytest.mark.parametrize(("k", "n"), [(15, 48), (38, 112), (45, 128 - 16)])
def test_polar_codes_are_punctured_up_to_a_rate_of_seven_sixteenths(k: int, n: int) -> None:
    """K / E with the check sum is 21 / 48 = 49 / 112 = 7/16 in the first two, and 1/2 in the last."""
    data = bits(Stream(7).batch(range(3)), k)
    code = Polar5G(k, n)
    assert n < code.structure.length
    assert (len(code.structure.shortened) > 0) == (16 * code.structure.k > 7 * n)
    assert code.encode(data).tolist() == [ts38212.uplink(row, n) for row in data.tolist()]


@pytest.mark.parametrize(
    ("payload", "m", "rate"), [(1000, 2, 0.5), (1001, 4, 2 / 3), (3824, 6, 0.75), (17, 2, 0.5)]
)
def test_the_fewest_channel_uses_keep_the_rate(payload: int, m: int, rate: float) -> None:
    """A rate is a promise: information bits, check sums among them, over coded bits do not exceed it."""
    form = TransportFormat.for_payload(payload, m, rate)
    carried = form.blocks * form.block_bits
    assert carried >= payload + form.crc_bits
    assert carried <= rate * form.channel_uses * m * (1 + 1e-12)
    assert carried > rate * (form.channel_uses - 1) * m
