"""``semphy ber`` over the binary symmetric and the binary erasure channel.

Counts are held against AFF3CT's by Fisher's exact test over all points with enough blocks, joint 99 %.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy import stats

from benchmarks.links.ber import BerRun, run_ber
from benchmarks.links.collect import collect
from benchmarks.links.drawing.plots import curves_of, plot_ber
from benchmarks.settings.ber import BerSpec
from phy.channels.binary import BEC, BSC
from phy.coding.decoding import Decoding
from phy.coding.ldpc.matrix import matrix_code
from phy.coding.uncoded import Uncoded
from phy.links.binary import BinaryLink
from phy.random import Stream
from phy.theory import bec_limit, bsc_limit
from phy.units import EsN0, EventProbability

Run = Callable[..., tuple[int, str, str]]
JOINT = 0.01


def ber(channel: str, p: str, blocks: int, **code: Any) -> BerRun:
    stop = {"max_blocks": blocks, "block_errors": 10**6}
    return run_ber(BerSpec(code=code, channel=channel, snr={"kind": "p", "values_db": p}, stop=stop))


@pytest.mark.parametrize(("channel", "share"), [("bsc", 1.0), ("bec", 0.5)])
def test_uncoded_bits_err_as_often_as_events_say(channel: str, share: float) -> None:
    """200,000 bits a point: a flip is an error, an erased bit every second time. Exact binomial tests."""
    run = ber(channel, "0.001,0.02,0.3,0.5", 200, name="none", k=1000)
    assert [point.p for point in run.points] == [0.001, 0.02, 0.3, 0.5]
    for point in run.points:
        assert point.p is not None
        assert stats.binomtest(point.bit_errors, point.bits, share * point.p).pvalue > JOINT / 8
        block = 1 - (1 - share * point.p) ** 1000
        assert stats.binomtest(point.block_errors, point.blocks, min(block, 1.0)).pvalue > JOINT / 8
        assert (point.esno_db, point.ebno_db, point.engine) == (None, None, "compiled")


def trace(file: Path) -> dict[float, tuple[int, int]]:
    """Probability -> blocks and block errors of an AFF3CT trace."""
    table = {}
    for line in file.read_text().splitlines():
        if "||" in line and not line.startswith("#"):
            cells = [cell.strip() for cell in line.replace("||", "|").split("|")]
            table[float(cells[0])] = (int(float(cells[1])), int(cells[3]))
    return table


TRACE = "LDPC_{}_OOK_BP_HORIZONTAL_LAYERED_NMS_LDPC_N576_K288_hlayered_NMS_i100_WiMAX.txt"
NMS = {"algorithm": "normalized-minsum", "factor": 0.825, "iterations": 100, "schedule": "layered"}


def agrees(found: tuple[int, int], theirs: tuple[int, int]) -> bool:
    """Whether blocks and block errors are of one rate, by Fisher's exact test."""
    table = [[errors, blocks - errors] for blocks, errors in (found, theirs)]
    return bool(stats.fisher_exact(table).pvalue > JOINT / 10)


def test_ldpc_over_the_bsc_agrees_with_aff3ct(data_dir: Path) -> None:
    """WiMAX (288, 576), normalised min-sum of 0.825, 100 layered iterations."""
    theirs = trace(data_dir / "reference" / "more_codes" / TRACE.format("BSC"))
    matrix = data_dir / "reference" / "alist" / "WIMAX_288_576.alist"
    run = ber("bsc", "0.06:0.1:0.01", 1500, name=f"alist:{matrix}", decoder=NMS)
    assert len(run.points) == 5
    for point in run.points:
        assert point.p is not None
        assert agrees((point.blocks, point.block_errors), theirs[point.p]), (point.p, point.bler)


@pytest.mark.parametrize("p", [0.38, 0.4, 0.42, 0.44, 0.46])
def test_ldpc_over_the_bec_agrees_with_aff3ct(p: float, data_dir: Path) -> None:
    """The same with the zero word and AFF3CT's LLRs: 1 for known bits, for erased ones 1e-5, -1e-5 in turn.

    With these its decoder goes on guessing where peeling ends, and errs a third less often at p = 0.4 than
    with the exact LLRs of erased bits, which are 0.
    """
    blocks, errors = trace(data_dir / "reference" / "more_codes" / TRACE.format("BEC"))[p]
    decoding = Decoding("normalized-minsum", "layered", 100, factor=0.825)
    code = matrix_code(f"alist:{data_dir / 'reference' / 'alist' / 'WIMAX_288_576.alist'}", decoding)
    streams = Stream(3, "bec", str(p)).batch(range(1500))
    exact = BEC()(torch.zeros(1500, code.n, dtype=torch.uint8), EventProbability(p), streams)
    erased = exact == 0
    turn = torch.where(erased.cumsum(dim=1) % 2 == 1, -1e-5, 1e-5)
    wrong = code.decode(torch.where(erased, turn, -1.0)).bits.any(dim=1)
    assert agrees((1500, int(wrong.sum())), (blocks, errors)), float(wrong.double().mean())


