"""One feature of a picture for words and pictures alike: BLIP-2's Q-Former output, and what is made of it.

::

    picture -> ViT -> Q-Former -> feature [N, d] -> (channel: elsewhere) -+-> language model -> text
                                                                          +-> bridge, diffusion -> picture

This is what VLF-MSC sends. `FeatureToImage` draws by Stable Diffusion, `KandinskyDecoder` by Kandinsky 2.2,
and `semantic.models.feature_adapter` by Stable Diffusion with IP-Adapter.

References
----------
J. Li, D. Li, S. Savarese, S. Hoi: BLIP-2: bootstrapping language-image pre-training with frozen image
encoders and large language models. ICML 2023.
G. Ahn, J. Seo, J. Kang: VLF-MSC: vision-language feature-based multimodal semantic communication system.
arXiv 2511.10074.
A. Razzhigaev et al.: Kandinsky: an improved text-to-image synthesis with image prior and latent diffusion.
EMNLP 2023.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from semantic.models.diffusion import STEP, Diffusion, load_pipeline
from semantic.models.encoders import checkpoint
from semantic.models.feature_adapter import AdapterDecoder
from semantic.models.projection import (
    FeatureBridge,
    FeatureProjection,
    LinearBridge,
    check_context,
    load_bridge,
)
from semantic.networks.pixels import Picture
from semantic.zoo.complete import load_whole

__all__ = [
    "FeatureBridge",
    "FeatureProjection",
    "FeatureToImage",
    "KandinskyDecoder",
    "VisionLanguageFeature",
    "load_feature_image",
]


class VisionLanguageFeature:
    """BLIP-2 cut at the Q-Former's output: the picture's side and the text's side of the channel.

    Pictures and features are handled one by one, so that results do not depend on the batch.

    Parameters
    ----------
    model:
        ``transformers.Blip2ForConditionalGeneration``.
    processor:
        Its image processor and tokeniser.

    Examples
    --------
    >>> from semantic import resolve, scenes
    >>> (sample,) = scenes.load(1, seed=7, difficulty="medium")
    >>> model = VisionLanguageFeature.from_pretrained(resolve("tiny-feature"))
    >>> feature = model.encode([sample.pixels])
    >>> feature.shape  # N tokens, d numbers each
    torch.Size([1, 8, 96])
    >>> model.to_text(feature)[0].split(" at ")[0]
    'A small plain red star'
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self.model = model
        self.processor = processor

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, *, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
    ) -> Self:
        """Read a ``Blip2ForConditionalGeneration`` and its processor from a local directory.

        Raises
        ------
        semantic.zoo.weights.WeightsMissing
            If the folder or a file in it is missing.
        """
        with checkpoint(folder, "blip2-opt-2.7b") as path:
            from transformers import AutoProcessor, Blip2ForConditionalGeneration

            model = load_whole(Blip2ForConditionalGeneration, path, dtype=dtype, use_safetensors=True)
            processor = AutoProcessor.from_pretrained(path, backend="pil", local_files_only=True)
        return cls(model.to(device).eval(), processor)

    @property
    def shape(self) -> tuple[int, int]:
        """N tokens and d numbers each (32 and 768 for the published models)."""
        config = self.model.config
        return int(config.num_query_tokens), int(config.qformer_config.hidden_size)

    @torch.no_grad()
    def encode(self, pictures: Sequence[Picture]) -> torch.Tensor:
        """Features of pictures, ``[B, N, d]``, ``torch.float32``, on the CPU."""
        features = [torch.zeros(0, *self.shape)]
        for picture in pictures:
            pixels = self.processor.image_processor(picture, return_tensors="pt").pixel_values
            outputs = self.model.get_image_features(pixels.to(self.model.device, self.model.dtype))
            features.append(outputs.qformer_outputs.last_hidden_state.float().cpu())
        return torch.cat(features)

    @torch.no_grad()
    def to_text(self, features: torch.Tensor, max_tokens: int = 40) -> list[str]:
        """Describe features by greedy decoding, with no prompt but the start token.

        Equal to ``generate`` of the whole model if the features are untouched.

        Parameters
        ----------
        features:
            ``[B, N, d]``, as `encode` gives them and a channel leaves them.
        max_tokens:
            Most tokens of a text.

        Raises
        ------
        ValueError
            If the shape is another; quotes it.
        """
        if features.ndim != 3 or features.shape[1:] != self.shape:
            needed = f"[batch, {self.shape[0]}, {self.shape[1]}]"
            raise ValueError(f"features {needed} are needed, got {list(features.shape)}")
        config = self.model.config
        ids = torch.tensor([[config.text_config.bos_token_id]], device=self.model.device)
        start = self.model.get_input_embeddings()(ids)
        texts = []
        for feature in features:
            queries = self.model.language_projection(feature[None].to(start.device, start.dtype))
            tokens = torch.cat([queries, start], dim=1)
            mask = torch.ones(tokens.shape[:2], dtype=torch.long, device=tokens.device)
            written = self.model.language_model.generate(
                inputs_embeds=tokens, attention_mask=mask, do_sample=False, max_new_tokens=max_tokens
            )
            texts.append(self.processor.tokenizer.decode(written[0], skip_special_tokens=True).strip())
        return texts


