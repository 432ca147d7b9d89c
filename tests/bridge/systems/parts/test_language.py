"""Texts by a language model that both ends have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bridge.systems.context import text_coder
from bridge.systems.parts.language import language_coder
from semantic.samples.pictures import sample_sentences
from semantic.scenes.captions import describe
from semantic.scenes.scene import sample_scene


@pytest.mark.slow
def test_a_scenes_description_takes_hardly_more_bits_than_it_has() -> None:
    """Medium scenes are one or two objects of 64 kinds and 2 sizes in 9 places before 6 backgrounds."""
    coder = text_coder("ngram:scenes:medium")
    texts = [describe(sample_scene([1, number], "medium")) for number in range(60)]
    lengths = []
    for text in texts:
        bits, count = coder.encode(text)
        assert coder.decode(bits, count) == (text, "")
        lengths.append(bits.numel())
    one, two = np.log2(2 * 9 * 128 * 6), np.log2(2 * 36 * 128**2 * 6)
    facts = np.mean([two if " and " in text else one for text in texts])
    assert facts < np.mean(lengths) < facts + 3.5
    bits, count = coder.encode("A photograph of a dog, which no scene has.")
    assert coder.decode(bits, count)[0] == "A photograph of a dog, which no scene has."


def test_sentences_of_a_file_teach_it(tmp_path: Path) -> None:
    sentences = sample_sentences()
    (tmp_path / "known.txt").write_text("\n".join(sentences[:-1]))
    learned = language_coder(str(tmp_path / "known.txt"))
    assert learned.name == f"ngram:{tmp_path / 'known.txt'}"
    plain = text_coder("tokens")
    for text, share in ((sentences[3], 0.5), (sentences[-1], 1.3)):  # known, and new to it
        bits, count = learned.encode(text)
        assert learned.decode(bits, count) == (text, "")
        assert bits.numel() < share * plain.encode(text)[0].numel()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ngram:scenes:odd", "of the level easy, medium, hard, got 'odd'"),
        ("ngram:nowhere.txt", "nowhere.txt"),
    ],
)
def test_what_it_could_not_learn_from_is_named(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        text_coder(name)
