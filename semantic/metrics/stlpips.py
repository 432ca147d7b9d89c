"""Shift-tolerant LPIPS (ST-LPIPS): the distance of LPIPS in networks that blur before they subsample.

It is not LPIPS: its AlexNet and VGG-16 were trained for it as a whole, so the two share no scale. Nor does it
know what pictures mean: its networks were trained on distances alone. ``semphy fetch st-lpips`` takes both of
them from a package of the Python package index (`semantic.zoo.packaged`). Of that package's code nothing is
used, some of which states another licence than the package: the blur below follows its paper.

References
----------
A. Ghildyal, F. Liu: Shift-tolerant perceptual similarity metric. ECCV 2022 (arXiv 2207.13686).
R. Zhang: Making convolutional networks shift-invariant again. ICML 2019 (the blur).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import nn

from semantic.metrics.perceptual import FeatureDistance, Net, assign
from semantic.zoo.packaged import PackagedFile, PackagedNetworks

__all__ = ["NETWORKS", "STLPIPS", "load"]

_FILES: dict[Net, PackagedFile] = {
    "alex": PackagedFile(
        "st-lpips-alex.safetensors",
        "stlpips_pytorch/weights/vST0.0/alex_shift_tolerant.pth",
        "b356b382f96010f77d085ee8343ecd9fd322d0a56e8de2b2d0549fafcad8b9ee",
        "032d4eb9fd93ee47",
    ),
    "vgg": PackagedFile(
        "st-lpips-vgg.safetensors",
        "stlpips_pytorch/weights/vST0.0/vgg_shift_tolerant.pth",
        "44597da68f49c1837c100ff52299050f274d102eb102e5837178c79be6f0e250",
        "cc1fc4b92bf530e4",
    ),
}

NETWORKS = PackagedNetworks(
    fetched_as="st-lpips",
    package="stlpips_pytorch",
    version="0.0.2",
    sha256="a412bf901a97c942b37af57c7c63b6e5d1aebfe8d1dfc17853d4b2f878630645",
    size_bytes=63_807_084,
    licence="bsd-2-clause",
    files=tuple(_FILES.values()),
)
"""Both networks with their heads, as the authors' package holds them."""

# The five activations compared: every ReLU of AlexNet, the last one before each pool of VGG.
_TAPS: dict[Net, tuple[int, ...]] = {"alex": (2, 6, 10, 12, 14), "vgg": (3, 9, 17, 25, 33)}
_SMALLEST: dict[Net, int] = {"alex": 21, "vgg": 18}
_LAYER = re.compile(r"net\.slice[1-5]\.(\d+\.(?:weight|bias|filt))$")
_FIXED = ("scaling_layer.shift", "scaling_layer.scale")  # those of LPIPS


class _Blur(nn.Module):
    """Blur each channel, with two pixels mirrored at each edge, and keep every other pixel."""

    filt: torch.Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("filt", torch.empty(channels, 1, 3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[B, channels, h, w]`` to ``[B, channels, ceil(h / 2) + 1, ceil(w / 2) + 1]``."""
        return F.conv2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), self.filt, stride=2, groups=x.shape[1])


def _alex_features() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 64, kernel_size=11, padding=2),
        _Blur(64),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=1),
        _Blur(64),
        nn.Conv2d(64, 192, kernel_size=5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=1),
        _Blur(192),
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
        layers += [nn.MaxPool2d(kernel_size=2, stride=1), _Blur(channels)] if block else []
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, kernel_size=3, padding=1), nn.ReLU()]
            channels = width
    return nn.Sequential(*layers)


class STLPIPS(FeatureDistance):
    """Shift-tolerant LPIPS; smaller is more alike, 0 for identical pictures.

    Parameters
    ----------
    net:
        ``"alex"`` (sides of at least 21 pixels) or ``"vgg"`` (18).
    state:
        The tensors of the authors' package: ``net.slice1.0.weight``, ``lin0.model.1.weight`` and so on. Use
        `load` for the published ones.

    Raises
    ------
    ValueError
        If the net is unknown, or a tensor is missing, too many or of another shape.
    """

    def __init__(self, net: Net, state: Mapping[str, torch.Tensor]) -> None:
        if net not in _TAPS:
            raise ValueError(f"ST-LPIPS has the nets alex and vgg, got {net!r}")
        names = [f"lin{index}.model.1.weight" for index in range(len(_TAPS[net]))]
        layers = {_layer(key): value for key, value in state.items() if key not in (*names, *_FIXED)}
        with torch.device("meta"):  # no memory and no random numbers for weights that are replaced at once
            made = _alex_features() if net == "alex" else _vgg_features()
        features = assign(made, layers, f"the networks of ST-LPIPS-{net}")
        absent = [name for name in names if name not in state]
        if absent:
            raise ValueError(f"these weights are not the heads of ST-LPIPS-{net}: no {', '.join(absent)}")
        heads = [state[name].flatten().clone() for name in names]
        super().__init__(f"ST-LPIPS-{net}", features, _TAPS[net], heads, _SMALLEST[net])
        self.net = net


def _layer(key: str) -> str:
    """Number and kind of a layer's tensor; what is no layer's keeps its name, and is refused by it."""
    found = _LAYER.match(key)
    return found[1] if found else key


def load(net: Net = "alex") -> STLPIPS:
    """ST-LPIPS with its published networks.

    Parameters
    ----------
    net:
        ``"alex"`` or ``"vgg"``.

    Raises
    ------
    semantic.zoo.weights.WeightsMissing
        If they are not on this machine; names the command that gets them.
    ValueError
        If the net is unknown, or the file does not hold the published tensors.
    """
    if net not in _FILES:
        raise ValueError(f"ST-LPIPS has the nets alex and vgg, got {net!r}")
    return STLPIPS(net, NETWORKS.read(_FILES[net]))
