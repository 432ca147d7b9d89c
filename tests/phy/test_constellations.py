"""8-PSK, APSK, PAM, cross QAM and pi/2-BPSK against the standards, and error rates against closed forms.

Simulated error rates are held against exact binomial distributions, position by position, joint 99 % by
Bonferroni.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import integrate, stats
from scipy.special import logsumexp, ndtr

from phy.channels.channel import Channel
from phy.channels.flat import AWGN, Rayleigh
from phy.constellations.names import MODULATIONS
from phy.modulation import Modulation
from phy.random import Stream, bits
from phy.regions import position_error_rates, symbol_error_rate
from phy.theory import bicm_capacity, coded_modulation_capacity, position_ber_awgn, position_ber_rayleigh
from phy.units import EbN0, EsN0

PLANAR = [name for name in MODULATIONS if not Modulation(name).separable]
JOINT = 0.01


def points(name: str) -> NDArray[np.complex128]:
    return np.asarray(Modulation(name).points.numpy(), dtype=np.complex128)


def ring(labels: str, radius: float, first_degrees: float) -> dict[int, complex]:
    """Labels counterclockwise, evenly spaced, as the standard's figures show them."""
    names = labels.split()
    step = 360 / len(names)
    return {
        int(label, 2): radius * np.exp(1j * np.deg2rad(first_degrees + step * place))
        for place, label in enumerate(names)
    }


RINGS_16 = ("1100 1110 1111 1101", "0100 0000 1000 1010 0010 0110 0111 0011 1011 1001 0001 0101")
RINGS_32 = (
    "10001 10101 10111 10011",
    "10000 00000 00001 00101 00100 10100 10110 00110 00111 00011 00010 10010",
    "11000 01000 11001 01001 01101 11101 01100 11100 11110 01110 11111 01111 01011 11011 01010 11010",
)
"""EN 302 307-1, figures 11 and 12."""


@pytest.mark.parametrize(
    ("name", "rings"),
    [
        ("psk8", [ring("001 000 100 110 010 011 111 101", 1.0, 0.0)]),
        *(
            (f"apsk16-{rate}", [ring(RINGS_16[0], 1.0, 45), ring(RINGS_16[1], gamma, 15)])
            for rate, gamma in {
                "2/3": 3.15, "3/4": 2.85, "4/5": 2.75, "5/6": 2.70, "8/9": 2.60, "9/10": 2.57
            }.items()
        ),
        *(
            (
                f"apsk32-{rate}",
                [ring(RINGS_32[0], 1.0, 45), ring(RINGS_32[1], inner, 15), ring(RINGS_32[2], outer, 0)],
            )
            for rate, inner, outer in [
                ("3/4", 2.84, 5.27), ("4/5", 2.72, 4.87), ("5/6", 2.64, 4.64), ("8/9", 2.54, 4.33),
                ("9/10", 2.53, 4.30),
            ]
        ),
    ],
)  # fmt: skip
def test_points_and_labels_are_those_of_dvb_s2(name: str, rings: list[dict[int, complex]]) -> None:
    expected = np.zeros(2 ** Modulation(name).bits_per_symbol, dtype=complex)
    for each in rings:
        for label, point in each.items():
            expected[label] = point
    expected /= math.sqrt(np.mean(np.abs(expected) ** 2))
    assert np.abs(points(name) - expected).max() < 1e-6


def test_cross_qam_is_six_by_six_without_corners_and_loses_a_sixth_to_its_labels() -> None:
    """Smith's labels: the mean distance of neighbours, mean over points, is 7/6 (Smith 1975, Wesel 2001)."""
    grid = points("qam32") * math.sqrt(20)
    assert np.abs(grid.real - np.round(grid.real)).max() < 1e-5
    inside = {(x, y) for x in range(-5, 6, 2) for y in range(-5, 6, 2) if not (abs(x) == 5 and abs(y) == 5)}
    assert {(round(p.real), round(p.imag)) for p in grid} == inside
    penalty = []
    for label, point in enumerate(grid):
        beside = np.flatnonzero(np.abs(np.abs(grid - point) - 2) < 1e-4)
        penalty.append(np.mean([(label ^ int(other)).bit_count() for other in beside]))
    assert np.mean(penalty) == pytest.approx(7 / 6, abs=1e-9)


