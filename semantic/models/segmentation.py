"""Which pixels are what, and which of them are the picture's main object.

::

    picture -> Segmenter -> label of every pixel -> main_object -> its mask and its box

References
----------
J. Long, E. Shelhamer, T. Darrell: Fully convolutional networks for semantic segmentation. CVPR 2015.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from semantic.networks.fcn import FCN
from semantic.networks.fcn_mobilenet import MobileNetFCN
from semantic.networks.pixels import Picture, imagenet_normalised, to_tensor
from semantic.zoo.complete import check_tensors
from semantic.zoo.missing import WeightsMissing
from semantic.zoo.presets import PRESETS
from semantic.zoo.pretrained import read_config

__all__ = [
    "VOC_CLASSES",
    "MainObject",
    "Segmenter",
    "confusion",
    "iou",
    "main_object",
    "mean_iou",
]

VOC_CLASSES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
"""Names of Pascal VOC's labels 0 to 20; label 255 marks pixels that belong to none (object borders)."""

_SHORT_SIDE = 520  # of torchvision's reference evaluation
_BACKGROUND = 0
_VOID = 255
_SPREAD = 0.25  # of salience, as a fraction of a side
_LEAST = 0.01  # of the picture: smallest region that counts as an object


class Segmenter:
    """Labels the pixels of pictures by an FCN.

    Parameters
    ----------
    network:
        Put into evaluation mode. Its ``short_side`` says to what size pictures are brought first.

    Examples
    --------
    >>> from semantic import resolve, scenes
    >>> (sample,) = scenes.load(1, seed=7, difficulty="medium")
    >>> (labels,) = Segmenter.from_pretrained(resolve("tiny-scene-segmenter")).labels([sample.pixels])
    >>> labels.shape, main_object(labels).found
    ((64, 64), True)
    """

    def __init__(self, network: FCN | MobileNetFCN) -> None:
        self.network = network.eval()

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, *, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
    ) -> Self:
        """Read an `FCN` or `MobileNetFCN` from what ``save_pretrained`` wrote.

        Raises
        ------
        semantic.zoo.weights.WeightsMissing
            If the folder lacks one of the two files.
        ValueError
            If it holds something else.
        """
        mobile = read_config(folder).get("architectures") == [MobileNetFCN.__name__]
        return cls((MobileNetFCN if mobile else FCN).from_pretrained(folder, device=device, dtype=dtype))

    @classmethod
    def from_torchvision(
        cls, path: str | Path, *, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
    ) -> Self:
        """Read one of torchvision's published networks, without torchvision.

        Parameters
        ----------
        path:
            The checkpoint under the name it is published by (``fcn_resnet50_coco-1167a1af.pth``). Its SHA-256
            must be that of the preset of this file, or else begin with the digits that end its name.
        device, dtype:
            Where the network is to live, and the type of its floating-point tensors.

        Raises
        ------
        semantic.zoo.weights.WeightsMissing
            If there is no such file.
        ValueError
            If its digest is not the one in its name, or it holds another network.
        """
        state = _read_published(Path(path))
        try:
            network = FCN(**_settings(state))
            found = network.load_state_dict(state, strict=False)
        except (KeyError, RuntimeError) as error:
            raise ValueError(f"{str(path)!r} is none of torchvision's FCNs: {error}") from error
        check_tensors(path, "FCN", network.state_dict(), found.missing_keys, found.unexpected_keys)
        return cls(network.to(device=device, dtype=dtype))

    @torch.no_grad()
    def labels(self, pictures: Sequence[Picture]) -> list[NDArray[np.int64]]:
        """Label of every pixel.

        Pictures go through the network one at a time: sizes may differ, and results do not depend on company.

        Parameters
        ----------
        pictures:
            Each ``[H, W, 3]``, ``uint8``.

        Returns
        -------
        list[ndarray]
            Each ``[H, W]``, ``int64``, at the picture's own size: the class with the highest score, scores
            being interpolated, not labels.

        Raises
        ------
        ValueError
            If a picture has another shape or type.
        """
        return [self._label(picture) for picture in pictures]

    def _label(self, picture: Picture) -> NDArray[np.int64]:
        scores = self.network(self._prepare(picture)).float()
        if scores.shape[2:] != picture.shape[:2]:
            scores = F.interpolate(scores, size=picture.shape[:2], mode="bilinear", align_corners=False)
        return np.asarray(scores[0].argmax(dim=0).cpu().numpy(), dtype=np.int64)

    def _prepare(self, picture: Picture) -> torch.Tensor:
        _check_picture(picture)
        if self.network.short_side is not None:
            scale = self.network.short_side / min(picture.shape[:2])
            size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
            picture = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))
        weight = next(self.network.parameters())
        return imagenet_normalised(to_tensor(picture)).to(device=weight.device, dtype=weight.dtype)


