"""VLF-MSC with published networks: what is between them, fitted to pictures in closed form.

::

    picture -+-> BLIP-2 -> feature [N, d] -+-> principal axes -> 2k reals           (FeatureProjection)
             |                             +-> ridge -+
             +-> the painter's image encoder ---------+-> embedding [D]             (LinearBridge)

Nothing is trained by gradients: IP-Adapter and Kandinsky read the embedding as it is, and the reals go
through the channel at unit power.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch

from bridge.training.ridge import fit_ridge
from semantic.models.projection import FeatureProjection, LinearBridge
from semantic.networks.pixels import Picture

__all__ = ["Fitted", "fit", "seen"]

_log = logging.getLogger(__name__)
_EVERY = 50


@dataclass(frozen=True)
class Fitted:
    """What was fitted, and how good it is on pictures that were left out.

    Attributes
    ----------
    bridge, projection:
        Feature to embedding, and to reals and back.
    pictures, penalty:
        How many there were, and the penalty of the ridge that was best (`bridge.training.ridge`).
    explained:
        Share of the embeddings' variance that the bridge says of pictures left out, one at a time.
    cosine:
        Mean cosine between embeddings and what it says.
    kept:
        Share of the features' variance that the principal axes keep, of these same pictures.
    """

    bridge: LinearBridge
    projection: FeatureProjection
    pictures: int
    penalty: float
    explained: float
    cosine: float
    kept: float


def seen(pictures: Iterable[Picture], look: Callable[[Sequence[Picture]], torch.Tensor]) -> torch.Tensor:
    """What a model sees in pictures, ``[n, ...]``, one after the other, so that one is held at a time."""
    found = []
    for number, picture in enumerate(pictures, start=1):
        found.append(look([picture]))
        if number % _EVERY == 0:
            _log.info("picture %d", number)
    return torch.cat(found)


@torch.no_grad()
def fit(
    features: torch.Tensor, embeddings: torch.Tensor, channel_uses: int, unconditional: torch.Tensor
) -> Fitted:
    """Fit bridge and projection.

    Parameters
    ----------
    features, embeddings:
        ``[n, N, d]`` and ``[n, D]``, of the same pictures.
    channel_uses:
        k of the projection.
    unconditional:
        ``[D]``: what the painter reads for no picture, in guidance.

    Raises
    ------
    ValueError
        If there are fewer than three pictures, or all look the same.
    """
    ridge = fit_ridge(features.flatten(1), embeddings)
    tokens, width = features.shape[1:]
    bridge = LinearBridge(tokens, width, embeddings.shape[1])
    bridge.map.weight.copy_(ridge.weight.T)
    bridge.map.bias.copy_(ridge.bias)
    bridge.unconditional.copy_(unconditional[None])
    projection = FeatureProjection(tokens, width, channel_uses)
    projection.adapt(features)
    projection.normalise(features)
    return Fitted(
        bridge.eval(),
        projection.eval(),
        len(features),
        ridge.penalty,
        _share(embeddings, ridge.left_out),
        float(torch.cosine_similarity(embeddings, ridge.left_out, dim=1).mean()),
        _share(features.flatten(1), projection(features).flatten(1)),
    )


def _share(values: torch.Tensor, said: torch.Tensor) -> float:
    """Share of the variance of values ``[n, v]`` that is said."""
    around = (values - values.mean(dim=0)).square().sum()
    return float(1 - (values - said).square().sum() / around)