@pytest.mark.parametrize("bits_per_symbol", [2, 3, 4])
def test_pam_is_one_axis_of_qam(bits_per_symbol: int) -> None:
    pam = Modulation(f"pam{2**bits_per_symbol}")
    assert (pam.axes, pam.dimensions, pam.separable) == (1, 1, True)
    assert np.mean(points(pam.name).real ** 2) == pytest.approx(1.0)
    qam = Modulation(f"qam{4**bits_per_symbol}")
    assert torch.allclose(pam.levels, qam.levels * math.sqrt(2))
    ordered = np.argsort(points(pam.name).real)
    assert all((int(a) ^ int(b)).bit_count() == 1 for a, b in zip(ordered[1:], ordered[:-1], strict=True))


def test_pi2_bpsk_turns_as_ts_38_211_has_it() -> None:
    """Clause 5.1.1: d(i) = exp(j pi/2 (i mod 2)) / sqrt(2) [(1 - 2 b(i)) + j (1 - 2 b(i))]."""
    sent = bits(Stream(1).batch(range(2)), 21)
    b, i = sent.double().numpy(), np.arange(21)
    expected = np.exp(1j * np.pi / 2 * (i % 2)) / math.sqrt(2) * ((1 - 2 * b) + 1j * (1 - 2 * b))
    symbols = Modulation("pi2-bpsk").map(sent)
    assert np.abs(symbols.numpy() - expected).max() < 1e-6
    steps = np.diff(np.angle(symbols.numpy().astype(complex)))  # a quarter each, so never through zero
    assert np.allclose(np.abs(np.exp(1j * steps).real), 0, atol=1e-6)
    llr = Modulation("pi2-bpsk").demap(symbols, torch.tensor(0.5))
    assert torch.allclose(llr, 16.0 * sent - 8.0, atol=1e-5)  # as BPSK: 4 Re(y) / N0
    assert Modulation("pi2-bpsk").dimensions == 1


@pytest.mark.parametrize("name", PLANAR)
@pytest.mark.parametrize("method", ["app", "maxlog"])
def test_llrs_equal_those_over_all_points_in_double_precision(name: str, method: str) -> None:
    modulation = Modulation(name, method)  # type: ignore[arg-type]
    m, rng = modulation.bits_per_symbol, np.random.default_rng(1)
    y = rng.normal(size=(2, 40)) + 1j * rng.normal(size=(2, 40))
    no, prior = 10 ** rng.uniform(-2, 1, size=(2, 40)), rng.normal(size=(2, 40 * m))
    turned = np.where(np.arange(40) % 2, 1j, 1) if name == "pi2-bpsk" else np.ones(40)
    metric = -(np.abs(y[..., None] - turned[:, None] * points(name)) ** 2) / no[..., None]
    labels = np.arange(2**m)
    bit = labels[:, None] >> np.arange(m)[::-1] & 1
    for known in (np.zeros_like(prior), prior):
        both = metric + known.reshape(2, 40, m) @ bit.T
        fold = np.max if method == "maxlog" else logsumexp
        expected = (
            np.stack(
                [fold(both[..., b == 1], axis=-1) - fold(both[..., b == 0], axis=-1) for b in bit.T], axis=-1
            ).reshape(2, -1)
            - known
        )
        given = None if known is not prior else torch.from_numpy(known).float()
        symbols = torch.from_numpy(y).to(torch.complex64)
        llr = modulation.demap(symbols, torch.from_numpy(no).float(), given)
        assert np.allclose(llr.numpy(), expected, rtol=1e-4, atol=2e-3)


