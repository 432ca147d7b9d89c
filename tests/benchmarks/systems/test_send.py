"""``semphy send``: what arrived is written, with its account."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from benchmarks.cli.main import cli
from benchmarks.settings.errors import InputError


def run(*arguments: str) -> dict[str, object]:
    result = CliRunner().invoke(cli, ["send", *arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    return json.loads(result.stdout)


def test_a_picture(tmp_path: Path) -> None:
    found = run(
        "--system", "jpeg-ldpc", "--image", "chelsea", "--snr", "6", "--cbr", "1/24", "--out", str(tmp_path)
    )
    assert found["channel_uses"] == 288 * 448 * 3 // 24
    assert found["failed"] is False
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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
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
