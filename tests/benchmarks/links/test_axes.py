"""Several values of lengths, modulation, channel and decoder in one command: a curve for each combination."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import semphy
from benchmarks.links.ber import run_ber
from benchmarks.links.chains import SpecifiedLink
from benchmarks.links.drawing.plots import load_curves
from benchmarks.runs.store import Store
from benchmarks.settings.ber import BerSpec
from benchmarks.settings.errors import InputError
from benchmarks.settings.reading import read_curves
from phy.units import EsN0

Run = Callable[..., tuple[int, str, str]]
SMALL = ["--code", "none", "--esno", "3", "--max-blocks", "64"]


def curves(**flags: Any) -> tuple[BerSpec, ...]:
    settings = {name.replace("__", "."): value for name, value in flags.items()}
    return read_curves(flags={"snr": {"kind": "esno", "values_db": "3"}, **settings})


def told(spec: BerSpec) -> tuple[Any, ...]:
    return (
        spec.code.name,
        spec.code.k,
        spec.code.n,
        spec.code.decoder.algorithm,
        spec.modulation,
        spec.channel,
    )


def test_a_curve_for_each_combination_in_the_order_given() -> None:
    specs = curves(code__k="256,512", code__n=[768, 1536], modulation="qpsk,qam16", channel="awgn,rayleigh")
    wanted = product((256, 512), (768, 1536), ("qpsk", "qam16"), ("awgn", "rayleigh"))
    assert [told(spec) for spec in specs] == [
        ("ldpc5g", k, n, "sum-product", modulation, channel) for k, n, modulation, channel in wanted
    ]


def test_decoders_and_lengths_go_to_the_codes_that_take_them() -> None:
    specs = curves(
        code__name="ldpc5g,polar5g,none", code__k=64, code__n="128,192", code__decoder__algorithm="minsum,scl"
    )
    assert [told(spec)[:4] for spec in specs] == [
        ("ldpc5g", 64, 128, "minsum"),
        ("ldpc5g", 64, 192, "minsum"),
        ("polar5g", 64, 128, "scl"),
        ("polar5g", 64, 192, "scl"),
        ("none", 64, 64, "hard"),  # once: it has no n
    ]


def test_commas_of_a_channel_stay_with_it() -> None:
    specs = curves(channel="awgn, tdl-a:delay_spread=1e-7,speed=3,rician:k_db=6")
    assert [spec.channel for spec in specs] == ["awgn", "tdl-a:delay_spread=1e-7,speed=3", "rician:k_db=6"]


def test_settings_files_take_lists_and_texts(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(
        "code: [{name: none, k: [16, 32]}, {name: conv, k: 24, n: '48,64'}]\n"
        "modulation: [bpsk, qpsk]\nsnr: {kind: esno, values_db: 3}\n"
    )
    assert [told(spec)[:3] for spec in read_curves(file, ["modulation=qpsk"])] == [
        ("none", 16, 16),
        ("none", 32, 32),
        ("conv", 24, 48),
        ("conv", 24, 64),
    ]
    assert len(read_curves(file)) == 8


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"code__k": "512,1024", "code__n": "768"}, "k=1024 and n=768"),
        ({"code__n": "768,many"}, "code.n: .* got 'many'"),
        ({"code__n": "768,,1024"}, "code.n: .* got ''"),
        ({"code__decoder__algorithm": "minsum,magic"}, "'magic'"),
        ({"code__name": "ldpc5g,polar5g", "code__decoder__algorithm": "minsum,magic"}, "'magic'"),
        ({"code__name": "ldpc5g,polar5g", "code__decoder": 5}, "code.decoder: .* got 5"),
        ({"modulation": ["qpsk", 4]}, "modulation: .* got 4"),
    ],
)
def test_a_combination_that_cannot_be_is_named(flags: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        curves(**flags)


def test_a_single_curve_is_named_as_before_there_were_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.links.chains.RULES_VERSION", 1)
    # Digests of version 0.1.0 before it took several values: runs that were made then go on.
    for flags, name in (
        ({"code__name": "none", "code__k": 16, "modulation": "qpsk"}, "bd43276dcda324d9255297315d319bed"),
        (
            {"code__k": "64", "code__n": "128", "modulation": "qam16", "channel": "rayleigh"},
            "7266558a8620c89d8a69451bfabe0223",
        ),
    ):
        (spec,) = curves(**flags)
        assert SpecifiedLink.of(spec).chain().describe(EsN0(3.0))[0] == name


def test_curves_of_a_sweep_are_those_of_single_runs_and_resume(run: Run, tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    sweep = [*SMALL, "--k", "16,32", "--modulation", "qpsk,qam16", "--out", out]
    status, table, _ = run("ber", *sweep)
    assert status == 0
    assert [line.split()[0] for line in table.splitlines()[1:]] == [
        "none,k=16,modulation=qpsk",
        "none,k=16,modulation=qam16",
        "none,k=32,modulation=qpsk",
        "none,k=32,modulation=qam16",
    ]
    (single,) = json.loads(run("ber", *SMALL, "--k", "32", "--modulation", "qam16", "--json")[1])["points"]
    points = json.loads(run("ber", *sweep, "--json")[1])["points"]
    counts = ("code", "esno_db", "blocks", "block_errors", "bit_errors")
    assert [points[3][name] for name in counts] == [single[name] for name in counts]
    told = {"k": 32, "n": 32, "algorithm": "hard", "modulation": "qam16", "channel": "awgn"}
    assert {name: points[3][name] for name in points[3].keys() - single.keys()} == told
    with Store.read(out) as store:
        assert [len(store.rows(each.id)) for each in store.conditions()] == [1] * 4  # and none anew
        assert len(load_curves(store)) == 4
    rows = list(csv.DictReader((tmp_path / "run" / "curves.csv").open()))
    assert [(row["k"], row["modulation"]) for row in rows] == [
        ("16", "qpsk"),
        ("16", "qam16"),
        ("32", "qpsk"),
        ("32", "qam16"),
    ]
    # The record of a run means the same curves; further codes go into the same folder, further channels not.
    record = ["--config", f"{out}/spec.yaml", "--out", out]
    assert json.loads(run("ber", *record, "--json")[1])["points"] == points
    more = ["ber", "--esno", "3", "--max-blocks", "1", "--code", "none", "--k", "8", "--out", out]
    assert run(*more, "--modulation", "qam16,qpsk")[0] == 0
    with Store.read(out) as store:
        assert len(store.conditions()) == 6
    status, _, err = run(*more, "--modulation", "qpsk")
    assert status == 2 and "modulation = ['qam16', 'qpsk'], now qpsk" in err


def test_python_takes_lists() -> None:
    both = ["bpsk", "qpsk"]
    found = semphy.ber(code=["none", "conv"], k=[16], modulation=both, esno=[40, 45], max_blocks=1)
    assert [(point.code, point.esno_db) for point in found.points] == [
        *[("none", 40.0), ("none", 45.0)] * 2,
        *[("conv", 40.0), ("conv", 45.0)] * 2,
    ]
    assert found.spec["modulation"] == both


def test_two_spellings_are_one_curve() -> None:
    found = run_ber(curves(code__name="none", code__k=16, modulation="16qam,qam16", stop__max_blocks=64))
    assert len(found.points) == 1 and found.spec["modulation"] == "qam16"


def test_targets_say_which_curve(run: Run) -> None:
    search = ["--code", "none", "--k", "16", "--modulation", "bpsk,qpsk", "--target-bler", "0.1"]
    found = json.loads(run("ber", *search, "--block-errors", "50", "--json")[1])["targets"]
    assert [target["code"] for target in found] == ["none,modulation=bpsk", "none,modulation=qpsk"]
    # BPSK leaves the imaginary axis empty: the same Eb/N0, half the bits a channel use.
    assert found[1]["esno_db"] - found[0]["esno_db"] == pytest.approx(3.01, abs=0.5)


def test_specs_that_are_no_product_are_refused() -> None:
    one, _, _, four = curves(code__name="none", code__k="16,32", modulation="bpsk,qpsk")
    with pytest.raises(InputError, match="got 2 of 2 codes with"):
        run_ber([one, four])


@pytest.mark.slow
def test_channels_of_one_run_are_read_back(tmp_path: Path) -> None:
    both = curves(code__k=32, code__n=64, channel="awgn,rician:k_db=6", stop__max_blocks=64)
    found = run_ber(both, tmp_path / "run")
    assert [point.engine for point in found.points] == ["compiled", "compiled"]
    assert found.spec["code"]["decoder"]["early_stop"]
    again = run_ber(read_curves(tmp_path / "run" / "spec.yaml"), tmp_path / "run")
    assert again.points == found.points
