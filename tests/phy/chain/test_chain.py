"""The compiled chain counts what the link counts, block by block, and what theory says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from phy import theory
from phy.chain.chain import ChainCode, ChainCounts, CompiledChain
from phy.channels.flat import AWGN, Rayleigh, Rician
from phy.coding.decoding import Decoding
from phy.coding.fixed_point import FixedPoint
from phy.coding.ldpc.ldpc5g import LDPC5G
from phy.coding.ldpc.matrix import matrix_code
from phy.coding.polar.polar5g import Polar5G
from phy.coding.uncoded import Uncoded
from phy.links.digital import DigitalLink
from phy.modulation import Modulation
from phy.random import Stream, bits
from phy.units import EbN0, EsN0


def counted(link: DigitalLink, stream: Stream, snr: EsN0, blocks: int) -> ChainCounts:
    """Count the errors of a link by sending the blocks through it."""
    rows = stream.batch(range(blocks))
    sent = bits([row.child("bits") for row in rows], link.code.k)
    wrong = (link(sent, snr, rows).bits != sent).sum(dim=1)
    return ChainCounts(int((wrong > 0).sum()), int(wrong.sum()), int((wrong * wrong).sum()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("modulation", "demapping", "channel", "ebno_db"),
    [
        ("bpsk", "app", AWGN(), 1.5),
        ("bpsk", "app", Rayleigh(), 4.7),
        ("qpsk", "maxlog", AWGN(), 2.2),
        ("qam16", "app", AWGN(), 4.6),
        ("qam64", "maxlog", AWGN(), 7.7),
        ("qam64", "app", Rayleigh(), 8.5),
        ("qam256", "app", Rayleigh(24), 12.0),
    ],
    ids=str,
)
def test_equals_the_link_with_sionna_decoding(
    modulation: str, demapping: str, channel: AWGN | Rayleigh, ebno_db: float
) -> None:
    """Sionna maps and decodes; ours draws the same noise and must find the same errors."""
    mapping = Modulation(modulation, demapping)
    n = 1024 - 1024 % mapping.bits_per_symbol
    decoding = Decoding("offset-minsum", "flooding", 8, early_stop=False)
    ours, sionna = (
        LDPC5G(512, n, bits_per_symbol=mapping.bits_per_symbol, decoding=replace(decoding, engine=engine))
        for engine in ("compiled", "sionna")
    )
    link = DigitalLink(sionna, mapping, channel)
    snr = EbN0(ebno_db).to_esn0(link.bits_per_use)
    chain = CompiledChain(ChainCode.of(ours), mapping, channel)
    expected, found = (
        counted(link, Stream(1, "chain"), snr, 150),
        chain.count(Stream(1, "chain"), snr, 0, 150),
    )
    assert 5 < expected.block_errors < 145, expected
    # The same arithmetic in another order: a last digit may turn one undecided block of many.
    assert abs(found.block_errors - expected.block_errors) <= 1
    assert found.bit_errors == pytest.approx(expected.bit_errors, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("bits_of_llr", [None, 6, 8])
@pytest.mark.parametrize(
    ("n", "modulation"), [(1024, "bpsk"), (700, "qam16"), (2600, "qpsk"), (1027, "qam64")]
)
def test_equals_the_link_with_compiled_decoding(bits_of_llr: int | None, n: int, modulation: str) -> None:
    """High and low rates, filler behind the coded bits, fixed and floating point: the very same counts."""
    mapping = Modulation(modulation)
    form = None if bits_of_llr is None else FixedPoint.of(bits_of_llr)
    code = LDPC5G(
        512,
        n,
        bits_per_symbol=None if n % mapping.bits_per_symbol else mapping.bits_per_symbol,
        decoding=Decoding("offset-minsum", iterations=6, fixed_point=form),
    )
    link = DigitalLink(code, mapping, AWGN())
    snr = EsN0(theory.capacity_snr(link.bits_per_use).db + (2.2 if modulation == "qam64" else 1.4))
    chain = CompiledChain(ChainCode.of(code), mapping, AWGN())
    expected, found = (
        counted(link, Stream(2, "chain"), snr, 200),
        chain.count(Stream(2, "chain"), snr, 0, 200),
    )
    assert expected.block_errors > 0
    assert abs(found.block_errors - expected.block_errors) <= 1
    assert found.bit_errors == pytest.approx(expected.bit_errors, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["WIMAX_288_576", "CCSDS_64_128", "WIFI_540_648"])
def test_equals_the_link_with_a_matrix(data_dir: Path, name: str) -> None:
    code = matrix_code(f"alist:{data_dir / 'reference/alist' / name}.alist", Decoding(iterations=10))
    link = DigitalLink(code, Modulation("qpsk"), AWGN())
    snr = EbN0(2.0).to_esn0(link.bits_per_use)
    chain = CompiledChain(ChainCode.of(code), Modulation("qpsk"), AWGN())
    expected = counted(link, Stream(3, "chain"), snr, 300)
    assert expected.block_errors > 0
    assert chain.count(Stream(3, "chain"), snr, 0, 300) == expected


@pytest.mark.parametrize("k", [200, 333, 1000])
def test_equals_the_link_at_any_length(k: int) -> None:
    """Lengths that end inside a word: the bits behind the last one are known zeros, not information."""
    code = LDPC5G(k, 2 * k, decoding=Decoding("offset-minsum", iterations=8))
    link = DigitalLink(code, Modulation("bpsk"), AWGN())
    snr = EbN0(2.0).to_esn0(0.5)
    chain = CompiledChain(ChainCode.of(code), Modulation("bpsk"), AWGN())
    expected, found = (
        counted(link, Stream(7, "chain"), snr, 300),
        chain.count(Stream(7, "chain"), snr, 0, 300),
    )
    assert 0 < expected.block_errors < 200
    assert abs(found.block_errors - expected.block_errors) <= 1
    assert found.bit_errors == pytest.approx(expected.bit_errors, rel=0.02)


@pytest.mark.slow
def test_counts_do_not_depend_on_the_division() -> None:
    code = LDPC5G(200, 400, decoding=Decoding("offset-minsum", fixed_point=FixedPoint.of(6)))
    chain = CompiledChain(ChainCode.of(code), Modulation("bpsk"), AWGN())
    snr, stream = EbN0(1.0).to_esn0(0.5), Stream(4, "chain")
    whole = chain.count(stream, snr, 0, 3000)
    assert whole.block_errors > 100
    assert chain.count(stream, snr, 0, 3000, threads=3) == whole
    parts = [
        chain.count(stream, snr, first, blocks) for first, blocks in ((0, 1), (1, 7), (8, 64), (72, 2928))
    ]
    assert sum(part.block_errors for part in parts) == whole.block_errors
    assert sum(part.bit_errors for part in parts) == whole.bit_errors
    assert sum(part.squared_bit_errors for part in parts) == whole.squared_bit_errors


@pytest.mark.parametrize(
    ("modulation", "esno_db"), [("bpsk", 6.0), ("qpsk", 9.0), ("qam16", 15.0), ("qam64", 20.0)]
)
@pytest.mark.parametrize("channel", [AWGN(), Rayleigh()], ids=str)
def test_uncoded_equals_the_closed_form(modulation: str, esno_db: float, channel: AWGN | Rayleigh) -> None:
    mapping = Modulation(modulation, "maxlog")
    chain = CompiledChain(ChainCode.uncoded(1200), mapping, channel)
    blocks = 4000
    found = chain.count(Stream(5, "chain"), EsN0(esno_db), 0, blocks)
    closed = theory.ber_awgn if isinstance(channel, AWGN) else theory.ber_rayleigh
    expected = closed(mapping.bits_per_symbol, EsN0(esno_db)) * 1200 * blocks
    # Blocks are independent: the spread of the total follows from the spread between blocks. Joint 99 % of 8.
    variance = found.squared_bit_errors - found.bit_errors**2 / blocks
    assert abs(found.bit_errors - expected) < stats.norm.isf(0.005 / 8) * np.sqrt(variance)
    assert found.bit_errors > 1000


def test_uncoded_equals_the_link() -> None:
    link = DigitalLink(Uncoded(999), Modulation("qam16"), Rayleigh("block"))
    chain = CompiledChain(ChainCode.of(link.code), Modulation("qam16"), Rayleigh("block"))
    expected = counted(link, Stream(6, "chain"), EsN0(14.0), 100)
    assert chain.count(Stream(6, "chain"), EsN0(14.0), 0, 100) == expected


def test_what_the_chain_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="rician"):
        CompiledChain(ChainCode.uncoded(10), Modulation("bpsk"), Rician(6.0))
    with pytest.raises(ValueError, match="awgn with psk8"):
        CompiledChain(ChainCode.uncoded(10), Modulation("psk8"), AWGN())
    with pytest.raises(ValueError, match=r"got polar5g\(64,128\)"):
        ChainCode.of(Polar5G(64, 128))
    with pytest.raises(ValueError, match="decoded by SionnaDecoder; this takes the compiled"):
        ChainCode.of(LDPC5G(64, 128, decoding=Decoding(engine="sionna")))
