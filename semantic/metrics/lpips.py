"""Learned perceptual image patch similarity (LPIPS) v0.1 on AlexNet or VGG-16 features.

::

    reference -> scale -> conv layers -> 5 activations -> unit length per pixel -> a
    image     -> scale -> conv layers -> 5 activations -> unit length per pixel -> b
    (a - b)² -> linear head -> mean over pixels -> sum over the 5 activations

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
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import nn

from semantic.metrics.image import check_pair
from semantic.zoo import weights
from semantic.zoo.weights import Checkpoint

__all__ = ["BACKBONES", "LPIPS", "Net", "load"]

Net = Literal["alex", "vgg"]

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
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_EPSILON = 1e-10


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


def _unit(features: torch.Tensor) -> torch.Tensor:
    """Scale every pixel's feature vector to unit length."""
    return features / (torch.linalg.vector_norm(features, dim=1, keepdim=True) + _EPSILON)


class LPIPS(nn.Module):
    """LPIPS v0.1; smaller is more alike, 0 for identical pictures.

    Parameters
    ----------
    net:
        ``"alex"`` or ``"vgg"``.
    backbone:
        State dict of torchvision's AlexNet or VGG-16 (keys ``features.0.weight``...; others are ignored).
        Use `load` for the published one. With any other weights the numbers are uncalibrated.

    Raises
    ------
    ValueError
        If the net is unknown or the state dict is not of that net.
    """

    shift: torch.Tensor
    scale: torch.Tensor

    def __init__(self, net: Net, backbone: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        if net not in _TAPS:
            raise ValueError(f"LPIPS has the nets alex and vgg, got {net!r}")
        self.net = net
        with torch.device("meta"):  # no memory and no random numbers for weights that are replaced at once
            self.features = _alex_features() if net == "alex" else _vgg_features()
        self._load_backbone(backbone)
        heads = load_file(Path(__file__).with_name("lpips_heads") / f"{net}.safetensors")
        self.heads = nn.ParameterList([heads[f"lin{index}"] for index in range(len(_TAPS[net]))])
        self.register_buffer("shift", torch.tensor(_SHIFT).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(_SCALE).view(1, 3, 1, 1))
        self.requires_grad_(False)

    def _load_backbone(self, backbone: Mapping[str, torch.Tensor]) -> None:
        prefix = "features."
        state = {key.removeprefix(prefix): value for key, value in backbone.items() if key.startswith(prefix)}
        try:
            # Copies, as the module may be moved or cast while the caller still uses the state dict.
            self.features.load_state_dict({key: value.clone() for key, value in state.items()}, assign=True)
        except RuntimeError as error:
            message = f"these weights are not torchvision's backbone for LPIPS-{self.net}: {error}"
            raise ValueError(message) from error

    def _activations(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        taps = []
        values = (pictures - self.shift) / self.scale
        for index, layer in enumerate(self.features):
            values = layer(values)
            if index in _TAPS[self.net]:
                taps.append(_unit(values))
        return taps

    def forward(self, reference: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        """Distances of two batches of pictures; differentiable in both.

        Parameters
        ----------
        reference, image:
            ``[batch, 3, H, W]``, ``torch.float32``, RGB in -1 to 1; sides of at least 31 pixels (alex) or
            16 (vgg).

        Returns
        -------
        torch.Tensor
            ``[batch]``, ``torch.float32``.

        Raises
        ------
        ValueError
            If the shapes do not fit; quotes both.
        """
        smallest = _SMALLEST[self.net]
        fits = reference.shape == image.shape and reference.ndim == 4 and reference.shape[1] == 3
        if not fits or min(reference.shape[2:]) < smallest:
            raise ValueError(
                f"LPIPS-{self.net} compares [batch, 3, H, W] of one shape with sides of {smallest} pixels "
                f"or more, got {list(reference.shape)} and {list(image.shape)}"
            )
        total = reference.new_zeros(reference.shape[0])
        pairs = zip(self._activations(reference), self._activations(image), strict=True)
        for (a, b), head in zip(pairs, self.heads, strict=True):
            total = total + torch.einsum("bchw,c->bhw", (a - b) ** 2, head).mean(dim=(1, 2))
        return total

    @torch.no_grad()
    def distance(self, reference: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
        """Distance of two 8-bit pictures ``[H, W, 3]``, ``uint8``.

        Raises
        ------
        ValueError
            If shapes or types do not fit; quotes both.
        """
        check_pair(reference, image)
        pictures = torch.from_numpy(np.stack([reference, image])).to(self.shift.device)
        pair = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1.0
        return float(self(pair[:1], pair[1:]))


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
