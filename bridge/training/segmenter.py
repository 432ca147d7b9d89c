"""The bundled segmenter: a narrow FCN on Pascal VOC's classes, taught by masks and, optionally, by a teacher.

Masks are few, so a network that starts from nothing overfits soon. Two things help: the question that masks
answer best, object or background, is asked by itself beside the class; and a published network's scores are
imitated, also of pictures that nobody has masked.

References
----------
J. Long, E. Shelhamer, T. Darrell: Fully convolutional networks for semantic segmentation. CVPR 2015.
G. Hinton, O. Vinyals, J. Dean: Distilling the knowledge in a neural network. arXiv 1503.02531, 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from bridge.training.masked import MaskedPhotographs
from bridge.training.teacher import Teacher
from bridge.training.trainer import Recipe
from semantic.datasets import read_picture
from semantic.fcn import FCN
from semantic.segmentation import VOC_CLASSES, confusion, iou, main_object, mean_iou

__all__ = [
    "Labels",
    "SegmenterScores",
    "compare",
    "evaluate_segmenter",
    "make_fcn",
    "normalised",
    "segmenter",
]

_VOID = 255
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_AUXILIARY = 0.4  # weight of the second head, as in torchvision's training
_TEMPERATURE = 2.0


def normalised(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures ``[B, 3, H, W]`` from 0 to 1 as an `FCN` takes them."""
    mean, deviation = (torch.tensor(v, device=pictures.device).view(3, 1, 1) for v in (_MEAN, _DEVIATION))
    return (pictures - mean) / deviation


def _from_masks(scores: torch.Tensor, labels: torch.Tensor, foreground: float) -> torch.Tensor:
    """Negative log-likelihood of the class, and of object or background, a judged pixel."""
    judged = (labels != _VOID).sum().clamp(min=1)
    logs = scores.log_softmax(dim=1)
    nll = F.nll_loss(logs, labels, ignore_index=_VOID, reduction="sum")
    # Log-likelihoods of background and of all other classes together.
    two = torch.stack([logs[:, 0], logs[:, 1:].logsumexp(dim=1)], dim=1)
    objects = torch.where(labels == _VOID, labels, labels.clamp(max=1))
    return (nll + foreground * F.nll_loss(two, objects, ignore_index=_VOID, reduction="sum")) / judged


def _from_teacher(scores: torch.Tensor, taught: torch.Tensor) -> torch.Tensor:
    """Divergence of the softened scores from the teacher's, a pixel, on the scale of its gradients."""
    wanted = (taught / _TEMPERATURE).softmax(dim=1)
    found = (scores / _TEMPERATURE).log_softmax(dim=1)
    pixels = scores.numel() // scores.shape[1]
    return F.kl_div(found, wanted, reduction="sum") / pixels * _TEMPERATURE**2


def _loss(
    network: FCN,
    step: int,
    *,
    data: MaskedPhotographs,
    batch: int,
    seed: int,
    foreground: float,
    imitation: float,
    device: str,
) -> torch.Tensor:
    crops = data.crops(batch, seed, step)
    labels, kind = crops.labels.to(device), torch.device(device).type
    # Not on a CPU: without AVX-512's bfloat16 it is slower by far.
    with torch.autocast(kind, torch.bfloat16, enabled=kind != "cpu"):
        heads = [scores.float() for scores in network.both(normalised(crops.pictures.to(device)))]
    losses = [_from_masks(scores, labels, foreground) for scores in heads]
    if crops.taught is not None:
        taught = crops.taught.to(device)
        losses = [
            (1 - imitation) * loss + imitation * _from_teacher(scores, taught)
            for loss, scores in zip(losses, heads, strict=True)
        ]
    return losses[0] + _AUXILIARY * losses[1]


def _save(network: FCN, folder: Path) -> None:
    network.save_pretrained(folder, torch.float16)


