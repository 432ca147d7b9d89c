"""Interpolated n-grams against the recursion written out, and what they save an arithmetic coder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from phy.source.text.arithmetic import Arithmetic
from phy.source.text.ngram import NGram
from phy.source.text.vocabulary import CodePoints, Vocabulary


def witten_bell(
    texts: Sequence[Sequence[int]], entries: int, history: tuple[int, ...], entry: int
) -> Fraction:
    """Method C by counting, exactly; histories as long as the tuple, -1 standing before a text."""
    longer = witten_bell(texts, entries, history[1:], entry) if history else Fraction(1, entries)
    followers = []
    for text in texts:
        padded = [-1] * len(history) + list(text)
        places = range(len(history), len(padded))
        followers += [padded[i] for i in places if tuple(padded[i - len(history) : i]) == history]
    if not followers:
        return longer
    kinds = len(set(followers))
    return Fraction(followers.count(entry) + 0, len(followers) + kinds) + longer * Fraction(
        kinds, len(followers) + kinds
    )


def test_probabilities_are_those_of_witten_and_bell() -> None:
    generator = np.random.default_rng(4)
    texts = [generator.integers(0, 3, generator.integers(1, 9)).tolist() for _ in range(12)]
    model = NGram(texts, entries=4, order=3)  # entry 3 never occurs
    for context in ([], [0], [1, 2], [2, 2, 0, 1], [3], [0, 3]):
        history = tuple(([-1, -1, *context])[-2:])
        expected = [float(witten_bell(texts, 4, history, entry)) for entry in range(4)]
        found = model(context)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        assert found.sum() == pytest.approx(1.0, abs=1e-12) and (found > 0).all()


def test_what_is_sent_costs_its_probability_and_comes_back() -> None:
    letters = Vocabulary(CodePoints(), [ord(letter) for letter in "abcdefghijklmnopqrstuvwxyz ."])
    known = [f"the {colour} {thing} runs." for colour in ("red", "blue") for thing in ("dog", "cat", "car")]
    texts = [[entry for entry, _ in letters.entries(text)] for text in known]
    model = NGram(texts, len(letters), order=6)
    coder = Arithmetic(model, letters, "mine")
    bits, count = coder.encode(known[2])
    ideal = -sum(math.log2(model(texts[2][:place])[entry]) for place, entry in enumerate(texts[2]))
    assert ideal < bits.numel() < ideal + 3
    assert coder.decode(bits, count) == (known[2], "")
    assert bits.numel() < Arithmetic(NGram([], len(letters), 1), letters).encode(known[2])[0].numel() / 3
    for strange in ("a purple zebra.", "", "Ü!"):
        bits, count = coder.encode(strange)
        assert coder.decode(bits, count)[0] == strange


@pytest.mark.parametrize(
    ("texts", "order", "words"), [([[0]], 0, "at least 1, got 0"), ([[0, 4]], 2, "0 to 3, got 0 to 4")]
)
def test_impossible_models_are_refused(texts: list[list[int]], order: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        NGram(texts, 4, order)
