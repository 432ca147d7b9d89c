"""Figures of the captioner of photographs, cross-fitted, beside constants, retrieval and a person.

The language model has seen none of the photographs' captions; W is fitted anew without the photographs that
it is asked of, ten times. A constant sentence has a BLEU-1 near 0.5, so BLEU-1 alone says little.

References
----------
R. Vedantam, C. L. Zitnick, D. Parikh: CIDEr: consensus-based image description evaluation. CVPR 2015.
J. Devlin et al.: Exploring nearest neighbor approaches for image captioning. arXiv 1505.04467, 2015.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import csr_array

from bridge.training.figures import Baseline, Figure, Measured, Pooled, Share
from bridge.training.photographs.meaning import COLOURS, Meaning, Values, crossed, shares, words
from semantic.metrics.bleu import bleu_counts, pooled_bleu
from semantic.models.captioning import PhotoCaptioner
from semantic.networks.meaning import looked_at
from semantic.samples.captioned import CaptionedPicture

__all__ = ["caption_figures", "consensus", "main_noun", "noun_is_right", "said_crossed"]

CONSTANTS = {
    "constant-man": "a man in a red shirt is standing on the street",
    "constant-dog": "a dog is running in the grass",
}
_NEIGHBOURS = 30
_BATCH = 25
_KINDS = {
    "boy": "boy boys",
    "girl": "girl girls",
    "child": "child children kid kids toddler baby",
    "woman": "woman women lady ladies",
    "man": "man men guy guys",
    "people": "people person crowd group team players couple friends family adults",
    "athlete": "player skateboarder skier snowboarder surfer biker bicyclist cyclist climber rider hiker "
    "runner swimmer skater racer",
    "dog": "dog dogs puppy puppies greyhound greyhounds poodle labrador retriever",
    "horse": "horse horses",
    "bird": "bird birds",
    "cat": "cat cats",
    "vehicle": "car cars truck bike bicycle motorcycle boat train bus",
}
_KIND = {noun: kind for kind, nouns in _KINDS.items() for noun in nouns.split()}

Words = Sequence[str]
Captions = Sequence[Words]
Said = list[list[str]]


def main_noun(sentence: Words) -> str | None:
    """Kind of the first noun of twelve kinds of persons, animals and vehicles; None without one.

    Examples
    --------
    >>> main_noun("two puppies and a boy".split())
    'dog'
    """
    return next((_KIND[word] for word in sentence if word in _KIND), None)


def noun_is_right(sentence: Words, references: Captions) -> bool:
    """Whether two references have the same main noun; where none has one, whether the sentence has none."""
    theirs = Counter(kind for reference in references if (kind := main_noun(reference)))
    kind = main_noun(sentence)
    return kind is None if not theirs else kind is not None and theirs[kind] >= 2


def said_crossed(
    captioner: PhotoCaptioner, space: Meaning, pictures: Sequence[CaptionedPicture]
) -> tuple[Said, Values]:
    """What a captioner says of photographs that W was not fitted to, as words, and the meanings that W read.

    Parameters
    ----------
    captioner:
        Its language model, and its way to look at pictures.
    space:
        Meanings that it was taught.
    pictures:
        Photographs; W is fitted to nine tenths of them, ten times.
    """
    model, tokens = captioner.model, captioner.processor.tokenizer
    colours = [tokens.convert_ids_to_tokens(int(piece)).lstrip("\u2581") for piece in model.colours]
    captions = [list(map(words, picture.captions)) for picture in pictures]
    with torch.no_grad():
        looked = [looked_at([Image.fromarray(picture.pixels)]) for picture in pictures]
        features = torch.cat([model.features(each) for each in looked]).numpy()
    told = crossed(features, np.concatenate([space(captions), shares(captions, colours)], axis=1))
    said: Said = []
    for start in range(0, len(pictures), _BATCH):
        rows = torch.from_numpy(told[start : start + _BATCH])
        pieces = model.say(rows[:, : model.meaning], rows[:, model.meaning :] >= model.sure)
        said += [captioner.spell(each).split() for each in pieces]
    return said, told[:, : model.meaning]


def consensus(meanings: Values, captions: Sequence[Captions], neighbours: int = _NEIGHBOURS) -> Said:
    """Of the captions of each picture's neighbours, the one that the other neighbours' agree with most.

    Neighbours go by the cosine of their meanings, captions by the mean cosine of their words, and groups of
    two to four, each weighted by its rarity (CIDEr). No picture is its own neighbour.
    """
    centred = meanings - meanings.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True).clip(1e-9)
    alike = centred @ centred.T
    np.fill_diagonal(alike, -np.inf)
    spoken = [(row, list(caption)) for row, own in enumerate(captions) for caption in own]
    owner = np.array([row for row, _ in spoken])
    vectors = _weighted([caption for _, caption in spoken], owner)
    found: Said = []
    for row in alike:
        near = np.argsort(-row)[:neighbours]
        pool = np.flatnonzero(np.isin(owner, near))
        agreement = (vectors[pool] @ vectors[pool].T).toarray()
        agreement[owner[pool][:, None] == owner[pool]] = 0.0
        found.append(spoken[pool[agreement.sum(axis=1).argmax()]][1])
    return found


def _weighted(sentences: Captions, owner: NDArray[Any]) -> csr_array:
    """Sentences as rows: groups of one to four words, weighted by rarity, each order of length 1/2."""
    rows: list[Counter[tuple[str, ...]]] = [
        Counter(tuple(each[i : i + n]) for n in range(1, 5) for i in range(len(each) - n + 1))
        for each in sentences
    ]
    having: dict[tuple[str, ...], set[int]] = {}
    for row, place in zip(rows, owner.tolist(), strict=True):
        for group in row:
            having.setdefault(group, set()).add(place)
    index = {group: number for number, group in enumerate(having)}
    count = math.log(len(set(owner.tolist())))
    data, columns, ends = list[float](), list[int](), [0]
    for row in rows:
        values = {group: times * (count - math.log(len(having[group]))) for group, times in row.items()}
        lengths = {
            n: sum(value**2 for group, value in values.items() if len(group) == n) for n in range(1, 5)
        }
        data += [value / (2 * math.sqrt(lengths[len(group)] or 1.0)) for group, value in values.items()]
        columns += [index[group] for group in values]
        ends.append(len(data))
    return csr_array((data, columns, ends), shape=(len(rows), len(index)))


def caption_figures(
    captioner: PhotoCaptioner, space: Meaning, pictures: Sequence[CaptionedPicture], seed: int
) -> Iterator[Figure]:
    """BLEU, the main noun and colours of a captioner, of retrieval, of constants, and of a person.

    Parameters
    ----------
    captioner, space, pictures:
        As for `said_crossed`.
    seed:
        Chooses the caption of each picture that is held against its others as a person's.
    """
    references = [list(map(words, picture.captions)) for picture in pictures]
    said, meanings = said_crossed(captioner, space, pictures)
    found = consensus(meanings, references)
    asked: dict[str, Callable[[Said, Sequence[Captions]], Measured]] = {
        "BLEU-1": partial(_bleu, 1),
        "BLEU-4": partial(_bleu, 4),
        "main-noun": _nouns,
        "colours-right": _colours,
    }
    for name, measure in asked.items():
        yield Figure(name, "", measure(said, references), Baseline("consensus", measure(found, references)))
    yield from _gains(said, found, references)
    for who, sentence in CONSTANTS.items():
        constant = [sentence.split()] * len(references)
        yield from (Figure(name, who, measure(constant, references)) for name, measure in asked.items())
    draw = np.random.default_rng(seed)
    chosen = [int(draw.integers(len(own))) for own in references]
    person = [list(own[place]) for own, place in zip(references, chosen, strict=True)]
    others = [own[:place] + own[place + 1 :] or own for own, place in zip(references, chosen, strict=True)]
    yield from (Figure(name, "person", measure(person, others)) for name, measure in asked.items())


def _counts(said: Said, references: Sequence[Captions]) -> NDArray[np.int64]:
    texts = ([" ".join(each) for each in own] for own in references)
    return np.stack([bleu_counts(own, " ".join(each)) for own, each in zip(texts, said, strict=True)])


def _bleu(order: int, said: Said, references: Sequence[Captions]) -> Measured:
    return Pooled(_counts(said, references), partial(pooled_bleu, order=order))


def _nouns(said: Said, references: Sequence[Captions]) -> Measured:
    right = tuple(int(noun_is_right(*pair)) for pair in zip(said, references, strict=True))
    return Share(right, (1,) * len(right))


def _colours(said: Said, references: Sequence[Captions]) -> Measured:
    """Of the colour words that are said, those that some reference says, too."""
    right, total = list[int](), list[int]()
    for sentence, own in zip(said, references, strict=True):
        known = {word for reference in own for word in reference}
        named = [word for word in sentence if word in COLOURS]
        right.append(sum(word in known for word in named))
        total.append(len(named))
    return Share(tuple(right), tuple(total))


def _gains(said: Said, found: Said, references: Sequence[Captions]) -> Iterator[Figure]:
    """Differences to the consensus on the same photographs, in per cent."""
    pairs = np.stack([_counts(said, references), _counts(found, references)], axis=1)
    for order in (1, 4):
        yield Figure(f"BLEU-{order}-gain", "", Pooled(pairs, partial(_gain, order)), unit="%")
    nouns = [
        [noun_is_right(one, own) - noun_is_right(other, own), 1]
        for one, other, own in zip(said, found, references, strict=True)
    ]
    yield Figure("main-noun-gain", "", Pooled(np.array(nouns, np.int64), _mean_in_percent), unit="%")


def _gain(order: int, counts: NDArray[Any]) -> float:
    return 100 * (pooled_bleu(counts[0], order=order) - pooled_bleu(counts[1], order=order))


def _mean_in_percent(counts: NDArray[Any]) -> float:
    return float(100 * counts[0] / counts[1])
