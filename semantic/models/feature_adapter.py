"""Stable Diffusion with IP-Adapter that reads a vision-language feature as if it were a picture's embedding.

::

    feature [N, d] -> bridge -> embedding [D] -> IP-Adapter -+
                                      empty prompt ----------+-> diffusion -> picture
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import torch

from semantic.models.generation import Generator
from semantic.models.projection import FeatureBridge, LinearBridge, check_context, load_bridge
from semantic.networks.pixels import Picture

__all__ = ["AdapterDecoder", "adapter_file"]

_PUBLISHED = "ip-adapter_sd15.safetensors"


def adapter_file(folder: str | Path) -> str:
    """Name of the adapter of one global embedding in a folder: the published one, or else the first."""
    names = sorted(path.name for path in Path(folder).glob("ip-adapter*.safetensors"))
    return _PUBLISHED if _PUBLISHED in names or not names else names[0]


class AdapterDecoder:
    """IP-Adapter behind a bridge: the mean of the bridge's tokens is the embedding, and no words are read.

    Parameters
    ----------
    generator:
        Stable Diffusion with the adapter; its image encoder is not needed.
    bridge:
        Feature to tokens of D numbers (1024 for Stable Diffusion 1.5's adapter).
    """

    def __init__(self, generator: Generator, bridge: FeatureBridge | LinearBridge) -> None:
        self.generator = generator
        self.bridge = bridge

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, *, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
    ) -> Self:
        """Read a Stable Diffusion folder that has ``ip-adapter/`` and ``bridge/`` beside ``unet/``.

        Raises
        ------
        semantic.zoo.weights.WeightsMissing
            If a folder or file is missing.
        ValueError
            If the bridge does not fit the adapter.
        """
        adapter = Path(folder) / "ip-adapter"
        bridge = load_bridge(Path(folder) / "bridge", device=device, dtype=dtype)
        generator = Generator.from_pretrained(
            folder,
            ip_adapter=adapter,
            weight_name=adapter_file(adapter),
            image_encoder_folder=None,
            device=device,
            dtype=dtype,
        )
        check_context(bridge, generator.embedding_width or 0)
        return cls(generator, bridge)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that the network was trained for, in pixels."""
        return self.generator.size

    @property
    def step(self) -> int:
        """Height and width are multiples of so many pixels."""
        return self.generator.step

    @torch.no_grad()
    def generate(
        self,
        features: torch.Tensor,
        *,
        seeds: Sequence[int],
        steps: int = 25,
        guidance: float = 7.5,
        size: tuple[int, int] | None = None,
    ) -> list[Picture]:
        """Generate one picture a feature.

        Parameters
        ----------
        features:
            ``[B, N, d]``.
        seeds:
            B seeds, one a sample.
        steps, guidance, size:
            As in `semantic.models.generation.Generator.generate`.

        Raises
        ------
        ValueError
            If shapes or numbers do not fit.
        """
        place = self.bridge.unconditional
        embeds = torch.cat([self.bridge(feature[None].to(place)).mean(1) for feature in features])
        return self.generator.generate(
            [""] * len(features),
            embeds=embeds.float().cpu(),
            scale=1.0,
            seeds=seeds,
            steps=steps,
            guidance=guidance,
            size=size,
        )
