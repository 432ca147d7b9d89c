"""Text metrics against the formulas written out by hand, and against damaged text."""

from __future__ import annotations

import importlib.util
import math
import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from semantic.metrics.bleu import TOKENIZERS, bleu, bleu_counts, bleu_n, corpus_bleu, pooled_bleu
from semantic.metrics.catalog import describe, measure, network
from semantic.metrics.text import character_error_rate, chrf, word_error_rate

DAMAGED = [
    "\x00",
    "a\x00dog",
    "\ufffd\ufffd runs",
    "\ud800\udfff lone surrogates \udcff",
    "tabs\tand\x1cseparators\x85here",
    "\x1b[31mred\x7f",
    "\u202eright to left",
    "\U0001f642\u200d\U0001f469",
    "<skipped>",
    "&quot;&amp;",
    "-\n",
    "\u200b",
    "." * 2000,
]
PAIR_METRICS = [bleu, lambda r, h: bleu_n(r, h, 2), chrf, character_error_rate, word_error_rate]


def sentences(count: int) -> list[tuple[str, str]]:
    """Pairs of word sequences from a small vocabulary, so that n-grams meet; lengths differ both ways."""
    source = random.Random(5)
    vocabulary = ["dog", "cat", "runs", "sits", "on", "grass", "red"]
    pairs = []
    for _ in range(count):
        words = source.choices(vocabulary, k=source.randint(5, 12))
        heard = [word if source.random() < 0.75 else source.choice(vocabulary) for word in words]
        cut = source.randint(4, len(heard))
        pairs.append(
            (" ".join(words), " ".join(heard[:cut] + source.choices(vocabulary, k=source.randint(0, 2))))
        )
    return pairs


def clipped(reference: Sequence[str], hypothesis: Sequence[str], n: int) -> tuple[int, int]:
    """Clipped matches and number of the n-grams."""
    grams = [Counter(tuple(w[i : i + n]) for i in range(len(w) - n + 1)) for w in (reference, hypothesis)]
    return sum((grams[0] & grams[1]).values()), sum(grams[1].values())


def formula(pairs: Sequence[tuple[str, str]], n: int, smooth: bool = False) -> float:
    """BLEU by its definition: pooled clipped precisions, uniform weights, brevity penalty."""
    split = [(r.split(), h.split()) for r, h in pairs]
    length_r, length_h = sum(len(r) for r, _ in split), sum(len(h) for _, h in split)
    logs, misses = 0.0, 0
    for order in range(1, n + 1):
        counts = [clipped(r, h, order) for r, h in split]
        matches, total = sum(c[0] for c in counts), sum(c[1] for c in counts)
        if matches == 0:
            if not smooth:
                return 0.0
            misses += 1
        logs += math.log((matches or 2.0**-misses) / total) / n
    return math.exp(min(1 - length_r / length_h, 0) + logs)


def levenshtein(a: Sequence[str], b: Sequence[str]) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]


def test_bleu_n_is_the_formula_without_smoothing() -> None:
    pairs = sentences(150)
    for n in (1, 2, 3, 4):
        expected = [formula([pair], n) for pair in pairs]
        assert [bleu_n(r, h, n) for r, h in pairs] == pytest.approx(expected)
    assert 0.0 in expected
    assert max(expected) == 1.0


def test_bleu_n_by_hand() -> None:
    reference = "the cat sat on the mat"
    assert bleu_n(reference, "the the the the the the", 1) == pytest.approx(2 / 6)  # clipping
    assert bleu_n(reference, "the cat sat", 1) == pytest.approx(math.exp(1 - 6 / 3))  # brevity
    assert bleu_n(reference, "the cat sat", 2) == pytest.approx(math.exp(1 - 6 / 3))
    assert bleu_n(reference, reference + " today", 1) == pytest.approx(6 / 7)  # no penalty for length
    assert bleu_n(reference, "mat the on sat cat the", 2) == 0.0


def test_sentence_bleu_halves_a_match_for_each_order_without_one() -> None:
    pairs = [pair for pair in sentences(150) if clipped(pair[0].split(), pair[1].split(), 1)[0]]
    assert [bleu(r, h) for r, h in pairs] == pytest.approx(
        [formula([pair], 4, smooth=True) for pair in pairs]
    )


def test_corpus_bleu_pools_counts() -> None:
    pairs = sentences(40)
    references, hypotheses = zip(*pairs, strict=True)
    for n in (1, 2, 3, 4):
        assert corpus_bleu(references, hypotheses, n) == pytest.approx(formula(pairs, n))
    assert corpus_bleu(["a b c d", ""], ["a b c d", ""]) == 1.0
    assert corpus_bleu(["", "x"], ["", ""]) == 0.0


def test_short_sentences_that_arrived_score_one() -> None:
    for sentence in ("dog", "a dog", "a dog runs", "A dog runs."):
        assert bleu(sentence, sentence) == chrf(sentence, sentence) == 1.0
        assert [bleu_n(sentence, sentence, n) for n in (1, 2, 3, 4)] == [1.0] * 4
    assert bleu_n("a dog", "a cat", 4) == 0.0
    assert bleu_n("a dog!", "a dog ", 1) < 1.0


def test_chrf_is_the_f2_of_character_ngrams() -> None:
    reference, hypothesis = "a dog runs on grass", "a d0g rums on grass!"
    r, h = reference.replace(" ", ""), hypothesis.replace(" ", "")
    precision = recall = 0.0
    for n in range(1, 7):
        matches, total = clipped(list(r), list(h), n)
        precision += matches / total / 6
        recall += matches / (len(r) - n + 1) / 6
    expected = 5 * precision * recall / (4 * precision + recall)
    assert chrf(reference, hypothesis) == pytest.approx(expected)


