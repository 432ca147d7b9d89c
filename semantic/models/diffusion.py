"""Diffusion pipelines with one seed a sample: Stable Diffusion, from noise or from a picture.

::

    seed -> generator on the CPU -> initial latent x_T -+
    condition (text, image, feature) -------------------+-> denoise -> VAE -> picture

One generator a sample, always on the CPU: equal seeds give equal initial latents for every prompt, system
and SNR, and a picture does not depend on what else is in the batch.

References
----------
R. Rombach, A. Blattmann, D. Lorenz, P. Esser, B. Ommer: High-resolution image synthesis with latent diffusion
models. CVPR 2022.
S. Lin, B. Liu, J. Li, X. Yang: Common diffusion noise schedules and sample steps are flawed. WACV 2024.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from PIL import Image

from semantic.models.encoders import checkpoint
from semantic.networks.pixels import Picture
from semantic.zoo.complete import load_whole
from semantic.zoo.presets import import_transformers

__all__ = ["STEP", "Diffusion", "load_pipeline"]

STEP = 8
"""Height and width of pictures are multiples of so many pixels: a latent has whole rows and columns."""

_RESCALE = 0.7


def _import_diffusers() -> Any:
    """Import diffusers with its progress bars off, and without transformers' remark about torchvision."""
    logging = import_transformers().logging
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    import diffusers

    _ = diffusers.StableDiffusionPipeline, diffusers.KandinskyV22Pipeline  # lazy; the remark comes now
    logging.set_verbosity(verbosity)
    diffusers.utils.logging.disable_progress_bar()
    return diffusers


def load_pipeline(
    name: str, folder: str | Path, preset: str, device: str | torch.device, dtype: torch.dtype, **options: Any
) -> Any:
    """Read a diffusers pipeline, half-precision files (``*.fp16.safetensors``) where there are no others.

    Parameters
    ----------
    name:
        Class in diffusers.
    folder, preset:
        As for `semantic.models.encoders.checkpoint`.
    device, dtype:
        Of the models, whatever the files' precision.
    options:
        For diffusers' ``from_pretrained``.

    Raises
    ------
    semantic.zoo.weights.WeightsMissing
        If the folder or a file in it is missing.
    semantic.zoo.complete.WrongWeights
        If one of its networks lacks tensors, or has others.
    """
    with checkpoint(folder, preset) as path:
        library = getattr(_import_diffusers(), name)
        parts = _parts(Path(path), dtype, options)
        how = {"dtype": dtype, "use_safetensors": True, "local_files_only": True}
        pipeline = library.from_pretrained(path, **how, **parts, **options)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


def _parts(folder: Path, dtype: torch.dtype, given: Container[str]) -> dict[str, Any]:
    """Networks of a pipeline's folder, but those that are given, each whole."""
    index = folder / "model_index.json"
    listed = json.loads(index.read_text(encoding="utf-8")) if index.is_file() else {}
    libraries = {"diffusers": _import_diffusers(), "transformers": import_transformers()}
    found = {}
    for part, about in listed.items():
        files = [file.name for file in (folder / part).glob("*.safetensors")]
        if files and part not in given and about[0] in libraries:
            half = "fp16" if all(".fp16." in file for file in files) else None
            how: dict[str, Any] = {"dtype": dtype, "variant": half, "use_safetensors": True}
            found[part] = load_whole(getattr(libraries[about[0]], about[1]), folder / part, **how)
    return found


