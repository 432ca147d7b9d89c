"""Texts that are longer than a model reads, cut where it hurts least."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import pairwise

__all__ = ["split_windows"]

_BEHIND_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_BEHIND_WORD = re.compile(r"\s+")


def split_windows(text: str, fits: Callable[[str], bool]) -> list[str]:
    """Cut a text into windows that fit, each as long as can be; joined they are the text.

    Cuts stand behind sentences, and inside a sentence that does not fit, behind words. A word that does not
    fit is a window of its own.

    Examples
    --------
    >>> split_windows("One two. Three four five. Six.", lambda window: len(window) <= 12)
    ['One two. ', 'Three four ', 'five. ', 'Six.']
    """
    windows = []
    for sentences in _pack(_cut(text, _BEHIND_SENTENCE), fits):
        windows += [sentences] if fits(sentences) else _pack(_cut(sentences, _BEHIND_WORD), fits)
    return windows


def _cut(text: str, behind: re.Pattern[str]) -> list[str]:
    ends = [0, *(match.end() for match in behind.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(ends) if start < end]


def _pack(pieces: Iterable[str], fits: Callable[[str], bool]) -> list[str]:
    packed: list[str] = []
    for piece in pieces:
        if packed and fits(packed[-1] + piece):
            packed[-1] += piece
        else:
            packed.append(piece)
    return packed
