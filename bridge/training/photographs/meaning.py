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
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from semantic.files import written

__all__ = ["COLOURS", "Meaning", "Pictures", "Ridge", "crossed", "shares", "words"]

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

_STOP_WORDS = """
a an the of in on at is are with and to it its his her their by as that be being this from for up out down
over through into while one two three some there has have near next off other another them he she they who
which very s t what looks like
"""
_STOP = frozenset(_STOP_WORDS.split())
_RAREST = 8  # pictures that have a word, at least
_WORDS = 2000
_STORED = ("rarity", "mean", "axes", "scale")
_PENALTY = 2.0
_FOLDS = 10

Values = NDArray[np.float32]
Pictures = Sequence[Sequence[Sequence[str]]]
"""Captions of each picture, as words."""


def words(caption: str) -> list[str]:
    """Words in lower case, without punctuation and possessive s.

    Examples
    --------
    >>> words("A dog's ball, and 2 dogs .")
    ['a', 'dog', 'ball', 'and', '2', 'dogs']
    """
    return re.findall(r"[a-z0-9]+", caption.lower().replace("'s", "").replace("'", ""))


def shares(pictures: Pictures, wanted: Sequence[str]) -> Values:
    """Share of the captions of each picture that has each of the wanted words: ``[pictures, wanted]``.

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


@dataclass(frozen=True)
class Meaning:
    """Meanings of pictures that go by their captions; `fit` makes one.

    Attributes
    ----------
    words:
        That count.
    rarity:
        ``[words]``: logarithm of how many pictures there are for one whose captions have the word.
    mean:
        ``[words]``: of the weighted words.
    axes:
        ``[words, size]``: principal axes around it.
    scale:
        ``[size]``: deviation along each, so that every number has a variance of 1.
    """

    words: tuple[str, ...]
    rarity: Values
    mean: Values
    axes: Values
    scale: Values

    @classmethod
    def fit(cls, pictures: Pictures, size: int = 128, seed: int = 1) -> Self:
        """Find the axes of pictures by their captions.

        Parameters
        ----------
        pictures:
            Captions of each, as `words`.
        size:
            Numbers of a meaning; fewer where there are fewer words or pictures.
        seed:
            Of the randomised decomposition.

        Raises
        ------
        ValueError
            If no word stands in the captions of eight pictures.
        """
        known = Counter(word for captions in pictures for word in set().union(*captions) - _STOP)
        common = tuple(word for word, count in known.most_common(_WORDS) if count >= _RAREST)
        if not common:
            raise ValueError(f"no word stands in the captions of {_RAREST} pictures: give more captions")
        rarity = np.array([math.log(len(pictures) / known[word]) for word in common], np.float32)
        raw = np.sqrt(shares(pictures, common)) * rarity
        mean = raw.mean(axis=0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            axes = torch.svd_lowrank(torch.from_numpy(raw - mean), min(size, *raw.shape), niter=4)[2].numpy()
        return cls(common, rarity, mean, axes, ((raw - mean) @ axes).std(axis=0).clip(1e-6))

    def __call__(self, pictures: Pictures) -> Values:
        """Meanings ``[pictures, size]``."""
        raw = np.sqrt(shares(pictures, self.words)) * self.rarity
        return np.asarray((raw - self.mean) @ self.axes / self.scale, np.float32)

    def save(self, file: Path) -> None:
        """Write it as safetensors, the axes in half precision."""
        tensors = {name: torch.from_numpy(getattr(self, name)).contiguous() for name in _STORED}
        tensors["axes"] = tensors["axes"].half()
        with written(file) as beside:
            save_file(tensors, beside, metadata={"words": " ".join(self.words)})

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            If the file is not there, or holds something else.
        """
        try:
            with safe_open(str(file), "np") as stored:
                words = tuple(stored.metadata()["words"].split())
                values = {name: stored.get_tensor(name).astype(np.float32) for name in _STORED}
        except (OSError, SafetensorError, TypeError, KeyError) as error:
            raise ValueError(f"{str(file)!r} holds no meanings of captions: {error}") from error
        return cls(words, **values)


class Ridge:
    """A linear map of features ``[n, f]`` to values ``[n, v]``, shrunk: weight ``[f, v]``, bias ``[v]``.

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
    """What the map says of rows that it was not fitted to, in ten folds; of others it is too sure."""
    fold = np.random.default_rng(seed).permutation(len(features)) % min(_FOLDS, len(features))
    said = np.zeros_like(values)
    for each in range(fold.max() + 1):
        said[fold == each] = Ridge(features[fold != each], values[fold != each])(features[fold == each])
    return said