def _read_published(file: Path) -> dict[str, torch.Tensor]:
    """Tensors of a checkpoint whose digest is as published; its pickle is not run."""
    if not file.is_file():
        raise WeightsMissing(f"there is no checkpoint {str(file)!r}; get one with: semphy fetch fcn-resnet50")
    pinned = {name: preset.pickle_sha256 for preset in PRESETS.values() for name in preset.files}
    named = re.search(r"-([0-9a-f]{8,64})$", file.stem)
    digits = pinned.get(file.name) or (named[1] if named else "")
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if not digits or not digest.startswith(digits):
        raise ValueError(
            f"{str(file)!r} is no published checkpoint: "
            f"its SHA-256 is {digest}, not {digits or 'in its name'}"
        )
    state: dict[str, torch.Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return state


def _settings(state: dict[str, torch.Tensor]) -> dict[str, Any]:
    """What an `FCN` must be for this state dict to fit."""
    depth = Counter(key.split(".")[1] for key in state if key.endswith(".conv2.weight"))
    return {
        "classes": state["classifier.4.weight"].shape[0],
        "width": state["backbone.conv1.weight"].shape[0],
        "blocks": [depth[f"layer{index}"] for index in (1, 2, 3, 4)],
        "auxiliary": "aux_classifier.4.weight" in state,
        "short_side": _SHORT_SIDE,
    }


@dataclass(frozen=True)
class MainObject:
    """The main object of a picture.

    Attributes
    ----------
    mask:
        ``[H, W]``, ``bool``.
    box:
        ``(top, left, bottom, right)`` in pixels, bottom and right exclusive.
    label:
        Its class; 0 when none was found.
    found:
        False when there is no object and the box is the centre crop instead.
    """

    mask: NDArray[np.bool_]
    box: tuple[int, int, int, int]
    label: int
    found: bool


def main_object(labels: NDArray[Any]) -> MainObject:
    """The most salient connected region of one class.

    A region's salience is the sum over its pixels of ``exp(-(u² + v²) / (2 0.25²))``; u and v are the pixel's
    distances from the centre as fractions of the sides. So size counts, and a pixel in a corner counts a 55th
    of one in the centre. Pixels touch over edges and corners.

    Parameters
    ----------
    labels:
        ``[H, W]``, integers; 0 is background and 255 nothing.

    Returns
    -------
    MainObject
        Where no region has a hundredth of the pixels: the central half of each side, all of it mask,
        ``found=False``.

    Raises
    ------
    ValueError
        If the shape does not fit or labels are no integers.

    Examples
    --------
    >>> labels = np.zeros((8, 8), int)
    >>> labels[2:5, 3:6] = 12
    >>> main_object(labels).box
    (2, 3, 5, 6)
    """
    if labels.ndim != 2 or labels.size == 0 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"labels are [height, width] of integers, got {list(labels.shape)} of {labels.dtype}"
        )
    importance = _centrality(*labels.shape)
    best: tuple[float, int, NDArray[np.bool_]] | None = None
    for label in np.unique(labels):
        if label in (_BACKGROUND, _VOID):
            continue
        regions, count = ndimage.label(labels == label, structure=np.ones((3, 3)))
        sizes = np.bincount(regions.ravel(), minlength=count + 1)
        salience = np.bincount(regions.ravel(), weights=importance.ravel(), minlength=count + 1)
        salience[sizes < _LEAST * labels.size] = -np.inf
        salience[0] = -np.inf
        winner = int(salience.argmax())
        if np.isfinite(salience[winner]) and (best is None or salience[winner] > best[0]):
            best = float(salience[winner]), int(label), regions == winner
    if best is None:
        return _centre_crop(*labels.shape)
    _, label, mask = best
    return MainObject(mask, _box(mask), label, True)


