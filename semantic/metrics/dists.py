"""DISTS: deep image structure and texture similarity, with its published weights.

References
----------
K. Ding, K. Ma, S. Wang, E. P. Simoncelli: Image quality assessment: unifying structure and texture
similarity. IEEE TPAMI 44(5), 2022, equations 5 to 8.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from semantic.metrics.image import check_pair
from semantic.metrics.lpips import BACKBONES
from semantic.networks.pixels import Picture, imagenet_normalised
from semantic.zoo import weights
from semantic.zoo.missing import WeightsMissing

__all__ = ["DISTS", "load_dists"]

# Convolutions of VGG-16 between two pools, in torchvision's numbering of ``features``.
_STAGES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
_CHANNELS = (3, 64, 128, 256, 512, 512)
_SHA256 = "f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218"


class DISTS(nn.Module):
    """Deep image structure and texture similarity; smaller is more alike, 0 for identical pictures.

    ::

        D = 1 - sum over layers i and channels j of alpha_ij l(x_ij, y_ij) + beta_ij s(x_ij, y_ij)
        l = (2 m_x m_y + c) / (m_x² + m_y² + c),  s = (2 v_xy + c) / (v_x + v_y + c),  c = 1e-6

    with means m, variances v and the covariance over all positions of a channel. Layer 0 is the picture in
    0 to 1, the others are VGG-16's last activations before each pool, pooled in between by the root of the
    windowed mean square. Pictures are taken at their own size (the authors' script first scales the shorter
    side to 256 pixels).

    Parameters
    ----------
    backbone:
        State dict of torchvision's VGG-16 (``features.0.weight``...; other keys are ignored).
    alpha, beta:
        1475 weights each, of any shape; divided by their joint sum.

    Raises
    ------
    ValueError
        If the tensors are not of this kind.
    """

    name = "dists"
    alpha: torch.Tensor
    beta: torch.Tensor
    window: torch.Tensor

    def __init__(self, backbone: Mapping[str, torch.Tensor], alpha: torch.Tensor, beta: torch.Tensor) -> None:
        super().__init__()
        layers: dict[str, nn.Module] = {}
        for (before, after), stage in zip(pairwise(_CHANNELS), _STAGES, strict=True):
            for index in stage:
                width = before if index == stage[0] else after
                layers[str(index)] = nn.Conv2d(width, after, kernel_size=3, padding=1)
        self.features = nn.ModuleDict(layers)
        prefix = "features."
        state = {key.removeprefix(prefix): value for key, value in backbone.items() if key.startswith(prefix)}
        try:
            self.features.load_state_dict(state)
        except RuntimeError as error:
            raise ValueError(f"these weights are not torchvision's VGG-16: {error}") from error
        if {alpha.numel(), beta.numel()} != {sum(_CHANNELS)}:
            raise ValueError(f"DISTS has {sum(_CHANNELS)} weights each, got {alpha.numel()}, {beta.numel()}")
        total = alpha.sum() + beta.sum()
        self.register_buffer("alpha", alpha.flatten() / total)
        self.register_buffer("beta", beta.flatten() / total)
        hann = torch.tensor([0.25, 0.5, 0.25])
        self.register_buffer("window", torch.outer(hann, hann)[None, None])
        self.requires_grad_(False)

    def _pool(self, x: torch.Tensor) -> torch.Tensor:
        channels = x.shape[1]
        window = self.window.expand(channels, 1, 3, 3)
        return torch.sqrt(F.conv2d(x * x, window, stride=2, padding=1, groups=channels) + 1e-12)

    def _activations(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        taps, x = [pictures], imagenet_normalised(pictures)
        for stage in _STAGES:
            x = self._pool(x) if len(taps) > 1 else x
            for index in stage:
                x = F.relu(self.features[str(index)](x))
            taps.append(x)
        return taps

    def forward(self, reference: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        """Distances ``[batch]`` of two batches ``[batch, 3, H, W]``, RGB in 0 to 1; differentiable in both.

        Raises
        ------
        ValueError
            If the shapes do not fit; quotes both.
        """
        if reference.shape != image.shape or reference.ndim != 4 or reference.shape[1] != 3:
            raise ValueError(
                f"DISTS compares [batch, 3, H, W] of one shape, got {list(reference.shape)} and "
                f"{list(image.shape)}"
            )
        textures, structures = [], []
        for x, y in zip(self._activations(reference), self._activations(image), strict=True):
            x, y = x.flatten(2), y.flatten(2)
            mx, my = x.mean(2), y.mean(2)
            dx, dy = x - mx[..., None], y - my[..., None]
            textures.append((2 * mx * my + 1e-6) / (mx**2 + my**2 + 1e-6))
            spread = (dx**2).mean(2) + (dy**2).mean(2)
            structures.append((2 * (dx * dy).mean(2) + 1e-6) / (spread + 1e-6))
        return 1.0 - torch.cat(textures, 1) @ self.alpha - torch.cat(structures, 1) @ self.beta

    @torch.no_grad()
    def distance(self, reference: Picture, image: Picture) -> float:
        """Distance of two 8-bit pictures ``[H, W, 3]``.

        Raises
        ------
        ValueError
            If shapes or types do not fit; quotes both.
        """
        check_pair(reference, image)
        pictures = torch.from_numpy(np.stack([reference, image])).to(self.alpha.device)
        pair = pictures.permute(0, 3, 1, 2).float() / 255
        return float(self(pair[:1], pair[1:]))


def load_dists(path: str | Path | None = None, backbone: str | Path | None = None) -> DISTS:
    """DISTS with its published weights.

    Parameters
    ----------
    path:
        File of alpha and beta; by default the copy in the package torchmetrics.
    backbone:
        File of VGG-16, if it does not lie in PyTorch's checkpoint directory.

    Raises
    ------
    semantic.zoo.weights.WeightsMissing
        If a file is missing; names the command that gets it.
    ValueError
        If a file is not the published one.
    """
    weights.locate(BACKBONES["vgg"], backbone)
    file = _published() if path is None else Path(path)
    if file is None or not file.is_file():
        raise WeightsMissing("DISTS needs its alpha and beta: pip install torchmetrics, or give their file")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if digest != _SHA256:
        raise ValueError(f"{str(file)!r} does not hold DISTS' published weights: its SHA-256 is {digest}")
    state = torch.load(file, map_location="cpu", weights_only=True)
    return DISTS(weights.read(BACKBONES["vgg"], backbone), state["alpha"], state["beta"])


def _published() -> Path | None:
    package = importlib.util.find_spec("torchmetrics")  # found, not imported
    if package is None or not package.submodule_search_locations:
        return None
    folder = Path(package.submodule_search_locations[0])
    return folder / "functional" / "image" / "dists_models" / "weights.pt"
