"""``semphy send``: what arrived is written, with its account."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from benchmarks.cli.main import cli
from benchmarks.settings.compare import CompareSpec, built_of
from benchmarks.settings.errors import InputError
from benchmarks.systems.compare import run_compare
from bridge.systems.catalog import SEMANTIC


def run(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(cli, ["send", *arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    return json.loads(result.stdout)


def test_a_picture(tmp_path: Path) -> None:
    found = run(
        "--system", "jpeg-ldpc", "--image", "chelsea", "--snr", "6", "--cbr", "1/24", "--out", str(tmp_path)
    )
    assert found["channel_uses"] == 288 * 448 * 3 // 24
    assert found["failed"] is False
    assert set(found["papr_db"]) == {entry["payload"] for entry in found["ledger"]}
    assert all(abs(ratio) < 1e-3 for ratio in found["papr_db"].values())  # QPSK has one ring
    picture = np.asarray(Image.open(tmp_path / "arrived.png"))
    assert picture.shape == (288, 448, 3)
    assert json.loads((tmp_path / "arrived.json").read_text()) == found


def test_a_sentence_arrives_misspelt(tmp_path: Path) -> None:
    sentence = "A man in a red jacket rides a bicycle along the beach at sunset."
    found = run("--system", "text-uncoded", "--text", sentence, "--snr", "6", "--out", str(tmp_path))
    arrived = (tmp_path / "arrived.txt").read_text()
    assert arrived == found["text"]
    assert found["failed"] is True
    assert arrived != sentence
    assert sum(a == b for a, b in zip(arrived, sentence, strict=False)) > len(sentence) / 2
    (entry,) = found["ledger"]
    assert entry["source_bits"] == 8 * len(sentence)
    # 16 bits of CRC and 24 of header, none of it free: two bits a QPSK symbol
    assert found["channel_uses"] == (8 * len(sentence) + 24 + 16) / 2


@pytest.mark.slow
@pytest.mark.parametrize("system", [*SEMANTIC, "bpg-capacity", "webp-turbo"])
def test_every_system_of_compare_sends(system: str, tmp_path: Path) -> None:
    told = ["--image", "scenes:medium", "--snr", "15", "--cbr", "1/4", "--out", str(tmp_path)]
    found = run("--system", system, *told)
    assert 0 < found["channel_uses"] <= 64 * 64 * 3 // 4
    assert sum(entry["channel_uses"] for entry in found["ledger"]) == found["channel_uses"]
    (built,) = built_of(CompareSpec(systems=system, snr="15", schemes="1/2-qpsk"))
    files = {"image": "arrived.png", "text": "arrived.txt"}
    assert {file.name for file in tmp_path.iterdir()} == {
        "arrived.json",
        *(files[kind] for kind in built.system.delivers),
    }
    measured = {"image": {"psnr", "ssim", "scene"}, "text": {"bleu", "cer", "wer", "scene-text"}}
    assert set(found["metrics"]) == set.union(*(measured[kind] for kind in built.system.delivers))
    if "image" in built.system.delivers:
        assert np.asarray(Image.open(tmp_path / "arrived.png")).shape == (64, 64, 3)


def test_what_is_sent_is_what_compare_sends(tmp_path: Path) -> None:
    # The same system, settings and source; the noise is another, and too weak to matter here.
    told = [
        "--system",
        "webp-uncoded",
        "--image",
        "coffee",
        "--image-size",
        "64",
        "--snr",
        "40",
        "--cbr",
        "1/6",
    ]
    found = run(*told, "--set", "iterations=5", "--out", str(tmp_path))
    spec = CompareSpec(
        systems="webp-uncoded", snr="40", cbr="1/6", schemes="1-qpsk", image_size=64, metrics="psnr"
    )
    row = next(row for row in run_compare(spec).rows if {s.source for s in row.samples} >= {"coffee"})
    (sample,) = [sample for sample in row.samples if sample.source == "coffee"]
    assert found["metrics"]["psnr"] == pytest.approx(sample.metrics["psnr"], abs=1e-9)
    assert found["channel_uses"] == sample.channel_uses == 64 * 64 * 3 // 6


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--image", "chelsae", "--snr", "3"], "did you mean chelsea"),
        (["--image", "scenes:fog", "--snr", "3"], "scenes:fog"),
        (["--image", "chelsea", "--snr", "3:9:3"], "one SNR"),
        (["--image", "chelsea", "--snr", "3", "--cbr", "1/24,1/6"], "1/24,1/6"),
        (
            ["--text", "x", "--snr", "3", "--system", "multi-sc"],
            "multi-sc carries image, and the source is text",
        ),
        (["--image", "chelsea", "--snr", "3", "--system", "nonsuch.py:Mine"], "nonsuch.py"),
        (["--image", "chelsea", "--snr", "3", "--set", "options.multi-sc.parts=4"], "multi-sc"),
        (["--image", "nowhere.png", "--snr", "3"], "nowhere.png"),
        (["--snr", "3"], "--image"),
        (["--text", "x", "--snr", "loud"], "loud"),
        (["--text", "x", "--snr", "3", "--system", "bpg-ldpc"], "bpg-ldpc"),
        (["--image", "chelsea", "--snr", "3", "--scheme", "witt"], "witt"),
    ],
)
def test_wrong_input_is_named(arguments: list[str], words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        CliRunner().invoke(cli, ["send", *arguments, "--out", str(tmp_path)], catch_exceptions=False)
    assert not list(tmp_path.iterdir())
