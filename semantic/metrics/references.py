"""Texts held against several references, as captions of one picture are.

BLEU pools: an n-gram counts as often as the reference that has it most often, and the length is that of the
reference closest in length (Papineni et al. 2002). Every other metric takes the best of the references. With
one reference all are what `semantic.metrics.text` gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from semantic.metrics import text

__all__ = ["best", "bleu", "bleu_n", "corpus_bleu", "listed"]

References = str | Sequence[str]


def listed(references: References) -> list[str]:
    """References as a list, without those of white space only if there are others.

    Raises
    ------
    ValueError
        If there is none at all.
    """
    found = [references] if isinstance(references, str) else list(references)
    if not found:
        raise ValueError("there is no text to compare with: the source has no captions")
    return [reference for reference in found if reference.strip()] or found[:1]


def best(
    metric: Callable[[str, Any], float], higher_is_better: bool, references: References, received: Any
) -> float:
    """Value of a metric of a sentence and what was received, for the reference that it is best for."""
    values = [metric(reference, received) for reference in listed(references)]
    return max(values) if higher_is_better else min(values)


def bleu(references: References, hypothesis: str) -> float:
    """Sentence BLEU in 0 to 1, smoothed as in `semantic.metrics.text.bleu`.

    Examples
    --------
    >>> bleu(["a dog runs on the beach", "the beach is wide"], "a dog runs on the beach")
    1.0
    """
    return _pooled(references, hypothesis, 4, "exp")


def bleu_n(references: References, hypothesis: str, n: int) -> float:
    """Sentence BLEU-n in 0 to 1, not smoothed, as in `semantic.metrics.text.bleu_n`.

    Raises
    ------
    ValueError
        If ``n`` is not 1 to 4.
    """
    return _pooled(references, hypothesis, n, "none")


def _pooled(references: References, hypothesis: str, order: int, smoothing: text._Smoothing) -> float:
    # The same conventions for texts that are empty or equal as with one reference.
    trivial = [text._trivial(reference, hypothesis, 1.0, 0.0) for reference in listed(references)]
    if 1.0 in trivial or None not in trivial:
        return 1.0 if 1.0 in trivial else 0.0
    score = text._bleu(order, smoothing, True).sentence_score(hypothesis, listed(references)).score
    return min(1.0, float(score) / 100.0)


def corpus_bleu(
    references: Sequence[References], hypotheses: Sequence[str], n: int = 4, smooth: bool = False
) -> float:
    """BLEU of many sentences at once, in 0 to 1: n-gram counts and lengths are pooled.

    Parameters
    ----------
    references:
        One or more of each hypothesis; their numbers may differ.
    hypotheses:
        As many as there are entries in ``references``.
    n:
        1 to 4.
    smooth:
        False: as Papineni et al. define it, 0 if an order has no match at all. True: sacrebleu's default,
        which counts the k-th such order as 1 / 2^k matches.

    Raises
    ------
    ValueError
        If the numbers differ or are zero, an entry has no reference, or ``n`` is out of range.
    """
    if len(references) != len(hypotheses) or not references:
        raise ValueError(
            f"as many hypotheses as entries of references are needed, and at least one, "
            f"got {len(references)} and {len(hypotheses)}"
        )
    rows = [listed(entry) for entry in references]
    most = max(map(len, rows))
    # sacrebleu takes streams, one of all first references and so on; it leaves out what is None.
    streams: list[Any] = [[row[i] if i < len(row) else None for row in rows] for i in range(most)]
    score = text._bleu(n, "exp" if smooth else "none", False).corpus_score(list(hypotheses), streams).score
    return min(1.0, float(score) / 100.0)
