"""Distance of two pictures in the features of a network, which LPIPS and its shift-tolerant kind share.

::

    reference -> scale -> conv layers -> 5 activations -> unit length per pixel -> a
    image     -> scale -> conv layers -> 5 activations -> unit length per pixel -> b
    (a - b)² -> linear head -> mean over pixels -> sum over the 5 activations

References
----------
R. Zhang, P. Isola, A. A. Efros, E. Shechtman, O. Wang: The unreasonable effectiveness of deep features as a
perceptual metric. CVPR 2018, equation 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from semantic.metrics.image import check_pair

__all__ = ["FeatureDistance", "Net", "assign"]

Net = Literal["alex", "vgg"]

_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_EPSILON = 1e-10


def _unit(features: torch.Tensor) -> torch.Tensor:
    """Scale every pixel's feature vector to unit length."""
    return features / (torch.linalg.vector_norm(features, dim=1, keepdim=True) + _EPSILON)


class FeatureDistance(nn.Module):
    """Distance in the activations of a network; smaller is more alike, 0 for identical pictures.

    Parameters
    ----------
    name:
        Of the metric and the network, such as ``LPIPS-alex``.
    features:
        The layers, in order.
    taps:
        Which layers' activations are compared.
    heads:
        Weights ``[channels]`` of each of these activations.
    smallest:
        Pixels that a side needs so that something is left at the last of them.
    """

    shift: torch.Tensor
    scale: torch.Tensor

    def __init__(
        self,
        name: str,
        features: nn.Sequential,
        taps: Sequence[int],
        heads: Sequence[torch.Tensor],
        smallest: int,
    ) -> None:
        super().__init__()
        self.name, self.taps, self.smallest = name, tuple(taps), smallest
        self.features = features
        self.heads = nn.ParameterList(heads)
        self.register_buffer("shift", torch.tensor(_SHIFT).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(_SCALE).view(1, 3, 1, 1))
        self.requires_grad_(False)

    def _activations(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        taps = []
        values = (pictures - self.shift) / self.scale
        for index, layer in enumerate(self.features):
            values = layer(values)
            if index in self.taps:
                taps.append(_unit(values))
        return taps

    def forward(self, reference: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        """Distances of two batches of pictures; differentiable in both.

        Parameters
        ----------
        reference, image:
            ``[batch, 3, H, W]``, ``torch.float32``, RGB in -1 to 1; sides of at least `smallest` pixels.

        Returns
        -------
        torch.Tensor
            ``[batch]``, ``torch.float32``.

        Raises
        ------
        ValueError
            If the shapes do not fit; quotes both.
        """
        fits = reference.shape == image.shape and reference.ndim == 4 and reference.shape[1] == 3
        if not fits or min(reference.shape[2:]) < self.smallest:
            raise ValueError(
                f"{self.name} compares [batch, 3, H, W] of one shape with sides of {self.smallest} pixels "
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


def assign(features: nn.Sequential, state: Mapping[str, torch.Tensor], what: str) -> nn.Sequential:
    """Give layers that were made without memory (on PyTorch's device ``meta``) copies of these tensors.

    Raises
    ------
    ValueError
        If one is missing, too many or of another shape; names them.
    """
    try:
        # Copies, as the module may be moved or cast while the caller still uses the state dict.
        features.load_state_dict({key: value.clone() for key, value in state.items()}, assign=True)
    except RuntimeError as error:
        raise ValueError(f"these weights are not {what}: {' '.join(str(error).split())}") from error
    return features
