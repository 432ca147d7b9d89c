"""Texts held against several references, as captions of one picture are.

BLEU pools them (`semantic.metrics.bleu`); every other metric takes the best of the references.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["References", "best", "listed"]

References = str | Sequence[str]
"""What was meant: a text, or several that say the same."""


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
