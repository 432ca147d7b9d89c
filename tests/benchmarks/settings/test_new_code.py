"""A new code is one entry: commands, specs and systems know it without another change."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from scipy.stats import binom

from benchmarks.cli.main import main
from phy.coding.catalog import CODES, Block, CodeKind
from phy.coding.code import Decoded


class Repetition:
    """Every bit as often as it goes into ``n``, the first ones once more; LLRs add."""

    def __init__(self, k: int, n: int) -> None:
        self.k, self.n = k, n
        self._index = torch.arange(n) % k

    @property
    def name(self) -> str:
        return f"repetition({self.k},{self.n})"

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        return bits[:, self._index]

    def decode(self, llr: torch.Tensor) -> Decoded:
        soft = torch.zeros(len(llr), self.k).index_add_(1, self._index, llr)
        return Decoded((soft > 0).to(torch.uint8), soft)


def build(block: Block) -> Repetition:
    return Repetition(*block.sizes)


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = CodeKind("toy", build, decoders=("majority",), k=100, expansion=4, highest_rate=0.5)
    monkeypatch.setitem(CODES, "toy", kind)


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--json"])
    said = capsys.readouterr()
    assert ended.value.code == 0, said.err
    return json.loads(said.out)


def test_list_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "list")
    assert "toy" in found["codes"] and found["decoders of toy"] == ["majority"]
    assert "bpg-toy" in found["systems"] and "text-toy" in found["systems"]


def test_ber_simulates_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Four times Es/N0 = -2 dB: 40,000 bits, each wrong with probability Q(sqrt(8 Es/N0))."""
    ber = ("ber", "--code", "toy,none", "--esno", "-2", "--max-blocks", "400", "--block-errors", "400")
    toy, none = answer(capsys, *ber)["points"]
    assert (toy["code"], none["code"]) == ("toy", "none")
    assert (toy["bits"], toy["engine"], none["bits"]) == (40_000, "sionna", 400 * 1024)
    expected = 0.5 * math.erfc(math.sqrt(4 * 10**-0.2))
    low, high = binom.interval(0.99, 40_000, expected)
    assert low <= toy["bit_errors"] <= high


def test_compare_carries_pictures_and_texts_over_it(capsys: pytest.CaptureFixture[str]) -> None:
    settings = ("--image-size", "64", "--max-sources", "1", "--snr", "9", "--cbr", "1/6", "--metrics", "psnr")
    found = answer(capsys, "compare", "--systems", "bpg-toy,text-toy", "--schemes", "1/4-qpsk", *settings)
    assert {row["family"] for row in found["rows"]} == {"bpg-toy", "text-toy"}
    assert all(row["errors"] == 0 and row["failure_rate"] == 0 for row in found["rows"])


def test_what_it_does_not_take_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in (
        (("ber", "--code", "toy", "--esno", "0", "--decoder", "minsum"), "the decoder of toy is majority"),
        (("ber", "--code", "toy", "--esno", "0", "--schedule", "layered"), "only LDPC codes take schedule"),
        (("ber", "--code", "toy", "--esno", "0", "--engine", "compiled"), "does not cover code toy"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        assert ended.value.code == 2
        assert words in capsys.readouterr().err
