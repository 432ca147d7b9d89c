"""What the bundled generator of scenes and the feature's painter share: schedule, network, loss, files.

References
----------
S. Lin, B. Liu, J. Li, X. Yang: Common diffusion noise schedules and sample steps are flawed. WACV 2024.
T. Salimans, J. Ho: Progressive distillation for fast sampling of diffusion models. ICLR 2022 (velocity).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from bridge.training.scenes.batches import SIDE, halved, noise
from bridge.training.scenes.drawing.vae import GeneratorSizes

__all__ = ["make_unet", "noise_schedule", "save_diffusion", "velocity_loss"]

_OBJECTS = 4.0  # by how much their latents weigh more


@lru_cache(maxsize=1)
def noise_schedule() -> Any:
    """Stable Diffusion's schedule, its betas rescaled so that the last step is noise and nothing else."""
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        steps_offset=1,  # nothing here, but diffusers warns of other values
    )


def make_unet(sizes: GeneratorSizes) -> Any:
    """Make the denoising network, from PyTorch's global generator."""
    from diffusers import UNet2DConditionModel

    levels = len(sizes.unet)
    return UNet2DConditionModel(
        sample_size=SIDE >> (len(sizes.vae) - 1),
        in_channels=sizes.latent,
        out_channels=sizes.latent,
        block_out_channels=sizes.unet,
        layers_per_block=1,
        norm_num_groups=16,
        down_block_types=("CrossAttnDownBlock2D",) * levels,
        up_block_types=("CrossAttnUpBlock2D",) * levels,
        cross_attention_dim=sizes.text,
        attention_head_dim=4,  # the number of heads, as diffusers reads it
    )


def velocity_loss(
    unet: Any, latents: torch.Tensor, objects: torch.Tensor, source: torch.Generator, **condition: Any
) -> torch.Tensor:
    """Mean squared error of the velocity at a random step of the schedule for each row.

    Latents of objects, which fill a twentieth of a picture, weigh five times those of the background.

    Parameters
    ----------
    unet:
        The network.
    latents:
        ``[B, C, h, w]``, without noise.
    objects:
        Where objects are in the pictures, ``[B, H, W]``, 0 or 1.
    source:
        Of steps and noise, on the CPU.
    condition:
        For the network: ``encoder_hidden_states`` and so on.
    """
    schedule = noise_schedule()
    steps = torch.randint(schedule.config.num_train_timesteps, (len(latents),), generator=source)
    share = schedule.alphas_cumprod[steps].to(latents)[:, None, None, None]
    alpha, sigma = share.sqrt(), (1 - share).sqrt()
    eps = noise(latents.shape, source, str(latents.device))
    noisy = alpha * latents + sigma * eps
    made = unet(noisy, steps.to(latents.device), **condition).sample
    there = F.adaptive_avg_pool2d(objects.to(latents)[:, None], latents.shape[2])
    weight = 1.0 + _OBJECTS * there
    return (weight * (made.float() - (alpha * eps - sigma * latents)).square()).mean() / weight.mean()


def save_diffusion(
    folder: Path, autoencoder: Any, unet: Any, text_encoder: Any = None, tokenizer: Any = None
) -> None:
    """Write a pipeline in half precision."""
    from diffusers import StableDiffusionPipeline

    stored = halved(autoencoder), halved(unet)
    for model in stored:
        model.register_to_config(_name_or_path="")  # where it was read from is nobody's concern
    pipeline = StableDiffusionPipeline(
        vae=stored[0],
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=stored[1],
        scheduler=noise_schedule(),
        safety_checker=None,
        feature_extractor=None,
        image_encoder=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(str(folder))
