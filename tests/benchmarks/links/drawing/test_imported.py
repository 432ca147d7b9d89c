"""Curves of other programs: AFF3CT's published traces against theory, CSV as people write it, wrong files."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.links.counting import Counts
from benchmarks.links.drawing.imported import read_imported
from benchmarks.links.drawing.plots import curves_of, plot_ber
from benchmarks.links.results import PointStats
from benchmarks.settings.errors import InputError
from phy import theory
from phy.units import EbN0

Run = Callable[..., tuple[int, str, str]]
CODE = {
    "name": "none",
    "k": 8,
    "n": 8,
    "decoder": {"algorithm": "hard", "iterations": None, "llr_bits": None},
}
CONDITION = {"code": CODE, "modulation": "qpsk", "channel": "awgn", "engine": "compiled", "seed": 1}
TRACE = """[metadata]
title=BCH (15,7,2)

[trace]
#    ** Noise type (E)         = EBN0
# ----------|----------||----------|----------|----------|----------|----------||----------|----------
#     Es/N0 |    Eb/N0 ||      FRA |       BE |       FE |      BER |      FER ||  SIM_THR |    ET/RT
#      (dB) |     (dB) ||          |          |          |          |          ||   (Mb/s) | (hhmmss)
      -2.31 |     1.00 ||     2176 |     2152 |     1001 | 1.41e-01 | 4.60e-01 ||    0.469 | 00h00'00
#     -1.31 |     2.00 ||     2176 |     2152 |     1001 | 1.41e-01 | 4.60e-01 ||    0.469 | 00h00'00 # other
      -3.31 |     0.00 ||     2176 |     2152 |        0 | 1.51e-01 | 0.00e+00 ||    0.469 | 00h00'00
