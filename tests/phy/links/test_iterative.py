"""Iterative demapping: priors and soft coded bits against Sionna and brute force, gains counted."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder
from sionna.phy.mapping import Constellation, Demapper

from phy.channels.flat import AWGN, Rayleigh
from phy.coding.decoding import Decoding
from phy.coding.fixed_point import FixedPoint
from phy.coding.ldpc.ldpc5g import LDPC5G
from phy.links.digital import DigitalLink
from phy.links.iterative import IterativeLink, decode_coded
from phy.modulation import Modulation
from phy.random import Stream, bits
from phy.units import EsN0

NAMES = ["bpsk", "qpsk", "qam16", "qam64", "qam16-natural", "qam64-natural", "qam256-natural"]


def labels(m: int) -> np.ndarray:
    return np.array(list(itertools.product((0, 1), repeat=m)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["app", "maxlog"])
def test_demapping_with_priors_equals_sionnas_in_double_precision(name: str, method: str) -> None:
    modulation = Modulation(name, method)  # type: ignore[arg-type]
    m = modulation.bits_per_symbol
    rng = np.random.default_rng(1)
    symbols = torch.view_as_complex(torch.from_numpy(rng.normal(size=(3, 40, 2)) * 1.2).float())
    no = torch.from_numpy(10 ** rng.uniform(-2, 1, size=(3, 40))).float()
    prior = torch.from_numpy(rng.normal(size=(3, 40 * m)) * rng.choice([0.5, 3, 30], (3, 1))).float()
    where = {"precision": "double", "device": "cpu"}
    points = Constellation("custom", m, modulation.points.to(torch.complex128), **where)
    sionna = Demapper(method, constellation=points, **where)
    posterior = sionna(symbols.to(torch.complex128), no.double(), prior.double().reshape(3, 40, m))
    found = modulation.demap(symbols, no, prior)
    assert found.dtype == torch.float32
    # float32 rounding of exponents as large as 2 |y a| / N0 plus all priors of a symbol
    exponents = 2 * symbols.abs() * 1.6 / no + prior.abs().reshape(3, 40, m).sum(-1) + 1
    tolerance = 2e-6 * exponents.repeat_interleave(m, -1)
    assert ((found.double() - (posterior - prior)).abs() <= tolerance).all()


@pytest.mark.parametrize("name", ["qpsk", "qam16", "qam16-natural"])
def test_extrinsic_llrs_are_sums_over_all_points(name: str) -> None:
    """Log ratio of the sums over points with b = 1 and b = 0 of exp(-|y - s|^2 / N0) prod P(other bits)."""
    modulation = Modulation(name)
    m, points = modulation.bits_per_symbol, modulation.points.numpy().astype(complex)
    rng = np.random.default_rng(2)
    y, no, prior = rng.normal(size=2) @ [1, 1j], 0.4, rng.normal(size=m) * 2
    table = labels(m)
    expected = []
    for bit in range(m):
        others = [i for i in range(m) if i != bit]
        weight = np.exp(-(abs(y - points) ** 2) / no) * np.exp(table[:, others] @ prior[others])
        expected.append(np.log(weight[table[:, bit] == 1].sum() / weight[table[:, bit] == 0].sum()))
    symbol = torch.tensor([[y]]).to(torch.complex64)
    found = modulation.demap(symbol, torch.tensor(no), torch.from_numpy(prior)[None])
    assert found[0].numpy() == pytest.approx(np.array(expected), abs=2e-5)


def test_no_knowledge_is_a_prior_of_zero_and_chunks_do_not_matter() -> None:
    modulation = Modulation("qam64")
    rng = np.random.default_rng(3)
    symbols = torch.view_as_complex(torch.from_numpy(rng.normal(size=(2, 20_000, 2))).float())
    no = torch.tensor([[0.1], [0.4]])
    assert torch.equal(modulation.demap(symbols, no, torch.zeros(2, 120_000)), modulation.demap(symbols, no))
    prior = torch.from_numpy(rng.normal(size=(2, 120_000))).float()
    whole = modulation.demap(symbols, no, prior)
    bits_of = slice(17_000 * 6, 20_000 * 6)
    piece = modulation.demap(symbols[1:, 17_000:], no[1:], prior[1:, bits_of])
    assert torch.equal(piece[0], whole[1, bits_of])


@pytest.mark.parametrize(("name", "m"), [("qam16", 4), ("qam64", 6), ("qam256", 8), ("qam1024", 10)])
def test_natural_labels_partition_the_set(name: str, m: int) -> None:
    """Ungerboeck: every bit known from the last one up doubles the distance of what is left on its axis."""
    natural, gray = Modulation(f"{name}-natural"), Modulation(name)
    assert natural.bits_per_symbol == m and natural.name == f"{name}-natural"
    by_value = [np.unique(np.round(x.points.numpy().astype(complex), 6)) for x in (natural, gray)]
    assert np.array_equal(*by_value)
    everything = torch.from_numpy(labels(m).astype(np.uint8)).reshape(1, -1)
    sent = natural.map(everything)
    assert torch.equal(sent[0], natural.points)
    assert torch.equal((natural.demap(sent, torch.tensor(1e-4)) > 0).to(torch.uint8), everything)
    table = labels(m)
    for known in range(m // 2):  # of the bits of the real axis, which are the even ones
        places = [m - 2 - 2 * i for i in range(known)]
        subset = np.unique(natural.points.real.numpy()[(table[:, places] == 0).all(axis=1)])
        smallest = np.diff(np.unique(natural.points.real.numpy())).min()
        assert np.diff(subset).min() == pytest.approx(smallest * 2**known, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["minsum", "offset-minsum"])
@pytest.mark.parametrize("schedule", ["flooding", "layered"])
@pytest.mark.parametrize("bits_per_symbol", [None, 4])
def test_soft_coded_bits_equal_sionnas(decoder: str, schedule: str, bits_per_symbol: int | None) -> None:
    """LLRs on a grid of 1/16 below the decoder's limit of 20, where float32 sums are exact; no filler."""
    k, n = 352, 480
    decoding = Decoding(decoder, schedule, 5, early_stop=False)
    code = LDPC5G(k, n, bits_per_symbol=bits_per_symbol, decoding=decoding)
    encoder = LDPC5GEncoder(k, n, num_bits_per_symbol=bits_per_symbol, device="cpu")
    sionna = LDPC5GDecoder(
        encoder,
        cn_update=decoder,
        cn_schedule=schedule,
        num_iter=5,
        hard_out=False,
        return_infobits=False,
        device="cpu",
    )
    rng = np.random.default_rng(4)
    sent = torch.from_numpy(rng.integers(0, 2, (30, k))).to(torch.uint8)
    noise = torch.from_numpy(rng.standard_normal((30, n))).float()
    llr = (torch.round(16 * 2 * (2.0 * code.encode(sent) - 1 + 0.56 * noise) / 0.3136) / 16).clamp(-20, 20)
    found = decode_coded(code, llr)
    assert 0 < int(found.satisfied.sum()) < 30
    # Sionna clips what it returns.
    assert torch.equal((llr + found.extrinsic).clamp(-20, 20), sionna(llr))
    plain = code.decode(llr)
    assert plain.llr is not None
    assert torch.equal(found.bits, plain.bits) and torch.equal(found.llr, plain.llr)


