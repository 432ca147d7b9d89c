"""Meanings of pictures as numbers: what their captions have in common, and how photographs show it.

A picture's captions become the root of the share of them that has each word, times the word's rarity, and the
first principal axes of that. What photographs show of it is found by ridge regression in closed form.

References
----------
S. Deerwester et al.: Indexing by latent semantic analysis. JASIS 41(6), 1990.
A. E. Hoerl, R. W. Kennard: Ridge regression. Technometrics 12(1), 1970.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["COLOURS", "Meaning", "Ridge", "crossed", "shares", "words"]

COLOURS = (
    *(
        "black",
        "white",
        "red",
        "blue",
        "green",
        "yellow",
        "brown",
        "orange",
        "pink",
        "purple",
        "gray",
        "grey",
    ),
    *("tan", "blond", "blonde"),
)

_STOP = frozenset(
    "a an the of in on at is are with and to it its his her their by as that be being this from for up out down "
    "over through into while one two three some there has have near next off other another them he she they who "
    "which very s t what looks like".split()
)
_RAREST = 8  # pictures that have a word, at least
_WORDS = 2000
_PENALTY = 2.0
_FOLDS = 10

Values = NDArray[np.float32]


def words(caption: str) -> list[str]:
    """Words in lower case, without punctuation and possessive s.

    Examples
    --------
    >>> words("A dog's ball, and 2 dogs .")
    ['a', 'dog', 'ball', 'and', '2', 'dogs']
    """
    return re.findall(r"[a-z0-9]+", caption.lower().replace("'s", "").replace("'", ""))


def shares(pictures: Sequence[Sequence[Sequence[str]]], wanted: Sequence[str]) -> Values:
    """Share of the captions of each picture, as words, that has each of the wanted words: ``[pictures, wanted]``.

    Examples
    --------
    >>> shares([[["a", "dog"], ["one", "dog"]], [["a", "cat"]]], ["dog", "a"]).tolist()
    [[1.0, 0.5], [0.0, 1.0]]
    """
    index = {word: place for place, word in enumerate(wanted)}
    found = np.zeros((len(pictures), len(wanted)), np.float32)
    for row, captions in zip(found, pictures, strict=True):
        for word, count in Counter(w for caption in captions for w in set(caption) & index.keys()).items():
            row[index[word]] = count / len(captions)
    return found


class Meaning:
    """Meanings of pictures that go by their captions, each number with a variance of 1.

    Parameters
    ----------
    pictures:
        Captions of each picture, as `words`, that it is fitted to.
    size:
        Numbers; fewer where there are fewer words or pictures.
    seed:
        Of the randomised decomposition.
    """

    def __init__(self, pictures: Sequence[Sequence[Sequence[str]]], size: int = 128, seed: int = 1) -> None:
        known = Counter(word for captions in pictures for word in set().union(*captions) - _STOP)
        self.words = [word for word, count in known.most_common(_WORDS) if count >= _RAREST]
        if not self.words:
            raise ValueError(
                f"no word stands in the captions of {_RAREST} pictures or more: give more captions"
            )
        self.rarity = np.array([math.log(len(pictures) / known[word]) for word in self.words], np.float32)
        raw = self._raw(pictures)
        self.mean = raw.mean(axis=0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            axes = torch.svd_lowrank(torch.from_numpy(raw - self.mean), min(size, *raw.shape), niter=4)[2]
        self.axes: Values = axes.numpy()
        self.scale: Values = np.float32(1.0) * ((raw - self.mean) @ self.axes).std(axis=0).clip(1e-6)

    def _raw(self, pictures: Sequence[Sequence[Sequence[str]]]) -> Values:
        return np.asarray(np.sqrt(shares(pictures, self.words)) * self.rarity, np.float32)

    def __call__(self, pictures: Sequence[Sequence[Sequence[str]]]) -> Values:
        """Meanings ``[pictures, size]``."""
        return np.asarray((self._raw(pictures) - self.mean) @ self.axes / self.scale, np.float32)


class Ridge:
    """A linear map of features ``[n, f]`` to values ``[n, v]``, shrunk: ``weight`` ``[f, v]``, ``bias`` ``[v]``.

    The penalty is 2 in units of the mean squared length of the centred features.
    """

    def __init__(self, features: Values, values: Values) -> None:
        centred = (features - features.mean(axis=0)).astype(np.float64)
        kernel = centred @ centred.T
        kernel += _PENALTY * np.trace(kernel) / len(kernel) * np.eye(len(kernel))
        weight = centred.T @ np.linalg.solve(kernel, values - values.mean(axis=0))
        self.weight: Values = weight.astype(np.float32)
        self.bias: Values = np.asarray(values.mean(axis=0) - features.mean(axis=0) @ self.weight, np.float32)

    def __call__(self, features: Values) -> Values:
        """Values ``[n, v]`` of features ``[n, f]``."""
        return np.asarray(features @ self.weight + self.bias, np.float32)


def crossed(features: Values, values: Values, seed: int = 7) -> Values:
    """What the map says of rows that it was not fitted to, in ten folds; of those that it was it is too sure."""
    fold = np.random.default_rng(seed).permutation(len(features)) % min(_FOLDS, len(features))
    said = np.zeros_like(values)
    for each in range(fold.max() + 1):
        said[fold == each] = Ridge(features[fold != each], values[fold != each])(features[fold == each])
    return said
