"""The corrector's evaluation: words by hand, controls on the same noise, BLEU against sacrebleu's own."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bridge.training.figures import Figure, Share
from bridge.training.texts.evaluation import Words, corrector_figures, drawn, words
from semantic.metrics.bleu import corpus_bleu
from semantic.models.correction import DictionaryCorrector, NoCorrection

WORDS = ["a", "two", "brown", "dogs", "child", "runs", "sits", "with", "on", "the", "beach", "red", "snow"]


def sentences(count: int) -> list[str]:
    rng = np.random.default_rng(2)
    return [" ".join(rng.choice(WORDS, rng.integers(4, 9))).capitalize() + "." for _ in range(count)]


def test_words_are_counted() -> None:
    # Wrong: dog, the, beach; mended: dog, beach. Right: a, runs, on.
    found = words("a dog runs on the beach", "a dxg runs on thebeach", "a dog runs on a beach")
    assert found == Words(wrong=3, right=3, mended=2, damaged=0)
    assert words("two cats", "two cats", "two bats") == Words(0, 2, 0, 1)
    assert words("", "", "x") == Words(0, 0, 0, 0)


def test_fewer_sentences_are_the_first_of_more() -> None:
    texts = sentences(50)
    assert drawn(texts, 5, 1) == drawn(texts, 20, 1)[:5]
    assert sorted(drawn(texts, 99, 1)) == sorted(texts)
    assert drawn(texts, 5, 1) != drawn(texts, 5, 2)


def share(figure: Figure) -> Share:
    assert isinstance(figure.measured, Share)
    return figure.measured


@pytest.mark.slow
def test_controls_meet_the_same_noise() -> None:
    texts = sentences(200)
    dictionary = DictionaryCorrector.from_texts(texts)
    none = {(f.name, f.at): f for f in corrector_figures(NoCorrection(), dictionary, texts, 7)}
    mends = {(f.name, f.at): f for f in corrector_figures(dictionary, dictionary, texts, 7)}
    assert {at for _, at in none} == {"cer=0.01", "cer=0.03", "cer=0.06"}
    count = sum(len(text.split()) for text in texts)
    letters = sum(map(len, texts)) / count
    for cer in (0.01, 0.03, 0.06):
        at = f"cer={cer:g}"
        left, mended = none["words-mended", at], mends["words-mended", at]
        damaged = share(none["words-damaged", at])
        assert (sum(share(left).right), sum(damaged.right)) == (0, 0)
        assert share(left).total == share(mended).total
        assert tuple(map(sum, zip(share(left).total, damaged.total, strict=True))) == tuple(
            len(text.split()) for text in texts
        )
        for figure in (left, mended):
            assert figure.baseline is not None
            assert figure.baseline.name == "dictionary"
            assert figure.baseline.measured == mended.measured
        assert mended.measured.value > 0.5
        # A word of so many characters, the space behind it included, is wrong if one of them is.
        wrong, expected = sum(share(left).total) / count, 1 - (1 - cer) ** letters
        assert abs(wrong - expected) < 4 * math.sqrt(expected / count) + 0.1 * expected
        assert none["bleu", at].measured.value == none["bleu-before", at].measured.value
        assert mends["bleu", at].measured.value > none["bleu", at].measured.value


def test_bleu_is_that_of_all_sentences_together() -> None:
    texts = sentences(40)

    class Forgets:
        name = "forgets"

        def correct(self, arrived: list[str]) -> list[str]:
            self.made = [text.rpartition(" ")[0] or text for text in texts]
            return self.made

    mender = Forgets()
    figure = next(f for f in corrector_figures(mender, NoCorrection(), texts, 1) if f.name == "bleu")  # type: ignore[arg-type]
    assert figure.measured.value == pytest.approx(corpus_bleu(texts, mender.made), rel=1e-12)