"""


def curve(*snr_db: float) -> list[PointStats]:
    return [PointStats(CONDITION, x, x, 4, 0, Counts(100, 10, 800, 15, 25)) for x in snr_db]


def test_aff3ct_prints_what_is_read(tmp_path: Path) -> None:
    file = tmp_path / "trace.txt"
    file.write_text(TRACE)
    (found,) = read_imported(file)
    assert found.label == "BCH (15,7,2)"
    assert found.over("ebno", "ber") == [(0.0, 0.151), (1.0, 0.141)]
    assert found.over("esno", "bler") == [(-2.31, 0.46)]  # a rate of 0 has no place on a logarithmic axis


@pytest.mark.parametrize("channel", ["AWGN", "RAYLEIGH"])
def test_published_bpsk_is_that_of_theory(data_dir: Path, channel: str) -> None:
    (found,) = read_imported(data_dir / "reference" / "UNCODED" / channel / "PSK" / "Uncoded_K4003_BPSK.txt")
    closed = theory.ber_awgn if channel == "AWGN" else theory.ber_rayleigh
    # BPSK on the real axis and QPSK on both have one error rate over Eb/N0. A point has 500 wrong frames of
    # 4,003 bits, so that many wrong bits at least; four standard deviations, and the third digit.
    for ebno_db, ber in found.over("ebno", "ber"):
        apart = 4 / math.sqrt(500 * max(1, 4003 * ber)) + 0.005
        assert ber == pytest.approx(closed(2, EbN0(ebno_db).to_esn0(2)), rel=apart)
    for point in found.points:
        assert point["esno"] == pytest.approx(point["ebno"], abs=0.011)


def test_every_published_trace_is_read(data_dir: Path) -> None:
    files = [*(data_dir / "reference" / "more_codes").glob("*.txt")]
    files += (data_dir / "reference" / "UNCODED").rglob("*.txt")
    read, others = 0, []
    for file in files:
        try:
            (found,) = read_imported(file)
        except InputError as error:
            others.append((file.name, str(error)))
            continue
        read += 1
        first, *_ = found.points
        if "_BEC_" in file.name or "_BSC_" in file.name:  # over the probability of an event
            assert len(found.over("p", "bler")) >= 3
            continue
        offset = first["ebno"] - first["esno"]  # -10 log10 of the information bits a symbol, to two digits
        assert all(math.isclose(p["ebno"] - p["esno"], offset, abs_tol=0.011) for p in found.points)
        assert len(found.over("ebno", "ber")) >= 3 and len(found.over("esno", "bler")) >= 3
    assert read >= 50
    assert [name for name, _ in others] == ["SOURCE.txt"] and "is no curve" in others[0][1]


@pytest.mark.parametrize(
    ("text", "points"),
    [
        (
            "ebno_db,ber,bler\n1,.1,.5\n0,.2,\n",
            [{"ebno": 0, "ber": 0.2}, {"ebno": 1, "ber": 0.1, "bler": 0.5}],
        ),
        ("# theirs\n\nSNR (dB);FER\n3;1e-2\n", [{"esno": 3, "bler": 0.01}]),
        ("Eb/N0 [dB]\tBER\tnote\n-1\t1e-3\tx, y\n", [{"ebno": -1, "ber": 0.001}]),
        ("\ufeffEs/N0_dB,Eb/N0_dB,BLER\n1,2,1\n", [{"esno": 1, "ebno": 2, "bler": 1}]),
    ],
)
def test_csv_as_people_write_it(text: str, points: list[dict[str, float]], tmp_path: Path) -> None:
    file = tmp_path / "theirs.csv"
    file.write_text(text, encoding="utf-8")
    (found,) = read_imported(file)
    assert (found.label, list(found.points)) == ("theirs", points)


def test_a_column_names_several_curves(tmp_path: Path) -> None:
    file = tmp_path / "theirs.csv"
    file.write_text("curve,snr,ber\na,1,.1\nb,1,.2\na,2,.05\n")
    assert [(each.label, len(each.points)) for each in read_imported(file)] == [("a", 2), ("b", 1)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no curve"),
        ("ebno,ber\n", "holds no curve"),
        ("a,b\n1,2\n", "needs a column of Eb/N0 or Es/N0 and one of BER or BLER"),
        ("ebno,psnr\n1,2\n", "needs a column"),
        ("ebno,ber\n1,.1\n2,many\n", "line 3 of '.*': ber must be a number from 0 to 1, got 'many'"),
        ("ebno,ber\n1,3\n", "line 2 of '.*': ber must be a number from 0 to 1, got '3'"),
        ("ebno,ber\nnan,.1\n", "ebno must be a number, got 'nan'"),
        ("ebno,ber\n1,.1\n,.2\n", "lines without Eb/N0"),
        ("ebno,ber\n1,.1\n1,.2\n", "repeats an SNR: several curves need a column 'curve'"),
        ("ebno,ebno,ber\n1,1,.1\n", "line 1 of '.*' names a column twice"),
        ("fer,bler,snr\n.1,.1,1\n", "two columns are bler, one of them 'bler'"),
        ("#  ROP | FRA | BER\n 0.1 | 3 | 0.1\n", "line 1 of '.*': a curve over 'ROP', not over an SNR"),
    ],
)
def test_what_is_no_curve_is_one_line(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "theirs.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        read_imported(file)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for place in (tmp_path / "binary", tmp_path / "nothing", tmp_path, Path("/dev/zero")):
        with pytest.raises(InputError, match=str(place)):
            read_imported(place)


def test_an_overlay_lies_where_its_numbers_say(tmp_path: Path) -> None:
    (tmp_path / "cost $5 and $6.csv").write_text("esno,ber\n-3,.2\n8,1e-7\n")
    others = read_imported(tmp_path / "cost $5 and $6.csv")
    figure = plot_ber(curves_of(curve(1.0, 2.0), "esno"), overlay=others)
    (axes,) = figure.axes
    drawn = [tuple(map(tuple, line.get_xydata())) for line in axes.get_lines()]
    assert ((-3.0, 0.2), (8.0, 1e-7)) in drawn
    assert axes.get_xlim()[0] < -3 and axes.get_xlim()[1] > 8 and axes.get_ylim()[0] <= 1e-7
    names = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert names[:2] == ["uncoded, qpsk, awgn", r"cost \$5 and \$6"]
    figure.canvas.draw()  # dollar signs are no mathematics
    with pytest.raises(InputError, match=r"cost \$5 and \$6 is over Es/N0, and the figure over Eb/N0"):
        plot_ber(curves_of(curve(1.0), "ebno"), overlay=others)


@pytest.mark.slow
def test_the_command_draws_them_and_refuses_what_is_none(run: Run, tmp_path: Path) -> None:
    (tmp_path / "trace.txt").write_text(TRACE)
    ber, text = str(tmp_path / "ber"), str(tmp_path / "compare")
    small = ["--code", "none", "--k", "16", "--max-blocks", "64", "--ebno", "2"]
    assert run("ber", *small, "--out", ber)[0] == 0
    overlay = ["--overlay", str(tmp_path / "trace.txt")]
    status, out, _ = run("plot", ber, *overlay, "--out", str(tmp_path / "figures"), "--json")
    files = [Path(file) for file in json.loads(out)["files"]]
    assert status == 0 and all(file.parent == tmp_path / "figures" for file in files)
    assert "BCH (15,7,2)" in files[1].read_text()  # the SVG has its texts as texts
    (tmp_path / "words.txt").write_text("one\n")
    texts = ["--systems", "text-uncoded", "--snr", "20", "--texts", str(tmp_path / "words.txt")]
    assert run("compare", *texts, "--out", text)[0] == 0
    for wrong in (["plot", text, *overlay], ["plot", ber, "--overlay", str(tmp_path / "words.txt")]):
        status, out, err = run(*wrong)
        assert (status, out, len(err.splitlines())) == (2, "", 1), err
