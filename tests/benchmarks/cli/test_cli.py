"""The command line: quick help, one line for every mistake, JSON as promised."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli.main import cli

POINT = {
    "code",
    *("esno_db", "ebno_db", "blocks", "block_errors", "bits", "bit_errors", "ber", "ber_low", "ber_high"),
    *(
        "bler",
        "bler_low",
        "bler_high",
        "transmissions",
        "transmissions_low",
        "transmissions_high",
        "throughput",
        "throughput_low",
        "throughput_high",
        "engine",
        "info_bits_per_second",
        "seconds",
        "stop",
    ),
}
SMALL = ["--code", "none", "--k", "16", "--max-blocks", "64"]

Run = Callable[..., tuple[int, str, str]]


def test_help_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'sionna', 'numpy', 'scipy', 'matplotlib', 'pydantic', 'rich'}"
    asked = [["--help"], *([name, "--help"] for name in cli.commands)]
    script = (
        "import sys; from benchmarks.cli.main import cli\n"
        f"for arguments in {asked!r}: cli.main(arguments, prog_name='semphy', standalone_mode=False)\n"
        f"sys.exit(' '.join({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr.split() == []
    assert done.stdout.count("Usage: semphy") == len(asked)


def test_json_is_what_was_promised(run: Run) -> None:
    status, out, err = run("ber", *SMALL, "--ebno", "0:2:2", "--json")
    assert status == 0
    result: dict[str, Any] = json.loads(out)
    assert set(result) == {"spec", "versions", "points"}
    assert [set(point) for point in result["points"]] == [POINT, POINT]
    assert result["spec"]["snr"] == {"kind": "ebno", "values_db": [0.0, 2.0]}
    assert result["spec"]["stop"]["max_blocks"] == 64
    assert result["versions"]["sionna"]
    assert "max-blocks" in err  # the table is on standard error


def test_table_splits_at_white_space(run: Run) -> None:
    status, out, _ = run("ber", *SMALL, "--esno", "0,30")
    heading, *rows = out.splitlines()
    assert status == 0
    assert heading.startswith("#")
    names = heading[1:].split()
    table = [dict(zip(names, row.split(), strict=True)) for row in rows]
    assert [row["Es/N0"] for row in table] == ["0.000", "30.000"]
    assert table[1]["BLER"] == "0"
    assert float(table[1]["BLER_high"]) > 0


def test_configuration_file_and_overrides(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        "code: {name: none, k: 16}\nsnr: {kind: ebno, values_db: 0:4:2}\nstop: {max_blocks: 1e2}\n"
    )
    _, out, _ = run("ber", "--config", str(file), "--set", "code.k=32", "--max-blocks", "3", "--json")
    result = json.loads(out)
    assert [point["bits"] for point in result["points"]] == [96, 96, 96]


@pytest.mark.slow
def test_run_directory_and_figures(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert run("ber", *SMALL, "--ebno", "0,40", "--out", str(out))[0] == 0
    assert {path.name for path in out.iterdir()} == {"spec.yaml", "results.sqlite", "curves.csv"}
    assert run("ber", "--config", str(out / "spec.yaml"), "--out", str(out))[0] == 0
    status, text, _ = run("plot", str(out), "--json")
    files = [Path(name) for name in json.loads(text)["files"]]
    assert status == 0
    assert [path.suffix for path in files] == [".png", ".svg", ".pdf"]
    assert all(path.parent == out / "figures" and path.stat().st_size > 1000 for path in files)


@pytest.mark.slow
def test_every_command_opens_its_run_once_and_closes_it(
    run: Run, tmp_path: Path, connections: list[Any]
) -> None:
    ber, mcs, compare = (str(tmp_path / name) for name in ("ber", "mcs", "compare"))
    system = ["--texts", str(tmp_path / "words.txt"), "--systems", "text-uncoded,text-ldpc", "--snr", "0,9"]
    (tmp_path / "words.txt").write_text("one\ntwo\n")
    for arguments in (
        ["ber", *SMALL, "--ebno", "0,4", "--out", ber],
        ["mcs", "--schemes", "1/2-qpsk", "--block-bits", "64", "--block-errors", "20", "--out", mcs],
        ["compare", *system, "--out", compare],
        ["plot", ber],
        ["plot", compare],
        ["crossing", compare, "text-ldpc[1/2-qpsk]", "text-uncoded[1-qpsk]", "--metric", "cer"],
    ):
        connections.clear()
        status, _, err = run(*arguments)
        assert (status, [each.closed for each in connections]) == (0, [True]), (arguments, err)
    connections.clear()
    assert run("plot", ber, mcs, "--out", str(tmp_path / "both"))[0] == 0
    assert [each.closed for each in connections] == [True] * 2
    for wrong in (["plot", ber, compare], ["ber", *SMALL, "--ebno", "1", "--out", compare]):
        assert run(*wrong)[0] == 2
        assert all(each.closed for each in connections)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--k", "1024", "--n", "512", "--ebno", "1"], "rate"),
        (["--k", "512", "--n", "514", "--ebno", "1"], "514"),
        (["--ebno", "high"], "'high'"),
        (["--ebno", "nan"], "'nan'"),
        (["--ebno", "1", "--esno", "1"], "--esno"),
        (["--ebno", "1e6"], "300 dB, got 1e+06"),
        (["--ebno=-1e6"], "300 dB, got -1e+06"),
        (["--esno", "0:1e300:1e299", "--code", "none"], "300 dB"),
        (["--k", "0", "--ebno", "1"], "code.k"),
        (["--k=-5", "--ebno", "1"], "got '-5'"),
        (["--n", "0", "--ebno", "1"], "code.n"),
        (["--code", "conv", "--n", "0", "--ebno", "1"], "code.n"),
        ([], "--ebno"),
        (["--ebno", "1", "--modulation", "qam5"], "qam5"),
        (["--ebno", "1", "--channel", "fog"], "fog"),
        (["--ebno", "1", "--decoder", "magic"], "magic"),
        (["--ebno", "1", "--code", "turbo", "--engine", "compiled"], "compiled"),
        (["--ebno", "1", "--llr-bits", "6"], "llr_bits"),
        (["--ebno", "1", "--workers", "0"], "--workers"),
        (["--ebno", "1", "--max-blocks", "few"], "few"),
        (["--ebno", "1", "--config", "missing.yaml"], "missing.yaml"),
        (["--ebno", "1", "--out", "/proc/nowhere"], "/proc/nowhere"),
        (["--ebno", "1", "--frobnicate"], "--frobnicate"),
    ],
)
def test_mistakes_are_one_line_and_status_2(run: Run, arguments: list[str], word: str) -> None:
    status, out, err = run("ber", *arguments)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1, err
    assert word in err
    assert "Traceback" not in err


def test_plot_of_nothing(run: Run, tmp_path: Path) -> None:
    status, _, err = run("plot", str(tmp_path / "nothing"))
    assert status == 2
    assert len(err.splitlines()) == 1


def test_doctor_and_list(run: Run) -> None:
    _, out, _ = run("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(out)["checks"]}
    assert checks["torch"]["works"]
    assert all(check["works"] or check["cure"] for check in checks.values())
    status, out, _ = run("list", "--json")
    found = json.loads(out)
    assert status == 0
    assert "ldpc5g" in found["codes"]
    assert "bpg-ldpc" in found["systems"]
    assert {"psnr", "bleu"} <= set(found["metrics"])


def test_listed_names_exist(run: Run) -> None:
    from phy.channels.names import parse_channel
    from phy.modulation import Modulation

    found = json.loads(run("list", "--json")[1])
    assert all(Modulation(name).name == name for name in found["modulations"])
    assert all(parse_channel(name).name for name in found["channels"])
