"""What evaluations of segmenters share: figures from masks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from bridge.training.figures import Baseline, Figure, Mean, Pooled, Share
from semantic.models.segmentation import MainObject, confusion, iou, main_object, mean_iou

__all__ = ["VOID", "Agreement", "Labels", "agreement", "box_in_the_middle", "mask_figures"]

VOID = 255
"""Label of pixels that are not judged."""

_BOX = "box-in-the-middle"


class Labels(Protocol):
    """Whatever labels pixels, as `semantic.models.segmentation.Segmenter` does."""

    def labels(self, pictures: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.int64]]:
        """Label of every pixel of pictures, each at its own size."""


class Agreement(NamedTuple):
    """How the labels of one picture agree with the truth.

    Attributes
    ----------
    counts:
        Pixels by true (row) and found (column) class, ``[classes, classes]``.
    mask, box:
        Intersection over union of the main objects' masks, and of their boxes; None if there is none.
    named:
        Whether the main object has the right class.
    """

    counts: NDArray[np.int64]
    mask: float | None
    box: float | None
    named: bool | None


def agreement(found: NDArray[np.int64], true: NDArray[np.int64], classes: int) -> Agreement:
    """Hold labels ``[H, W]`` against the truth, whose pixels of label 255 count nowhere."""
    counts = confusion(found, true, classes)
    target = main_object(true)
    if not target.found:
        return Agreement(counts, None, None, None)
    said, judged = main_object(found), true != VOID
    overlap = iou(said.mask & judged, target.mask & judged)
    return Agreement(counts, overlap, iou(_boxed(said), _boxed(target)), said.label == target.label)


def _boxed(thing: MainObject) -> NDArray[np.bool_]:
    """The object's box as a mask."""
    top, left, bottom, right = thing.box
    mask = np.zeros_like(thing.mask)
    mask[top:bottom, left:right] = True
    return mask


def box_in_the_middle(true: NDArray[np.int64]) -> NDArray[np.int64]:
    """Labels of who has not looked: an object of class 1, half of each side, in the middle."""
    return main_object(np.zeros_like(true)).mask.astype(np.int64)


def mask_figures(found: Sequence[Agreement], middle: Sequence[Agreement], at: str = "") -> Iterable[Figure]:
    """Figures of a segmenter, those of the main object and of all together beside a box in the middle's.

    Parameters
    ----------
    found, middle:
        Of its labels, and of `box_in_the_middle`, on the same pictures.
    at:
        Condition.
    """
    for name, part in (("main-object-iou", "mask"), ("main-object-box-iou", "box")):
        ours, theirs = (
            Mean(tuple(value for each in all_ if (value := getattr(each, part)) is not None))
            for all_ in (found, middle)
        )
        yield Figure(name, at, ours, Baseline(_BOX, theirs))
    named = [int(each.named) for each in found if each.named is not None]
    yield Figure("main-object-named", at, Share(tuple(named), (1,) * len(named)))
    yield Figure("mean-iou", at, Pooled(np.stack([each.counts for each in found]), mean_iou))
    yield Figure("objects-iou", at, _objects(found), Baseline(_BOX, _objects(middle)))


def _objects(found: Sequence[Agreement]) -> Share:
    """All objects, whatever their class, against the background: intersection over union of pixels."""
    return Share(
        tuple(int(each.counts[1:, 1:].sum()) for each in found),
        tuple(int(each.counts.sum() - each.counts[0, 0]) for each in found),
    )
