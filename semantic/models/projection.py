"""Learned maps of the vision-language feature: to a fixed number of reals and back, and into diffusion.

No channel is in here: whoever sends the reals scales them to unit power and hands back what arrived at the
scale they had.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from semantic.zoo.pretrained import Pretrained, read_config

__all__ = ["FeatureBridge", "FeatureProjection", "LinearBridge", "check_context", "load_bridge"]


class FeatureProjection(Pretrained):
    """A feature of N tokens with d numbers as 2k reals, the I and Q parts of k channel uses, and back.

    ::

        [B, N, d] -> linear -> [B, 2k] -> (channel: elsewhere) -> linear -> f, f + linear(norm(f)) [B, N, d]

    Untrained it is an orthogonal projection (2k < N d) or an orthogonal embedding (2k >= N d, lossless); the
    layer-normalised correction at the receiver starts at zero. `adapt` turns the projection towards the
    principal components of example features; training does the rest.

    Parameters
    ----------
    tokens, width:
        N and d.
    channel_uses:
        k complex channel uses.
    seed:
        Of the initial orthogonal matrix.

    Raises
    ------
    ValueError
        If a size is not positive.

    Examples
    --------
    >>> feature = torch.randn(2, 8, 96)
    >>> projection = FeatureProjection(tokens=8, width=96, channel_uses=384)  # as many reals as numbers
    >>> reals = projection.encode(feature)
    >>> reals.shape, torch.allclose(projection.decode(reals), feature, atol=1e-4)
    (torch.Size([2, 768]), True)
    """

    def __init__(self, tokens: int, width: int, channel_uses: int, seed: int = 0) -> None:
        super().__init__({"tokens": tokens, "width": width, "channel_uses": channel_uses, "seed": seed})
        if min(tokens, width, channel_uses) < 1:
            raise ValueError(
                f"tokens, width and channel uses must be positive, got {tokens}, {width}, {channel_uses}"
            )
        self.tokens, self.width, self.channel_uses = tokens, width, channel_uses
        full, reals = tokens * width, 2 * channel_uses
        self.down = nn.Linear(full, reals)
        self.up = nn.Linear(reals, full)
        self.norm = nn.LayerNorm(width)
        self.correct = nn.Linear(width, width)
        matrix = torch.empty(reals, full)
        nn.init.orthogonal_(matrix, generator=torch.Generator().manual_seed(seed))
        self._set(matrix, torch.zeros(full))
        nn.init.zeros_(self.correct.weight)
        nn.init.zeros_(self.correct.bias)

    @torch.no_grad()
    def _set(self, matrix: torch.Tensor, mean: torch.Tensor) -> None:
        """Make it y = M (x - mean) and back, with orthonormal rows or columns in M."""
        self.down.weight.copy_(matrix)
        self.down.bias.copy_(-matrix @ mean)
        self.up.weight.copy_(matrix.T)
        self.up.bias.copy_(mean)

    def adapt(self, features: torch.Tensor) -> None:
        """Set both linear maps to the principal components of example features, the best untrained choice.

        If there are fewer examples than reals, directions of the present matrix fill the rest; if there are
        at least as many reals as numbers in a feature, only the mean changes.

        Parameters
        ----------
        features:
            ``[examples, N, d]``.

        Examples
        --------
        >>> features = torch.outer(torch.arange(5.0), torch.ones(6)).reshape(5, 2, 3)  # of one direction
        >>> projection = FeatureProjection(tokens=2, width=3, channel_uses=1)
        >>> projection.adapt(features)
        >>> torch.allclose(projection.decode(projection.encode(features)), features, atol=1e-5)
        True
        """
        rows = features.detach().flatten(1).to(self.down.weight)
        mean, matrix = rows.mean(0), self.down.weight.detach()
        if len(matrix) < rows.shape[1]:
            components = torch.linalg.svd(rows - mean, full_matrices=False).Vh[: len(matrix)]
            matrix = torch.linalg.qr(torch.cat([components, matrix]).T).Q.T[: len(matrix)]
        self._set(matrix, mean)

    @torch.no_grad()
    def normalise(self, features: torch.Tensor) -> None:
        """Scale the reals of example features to a root mean square of 1; the receiver undoes it.

        What is sent at unit power then comes back at the scale that it had, on average.

        Parameters
        ----------
        features:
            ``[examples, N, d]``.
        """
        rms = self.encode(features).square().mean().sqrt()
        self.down.weight.div_(rms)
        self.down.bias.div_(rms)
        self.up.weight.mul_(rms)

    def encode(self, features: torch.Tensor) -> torch.Tensor:
        """Map features ``[B, N, d]`` to reals ``[B, 2k]`` of any power.

        Raises
        ------
        ValueError
            If the shape is another; quotes it.
        """
        _check_features(features, self.tokens, self.width)
        reals: torch.Tensor = self.down(features.flatten(1))
        return reals

    def decode(self, reals: torch.Tensor) -> torch.Tensor:
        """Map received reals ``[B, 2k]`` to features ``[B, N, d]``.

        Raises
        ------
        ValueError
            If the shape is another; quotes it.
        """
        if reals.ndim != 2 or reals.shape[1] != 2 * self.channel_uses:
            raise ValueError(f"reals [batch, {2 * self.channel_uses}] are needed, got {list(reals.shape)}")
        features: torch.Tensor = self.up(reals).unflatten(1, (self.tokens, self.width))
        return features + self.correct(self.norm(features))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Encode and decode with nothing in between."""
        return self.decode(self.encode(features))