@pytest.mark.slow
@pytest.mark.parametrize("form", [None, FixedPoint(8, 3)])
def test_copies_of_a_repeated_bit_agree(form: FixedPoint | None) -> None:
    """Each copy learns what the others heard; all have the same a-posteriori LLR, strong inputs included."""
    code = LDPC5G(20, 300, decoding=Decoding("minsum", "flooding", 3, fixed_point=form))
    rng = np.random.default_rng(5)
    llr = torch.from_numpy(np.round(rng.normal(scale=9, size=(10, 300)) * 8) / 8).float()
    posterior = llr + decode_coded(code, llr).extrinsic
    _, first, inverse = np.unique(code.compiled.heard.places, return_index=True, return_inverse=True)
    assert len(first) < 300
    assert torch.equal(posterior, posterior[:, first][:, inverse])


@pytest.mark.parametrize(("n", "bits_per_symbol"), [(402, None), (400, 4)])
@pytest.mark.parametrize("channel", [AWGN(), Rayleigh(1)])
def test_one_turn_is_a_digital_link(n: int, bits_per_symbol: int | None, channel: AWGN | Rayleigh) -> None:
    code = LDPC5G(200, n, bits_per_symbol=bits_per_symbol, decoding=Decoding("sum-product", "flooding", 8))
    qam = Modulation("qam16-natural")
    streams = Stream(1).batch(range(40))
    sent = bits([stream.child("bits") for stream in streams], 200)
    db = 8.5 if channel == AWGN() else 11.0
    expected = DigitalLink(code, qam, channel)(sent, EsN0(db), streams)
    found = IterativeLink(code, qam, channel, turns=1)(sent, EsN0(db), streams)
    assert 0 < int((found.bits != sent).any(dim=1).sum()) < 40
    assert torch.equal(found.bits, expected.bits)
    assert found.llr is not None and expected.llr is not None and torch.equal(found.llr, expected.llr)
    assert torch.equal(found.symbol_no, expected.symbol_no)
    assert found.channel_uses == expected.channel_uses == -(-n // 4)


def test_filler_is_known_from_the_second_turn_on() -> None:
    """(64, 154) over 16-QAM: the last symbol has two coded bits, and two that the receiver knows to be 0."""
    code, qam = LDPC5G(64, 154, decoding=Decoding(iterations=4)), Modulation("qam16-natural")
    streams = Stream(8).batch(range(60))
    sent = bits([stream.child("bits") for stream in streams], 64)
    padded = torch.nn.functional.pad(code.encode(sent), (0, 2))
    reception = AWGN()(qam.map(padded), EsN0(6.5), streams)
    first = decode_coded(code, qam.demap(reception.symbols, reception.no)[:, :154])
    # All 4 bits of a symbol, of which the last 2 are 0: sums over the points that remain possible.
    points, table = qam.points.numpy().astype(complex), labels(4)
    possible = (table[:, 2:] == 0).all(axis=1)
    y, no = reception.symbols[:, -1:].numpy(), reception.no[:, -1:].numpy()
    prior = first.extrinsic[:, 152:].numpy().astype(float)
    weight = np.exp(-(abs(y - points[possible]) ** 2) / no + prior @ table[possible, :2].T)
    ones = [weight[:, table[possible, bit] == 1].sum(axis=1) for bit in (0, 1)]
    zeros = [weight[:, table[possible, bit] == 0].sum(axis=1) for bit in (0, 1)]
    last = np.log(np.array(ones) / np.array(zeros)).T - prior
    link = IterativeLink(code, qam, AWGN(), turns=2)
    known = link._passage.demap(reception, 154, first.extrinsic)
    np.testing.assert_allclose(known[:, 152:], last, atol=2e-4)
    expected = decode_coded(code, known)
    found = link(sent, EsN0(6.5), streams)
    again = ~first.satisfied
    assert 10 < int(again.sum()) < 60
    assert found.llr is not None
    assert torch.equal(found.llr[again], expected.llr[again])
    assert torch.equal(found.llr[~again], first.llr[~again])


def wrong(link: IterativeLink, db: float, rows: int) -> torch.Tensor:
    """Whether each of the blocks is wrong; noise depends on the modulation's number of points only."""
    streams = Stream(2).batch(range(rows))
    sent = bits([stream.child("bits") for stream in streams], link.code.k)
    return (link(sent, EsN0(db), streams).bits != sent).any(dim=1)


def long_code(algorithm: str = "sum-product") -> LDPC5G:
    return LDPC5G(512, 1024, bits_per_symbol=4, decoding=Decoding(algorithm, iterations=12))


@pytest.mark.parametrize("decoder", ["sum-product", "normalized-minsum"])
def test_gray_labels_gain_a_little(decoder: str) -> None:
    """Blocks that turns repair against blocks that they break, a sign test."""
    code = long_code(decoder)
    once, often = (
        wrong(IterativeLink(code, Modulation("qam16"), AWGN(), turns), 6.0, 500) for turns in (1, 4)
    )
    repaired, broken = int((once & ~often).sum()), int((often & ~once).sum())
    assert binomtest(repaired, repaired + broken, alternative="greater").pvalue < 1e-3
    assert int(often.sum()) > int(once.sum()) / 3


def test_set_partitioning_gains_much() -> None:
    """At 7 dB the block error rate falls at least fourfold, and every doubling of the turns helps."""
    code = long_code()
    counts = [
        int(wrong(IterativeLink(code, Modulation("qam16-natural"), AWGN(), turns), 7.0, 500).sum())
        for turns in (1, 2, 4)
    ]
    intervals = [binomtest(count, 500).proportion_ci(0.99) for count in counts]
    assert intervals[2].high < intervals[1].low and intervals[1].high < intervals[0].low
    assert intervals[2].high < intervals[0].low / 4


def test_rows_do_not_depend_on_the_batch() -> None:
    code = LDPC5G(120, 250, decoding=Decoding("sum-product", "flooding", 6))
    link = IterativeLink(code, Modulation("qam64-natural"), Rayleigh(1), turns=3)
    streams = Stream(3).batch(range(24))
    sent = bits([stream.child("bits") for stream in streams], 120)
    whole, piece = (link(sent[part], EsN0(13.0), streams[part]) for part in (slice(0, 24), slice(5, 9)))
    assert torch.equal(whole.bits[5:9], piece.bits)
    assert whole.llr is not None and piece.llr is not None and torch.equal(whole.llr[5:9], piece.llr)


def test_names_and_errors() -> None:
    code = LDPC5G(20, 40)
    link = IterativeLink(code, Modulation("16-QAM-natural"), AWGN(), 3)
    assert link.name == "ldpc5g(20,40,bg2) / qam16-natural / awgn / 3 turns"
    assert link.bits_per_use == 2.0
    with pytest.raises(ValueError, match="at least 1, got 0"):
        IterativeLink(code, Modulation("qpsk"), AWGN(), 0)
    with pytest.raises(ValueError, match="decoded by SionnaDecoder; this takes the compiled"):
        IterativeLink(LDPC5G(20, 40, decoding=Decoding(engine="sionna")), Modulation("qpsk"), AWGN())
    with pytest.raises(ValueError, match="'qpsk-natural'.*from qam16 on"):
        Modulation("qpsk-natural")
    with pytest.raises(ValueError, match=r"\[1, 8\], one a bit, got \[1, 7\]"):
        Modulation("qam16").demap(
            torch.zeros(1, 2, dtype=torch.complex64), torch.tensor(1.0), torch.zeros(1, 7)
        )
    with pytest.raises(ValueError, match=r"LLRs \[batch, 40\]"):
        decode_coded(code, torch.zeros(1, 39))
