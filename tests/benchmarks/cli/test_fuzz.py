"""Random command lines and settings over all commands: each ends, with status 2 and one line if not with 0.

What would take long is replaced by a refusal where it begins, so that all reading and checking is real.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, NoReturn

import click
import pytest

from benchmarks.cli.main import cli
from benchmarks.settings.errors import InputError
from benchmarks.settings.reading import read_curves, read_settings

Run = Callable[..., tuple[int, str, str]]
EXAMPLES = 10
SECONDS = 60  # for one command: what takes longer hangs

WORDS = (
    *(
        "",
        " ",
        "0",
        "1",
        "-1",
        "2.5",
        "1e9",
        "1e400",
        "nan",
        "inf",
        "-inf",
        "0x10",
        "9" * 30,
        "1/0",
        "1/24",
        "0:1:0",
    ),
    *(
        "0:3:1",
        "3:0:1",
        "1,,2",
        ",",
        ":",
        "=",
        "a=b",
        "code.k=8",
        "snr=[",
        "seed: 1",
        "{",
        "[/b]",
        "$x$",
        "%s",
        "\t",
    ),
    *(
        "*",
        "&a",
        "no",
        "none",
        "null",
        "true",
        "é",
        "\u202e",
        "x" * 300,
        "a/" * 2000,
        "..",
        "/",
        "/dev/null",
        "~nobody",
    ),
    *(
        "qpsk",
        "qam16",
        "awgn",
        "rayleigh:coherence=0",
        "rician:k_db=x",
        "tdl-z",
        "ldpc5g",
        "alist:",
        "qc:/dev/null",
    ),
    *(
        "matrix:nothing.npy,puncture=9",
        "conv,conv",
        "minsum",
        "ir:4",
        "chase:99",
        "16",
        "24A",
        "bpg-ldpc",
        "text-ldpc",
    ),
    *(
        "multi-sc",
        "x.py:y",
        "sample",
        "scenes",
        "scenes:no",
        "tiny",
        "hub",
        "jscc=",
        "tiny,jscc=/dev/null",
        "cpu",
        "tpu",
    ),
    *(
        "psnr",
        "psnr,fog",
        "bleu",
        "mean",
        "text",
        "analog",
        "digital:",
        "digital:huffman:1/2-qpsk",
        "analog:repeat=x",
    ),
    *(
        "1/2-qpsk",
        "2/1-qpsk",
        "1-",
        "nr",
        "witt,nr",
        "@",
        "models:",
        "kodak24x",
        "multi-sc,vlf-msc",
        "FILE.py:NAME",
    ),
)


@contextmanager
def bounded(what: object) -> Iterator[None]:
    """Raise where something goes on for ever."""

    def late(number: int, frame: object) -> NoReturn:
        raise TimeoutError(f"{what} is still at it after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def refuse(*given: Any, **named: Any) -> NoReturn:
    raise InputError("this would work")


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Nothing long runs, and the working directory has an odd file and an odd folder in it."""
    for place in (
        "benchmarks.links.ber.run",
        "benchmarks.systems.compare.run",
        "benchmarks.systems.send.encode_by",
        "benchmarks.papers.table1.run_captioners",
        "benchmarks.machine.training.train_model",
        "benchmarks.machine.evaluation.evaluate_model",
        "benchmarks.machine.fetching.bring",
    ):
        monkeypatch.setattr(place, refuse)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.yaml").write_text("a: [1, {b: c}]\n\x85")
    (tmp_path / "odd").mkdir()
    return tmp_path


def typed(command: click.Command, random: Random) -> list[str]:
    """A command line of options that exist, with words that may not."""
    line: list[str] = []
    options = [each for each in command.params if isinstance(each, click.Option)]
    for option in random.sample(options, min(len(options), random.choice((0, 1, 1, 2, 3, 5)))):
        name = random.choice(option.opts)
        line += [name] if option.is_flag else [name, random.choice((*WORDS, "odd", "odd.yaml"))]
    for _ in range(random.choice((0, 1, 1, 2))):
        line.insert(random.randint(0, len(line)), random.choice(WORDS))
    for argument in command.params:
        if isinstance(argument, click.Argument):
            line += [random.choice((*WORDS, "odd")) for _ in range(2 if argument.nargs == -1 else 1)]
    return line


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in cli.commands if name not in ("doctor", "cache")])
def test_a_random_command_line_ends_in_order(name: str, run: Run, idle: Path) -> None:
    random = Random(name)
    for _ in range(EXAMPLES):
        line = typed(cli.commands[name], random)
        with bounded(line):
            status, out, err = run(name, *line)
        assert status in (0, 2), (line, err)
        if status == 2:
            said = [each for each in err.splitlines() if not each.startswith("# ")]
            assert (out, len(said)) == ("", 1), (line, out, err)


def tree(random: Random, depth: int = 3) -> Any:
    """A value that a YAML file may hold."""
    leaves = (None, True, False, 0, 1, -1, 2**70, 0.5, 1e300, *WORDS)
    if not depth or random.random() < 0.6:
        return random.choice(leaves)
    if random.random() < 0.5:
        return [tree(random, depth - 1) for _ in range(random.randint(0, 3))]
    return {random.choice((*WORDS, 1, None)): tree(random, depth - 1) for _ in range(random.randint(0, 3))}


def test_random_settings_are_taken_or_refused_in_one_line() -> None:
    from benchmarks.settings.captioners import CaptionersSpec
    from benchmarks.settings.compare import CompareSpec
    from benchmarks.settings.mcs import McsSpec

    random = Random(1)
    link = (
        "code",
        "code.k",
        "code.n",
        "code.name",
        "code.decoder",
        "modulation",
        "channel",
        "snr",
        "stop",
        "rv",
    )
    readers: list[tuple[Any, Any, dict[str, Any]]] = [
        (None, link, {"snr": "1"}),
        (McsSpec, McsSpec.model_fields, {}),
        (CaptionersSpec, CaptionersSpec.model_fields, {"models": "x", "images": "y"}),
        (CompareSpec, CompareSpec.model_fields, {"systems": "text-uncoded", "snr": "1"}),
    ]
    taken = 0
    for model, fields, needed in readers:
        for _ in range(60):
            flags = needed | {
                name: tree(random) for name in random.sample(list(fields), random.choice((1, 1, 2)))
            }
            try:
                with bounded(flags):
                    _ = read_settings(model, flags=flags) if model else read_curves(flags=flags)
                taken += 1
            except InputError as error:
                assert len(str(error).splitlines()) == 1 and len(str(error)) < 3000, (flags, error)
    assert 0 < taken < 240
