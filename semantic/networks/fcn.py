"""Fully convolutional network on a dilated ResNet, in torchvision's key layout.

::

    picture -> conv 7x7 /2 -> max pool /2 -> layer1 -> layer2 /2 -> layer3 dilated 2 -> layer4 dilated 4
                                                                  |                  |
                                                            auxiliary head      classifier -> up x8 -> scores

The keys (``backbone.layer1.0.conv1.weight``, ``classifier.4.bias``, ...) and the arithmetic are those of
torchvision's ``fcn_resnet50`` and ``fcn_resnet101``, so their published checkpoints load as they are, without
torchvision. A smaller ``width`` gives the same network at a fraction of the size.

References
----------
J. Long, E. Shelhamer, T. Darrell: Fully convolutional networks for semantic segmentation. CVPR 2015.
K. He, X. Zhang, S. Ren, J. Sun: Deep residual learning for image recognition. CVPR 2016 (with the stride in
the 3 x 3 convolution of a bottleneck, as in torchvision).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from semantic.zoo.pretrained import Pretrained

__all__ = ["FCN"]

_EXPANSION = 4


class _Bottleneck(nn.Module):
    """1 x 1, 3 x 3 (strided or dilated), 1 x 1 to four times the width; and the shortcut."""

    def __init__(self, inputs: int, width: int, stride: int, dilation: int, project: bool) -> None:
        super().__init__()
        outputs = _EXPANSION * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if project:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[B, inputs, h, w]`` to ``[B, 4 width, h / stride, w / stride]``."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


def _layer(inputs: int, width: int, blocks: int, stride: int, first: int, dilation: int) -> nn.Sequential:
    """One ResNet layer; its first block has the dilation ``first``, the others ``dilation``."""
    layers = [_Bottleneck(inputs, width, stride, first, project=True)]
    layers += [_Bottleneck(_EXPANSION * width, width, 1, dilation, project=False) for _ in range(blocks - 1)]
    return nn.Sequential(*layers)


class _Backbone(nn.Module):
    """ResNet without its classifier; layers 3 and 4 dilated instead of strided, so the output stride is 8."""

    def __init__(self, width: int, blocks: Sequence[int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        e = _EXPANSION * width
        self.layer1 = _layer(width, width, blocks[0], stride=1, first=1, dilation=1)
        self.layer2 = _layer(e, 2 * width, blocks[1], stride=2, first=1, dilation=1)
        # torchvision's first block of a dilated layer keeps the dilation of the layer before.
        self.layer3 = _layer(2 * e, 4 * width, blocks[2], stride=1, first=1, dilation=2)
        self.layer4 = _layer(4 * e, 8 * width, blocks[3], stride=1, first=2, dilation=4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """``[B, 3, H, W]`` to the outputs of layers 3 and 4, both at H / 8."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, padding=1)
        third = self.layer3(self.layer2(self.layer1(x)))
        return third, self.layer4(third)


def _head(inputs: int, classes: int) -> nn.Sequential:
    inner = inputs // 4
    return nn.Sequential(
        nn.Conv2d(inputs, inner, 3, padding=1, bias=False),
        nn.BatchNorm2d(inner),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Conv2d(inner, classes, 1),
    )


class FCN(Pretrained):
    """FCN on a bottleneck ResNet with output stride 8.

    Parameters
    ----------
    classes:
        Labels, background included; 21 for Pascal VOC.
    width:
        Filters of the first convolution; 64 in the published networks.
    blocks:
        Bottlenecks in the four layers: (3, 4, 6, 3) for ResNet-50, (3, 4, 23, 3) for ResNet-101.
    auxiliary:
        With the second head on layer 3, which published checkpoints hold, and which is unused after training.
    short_side:
        Pixels of the short side that the network was trained for: pictures are resized to it first (520 for
        torchvision's); None: pictures as they are.
    """

    def __init__(
        self,
        classes: int = 21,
        width: int = 64,
        blocks: Sequence[int] = (3, 4, 6, 3),
        auxiliary: bool = True,
        short_side: int | None = None,
    ) -> None:
        size = {"classes": classes, "width": width, "blocks": list(blocks)}
        super().__init__({**size, "auxiliary": auxiliary, "short_side": short_side})
        if len(blocks) != 4 or min(*blocks, classes, width) < 1:
            raise ValueError(
                "an FCN has four layers of one block or more, and positive classes and width; "
                f"got blocks {list(blocks)}, classes {classes}, width {width}"
            )
        self.short_side = short_side
        self.backbone = _Backbone(width, blocks)
        self.classifier = _head(32 * width, classes)
        self.aux_classifier = _head(16 * width, classes) if auxiliary else None

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Class scores of every pixel.

        Parameters
        ----------
        pictures:
            ``[B, 3, H, W]``, ``torch.float32``, RGB normalised by ImageNet's mean and deviation.

        Returns
        -------
        torch.Tensor
            ``[B, classes, H, W]``: logits, interpolated from one in eight pixels.
        """
        scores = self.classifier(self.backbone(pictures)[1])
        return F.interpolate(scores, size=pictures.shape[2:], mode="bilinear", align_corners=False)
