"""The captioner of photographs: its beams against all sentences there are, and what it bars."""

from __future__ import annotations

from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semantic.networks.meaning import END, SIDE, MeaningCaptioner, looked_at

WORDS = range(3, 7)


@pytest.fixture(scope="module")
def network() -> MeaningCaptioner:
    torch.manual_seed(5)
    made = MeaningCaptioner(vocabulary=7, meaning=4, colours=(5,), sure=0.5, width=8, layers=1)
    with torch.no_grad():
        for parameter in made.language.parameters():
            parameter.mul_(4)
    return made.eval()


def score(network: MeaningCaptioner, meaning: torch.Tensor, sentence: tuple[int, ...], power: float) -> float:
    """Log-probability of a sentence and its end, over length to a power."""
    ids = torch.tensor([[END, *sentence, END]])
    with torch.no_grad():
        logs = network(meaning[None], ids[:, :-1])[0].log_softmax(dim=-1)
    total = sum(float(logs[place, piece]) for place, piece in enumerate(ids[0, 1:]))
    return total / (len(sentence) + 1) ** power


def every(longest: int, words: list[int]) -> list[tuple[int, ...]]:
    """All sentences without a piece twice in a row."""
    found = [each for length in range(1, longest + 1) for each in product(words, repeat=length)]
    return [each for each in found if all(a != b for a, b in pairwise(each))]


@pytest.mark.parametrize("sure", [False, True])
def test_beams_that_keep_all_find_the_best_sentence(network: MeaningCaptioner, sure: bool) -> None:
    meanings = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
    words = [word for word in WORDS if sure or word != 5]
    said = network.say(meanings, torch.full((3, 1), sure), beams=200, power=0.7, longest=4)
    for meaning, found in zip(meanings, said, strict=True):
        best = max(every(3, words), key=lambda sentence: score(network, meaning, sentence, 0.7))
        assert tuple(found) == best
    alone = [network.say(meaning[None], torch.full((1, 1), sure), beams=3) for meaning in meanings]
    assert [each for (each,) in alone] == network.say(meanings, torch.full((3, 1), sure), beams=3)


def test_a_picture_and_its_mirror_image_look_alike(network: MeaningCaptioner) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    seen = looked_at([Image.fromarray(pixels), Image.fromarray(pixels[:, ::-1])])
    assert seen.shape == (2, 3, SIDE, SIDE) and -1 <= seen.min() < seen.max() <= 1
    with torch.no_grad():
        one, other = network.features(seen)
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
    assert float(one.norm()) == pytest.approx(1, abs=1e-5)


def test_it_is_read_as_it_was_saved(network: MeaningCaptioner, tmp_path: Path) -> None:
    network.save_pretrained(tmp_path)
    again = MeaningCaptioner.from_pretrained(tmp_path)
    meaning, ids = torch.randn(2, 4), torch.tensor([[1, 3, 4], [1, 5, 6]])
    assert torch.equal(network(meaning, ids), again(meaning, ids))
    assert (again.sure, again.colours.tolist()) == (0.5, [5])