@pytest.mark.slow
def test_the_command_writes_draws_and_resumes(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = ["--code", "none", "--k", "64", "--channel", "bsc", "--max-blocks", "64", "--out", str(out)]
    status, text, err = run("ber", *arguments, "--p", "0.01:0.03:0.01", "--json")
    assert status == 0, err
    result = json.loads(text)
    assert [point["p"] for point in result["points"]] == [0.01, 0.02, 0.03]
    assert not {"esno_db", "ebno_db"} & result["points"][0].keys()
    again = json.loads(run("ber", *arguments, "--p", "0.01:0.03:0.01", "--json")[1])
    assert [point["bit_errors"] for point in again["points"]] == [
        point["bit_errors"] for point in result["points"]
    ]
    table = run("ber", *arguments, "--p", "0.02")[1].splitlines()
    assert dict(zip(table[0][1:].split(), table[1].split(), strict=True))["p"] == "0.02"
    assert run("ber", "--config", str(out / "spec.yaml"), "--out", str(out))[0] == 0
    assert run("plot", str(out))[0] == 0
    other = tmp_path / "other"
    assert run("ber", "--code", "none", "--esno", "3", "--max-blocks", "64", "--out", str(other))[0] == 0
    status, _, err = run("plot", str(out), str(other), "--out", str(tmp_path / "both"))
    assert (status, len(err.splitlines())) == (2, 1), err
    assert "axis in common" in err


def test_figures_show_capacity_and_the_uncoded_rate() -> None:
    for channel, limit, share in (("bsc", bsc_limit(0.5), 1.0), ("bec", bec_limit(0.5), 0.5)):
        run = ber(channel, "0.05,0.09", 64, name="ldpc5g", k=64, n=128)
        (axes,) = plot_ber(curves_of(run.points, "p")).axes
        lines = {line.get_label(): line.get_data() for line in axes.lines}
        assert lines["capacity"][0][0] == pytest.approx(limit)
        x, y = lines["uncoded, theory"]
        assert list(y) == pytest.approx([share * p for p in x])


def test_objects_are_swept_over_probabilities() -> None:
    links = [BinaryLink(Uncoded(500), BSC()), BinaryLink(Uncoded(500), BEC())]
    run = collect(links, snr=[EventProbability(0.1)], stop={"max_blocks": 100, "block_errors": 10**6})
    for point, rate in zip(run.points, (0.1, 0.05), strict=True):
        assert stats.binomtest(point.bit_errors, point.bits, rate).pvalue > JOINT / 2
    assert "p" in run.to_text().splitlines()[0].split()
    with pytest.raises(ValueError, match=r"EventProbability\(0\.05\)"):
        links[0](torch.zeros(0, 500, dtype=torch.uint8), EsN0(1.0), [])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--channel", "bsc", "--ebno", "1"], "carries bits|bsc is swept by --p"),
        (["--channel", "awgn", "--p", "0.1"], "awgn is swept by --ebno or --esno"),
        (["--channel", "bsc", "--p", "1.5"], "from 0 to 1, got 1.5"),
        (["--channel", "bsc", "--p=-0.1"], "from 0 to 1, got -0.1"),
        (["--channel", "bsc", "--p", "few"], "range of probabilities .*'few'"),
        (["--channel", "bsc", "--p", "0.1", "--esno", "1"], "--esno and --p"),
        (["--channel", "bec", "--p", "0.1", "--modulation", "qpsk"], "bec takes bits as they are.*qpsk"),
        (["--channel", "bec", "--p", "0.1", "--harq", "ir:2"], "channel of symbols, got bec"),
        (["--channel", "bec", "--p", "0.1", "--target-bler", "0.1"], "--target-bler searches an SNR"),
        (["--channel", "bsc:p=0.1", "--p", "0.1"], "bsc"),
    ],
)
def test_mistakes_are_one_line(run: Run, arguments: list[str], words: str) -> None:
    status, _, err = run("ber", *arguments, "--max-blocks", "64")
    assert (status, len(err.splitlines())) == (2, 1), err
    assert re.search(words, err), err


def test_systems_of_symbols_say_what_carries_bits(run: Run) -> None:
    status, _, err = run("compare", "--systems", "text-ldpc", "--channel", "bsc", "--snr", "1")
    assert (status, len(err.splitlines())) == (2, 1), err
    assert "semphy ber --channel bsc --p RANGE" in err


@pytest.mark.parametrize("algorithm", ["gallager-b", "bit-flipping"])
def test_decoders_of_hard_decisions_are_chosen_by_name(run: Run, algorithm: str) -> None:
    arguments = ["--k", "64", "--n", "192", "--decoder", algorithm, "--max-blocks", "64"]
    status, text, err = run("ber", *arguments, "--channel", "bsc", "--p", "0.001", "--json")
    assert status == 0, err
    decoder = json.loads(text)["spec"]["code"]["decoder"]
    assert (decoder["algorithm"], decoder["schedule"]) == (algorithm, None)
    assert run("ber", *arguments, "--ebno", "9")[0] == 0
    for wrong, word in ((["--schedule", "layered"], "schedule"), (["--engine", "sionna"], algorithm)):
        status, _, err = run("ber", *arguments, "--ebno", "9", *wrong)
        assert (status, len(err.splitlines())) == (2, 1), err
        assert word in err
