"""Pictures as arrays of pixels and as the planes that networks take, and ImageNet's colours."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = [
    "IMAGENET_DEVIATION",
    "IMAGENET_MEAN",
    "MEAN_COLOUR",
    "Picture",
    "imagenet_normalised",
    "imagenet_restored",
    "to_picture",
    "to_tensor",
]

Picture = NDArray[np.uint8]
"""A picture, ``[height, width, 3]``, ``uint8``, RGB."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Mean of red, green and blue over ImageNet's training pictures, white being 1."""
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
"""Standard deviation of red, green and blue over the same pictures."""
MEAN_COLOUR = (124, 116, 104)
"""`IMAGENET_MEAN` on the scale of 255, the colour of natural pictures as far as nothing else is known."""


def to_tensor(picture: Picture) -> torch.Tensor:
    """``[H, W, 3]``, ``uint8``, to ``[1, 3, H, W]``, ``torch.float32``, from 0 to 1; a copy.

    Examples
    --------
    >>> to_tensor(np.full((2, 4, 3), 51, np.uint8)).unique()
    tensor([0.2000])
    """
    return torch.tensor(picture).permute(2, 0, 1)[None].float() / 255


def to_picture(planes: torch.Tensor) -> Picture:
    """``[1, 3, H, W]`` from 0 to 1, on any device, to ``[H, W, 3]``, ``uint8``: clipped and rounded.

    Examples
    --------
    >>> to_picture(torch.tensor([-0.1, 0.5, 1.2]).reshape(1, 3, 1, 1)).tolist()
    [[[0, 128, 255]]]
    """
    return (planes[0].detach().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()


def imagenet_normalised(planes: torch.Tensor) -> torch.Tensor:
    """``[..., 3, H, W]`` from 0 to 1 less `IMAGENET_MEAN`, over `IMAGENET_DEVIATION`, colour by colour."""
    mean, deviation = _columns(planes)
    return (planes - mean) / deviation


def imagenet_restored(normalised: torch.Tensor) -> torch.Tensor:
    """The reverse of `imagenet_normalised`."""
    mean, deviation = _columns(normalised)
    return normalised * deviation + mean


def _columns(like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    mean, deviation = (torch.tensor(v).to(like).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_DEVIATION))
    return mean, deviation
