"""Closed forms against numerical integration and published figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate, stats
from scipy.special import logsumexp, ndtr

from phy.modulation import Modulation
from phy.theory import (
    ber_awgn,
    ber_rayleigh,
    bicm_capacity,
    capacity,
    capacity_snr,
    coded_modulation_capacity,
    ergodic_capacity,
    finite_length_error,
    finite_length_rate,
    finite_length_snr,
    outage_capacity,
    outage_probability,
    position_ber_awgn,
    position_ber_rayleigh,
)
from phy.units import EsN0

NAMES = {1: "bpsk", 2: "qpsk", 4: "qam16", 6: "qam64", 8: "qam256", 10: "qam1024"}


def axis(modulation: Modulation) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Levels of one axis and the labels they carry."""
    levels = modulation.levels.double().numpy()
    bits = int(math.log2(len(levels)))
    return levels, (np.arange(len(levels))[:, None] >> np.arange(bits - 1, -1, -1)) & 1


def integrated_ber(modulation: Modulation, no: float) -> NDArray[np.float64]:
    """Add up the probabilities of every decision interval of every level: [bits of the axis]."""
    levels, labels = axis(modulation)
    order = np.argsort(levels)
    edges = np.concatenate([[-np.inf], (levels[order][1:] + levels[order][:-1]) / 2, [np.inf]])
    sigma = math.sqrt(no / 2)
    errors = np.zeros(labels.shape[1])
    for sent, label in zip(levels, labels, strict=True):
        # lower tail on the left and upper tail on the right, so that small probabilities keep their digits
        z = (edges - sent) / sigma
        probability = np.where(z[1:] <= 0, ndtr(z[1:]) - ndtr(z[:-1]), ndtr(-z[:-1]) - ndtr(-z[1:]))
        errors += (labels[order] != label).T @ probability / len(levels)
    return errors


@pytest.mark.parametrize("m", NAMES)
@pytest.mark.parametrize("db", [-10.0, 0.0, 9.0, 18.0, 27.0])
def test_awgn_ber_equals_summed_decision_intervals(m: int, db: float) -> None:
    modulation, snr = Modulation(NAMES[m]), EsN0(db)
    expected = np.repeat(integrated_ber(modulation, snr.no), modulation.axes)
    np.testing.assert_allclose(position_ber_awgn(m, snr), expected, rtol=1e-5, atol=1e-15)
    assert ber_awgn(m, snr) == pytest.approx(expected.mean(), rel=1e-5, abs=1e-15)


@pytest.mark.parametrize("m", [1, 2, 4, 6, 8])
@pytest.mark.parametrize("db", [-5.0, 5.0, 15.0, 40.0])
def test_rayleigh_ber_equals_the_integral_over_the_fading(m: int, db: float) -> None:
    def faded(log_power: float) -> NDArray[np.float64]:
        power = math.exp(log_power)
        return position_ber_awgn(m, EsN0(db + 10 * math.log10(power))) * power * math.exp(-power)

    # in the logarithm of the power, where the error rate at high SNR is smooth
    expected, _ = integrate.quad_vec(faded, -25.0, 4.0, epsrel=1e-9)
    np.testing.assert_allclose(position_ber_rayleigh(m, EsN0(db)), expected, rtol=1e-5)
    assert ber_rayleigh(m, EsN0(db)) == pytest.approx(expected.mean(), rel=1e-5)


def test_known_error_rates() -> None:
    assert ber_awgn(1, EsN0(9.5879)) == pytest.approx(1e-5, rel=1e-3)  # the textbook's 9.59 dB
    assert ber_awgn(2, EsN0(9.5879 + 10 * math.log10(2))) == pytest.approx(1e-5, rel=1e-3)
    assert ber_rayleigh(1, EsN0(60.0)) == pytest.approx(1 / (4 * 1e6), rel=1e-5)  # 1 / (4 snr)
    assert ber_rayleigh(1, EsN0(100.0)) == pytest.approx(1 / (4 * 1e10), rel=1e-6)


@pytest.mark.parametrize("m", [0, 3, -2])
def test_modulations_without_a_closed_form_are_refused(m: int) -> None:
    with pytest.raises(ValueError, match=f"got {m}"):
        ber_awgn(m, EsN0(0.0))


def test_capacity_of_awgn() -> None:
    assert capacity(EsN0(0.0)) == pytest.approx(1.0)
    # Gaussian thresholds of the usual modulation-coding schemes
    for rate, db in [(2 / 3, -2.3), (1, 0.0), (4 / 3, 1.8), (2, 4.8), (8 / 3, 7.3), (3, 8.5)]:
        assert capacity_snr(rate).db == pytest.approx(db, abs=0.06)
        assert capacity(capacity_snr(rate)) == pytest.approx(rate)
    assert capacity_snr(1e-9).to_ebn0(1e-9).db == pytest.approx(-1.5917, abs=1e-3)  # the Shannon limit
    with pytest.raises(ValueError, match="got 0"):
        capacity_snr(0)


@pytest.mark.parametrize("db", [-40.0, -10.0, 0.0, 10.0, 30.0])
def test_ergodic_capacity_equals_its_integral(db: float) -> None:
    snr = EsN0(db).linear
    expected, _ = integrate.quad(lambda g: math.log2(1 + snr * g) * math.exp(-g), 0, 60, epsrel=1e-10)
    assert ergodic_capacity(EsN0(db)) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("db", [-10.0, 0.0, 20.0])