def _check_picture(picture: Picture) -> None:
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.size == 0 or picture.dtype != np.uint8:
        raise ValueError(
            f"a picture is [height, width, 3] of uint8, got {list(picture.shape)} of {picture.dtype}"
        )


def _centrality(height: int, width: int) -> NDArray[np.float64]:
    """Gaussian weights ``[H, W]`` around the centre of the picture."""
    u, v = (((np.arange(side) + 0.5) / side - 0.5) / _SPREAD for side in (height, width))
    return np.exp(-(u[:, None] ** 2 + v**2) / 2)


def _box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def _centre_crop(height: int, width: int) -> MainObject:
    top, left = height // 4, width // 4
    box = (top, left, height - top, width - left)
    mask = np.zeros((height, width), dtype=np.bool_)
    mask[box[0] : box[2], box[1] : box[3]] = True
    return MainObject(mask, box, _BACKGROUND, False)


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks of one shape; 1 when both are empty.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if a.shape != b.shape:
        raise ValueError(f"masks of one shape are needed, got {list(a.shape)} and {list(b.shape)}")
    union = np.logical_or(a, b).sum()
    return float(np.logical_and(a, b).sum() / union) if union else 1.0


def confusion(predicted: NDArray[Any], true: NDArray[Any], classes: int = 21) -> NDArray[np.int64]:
    """Count pixels by true (row) and predicted (column) class; pixels whose truth is 255 are left out.

    Counts of several pictures add.

    Returns
    -------
    ndarray
        ``[classes, classes]``, ``int64``.

    Raises
    ------
    ValueError
        If the shapes differ or a label is no class.
    """
    if predicted.shape != true.shape:
        raise ValueError(f"label maps differ in shape: {list(predicted.shape)} and {list(true.shape)}")
    judged = true != _VOID
    p, t = predicted[judged].astype(np.int64), true[judged].astype(np.int64)
    if p.size and not (min(p.min(), t.min()) >= 0 and max(p.max(), t.max()) < classes):
        raise ValueError(
            f"labels are 0 to {classes - 1} (255 in the truth: not judged), "
            f"got {min(p.min(), t.min())} to {max(p.max(), t.max())}"
        )
    counts = np.bincount(t * classes + p, minlength=classes**2)
    return np.asarray(counts.reshape(classes, classes), dtype=np.int64)


def mean_iou(counts: NDArray[Any]) -> float:
    """Mean over classes of intersection over union, counted over all pictures together as Pascal VOC does.

    With c_tp the pixels of true class t that were labelled p, class i has
    ``c_ii / (sum_p c_ip + sum_t c_ti - c_ii)``. Classes that neither the truth nor the prediction has are
    left out of the mean.

    Parameters
    ----------
    counts:
        ``[classes, classes]``, the sum of the pictures' `confusion`.

    Raises
    ------
    ValueError
        If the truth judges no pixel.

    Examples
    --------
    >>> round(mean_iou(np.array([[2, 1], [0, 3]])), 4)  # 2 of 3, and 3 of 4
    0.7083
    """
    union = counts.sum(axis=0) + counts.sum(axis=1) - counts.diagonal()
    if not union.any():
        raise ValueError("the truth judges no pixel: every label is 255")
    return float(np.mean(counts.diagonal()[union > 0] / union[union > 0]))
