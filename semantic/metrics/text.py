"""How much of a sentence arrived: chrF, character and word error rates (BLEU: `semantic.metrics.bleu`).

Every function takes the reference (what was meant) and the hypothesis (what arrived) and returns one number.
Damaged text is what these are for: replacement characters, control characters, NULs and lone surrogates are
characters like any other, and no function raises because of them.

Conventions
-----------
Empty strings
    Text of white space only is empty. Two empty strings agree: 1 for BLEU and chrF, 0 for the error rates.
    If only one is empty nothing agrees: BLEU and chrF are 0. An empty hypothesis has error rate 1 by
    definition; an empty reference has none, and gets 1.
"""

from __future__ import annotations

from functools import cache

import jiwer
from sacrebleu.metrics.chrf import CHRF

__all__ = [
    "character_error_rate",
    "chrf",
    "trivial",
    "word_error_rate",
]

_CHARACTERS = jiwer.Compose([jiwer.ReduceToListOfListOfChars()])
_WORDS = jiwer.Compose([jiwer.ReduceToListOfListOfWords()])


@cache
def _chrf() -> CHRF:
    return CHRF(char_order=6, word_order=0, beta=2)


def trivial(reference: str, hypothesis: str, agree: float, differ: float) -> float | None:
    """Score of equal strings, and by convention if a string is empty; None otherwise.

    Examples
    --------
    >>> [trivial("a dog", heard, agree=1.0, differ=0.0) for heard in ("a dog", " ", "a cat")]
    [1.0, 0.0, None]
    """
    full = bool(reference.strip()), bool(hypothesis.strip())
    # The equal ones are caught here, as the tokeniser turns some strings (``<skipped>``) into nothing.
    if reference == hypothesis or not any(full):
        return agree
    return None if all(full) else differ


def chrf(reference: str, hypothesis: str) -> float:
    """Character n-gram F-score chrF2, in 0 to 1: sacrebleu's default (6 characters, no words, beta 2).

    References
    ----------
    M. Popović: chrF: character n-gram F-score for automatic MT evaluation. WMT 2015.
    """
    score = trivial(reference, hypothesis, agree=1.0, differ=0.0)
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
    score = trivial(reference, hypothesis, agree=0.0, differ=1.0)
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
    score = trivial(reference, hypothesis, agree=0.0, differ=1.0)
    if score is not None:
        return score
    spoken, heard = " ".join(reference.split()), " ".join(hypothesis.split())
    return float(jiwer.wer(spoken, heard, _WORDS, _WORDS))