def test_outage(db: float) -> None:
    snr = EsN0(db)
    for probability in (1e-4, 0.1, 0.9):
        rate = outage_capacity(probability, snr)
        weakest = stats.expon.ppf(probability)
        assert rate == pytest.approx(math.log2(1 + snr.linear * weakest), rel=1e-9)
        assert outage_probability(rate, snr) == pytest.approx(probability, rel=1e-9)
    with pytest.raises(ValueError, match="got 1"):
        outage_capacity(1.0, snr)


def integrated_information(modulation: Modulation, no: float) -> tuple[float, float]:
    """Coded-modulation and BICM capacity by the rectangle rule over the received value."""
    levels, labels = axis(modulation)
    y = np.linspace(levels.min() - 8 * math.sqrt(no), levels.max() + 8 * math.sqrt(no), 20_001)
    exponents = -((y - levels[:, None]) ** 2) / no
    density = np.exp(exponents) / math.sqrt(math.pi * no) * (y[1] - y[0]) / len(levels)
    total = logsumexp(exponents, axis=0)
    equivocation = ((total - exponents) * density).sum()
    ambiguity = sum(
        (
            (total - logsumexp(exponents[labels[:, bit] == value], axis=0)) * density[labels[:, bit] == value]
        ).sum()
        for bit in range(labels.shape[1])
        for value in (0, 1)
    )
    m = modulation.bits_per_symbol
    return m - modulation.axes * equivocation / math.log(2), m - modulation.axes * ambiguity / math.log(2)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES.values())
@pytest.mark.parametrize("db", [-10.0, 5.0, 15.0, 30.0])
def test_constrained_capacities_equal_their_integrals(name: str, db: float) -> None:
    modulation, snr = Modulation(name), EsN0(db)
    together, apart = integrated_information(modulation, snr.no)
    assert coded_modulation_capacity(modulation, snr) == pytest.approx(together, abs=2e-6)
    assert bicm_capacity(modulation, snr) == pytest.approx(apart, abs=2e-6)
    assert apart <= together + 1e-9 <= capacity(snr) + 2e-9


def test_known_constrained_capacities() -> None:
    # half of BPSK's bit is carried at Es/N0 = -2.823 dB (Eb/N0 = 0.187 dB), QPSK's 3 dB above that
    assert coded_modulation_capacity(Modulation("bpsk"), EsN0(-2.823)) == pytest.approx(0.5, abs=2e-4)
    assert coded_modulation_capacity(Modulation("qpsk"), EsN0(0.187)) == pytest.approx(1.0, abs=4e-4)


def polyanskiy_296(db: float, real_uses: int, error: float) -> float:
    """Log2 of the number of messages in so many real uses of power P: equation 296, with equation 293's V."""
    power = 10.0 ** (db / 10.0)
    each = 0.5 * math.log2(1.0 + power)
    dispersion = power / 2.0 * (power + 2.0) / (power + 1.0) ** 2 * math.log2(math.e) ** 2
    spread = math.sqrt(real_uses * dispersion) * stats.norm.isf(error)
    return real_uses * each - spread + 0.5 * math.log2(real_uses)


@pytest.mark.parametrize(
    ("db", "rates"),  # at n = 128, 512, 1024, 4096 and block error probability 1e-3
    [
        (-5.0, [0.17143, 0.27806, 0.31119, 0.35270]),
        (0.0, [0.68999, 0.83913, 0.88472, 0.94126]),
        (5.0, [1.70611, 1.87588, 1.92750, 1.99134]),
    ],
)
def test_finite_length_rates(db: float, rates: list[float]) -> None:
    """Real and imaginary part of a complex use are two real ones, of SNR Es/N0 each."""
    for n, rate in zip([128, 512, 1024, 4096], rates, strict=True):
        assert finite_length_rate(EsN0(db), n, 1e-3) == pytest.approx(rate, abs=6e-6)
        assert n * rate == pytest.approx(polyanskiy_296(db, 2 * n, 1e-3), abs=0.03)


@pytest.mark.parametrize("db", [-5.0, 0.0, 12.0])
@pytest.mark.parametrize("n", [300, 2000, 100_000])
@pytest.mark.parametrize("error", [1e-9, 1e-3, 0.3])
def test_finite_length_inverses(db: float, n: int, error: float) -> None:
    rate = finite_length_rate(EsN0(db), n, error)
    assert finite_length_snr(rate, n, error).db == pytest.approx(db, abs=1e-6)
    k = round(rate * n)
    assert finite_length_rate(EsN0(db), n, finite_length_error(EsN0(db), k, n)) == pytest.approx(
        k / n, abs=1e-9
    )


def test_finite_length_limits() -> None:
    assert finite_length_rate(EsN0(3.0), 10**9, 1e-3) == pytest.approx(capacity(EsN0(3.0)), abs=2e-4)
    assert finite_length_rate(EsN0(-30.0), 100, 1e-12) == 0.0
    assert finite_length_error(EsN0(40.0), 100, 100) == pytest.approx(0.0, abs=1e-100)
    assert finite_length_error(EsN0(-40.0), 100, 100) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="between 0 and 1, got 0"):
        finite_length_rate(EsN0(0.0), 100, 0.0)
    with pytest.raises(ValueError, match=r"got a rate of 0\.01"):
        finite_length_snr(0.01, 100, 1e-3)