def segmenter(
    folders: Sequence[Path],
    *,
    unmasked: Sequence[Path] = (),
    teacher: Path | None = None,
    seed: int = 1,
    batch: int = 16,
    side: int = 96,
    width: int = 16,
    blocks: Sequence[int] = (3, 4, 6, 3),
    foreground: float = 1.0,
    imitation: float = 0.7,
    limit: int | None = None,
    device: str = "cpu",
) -> Recipe:
    """FCN of Pascal VOC's classes for pictures whose short side is brought to `side` pixels.

    Parameters
    ----------
    folders:
        With ``JPEGImages`` and ``SegmentationClass``.
    unmasked:
        Folders of pictures without masks; of use with a teacher only.
    teacher:
        Folder of a `bridge.training.teacher.Teacher`; None learns from masks alone.
    seed, batch, side, device:
        Of the training; ``side`` of its crops in pixels. Later, pictures are resized until their short side
        has as many.
    width, blocks:
        Of the `FCN`.
    foreground:
        Weight of "object or background?" beside the class.
    imitation:
        Weight of the teacher's scores against the masks', 0 to 1.
    limit:
        Most pictures of a folder; None takes all.
    """
    loss = partial(
        _loss,
        data=MaskedPhotographs(
            folders, unmasked, side, None if teacher is None else Teacher(teacher).to(device), limit
        ),
        batch=batch,
        seed=seed,
        foreground=foreground,
        imitation=imitation,
        device=device,
    )
    make = partial(make_fcn, len(VOC_CLASSES), width, tuple(blocks), side, auxiliary=True)
    return Recipe("tiny-segmenter", make, loss, _save, rate=2e-3, warm_up=200, weight_decay=0.02)


def make_fcn(classes: int, width: int, blocks: Sequence[int], side: int, *, auxiliary: bool) -> FCN:
    """Make an `FCN` that can start from nothing, from PyTorch's global generator; parameters as there."""
    network = FCN(classes, width, blocks, auxiliary=auxiliary, short_side=side)
    for name, module in network.named_modules():
        # Every bottleneck starts as its shortcut, which lets deep networks start at all.
        if name.endswith("bn3") and isinstance(module, nn.BatchNorm2d):
            nn.init.zeros_(module.weight)
    return network


@dataclass(frozen=True)
class SegmenterScores:
    """How well a segmenter finds objects.

    Attributes
    ----------
    main_object_ious:
        Of every picture whose truth has a main object: intersection over union of the main object's masks.
    mean_iou:
        Mean over classes, counted over all pixels, as Pascal VOC does.
    foreground_iou:
        Of all objects together against background, counted over all pixels.
    """

    main_object_ious: tuple[float, ...]
    mean_iou: float
    foreground_iou: float

    @property
    def main_object_iou(self) -> float:
        """Mean over pictures."""
        return float(np.mean(self.main_object_ious))


class Labels(Protocol):
    """Whatever labels pixels, as `semantic.segmentation.Segmenter` does."""

    def labels(self, pictures: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.int64]]:
        """Label of every pixel of pictures, each at its own size."""


def evaluate_segmenter(found_by: Labels, folder: Path) -> SegmenterScores:
    """Compare with masks; pixels that these do not judge (255) count nowhere.

    Parameters
    ----------
    found_by:
        The segmenter.
    folder:
        With ``JPEGImages`` and ``SegmentationClass``.

    Raises
    ------
    ValueError
        If there are no masks, or none of them shows an object.
    """
    found, true = list[NDArray[np.int64]](), list[NDArray[np.int64]]()
    for mask in sorted(folder.glob("SegmentationClass/*.png")):
        true.append(np.asarray(Image.open(mask)).astype(np.int64))
        found += found_by.labels([read_picture(folder / "JPEGImages" / f"{mask.stem}.jpg")])
    if not any(main_object(truth).found for truth in true):
        raise ValueError(f"{folder} has no masks with objects: SegmentationClass/NAME.png is what is read")
    return compare(found, true, len(VOC_CLASSES))


def compare(
    found: Sequence[NDArray[np.int64]], true: Sequence[NDArray[np.int64]], classes: int
) -> SegmenterScores:
    """Score the labels of pictures, each ``[H, W]``, against the truth, in which 255 is not judged."""
    main = []
    for labels, truth in zip(found, true, strict=True):
        target, judged = main_object(truth), truth != _VOID
        if target.found:
            main.append(iou(main_object(labels).mask & judged, target.mask & judged))
    pairs = zip(found, true, strict=True)
    counts = sum((confusion(f.clip(max=1), _objects(t), 2) for f, t in pairs), np.zeros((2, 2), np.int64))
    foreground = counts[1, 1] / max(1, counts.sum() - counts[0, 0])
    return SegmenterScores(tuple(main), mean_iou(found, true, classes), float(foreground))


def _objects(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """1 for every class but the background; what is not judged stays so."""
    return np.where(labels == _VOID, _VOID, labels.clip(max=1))
