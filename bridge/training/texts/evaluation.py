"""How good correctors are: words of sentences that an uncoded link garbled, mended and damaged."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from bridge.training.figures import Baseline, Figure, Pooled, Share
from bridge.training.texts.garbling import garble, snr_for
from phy.random import Stream
from phy.source.text.coders import Characters
from semantic.metrics.bleu import bleu_counts, pooled_bleu
from semantic.models.correction import Corrector

__all__ = ["Words", "corrector_figures", "drawn", "words"]

CERS = (0.01, 0.03, 0.06)
"""Character error rates at which correctors are measured."""


class Words(NamedTuple):
    """What a corrector made of the words of one sentence.

    Attributes
    ----------
    wrong, right:
        Words sent that did not arrive, and that did.
    mended, damaged:
        How many of the wrong ones are right after correction, and how many of the right ones are not.
    """

    wrong: int
    right: int
    mended: int
    damaged: int


def words(sent: str, arrived: str, corrected: str) -> Words:
    """Count words, which are what stands between white space.

    Which of the words sent are there afterwards is told by the shortest edit of words, as in word error
    rates.

    Examples
    --------
    >>> words("a dog runs on the beach", "a dig runs on thebeach", "a dog runs on a beach")
    Words(wrong=3, right=3, mended=2, damaged=0)
    """
    before, after = _there(sent, arrived), _there(sent, corrected)
    count = len(sent.split())
    return Words(count - len(before), len(before), len(after - before), len(before - after))


def _there(sent: str, heard: str) -> set[int]:
    """Which words of a sentence are in another, by the shortest edit of words."""
    edits = Levenshtein.opcodes(sent.split(), heard.split())
    return {index for edit in edits if edit.tag == "equal" for index in range(edit.src_start, edit.src_end)}


def drawn(texts: Sequence[str], count: int, seed: int) -> list[str]:
    """Draw sentences by lot, all if there are no more; fewer are the first of more."""
    lot = list(texts)
    random.Random(seed).shuffle(lot)
    return lot[:count]


def corrector_figures(
    corrector: Corrector, dictionary: Corrector, texts: Sequence[str], seed: int
) -> Iterator[Figure]:
    """Send sentences at the SNR that has a character error rate, correct them, and count words.

    The noise depends on the seed and the texts only, so that both correctors meet the same.

    Parameters
    ----------
    corrector:
        What is measured.
    dictionary:
        What it is held against (`semantic.models.correction.DictionaryCorrector`).
    texts:
        Sentences; of the training's none should be among them (`Captions.held_out`).
    seed:
        Of the noise.
    """
    for cer in CERS:
        at = f"cer={cer:g}"
        arrived = garble(texts, snr_for(cer), Stream(seed, "evaluate"), Characters("latin-1"))
        made = [each.correct(arrived) for each in (corrector, dictionary)]
        ours, theirs = ([*map(words, texts, arrived, corrected)] for corrected in made)
        for name, part, whole in (("words-mended", "mended", "wrong"), ("words-damaged", "damaged", "right")):
            shares = (_share(counted, part, whole) for counted in (ours, theirs))
            yield _figure(name, at, *shares)
        bleu, plain, garbled = (Pooled(_bleu(texts, each), pooled_bleu) for each in (*made, arrived))
        yield _figure("bleu", at, bleu, plain)
        yield Figure("bleu-before", at, garbled)


def _figure(name: str, at: str, ours: Share | Pooled, theirs: Share | Pooled) -> Figure:
    return Figure(name, at, ours, Baseline("dictionary", theirs))


def _share(counted: Sequence[Words], part: str, whole: str) -> Share:
    return Share(
        tuple(getattr(each, part) for each in counted), tuple(getattr(each, whole) for each in counted)
    )


def _bleu(texts: Sequence[str], made: Sequence[str]) -> NDArray[np.int64]:
    return np.stack([*map(bleu_counts, texts, made)])
