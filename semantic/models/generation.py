"""Pictures from words and from the embedding of a picture: Stable Diffusion with IP-Adapter.

::

    prompt  -> text encoder                                 -> c_t -+
    picture -> image encoder -> embedding (may be sent)     -> c_i -+-> diffusion -> picture
    seed    ----------------------------------------------- -> x_T -+

Cross-attention adds the two, Z = Z_text + lambda Z_image; lambda = 0 is plain text-to-image, to the bit.

A prompt longer than the text encoder's context (77 tokens for CLIP) is encoded window by window, and the
network reads the windows' embeddings one behind the other, ``[n T, d]``, as attention takes any number of
tokens. Guidance holds against it the empty prompt, as often. Each window begins a text of its own.

References
----------
H. Ye, J. Zhang, S. Liu, X. Han, W. Yang: IP-Adapter: text compatible image prompt adapter for text-to-image
diffusion models. arXiv 2308.06721, equation 5.
C. Liang, D. Li: MMSemCom (candidates chosen by received features). arXiv 2411.17428.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import safe_open

from semantic.models.diffusion import STEP, Diffusion
from semantic.models.encoders import ImageEncoder, fetch_hint
from semantic.models.windows import split_windows
from semantic.networks.pixels import Picture
from semantic.zoo.complete import WrongWeights, check_tensors
from semantic.zoo.missing import WeightsMissing

__all__ = ["Choice", "Generator", "Texts", "closest", "feature_distance"]

Texts = str | Sequence[str]
"""A text, or several that say one thing after the other, each of which keeps its windows to itself."""


@dataclass(frozen=True)
class Choice:
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


def closest(pictures: Sequence[Picture], distance: Callable[[Picture], float]) -> Choice:
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
    return Choice(pictures[index], index, distances)


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
    >>> from semantic import resolve, scenes
    >>> (sample,) = scenes.load(1, seed=7, difficulty="medium")
    >>> folder = resolve("tiny-generator")
    >>> generator = Generator.from_pretrained(
    ...     folder, ip_adapter=folder / "ip-adapter", weight_name="ip-adapter_scenes.safetensors"
    ... )
    >>> (painted,) = generator.generate(sample.captions[:1], images=[sample.pixels], seeds=[1], steps=2)
    >>> painted.shape, painted.dtype
    ((64, 64, 3), dtype('uint8'))
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
            See `semantic.models.diffusion.Diffusion`.
        device, dtype:
            Of all models.

        Raises
        ------
        semantic.zoo.weights.WeightsMissing
            If a folder or file is missing; names the command that gets it.
        ValueError
            If the adapter is of another kind.
        """
        encoder = None
        if ip_adapter is not None:  # looked for first: it takes no time, and loading does
            file = Path(ip_adapter) / weight_name
            if not file.is_file():
                raise WeightsMissing(f"there is no file {str(file)!r}; {fetch_hint('ip-adapter-sd15')}")
            if image_encoder_folder is not None:
                encoder = ImageEncoder.from_pretrained(
                    Path(ip_adapter) / image_encoder_folder, device=device, dtype=dtype
                )
        diffusion = Diffusion.from_pretrained(folder, batch=batch, device=device, dtype=dtype)
        if ip_adapter is not None:
            _load_adapter(diffusion.pipeline, ip_adapter, weight_name)
        return cls(diffusion, encoder)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that the network was trained for, in pixels."""
        return self.diffusion.size

    @property
    def step(self) -> int:
        """Height and width are multiples of so many pixels."""
        return STEP

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
        """Tokens and width of a window's embedding (77 and 768 for Stable Diffusion 1.5)."""
        pipeline = self.diffusion.pipeline
        return int(pipeline.tokenizer.model_max_length), int(pipeline.text_encoder.config.hidden_size)

    def windows(self, prompt: Texts) -> list[str]:
        """The texts that the text encoder reads of a prompt, one after the other; at least one.

        A prompt that fits the encoder's context is one window. Else each of its texts has windows of its own,
        which end behind sentences, or words where a sentence is too long.
        """
        texts = [prompt] if isinstance(prompt, str) else list(prompt)
        if self._fits(whole := " ".join(texts)):
            return [whole]
        return [window.strip() for text in texts for window in split_windows(text, self._fits)]

    def _fits(self, text: str) -> bool:
        ids = self.diffusion.pipeline.tokenizer(text.strip(), verbose=False).input_ids
        return len(ids) <= self.prompt_shape[0]

    @torch.no_grad()
    def encode_text(self, prompts: Sequence[Texts]) -> list[torch.Tensor]:
        """Embeddings of prompts for `generate`, each ``[n T, d]`` for n windows, float32, on the CPU.

        Windows are encoded one by one, so that an embedding does not depend on its neighbours. The empty
        prompt of classifier-free guidance is not among them: it is the same for all.
        """
        return [torch.cat([self._encode(window) for window in self.windows(prompt)]) for prompt in prompts]

    def _encode(self, window: str) -> torch.Tensor:
        pipeline = self.diffusion.pipeline
        embeds, _ = pipeline.encode_prompt(window, pipeline.device, 1, False)
        return torch.as_tensor(embeds)[0].float().cpu()

    def generate(
        self,
        prompts: Sequence[Texts] | None = None,
        *,
        seeds: Sequence[int],
        prompt_embeds: Sequence[torch.Tensor] | torch.Tensor | None = None,
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
            B prompts, of any length (`windows`); empty ones are allowed.
        seeds:
            B seeds, one a sample.
        prompt_embeds:
            Or their embeddings, each ``[n T, d]``, as `encode_text` gives them and a channel leaves them.
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
            If numbers of samples differ, texts are given twice or not at all, an embedding is not of whole
            windows, or an image prompt cannot be used.
        """
        if prompts is not None and prompt_embeds is None:
            words = self.encode_text(prompts)
        elif prompts is None and prompt_embeds is not None:
            words = list(prompt_embeds)
        else:
            given = "neither" if prompts is None else "both"
            raise ValueError(f"a prompt is either a text or its embedding, got {given}")
        counts = {"prompts": len(words), "seeds": len(seeds)}
        counts |= {"images": len(images)} if images is not None else {}
        if len(set(counts.values())) > 1:
            raise ValueError(f"as many of each are needed, got {counts}")
        prompted = images is not None or embeds is not None
        if prompted and self.embedding_width is None:
            raise ValueError("an image prompt needs an IP-Adapter: load the generator with ip_adapter=FOLDER")
        vectors = self._image_prompts(images, embeds, len(words)) if prompted and scale else None
        if self.embedding_width is not None:
            self.diffusion.pipeline.set_ip_adapter_scale(0.0 if vectors is None else scale)

        def condition(rows: list[int]) -> dict[str, Any]:
            told = self._told(torch.stack([words[row] for row in rows]))
            if self.embedding_width is None:
                return told
            # The network asks for image embeddings even at scale 0, where it does not look at them.
            chosen = torch.zeros(len(rows), self.embedding_width) if vectors is None else vectors[rows]
            return told | {"ip_adapter_image_embeds": [self._with_negative(chosen, guidance)]}

        return self.diffusion.run(
            condition,
            seeds=seeds,
            steps=steps,
            guidance=guidance,
            size=size,
            start=start,
            strength=strength,
            kinds=[len(embedding) for embedding in words],
        )

    def select(
        self,
        prompt: Texts,
        target: torch.Tensor | Callable[[Picture], float],
        *,
        seeds: Sequence[int],
        **options: Any,
    ) -> Choice:
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
        options:
            All others of `generate`.

        Raises
        ------
        ValueError
            If ``target`` is an embedding and no image encoder was loaded, or as `generate` raises it.
        """
        if isinstance(target, torch.Tensor):
            if self.encoder is None:
                raise ValueError("to compare embeddings load the image encoder, or give a function as target")
            target = feature_distance(self.encoder.embed, target)
        return closest(self.generate([prompt] * len(seeds), seeds=seeds, **options), target)

    def _told(self, embeds: torch.Tensor) -> dict[str, torch.Tensor]:
        """Embeddings ``[B, n T, d]`` as diffusers wants them, and beside them the empty prompt's, as long."""
        length = self.prompt_shape[0]
        if embeds.shape[1] % length:
            raise ValueError(
                f"a text's embedding has whole windows of {length} tokens, got {embeds.shape[1]}"
            )
        negative = self._encode("").repeat(len(embeds), embeds.shape[1] // length, 1)
        place = {"device": self.diffusion.pipeline.unet.device, "dtype": self.diffusion.pipeline.unet.dtype}
        return {"prompt_embeds": embeds.to(**place), "negative_prompt_embeds": negative.to(**place)}

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

    _check_adapter(pipeline, Path(folder) / weight_name)
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
    except KeyError as error:
        raise WrongWeights(
            f"{str(Path(folder) / weight_name)!r} is no IP-Adapter: {error} is missing"
        ) from error
    finally:
        diffusers_logging.set_verbosity(verbosity)
    layer = pipeline.unet.encoder_hid_proj.image_projection_layers[0]
    if not isinstance(layer, ImageProjection):
        raise ValueError(
            f"{weight_name} reads a {type(layer).__name__}, not one global embedding: "
            "use ip-adapter_sd15.safetensors or ip-adapter_sd15_light.safetensors"
        )


def _check_adapter(pipeline: Any, file: Path) -> None:
    """Refuse an adapter of one global embedding that is not whole; other kinds are refused as such."""
    with safe_open(file, "pt") as tensors:
        names = set(tensors.keys())
    wanted = {f"image_proj.{layer}.{kind}" for layer in ("proj", "norm") for kind in ("weight", "bias")}
    crossing = sum(name.endswith("attn2.processor") for name in pipeline.unet.attn_processors)
    numbers = range(1, 2 * crossing, 2)
    wanted |= {f"ip_adapter.{n}.to_{matrix}_ip.weight" for n in numbers for matrix in "kv"}
    if names & {name for name in wanted if name.startswith("image_proj.proj.")}:
        check_tensors(file, "IP-Adapter", wanted, wanted - names, names - wanted)