class FeatureToImage:
    """Stable Diffusion that reads a vision-language feature through a trained bridge, and no text at all.

    Parameters
    ----------
    diffusion:
        The pipeline; its text encoder is not used.
    bridge:
        Feature to cross-attention tokens.

    Examples
    --------
    >>> from semantic import resolve, scenes
    >>> (sample,) = scenes.load(1, seed=7, difficulty="medium")
    >>> feature = VisionLanguageFeature.from_pretrained(resolve("tiny-feature")).encode([sample.pixels])
    >>> painter = FeatureToImage.from_pretrained(resolve("tiny-feature") / "image")
    >>> painter.generate(feature, seeds=[1], steps=2)[0].shape
    (64, 64, 3)
    """

    def __init__(self, diffusion: Diffusion, bridge: FeatureBridge) -> None:
        self.diffusion = diffusion
        self.bridge = bridge

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        *,
        batch: int = 1,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Read a Stable Diffusion folder that has a ``bridge/`` beside ``unet/`` and ``vae/``.

        Raises
        ------
        semantic.zoo.weights.WeightsMissing
            If a folder or file is missing.
        ValueError
            If the bridge does not fit the network.
        """
        bridge = FeatureBridge.from_pretrained(Path(folder) / "bridge", device=device, dtype=dtype)
        diffusion = Diffusion.from_pretrained(
            folder, batch=batch, device=device, dtype=dtype, text_encoder=None, tokenizer=None
        )
        check_context(bridge, diffusion.pipeline.unet.config.cross_attention_dim)
        return cls(diffusion, bridge)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that the network was trained for, in pixels."""
        return self.diffusion.size

    @property
    def step(self) -> int:
        """Height and width are multiples of so many pixels."""
        return STEP

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
        _check_seeds(features, seeds)
        place = self.bridge.places

        def condition(rows: list[int]) -> dict[str, Any]:
            tokens = [self.bridge(feature[None].to(place)) for feature in features[rows]]
            negative = self.bridge.unconditional[None].expand(len(tokens), -1, -1)
            return {"prompt_embeds": torch.cat(tokens), "negative_prompt_embeds": negative}

        return self.diffusion.run(condition, seeds=seeds, steps=steps, guidance=guidance, size=size)


