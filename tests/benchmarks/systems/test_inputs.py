"""What a comparison is given: folders of pictures, texts of other scripts, grids; what it says of them."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.settings.compare import CompareSpec
from benchmarks.settings.errors import InputError
from benchmarks.systems.sources import load_sources

Run = Callable[..., tuple[int, str, str]]


def folder_of(path: Path, count: int, side: int) -> Path:
    for number in range(count):
        pixels = np.full((side, side, 3), number, np.uint8)
        pixels[0, 0] = 255
        Image.fromarray(pixels).save(path / f"{number:03}.bmp")
    return path


def rows_of(run: Run, *arguments: str) -> tuple[list[dict[str, Any]], str]:
    status, out, err = run("compare", *arguments, "--json")
    assert status == 0, err
    return json.loads(out)["rows"], err


@pytest.mark.slow
@pytest.mark.parametrize("captioned", [False, True])
def test_a_folder_of_pictures_takes_the_memory_of_one(captioned: bool, tmp_path: Path) -> None:
    """40 pictures of 0.75 MB are listed in less than ten of them would take, and come back when asked for."""
    images = folder_of(tmp_path, 40, 500)
    (images / "c.csv").write_text("image,caption\n" + "".join(f"{n:03}.bmp,picture {n}\n" for n in range(40)))
    captions = "auto" if captioned else None
    spec = CompareSpec(systems="bpg-ldpc", snr=0, images=str(images), captions=captions)
    tracemalloc.start()
    found = load_sources(spec, {"image"}).sources
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 40 and peak < 10 * 500 * 500 * 3
    for number in (0, 39):
        source = found[number].load()
        assert (source.picture[1:] == number).all() and source.digest == found[number].digest
        assert source.captions == ((f"picture {number}",) if captioned else ())
        assert found[number].known.image is None and found[number].size == (500, 500)


LISTING = """
import re, sys
from pathlib import Path
from benchmarks.settings.compare import CompareSpec
from benchmarks.systems import compare
from benchmarks.systems.evaluate import listed

class Table:
    def update(self, *arguments, **options): pass

class Rows:
    folder = None
    def items(self, condition): return set()

for folder in sys.argv[1:]:
    spec = CompareSpec(systems="bpg-ldpc,webp-ldpc,jpeg-ldpc", snr="-6:18:3", cbr="1/6", images=folder)
    found = listed(spec, None).sources
    conditions = compare._conditions(spec)
    wanted = compare._wanted(spec, found, conditions)
    tasks = sum(1 for _ in compare._tasks(spec, Rows(), found, conditions, Table()))
    print(tasks, re.findall(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[0])
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read on Linux")
def test_seventeen_thousand_pictures_take_100_mb_more_than_ten(tmp_path: Path) -> None:
    """As many as VOC2012 has, until the first of them is sent, at the peaks of one process."""
    rng, folders = np.random.default_rng(1), [tmp_path / "few", tmp_path / "many"]
    for folder, count in zip(folders, (10, 17_125), strict=True):
        folder.mkdir()
        for number, pixels in enumerate(rng.integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)):
            Image.fromarray(pixels).save(folder / f"2008_{number:06}.bmp")
    command = [sys.executable, "-c", LISTING, *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (few, before), (many, behind) = (map(int, line.split()) for line in done.stdout.splitlines())
    assert (few, many) == (10, 17_125)
    assert behind - before < 100_000  # kB


def test_only_as_many_pictures_are_read_as_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, read = folder_of(tmp_path, 5, 32), []
    from benchmarks.systems import sources

    original = sources.read_picture
    monkeypatch.setattr(sources, "read_picture", lambda path: read.append(path.name) or original(path))
    spec = CompareSpec(systems="bpg-ldpc", snr=0, images=str(images), max_sources=2)
    assert len(load_sources(spec, {"image"}).sources) == 2
    assert read == ["000.bmp", "001.bmp"]


def test_a_picture_that_changes_meanwhile_is_named(tmp_path: Path) -> None:
    spec = CompareSpec(systems="bpg-ldpc", snr=0, images=str(folder_of(tmp_path, 2, 32)))
    first, second = load_sources(spec, {"image"}).sources
    Image.new("RGB", (32, 32)).save(tmp_path / "000.bmp")
    (tmp_path / "001.bmp").write_bytes(b"")
    with pytest.raises(InputError, match=r"000\.bmp has changed since the run began"):
        first.load()
    with pytest.raises(InputError, match=r"001\.bmp could be read before"):
        second.load()


CHINESE = "一只棕色的狗在沙滩上奔跑\n两个孩子在踢足球\n"


def test_chinese_texts_are_counted_by_characters(run: Run, tmp_path: Path) -> None:
    """Without a code one character in twenty is wrong at 9 dB, and BLEU by words is 0 or 1."""
    (tmp_path / "zh.txt").write_text(CHINESE, encoding="utf-8")
    shared = ("--systems", "text-uncoded", "--texts", str(tmp_path / "zh.txt"), "--snr", "9", "--trials", "4")
    plain, said = rows_of(run, *shared)
    cut, quiet = rows_of(run, *shared, "--bleu-tokenize", "zh", "--text-metrics", "bleu,cer")
    assert "'一只棕色的狗在沙滩上奔跑' has no blanks between words" in said and "--bleu-tokenize zh" in said
    assert "blanks" not in quiet
    by_words, by_characters = plain[0]["metrics"]["bleu"]["mean"], cut[0]["metrics"]["bleu:zh"]["mean"]
    assert (8 * by_words).is_integer() and by_words + 0.1 < by_characters < 1
    assert plain[0]["metrics"]["cer"] == cut[0]["metrics"]["cer"]


def test_grids_of_tokens_are_vectors_by_an_option(run: Run, tmp_path: Path) -> None:
    grid = np.random.default_rng(1).standard_normal((2, 6, 8)).astype(np.float32)
    np.save(tmp_path / "grid.npy", grid)
    shared = ("--payload", "embedding", "--carriage", "analog", "--snr", "9", "--embeddings")
    status, _, err = run("compare", *shared, str(tmp_path / "grid.npy"))
    assert status == 2 and "give --flatten to send 2 vectors of 48 numbers" in err
    rows, _ = rows_of(run, *shared, str(tmp_path / "grid.npy"), "--flatten")
    assert (rows[0]["images"], rows[0]["channel_uses"]) == (2, 140 + 24)


def test_zero_forcing_over_fading_is_said_once(run: Run) -> None:
    shared = ("--payload", "embedding", "--snr", "9", "--channel", "rayleigh", "--max-sources", "2")
    _, said = rows_of(run, *shared, "--carriage", "analog:zf,analog")
    assert said.count("zero forcing") == 1 and "analog:zf over rayleigh" in said
    _, quiet = rows_of(run, *shared, "--carriage", "analog")
    assert "zero forcing" not in quiet


def test_one_sentence_that_is_too_long_is_refused_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("x" * 70_000 + "\nA dog runs.\nA cat sits.\n")
    status, out, err = run(
        *(
            "compare",
            "--payload",
            "text",
            "--carriage",
            "digital:arithmetic:1/2-qpsk",
            "--snr",
            "9",
            "--json",
        ),
        *("--texts", str(tmp_path / "texts.txt")),
    )
    (row,) = json.loads(out)["rows"]
    assert (status, row["images"], row["failures"], row["errors"]) == (1, 2, 0, 1)
    assert "at most 65535 characters, got 70000" in err
