"""Learned perceptual image patch similarity (LPIPS) v0.1 on AlexNet or VGG-16 features.

The linear heads are bundled (see ``lpips_heads/NOTICE``). The backbone's weights are not: they are read from
PyTorch's checkpoint directory, where ``semphy fetch lpips-alex`` or ``lpips-vgg`` puts them. Say which net a
figure was made with: the two do not share a scale, and neither is bounded by 1.

References
----------
R. Zhang, P. Isola, A. A. Efros, E. Shechtman, O. Wang: The unreasonable effectiveness of deep features as a
perceptual metric. CVPR 2018, equation 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from semantic.metrics.perceptual import FeatureDistance, Net, assign
from semantic.zoo import weights
from semantic.zoo.weights import Checkpoint

__all__ = ["BACKBONES", "LPIPS", "Net", "load"]

BACKBONES: dict[Net, Checkpoint] = {
    "alex": Checkpoint(
        file="alexnet-owt-7be5be79.pth",
        url="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        sha256="7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        size_bytes=244_408_911,
        fetched_as="lpips-alex",
    ),
    "vgg": Checkpoint(
        file="vgg16-397923af.pth",
        url="https://download.pytorch.org/models/vgg16-397923af.pth",
        sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        size_bytes=553_433_881,
        fetched_as="lpips-vgg",
    ),
}
"""The ImageNet classifiers that LPIPS v0.1 was calibrated on, as PyTorch publishes them (BSD-3-Clause)."""

# The five activations compared, in torchvision's numbering of ``features``: every ReLU of AlexNet, the last
# one before each pool of VGG.
_TAPS: dict[Net, tuple[int, ...]] = {"alex": (1, 4, 7, 9, 11), "vgg": (3, 8, 15, 22, 29)}
_SMALLEST: dict[Net, int] = {"alex": 31, "vgg": 16}


def _alex_features() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(64, 192, kernel_size=5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(192, 384, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, kernel_size=3, padding=1),
        nn.ReLU(),
    )


def _vgg_features() -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for block, (width, depth) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))):
        layers += [nn.MaxPool2d(kernel_size=2, stride=2)] if block else []
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, kernel_size=3, padding=1), nn.ReLU()]
            channels = width
    return nn.Sequential(*layers)


class LPIPS(FeatureDistance):
    """LPIPS v0.1; smaller is more alike, 0 for identical pictures.

    Parameters
    ----------
    net:
        ``"alex"`` (sides of at least 31 pixels) or ``"vgg"`` (16).
    backbone:
        State dict of torchvision's AlexNet or VGG-16 (keys ``features.0.weight``...; others are ignored).
        Use `load` for the published one. With any other weights the numbers are uncalibrated.

    Raises
    ------
    ValueError
        If the net is unknown or the state dict is not of that net.
    """

    def __init__(self, net: Net, backbone: Mapping[str, torch.Tensor]) -> None:
        if net not in _TAPS:
            raise ValueError(f"LPIPS has the nets alex and vgg, got {net!r}")
        prefix = "features."
        state = {key.removeprefix(prefix): value for key, value in backbone.items() if key.startswith(prefix)}
        with torch.device("meta"):  # no memory and no random numbers for weights that are replaced at once
            layers = _alex_features() if net == "alex" else _vgg_features()
        features = assign(layers, state, f"torchvision's backbone for LPIPS-{net}")
        heads = load_file(Path(__file__).with_name("lpips_heads") / f"{net}.safetensors")
        ordered = [heads[f"lin{index}"] for index in range(len(_TAPS[net]))]
        super().__init__(f"LPIPS-{net}", features, _TAPS[net], ordered, _SMALLEST[net])
        self.net = net


def load(net: Net = "alex", path: str | Path | None = None) -> LPIPS:
    """LPIPS v0.1 with its published backbone.

    Parameters
    ----------
    net:
        ``"alex"`` (the authors' default) or ``"vgg"``.
    path:
        The backbone's file, if it does not lie in PyTorch's checkpoint directory.

    Raises
    ------
    semantic.zoo.weights.WeightsMissing
        If the backbone is not on this machine; names the command that gets it.
    ValueError
        If the net is unknown, or the file is not the published one.
    """
    return LPIPS(net, weights.read(_backbone(net), path))


def _backbone(net: Net) -> Checkpoint:
    if net not in BACKBONES:
        raise ValueError(f"LPIPS has the nets alex and vgg, got {net!r}")
    return BACKBONES[net]