class KandinskyDecoder:
    """Kandinsky 2.2's decoder behind a trained bridge: it reads CLIP's image embedding, and no words.

    The mean of the bridge's tokens is the embedding ``[D]``, that of its unconditional tokens stands for no
    condition in guidance.

    Parameters
    ----------
    pipeline:
        A ``KandinskyV22Pipeline``.
    bridge:
        Feature to one or more tokens of D numbers (1280 for the published model).
    """

    def __init__(self, pipeline: Any, bridge: FeatureBridge | LinearBridge) -> None:
        self.pipeline = pipeline
        self.bridge = bridge

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, *, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
    ) -> Self:
        """Read a folder of the decoder that has a ``bridge/`` beside ``unet/`` and ``movq/``.

        Raises
        ------
        semantic.zoo.weights.WeightsMissing
            If a folder or file is missing.
        ValueError
            If the bridge does not fit the network.
        """
        bridge = load_bridge(Path(folder) / "bridge", device=device, dtype=dtype)
        pipeline = load_pipeline("KandinskyV22Pipeline", folder, "kandinsky-2.2-decoder", device, dtype)
        check_context(bridge, pipeline.unet.config.encoder_hid_dim)
        return cls(pipeline, bridge)

    @property
    def step(self) -> int:
        """Height and width are multiples of so many pixels (64 for the published model)."""
        return int(self.pipeline.movq_scale_factor) ** 2

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that the network was trained for, in pixels."""
        side = int(self.pipeline.unet.config.sample_size * self.pipeline.movq_scale_factor)
        return side, side

    @torch.no_grad()
    def generate(
        self,
        features: torch.Tensor,
        *,
        seeds: Sequence[int],
        steps: int = 50,
        guidance: float = 4.0,
        size: tuple[int, int] | None = None,
    ) -> list[Picture]:
        """Generate one picture a feature, one at a time.

        Parameters
        ----------
        features:
            ``[B, N, d]``.
        seeds:
            B seeds, one a sample.
        steps, guidance:
            Denoising steps, and scale of the classifier-free guidance; 1 is none.
        size:
            Height and width in pixels, multiples of `step`; the network's own by default.

        Raises
        ------
        ValueError
            If shapes, numbers or the size do not fit.
        """
        _check_seeds(features, seeds)
        height, width = size or self.size
        if height % self.step or width % self.step:
            raise ValueError(f"sides must be multiples of {self.step} pixels, got {height} x {width}")
        place = self.bridge.unconditional
        negative = place.mean(0, keepdim=True)
        pictures = []
        for seed, feature in zip(seeds, features, strict=True):
            result = self.pipeline(
                image_embeds=self.bridge(feature[None].to(place)).mean(1),
                negative_image_embeds=negative,
                height=height,
                width=width,
                num_inference_steps=steps,
                guidance_scale=guidance,
                generator=[torch.Generator("cpu").manual_seed(seed)],
            )
            pictures.append(np.array(result.images[0]))
        return pictures


def load_feature_image(
    folder: str | Path, *, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
) -> FeatureToImage | AdapterDecoder | KandinskyDecoder:
    """Read what draws from features: what ``model_index.json`` names, with an IP-Adapter if one lies there.

    Parameters
    ----------
    folder, device, dtype:
        As in `FeatureToImage.from_pretrained`.

    Raises
    ------
    semantic.zoo.weights.WeightsMissing
        If a folder or file is missing.
    ValueError
        If the bridge does not fit the network.
    """
    index = Path(folder) / "model_index.json"
    named = json.loads(index.read_text(encoding="utf-8")).get("_class_name") if index.is_file() else None
    if named == "KandinskyV22Pipeline":
        return KandinskyDecoder.from_pretrained(folder, device=device, dtype=dtype)
    reader = AdapterDecoder if (Path(folder) / "ip-adapter").is_dir() else FeatureToImage
    return reader.from_pretrained(folder, device=device, dtype=dtype)


def _check_seeds(features: torch.Tensor, seeds: Sequence[int]) -> None:
    if len(features) != len(seeds):
        raise ValueError(f"as many seeds as features are needed, got {len(seeds)} and {len(features)}")
