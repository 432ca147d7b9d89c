"""Constellations other than square QAM in the commands: counts against theory, schemes, figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.links.ber import run_ber
from benchmarks.links.drawing.plots import curves_of, plot_ber
from benchmarks.settings.ber import BerSpec
from bridge.air.names import parse_carriage
from bridge.air.schemes import parse_schemes
from phy.channels.flat import AWGN
from phy.modulation import Modulation
from phy.regions import position_error_rates
from phy.units import EsN0

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("channel", ["awgn", "rayleigh"])
@pytest.mark.parametrize(("name", "db"), [("pam8", 11), ("psk8", 11), ("apsk32-4/5", 11), ("pi2-bpsk", 3)])
def test_uncoded_counts_meet_theory(name: str, db: int, channel: str) -> None:
    """Bit errors of 300 blocks of 480 bits against the exact rate, to 4 standard deviations over blocks."""
    spec = BerSpec(
        code={"name": "none", "k": 480},
        modulation=name,
        demapping="maxlog",
        channel=channel,
        snr={"kind": "esno", "values_db": (db,)},
        stop={"max_blocks": 300, "block_errors": 10**6},
    )
    (point,) = run_ber(spec).points
    rate = position_error_rates(Modulation(name), EsN0(db), channel == "rayleigh").mean()
    block = point.bit_errors / 300
    variance = point.counts.squared_bit_errors / 300 - block**2
    variance = max(variance, 480 * rate)  # where hardly a bit is wrong, that of Poisson's law
    assert abs(block - 480 * rate) < 4 * (variance / 300) ** 0.5
    assert point.engine == "compiled"


@pytest.mark.slow
def test_ldpc_over_psk_and_apsk_is_a_scheme_like_others(run: Run, tmp_path: Path) -> None:
    """5G LDPC of 1/2 over 8-PSK meets BLER 0.1 within 2 dB of the capacity of 8-PSK's BICM (about 2.9 dB)."""
    out = tmp_path / "mcs"
    arguments = ["--schemes", "1/2-psk8,3/4-apsk16-3/4,1/2-pi2-bpsk", "--block-bits", "480"]
    status, text, err = run("mcs", *arguments, "--block-errors", "30", "--out", str(out), "--json")
    assert status == 0, err
    rows = {row["scheme"]: row for row in json.loads(text)["schemes"]}
    assert list(rows) == ["1/2-psk8", "3/4-apsk16-3/4", "1/2-pi2-bpsk"]
    assert 2.9 < rows["1/2-psk8"]["esno_db"] < 4.9
    assert all(0 < row["gap_db"] < 3 for row in rows.values())
    assert run("plot", str(out))[0] == 0


@pytest.mark.slow
def test_figures_show_the_theory_of_the_labels_at_hand() -> None:
    """Gray labels have a closed form; natural ones err more often, and have their own."""
    found = {}
    for name in ("qam16", "qam16-natural"):
        spec = BerSpec(
            code={"name": "none", "k": 64}, modulation=name,
            snr={"kind": "esno", "values_db": "8,10"}, stop={"max_blocks": 100},
        )  # fmt: skip
        (axes,) = plot_ber(curves_of(run_ber(spec).points, "esno")).axes
        (line,) = [line for line in axes.lines if line.get_label() == "uncoded, theory"]
        found[name] = dict(zip(*line.get_data(), strict=True))
        for snr, rate in list(found[name].items())[::60]:
            expected = position_error_rates(Modulation(name), EsN0(float(snr))).mean()
            assert rate == pytest.approx(expected, rel=1e-5)
    assert all(found["qam16-natural"][snr] > rate for snr, rate in found["qam16"].items())


def test_pictures_and_sentences_travel_by_8_psk(run: Run, tmp_path: Path) -> None:
    picture = ["--image", "chelsea", "--system", "jpeg-ldpc", "--cbr", "1/24", "--out", str(tmp_path / "a")]
    status, text, err = run("send", *picture, "--snr", "12", "--scheme", "2/3-psk8", "--json")
    assert (status, json.loads(text)["failed"]) == (0, False), err
    (tmp_path / "words.txt").write_text("one dog\n")
    sentences = [
        "--texts",
        str(tmp_path / "words.txt"),
        "--systems",
        "text-ldpc",
        "--text-schemes",
        "1/2-psk8",
    ]
    status, text, err = run("compare", *sentences, "--snr", "9", "--out", str(tmp_path / "b"), "--json")
    assert status == 0, err
    assert "1/2-psk8" in text


@pytest.mark.parametrize(
    ("text", "rate", "modulation", "block"),
    [
        ("1/2-psk8", "1/2", "psk8", None),
        ("2/3-8psk@6144", "2/3", "psk8", 6144),
        ("3/4-apsk16-3/4", "3/4", "apsk16-3/4", None),
        ("1/2-qam16-natural", "1/2", "qam16-natural", None),
        ("1/3-pi/2-bpsk", "1/3", "pi2-bpsk", None),
    ],
)
def test_schemes_name_them(text: str, rate: str, modulation: str, block: int | None) -> None:
    (scheme,) = parse_schemes(text)
    assert (str(scheme.rate), scheme.modulation, scheme.block_bits) == (rate, modulation, block)
    assert parse_carriage(f"digital:fp16:{text}", AWGN())[1].name == scheme.name
    assert parse_carriage(f"digital:fp16:{modulation}", AWGN())[1].name == modulation
