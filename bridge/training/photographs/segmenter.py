"""The bundled segmenter: an FCN on ImageNet's MobileNet v2, whose head Pascal VOC's masks teach.

Masks are few, so the backbone first stays as ImageNet left it, and the question that masks answer best,
object or background, is asked by itself beside the class.

References
----------
J. Long, E. Shelhamer, T. Darrell: Fully convolutional networks for semantic segmentation. CVPR 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F

from bridge.training.photographs.masked import MaskedPhotographs
from bridge.training.segmentation import VOID
from bridge.training.trainer import Recipe
from semantic.models.segmentation import VOC_CLASSES
from semantic.networks.fcn_mobilenet import MobileNetFCN
from semantic.networks.pixels import imagenet_normalised

__all__ = ["segmenter"]

_COARSE = 13  # first of the backbone's last four blocks, which are dilated


def _from_masks(scores: torch.Tensor, labels: torch.Tensor, foreground: float) -> torch.Tensor:
    """Negative log-likelihood of the class, and of object or background, a judged pixel."""
    judged = (labels != VOID).sum().clamp(min=1)
    logs = scores.log_softmax(dim=1)
    nll = F.nll_loss(logs, labels, ignore_index=VOID, reduction="sum")
    # Log-likelihoods of background and of all other classes together.
    two = torch.stack([logs[:, 0], logs[:, 1:].logsumexp(dim=1)], dim=1)
    objects = torch.where(labels == VOID, labels, labels.clamp(max=1))
    return (nll + foreground * F.nll_loss(two, objects, ignore_index=VOID, reduction="sum")) / judged


def _loss(
    network: MobileNetFCN,
    step: int,
    *,
    data: MaskedPhotographs,
    batch: int,
    seed: int,
    foreground: float,
    device: str,
) -> torch.Tensor:
    crops = data.crops(batch, seed, step)
    kind = torch.device(device).type
    # Not on a CPU: without AVX-512's bfloat16 it is slower by far.
    with torch.autocast(kind, torch.bfloat16, enabled=kind != "cpu"):
        scores = network(imagenet_normalised(crops.pictures.to(device))).float()
    return _from_masks(scores, crops.labels.to(device), foreground)


def _save(network: MobileNetFCN, folder: Path) -> None:
    network.save_pretrained(folder, torch.float16)


def _make(imagenet: Path, before: Path | None, width: int, side: int) -> MobileNetFCN:
    if before is not None:
        network = MobileNetFCN.from_pretrained(before)
    else:
        network = MobileNetFCN(len(VOC_CLASSES), width, short_side=side)
        network.load_imagenet(imagenet)
    network.backbone.requires_grad_(False)
    if before is not None:
        network.backbone.blocks[_COARSE:].requires_grad_(True)
    return network


def _groups(network: MobileNetFCN) -> list[dict[str, object]]:
    """The head, and more slowly what is trained of the backbone."""
    backbone = [parameter for parameter in network.backbone.parameters() if parameter.requires_grad]
    known = {id(parameter) for parameter in network.backbone.parameters()}
    head = [parameter for parameter in network.parameters() if id(parameter) not in known]
    return [{"params": head, "lr": 1.0}, *([{"params": backbone, "lr": 0.3}] if backbone else [])]


def segmenter(
    folders: Sequence[Path],
    imagenet: Path,
    before: Path | None = None,
    *,
    seed: int = 1,
    batch: int = 16,
    side: int = 192,
    width: int = 128,
    foreground: float = 1.0,
    limit: int | None = None,
    device: str = "cpu",
) -> Recipe:
    """FCN of Pascal VOC's classes for pictures whose short side is brought to `side` pixels.

    Parameters
    ----------
    folders:
        With ``JPEGImages`` and ``SegmentationClass``.
    imagenet:
        Weights of the backbone, see `semantic.networks.fcn_mobilenet.MobileNetFCN.load_imagenet`.
    before:
        Folder of a finished training, to go on from: then the backbone's last four blocks are trained, too.
    seed, batch, side, device:
        Of the training; ``side`` of its crops in pixels. Later, pictures are resized until their short side
        has as many.
    width:
        Of the head.
    foreground:
        Weight of "object or background?" beside the class.
    limit:
        Most pictures of a folder; None takes all.
    """
    loss = partial(
        _loss,
        data=MaskedPhotographs(folders, side, limit),
        batch=batch,
        seed=seed,
        foreground=foreground,
        device=device,
    )
    make = partial(_make, imagenet, before, width, side)
    rate = 1e-3 if before is None else 3e-4
    return Recipe(
        "tiny-segmenter", make, loss, _save, rate=rate, warm_up=50, groups=_groups, weight_decay=0.02
    )
