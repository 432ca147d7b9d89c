"""The bundled vision-language feature of drawn scenes, trained through the channel, for words and pictures.

::

    picture -> ViT, Q-Former -> feature [8, 96] -> projection -> 512 values -> 256 symbols -> AWGN
                                                                                             |
    caption <- language model <-+- feature <- projection back <- values at rms 1 <-----------+
    picture <- UNet <- bridge <-+

SNRs are from -3 to 15 dB. One loss: cross-entropy of the caption's tokens, the velocity's squared error
(`bridge.training.scene_diffusion`), and facts read from patches and from the feature that was received
(`bridge.training.scene_hints`). The first steps are for words and facts alone: the picture needs a feature
that means something. Values arrive as `bridge.systems.vlf_msc` hands them on: a row sent at
unit power, taken at root mean square 1, the SNR unknown to the receiver. The autoencoder is the generator's,
and the network starts as the generator's and learns to read the feature instead of a text.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bridge.training.scene_batches import (
    IGNORED,
    PAD,
    PREDICTION,
    START,
    Ahead,
    autocast,
    draw_scene,
    halved,
    scene_tokenizer,
    to_pixels,
)
from bridge.training.scene_captioner import (
    CaptionBatch,
    CaptionBatches,
    CaptionerSizes,
    begin_tower,
    begin_weights,
    image_preparation,
    unpadded,
)
from bridge.training.scene_diffusion import save_diffusion, velocity_loss
from bridge.training.scene_hints import PatchFacts, PlaceFacts, place_facts
from bridge.training.scene_text_jscc import SNRS, draw_snrs, through_each
from bridge.training.scene_vae import SIDE, frozen_vae, latents_of
from bridge.training.trainer import Recipe
from phy.channels import AWGN
from phy.random import Stream
from semantic.projection import FeatureBridge, FeatureProjection
from semantic.scenes.draw import masks
from semantic.zoo import import_transformers

__all__ = ["FeatureBatches", "FeatureSizes", "FeatureSystem", "feature"]

_LEFT_OUT = 0.1  # of the rows lose their condition, for guidance
_HINTS = 0.2  # weight of their loss, some nats at first


@dataclass(frozen=True)
class FeatureSizes:
    """Sizes of the feature and of what makes and reads it.

    Attributes
    ----------
    towers:
        Of the vision transformer and the language model.
    queries, width, layers:
        Tokens of the feature, numbers in each, and depth of the Q-Former that makes them.
    channel_uses:
        k symbols, 2k values.
    """

    towers: CaptionerSizes = field(default_factory=CaptionerSizes)
    queries: int = 8
    width: int = 96
    layers: int = 3
    channel_uses: int = 256


@dataclass(frozen=True)
class FeatureBatches:
    """Captioned pictures, what stands in each of their places, and where objects are.

    The latter are ``[B, 9, 6]`` (`bridge.training.scene_hints.place_facts`) and ``[B, 64, 64]``, 0 or 1.
    """

    captioned: CaptionBatches

    def __call__(self, step: int) -> tuple[CaptionBatch, NDArray[np.int64], NDArray[np.bool_]]:
        """Draw a step's rows."""
        scenes = [draw_scene(self.captioned.seed, step, row)[0] for row in range(self.captioned.count)]
        places = np.stack([place_facts(scene) for scene in scenes])
        return self.captioned(step), places, np.stack([masks(scene, SIDE) > 0 for scene in scenes])


