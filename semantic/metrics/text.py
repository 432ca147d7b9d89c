"""How much of a sentence arrived: BLEU, chrF, character and word error rates.

Every function takes the reference (what was meant) and the hypothesis (what arrived) and returns one number.
Damaged text is what these are for: replacement characters, control characters, NULs and lone surrogates are
characters like any other, and no function raises because of them.

Conventions
-----------
BLEU
    sacrebleu with the tokeniser ``13a``, case kept, one reference. A sentence shorter than n words has no
    n-grams; such orders are left out (sacrebleu's "effective order"), so that a short sentence that arrived
    intact scores 1.
Empty strings
    Text of white space only is empty. Two empty strings agree: 1 for BLEU and chrF, 0 for the error rates.
    If only one is empty nothing agrees: BLEU and chrF are 0. An empty hypothesis has error rate 1 by
    definition; an empty reference has none, and gets 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

import jiwer
import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

__all__ = [
    "METHOD1_EPSILON",
    "bleu",
    "bleu_counts",
    "bleu_n",
    "character_error_rate",
    "chrf",
    "corpus_bleu",
    "pooled_bleu",
    "word_error_rate",
]

METHOD1_EPSILON = 0.1
"""Matches that method 1 counts where there are none; the value of Chen and Cherry and of NLTK."""

_Smoothing = Literal["none", "floor", "exp"]

_CHARACTERS = jiwer.Compose([jiwer.ReduceToListOfListOfChars()])
_WORDS = jiwer.Compose([jiwer.ReduceToListOfListOfWords()])


@cache
def _bleu(order: int, smoothing: _Smoothing, effective_order: bool) -> BLEU:
    if order not in (1, 2, 3, 4):
        raise ValueError(f"BLEU goes up to n-grams of 1, 2, 3 or 4 words, got {order!r}")
    value = METHOD1_EPSILON if smoothing == "floor" else None
    return BLEU(
        max_ngram_order=order, smooth_method=smoothing, smooth_value=value, effective_order=effective_order
    )


@cache
def _chrf() -> CHRF:
    return CHRF(char_order=6, word_order=0, beta=2)


def _trivial(reference: str, hypothesis: str, agree: float, differ: float) -> float | None:
    """Score of equal strings, and by convention if a string is empty; None otherwise."""
    full = bool(reference.strip()), bool(hypothesis.strip())
    # The equal ones are caught here, as the tokeniser turns some strings (``<skipped>``) into nothing.
    if reference == hypothesis or not any(full):
        return agree
    return None if all(full) else differ


def bleu(reference: str, hypothesis: str) -> float:
    """Sentence BLEU as sacrebleu prints it, but in 0 to 1: up to 4-grams, exponential smoothing.

    The smoothing is method 3 of Chen and Cherry (2014), as in mteval-v13a: the k-th order without a match
    counts as 1 / 2^k matches. Hence a sentence with one right word scores above 0. For the unsmoothed
    quantity that papers on semantic communication print as BLEU-1 to BLEU-4 use `bleu_n`.

    References
    ----------
    M. Post: A call for clarity in reporting BLEU scores. WMT 2018.
    """
    score = _trivial(reference, hypothesis, agree=1.0, differ=0.0)
    return score if score is not None else _sentence(reference, hypothesis, 4, "exp")


def bleu_n(reference: str, hypothesis: str, n: int, smoothing: Literal["none", "method1"] = "none") -> float:
    """Sentence BLEU-n, in 0 to 1: unsmoothed, or with method 1 of Chen and Cherry (2014).

    With l and l' words in reference and hypothesis and the clipped n-gram precisions p_i,

        log BLEU-n = min(1 - l / l', 0) + (1 / n) sum over i = 1 ... n of log p_i,

    0 if any p_i is 0. This is the formula of VLM-CSC (and of Papineni et al. 2002) with uniform weights.

    Method 1 counts `METHOD1_EPSILON` matches in an order that has none; a sentence without one right word
    stays at 0. It is ``SmoothingFunction().method1`` of NLTK for sentences of n words or more (words are
    ``13a``'s here, and shorter sentences leave out the orders that they have no n-grams of).

    Parameters
    ----------
    reference, hypothesis:
        The sentences.
    n:
        1 to 4.
    smoothing:
        ``"none"`` or ``"method1"``; say which in results.

    Raises
    ------
    ValueError
        If ``n`` or ``smoothing`` is none of these.

    Examples
    --------
    >>> round(bleu_n("the cat sat on the mat", "the cat sat on a mat", 2), 4)  # sqrt(5/6 * 3/5)
    0.7071
    >>> bleu_n("a b", "b a", 2), round(bleu_n("a b", "b a", 2, "method1"), 4)  # sqrt(2/2 * 0.1/1)
    (0.0, 0.3162)
    """
    if n not in (1, 2, 3, 4):
        raise ValueError(f"BLEU-n is defined here for n = 1 to 4, got {n!r}")
    if smoothing not in ("none", "method1"):
        raise ValueError(f"BLEU-n is smoothed here by none or method1, got {smoothing!r}")
    score = _trivial(reference, hypothesis, agree=1.0, differ=0.0)
    if score is not None:
        return score
    return _sentence(reference, hypothesis, n, "floor" if smoothing == "method1" else "none")


def _sentence(reference: str, hypothesis: str, order: int, smoothing: _Smoothing) -> float:
    # sacrebleu returns percent, and by rounding up to 100 (1 + 2e-16) for equal sentences.
    score = _bleu(order, smoothing, True).sentence_score(hypothesis, [reference]).score
    return min(1.0, float(score) / 100.0)


def corpus_bleu(references: Sequence[str], hypotheses: Sequence[str], n: int = 4) -> float:
    """BLEU of many sentences at once, in 0 to 1: n-gram counts and lengths are pooled; no smoothing.

    This is BLEU as defined by Papineni et al. (2002), and not the mean of sentence scores.

    Parameters
    ----------
    references, hypotheses:
        As many of the one as of the other; empty strings count with no words.
    n:
        1 to 4.

    Raises
    ------
    ValueError
        If the numbers of sentences differ or are zero, or ``n`` is out of range.
    """
    if len(references) != len(hypotheses) or not references:
        raise ValueError(
            f"as many hypotheses as references are needed, and at least one, "
            f"got {len(references)} references and {len(hypotheses)} hypotheses"
        )
    score = _bleu(n, "none", False).corpus_score(list(hypotheses), [list(references)]).score
    return min(1.0, float(score) / 100.0)


def bleu_counts(reference: str, hypothesis: str) -> NDArray[np.int64]:
    """Count what corpus BLEU-4 is made of in one sentence; counts of several sentences add.

    Returns
    -------
    ndarray
        ``[10]``, ``int64``: n-grams of the hypothesis that are right (clipped) for n = 1 to 4, all n-grams of
        the hypothesis for n = 1 to 4, and the words of hypothesis and reference.
    """
    found = _bleu(4, "none", True).sentence_score(hypothesis, [reference])
    return np.array([*found.counts, *found.totals, found.sys_len, found.ref_len], np.int64)


def pooled_bleu(counts: NDArray[Any]) -> float:
    """BLEU-4 in 0 to 1 of a sum of `bleu_counts`: what `corpus_bleu` gives for these sentences.

    ``min(1, exp(1 - l / l')) (p_1 p_2 p_3 p_4)^(1/4)`` with the pooled precisions p_n and the words l of all
    references and l' of all hypotheses; 0 if any p_n is 0.

    Examples
    --------
    >>> counts = bleu_counts("a dog runs on the beach", "a dog runs on the beech")
    >>> round(pooled_bleu(counts), 4)  # precisions of 5/6, 4/5, 3/4 and 2/3
    0.7598
    """
    right, total, (made, meant) = counts[:4], counts[4:8], counts[8:]
    if not right.all():
        return 0.0
    return float(min(1.0, math.exp(1 - meant / made)) * np.prod(right / total) ** 0.25)


def chrf(reference: str, hypothesis: str) -> float:
    """Character n-gram F-score chrF2, in 0 to 1: sacrebleu's default (6 characters, no words, beta 2).

    References
    ----------
    M. Popović: chrF: character n-gram F-score for automatic MT evaluation. WMT 2015.
    """
    score = _trivial(reference, hypothesis, agree=1.0, differ=0.0)
    if score is not None:
        return score
    return min(1.0, float(_chrf().sentence_score(hypothesis, [reference]).score) / 100.0)


def character_error_rate(reference: str, hypothesis: str) -> float:
    """Insertions, deletions and substitutions of characters over the characters of the reference.

    Characters are Unicode code points, case and white space kept. Insertions can lift the rate above 1.

    Examples
    --------
    >>> character_error_rate("A dog runs.", "A d0g rums")  # 3 of 11
    0.2727272727272727
    """
    score = _trivial(reference, hypothesis, agree=0.0, differ=1.0)
    if score is not None:
        return score
    return float(jiwer.cer(reference, hypothesis, _CHARACTERS, _CHARACTERS))


def word_error_rate(reference: str, hypothesis: str) -> float:
    """Insertions, deletions and substitutions of words over the words of the reference.

    Words are what stands between white space; case and punctuation are kept. Insertions can lift the rate
    above 1.

    Examples
    --------
    >>> word_error_rate("a dog runs on the beach", "a dog rums on beach")  # 1 substituted, 1 deleted, of 6
    0.3333333333333333
    """
    score = _trivial(reference, hypothesis, agree=0.0, differ=1.0)
    if score is not None:
        return score
    spoken, heard = " ".join(reference.split()), " ".join(hypothesis.split())
    return float(jiwer.wer(spoken, heard, _WORDS, _WORDS))