class Diffusion:
    """A ``StableDiffusionPipeline`` with one seed a sample.

    Parameters
    ----------
    pipeline:
        The pipeline; it is not copied.
    batch:
        Samples denoised at a time. With 1 a picture is the same to the bit whatever else is asked for; more
        are faster on a GPU and change the last bits of the arithmetic.
    """

    def __init__(self, pipeline: Any, batch: int = 1) -> None:
        self.pipeline = pipeline
        self.batch = batch

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        *,
        batch: int = 1,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        **options: Any,
    ) -> Self:
        """Read a pipeline without its safety checker; ``options`` go to diffusers (``text_encoder=None``...).

        Raises
        ------
        semantic.zoo.weights.WeightsMissing
            If the folder or a file in it is missing.
        """
        absent: dict[str, Any] = dict.fromkeys(("safety_checker", "feature_extractor", "image_encoder"))
        options |= absent | {"requires_safety_checker": False}
        pipeline = load_pipeline(
            "StableDiffusionPipeline", folder, "stable-diffusion-1.5", device, dtype, **options
        )
        return cls(pipeline, batch)

    @cached_property
    def _from_picture(self) -> Any:
        pipeline = _import_diffusers().StableDiffusionImg2ImgPipeline(
            **self.pipeline.components, requires_safety_checker=False
        )
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def guided(self, guidance: float) -> bool:
        """Whether a guidance scale makes the pipeline denoise twice, with and without the condition."""
        return guidance > 1 and self.pipeline.unet.config.time_cond_proj_dim is None

    @property
    def rescale(self) -> float:
        """How far guided predictions are brought back to the deviation of those that a condition alone gives.

        0.7 (phi of Lin et al., section 3.4) where the schedule ends in noise alone, as that of the bundled
        models does: there guidance over-exposes pictures. 0, as published, for all others.
        """
        return _RESCALE if self.pipeline.scheduler.config.get("rescale_betas_zero_snr") else 0.0

    @property
    def size(self) -> tuple[int, int]:
        """Height and width the network was trained for, in pixels."""
        side = self.pipeline.unet.config.sample_size
        height, width = (side, side) if isinstance(side, int) else side
        return height * self.pipeline.vae_scale_factor, width * self.pipeline.vae_scale_factor

    def run(
        self,
        condition: Callable[[list[int]], dict[str, Any]],
        *,
        seeds: Sequence[int],
        steps: int,
        guidance: float,
        size: tuple[int, int] | None,
        start: Sequence[Picture] | None = None,
        strength: float = 0.8,
        kinds: Sequence[int] | None = None,
    ) -> list[Picture]:
        """Denoise ``len(seeds)`` samples.

        Parameters
        ----------
        condition:
            Gives the pipeline's arguments for samples of these numbers.
        seeds, steps, guidance, size, start, strength:
            As in `semantic.models.generation.Generator.generate`.
        kinds:
            One a sample; only samples of one kind, whose conditions are of one shape, share a batch.

        Raises
        ------
        ValueError
            If the size is no multiple of 8, the numbers of samples differ, or ``strength`` leaves no step.
        """
        height, width = size or self.size
        if height % STEP or width % STEP or min(height, width) < STEP:
            raise ValueError(f"height and width must be multiples of {STEP} pixels, got {height} x {width}")
        if start is not None and (len(start) != len(seeds) or not 1 <= int(steps * strength) <= steps):
            raise ValueError(
                f"a start needs one picture a sample and steps * strength of 1 to steps, got {len(start)} "
                f"pictures for {len(seeds)} samples, {steps} steps and strength {strength}"
            )
        pictures: dict[int, Picture] = {}
        for part in _batches(kinds or [0] * len(seeds), self.batch):
            options = {
                "generator": [torch.Generator("cpu").manual_seed(seeds[row]) for row in part],
                "num_inference_steps": steps,
                "guidance_scale": guidance,
                **condition(part),
            }
            if start is None:
                options["guidance_rescale"] = self.rescale
                images = self.pipeline(height=height, width=width, **options).images
            else:
                begin = [_resized(start[row], height, width) for row in part]
                images = self._from_picture(image=begin, strength=strength, **options).images
            pictures |= zip(part, map(np.array, images), strict=True)
        return [pictures[row] for row in range(len(seeds))]


def _resized(picture: Picture, height: int, width: int) -> Image.Image:
    return Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)


def _batches(kinds: Sequence[int], size: int) -> Iterator[list[int]]:
    """Numbers of samples, at most so many at a time, and those of one kind only."""
    for kind in dict.fromkeys(kinds):
        rows = [row for row, each in enumerate(kinds) if each == kind]
        yield from (rows[first : first + size] for first in range(0, len(rows), size))
