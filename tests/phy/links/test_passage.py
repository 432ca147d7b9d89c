"""What all links of coded bits share: the same symbols and noise, and the same refusals."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from phy.channels.channel import Channel
from phy.channels.flat import AWGN, Rayleigh
from phy.channels.names import parse_channel
from phy.coding.code import Decoded
from phy.coding.decoding import Decoding
from phy.coding.ldpc.ldpc5g import LDPC5G
from phy.coding.transport.block import TransportBlock, TransportFormat
from phy.links.analog import AnalogLink
from phy.links.digital import DigitalLink
from phy.links.harq import HarqLDPC5G, HarqLink
from phy.links.iterative import IterativeLink
from phy.links.passage import Passage
from phy.modulation import Modulation
from phy.random import Stream, bits
from phy.theory import ber_awgn
from phy.units import EbN0, EsN0

DECODING = Decoding(iterations=8)


@pytest.mark.parametrize(
    ("modulation", "channel", "db"),
    [
        ("bpsk", AWGN(), -1.0),
        ("bpsk", Rayleigh(), 1.5),
        ("bpsk", parse_channel("tdl-c:delay_spread=100e-9,speed=3"), 2.0),
        ("qpsk", AWGN(), 2.0),
        ("qam64", Rayleigh(1), 13.5),
    ],
    ids=str,
)
def test_first_transmissions_of_all_links_meet_the_same_noise(
    modulation: str, channel: Channel, db: float
) -> None:
    """HARQ's first transmission and a single turn are a digital link, row by row; BPSK meets real noise."""
    mapping = Modulation(modulation)
    options = {"bits_per_symbol": mapping.bits_per_symbol, "decoding": DECODING}
    code = LDPC5G(120, 240, **options)  # type: ignore[arg-type]
    streams = Stream(3).batch(range(80))
    sent = bits([stream.child("bits") for stream in streams], 120)
    expected = DigitalLink(code, mapping, channel)(sent, EsN0(db), streams)
    assert 5 < int((expected.bits != sent).any(dim=1).sum()) < 75
    once = IterativeLink(code, mapping, channel, turns=1)(sent, EsN0(db), streams)
    harq = HarqLDPC5G(120, 240, (0,), **options)  # type: ignore[arg-type]
    first = HarqLink(harq, mapping, channel)(sent, EsN0(db), streams)
    for found in (once, first):
        assert torch.equal(found.bits, expected.bits)
        assert found.llr is not None and expected.llr is not None
        assert torch.equal(found.llr, expected.llr)


def test_bpsk_meets_its_bit_error_rate_in_every_link() -> None:
    """Hard decisions on the LLRs of 200,000 bits at 4 dB: Q(sqrt(2 Es/N0)), to 5 %."""
    coded = bits(Stream(5).batch(range(50)), 4000)
    llr = Passage(Modulation("bpsk"), AWGN()).llr(coded, EsN0(4.0), Stream(6).batch(range(50)))
    errors = float(((llr > 0) != coded.bool()).double().mean())
    assert errors == pytest.approx(ber_awgn(1, EsN0(4.0)), rel=0.05)


def links() -> dict[str, Callable[[object], object]]:
    """Calls of every link with an SNR."""
    code, qpsk, streams = LDPC5G(20, 40), Modulation("qpsk"), Stream(1).batch(range(1))
    sent = torch.zeros(1, 20, dtype=torch.uint8)
    symbols = torch.ones(1, 4, dtype=torch.complex64)
    return {
        "digital": lambda snr: DigitalLink(code, qpsk, AWGN())(sent, snr, streams),  # type: ignore[arg-type]
        "harq": lambda snr: HarqLink(HarqLDPC5G(20, 40), qpsk, AWGN())(sent, snr, streams),  # type: ignore[arg-type]
        "iterative": lambda snr: IterativeLink(code, qpsk, AWGN())(sent, snr, streams),  # type: ignore[arg-type]
        "analog": lambda snr: AnalogLink(AWGN())(symbols, snr, streams),  # type: ignore[arg-type]
    }


@pytest.mark.parametrize("name", ["digital", "harq", "iterative", "analog"])
@pytest.mark.parametrize(
    ("snr", "words"),
    [(5.0, r"got 5\.0: write EsN0\(5\.0\)"), (EbN0(2.0), r"got EbN0\(db=2\.0\): .*EbN0\(2\.0\)\.to_esn0")],
)
def test_an_snr_says_which_ratio_it_is(name: str, snr: object, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        links()[name](snr)
    assert "\n" not in str(caught.value)


def test_a_code_that_interleaves_for_another_constellation_is_refused() -> None:
    qam, message = Modulation("qam16"), r"built with bits_per_symbol=2, but qam16 carries 4"
    code = LDPC5G(100, 200, bits_per_symbol=2)
    with pytest.raises(ValueError, match=message):
        DigitalLink(code, qam, AWGN())
    with pytest.raises(ValueError, match=message):
        IterativeLink(code, qam, AWGN())
    with pytest.raises(ValueError, match=message):
        HarqLink(HarqLDPC5G(100, 200, bits_per_symbol=2), qam, AWGN())
    with pytest.raises(ValueError, match=message):
        DigitalLink(TransportBlock(TransportFormat.for_payload(100, 2, 0.5)), qam, AWGN())
    assert DigitalLink(LDPC5G(100, 200), qam, AWGN()).filler_bits == 0  # without an interleaver anything goes


class Sign:
    """A code of the user's own, of one bit: it names no symbols."""

    name, k, n = "sign", 1, 1

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        return bits

    def decode(self, llr: torch.Tensor) -> Decoded:
        return Decoded((llr > 0).to(torch.uint8))


def test_codes_need_not_speak_of_symbols() -> None:
    link = DigitalLink(Sign(), Modulation("qam64"), AWGN())
    assert (link.channel_uses, link.filler_bits) == (1, 5)
    assert link(torch.ones(1, 1, dtype=torch.uint8), EsN0(30.0), [Stream(1)]).bits.tolist() == [[1]]
