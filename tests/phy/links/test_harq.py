"""HARQ against Sionna's HARQ decoder, closed forms of what combining does, and the books of channel uses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder

from phy.channels.channel import SymbolReception
from phy.channels.flat import AWGN, Rayleigh
from phy.coding.crc import CRC
from phy.coding.decoding import Decoding
from phy.coding.ldpc.ldpc5g import LDPC5G
from phy.links.digital import DigitalLink
from phy.links.harq import CHASE, INCREMENTAL, HarqLDPC5G, HarqLink, HarqReception
from phy.modulation import Modulation
from phy.random import Stream, bits
from phy.units import EsN0

QPSK = Modulation("qpsk")
EIGHT = Decoding(iterations=8)


def noisy(coded: torch.Tensor, db: float, seed: int) -> torch.Tensor:
    """LLRs of BPSK, real noise of variance 10^(-db/10), on a grid of 1/16, where sums are exact."""
    variance = 10 ** (-db / 10)
    noise = torch.from_numpy(np.random.default_rng(seed).standard_normal(coded.shape)).float()
    return torch.round(16 * 2 / variance * (2.0 * coded - 1 + math.sqrt(variance) * noise)) / 16


@pytest.mark.slow
@pytest.mark.parametrize(
    ("decoder", "schedule", "k", "n", "bits_per_symbol", "iterations"),
    [
        ("minsum", "flooding", 352, 400, 2, 10),
        ("offset-minsum", "flooding", 720, 1080, 4, 10),
        ("offset-minsum", "flooding", 968, 1200, None, 10),
        ("offset-minsum", "layered", 352, 480, 2, 2),  # Sionna takes a second an iteration
    ],
)
def test_incremental_redundancy_equals_sionnas(
    decoder: str, schedule: str, k: int, n: int, bits_per_symbol: int | None, iterations: int
) -> None:
    """Every soft value of min-sum after every transmission, in blocks that get through and that do not.

    Sizes are without filler: Sionna's decoder knows it as LLRs of its limit, which others may come to exceed.
    """
    decoding = Decoding(decoder, schedule, iterations, early_stop=False)
    code = HarqLDPC5G(k, n, bits_per_symbol=bits_per_symbol, decoding=decoding)
    encoder = LDPC5GEncoder(k, n, num_bits_per_symbol=bits_per_symbol, device="cpu")
    sionna = LDPC5GDecoder(
        encoder,
        cn_update=decoder,
        cn_schedule=schedule,
        num_iter=iterations,
        hard_out=False,
        harq_mode=True,
        device="cpu",
    )
    sent = bits(Stream(1, k).batch(range(12)), k)
    coded = encoder(sent.float(), rv=list(INCREMENTAL))
    buffer, received, right = code.empty(12), [], []
    for count, rv in enumerate(INCREMENTAL, start=1):
        assert torch.equal(code.encode(sent, count - 1).float(), coded[:, count - 1]), rv
        received.append(noisy(code.encode(sent, count - 1), 1.0, 10 * k + count))
        buffer = code.add(buffer, received[-1], count - 1)
        decided, soft = code.decode(buffer, count)
        expected = sionna(torch.stack(received, dim=1), rv=list(INCREMENTAL[:count]))
        assert torch.equal(soft, expected.clamp(-20, 20)), rv
        assert torch.equal(decided, (expected >= 0).to(torch.uint8)), rv
        right.append(int((decided == sent).all(dim=1).sum()))
    assert right[0] < 12 and right == sorted(right) and right[-1] > right[0]


@pytest.mark.parametrize("decoder", ["minsum", "offset-minsum", "sum-product"])
def test_chase_combining_equals_scaled_llrs(decoder: str) -> None:
    """Three transmissions that meet the same noise are one with LLRs three times as large."""
    decoding = Decoding(decoder, iterations=8)
    code, single = HarqLDPC5G(200, 300, CHASE, decoding=decoding), LDPC5G(200, 300, decoding=decoding)
    sent = bits(Stream(2).batch(range(60)), 200)
    llr = noisy(code.encode(sent, 0), -4.0, 7)
    buffer = code.empty(60)
    for transmission in range(3):
        buffer = code.add(buffer, llr, transmission)
    decided, soft = code.decode(buffer, 3)
    expected = single.decode(3 * llr)
    assert torch.equal(decided, expected.bits)
    assert torch.equal(soft, expected.llr)


def test_one_transmission_is_a_digital_link() -> None:
    """Also with a last symbol that is not full, and fading."""
    code, plain = HarqLDPC5G(100, 151, (0,), decoding=EIGHT), LDPC5G(100, 151, decoding=EIGHT)
    qam, channel = Modulation("qam16"), Rayleigh(1)
    streams = Stream(3).batch(range(40))
    sent = bits([stream.child("bits") for stream in streams], 100)
    found = HarqLink(code, qam, channel)(sent, EsN0(10.5), streams)
    expected = DigitalLink(plain, qam, channel)(sent, EsN0(10.5), streams)
    assert 0 < int(found.acknowledged.sum()) < 40
    assert torch.equal(found.bits, expected.bits)
    assert expected.llr is not None and torch.equal(found.llr, expected.llr)
    assert found.channel_uses.tolist() == [expected.channel_uses] * 40 == [38] * 40


class Counting:
    """AWGN that counts the symbols it carries."""

    name = "counting"

    def __init__(self) -> None:
        self.symbols: list[torch.Size] = []

    def __call__(
        self, symbols: torch.Tensor, snr: EsN0, streams: Sequence[Stream], real: bool = False
    ) -> SymbolReception:
        self.symbols.append(symbols.shape)
        return AWGN()(symbols, snr, streams, real)


@pytest.mark.parametrize("versions", [INCREMENTAL, CHASE])
@pytest.mark.parametrize("crc", [None, "16", "24A"])
def test_the_books_are_right(versions: tuple[int, ...], crc: str | None) -> None:
    channel = Counting()
    link = HarqLink(HarqLDPC5G(200, 303, versions, decoding=EIGHT), Modulation("qam16"), channel, crc)
    streams = Stream(4).batch(range(150))
    sent = bits([stream.child("bits") for stream in streams], link.k)
    assert link.k == 200 - (0 if crc is None else CRC(crc).length)
    found = link(sent, EsN0(2.0 if versions == INCREMENTAL else 4.0), streams)
    assert {shape[1] for shape in channel.symbols} == {76} == {link.channel_uses}
    assert int(found.channel_uses.sum()) == sum(shape.numel() for shape in channel.symbols)
    # Those not yet acknowledged, and no others, are sent again.
    again = tuple(shape[0] for shape in channel.symbols[1:])
    assert found.failures[: len(again)] == again and len(set(found.failures)) > 2
    assert torch.equal(found.channel_uses, 76 * found.transmissions)
    assert bool((found.acknowledged | (found.transmissions == 4)).all())
    delivered = int(found.acknowledged.sum())
    assert found.throughput == pytest.approx(delivered * link.k / int(found.channel_uses.sum()))
    wrong = (found.bits != sent).any(dim=1)
    if crc is None:
        assert torch.equal(found.acknowledged, ~wrong)
    else:  # 150 blocks of at most four wrong decisions pass CRC16 once in 109 runs
        assert not bool((wrong & found.acknowledged).any())


def test_rows_do_not_depend_on_the_batch() -> None:
    link = HarqLink(HarqLDPC5G(120, 150, bits_per_symbol=2), QPSK, Rayleigh("block"), "16")
    streams = Stream(5).batch(range(30))
    sent = bits([stream.child("bits") for stream in streams], link.k)
    whole = link(sent, EsN0(3.0), streams)
    assert len(whole.transmissions.unique()) > 2
    for part in (slice(0, 1), slice(7, 19)):
        piece = link(sent[part], EsN0(3.0), streams[part])
        for name in ("bits", "llr", "transmissions", "acknowledged", "channel_uses"):
            assert torch.equal(getattr(piece, name), getattr(whole, name)[part]), name


def measured(
    versions: tuple[int, ...], db: float, channel: AWGN | Rayleigh, rows: int = 400
) -> HarqReception:
    code = HarqLDPC5G(512, 576, versions, bits_per_symbol=2, decoding=Decoding(iterations=12))
    streams = Stream(6).batch(range(rows))
    sent = bits([stream.child("bits") for stream in streams], 512)
    return HarqLink(code, QPSK, channel)(sent, EsN0(db), streams)


def test_every_transmission_helps_and_new_bits_help_more() -> None:
    """At a first rate of 8/9 incremental redundancy gains coding, where chase combining gains power only."""
    incremental = measured(INCREMENTAL, 1.0, Rayleigh("block"))
    chase = measured(CHASE, 1.0, Rayleigh("block"))
    assert incremental.failures[0] == chase.failures[0]
    for found in (incremental, chase):
        intervals = [binomtest(count, 400).proportion_ci(0.99) for count in found.failures]
        for before, after in pairwise(intervals[1:]):
            assert after.high < before.low
    for count in (1, 2, 3):
        low = binomtest(chase.failures[count], 400).proportion_ci(0.99).low
        assert binomtest(incremental.failures[count], 400).proportion_ci(0.99).high < low
    assert incremental.throughput > 1.4 * chase.throughput


def test_chase_combining_gains_exactly_its_power() -> None:
    """Two transmissions on AWGN at x dB are one at x + 3.01 dB."""
    twice = measured((0, 0), 3.0, AWGN(), 600).failures[1]
    once = measured((0,), 3.0 + 10 * math.log10(2), AWGN(), 600).failures[0]
    assert 30 < once < 570
    error = math.sqrt(once * (600 - once) / 600 + twice * (600 - twice) / 600)
    assert abs(twice - once) < 2.58 * error
    lossy = measured((0,), 2.8 + 10 * math.log10(2), AWGN(), 600).failures[0]
    assert abs(twice - lossy) > 2.58 * error  # so a loss of 0.2 dB would have been seen


@pytest.mark.parametrize("rv", [1, 2, 3])
def test_any_version_may_come_first(rv: int) -> None:
    """Versions 1 and 2 alone lack the information bits; version 3 wraps around to them."""
    code = HarqLDPC5G(300, 900, (rv, 0), decoding=Decoding(iterations=15))
    sent = bits(Stream(8).batch(range(8)), 300)
    buffer = code.add(code.empty(8), noisy(code.encode(sent, 0), 6.0, 1), 0)
    assert torch.equal(code.decode(buffer, 1)[0], sent) == (rv == 3)
    assert torch.equal(code.decode(code.add(buffer, noisy(code.encode(sent, 1), 6.0, 2), 1), 2)[0], sent)


def test_errors_quote_what_came_in() -> None:
    code = HarqLDPC5G(20, 40)
    assert code.name == "harq-ldpc5g(20,40,bg2,rv=0-2-3-1)"
    with pytest.raises(ValueError, match="at least one redundancy version"):
        HarqLDPC5G(20, 40, ())
    with pytest.raises(ValueError, match="engine of HARQ is compiled, got 'sionna'"):
        HarqLDPC5G(20, 40, decoding=Decoding(engine="sionna"))
    with pytest.raises(ValueError, match="redundancy version must be 0, 1, 2 or 3, got 4"):
        HarqLDPC5G(20, 40, (0, 4))
    with pytest.raises(ValueError, match="CRC must be one of.*'32'"):
        HarqLink(code, QPSK, AWGN(), "32")
    with pytest.raises(ValueError, match=r"CRC24A leaves no payload in k = 20"):
        HarqLink(code, QPSK, AWGN(), "24A")
    link = HarqLink(code, QPSK, AWGN(), "6")
    with pytest.raises(ValueError, match=r"bits \[batch, 14\].*\[2, 20\]"):
        link(torch.zeros(2, 20, dtype=torch.uint8), EsN0(0.0), Stream(1).batch(range(2)))
    with pytest.raises(ValueError, match="2 rows need as many streams, got 3"):
        link(torch.zeros(2, 14, dtype=torch.uint8), EsN0(0.0), Stream(1).batch(range(3)))
    with pytest.raises(ValueError, match=r"LLRs \[batch, 40\]"):
        code.add(code.empty(1), torch.zeros(1, 39), 0)
