"""Fully convolutional network on MobileNet v2: small, and its backbone can come from ImageNet.

::

    picture -> stem /2 -> 17 inverted residuals, to /16 (the last four dilated instead of strided)
                             |  sixth, /8          |  13th, /16         |  last, /16, and its mean
                             1 x 1                 1 x 1                1 x 1
                             +---- at /8: sum -> 3 x 3 -> 1 x 1 -> up x8 -> scores

References
----------
J. Long, E. Shelhamer, T. Darrell: Fully convolutional networks for semantic segmentation. CVPR 2015 (skips).
M. Sandler et al.: MobileNetV2: inverted residuals and linear bottlenecks. CVPR 2018.
W. Liu, A. Rabinovich, A. C. Berg: ParseNet: looking wider to see better. arXiv 1506.04579, 2015 (the mean).
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from semantic.networks.pixels import imagenet_restored
from semantic.zoo.pretrained import Pretrained

__all__ = ["MobileNetBackbone", "MobileNetFCN"]

# Expansion, outputs, repetitions, stride of the first, dilation behind it: Table 2 of MobileNet v2, but with
# dilation instead of the last stride.
_STAGES = (
    (1, 16, 1, 1, 1),
    (6, 24, 2, 2, 1),
    (6, 32, 3, 2, 1),
    (6, 64, 4, 2, 1),
    (6, 96, 3, 1, 1),
    (6, 160, 3, 1, 2),
    (6, 320, 1, 1, 2),
)
_SEEN = (5, 12, 16)  # inverted residuals that the head sees


class _Convolution(nn.Conv2d):
    """With TensorFlow's ``SAME`` padding, of which an odd row goes behind."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[B, inputs, h, w]`` to ``[B, outputs, ceil(h / stride), ceil(w / stride)]``."""
        amounts: list[int] = []
        for side, k, s, d in zip(x.shape[2:], self.kernel_size, self.stride, self.dilation, strict=True):
            missing = max((-(-side // s) - 1) * s + (k - 1) * d + 1 - side, 0)
            amounts = [missing // 2, missing - missing // 2, *amounts]
        return super().forward(F.pad(x, amounts))


class _InvertedResidual(nn.Module):
    """1 x 1 to more channels, 3 x 3 in each, 1 x 1 back without an activation; normalisation is folded in."""

    def __init__(self, inputs: int, expansion: int, outputs: int, stride: int, dilation: int) -> None:
        super().__init__()
        inner = expansion * inputs
        self.expand = _Convolution(inputs, inner, 1) if expansion > 1 else None
        self.depthwise = _Convolution(inner, inner, 3, stride, dilation=dilation, groups=inner)
        self.project = _Convolution(inner, outputs, 1)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[B, inputs, h, w]`` to ``[B, outputs, h / stride, w / stride]``."""
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.shortcut else y


class MobileNetBackbone(nn.Module):
    """MobileNet v2 of width 1 without its classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _Convolution(3, 32, 3, 2)
        self.blocks = nn.ModuleList()
        inputs, dilated = 32, 1
        for expansion, outputs, repetitions, stride, dilation in _STAGES:
            for index in range(repetitions):
                # As in the FCN: the first block of a dilated stage keeps the dilation of the stage before.
                rate = dilated if index == 0 else dilation
                self.blocks.append(
                    _InvertedResidual(inputs, expansion, outputs, 1 if index else stride, rate)
                )
                inputs = outputs
            dilated = dilation

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        """``[B, 3, H, W]`` from -1 to 1 to what the blocks that are seen give."""
        x, seen = F.relu6(self.stem(pictures)), []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in _SEEN:
                seen.append(x)
        return seen


class MobileNetFCN(Pretrained):
    """FCN on MobileNet v2 with skips; scores at one in eight pixels.

    Parameters
    ----------
    classes:
        Labels, background included; 21 for Pascal VOC.
    width:
        Channels of the head.
    short_side:
        Pixels of the short side that the network was trained for: pictures are resized to it first; None:
        pictures as they are.
    """

    def __init__(self, classes: int = 21, width: int = 128, short_side: int | None = None) -> None:
        super().__init__({"classes": classes, "width": width, "short_side": short_side})
        if min(classes, width) < 1:
            raise ValueError(f"classes and width are positive, got {classes} and {width}")
        self.short_side = short_side
        self.backbone = MobileNetBackbone()
        self.laterals = nn.ModuleList(nn.Conv2d(n, width, 1) for n in (32, 96, 320, 320))
        self.mix = nn.Conv2d(width, width, 3, padding=1)
        self.classifier = nn.Conv2d(width, classes, 1)

    def load_imagenet(self, file: Path) -> None:
        """Take the backbone from a classifier of ImageNet's classes.

        Parameters
        ----------
        file:
            ``*.safetensors`` with TensorFlow's names (``MobilenetV2.expanded_conv_3.expand.weight``),
            batch normalisation folded into weights and biases.

        Raises
        ------
        ValueError
            If a tensor is missing or has another shape.
        """
        tensors = load_file(file)
        state = {}
        for name, target in self.backbone.state_dict().items():
            block, _, rest = name.removeprefix("blocks.").partition(".")
            layer = "Conv" if block == "stem" else "expanded_conv" + (f"_{block}" if block != "0" else "")
            source = f"MobilenetV2.{layer}.{rest}"
            if source not in tensors or tensors[source].shape != target.shape:
                got = list(tensors[source].shape) if source in tensors else None
                raise ValueError(
                    f"{file} is no MobileNet v2: {source} should be {list(target.shape)}, is {got}"
                )
            state[name] = tensors[source].float()
        self.backbone.load_state_dict(state)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Scores ``[B, classes, H, W]`` of ``[B, 3, H, W]``, as `semantic.networks.fcn.FCN` has them."""
        fine, middle, coarse = self.backbone(2 * imagenet_restored(pictures) - 1)
        whole = coarse.mean(dim=(2, 3), keepdim=True)
        first, *others = (
            lateral(x) for lateral, x in zip(self.laterals, (fine, middle, coarse, whole), strict=True)
        )
        for other in others:
            first = first + F.interpolate(other, size=first.shape[2:], mode="bilinear", align_corners=False)
        scores = self.classifier(F.relu(self.mix(F.relu(first))))
        return F.interpolate(scores, size=pictures.shape[2:], mode="bilinear", align_corners=False)
