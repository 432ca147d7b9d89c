"""Links: what goes in comes out, and every use, filler bit and unit of power is accounted for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from phy.channels.flat import AWGN, Rayleigh
from phy.coding.code import Decoded
from phy.links.analog import AnalogLink
from phy.links.digital import DigitalLink
from phy.modulation import Modulation
from phy.random import Stream, bits
from phy.units import EsN0


@dataclass(frozen=True)
class Repetition:
    """Each bit ``times`` times; the sum of LLRs is the exact soft decision."""

    k: int
    times: int
    checked: bool = False

    @property
    def name(self) -> str:
        return f"repetition-{self.k}-{self.times}"

    @property
    def n(self) -> int:
        return self.k * self.times

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        return bits.repeat(1, self.times)

    def decode(self, llr: torch.Tensor) -> Decoded:
        assert llr.shape[-1] == self.n
        total = llr.reshape(-1, self.times, self.k).sum(dim=1)
        decided = (total > 0).to(torch.uint8)
        if not self.checked:
            return Decoded(decided, total)
        reliable = total.abs() > 1
        return Decoded(decided, total, reliable.all(-1), reliable.reshape(len(llr), 2, -1).all(-1))


def analog(rows: int, count: int, seed: int = 1) -> torch.Tensor:
    return torch.view_as_complex(
        torch.from_numpy(np.random.default_rng(seed).normal(size=(rows, count, 2))).float()
    )


@pytest.mark.parametrize(
    ("k", "times", "name", "uses", "filler"),
    [(10, 3, "bpsk", 30, 0), (10, 3, "qam16", 8, 2), (7, 1, "qam1024", 1, 3), (32, 2, "qam256", 8, 0)],
)
def test_uses_filler_and_rate(k: int, times: int, name: str, uses: int, filler: int) -> None:
    link = DigitalLink(Repetition(k, times), Modulation(name), AWGN())
    assert (link.channel_uses, link.filler_bits) == (uses, filler)
    assert link.bits_per_use == pytest.approx(k / uses)
    sent = bits(Stream(1).batch(range(5)), k)
    reception = link(sent, EsN0(60.0), Stream(2).batch(range(5)))
    assert torch.equal(reception.bits, sent)
    assert reception.bits.dtype == torch.uint8
    assert reception.channel_uses == uses
    assert reception.symbol_no.shape == (5, uses)
    assert reception.llr is not None and torch.equal(reception.llr > 0, sent.bool())
    assert reception.crc_ok is None
    assert reception.block_ok is None
    assert link.name == f"repetition-{k}-{times} / {name} / awgn"


def test_damaged_bits_are_delivered_with_the_decoders_verdicts() -> None:
    link = DigitalLink(Repetition(4, 1, checked=True), Modulation("qpsk"), AWGN())
    sent = bits(Stream(1).batch(range(300)), 4)
    reception = link(sent, EsN0(3.0), Stream(2).batch(range(300)))
    assert 0 < int((reception.bits == sent).all(-1).sum()) < 300
    assert reception.llr is not None
    assert reception.crc_ok is not None and torch.equal(reception.crc_ok, reception.llr.abs().amin(-1) > 1)
    assert reception.block_ok is not None and reception.block_ok.shape == (300, 2)


def test_repetition_adds_llrs_over_the_link_exactly() -> None:
    """Three repetitions at Es/N0 are one transmission at three times the Es/N0 (maximum ratio combining)."""
    sent = bits(Stream(3).batch(range(200)), 100)
    link = DigitalLink(Repetition(100, 3), Modulation("bpsk"), AWGN())
    reception = link(sent, EsN0(0.0), Stream(4).batch(range(200)))
    sign = 2.0 * sent - 1.0
    assert reception.llr is not None
    # LLR of BPSK at snr g is Gaussian with mean 4 g and variance 8 g
    scores = (reception.llr * sign).double()
    assert scores.mean().item() == pytest.approx(12.0, abs=3.5 * (24 / 20_000) ** 0.5)
    assert scores.var().item() == pytest.approx(24.0, rel=3.5 * (2 / 20_000) ** 0.5)


def test_rows_do_not_depend_on_the_batch() -> None:
    link = DigitalLink(Repetition(50, 1), Modulation("qam64"), Rayleigh(10))
    streams = Stream(9).batch(range(7))
    sent = bits([stream.child("bits") for stream in streams], 50)
    together = link(sent, EsN0(8.0), streams)
    assert together.llr is not None
    for row in range(7):
        alone = link(sent[row : row + 1], EsN0(8.0), streams[row : row + 1])
        assert alone.llr is not None and torch.equal(alone.llr[0], together.llr[row])
        assert torch.equal(alone.bits[0], together.bits[row])


def test_wrong_number_of_bits_is_refused() -> None:
    link = DigitalLink(Repetition(50, 1), Modulation("qpsk"), AWGN())
    with pytest.raises(ValueError, match=r"repetition-50-1.*\[batch, 50\].*\(2, 49\)"):
        link(torch.zeros(2, 49, dtype=torch.uint8), EsN0(0.0), Stream(1).batch(range(2)))


def test_uncoded_code_of_the_project() -> None:
    uncoded = pytest.importorskip("phy.coding.uncoded")
    link = DigitalLink(uncoded.Uncoded(30), Modulation("qam16"), AWGN())
    sent = bits(Stream(1).batch(range(2)), 30)
    assert torch.equal(link(sent, EsN0(40.0), Stream(2).batch(range(2))).bits, sent)


def test_every_row_is_sent_at_unit_power() -> None:
    symbols = analog(3, 500) * torch.tensor([[1e-3], [1.0], [1e4]])
    streams = Stream(1).batch(range(3))
    reception = AnalogLink(AWGN())(symbols, EsN0(90.0), streams)
    power = reception.symbols.abs().square().mean(-1)
    torch.testing.assert_close(power, torch.ones(3), rtol=1e-3, atol=0)
    assert reception.scale is not None
    torch.testing.assert_close(reception.symbols / reception.scale[:, None], symbols, rtol=1e-2, atol=1e-1)
    assert reception.channel_uses == 500


def test_analog_snr_is_what_was_asked_for() -> None:
    rows, count = 4, 50_000
    symbols = analog(rows, count) * 17.0
    reception = AnalogLink(AWGN())(symbols, EsN0(7.0), Stream(2).batch(range(rows)))
    assert reception.scale is not None
    error = (reception.symbols - symbols * reception.scale[:, None]).abs().square().mean().item()
    assert error == pytest.approx(EsN0(7.0).no, rel=3.5 / (rows * count) ** 0.5)


@pytest.mark.parametrize("channel", [AWGN(), Rayleigh("block")], ids=lambda c: c.name)
def test_a_row_of_zeros_stays_zero_and_harms_nobody(channel: AWGN | Rayleigh) -> None:
    symbols = analog(3, 40)
    symbols[1] = 0
    symbols.requires_grad_()
    streams = Stream(1).batch(range(3))
    reception = AnalogLink(channel)(symbols, EsN0(10.0), streams)
    assert reception.scale is not None and reception.scale[1].item() == 1.0
    silent = channel(torch.zeros(1, 40, dtype=torch.complex64), EsN0(10.0), streams[1:2])
    torch.testing.assert_close(reception.symbols[1].detach(), silent.symbols[0])
    reception.symbols.abs().square().sum().backward()
    assert symbols.grad is not None and torch.isfinite(torch.view_as_real(symbols.grad)).all()


def test_gradients_pass_through_the_power_normalisation() -> None:
    """The normalised row does not change with the sender's amplitude, so the gradient along it is zero."""
    symbols = analog(2, 30).requires_grad_()
    reception = AnalogLink(AWGN())(symbols, EsN0(10.0), Stream(1).batch(range(2)))
    target = analog(2, 30, seed=2)
    (reception.symbols - target).abs().square().sum().backward()
    assert symbols.grad is not None
    assert symbols.grad.abs().max() > 0.1
    radial = (symbols.grad.conj() * symbols).real.sum(-1)
    torch.testing.assert_close(radial, torch.zeros(2), rtol=0, atol=1e-3)


