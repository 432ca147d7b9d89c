"""Which rows of a comparison meet the same noise: those of one source, trial, SNR and seed alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.settings.compare import CompareSpec
from benchmarks.systems.compare import run_compare

SENTENCE, OTHER = "a" * 300, "b" * 300
Errors = dict[tuple[str, float, str, int], tuple[int, ...]]


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    file = tmp_path / "texts.txt"
    file.write_text(f"{SENTENCE}\n{OTHER}\n")
    return file


def errors(texts: Path, **given: Any) -> Errors:
    """Which bits of which characters are wrong, by system, SNR, source and trial."""
    named = {
        "systems": ["text-uncoded"],  # without a code, a wrong bit says where the noise was large
        "snr": [6.99, 7.0],
        "texts": str(texts),
        "trials": 2,
        "text_metrics": ["cer"],
        **given,
    }
    return {
        (row.system, row.snr_db, sample.source, sample.trial): tuple(
            ord(character) for character in sample.arrived or ""
        )
        for row in run_compare(CompareSpec.model_validate(named)).rows
        for sample in row.samples
    }


def test_no_two_rows_share_their_noise(texts: Path) -> None:
    """Eight realisations are met, and no two of them are alike.

    Where two SNRs, 0.01 dB apart, met the same draws, nearly the same bits would be wrong.
    """
    found = errors(texts)
    assert len(found) == 2 * 2 * 2
    own = {tuple(place): arrived for (_, *place), arrived in found.items()}
    letters = {"sentence-1": ord("a"), "sentence-2": ord("b")}
    wrong = {
        place: {(i, got ^ letters[place[1]]) for i, got in enumerate(arrived) if got != letters[place[1]]}
        for place, arrived in own.items()
    }
    # Of 300 characters of 8 bits, each wrong with Q(sqrt(10^0.7)) = 1.3 %: 29 +- 5 characters
    assert all(12 < len(each) < 50 for each in wrong.values())
    places = list(wrong.values())
    for n, one in enumerate(places):
        for another in places[n + 1 :]:
            characters = {i for i, _ in one}
            both = sum(i in characters for i, _ in another)
            assert both < 12  # 3 +- 2 by chance


def test_another_seed_is_another_channel(texts: Path) -> None:
    given: dict[str, Any] = {"systems": ["text-uncoded"], "snr": [7.0]}
    first, again, other = (errors(texts, **given, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.keys() == other.keys()
    assert all(first[place] != other[place] for place in first)
