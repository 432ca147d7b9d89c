"""Mapper and demapper against TS 38.211, against Sionna, and against the meaning of an LLR."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import expit
from sionna.phy.mapping import Constellation, Demapper

from phy.channels.channel import Channel
from phy.channels.flat import AWGN, Rayleigh
from phy.modulation import Modulation
from phy.random import Stream, bits
from phy.units import EsN0

NAMES = ["bpsk", "qpsk", "qam16", "qam64", "qam256", "qam1024"]


def sionna_demapper(modulation: Modulation, method: str) -> Demapper:
    kind = "pam" if modulation.name == "bpsk" else "qam"
    constellation = Constellation(kind, modulation.bits_per_symbol, precision="double", device="cpu")
    return Demapper(method, constellation=constellation, precision="double", device="cpu")


def all_labels(modulation: Modulation) -> torch.Tensor:
    m = modulation.bits_per_symbol
    return torch.tensor(
        [[(label >> (m - 1 - i)) & 1 for i in range(m)] for label in range(2**m)], dtype=torch.uint8
    )


@pytest.mark.parametrize("name", NAMES)
def test_points_have_unit_mean_energy_and_map_is_a_bijection(name: str) -> None:
    modulation = Modulation(name)
    sent = modulation.map(all_labels(modulation)).flatten()
    assert sent.dtype == torch.complex64
    kind = "pam" if name == "bpsk" else "qam"
    sionna = Constellation(kind, modulation.bits_per_symbol, precision="single", device="cpu")
    assert torch.equal(sent, sionna.points)  # to the last digit
    assert torch.equal(sent, modulation.points)
    assert len(torch.unique(torch.view_as_real(sent), dim=0)) == 2**modulation.bits_per_symbol
    assert sent.abs().square().double().mean().item() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "formula"),
    [  # TS 38.211, 5.1.3 to 5.1.6
        ("qpsk", lambda b: (1 - 2 * b[0] + 1j * (1 - 2 * b[1])) / math.sqrt(2)),
        (
            "qam16",
            lambda b: complex(*((1 - 2 * b[i]) * (2 - (1 - 2 * b[i + 2])) for i in (0, 1))) / math.sqrt(10),
        ),
        (
            "qam64",
            lambda b: (
                complex(
                    *((1 - 2 * b[i]) * (4 - (1 - 2 * b[i + 2]) * (2 - (1 - 2 * b[i + 4]))) for i in (0, 1))
                )
                / math.sqrt(42)
            ),
        ),
    ],
)
def test_labels_follow_ts_38_211(name: str, formula) -> None:  # type: ignore[no-untyped-def]
    modulation = Modulation(name)
    expected = torch.tensor([formula([int(b) for b in label]) for label in all_labels(modulation)])
    torch.testing.assert_close(
        modulation.points.to(torch.complex128), expected.to(torch.complex128), atol=1e-6, rtol=0
    )


def test_bpsk_lies_on_the_real_axis() -> None:
    assert Modulation("bpsk").map(torch.tensor([[0, 1]], dtype=torch.uint8)).tolist() == [[1, -1]]


@pytest.mark.parametrize("name", ["qam16", "qam64", "qam256", "qam1024"])
def test_neighbours_differ_in_one_bit(name: str) -> None:
    modulation = Modulation(name)
    points = modulation.points.to(torch.complex128)
    distance = (points[:, None] - points).abs()
    smallest = distance[distance > 0].min()
    left, right = torch.nonzero((distance > 0) & (distance < 1.01 * smallest), as_tuple=True)
    labels = all_labels(modulation)
    assert (labels[left] != labels[right]).sum(-1).eq(1).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["app", "maxlog"])
def test_llrs_equal_sionnas_in_double_precision(name: str, method: str) -> None:
    modulation = Modulation(name, method)  # type: ignore[arg-type]
    rng = np.random.default_rng(1)
    symbols = torch.from_numpy(rng.normal(size=(3, 50, 2)) * 1.3).to(torch.float32)
    symbols = torch.view_as_complex(symbols)
    no = torch.from_numpy(10 ** rng.uniform(-3, 2, size=(3, 50))).to(torch.float32)
    expected = sionna_demapper(modulation, method)(symbols.to(torch.complex128), no.double())
    llr = modulation.demap(symbols, no)
    assert llr.dtype == torch.float32
    assert llr.shape == (3, 50 * modulation.bits_per_symbol)
    # float32 rounding of exponents as large as 2 |y a| / N0
    tolerance = 4e-7 * (2 * symbols.abs() * 1.6 / no + 1).repeat_interleave(modulation.bits_per_symbol, -1)
    assert ((llr.double() - expected).abs() <= tolerance * 4 + 1e-6 * expected.abs()).all()


def test_demapping_does_not_depend_on_chunks_and_broadcasts_the_noise() -> None:
    modulation = Modulation("qam64")
    symbols = torch.view_as_complex(
        torch.from_numpy(np.random.default_rng(2).normal(size=(2, 20_000, 2))).float()
    )
    whole = modulation.demap(symbols, torch.tensor([[0.1], [0.3]]))
    for row, no in ((0, 0.1), (1, 0.3)):
        for part in (slice(0, 5), slice(17_000, 20_000)):
            bits_of = slice(part.start * 6, part.stop * 6)
            piece = modulation.demap(symbols[row : row + 1, part], torch.tensor(no))
            assert torch.equal(piece[0], whole[row, bits_of])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["app", "maxlog"])
@pytest.mark.parametrize("no", [0.0, 1e-38, 1e-12, 1e12, 1e38, math.inf])
def test_llrs_stay_finite(name: str, method: str, no: float) -> None:
    symbols = torch.tensor([[0.3 + 0.2j, 0.0, 1e6 - 1e6j, -1e-20 + 1j]], dtype=torch.complex64)
    llr = Modulation(name, method).demap(symbols, torch.tensor(no))  # type: ignore[arg-type]
    assert torch.isfinite(llr).all()


def test_an_empty_batch_passes() -> None:
    modulation = Modulation("qam64")
    symbols = modulation.map(torch.zeros(0, 12, dtype=torch.uint8))
    assert symbols.shape == (0, 2)
    assert modulation.demap(symbols, torch.tensor(0.1)).shape == (0, 12)


def test_a_deep_fade_does_not_drown_the_llr_in_rounding() -> None:
    # y = 1e6 with N0 = 1e12 after zero forcing: the exact LLR of QPSK is 2 sqrt(2) y / N0, about 2.8e-6
    llr = Modulation("qpsk").demap(torch.tensor([[1e6 - 1e6j]], dtype=torch.complex64), torch.tensor(1e12))
    assert llr[0].tolist() == pytest.approx([-2e-6 * math.sqrt(2), 2e-6 * math.sqrt(2)], rel=1e-5)


def test_demapper_is_differentiable() -> None:
    symbols = torch.tensor([[0.3 + 0.2j, -0.7j]], dtype=torch.complex64, requires_grad=True)
    Modulation("qam16").demap(symbols, torch.tensor(0.2)).sum().backward()
    assert symbols.grad is not None and torch.isfinite(torch.view_as_real(symbols.grad)).all()


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        *(
            ("4QAM", "qpsk"),
            ("qam4", "qpsk"),
            ("16qam", "qam16"),
            ("64-QAM", "qam64"),
            ("1024qam", "qam1024"),
        ),
        *(
            ("8PSK", "psk8"),
            ("4-PAM", "pam4"),
            ("pam2", "bpsk"),
            ("pi/2-BPSK", "pi2-bpsk"),
            ("32qam", "qam32"),
        ),
        ("16APSK-3/4", "apsk16-3/4"),
    ],
)
def test_both_spellings(given: str, canonical: str) -> None:
    assert Modulation(given).name == canonical


def test_errors_quote_what_came_in_and_list_what_works() -> None:
    with pytest.raises(ValueError, match=r"'qam12'.*bpsk, pi2-bpsk, qpsk, .*qam64, qam256, qam1024"):
        Modulation("qam12")
    for name in ("apsk16", "qam32-natural", "psk8-natural"):
        with pytest.raises(ValueError, match=rf"'{name}'.*apsk16-2/3"):
            Modulation(name)
    with pytest.raises(ValueError, match=r"psk8 .*no levels"):
        _ = Modulation("psk8").levels
    with pytest.raises(ValueError, match=r"app, maxlog.*'soft'"):
        Modulation("qpsk", "soft")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"7 bits.*qam16"):
        Modulation("qam16").map(torch.zeros(1, 7, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"on meta.*device='meta'"):
        Modulation("qpsk").map(torch.zeros(1, 2, dtype=torch.uint8, device="meta"))


def llr_slope(sent: NDArray[np.float64], llr: NDArray[np.float64]) -> tuple[float, float]:
    """Fit P(b=1 | L) = sigmoid(s L) by maximum likelihood (Newton); return s and its standard error.

    Bits and LLRs are ``[symbols, m]``. Bits of one symbol are dependent, so the error is the sandwich
    estimate clustered by symbol.
    """
    slope = 1.0
    for _ in range(20):
        p = expit(slope * llr)
        information = (llr**2 * p * (1 - p)).sum()
        step = ((sent - p) * llr).sum() / information
        slope += step
        if abs(step) < 1e-10:
            break
    scores = ((sent - expit(slope * llr)) * llr).sum(axis=1)
    return slope, math.sqrt((scores**2).sum()) / information


CALIBRATION = [  # channel, modulation, Es/N0 in dB where decisions are uncertain
    *((AWGN(), name, db) for name, db in zip(NAMES, [0, 3, 9, 14, 19, 24], strict=True)),
    *((Rayleigh(), name, db) for name, db in zip(NAMES, [2, 5, 11, 16, 21, 26], strict=True)),
    *((AWGN(), *case) for case in (("pi2-bpsk", 0), ("pam4", 6), ("psk8", 6), ("pam8", 11), ("qam32", 11))),
    *((AWGN(), *case) for case in (("apsk16-3/4", 9), ("apsk32-9/10", 12))),
    *((Rayleigh(), *case) for case in (("pi2-bpsk", 2), ("pam8", 13), ("psk8", 8), ("apsk32-3/4", 14))),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("channel", "name", "db"), CALIBRATION, ids=lambda value: str(getattr(value, "name", value))
)
def test_llrs_mean_what_they_say(channel: Channel, name: str, db: float) -> None:
    modulation = Modulation(name)
    streams = Stream(11, name, channel.name).batch(range(4))
    symbols = 100_000 if modulation.bits_per_symbol == 1 else 50_000
    sent = bits([s.child("bits") for s in streams], symbols * modulation.bits_per_symbol)
    reception = channel(modulation.map(sent), EsN0(db), streams)
    llr = modulation.demap(reception.symbols, reception.no)
    by_symbol = (-1, modulation.bits_per_symbol)
    truth, soft = sent.reshape(by_symbol).double().numpy(), llr.reshape(by_symbol).double().numpy()

    slope, error = llr_slope(truth, soft)
    assert error < 0.005
    assert slope == pytest.approx(1.0, abs=0.02)

    halved, error = llr_slope(truth, soft / 2)  # what a published toolkit's QAM demapper returns
    assert halved == pytest.approx(2.0, abs=0.04)
    assert abs(halved - 1.0) > 0.02 + 5 * error


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", NAMES)
def test_cuda_agrees_with_the_cpu(name: str) -> None:
    here, there = Modulation(name), Modulation(name, device="cuda")
    sent = bits(Stream(3).batch(range(2)), 120 * here.bits_per_symbol)
    symbols = here.map(sent)
    assert torch.equal(there.map(sent.cuda()).cpu(), symbols)
    no = torch.full(symbols.shape, 0.1)
    torch.testing.assert_close(
        there.demap(symbols.cuda(), no.cuda()).cpu(), here.demap(symbols, no), rtol=1e-5, atol=1e-4
    )
