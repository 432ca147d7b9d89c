"""Channels against the distributions they are named after."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import i0, i1
from sionna.phy import config

from phy.channels.channel import Channel, faded
from phy.channels.flat import AWGN, Rayleigh, Rician
from phy.channels.names import parse_channel
from phy.channels.tdl import TDL
from phy.random import Stream
from phy.units import EsN0

CHANNELS = [
    AWGN(),
    Rayleigh(),
    Rayleigh("block"),
    Rayleigh(7),
    Rician(6.0),
    Rician(3.0, "block"),
    TDL("C", subcarriers=48),
    TDL("D", subcarriers=48),
]


def ones(rows: int, count: int) -> torch.Tensor:
    return torch.ones(rows, count, dtype=torch.complex64)


def gains(channel: Channel, rows: int, count: int, seed: int = 5) -> torch.Tensor:
    gain = channel(ones(rows, count), EsN0(0.0), Stream(seed).batch(range(rows))).gain
    assert gain is not None
    return gain


def variance_interval(count: int, confidence: float = 0.999) -> tuple[float, float]:
    """Where the mean square of ``count`` unit Gaussians lies with this probability (chi-square)."""
    low, high = stats.chi2(count).interval(confidence)
    return low / count, high / count


@pytest.mark.parametrize("db", [-10.0, 0.0, 17.0])
def test_noise_has_half_of_n0_in_each_real_dimension(db: float) -> None:
    rows, count = 4, 100_000
    reception = AWGN()(ones(rows, count), EsN0(db), Stream(1).batch(range(rows)))
    noise = torch.view_as_real(reception.symbols - 1.0).double().flatten(0, 1).numpy()
    low, high = variance_interval(rows * count)
    for axis in (0, 1):
        assert low < (noise[:, axis] ** 2).mean() / (EsN0(db).no / 2) < high
    assert abs(np.corrcoef(noise.T)[0, 1]) < 3.3 / math.sqrt(rows * count)
    assert stats.kstest(noise[:20_000, 0] / math.sqrt(EsN0(db).no / 2), "norm").pvalue > 1e-3
    assert reception.no.unique().item() == pytest.approx(10 ** (-db / 10), rel=1e-6)
    assert reception.gain is None


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda c: c.name)
def test_rows_do_not_depend_on_the_batch(channel: Channel) -> None:
    symbols = torch.view_as_complex(
        torch.from_numpy(np.random.default_rng(1).normal(size=(7, 110, 2))).float()
    )
    streams = Stream(3, "batch").batch(range(7))
    together = channel(symbols, EsN0(5.0), streams)
    for row in range(7):
        alone = channel(symbols[row : row + 1], EsN0(5.0), streams[row : row + 1])
        assert torch.equal(alone.symbols[0], together.symbols[row])
        assert torch.equal(alone.no[0], together.no[row])
    again = channel(symbols, EsN0(5.0), streams)
    assert torch.equal(again.symbols, together.symbols)


@pytest.mark.parametrize("channel", CHANNELS[1:], ids=lambda c: c.name)
def test_equalised_symbol_is_the_sent_one_plus_the_same_noise_over_the_gain(channel: Channel) -> None:
    symbols = ones(3, 100) * (0.6 - 0.8j)
    streams = Stream(4).batch(range(3))
    reception = channel(symbols, EsN0(12.0), streams)
    noise = AWGN()(symbols, EsN0(12.0), streams).symbols - symbols
    assert reception.gain is not None
    torch.testing.assert_close(reception.symbols, symbols + noise / reception.gain, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(reception.no, EsN0(12.0).no / reception.gain.abs().square(), rtol=1e-4, atol=0)
    assert reception.channel_uses == 100


@pytest.mark.parametrize("channel", [Rayleigh(), Rician(6.0)], ids=lambda c: c.name)
def test_variance_promised_after_equalisation_is_the_one_delivered(channel: Channel) -> None:
    rows, count = 4, 50_000
    reception = channel(ones(rows, count), EsN0(3.0), Stream(6).batch(range(rows)))
    whitened = ((reception.symbols - 1.0).abs().square() / reception.no).double()
    low, high = variance_interval(2 * rows * count)
    assert low < whitened.mean().item() < high
    deep = reception.no > reception.no.quantile(0.9)  # the promise holds in fades too, not on average only
    low, high = variance_interval(2 * int(deep.sum()))
    assert low < whitened[deep].mean().item() < high


def test_rayleigh_amplitude_and_phase() -> None:
    gain = gains(Rayleigh(), 2, 50_000).flatten().numpy()
    assert stats.kstest(np.abs(gain), stats.rayleigh(scale=math.sqrt(0.5)).cdf).pvalue > 1e-3
    assert stats.kstest(np.angle(gain), stats.uniform(-math.pi, 2 * math.pi).cdf).pvalue > 1e-3


@pytest.mark.parametrize("k_db", [0.0, 6.0])
def test_rician_k_factor_from_moments(k_db: float) -> None:
    count = 200_000
    gain = gains(Rician(k_db), 1, count).to(torch.complex128)
    k = 10 ** (k_db / 10)
    los, diffuse = math.sqrt(k / (k + 1)), 1 / (k + 1)
    error = math.sqrt(diffuse / 2 / count)
    assert gain.mean().real.item() == pytest.approx(los, abs=3.5 * error)
    assert gain.mean().imag.item() == pytest.approx(0.0, abs=3.5 * error)
    low, high = variance_interval(2 * count)
    assert low < (gain - los).abs().square().mean().item() / diffuse < high
    # mean amplitude of a Rice distribution, an independent closed form (Laguerre polynomial L_1/2(-K))
    laguerre = math.exp(-k / 2) * ((1 + k) * i0(k / 2) + k * i1(k / 2))
    expected = math.sqrt(math.pi / 4 * diffuse) * laguerre
    spread = math.sqrt(1 - expected**2)
    assert gain.abs().mean().item() == pytest.approx(expected, abs=3.5 * spread / math.sqrt(count))


@pytest.mark.slow
@pytest.mark.parametrize(
    "channel", [Rayleigh(), Rayleigh("block"), Rayleigh(7), Rician(3.0, "block")], ids=lambda c: c.name
)
def test_mean_gain_energy_is_one(channel: Channel) -> None:
    gain = gains(channel, 8_000, 7)[:, 0]
    energy = gain.abs().square().double()
    assert energy.mean().item() == pytest.approx(1.0, abs=3.5 / math.sqrt(len(energy)))


def test_coherence() -> None:
    block = gains(Rayleigh("block"), 5, 40)
    assert (block == block[:, :1]).all()
    assert len(block[:, 0].real.unique()) == 5
    seven = gains(Rayleigh(7), 1, 40)[0].real
    assert [len(part.unique()) for part in torch.split(seven, 7)] == [1] * 6
    assert len(seven.unique()) == 6
    assert len(gains(Rayleigh(), 1, 40)[0].real.unique()) == 40
    assert Rayleigh(None) == Rayleigh("block")


def test_fast_fading_is_uncorrelated() -> None:
    gain = gains(Rayleigh(), 1, 100_000)[0].to(torch.complex128)
    for lag in (1, 2, 10):
        assert (gain[lag:] * gain[:-lag].conj()).mean().abs().item() < 3.5 / math.sqrt(100_000)


def test_vanishing_gain_gives_a_finite_symbol_and_a_huge_variance() -> None:
    gain = torch.tensor([[0.0, 1e-30, 1.0]], dtype=torch.complex64)
    reception = faded(ones(1, 3), gain, EsN0(0.0), [Stream(1)])
    assert torch.isfinite(torch.view_as_real(reception.symbols)).all()
    assert reception.no[0].tolist() == pytest.approx([1e12, 1e12, 1.0])


@pytest.mark.slow
@pytest.mark.parametrize("model", ["A", "D"])
def test_tdl_energy_and_frequency_correlation(model: str) -> None:
    """E[H(f) H*(f + d)] is the Fourier transform of the power delay profile (Wiener-Khinchin)."""
    channel = TDL(model, delay_spread=300e-9, subcarriers=64, subcarrier_spacing=15e3, speed=0.0)
    rows = 3000
    gain = gains(channel, rows, 64).to(torch.complex128)
    profile = channel._taps
    powers, delays = profile.mean_powers.double(), profile.delays.double()
    assert powers.sum().item() == pytest.approx(1.0, abs=1e-6)
    for distance in (0, 1, 5, 20, 63):
        measured = (gain[:, : 64 - distance] * gain[:, distance:].conj()).mean(dim=1)
        shift = 2 * math.pi * distance * 15e3 * delays
        expected = (powers * torch.exp(1j * shift)).sum()
        error = (measured - expected).abs().square().mean().sqrt().item() / math.sqrt(rows)
        assert (measured.mean() - expected).abs().item() < 3.5 * error, distance
        assert error < 0.02


def test_tdl_lays_symbols_frequency_first_and_moves_in_time() -> None:
    still = gains(TDL("C", subcarriers=12, speed=0.0), 2, 30)
    assert torch.allclose(still[:, :12], still[:, 12:24], atol=1e-5)
    assert torch.allclose(still[:, :6], still[:, 24:], atol=1e-5)
    moving = gains(TDL("C", subcarriers=12, speed=100.0), 2, 30)
    assert not torch.allclose(moving[:, :12], moving[:, 12:24], atol=1e-2)


@pytest.mark.slow
def test_tdl_time_correlation_follows_jakes() -> None:
    """E[H(t) H*(t + d)] = J0(2 pi f_D d), f_D = v f_c / c, with 15 / (14 spacing) between OFDM symbols."""
    channel = TDL("A", subcarriers=1, speed=100.0, carrier_frequency=3.5e9, subcarrier_spacing=15e3)
    rows, steps = 1500, 12
    gain = gains(channel, rows, steps).to(torch.complex128)
    doppler = 100.0 * 3.5e9 / 299_792_458.0
    for lag in (1, 4, 8, 11):
        measured = (gain[:, 0] * gain[:, lag].conj()).real
        expected = float(torch.special.bessel_j0(torch.tensor(2 * math.pi * doppler * lag / 14e3)))
        assert measured.mean().item() == pytest.approx(
            expected, abs=3.5 * measured.std().item() / math.sqrt(rows)
        )


def test_tdl_leaves_sionnas_generator_as_it_was() -> None:
    before = config.torch_rng("cpu").get_state()
    gains(TDL("A", subcarriers=12), 1, 12)
    assert torch.equal(config.torch_rng("cpu").get_state(), before)


@pytest.mark.parametrize(
    ("text", "channel"),
    [
        ("awgn", AWGN()),
        (" AWGN ", AWGN()),
        ("rayleigh", Rayleigh(1)),
        ("rayleigh-block", Rayleigh("block")),
        ("rayleigh:coherence=24", Rayleigh(24)),
        ("rician:k_db=6", Rician(6.0)),
        ("rician-block:k_db=-3.5", Rician(-3.5, "block")),
        ("rician:k_db=6,coherence=24", Rician(6.0, 24)),
        ("tdl-c:delay_spread=100e-9,speed=3", TDL("C", delay_spread=100e-9, speed=3.0)),
    ],
)
def test_parse_channel_and_name_are_inverse(text: str, channel: Channel) -> None:
    assert parse_channel(text) == channel
    assert parse_channel(channel.name) == channel


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("fading", r"'fading'.*awgn, rayleigh, rayleigh-block, rician, rician-block, tdl-a to tdl-e"),
        ("awgn-block", "awgn-block"),
        ("tdl-f", "tdl-f"),
        ("awgn:k_db=3", r"'awgn:k_db=3'.*none"),
        ("rician", r"'rician'.*k_db, coherence"),
        ("rician:k_db", r"'k_db'.*name=number"),
        ("rician:k_db=inf", "inf"),
        ("rayleigh:coherence=0", "coherence.*0"),
        ("rayleigh:coherence=inf", "coherence.*inf"),
        ("rayleigh-block:coherence=2", "twice"),
        ("tdl-a:model=3", r"takes delay_spread, carrier_frequency, speed"),
        ("tdl-a:delay_spread=-1", r"delay_spread.*-1"),
        ("tdl-c:delay_spread=1e-5", r"cyclic prefix"),
        ("tdl-c:subcarriers=2.5", r"2\.5"),
    ],
)
def test_parse_errors_quote_what_came_in(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_channel(text)


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda c: c.name)
def test_wrong_shapes_are_refused(channel: Channel) -> None:
    with pytest.raises(ValueError, match=r"\(5,\)"):
        channel(torch.ones(5, dtype=torch.complex64), EsN0(0.0), [Stream(1)])
    with pytest.raises(ValueError, match=r"float32"):
        channel(torch.ones(1, 5), EsN0(0.0), [Stream(1)])
    with pytest.raises(ValueError, match=r"2 rows.*got 1"):
        channel(ones(2, 5), EsN0(0.0), [Stream(1)])


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda c: c.name)
def test_gradients_flow_through_the_channel(channel: Channel) -> None:
    symbols = ones(2, 20).requires_grad_()
    channel(symbols, EsN0(10.0), Stream(1).batch(range(2))).symbols.real.sum().backward()
    assert symbols.grad is not None
    torch.testing.assert_close(symbols.grad, ones(2, 20), rtol=1e-4, atol=1e-4)
