"""Outer interleavers: orders, identity of what is decoded, and what they are for."""

from __future__ import annotations

import pytest
import torch

from phy.chain.chain import ChainCode, CompiledChain
from phy.channels.flat import AWGN, Rayleigh
from phy.channels.names import parse_channel
from phy.coding.catalog import CODES
from phy.coding.interleaving import Interleaved, Interleaver
from phy.coding.ldpc.ldpc5g import LDPC5G
from phy.links.digital import DigitalLink
from phy.modulation import Modulation
from phy.random import Stream, bits
from phy.units import EsN0


def errors(link: DigitalLink, snr_db: float, blocks: int) -> int:
    streams = Stream(1).batch(range(blocks))
    sent = bits([stream.child("bits") for stream in streams], link.k)
    return int((link(sent, EsN0(snr_db), streams).bits != sent).any(dim=1).sum())


def test_orders_are_written_by_rows_and_read_by_columns() -> None:
    order = Interleaver.parse("block:4").order(10).tolist()
    rows = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert order == [row[column] for column in range(4) for row in rows if column < len(row)]
    assert Interleaver.parse("block:10").order(10).tolist() == list(range(10))
    first, again, other = (Interleaver.parse(name).order(50) for name in ("random", "random:0", "random:7"))
    assert (first == again).all() and (first != other).any()
    assert sorted(first.tolist()) == list(range(50))


@pytest.mark.parametrize("name", ["ldpc5g", "turbo", "bch"])
def test_words_are_those_of_the_code_in_another_order(name: str) -> None:
    code = CODES[name].build(60)
    mixed = Interleaved(code, Interleaver.parse("random:3"))
    sent = bits(Stream(2).batch(range(3)), 60)
    assert torch.equal(mixed.encode(sent), code.encode(sent)[:, mixed.order])
    llr = 8.0 * mixed.encode(sent) - 4.0
    llr[0, :3] *= -0.2
    back = torch.empty_like(llr).index_copy_(1, torch.from_numpy(mixed.order), llr)
    assert torch.equal(mixed.decode(llr).bits, code.decode(back).bits)


@pytest.mark.parametrize("channel", [AWGN(), Rayleigh()])
def test_the_compiled_chain_counts_what_the_link_counts(channel: AWGN | Rayleigh) -> None:
    code = Interleaved(LDPC5G(64, 128), Interleaver.parse("random:5"))
    link = DigitalLink(code, Modulation("qpsk"), channel)
    chain = CompiledChain(ChainCode.of(code), link.modulation, link.channel)
    streams = Stream(4).batch(range(200))
    sent = bits([stream.child("bits") for stream in streams], 64)
    wrong = (link(sent, EsN0(0.5), streams).bits != sent).sum(dim=1)
    found = chain.count(Stream(4), EsN0(0.5), 0, 200)
    assert (found.block_errors, found.bit_errors) == (int((wrong > 0).sum()), int(wrong.sum()))
    assert 5 < found.block_errors < 200


def test_it_spreads_a_fade_over_the_code() -> None:
    """Repeated bits side by side fade together in blocks of 12 symbols: order 1 of diversity, then 3."""
    code = _Adjacent()
    channel = parse_channel("rayleigh:coherence=12")
    plain = errors(DigitalLink(code, Modulation("bpsk"), channel), 12.0, 400)
    spread = Interleaved(code, Interleaver.parse("block:12"))
    mixed = errors(DigitalLink(spread, Modulation("bpsk"), channel), 12.0, 400)
    assert plain > 50 and mixed < 0.25 * plain


class _Adjacent:
    """Each of 48 bits three times, side by side."""

    name, k, n = "adjacent", 48, 144

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        return bits.repeat_interleave(3, dim=1)

    def decode(self, llr: torch.Tensor) -> object:
        from phy.coding.code import Decoded

        soft = llr.reshape(len(llr), 48, 3).sum(dim=2)
        return Decoded(bits=(soft > 0).to(torch.uint8), llr=soft)


@pytest.mark.parametrize("text", ["", "block", "block:", "random:", "block:0", "random:x", "block:-3", "s:3"])
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"got '{text}'"):
        Interleaver.parse(text)