class FeatureSystem(nn.Module):
    """All that is trained, and the autoencoder, which is not.

    Parameters
    ----------
    generator:
        Folder of `tiny-generator`: autoencoder, and the network to start with.
    sizes:
        Of the rest.
    vocabulary, image:
        Number of tokens; which one stands for a picture.
    """

    def __init__(self, generator: Path, sizes: FeatureSizes, vocabulary: int, image: int) -> None:
        super().__init__()
        from diffusers import UNet2DConditionModel

        self.vae = frozen_vae(generator)
        self.unet = UNet2DConditionModel.from_pretrained(generator / "unet", dtype=torch.float32)
        self.blip2 = _make_blip2(sizes, vocabulary, image)
        self.projection = FeatureProjection(sizes.queries, sizes.width, sizes.channel_uses)
        self.bridge = FeatureBridge(sizes.queries, sizes.width, self.unet.config.cross_attention_dim)
        self.patch_hints, self.place_hints = PatchFacts(sizes.towers.vision), PlaceFacts(sizes.width)

    def features(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features ``[B, N, d]`` of pixels, and the patches that they are of, ``[B, P, width]``."""
        outputs = self.blip2.get_image_features(pixel_values=pixels)
        return outputs.qformer_outputs.last_hidden_state, outputs.last_hidden_state[:, 1:]

    def text_loss(self, features: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Cross-entropy of captions ``[B, L]``, which begin with ``<s>``, behind received features."""
        queries = self.blip2.language_projection(features)
        words = self.blip2.get_input_embeddings()(ids)
        silent = torch.full(queries.shape[:2], IGNORED, device=ids.device)
        targets = unpadded(ids).masked_fill(ids == START, IGNORED)
        heeded = torch.cat([torch.ones_like(silent), (ids != PAD).long()], dim=1)
        output = self.blip2.language_model(
            inputs_embeds=torch.cat([queries, words.to(queries.dtype)], dim=1),
            attention_mask=heeded,
            labels=torch.cat([silent, targets], dim=1),
        )
        loss: torch.Tensor = output.loss
        return loss

    def picture_loss(
        self,
        features: torch.Tensor,
        latents: torch.Tensor,
        objects: torch.Tensor,
        source: torch.Generator,
    ) -> torch.Tensor:
        """Squared error of the velocity, given received features, some rows without."""
        left_out = torch.rand(len(features), generator=source) < _LEFT_OUT
        tokens = self.bridge(features)
        nothing = self.bridge.unconditional.to(tokens.dtype).expand_as(tokens)
        condition = torch.where(left_out.to(tokens.device)[:, None, None], nothing, tokens)
        return velocity_loss(self.unet, latents, objects, source, encoder_hidden_states=condition)


def _make_blip2(sizes: FeatureSizes, vocabulary: int, image: int) -> Any:
    library = import_transformers()
    towers = sizes.towers
    heads = max(1, sizes.width // 32)
    config = library.Blip2Config(
        vision_config=towers.tower(),
        qformer_config={
            "vocab_size": 32,  # of words that it never reads
            "hidden_size": sizes.width,
            "intermediate_size": 4 * sizes.width,
            "num_hidden_layers": sizes.layers,
            "num_attention_heads": heads,
            "encoder_hidden_size": towers.vision,
            "cross_attention_frequency": 1,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
        },
        text_config={
            "model_type": "opt",
            "vocab_size": vocabulary,
            "hidden_size": towers.text,
            "word_embed_proj_dim": towers.text,
            "ffn_dim": 4 * towers.text,
            "num_hidden_layers": towers.text_layers,
            "num_attention_heads": max(1, towers.text // 32),
            "max_position_embeddings": 128,
            "dropout": 0.0,
            "layerdrop": 0.0,
            **PREDICTION,
        },
        num_query_tokens=sizes.queries,
        image_token_index=image,
    )
    model = library.Blip2ForConditionalGeneration(config)
    nn.init.normal_(model.query_tokens, std=0.5)  # they start at zero, where all queries stay equal
    begin_weights(model)
    begin_tower(model.vision_model)
    return model


def feature(
    generator: Path,
    *,
    seed: int = 1,
    batch: int = 32,
    snr_db: tuple[float, float] = (-3.0, 15.0),
    words_first: int = 1000,
    sizes: FeatureSizes | None = None,
    workers: int = 0,
    device: str = "cpu",
    half: bool = False,
) -> Recipe:
    """``tiny-feature``: BLIP-2, the projection to channel uses, and diffusion that reads the feature.

    Parameters
    ----------
    generator:
        Folder that `bridge.training.scene_generator.generator` was trained into.
    seed, batch:
        Of the draws; rows of a step.
    snr_db:
        Bounds of the SNRs.
    words_first:
        Steps without pictures, at first.
    sizes:
        Of the model.
    workers, device, half:
        As in `bridge.training.scene_captioner.captioner`.

    Raises
    ------
    ValueError
        If the folder holds no generator.
    """
    sizes = sizes or FeatureSizes()
    if not (generator / "unet").is_dir():
        raise ValueError(
            f"there is no generator in {generator}: train one first (semphy train tiny-generator)"
        )
    tokenizer = scene_tokenizer(128)
    draws = CaptionBatches(tokenizer.backend_tokenizer, batch, seed, 0.0, True, sizes.towers.patch)
    batches = Ahead(FeatureBatches(draws), workers)
    image = tokenizer.convert_tokens_to_ids("<image>")
    loss = partial(
        _loss,
        batches=batches,
        seed=seed,
        snr_db=snr_db,
        words_first=words_first,
        device=device,
        half=half,
    )
    save = partial(_save, tokenizer=tokenizer, queries=sizes.queries)
    make = partial(FeatureSystem, generator, sizes, len(tokenizer), image)
    return Recipe("tiny-feature", make, loss, save, rate=6e-4, warm_up=200)


def _loss(
    model: FeatureSystem,
    step: int,
    *,
    batches: Ahead[Any],
    seed: int,
    snr_db: tuple[float, float],
    words_first: int,
    device: str,
    half: bool,
) -> torch.Tensor:
    (pictures, tokens, patches), places, objects = batches(step)
    pixels, ids = to_pixels(pictures, device), torch.from_numpy(tokens).to(device)
    source = torch.Generator().manual_seed((seed << 32) + step)
    snrs = draw_snrs(seed, step, snr_db, SNRS)
    with autocast(device, half):
        features, seen = model.features(pixels)
        # Mean power 1/2 a value becomes 1, as `bridge.systems.values.VectorLink` hands vectors on.
        sent = model.projection.encode(features).float()
        heard = math.sqrt(2) * through_each(sent, AWGN(), snrs, Stream(seed, "train", step))[0]
        received = model.projection.decode(heard)
        hints = model.patch_hints(seen, torch.from_numpy(patches).to(device))
        hints = hints + model.place_hints(received, torch.from_numpy(places).to(device), [True] * len(ids))
        loss = model.text_loss(received, ids) + _HINTS * hints
        if step < words_first:
            return loss
        latents = latents_of(model.vae, pixels)
        return loss + model.picture_loss(received, latents, torch.from_numpy(objects), source)


def _save(model: FeatureSystem, folder: Path, *, tokenizer: Any, queries: int) -> None:
    library = import_transformers()
    halved(model.blip2).save_pretrained(folder)
    pictures = library.BlipImageProcessorPil(**image_preparation())
    library.Blip2Processor(pictures, tokenizer, num_query_tokens=queries).save_pretrained(folder)
    model.projection.save_pretrained(folder / "projection", torch.float16)
    save_diffusion(folder / "image", model.vae, model.unet)
    model.bridge.save_pretrained(folder / "image" / "bridge", torch.float16)