class FeatureBridge(Pretrained):
    """Vision-language feature to the tokens that cross-attention reads in place of a text's.

    Each token goes through layer norm, a two-layer perceptron and layer norm, and gets a learned offset for
    its place. `unconditional`, learned too, takes the part of the empty prompt in classifier-free guidance.

    Parameters
    ----------
    tokens, width:
        N and d of the feature.
    context:
        Width of the tokens in cross-attention (768 for Stable Diffusion 1.5).
    """

    def __init__(self, tokens: int, width: int, context: int) -> None:
        super().__init__({"tokens": tokens, "width": width, "context": context})
        self.tokens, self.width, self.context = tokens, width, context
        self.map = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, context),
            nn.GELU(),
            nn.Linear(context, context),
            nn.LayerNorm(context),
        )
        self.places = nn.Parameter(torch.zeros(tokens, context))
        self.unconditional = nn.Parameter(torch.zeros(tokens, context))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map features ``[B, N, d]`` to context tokens ``[B, N, context]``.

        Raises
        ------
        ValueError
            If the shape is another; quotes it.
        """
        _check_features(features, self.tokens, self.width)
        tokens: torch.Tensor = self.map(features) + self.places
        return tokens


class LinearBridge(Pretrained):
    """Vision-language feature to the one embedding of a picture that a painter reads, by a linear map.

    Untrained: `bridge.training.fitting` fits it in closed form.

    Parameters
    ----------
    tokens, width:
        N and d of the feature.
    context:
        Numbers of the embedding (1280 for Kandinsky 2.2, 1024 for IP-Adapter of Stable Diffusion 1.5).
    """

    def __init__(self, tokens: int, width: int, context: int) -> None:
        super().__init__({"tokens": tokens, "width": width, "context": context})
        self.tokens, self.width, self.context = tokens, width, context
        self.map = nn.Linear(tokens * width, context)
        self.unconditional = nn.Parameter(torch.zeros(1, context))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map features ``[B, N, d]`` to one token ``[B, 1, context]``.

        Raises
        ------
        ValueError
            If the shape is another; quotes it.
        """
        _check_features(features, self.tokens, self.width)
        embedding: torch.Tensor = self.map(features.flatten(1))
        return embedding[:, None]


def load_bridge(
    folder: str | Path, *, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
) -> FeatureBridge | LinearBridge:
    """Read whichever of the two bridges lies in a folder.

    Raises
    ------
    semantic.zoo.weights.WeightsMissing
        If a file is missing.
    ValueError
        If it holds something else.
    """
    linear = read_config(folder).get("architectures") == [LinearBridge.__name__]
    return (LinearBridge if linear else FeatureBridge).from_pretrained(folder, device=device, dtype=dtype)


def check_context(bridge: FeatureBridge | LinearBridge, needed: int) -> None:
    """Raise ValueError unless a bridge writes tokens of so many numbers."""
    if bridge.context != needed:
        raise ValueError(f"the network reads tokens of {needed} numbers, the bridge writes {bridge.context}")


def _check_features(features: torch.Tensor, tokens: int, width: int) -> None:
    if features.ndim != 3 or features.shape[1:] != (tokens, width):
        raise ValueError(f"features [batch, {tokens}, {width}] are needed, got {list(features.shape)}")