def test_analog_rows_do_not_depend_on_the_batch() -> None:
    symbols, streams = analog(7, 33), Stream(5).batch(range(7))
    link = AnalogLink(Rayleigh())
    together = link(symbols, EsN0(5.0), streams)
    for row in range(7):
        alone = link(symbols[row : row + 1], EsN0(5.0), streams[row : row + 1])
        assert torch.equal(alone.symbols[0], together.symbols[row])


def test_real_symbols_are_refused() -> None:
    with pytest.raises(ValueError, match=r"complex.*float32"):
        AnalogLink(AWGN())(torch.ones(1, 4), EsN0(0.0), [Stream(1)])


def test_compared_systems_meet_the_same_noise() -> None:
    """A shorter transmission under the same stream sees the first part of the longer one's noise."""
    streams = Stream(8).batch(range(2))
    zeros = torch.zeros(2, 50, dtype=torch.complex64)
    long = AnalogLink(AWGN())(zeros, EsN0(0.0), streams).symbols
    short = AnalogLink(AWGN())(zeros[:, :20], EsN0(0.0), streams).symbols
    assert torch.equal(long[:, :20], short)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_sees_the_same_noise_as_the_cpu() -> None:
    symbols, streams = analog(3, 50), Stream(5).batch(range(3))
    here = AnalogLink(Rayleigh())(symbols, EsN0(5.0), streams)
    there = AnalogLink(Rayleigh())(symbols.cuda(), EsN0(5.0), streams)
    torch.testing.assert_close(there.symbols.cpu(), here.symbols, rtol=1e-4, atol=1e-4)
