"""Values on I and Q against closed forms: output SNR, MMSE, fading, repetition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats
from tiny.carriages import (
    SIGMAS,
    Counting,
    by_symbol,
    check_mean,
    deliver,
    gaussian,
    squared_errors,
    unit_power,
)

from bridge.air.analog import Analog
from bridge.air.names import parse_carriage
from bridge.payloads import EmbeddingPayload
from phy.channels.flat import AWGN, Rayleigh
from phy.channels.names import parse_channel
from phy.units import EsN0

# -- values on I and Q --------------------------------------------------------------------------------------


@pytest.mark.parametrize("snr", [-5.0, 3.0, 20.0])
def test_output_snr_is_the_channels_on_awgn(snr: float) -> None:
    errors = squared_errors(Analog(AWGN()), unit_power(500_000), snr)
    check_mean(errors, EsN0(snr).no, 0.05)
    assert abs(-10 * math.log10(errors.mean()) - snr) < 0.05


@pytest.mark.parametrize("snr", [-5.0, 3.0, 12.0])
def test_mmse_on_awgn_gains_what_theory_says(snr: float) -> None:
    """The error of the linear estimate is N0 / (1 + N0): output SNR 1 + SNR."""
    errors = squared_errors(Analog(AWGN(), mmse=True), unit_power(600_000), snr)
    check_mean(errors, 1 / (1 + EsN0(snr).linear), 0.05)
    gain = -10 * math.log10(errors.mean()) - snr
    assert gain == pytest.approx(10 * math.log10(1 + EsN0(snr).no), abs=0.05)


@pytest.mark.parametrize("repetition", [2, 3, 5])
def test_repetition_gains_its_decibels_on_awgn(repetition: int) -> None:
    errors = squared_errors(Analog(AWGN(), repetition), unit_power(500_000), 1.0)
    check_mean(errors, EsN0(1.0).no / repetition, 0.05)
    assert -10 * math.log10(errors.mean()) == pytest.approx(1.0 + 10 * math.log10(repetition), abs=0.05)


@pytest.mark.parametrize("snr", [-3.0, 5.0, 15.0])
def test_mmse_on_fast_rayleigh_fading(snr: float) -> None:
    """E[1 / (1 + g s)] over g ~ Exp(1) is exp(1/s) E1(1/s) / s."""
    s = EsN0(snr).linear
    expected = math.exp(1 / s) * special.exp1(1 / s) / s
    by_quadrature = integrate.quad(lambda g: math.exp(-g) / (1 + g * s), 0, math.inf)[0]
    assert expected == pytest.approx(by_quadrature, rel=1e-7)
    errors = squared_errors(Analog(Rayleigh()), unit_power(1_000_000), snr)
    check_mean(by_symbol(errors), expected, 0.07)


def test_mmse_on_fast_rayleigh_fading_with_repetition() -> None:
    """Maximum-ratio combining of three independent gains: g ~ Gamma(3), as the rounds fade apart."""
    s = EsN0(2.0).linear
    expected = integrate.quad(lambda g: stats.gamma(3).pdf(g) / (1 + g * s), 0, math.inf)[0]
    errors = squared_errors(Analog(Rayleigh(), 3), unit_power(500_000), 2.0)
    check_mean(by_symbol(errors), expected, 0.05)


@pytest.mark.parametrize(
    ("channel", "shrinks"), [("awgn", False), ("rayleigh", True), ("rician:k_db=3", True), ("tdl-a", True)]
)
def test_values_are_shrunk_wherever_gains_fade(channel: str, shrinks: bool) -> None:
    sent, values = unit_power(40), {}
    for options in ("", ":mmse"):
        carriage = parse_carriage(f"analog{options}", parse_channel(channel))[1]
        payload = EmbeddingPayload(40, side=(0.0, 1.0))
        (arrived,) = deliver(carriage, payload.pack(sent), 3.0)
        values[options] = arrived.values
    assert torch.equal(values[""], values[":mmse"]) == shrinks


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("channel", ["awgn", "rayleigh"])
def test_only_zero_forcing_over_fading_warns(channel: str) -> None:
    for options in ("", ":mmse", *([":zf"] if channel == "awgn" else [])):
        assert parse_carriage(f"analog{options}", parse_channel(channel))[1].name == f"analog{options}"
    if channel == "rayleigh":
        with pytest.raises(UserWarning, match="analog:zf over rayleigh equalises by zero forcing"):
            parse_carriage("analog:zf", parse_channel(channel))


def test_zero_forcing_on_fast_rayleigh_fading() -> None:
    """The error of a symbol is N0 |w|^2 / |h|^2 with two unit exponentials: P(at most t N0) = t / (1 + t).

    Its mean does not exist, so the whole distribution is compared, by Kolmogorov and Smirnov.
    """
    with pytest.warns(UserWarning, match="mean squared error diverges"):
        forcing = Analog(Rayleigh(), mmse=False)
    errors = by_symbol(squared_errors(forcing, unit_power(400_000), 4.0)) / EsN0(4.0).no
    assert stats.kstest(errors, lambda t: t / (1 + t)).pvalue > 1e-4
    # The median of n draws has deviation 1 / (2 f(1) sqrt(n)) with the density f(1) = 1/4.
    assert np.median(errors) == pytest.approx(1.0, abs=SIGMAS * 2 / math.sqrt(errors.size))


def test_noise_said_is_noise_met() -> None:
    """Squared errors over the variances that the receiver is told have mean 1, gain by gain."""
    sent = unit_power(300_000)
    payload = EmbeddingPayload(sent.numel(), side=(0.0, 1.0))
    with pytest.warns(UserWarning, match="zero forcing"):
        forcing = Analog(Rayleigh(), 2, mmse=False)
    (arrived,) = deliver(forcing, payload.pack(sent), 6.0)
    assert arrived.values is not None and arrived.noise is not None
    ratio = ((arrived.values - sent) ** 2 / arrived.noise).double().numpy()
    assert ratio.mean() == pytest.approx(1.0, abs=SIGMAS * math.sqrt(2 / ratio.size))
    quiet = arrived.noise < arrived.noise.median()
    half = ratio[quiet.numpy()]
    assert half.mean() == pytest.approx(1.0, abs=SIGMAS * math.sqrt(2 / half.size))


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 3, 5])
@pytest.mark.parametrize("mmse", [False, True])
def test_odd_numbers_leave_half_a_symbol_alone(count: int, mmse: bool) -> None:
    """``count`` values share the power of (count + 1) / 2 symbols, which is more than half of one each."""
    trials = 6000 // count
    noise = EsN0(0.0).no * count / (count + 1)
    errors = squared_errors(Analog(AWGN(), mmse=mmse), unit_power(count), 0.0, trials)
    expected = noise / (1 + noise) if mmse else noise
    check_mean(errors.mean(axis=1), expected, 0.5)


def test_vectors_of_zeros_arrive_as_zeros() -> None:
    payload = EmbeddingPayload(9)
    for mmse in (False, True):
        (arrived,) = deliver(Analog(AWGN(), mmse=mmse), payload.pack(torch.zeros(9)), 10.0)
        assert torch.equal(payload.unpack(arrived).value, torch.zeros(9))


@pytest.mark.parametrize("side", [None, (0.0, 768**-0.5)])
def test_unit_vectors_with_and_without_a_header(side: tuple[float, float] | None) -> None:
    """With the scale agreed on nothing but the values is sent; both arrive at the SNR of the channel."""
    unit = torch.nn.functional.normalize(gaussian(768), dim=0)
    payload = EmbeddingPayload(768, side=side)
    packed = payload.pack(unit)
    analog = Analog(AWGN())
    parts = analog.parts("it", packed)
    assert [part.name for part in parts] == (["it/header"] if side is None else []) + ["it/values"]
    assert sum(entry.channel_uses for part in parts for entry in part.entries) == 384 + 140 * (side is None)
    arrived = deliver(analog, packed, 10.0, 500)
    errors = torch.stack([(payload.unpack(each).value - unit).square().sum() for each in arrived]).double()
    check_mean(errors.numpy(), 0.1, 0.05)


def test_an_agreed_scale_is_the_one_that_arrives() -> None:
    """Symbols have unit power: a vector ten times as large as agreed arrives at the agreed size."""
    payload = EmbeddingPayload(768, side=(0.0, 1.0))
    (arrived,) = deliver(Analog(AWGN()), payload.pack(10 * unit_power(768)), 80.0)
    assert torch.allclose(payload.unpack(arrived).value, unit_power(768), atol=1e-3)


@pytest.mark.parametrize(("uses", "rounds"), [(140 + 384, 1), (140 + 2 * 384 - 1, 1), (1676, 4), (1677, 4)])
def test_fill_repeats_as_often_as_it_can(uses: int, rounds: int) -> None:
    channel = Counting()
    analog = Analog(channel, None)
    deliver(analog, EmbeddingPayload(768).pack(gaussian(768)), 10.0, uses=uses)
    assert channel.sent == [140 + 384 * rounds]
