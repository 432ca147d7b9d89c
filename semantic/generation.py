"""Pictures from words and from the embedding of a picture: Stable Diffusion with IP-Adapter.

::

    prompt  -> text encoder                                 -> c_t -+
    picture -> image encoder -> embedding (may be sent)     -> c_i -+-> denoise -> VAE -> picture
    seed    -> generator on the CPU -> initial latent       -> x_T -+

Cross-attention adds the two, Z = Z_text + lambda Z_image; lambda = 0 is plain text-to-image, to the bit.

One generator a sample, always on the CPU: equal seeds give equal initial latents for every prompt, system
and SNR, and a picture does not depend on what else is in the batch. Prompts longer than the text encoder's
context (77 tokens for CLIP) lose their end; diffusers logs what was lost.

References
----------
R. Rombach, A. Blattmann, D. Lorenz, P. Esser, B. Ommer: High-resolution image synthesis with latent diffusion
models. CVPR 2022.
H. Ye, J. Zhang, S. Liu, X. Han, W. Yang: IP-Adapter: text compatible image prompt adapter for text-to-image
diffusion models. arXiv 2308.06721, equation 5.
C. Liang, D. Li: MMSemCom (candidates chosen by received features). arXiv 2411.17428.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from semantic.weights import WeightsMissing
from semantic.zoo import import_transformers

__all__ = [
    "Diffusion",
    "Generator",
    "ImageEncoder",
    "Picture",
    "Selection",
    "checkpoint",
    "closest",
    "feature_distance",
    "load_pipeline",
]

Picture = NDArray[np.uint8]
"""A picture, ``[height, width, 3]``, ``uint8``, RGB."""


@contextmanager
def checkpoint(folder: str | Path, preset: str) -> Iterator[str]:
    """Read a local folder in the hub's layout; whatever it lacks is said in one way.

    Parameters
    ----------
    folder:
        The directory.
    preset:
        Name in `semantic.zoo` of such a model, for the error.

    Raises
    ------
    semantic.weights.WeightsMissing
        If there is no such folder, or a library finds a file missing in it.
    ImportError
        If transformers is not installed; names the cure.
    """
    if not Path(folder).is_dir():
        raise WeightsMissing(f"there is no folder {str(folder)!r}; {_command(preset)}")
    import_transformers()
    try:
        yield str(folder)
    except OSError as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        raise WeightsMissing(f"{str(folder)!r} is not complete: {reason}; {_command(preset)}") from error


def _command(preset: str) -> str:
    return f"a published model comes with: semphy fetch models:{preset}"


class ImageEncoder:
    """CLIP's image tower with its projection: a picture becomes one vector of D numbers.

    Pictures are encoded one by one, so that an embedding does not depend on its neighbours.

    Attributes
    ----------
    name:
        For results, such as ``clip-vit-large-patch14``.
    """

    def __init__(self, model: Any, processor: Any, name: str) -> None:
        self.model = model
        self.processor = processor
        self.name = name

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        *,
        name: str | None = None,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Read a ``CLIPVisionModelWithProjection``, or the image tower of a whole ``CLIPModel``.

        Parameters
        ----------
        folder:
            Local directory. Without a processor in it pictures are prepared as CLIP's: bicubic to the
            model's size, centre crop, CLIP's mean and deviation.
        name:
            Name for results; the folder's by default.
        device, dtype:
            Of the model.

        Raises
        ------
        semantic.weights.WeightsMissing
            If the folder or a file in it is missing.
        """
        with checkpoint(folder, "clip-vit-l14") as path:
            from transformers import AutoImageProcessor, CLIPImageProcessorPil, CLIPVisionModelWithProjection

            model = CLIPVisionModelWithProjection.from_pretrained(
                path, dtype=dtype, use_safetensors=True, local_files_only=True
            )
            if any((Path(path) / f"{kind}_config.json").is_file() for kind in ("processor", "preprocessor")):
                processor = AutoImageProcessor.from_pretrained(path, backend="pil", local_files_only=True)
            else:
                side = model.config.image_size
                crop = {"height": side, "width": side}
                processor = CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size=crop)
        return cls(model.to(device).eval(), processor, name or Path(folder).resolve().name)

    @property
    def width(self) -> int:
        """Numbers in an embedding, D."""
        return int(self.model.config.projection_dim)

    @torch.no_grad()
    def embed(self, pictures: Sequence[Picture]) -> torch.Tensor:
        """Embeddings ``[B, D]``, ``torch.float32``, on the CPU; not normalised."""
        vectors = [
            self._encode(self.processor(Image.fromarray(picture), return_tensors="pt").pixel_values)
            for picture in pictures
        ]
        return torch.cat(vectors) if vectors else torch.zeros(0, self.width)

    @torch.no_grad()
    def embed_nothing(self) -> torch.Tensor:
        """Embedding ``[D]`` of pixel values 0: Kandinsky's negative condition."""
        side = self.model.config.image_size
        return self._encode(torch.zeros(1, 3, side, side))[0]

    def _encode(self, pixels: torch.Tensor) -> torch.Tensor:
        vector = self.model(pixels.to(self.model.device, self.model.dtype)).image_embeds
        return torch.as_tensor(vector).float().cpu()


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
        As for `checkpoint`.
    device, dtype:
        Of the models, whatever the files' precision.
    options:
        For diffusers' ``from_pretrained``.

    Raises
    ------
    semantic.weights.WeightsMissing
        If the folder or a file in it is missing.
    """
    with checkpoint(folder, preset) as path:
        unet = Path(path) / "unet"
        half = any(unet.glob("*.fp16.*")) and not (unet / "diffusion_pytorch_model.safetensors").is_file()
        pipeline = getattr(_import_diffusers(), name).from_pretrained(
            path,
            dtype=dtype,
            variant="fp16" if half else None,
            use_safetensors=True,
            local_files_only=True,
            **options,
        )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


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
        semantic.weights.WeightsMissing
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
    def size(self) -> tuple[int, int]:
        """Height and width the network was trained for, in pixels."""
        side = self.pipeline.unet.config.sample_size
        height, width = (side, side) if isinstance(side, int) else side
        return height * self.pipeline.vae_scale_factor, width * self.pipeline.vae_scale_factor

    def run(
        self,
        condition: Callable[[slice], dict[str, Any]],
        *,
        seeds: Sequence[int],
        steps: int,
        guidance: float,
        size: tuple[int, int] | None,
        start: Sequence[Picture] | None = None,
        strength: float = 0.8,
    ) -> list[Picture]:
        """Denoise ``len(seeds)`` samples.

        Parameters
        ----------
        condition:
            Gives the pipeline's arguments for a slice of the samples.
        seeds, steps, guidance, size, start, strength:
            As in `Generator.generate`.

        Raises
        ------
        ValueError
            If the size is no multiple of 8, the numbers of samples differ, or ``strength`` leaves no step.
        """
        height, width = size or self.size
        if height % 8 or width % 8 or min(height, width) < 8:
            raise ValueError(f"height and width must be multiples of 8 pixels, got {height} x {width}")
        if start is not None and (len(start) != len(seeds) or not 1 <= int(steps * strength) <= steps):
            raise ValueError(
                f"a start needs one picture a sample and steps * strength of 1 to steps, got {len(start)} "
                f"pictures for {len(seeds)} samples, {steps} steps and strength {strength}"
            )
        pictures: list[Picture] = []
        for first in range(0, len(seeds), self.batch):
            part = slice(first, first + self.batch)
            options = {
                "generator": [torch.Generator("cpu").manual_seed(seed) for seed in seeds[part]],
                "num_inference_steps": steps,
                "guidance_scale": guidance,
                **condition(part),
            }
            if start is None:
                images = self.pipeline(height=height, width=width, **options).images
            else:
                begin = [
                    Image.fromarray(p).resize((width, height), Image.Resampling.LANCZOS) for p in start[part]
                ]
                images = self._from_picture(image=begin, strength=strength, **options).images
            pictures += [np.array(image) for image in images]
        return pictures


@dataclass(frozen=True)
class Selection:
    """One of several candidates.

    Attributes
    ----------
    picture:
        The chosen one.
    index:
        Its place among the candidates.
    distances:
        Of all candidates, to what was received.
    """

    picture: Picture
    index: int
    distances: tuple[float, ...]


def closest(pictures: Sequence[Picture], distance: Callable[[Picture], float]) -> Selection:
    """Choose the candidate with the smallest distance; of equal ones the first, never one that is NaN.

    Raises
    ------
    ValueError
        If there are no candidates.
    """
    if not pictures:
        raise ValueError("there is no candidate to choose from, at least one is needed")
    distances = tuple(float(distance(picture)) for picture in pictures)
    index = min(range(len(pictures)), key=lambda i: math.inf if math.isnan(distances[i]) else distances[i])
    return Selection(pictures[index], index, distances)


def feature_distance(
    embed: Callable[[Sequence[Picture]], torch.Tensor], target: torch.Tensor
) -> Callable[[Picture], float]:
    """Distance of a picture to a received feature, 1 - cosine, in 0 to 2.

    Parameters
    ----------
    embed:
        Maps pictures to features ``[B, ...]``.
    target:
        The received feature, of the shape of one feature.
    """

    def distance(picture: Picture) -> float:
        feature = embed([picture])[0].flatten().double()
        return 1.0 - float(torch.cosine_similarity(feature, target.flatten().double(), dim=0))

    return distance


class Generator:
    """Stable Diffusion with a text prompt and, through IP-Adapter, an image prompt.

    Parameters
    ----------
    diffusion:
        The pipeline; with an IP-Adapter in its network if there are to be image prompts.
    encoder:
        The adapter's image encoder. A receiver that gets embeddings has no use for it.

    Examples
    --------
    >>> generator = Generator.from_pretrained("sd15", ip_adapter="IP-Adapter/models")  # doctest: +SKIP
    >>> sent = generator.embed([picture])  # doctest: +SKIP
    >>> generator.generate(["a dog on a beach"], embeds=sent + noise, seeds=[7])  # doctest: +SKIP
    """

    def __init__(self, diffusion: Diffusion, encoder: ImageEncoder | None = None) -> None:
        self.diffusion = diffusion
        self.encoder = encoder

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        *,
        ip_adapter: str | Path | None = None,
        weight_name: str = "ip-adapter_sd15.safetensors",
        image_encoder_folder: str | None = "image_encoder",
        batch: int = 1,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Read the models from local directories in the hub's layout; the safety checker stays off.

        Parameters
        ----------
        folder:
            Stable Diffusion.
        ip_adapter:
            Folder with the adapter's weights (``models`` of h94/IP-Adapter); None for text alone.
        weight_name:
            The adapter's file in it. Only adapters of one global embedding (not "plus", not "FaceID").
        image_encoder_folder:
            Of the image encoder, relative to ``ip_adapter``. None loads none: image prompts then are
            embeddings only.
        batch:
            See `Diffusion`.
        device, dtype:
            Of all models.

        Raises
        ------
        semantic.weights.WeightsMissing
            If a folder or file is missing; names the command that gets it.
        ValueError
            If the adapter is of another kind.
        """
        encoder = None
        if ip_adapter is not None:  # looked for first: it takes no time, and loading does
            file = Path(ip_adapter) / weight_name
            if not file.is_file():
                raise WeightsMissing(f"there is no file {str(file)!r}; {_command('ip-adapter-sd15')}")
            if image_encoder_folder is not None:
                encoder = ImageEncoder.from_pretrained(
                    Path(ip_adapter) / image_encoder_folder, device=device, dtype=dtype
                )
        diffusion = Diffusion.from_pretrained(folder, batch=batch, device=device, dtype=dtype)
        if ip_adapter is not None:
            _load_adapter(diffusion.pipeline, ip_adapter, weight_name)
        return cls(diffusion, encoder)

    @property
    def embedding_width(self) -> int | None:
        """Numbers in the embedding that the adapter reads (1024 for Stable Diffusion 1.5's); None without."""
        projection = self.diffusion.pipeline.unet.encoder_hid_proj
        if projection is None:
            return None
        return int(projection.image_projection_layers[0].image_embeds.in_features)

    def embed(self, pictures: Sequence[Picture]) -> torch.Tensor:
        """Embeddings of pictures for `generate`, ``[B, D]``, ``torch.float32``, on the CPU.

        Raises
        ------
        ValueError
            If no image encoder was loaded.
        """
        if self.encoder is None:
            raise ValueError(
                "this generator has no image encoder: give embeddings instead of pictures, or load it with "
                "ip_adapter and image_encoder_folder"
            )
        return self.encoder.embed(pictures)

    @property
    def prompt_shape(self) -> tuple[int, int]:
        """Tokens and width of a prompt's embedding (77 and 768 for Stable Diffusion 1.5)."""
        pipeline = self.diffusion.pipeline
        return int(pipeline.tokenizer.model_max_length), int(pipeline.text_encoder.config.hidden_size)

    @torch.no_grad()
    def encode_text(self, prompts: Sequence[str]) -> torch.Tensor:
        """Embeddings of prompts for `generate`, ``[B, T, d]``, ``torch.float32``, on the CPU.

        Prompts are encoded one by one, so that an embedding does not depend on its neighbours. The empty
        prompt of classifier-free guidance is not among them: it is the same for all.
        """
        pipeline, rows = self.diffusion.pipeline, [torch.zeros(0, *self.prompt_shape)]
        for prompt in prompts:
            embeds, _ = pipeline.encode_prompt(prompt, pipeline.device, 1, False)
            rows.append(torch.as_tensor(embeds).float().cpu())
        return torch.cat(rows)

    def generate(
        self,
        prompts: Sequence[str] | None = None,
        *,
        seeds: Sequence[int],
        prompt_embeds: torch.Tensor | None = None,
        images: Sequence[Picture] | None = None,
        embeds: torch.Tensor | None = None,
        scale: float = 0.6,
        start: Sequence[Picture] | None = None,
        strength: float = 0.8,
        steps: int = 25,
        guidance: float = 7.5,
        size: tuple[int, int] | None = None,
    ) -> list[Picture]:
        """Generate one picture a prompt.

        Parameters
        ----------
        prompts:
            B texts; empty ones are allowed.
        seeds:
            B seeds, one a sample.
        prompt_embeds:
            Or the texts' embeddings, ``[B, T, d]``, as `encode_text` gives them and a channel leaves them.
        images:
            B image prompts.
        embeds:
            Or their embeddings, ``[B, D]``, as `embed` gives them and a channel leaves them.
        scale:
            lambda, the weight of the image prompt; 0 ignores it altogether. The adapter's authors advise
            about 0.5 beside a text and 1 without.
        start:
            B pictures to start from instead of noise (image-to-image); resized to ``size`` (Lanczos).
        strength:
            Share of the denoising steps that is run on ``start``, above 0 to 1.
        steps:
            Denoising steps.
        guidance:
            Classifier-free guidance scale; 1 is none.
        size:
            Height and width in pixels, multiples of 8; the network's own by default.

        Returns
        -------
        list of numpy.ndarray
            B pictures, ``[H, W, 3]``, ``uint8``.

        Raises
        ------
        ValueError
            If numbers of samples differ, texts are given twice or not at all, or an image prompt cannot be
            used.
        """
        texts = prompts if prompt_embeds is None else prompt_embeds
        if texts is None or (prompts is not None and prompt_embeds is not None):
            given = "neither" if texts is None else "both"
            raise ValueError(f"a prompt is either a text or its embedding, got {given}")
        counts = {"prompts": len(texts), "seeds": len(seeds)}
        counts |= {"images": len(images)} if images is not None else {}
        if len(set(counts.values())) > 1:
            raise ValueError(f"as many of each are needed, got {counts}")
        prompted = images is not None or embeds is not None
        if prompted and self.embedding_width is None:
            raise ValueError("an image prompt needs an IP-Adapter: load the generator with ip_adapter=FOLDER")
        vectors = self._image_prompts(images, embeds, len(texts)) if prompted and scale else None
        if self.embedding_width is not None:
            self.diffusion.pipeline.set_ip_adapter_scale(0.0 if vectors is None else scale)

        def condition(part: slice) -> dict[str, Any]:
            words: dict[str, Any] = {"prompt_embeds": texts[part]}
            if prompt_embeds is None:
                words = {"prompt": list(texts[part])}
            if self.embedding_width is None:
                return words
            # The network asks for image embeddings even at scale 0, where it does not look at them.
            rows = torch.zeros(len(texts), self.embedding_width) if vectors is None else vectors
            return words | {"ip_adapter_image_embeds": [self._with_negative(rows[part], guidance)]}

        return self.diffusion.run(
            condition, seeds=seeds, steps=steps, guidance=guidance, size=size, start=start, strength=strength
        )

    def select(
        self,
        prompt: str,
        target: torch.Tensor | Callable[[Picture], float],
        *,
        seeds: Sequence[int],
        image: Picture | None = None,
        embed: torch.Tensor | None = None,
        start: Picture | None = None,
        **options: Any,
    ) -> Selection:
        """Generate a candidate for each seed and keep the one closest to what was received.

        Parameters
        ----------
        prompt:
            One text for all candidates.
        target:
            Received embedding ``[D]`` of the picture, compared by cosine with those of the candidates; or a
            function that gives a candidate's distance (`feature_distance`, or a sum of several).
        seeds:
            One a candidate.
        image, embed, start:
            One image prompt, its embedding ``[D]``, one start; for all candidates.
        options:
            ``scale``, ``strength``, ``steps``, ``guidance``, ``size``, as in `generate`.

        Raises
        ------
        ValueError
            If ``target`` is an embedding and no image encoder was loaded, or as `generate` raises it.
        """
        if isinstance(target, torch.Tensor):
            if self.encoder is None:
                raise ValueError("to compare embeddings load the image encoder, or give a function as target")
            target = feature_distance(self.encoder.embed, target)
        count = len(seeds)
        pictures = self.generate(
            [prompt] * count,
            seeds=seeds,
            images=None if image is None else [image] * count,
            embeds=None if embed is None else embed.expand(count, -1),
            start=None if start is None else [start] * count,
            **options,
        )
        return closest(pictures, target)

    def _image_prompts(
        self, images: Sequence[Picture] | None, embeds: torch.Tensor | None, count: int
    ) -> torch.Tensor:
        if images is not None and embeds is not None:
            raise ValueError("an image prompt is either a picture or its embedding, got both")
        vectors = self.embed(images) if images is not None else embeds
        if vectors is None or vectors.shape != (count, self.embedding_width):
            shape = None if vectors is None else list(vectors.shape)
            raise ValueError(f"embeddings [{count}, {self.embedding_width}] are needed, got {shape}")
        return vectors

    def _with_negative(self, vectors: torch.Tensor, guidance: float) -> torch.Tensor:
        """Shape embeddings ``[B, D]`` as diffusers wants them; the negative of an embedding is zero."""
        rows = vectors[:, None].to(self.diffusion.pipeline.unet.device, self.diffusion.pipeline.unet.dtype)
        return torch.cat([torch.zeros_like(rows), rows]) if self.diffusion.guided(guidance) else rows


def _load_adapter(pipeline: Any, folder: str | Path, weight_name: str) -> None:
    from diffusers.models.embeddings import ImageProjection
    from diffusers.utils import logging as diffusers_logging

    verbosity = diffusers_logging.get_verbosity()
    diffusers_logging.set_verbosity_error()  # it would miss the encoder, which `Generator` holds
    try:
        pipeline.load_ip_adapter(
            str(folder),
            subfolder="",
            weight_name=weight_name,
            image_encoder_folder=None,
            local_files_only=True,
        )
    finally:
        diffusers_logging.set_verbosity(verbosity)
    layer = pipeline.unet.encoder_hid_proj.image_projection_layers[0]
    if not isinstance(layer, ImageProjection):
        raise ValueError(
            f"{weight_name} reads a {type(layer).__name__}, not one global embedding: "
            "use ip-adapter_sd15.safetensors or ip-adapter_sd15_light.safetensors"
        )
