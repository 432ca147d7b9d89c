"""Names from outside stay names: in figures, file names, tables, CSV, and where they are no UTF-8."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from benchmarks.runs.results import write_csv
from benchmarks.runs.store import Store
from benchmarks.runs.table import Column, LiveTable
from benchmarks.systems.plots import _file_names, plot_together
from bridge.systems.system import Source

Run = Callable[..., tuple[int, str, str]]


def test_sheets_of_pictures_that_differ_in_the_suffix_have_files_of_their_own() -> None:
    names = _file_names(
        ["a.bmp", "a.png", "b.png", "B.png", "<script>.png", "x/y.png", "-.png", "c c.png", "c-c.png"]
    )
    assert names["a.bmp"] == "a.bmp" and names["a.png"] == "a.png" and names["b.png"] == "b"
    assert len({name.casefold() for name in names.values()}) == len(names)
    assert all(name.replace(".", "").replace("-", "").isalnum() for name in names.values())


def test_cells_that_spreadsheets_would_compute_are_defused(tmp_path: Path) -> None:
    write_csv(
        tmp_path / "a.csv",
        [{"name": "=1+1", "value": -1.5, "none": None}, {"name": "@x", "value": 2, "none": "-"}],
    )
    rows = list(csv.reader((tmp_path / "a.csv").open()))
    assert rows == [["name", "value", "none"], ["'=1+1", "-1.5", ""], ["'@x", "2", "-"]]


@pytest.mark.parametrize("name", ["[/b]", "[red]x", "[link=http://x]", "a\\[b"])
def test_names_that_look_like_markup_are_shown(name: str) -> None:
    @dataclass
    class Row:
        name: str

    screen = StringIO()
    console = Console(file=screen, force_terminal=True, width=80)
    with LiveTable((Column[Row]("source", lambda row: row.name),), console) as table:
        table.update(1, Row(name), done=True)
        table.note(name)
    assert screen.getvalue().count(name) >= 2


def test_a_name_that_is_not_utf_8_is_readable() -> None:
    assert Source(os.fsdecode(b"caf\xe9.png")).name == "caf\\xe9.png"
    assert Source("caf\u00e9 [/b].png").name == "caf\u00e9 [/b].png"


@pytest.mark.slow
def test_a_comparison_of_strange_names(run: Run, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for index, name in enumerate((b"caf\xe9.png", b"[b]a.png", b"a$x$.bmp", b"a$x$.png", b"=1+1.png")):
        with open(os.fsencode(images) + b"/" + name, "wb") as file:  # noqa: PTH123
            Image.fromarray(np.full((32, 32, 3), 90 + index, np.uint8)).save(file, "png")
    out = str(tmp_path / "run")
    told = [
        "--images",
        str(images),
        "--snr",
        "12",
        "--cbr",
        "1/4",
        "--metrics",
        "psnr",
        "--schemes",
        "1/2-qpsk",
    ]
    assert run("compare", "--systems", "jpeg-uncoded", *told, "--keep", "5", "--out", out)[0] == 0
    status, files, err = run("plot", out)
    assert status == 0, err
    sheets = {Path(file).name for file in files.split() if "pictures-" in file and file.endswith("png")}
    assert len(sheets) == 5


@pytest.mark.parametrize("made", ["device", "pipe"])
def test_devices_and_pipes_are_one_line(made: str, run: Run, tmp_path: Path) -> None:
    place = "/dev/zero"
    if made == "pipe":
        place = str(tmp_path / "pipe")
        os.mkfifo(place)
    for arguments in (
        ["compare", "--systems", "text-uncoded", "--texts", place, "--snr", "3"],
        ["compare", "--systems", "bpg-ldpc", "--images", place, "--snr", "3"],
        ["compare", "--systems", "bpg-ldpc", "--captions", place, "--snr", "3"],
        ["captioners", "--models", "tiny-blip", "--images", place],
        ["send", "--image", place, "--snr", "3"],
        ["ber", "--config", place],
    ):
        status, out, err = run(*arguments)
        assert (status, out, len(err.splitlines())) == (2, "", 1), (arguments, err)
        assert place in err


def test_arguments_that_are_not_utf_8_and_huge_pictures_are_one_line(run: Run) -> None:
    for arguments, words in (
        (["plot", os.fsdecode(b"caf\xe9")], r"'caf\udce9' is not UTF-8"),
        (["compare", "--systems", "bpg-ldpc", "--image-size", "1000000", "--snr", "3"], "8192, got 1000000"),
        (["compare", "--systems", "text-ldpc", "--texts", "x" * 5000, "--snr", "3"], "File name too long"),
        (["ber", "--config", "x" * 5000], "neither a file nor a preset"),
    ):
        status, out, err = run(*arguments)
        assert (status, out, len(err.splitlines())) == (2, "", 1), err
        assert words in err


@pytest.mark.slow
def test_two_comparisons_share_a_figure(run: Run, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("one\ntwo\n")
    told: dict[str, list[str]] = {
        "first": ["--seed", "1"],
        "second": ["--seed", "2", "--channel", "rayleigh"],
    }
    for name, options in told.items():
        texts = ["--systems", "text-uncoded", "--texts", str(tmp_path / "words.txt"), "--snr", "3,12"]
        assert run("compare", *texts, *options, "--out", str(tmp_path / name))[0] == 0
    runs = [str(tmp_path / name) for name in told]
    status, files, _ = run("plot", *runs, "--out", str(tmp_path / "both"))
    assert status == 0
    svg = (tmp_path / "both" / "text-cer.svg").read_text()
    assert str(tmp_path / "both" / "text-cer.svg") in files.split()
    for words in ("text-uncoded[1-qpsk] (first)", "text-uncoded[1-qpsk] (second)", "awgn and rayleigh"):
        assert words in svg
    other = tmp_path / "other" / "first"
    assert run("compare", *texts, "--out", str(other))[0] == 0
    stores: list[Any] = [Store.read(tmp_path / "first"), Store.read(other)]
    try:
        plot_together(stores, tmp_path / "far", formats=("svg",))
    finally:
        for store in stores:
            store.close()
    assert f"({tmp_path.name}/first)" in (tmp_path / "far" / "text-cer.svg").read_text()