def test_a_row_of_symbols_is_demapped_alike_beside_others() -> None:
    modulation = Modulation("apsk32-3/4")
    parts = torch.from_numpy(np.random.default_rng(2).normal(size=(2, 30_000, 2))).float()
    symbols = torch.view_as_complex(parts)
    whole = modulation.demap(symbols, torch.tensor([[0.1], [0.3]]))
    for row, no in ((0, 0.1), (1, 0.3)):
        part = modulation.demap(symbols[row : row + 1, 7:29_000], torch.tensor(no))
        assert torch.equal(part[0], whole[row, 7 * 5 : 29_000 * 5])


@pytest.mark.slow
@pytest.mark.parametrize("db", [0.0, 8.0, 16.0])
def test_regions_give_the_closed_forms_of_qam_psk_and_pam(db: float) -> None:
    snr = EsN0(db)
    for name in ("bpsk", "qpsk", "qam16", "qam64"):
        modulation = Modulation(name)
        m = modulation.bits_per_symbol
        assert position_error_rates(modulation, snr) == pytest.approx(position_ber_awgn(m, snr), rel=2e-6)
        faded = position_error_rates(modulation, snr, rayleigh=True)
        assert faded == pytest.approx(position_ber_rayleigh(m, snr), rel=2e-6)
    assert position_error_rates(Modulation("pi2-bpsk"), snr) == pytest.approx(
        position_ber_awgn(1, snr), rel=2e-6
    )
    psk, _ = integrate.quad(  # Craig 1991
        lambda t: math.exp(-snr.linear * math.sin(math.pi / 8) ** 2 / math.sin(t) ** 2) / math.pi,
        0, 7 * math.pi / 8, epsabs=0, epsrel=1e-10,
    )  # fmt: skip
    assert symbol_error_rate(Modulation("psk8"), snr) == pytest.approx(psk, rel=2e-6)
    for levels in (4, 8, 16):  # Proakis: 2 (1 - 1/L) Q(sqrt(6 Es/N0 / (L^2 - 1)))
        pam = 2 * (1 - 1 / levels) * ndtr(-math.sqrt(6 * snr.linear / (levels**2 - 1)))
        assert symbol_error_rate(Modulation(f"pam{levels}"), snr) == pytest.approx(pam, rel=3e-6)


def test_cross_qam_errs_by_its_neighbours_at_high_snr() -> None:
    """52 pairs of neighbours among 32 points: 26/8 Q(sqrt(Es/N0 / 10)), less squares of it."""
    snr = EsN0(24.0)
    first = 26 / 8 * ndtr(-math.sqrt(snr.linear / 10))
    found = symbol_error_rate(Modulation("qam32"), snr)
    assert found < first
    assert found == pytest.approx(first, rel=2e-4)


SIMULATED: list[tuple[str, Channel, float]] = [
    ("pi2-bpsk", AWGN(), 3.0), ("pam4", AWGN(), 10.0), ("pam8", AWGN(), 15.0), ("pam8", Rayleigh(), 20.0),
    ("psk8", AWGN(), 9.0), ("psk8", AWGN(), 13.0), ("psk8", Rayleigh(), 14.0),
    ("apsk16-2/3", AWGN(), 12.0), ("apsk16-9/10", AWGN(), 12.0), ("apsk16-3/4", Rayleigh(), 16.0),
    ("qam32", AWGN(), 15.0), ("qam32", Rayleigh(), 18.0), ("apsk32-3/4", AWGN(), 16.0),
    ("apsk32-9/10", Rayleigh(), 18.0), ("qam16-natural", AWGN(), 10.0),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("name", "channel", "db"), SIMULATED, ids=str)
