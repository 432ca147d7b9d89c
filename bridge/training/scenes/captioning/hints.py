"""What speeds up models of scenes: places to begin with, and losses on the facts themselves.

A captioner learns from its captions, a generator from its pictures; both say little about where in a picture
a fact is to be seen, or which words of a text belong together, and it takes millions of scenes to find out.
A scene's truth is known, though, so while a model is trained, small heads read it from the middle of the
model (deep supervision): from patches of a picture what object they show, from the words of a text what
stands in each place. The heads are thrown away with the last step; models keep the shapes of their classes.

References
----------
C.-Y. Lee et al.: Deeply-supervised nets. AISTATS 2015.
L. Beyer, X. Zhai, A. Kolesnikov: Better plain ViT baselines for ImageNet-1k. arXiv 2205.01580 (fixed sines
and cosines for places).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from bridge.training.scenes.batches import IGNORED
from semantic.scenes.judge import HEADS
from semantic.scenes.scene import PLACES, Scene

__all__ = [
    "PatchFacts",
    "PatchPlaces",
    "PlaceFacts",
    "fact_loss",
    "patch_facts",
    "place_facts",
    "place_waves",
]

_OF_THINGS = ("shape", "colour", "size", "texture")
_OF_PICTURES = ("background", "light")
Targets = NDArray[np.int64]


def place_waves(side: int, width: int) -> torch.Tensor:
    """Sines and cosines of rows and columns, ``[side², width]`` at root mean square 1 / √2, ``width`` a \
multiple of 4.
    """
    rates = torch.exp(-math.log(100.0) * torch.arange(width // 4) / (width // 4))
    angles = torch.arange(side)[:, None] * rates
    line = torch.cat([angles.sin(), angles.cos()], dim=1)
    rows, columns = line[:, None].expand(-1, side, -1), line[None].expand(side, -1, -1)
    return torch.cat([rows, columns], dim=2).reshape(side * side, width)


def place_facts(scene: Scene) -> Targets:
    """Indices into `HEADS` of what stands in each place, and of the whole picture: ``[9, 6]``.

    Shape 0 is an empty place; whatever is not to be told is `IGNORED`.
    """
    facts = np.full((len(PLACES), len(HEADS)), IGNORED, np.int64)
    facts[:, 0] = 0
    for thing in scene.things:
        facts[PLACES.index(thing.place), : len(_OF_THINGS)] = [
            HEADS[name].index(getattr(thing, name)) for name in _OF_THINGS
        ]
    facts[0, len(_OF_THINGS) :] = [HEADS[name].index(getattr(scene, name)) for name in _OF_PICTURES]
    return facts


def patch_facts(scene: Scene, mask: NDArray[np.int64], patch: int) -> Targets:
    """Indices into `HEADS` of what each patch of a picture shows, and of the whole picture: ``[P, 6]``.

    Parameters
    ----------
    scene:
        The truth.
    mask:
        Which object each pixel shows, ``[side, side]`` (`semantic.scenes.draw.masks`).
    patch:
        Side of a patch in pixels. It shows the object that has most pixels in it, if they are an eighth.
    """
    side = len(mask) // patch
    cells = mask.reshape(side, patch, side, patch).transpose(0, 2, 1, 3).reshape(side * side, -1)
    counts = np.stack([(cells == 1 + index).sum(1) for index in range(len(scene.things))], axis=1)
    shown = np.where(8 * counts.max(1) >= patch * patch, counts.argmax(1), -1)
    table = place_facts(scene)
    facts = np.full((side * side, len(HEADS)), IGNORED, np.int64)
    facts[:, 0] = 0
    for index, thing in enumerate(scene.things):
        facts[shown == index] = table[PLACES.index(thing.place)]
    facts[:, len(_OF_THINGS) :] = IGNORED
    facts[0, len(_OF_THINGS) :] = table[0, len(_OF_THINGS) :]
    return facts


def fact_loss(scores: torch.Tensor, facts: torch.Tensor) -> torch.Tensor:
    """Sum over the facts' kinds of the mean cross-entropy; of shapes, empty places have a mean of their own.

    Parameters
    ----------
    scores:
        ``[B, N, values of all kinds]``.
    facts:
        ``[B, N, 6]``, as of `place_facts`.
    """
    kinds = torch.split(scores.float(), [len(values) for values in HEADS.values()], dim=2)
    total = scores.new_zeros((), dtype=torch.float32)
    for kind, (name, told) in zip(kinds, zip(HEADS, facts.unbind(2), strict=True), strict=True):
        each = F.cross_entropy(kind.flatten(0, 1), told.flatten(), ignore_index=IGNORED, reduction="none")
        groups = (told == 0, told > 0) if name == "shape" else (told != IGNORED,)
        for group in groups:
            total = total + (each * group.flatten()).sum() / group.sum().clamp(min=1)
    return total


def _values() -> int:
    return sum(map(len, HEADS.values()))


class PatchFacts(nn.Module):
    """Reads facts from the patches of a vision tower; those of the whole picture from their mean."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.read = nn.Linear(width, _values())

    def forward(self, patches: torch.Tensor, facts: torch.Tensor) -> torch.Tensor:
        """Loss of patches ``[B, P, width]`` of which ``[B, P, 6]`` is true."""
        scores = self.read(patches)
        whole = self.read(patches.mean(1, keepdim=True))
        of_things = sum(len(HEADS[name]) for name in _OF_THINGS)
        first = torch.cat([scores[:, :1, :of_things], whole[..., of_things:]], dim=2)
        return fact_loss(torch.cat([first, scores[:, 1:]], dim=1), facts)


class PatchPlaces(nn.Module):
    """Reads from a patch in which row and column it lies.

    Captioners whose patches come in order do not need that their contents tell it; a Q-Former or a text
    decoder that looks at patches in no order otherwise names all objects and none of their places.
    """

    def __init__(self, width: int, side: int) -> None:
        super().__init__()
        self.rows, self.columns = nn.Linear(width, side), nn.Linear(width, side)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Loss of the patches ``[B, side², width]``, row by row."""
        places = torch.arange(patches.shape[1], device=patches.device).expand(len(patches), -1)
        side = self.rows.out_features
        loss = F.cross_entropy(self.rows(patches).flatten(0, 1).float(), (places // side).flatten())
        return loss + F.cross_entropy(self.columns(patches).flatten(0, 1).float(), (places % side).flatten())


class PlaceFacts(nn.Module):
    """Reads what stands in each place from the words of a text, by a query for each place."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(len(PLACES), width))
        self.look = nn.MultiheadAttention(width, max(1, width // 32), batch_first=True)
        self.read = nn.Linear(width, _values())

    def forward(self, words: torch.Tensor, facts: torch.Tensor, told: Sequence[bool]) -> torch.Tensor:
        """Loss of texts ``[B, L, width]`` about scenes of which ``[B, 9, 6]`` is true, of those rows \
that tell everything.
        """
        kept = torch.tensor(told, device=words.device)
        if not kept.any():
            return words.sum() * 0.0
        words = words[kept]
        found, _ = self.look(self.queries.expand(len(words), -1, -1), words, words, need_weights=False)
        return fact_loss(self.read(found), facts[kept])
