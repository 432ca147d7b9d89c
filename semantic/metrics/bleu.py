"""BLEU of a sentence, or of many at once, against one reference or several.

sacrebleu with the tokeniser ``13a`` unless another of `TOKENIZERS` is asked for, case kept. With l' words in
the hypothesis, l in the reference closest in length, and p_i the share of its n-grams of i words that are
right (an n-gram counts as often as the reference that has it most often),

    log BLEU-n = min(1 - l / l', 0) + (1 / n) sum over i = 1 ... n of log p_i,

0 if any p_i is 0. A sentence shorter than n words has no such n-grams; these orders are left out (sacrebleu's
"effective order"), so that a short sentence that arrived intact scores 1. Empty texts are as in
`semantic.metrics.text`.

References
----------
K. Papineni, S. Roukos, T. Ward, W.-J. Zhu: BLEU: a method for automatic evaluation of machine translation.
ACL 2002.
M. Post: A call for clarity in reporting BLEU scores. WMT 2018.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU

from semantic.metrics.references import References, listed
from semantic.metrics.text import trivial

__all__ = ["TOKENIZERS", "bleu", "bleu_counts", "bleu_n", "corpus_bleu", "pooled_bleu"]

TOKENIZERS = ("13a", "intl", "zh", "ja-mecab", "char")
"""sacrebleu's ways of cutting a text into words: at blanks and punctuation of English, or of Unicode; each
Chinese character by itself; Japanese by a dictionary (needs MeCab); every character by itself."""

_Smoothing = Literal["none", "exp"]


@cache
def _bleu(order: int, smoothing: _Smoothing, effective_order: bool, tokenize: str = "13a") -> BLEU:
    if order not in (1, 2, 3, 4):
        raise ValueError(f"BLEU goes up to n-grams of 1, 2, 3 or 4 words, got {order!r}")
    if tokenize not in TOKENIZERS:
        raise ValueError(f"BLEU cuts texts into words by {', '.join(TOKENIZERS)}, got {tokenize!r}")
    try:
        return BLEU(
            max_ngram_order=order,
            smooth_method=smoothing,
            effective_order=effective_order,
            tokenize=tokenize,
        )
    except (ImportError, RuntimeError) as error:
        raise ImportError('BLEU of Japanese words needs MeCab: pip install "sacrebleu[ja]"') from error


def bleu(references: References, hypothesis: str, tokenize: str = "13a") -> float:
    """Sentence BLEU as sacrebleu prints it, but in 0 to 1: up to 4-grams, exponential smoothing.

    The smoothing is method 3 of Chen and Cherry (2014), as in mteval-v13a: the k-th order without a match
    counts as 1 / 2^k matches. Hence a sentence with one right word scores above 0. For the unsmoothed
    quantity that papers on semantic communication print as BLEU-1 to BLEU-4 use `bleu_n`.

    Parameters
    ----------
    references, hypothesis:
        What was meant, and what arrived.
    tokenize:
        One of `TOKENIZERS`.

    Raises
    ------
    ValueError
        If there is no reference, or no such tokeniser.
    ImportError
        If the tokeniser's package is missing.

    Examples
    --------
    >>> bleu(["a dog runs on the beach", "the beach is wide"], "a dog runs on the beach")
    1.0
    >>> round(bleu("一只狗在沙滩上跑", "一只猫在沙滩上跑"), 2)  # one word, and it is wrong
    0.0
    >>> round(bleu("一只狗在沙滩上跑", "一只猫在沙滩上跑", "zh"), 2)
    0.59
    """
    return _sentence(references, hypothesis, 4, "exp", tokenize)


def bleu_n(references: References, hypothesis: str, n: int, tokenize: str = "13a") -> float:
    """Sentence BLEU-n in 0 to 1, not smoothed: the formula of VLM-CSC (and of Papineni et al.).

    Parameters
    ----------
    references, hypothesis:
        What was meant, and what arrived.
    n:
        1 to 4.
    tokenize:
        As for `bleu`.

    Raises
    ------
    ValueError
        If there is no reference, or ``n`` or ``tokenize`` is none of these.

    Examples
    --------
    >>> round(bleu_n("the cat sat on the mat", "the cat sat on a mat", 2), 4)  # sqrt(5/6 * 3/5)
    0.7071
    """
    return _sentence(references, hypothesis, n, "none", tokenize)


def _sentence(
    references: References, hypothesis: str, order: int, smoothing: _Smoothing, tokenize: str
) -> float:
    metric, known = _bleu(order, smoothing, True, tokenize), listed(references)
    plain = [trivial(reference, hypothesis, agree=1.0, differ=0.0) for reference in known]
    if 1.0 in plain or None not in plain:
        return 1.0 if 1.0 in plain else 0.0
    # sacrebleu returns percent, and by rounding up to 100 (1 + 2e-16) for equal sentences.
    return min(1.0, float(metric.sentence_score(hypothesis, known).score) / 100.0)


def corpus_bleu(
    references: Sequence[References], hypotheses: Sequence[str], n: int = 4, smooth: bool = False
) -> float:
    """BLEU of many sentences at once, in 0 to 1: n-gram counts and lengths are pooled.

    This is BLEU as Papineni et al. define it, and not the mean of sentence scores.

    Parameters
    ----------
    references:
        One or more of each hypothesis; their numbers may differ.
    hypotheses:
        As many as there are entries in ``references``; empty strings count with no words.
    n:
        1 to 4.
    smooth:
        False: 0 if an order has no match at all. True: sacrebleu's default, which counts the k-th such order
        as 1 / 2^k matches.

    Raises
    ------
    ValueError
        If the numbers differ or are zero, an entry has no reference, or ``n`` is out of range.

    Examples
    --------
    >>> round(corpus_bleu(["a dog runs", ["a cat", "one cat"]], ["a dog rums", "one cat"], n=1), 3)  # 4 of 5
    0.8
    """
    if len(references) != len(hypotheses) or not references:
        raise ValueError(
            f"as many hypotheses as entries of references are needed, and at least one, "
            f"got {len(references)} references and {len(hypotheses)} hypotheses"
        )
    rows = [listed(entry) for entry in references]
    most = max(map(len, rows))
    # sacrebleu takes streams, one of all first references and so on; it leaves out what is None.
    streams: list[Any] = [[row[i] if i < len(row) else None for row in rows] for i in range(most)]
    score = _bleu(n, "exp" if smooth else "none", False).corpus_score(list(hypotheses), streams).score
    return min(1.0, float(score) / 100.0)


def bleu_counts(references: References, hypothesis: str) -> NDArray[np.int64]:
    """Count what corpus BLEU is made of in one sentence; counts of several sentences add.

    Returns
    -------
    ndarray
        ``[10]``, ``int64``: n-grams of the hypothesis that are right (clipped) for n = 1 to 4, all n-grams of
        the hypothesis for n = 1 to 4, and the words of the hypothesis and of the reference nearest in length.
    """
    found = _bleu(4, "none", True).sentence_score(hypothesis, listed(references))
    return np.array([*found.counts, *found.totals, found.sys_len, found.ref_len], np.int64)


def pooled_bleu(counts: NDArray[Any], order: int = 4) -> float:
    """BLEU in 0 to 1 of a sum of `bleu_counts`: what `corpus_bleu` gives for these sentences.

    Parameters
    ----------
    counts:
        ``[10]``.
    order:
        Longest n-grams, 1 to 4.

    Examples
    --------
    >>> counts = bleu_counts("a dog runs on the beach", "a dog runs on the beech")
    >>> round(pooled_bleu(counts), 4)  # precisions of 5/6, 4/5, 3/4 and 2/3
    0.7598
    """
    right, total, (made, meant) = counts[:order], counts[4 : 4 + order], counts[8:]
    if not right.all():
        return 0.0
    return float(min(1.0, math.exp(1 - meant / made)) * np.prod(right / total) ** (1 / order))
