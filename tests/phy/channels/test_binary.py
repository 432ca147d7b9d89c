"""Binary channels: exact LLRs, the rule of infinite ones, and codes against closed forms and thresholds."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from phy.channels.binary import BEC, BSC, BitChannel
from phy.channels.names import parse_bit_channel, parse_channel
from phy.coding.code import Decoded, check_llr
from phy.coding.decoding import Decoding
from phy.coding.ldpc.ldpc5g import LDPC5G
from phy.coding.ldpc.matrix import MatrixCode
from phy.links.binary import BinaryLink
from phy.random import Stream, bits, events
from phy.theory import bec_capacity, bec_limit, bsc_capacity, bsc_limit
from phy.units import EventProbability
from tests.oracles.ensembles import regular

STREAMS = Stream(4, "binary").batch(range(200))


@pytest.mark.parametrize("p", [1e-4, 0.03, 0.11, 0.4, 0.5, 0.9])
def test_llrs_of_a_bsc_are_exact_and_mean_what_they_say(p: float) -> None:
    """Two values, log((1 - p) / p) either way; of those that say so, a share p is wrong."""
    sent = bits(STREAMS, 1000)
    llr = BSC()(sent, EventProbability(p), STREAMS)
    assert llr.abs().unique().tolist() == pytest.approx([abs(math.log((1 - p) / p))], rel=1e-6)
    if p != 0.5:
        wrong = int(((llr > 0) != (sent > 0)).sum())
        assert stats.binomtest(wrong, sent.numel(), min(p, 1 - p)).pvalue > 1e-3


def test_certain_and_useless_channels() -> None:
    sent = bits(STREAMS, 10)
    for p, sign in ((0.0, 1.0), (1.0, 1.0)):
        llr = BSC()(sent, EventProbability(p), STREAMS)
        assert torch.equal(llr, torch.where(sent.bool(), sign * math.inf, -sign * math.inf))
    assert not BEC()(sent, EventProbability(1.0), STREAMS).any()
    assert torch.equal(
        check_llr(BEC()(sent, EventProbability(0.0), STREAMS), 10).abs(), torch.full((200, 10), 1e30)
    )


@pytest.mark.parametrize("p", [0.01, 0.3])
def test_a_bec_erases_and_never_errs(p: float) -> None:
    sent = bits(STREAMS, 1000)
    llr = BEC()(sent, EventProbability(p), STREAMS)
    assert stats.binomtest(int((llr == 0).sum()), sent.numel(), p).pvalue > 1e-3
    known = llr != 0
    assert torch.isinf(llr[known]).all()
    assert torch.equal(llr[known] > 0, sent[known].bool())


def test_events_are_independent_of_what_is_beside_them_and_of_information_bits() -> None:
    whole = events(STREAMS, 333, 0.2)
    assert torch.equal(events(STREAMS[7:9], 333, 0.2), whole[7:9])
    assert torch.equal(events(STREAMS, 100, 0.2), whole[:, :100])
    assert bool((whole <= events(STREAMS, 333, 0.3)).all())  # one number each, whatever the probability
    pairs = (whole[:, 1:] & whole[:, :-1]).sum()
    assert stats.binomtest(int(pairs), 200 * 332, 0.04).pvalue > 1e-3
    assert not events(STREAMS, 10, 0.0).any() and events(STREAMS, 10, 1.0).all()


class Repeated:
    """One bit, n times, decided by the sum of its LLRs."""

    def __init__(self, n: int) -> None:
        self.name, self.k, self.n = f"repeated({n})", 1, n

    def encode(self, sent: torch.Tensor) -> torch.Tensor:
        return sent.repeat(1, self.n)

    def decode(self, llr: torch.Tensor) -> Decoded:
        total = check_llr(llr, self.n).sum(dim=1, keepdim=True)
        return Decoded((total > 0).to(torch.uint8), total)


@pytest.mark.slow
@pytest.mark.parametrize(("channel", "n", "p"), [(BSC(), 5, 0.2), (BSC(), 3, 0.3), (BEC(), 4, 0.6)], ids=str)
def test_repetition_is_a_majority(channel: BitChannel, n: int, p: float) -> None:
    """BSC: more than half are flipped. BEC: all are erased, and the guess is wrong every second time."""
    streams = Stream(8, channel.name).batch(range(30_000))
    sent = bits([stream.child("bits") for stream in streams], 1)
    found = BinaryLink(Repeated(n), channel)(sent, EventProbability(p), streams)
    wrong = int((found.bits != sent).sum())
    rate = stats.binom.sf(n // 2, n, p) if channel.name == "bsc" else p**n / 2
    assert stats.binomtest(wrong, len(streams), rate).pvalue > 1e-3


def test_ldpc_over_the_bec_turns_at_its_threshold() -> None:
    """(3, 6) regular, 6,000 bits: density evolution x = p (1 - (1 - x)^5)^2 has its threshold at 0.4294.

    (Richardson and Urbanke, Modern Coding Theory, chapter 3.) Belief propagation corrects nearly all blocks
    0.02 below, and none 0.02 above, where the erasures left are those of the fixed point.
    """
    code = MatrixCode(regular(6000, 3, 6, seed=5), "regular", decoding=Decoding("minsum", iterations=300))
    streams = Stream(9, "bec").batch(range(12))
    sent = bits([stream.child("bits") for stream in streams], code.k)
    good = BinaryLink(code, BEC())(sent, EventProbability(0.41), streams)
    assert int((good.bits != sent).any(dim=1).sum()) <= 1
    coded = code.encode(sent)
    left = code.propagate(BEC()(coded, EventProbability(0.45), streams)).soft
    assert left is not None
    x = 1.0
    for _ in range(2000):
        x = 0.45 * (1 - (1 - x) ** 5) ** 2
    erased = 0.45 * (1 - (1 - x) ** 5) ** 3
    assert float((left == 0).mean()) == pytest.approx(erased, abs=0.01)
    assert bool((left == 0).any(axis=1).all())


def test_5g_ldpc_carries_bits_over_both() -> None:
    """At 60 % of what capacity stands, (512, 1024) arrives; at 130 % nothing does."""
    code = LDPC5G(512, 1024, decoding=Decoding(iterations=50))
    streams = Stream(10).batch(range(40))
    sent = bits([stream.child("bits") for stream in streams], 512)
    for channel, limit in ((BSC(), bsc_limit(0.5)), (BEC(), bec_limit(0.5))):
        link = BinaryLink(code, channel)
        below = link(sent, EventProbability(0.6 * limit), streams).bits
        above = link(sent, EventProbability(1.3 * limit), streams).bits
        assert int((below != sent).any(dim=1).sum()) == 0
        assert int((above != sent).any(dim=1).sum()) == 40


def test_capacities() -> None:
    """h(0.11) is 1/2 to three digits (Cover and Thomas), and the limits invert the capacities."""
    assert bsc_capacity(0.11) == pytest.approx(0.5, abs=1e-3)
    assert (bsc_capacity(0.0), bsc_capacity(0.5), bsc_capacity(1.0)) == (1.0, 0.0, 1.0)
    for rate in (0.1, 0.5, 0.9):
        assert bsc_capacity(bsc_limit(rate)) == pytest.approx(rate)
        assert bec_capacity(bec_limit(rate)) == pytest.approx(rate)
    assert (bsc_limit(1.0), bec_limit(1.0)) == (0.0, 0.0)


def test_names_and_mistakes() -> None:
    assert parse_bit_channel(" BEC ") == BEC()
    assert parse_bit_channel("rayleigh") is None
    with pytest.raises(ValueError, match=r"'bsc' carries bits.*--channel bsc --p"):
        parse_channel("bsc")
    for wrong in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="from 0 to 1"):
            EventProbability(wrong)
    with pytest.raises(ValueError, match="3 streams|with 2 streams"):
        BSC()(torch.zeros(3, 4, dtype=torch.uint8), EventProbability(0.1), STREAMS[:2])