def test_error_rates_are_edit_distances_over_the_reference() -> None:
    for reference, hypothesis in sentences(60):
        assert character_error_rate(reference, hypothesis) == pytest.approx(
            levenshtein(reference, hypothesis) / len(reference)
        )
        assert word_error_rate(reference, hypothesis) == pytest.approx(
            levenshtein(reference.split(), hypothesis.split()) / len(reference.split())
        )


def test_error_rates_by_hand() -> None:
    assert character_error_rate("ab", "abcdef") == 2.0
    assert character_error_rate(" ab", "ab") == pytest.approx(1 / 3)  # white space counts
    assert character_error_rate("Dog", "dog") == pytest.approx(1 / 3)  # case counts
    assert word_error_rate("a  dog\truns\n", "a dog runs") == 0.0
    assert word_error_rate("a dog runs", "a dog runs.") == pytest.approx(1 / 3)


@pytest.mark.parametrize("empty", ["", " ", "\n\t"])
def test_empty_strings_follow_the_convention(empty: str) -> None:
    assert bleu("", empty) == bleu_n("", empty, 4) == chrf("", empty) == 1.0
    assert character_error_rate("", empty) == word_error_rate("", empty) == 0.0
    for metric in (bleu, chrf, lambda r, h: bleu_n(r, h, 1)):
        assert metric("a dog", empty) == metric(empty, "a dog") == 0.0
    for rate in (character_error_rate, word_error_rate):
        assert rate("a dog", empty) == rate(empty, "a dog") == 1.0


@pytest.mark.parametrize("text", DAMAGED)
@pytest.mark.parametrize("metric", PAIR_METRICS)
def test_damaged_text_is_text(metric, text: str) -> None:  # type: ignore[no-untyped-def]
    same = 0.0 if metric in (character_error_rate, word_error_rate) else 1.0
    assert metric(text, text) == same
    for pair in (("a dog runs on grass", text), (text, "a dog runs on grass")):
        assert 0.0 <= metric(*pair) < math.inf
    assert 0.0 <= corpus_bleu([text], ["a dog"]) <= 1.0


def test_every_single_character_is_accepted() -> None:
    text = "".join(chr(code) for code in range(0x300)) + "\ufeff\ufffe\uffff"
    for metric in PAIR_METRICS:
        assert 0.0 <= metric("a dog runs", text) < math.inf
        assert 0.0 <= metric(text, "a dog runs") < math.inf


def test_orders_and_lengths_that_do_not_fit_are_quoted() -> None:
    for n in (0, 5):
        with pytest.raises(ValueError, match=f"got {n}"):
            bleu_n("a", "b", n)
        with pytest.raises(ValueError, match=f"got {n}"):
            corpus_bleu(["a"], ["b"], n)
    with pytest.raises(ValueError, match="2 references and 1 hypotheses"):
        corpus_bleu(["a", "b"], ["a"])
    with pytest.raises(ValueError, match="0 references"):
        corpus_bleu([], [])


def test_counts_of_sentences_add_to_corpus_bleu() -> None:
    pairs = sentences(60)
    counts = np.stack([bleu_counts(*pair) for pair in pairs])
    assert counts.shape == (60, 10)
    for some in (slice(0, 60), slice(0, 7), slice(20, 50)):
        expected = corpus_bleu(*map(list, zip(*pairs[some], strict=True)))
        assert pooled_bleu(counts[some].sum(axis=0)) == pytest.approx(expected, rel=1e-12)
    # Two of three words are right, and one of two pairs; the reference has four words.
    assert bleu_counts("a red dog runs", "a red cat").tolist() == [2, 1, 0, 0, 3, 2, 1, 0, 3, 4]
    assert pooled_bleu(bleu_counts("a red dog runs", "a red cat")) == 0


# -- other ways of cutting texts into words ------------------------------------------------------------------


@pytest.mark.parametrize("tokenize", ["zh", "char"])
def test_a_wrong_chinese_character_is_one_of_eight_words(tokenize: str) -> None:
    """Of 8, 7, 6 and 5 n-grams 1, 2, 3 and 3 hold the third character, which is wrong."""
    reference, hypothesis = "一只狗在沙滩上跑", "一只猫在沙滩上跑"
    shares = (7 / 8, 5 / 7, 3 / 6, 2 / 5)
    for n in (1, 2, 3, 4):
        expected = math.prod(shares[:n]) ** (1 / n)
        assert bleu_n(reference, hypothesis, n, tokenize) == pytest.approx(expected)
        assert measure(f"bleu-{n}:{tokenize}")(reference, hypothesis) == pytest.approx(expected)
    assert bleu(reference, hypothesis, tokenize) == pytest.approx(math.prod(shares) ** 0.25)
    assert bleu(reference, hypothesis) == 0.0  # the whole sentence is one word


def test_names_of_metrics_say_the_tokeniser() -> None:
    assert describe("bleu:zh").label == "BLEU (zh)" and network("bleu:zh") is None
    assert describe("bleu:zh").higher_is_better and describe("bleu:zh").received == "text"
    with pytest.raises(ValueError, match=f"{', '.join(TOKENIZERS)}, got 'klingon'"):
        measure("bleu:klingon")
    with pytest.raises(ValueError, match="unknown metric 'cer:zh'"):
        describe("cer:zh")
    if importlib.util.find_spec("MeCab") is None:
        with pytest.raises(ImportError, match=r'pip install "sacrebleu\[ja\]"'):
            measure("bleu:ja-mecab")
