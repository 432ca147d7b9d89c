"""The autoencoder under the bundled generator and feature: pictures of scenes as small latents, and back.

::

    64 x 64 pixels -> AutoencoderKL -> 16 x 16 x 4 -> 64 x 64 pixels
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bridge.training.scenes.batches import (
    CPU,
    SIDE,
    Ahead,
    Compute,
    draw_scene,
    halved,
    noise,
    pixel_values,
)
from bridge.training.trainer import Recipe
from semantic.networks.pixels import Picture
from semantic.scenes.draw import draw, masks
from semantic.scenes.scene import Scene
from semantic.zoo.complete import load_whole

__all__ = ["GeneratorSizes", "PictureBatches", "frozen_vae", "latents_of", "object_mask", "vae"]

_OBJECTS = 8.0  # by how much their pixels weigh more


@dataclass(frozen=True)
class GeneratorSizes:
    """Sizes of the generator.

    Attributes
    ----------
    vae:
        Channels of the autoencoder's levels, each half as fine as the one before.
    latent:
        Channels of a latent.
    unet:
        Channels of the network's levels.
    text, text_layers:
        Width and depth of the text encoder; cross-attention reads tokens of that width.
    image, image_layers, embedding:
        Width and depth of the adapter's image encoder, and numbers in an embedding.
    """

    vae: tuple[int, ...] = (16, 32, 48)
    latent: int = 4
    unet: tuple[int, ...] = (64, 128)
    text: int = 128
    text_layers: int = 3
    image: int = 96
    image_layers: int = 3
    embedding: int = 64


@dataclass(frozen=True)
class PictureBatches:
    """Pictures ``[B, 64, 64, 3]`` of a step, and where objects are in them, ``[B, 64, 64]``, 0 or 1."""

    count: int
    seed: int

    def __call__(self, step: int) -> tuple[Picture, Picture]:
        """Draw them."""
        scenes = [draw_scene(self.seed, step, row)[0] for row in range(self.count)]
        pictures = [draw(scene, SIDE) for scene in scenes]
        return np.stack(pictures), np.stack([object_mask(scene) for scene in scenes])


def object_mask(scene: Scene) -> Picture:
    """Where objects are in a scene's picture, ``[64, 64]``, 0 or 1."""
    return (masks(scene, SIDE) > 0).astype(np.uint8)


def vae(
    *,
    seed: int = 1,
    batch: int = 16,
    sizes: GeneratorSizes | None = None,
    kl: float = 3e-3,
    compute: Compute = CPU,
) -> Recipe:
    """``tiny-generator-vae``: the autoencoder, by squared error and a little of the Kullback-Leibler term.

    Of each picture the logarithm of the error counts, and pixels of objects weigh nine times those of the
    background: by absolute error, and all pixels alike, objects stay invisible for thousands of steps.

    The folder it writes has the layout of a pipeline of which only ``vae/`` is there. Latents are
    standardised: mean 0 and deviation 1 in every channel, so the scaling factor is 1.

    Parameters
    ----------
    seed, batch:
        Of the draws; rows of a step.
    sizes:
        Of the model.
    kl:
        Weight of the divergence of a latent number, in nats, against the error's logarithm.
    compute:
        Where and how it is trained.
    """
    loss = partial(
        _vae_loss,
        batches=Ahead(PictureBatches(batch, seed), compute.workers),
        seed=seed,
        kl=kl,
        compute=compute,
    )
    make = partial(_make_vae, sizes or GeneratorSizes())
    return Recipe("tiny-generator-vae", make, loss, _save_vae, rate=2e-3)


def _make_vae(sizes: GeneratorSizes) -> Any:
    from diffusers import AutoencoderKL

    levels = len(sizes.vae)
    return AutoencoderKL(
        block_out_channels=sizes.vae,
        layers_per_block=1,
        norm_num_groups=8,
        latent_channels=sizes.latent,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        sample_size=SIDE,
        scaling_factor=1.0,
    )


def _vae_loss(
    model: Any,
    step: int,
    *,
    batches: Ahead[tuple[Picture, Picture]],
    seed: int,
    kl: float,
    compute: Compute,
) -> torch.Tensor:
    pictures, objects = batches(step)
    pixels = pixel_values(pictures, compute.device)
    weight = 1.0 + _OBJECTS * torch.tensor(objects, device=compute.device)[:, None]
    source = torch.Generator().manual_seed((seed << 32) + step)
    with compute.autocast():
        posterior = model.encode(pixels).latent_dist
        drawn = posterior.mean + posterior.std * noise(posterior.mean.shape, source, compute.device)
        made = model.decode(drawn).sample
    divergence = posterior.kl().mean() / posterior.mean[0].numel()
    error = (weight * (made.float() - pixels).square()).mean(dim=(1, 2, 3))
    return (error + 1e-5).log().mean() + kl * divergence


def _save_vae(model: Any, folder: Path) -> None:
    finished = copy.deepcopy(model)
    _standardise(finished)
    halved(finished).save_pretrained(folder / "vae")


@torch.no_grad()
def _standardise(model: Any) -> None:
    """Give latents mean 0 and deviation 1 by the two 1 x 1 convolutions next to them; pictures stay."""
    pixels = pixel_values(PictureBatches(64, 0)(0)[0], str(model.device))
    latents = model.encode(pixels).latent_dist.mean
    mean, deviation = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    channels, into, out = len(mean), model.quant_conv, model.post_quant_conv
    into.weight[:channels] /= deviation[:, None, None, None]
    into.bias[:channels] = (into.bias[:channels] - mean) / deviation
    into.bias[channels:] -= 2 * deviation.log()
    out.bias += (out.weight * mean[:, None, None]).sum((1, 2, 3))
    out.weight *= deviation[:, None, None]


def frozen_vae(folder: Path) -> Any:
    """Load the first stage's autoencoder, not to be trained any more.

    Raises
    ------
    ValueError
        If the folder holds none; names what makes one.
    """
    from diffusers import AutoencoderKL

    if not (folder / "vae" / "config.json").is_file():
        raise ValueError(
            f"there is no autoencoder in {folder}: train one first (semphy train tiny-generator-vae)"
        )
    return load_whole(AutoencoderKL, folder / "vae", dtype=torch.float32).requires_grad_(False)


@torch.no_grad()
def latents_of(autoencoder: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Latents ``[B, C, H / 4, W / 4]`` of pixels ``[B, 3, H, W]`` from -1 to 1."""
    latents: torch.Tensor = autoencoder.encode(pixels).latent_dist.mode().float()
    return latents
