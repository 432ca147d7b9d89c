"""What README says of all commands holds for each of them, and every command that it shows can be typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from benchmarks.cli.main import cli

Run = Callable[..., tuple[int, str, str]]
README = (Path(__file__).parents[3] / "README.md").read_text("utf-8")
COMMANDS = sorted(cli.commands)
RUNS = ("ber", "mcs", "compare", "reproduce")


def flags(name: str) -> set[str]:
    return {option for parameter in cli.commands[name].params for option in parameter.opts}


def shown() -> list[str]:
    """Commands in README's blocks and in its table, without what a shell would take off."""
    blocks = re.findall(r"^semphy [^\n]*", README, re.MULTILINE)
    table = re.findall(r"^\| `(semphy [^`]*)`", README, re.MULTILINE)
    return [line.replace("\\|", "|").partition("#")[0].strip() for line in (*blocks, *table)]


def test_the_claims_are_still_in_the_readme() -> None:
    text = " ".join(README.split())
    assert (
        "Every command takes `--json` (the result on standard output, everything else on standard error)"
        in text
    )
    assert "in one line with exit status 2" in text
    assert (
        "Commands that make a run (`ber`, `mcs`, `compare`, `reproduce`) take `--out RUN`, `--config FILE`"
        in text
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_json(name: str) -> None:
    assert "--json" in flags(name)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("wrong", [["--frobnicate"], ["--json=maybe"]])
def test_every_command_says_what_is_wrong_in_one_line(name: str, wrong: list[str], run: Run) -> None:
    status, out, err = run(name, *wrong)
    assert (status, out, len(err.splitlines())) == (2, "", 1), err
    assert err.startswith("semphy: ") and wrong[0].partition("=")[0] in err


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("list", "doctor", "cache")])
def test_every_command_that_needs_something_asks_for_it_in_one_line(
    name: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if name == "mcs":  # needs nothing
        status, out, err = run("mcs", "--schemes", "")
    elif name in ("reproduce", "train", "evaluate", "fetch"):
        status, out, err = run(name, "nonsuch")
        assert "'nonsuch'" in err
    else:
        status, out, err = run(name)
    assert (status, out, len(err.splitlines())) == (2, "", 1), err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", RUNS)
def test_commands_that_make_a_run_take_what_runs_take(name: str) -> None:
    assert {"--out", "--config", "--set", "--seed", "--workers"} <= flags(name)


@pytest.mark.parametrize("line", shown())
def test_every_command_of_the_readme_can_be_typed(line: str) -> None:
    for part in line.split("`, `"):  # two commands in one cell of the table
        _, name, *arguments = shlex.split(part.replace("[KIND]", "systems").replace("--steps N", "--steps 9"))
        try:
            cli.commands[name].make_context(name, arguments)  # reads the options, and runs nothing
        except click.UsageError as error:
            pytest.fail(f"{part}: {error.format_message()}")


def test_every_command_is_in_the_readme() -> None:
    told = {shlex.split(line)[1] for line in shown() if line.count("'") % 2 == 0}
    told |= set(re.findall(r"`semphy (\w+)", README))
    assert set(COMMANDS) <= told