def test_decisions_err_as_often_as_their_regions_say(name: str, channel: Channel, db: float) -> None:
    modulation, snr = Modulation(name, "maxlog"), EsN0(db)
    m, count = modulation.bits_per_symbol, 60_000
    streams = Stream(5, name, channel.name).batch(range(4))
    sent = bits([stream.child("bits") for stream in streams], count * m)
    there = channel(modulation.map(sent), snr, streams, real=modulation.axes == 1)
    wrong = ((modulation.demap(there.symbols, there.no) > 0) != sent.bool()).reshape(-1, m).numpy()
    rayleigh = channel.name == "rayleigh"
    limit = JOINT / sum(Modulation(name).bits_per_symbol + 1 for name, _, _ in SIMULATED)
    for errors, rate in zip(wrong.sum(axis=0), position_error_rates(modulation, snr, rayleigh), strict=True):
        assert errors > 200
        assert stats.binomtest(int(errors), 4 * count, rate).pvalue > limit
    symbols = int(wrong.any(axis=1).sum())
    rate = symbol_error_rate(modulation, snr, rayleigh)
    assert stats.binomtest(symbols, 4 * count, rate).pvalue > limit
    for shift in (-0.2, 0.2):  # dB
        other = symbol_error_rate(modulation, EsN0(db + shift), rayleigh)
        assert stats.binomtest(symbols, 4 * count, other).pvalue < limit


TRACES = [  # of AFF3CT; PAM is real there, and takes half of the noise, as here
    ("psk8", False, "AWGN/PSK/Uncoded_K4003_PSK_max_bps3.txt"),
    ("psk8", True, "RAYLEIGH/PSK/Uncoded_K4003_PSK_max_bps3.txt"),
    ("pam4", False, "AWGN/PAM/Uncoded_K4003_PAM_max_bps2.txt"),
    ("pam8", False, "AWGN/PAM/Uncoded_K4003_PAM_max_bps3.txt"),
    ("pam16", False, "AWGN/PAM/Uncoded_K4003_PAM_max_bps4.txt"),
]


@pytest.mark.parametrize(("name", "rayleigh", "file"), TRACES)
def test_error_rates_agree_with_aff3ct_into_the_tail(
    name: str, rayleigh: bool, file: str, data_dir: Path
) -> None:
    """All errors of a symbol could come together: the widest interval."""
    modulation = Modulation(name)
    m, checked = modulation.bits_per_symbol, 0
    for line in (data_dir / "reference" / "UNCODED" / file).read_text().splitlines():
        if "|" not in line or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("|")]
        snr, sent, wrong = EbN0(float(cells[1])).to_esn0(m), 4003 * int(cells[2]), int(cells[3])
        if wrong < 200:
            continue
        rate = float(position_error_rates(modulation, snr, rayleigh).mean())
        assert abs(wrong - sent * rate) < stats.norm.isf(JOINT / 2 / 30) * math.sqrt(m * sent * rate), line
        checked += 1
    assert checked >= 12


@pytest.mark.slow
@pytest.mark.parametrize("name", ["psk8", "qam32", "apsk16-3/4"])
def test_mutual_information_agrees_with_drawing(name: str) -> None:
    """Capacities by quadrature over the plane against means over 40,000 draws, to five standard errors."""
    snr, p, rng = EsN0(8.0), points(name), np.random.default_rng(3)
    m, count = Modulation(name).bits_per_symbol, 40_000
    label = rng.integers(0, len(p), count)
    noise = (rng.normal(size=count) + 1j * rng.normal(size=count)) * math.sqrt(snr.no / 2)
    metric = -(np.abs((p[label] + noise)[:, None] - p) ** 2) / snr.no
    total = logsumexp(metric, axis=1)
    together = m - (total - metric[np.arange(count), label]) / math.log(2)
    apart = np.full(count, float(m))
    for bit in range(m):
        same = (np.arange(len(p)) >> bit & 1) == (label >> bit & 1)[:, None]
        apart -= (total - logsumexp(np.where(same, metric, -np.inf), axis=1)) / math.log(2)
    for found, drawn in (
        (coded_modulation_capacity(Modulation(name), snr), together),
        (bicm_capacity(Modulation(name), snr), apart),
    ):
        assert abs(found - drawn.mean()) < 5 * drawn.std() / math.sqrt(count)
