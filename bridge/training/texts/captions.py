"""Captions of photographs for training: parted by picture, in batches that a step fixes."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semantic.models.windows import split_windows
from semantic.samples.captions import caption_pairs
from semantic.scenes.captions import caption, quadrant_caption
from semantic.scenes.scene import sample_scene

__all__ = ["Captions", "split_captions"]

_HELD_OUT = 20  # one picture in so many
_TOGETHER = 8  # steps whose texts are drawn together and sorted by length, so that little is padded
_QUADRANTS = ("top left", "top right", "bottom left", "bottom right")


@dataclass(frozen=True)
class Captions:
    """Sentences, parted so that no picture has captions on both sides.

    Attributes
    ----------
    train, held_out:
        Captions of nineteen in twenty pictures, and of the others: which is which depends on the CRC-32 of
        the picture's name in the file, and on nothing else.
    """

    train: tuple[str, ...]
    held_out: tuple[str, ...]

    def batch(self, count: int, seed: int, step: int, *, longest: int, scenes: float = 0.0) -> list[str]:
        """Draw training texts: captions, pairs and windows of them, some in lower case without a full stop.

        Parameters
        ----------
        count:
            Texts.
        seed, step:
            Fix what is drawn. Texts of a step are of similar lengths.
        longest:
            Most characters of a text.
        scenes:
            Share of texts that describe procedural scenes (`semantic.scenes`) instead of photographs.
        """
        block, place = divmod(step, _TOGETHER)
        draw = np.random.default_rng([seed, block])
        texts = [self._draw(draw, longest, scenes) for _ in range(count * _TOGETHER)]
        texts.sort(key=len)
        chosen = int(draw.permutation(_TOGETHER)[place])
        return texts[chosen * count : (chosen + 1) * count]

    def _draw(self, draw: np.random.Generator, longest: int, scenes: float) -> str:
        text = _scene(draw) if draw.random() < scenes else self._one(draw)
        if draw.random() < 0.15:
            text = f"{text} {self._one(draw)}"
        windows = split_windows(text, lambda window: len(window.strip()) <= longest)
        text = windows[draw.integers(len(windows))].strip()[:longest]
        return text.lower().rstrip(".") if draw.random() < 0.25 else text

    def _one(self, draw: np.random.Generator) -> str:
        return self.train[draw.integers(len(self.train))]


def _scene(draw: np.random.Generator) -> str:
    seed = [int(word) for word in draw.integers(0, 2**32, 2)]
    scene = sample_scene(seed)
    place = int(draw.integers(2 * len(_QUADRANTS)))
    if place < len(_QUADRANTS):
        return quadrant_caption(scene, _QUADRANTS[place], seed, full=False)
    return caption(scene, seed)


def split_captions(folders: Sequence[Path]) -> Captions:
    """Read captions (`semantic.samples.captions.caption_pairs`) and part them by picture.

    White space before punctuation, which Flickr8k has, is taken out.

    Parameters
    ----------
    folders:
        Files, or folders in which ``*captions*.csv`` and ``*captions*.txt`` are read, in subfolders too. A
        heading calls its second column ``caption``.

    Raises
    ------
    ValueError
        If a file cannot be read, or there are no captions on one of the two sides.
    """
    train, held_out = list[str](), list[str]()
    for file in sorted(file for folder in folders for file in _files(folder)):
        pairs = caption_pairs(file)
        for picture, sentence in pairs[pairs[0][1].lower() == "caption" :]:
            text = _tidy(sentence)
            if text:
                (train if zlib.crc32(picture.encode()) % _HELD_OUT else held_out).append(text)
    if not train or not held_out:
        raise ValueError(
            f"captions of at least twenty or so pictures are needed in {', '.join(map(str, folders))}; found "
            f"{len(train)} to train on and {len(held_out)} held out"
        )
    return Captions(tuple(train), tuple(held_out))


def _files(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder]
    return [file for file in folder.rglob("*captions*") if file.suffix in (".csv", ".txt")]


def _tidy(text: str) -> str:
    """One space between words, none before punctuation; latin-1 only, as it is sent in 8-bit characters."""
    words = " ".join(text.split()).encode("latin-1", errors="ignore").decode("latin-1")
    return re.sub(r" ([.,;:!?](?: |$)|'s\b)", r"\1", words)
