"""The measurement of speed: what it says, and that the README's table is a run's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.settings.errors import InputError
from benchmarks.speed import startup
from benchmarks.speed.__main__ import main
from benchmarks.speed.measure import CASES, QUICK, Case, measure
from benchmarks.speed.readme import BEGIN, END, with_table

ENTRY = {
    "k": 512, "n": 1024, "modulation": "qam16", "ebno_db": 4.6, "schedule": "layered",
    "engine": "compiled 6-bit", "mbps": 41.2, "sionna_mbps": 0.078, "ratio": 528.4,
    "blocks": 8192, "block_errors": 74,
}  # fmt: skip


def test_cases_are_blocks_that_their_constellations_fill() -> None:
    for case in {*CASES, *QUICK}:
        assert case.n % case.bits_per_symbol == 0
        assert case.snr.to_ebn0(case.k * case.bits_per_symbol / case.n).db == pytest.approx(case.ebno_db)


@pytest.mark.slow
def test_a_measurement_counts_what_it_times() -> None:
    """A case at which a third of the blocks fail: rates are positive, ratios lie between their ends."""
    case = Case(64, 128, 1.0, "layered", iterations=4, llr_bits=6, modulation="qpsk")
    found = measure(case, repeats=2, batch=8, seconds=0.0)
    for entry in found.values():
        assert entry["ratio_low"] <= entry["ratio"] <= entry["ratio_high"]
        assert entry["mbps"] > entry["sionna_mbps"] > 0
        assert entry["bler"] == entry["block_errors"] / entry["blocks"]
        assert 0.05 < entry["bler"] < 0.9


def test_the_table_is_written_between_its_marks() -> None:
    silent = {**ENTRY, "block_errors": 0, "engine": "compiled float32"}
    text = with_table(f"a\n{BEGIN}\nold\n{END}\nb\n", {"decoder": [ENTRY, ENTRY], "chain": [ENTRY, silent]})
    assert text.startswith("a\n") and text.endswith("b\n") and "old" not in text
    table = text.split(BEGIN)[1].split(END)[0].strip().splitlines()
    assert len({line.count("|") for line in table}) == 1
    assert table[2].startswith("| (512, 1024) | qam16 | 4.6 dB | 9e-3 | layered | 6 | 41 | 0.078 | 528 |")
    assert "| 0 of 8,192 | layered | float32 |" in table[3]
    assert with_table(text, {"decoder": [ENTRY, ENTRY], "chain": [ENTRY, silent]}) == text


def test_starting_takes_the_time_that_it_works_and_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    working = "import time\nwhile time.process_time() < 0.3: pass"
    cases = {"working": ("-c", working), "waiting": ("-c", "import time; time.sleep(0.3)")}
    monkeypatch.setattr(startup, "CASES", cases)
    done = CliRunner().invoke(main, ["--startup", "--repeats", "1", "--json"])
    found = json.loads(done.output)["startup"]
    assert found.keys() == cases.keys()
    assert min(each["seconds"] for each in found.values()) >= 0.3
    assert found["working"]["cpu_seconds"] >= 0.3 > found["waiting"]["cpu_seconds"]


def test_a_document_without_marks_is_refused() -> None:
    with pytest.raises(InputError, match="stands between the lines"):
        with_table("nothing\n", {"decoder": [], "chain": []})


def test_the_readme_has_the_marks() -> None:
    text = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    assert BEGIN in with_table(text, {"decoder": [ENTRY], "chain": [ENTRY]})
