"""The bundled vision-language feature of drawn scenes, first stage: what it says, and how it is sent.

::

    picture -> ViT, Q-Former -> feature [8, 96] -> projection -> 512 values -> 256 symbols -> AWGN
                                                                                             |
    caption <- language model <- feature <- projection back <- values at rms 1 <-------------+

SNRs are from -3 to 15 dB. One loss: cross-entropy of the caption's tokens, and of facts read from patches and
from the feature that was received (`bridge.training.scenes.captioning.hints`). Values arrive as
`bridge.systems.semantic.vlf_msc` hands them on: a row sent at unit power, taken at root mean square 1, the
SNR unknown to the receiver. The second stage, `bridge.training.scenes.feature`, adds the picture: it needs
a feature that means something.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bridge.training.scenes.batches import (
    CPU,
    IGNORED,
    PAD,
    PREDICTION,
    SIDE,
    START,
    Ahead,
    Compute,
    draw_scene,
    halved,
    pixel_values,
    scene_tokenizer,
)
from bridge.training.scenes.captioning.caption_batches import CaptionBatch, CaptionBatches
from bridge.training.scenes.captioning.captioner import (
    CaptionerSizes,
    begin_weights,
    image_preparation,
    unpadded,
)
from bridge.training.scenes.captioning.hints import PatchFacts, PatchPlaces, PlaceFacts, place_facts
from bridge.training.scenes.captioning.tower import ACTIVATION, begin_as_captioner, check_captioner
from bridge.training.scenes.text_jscc import SNRS, draw_snrs, through_each
from bridge.training.trainer import Recipe
from phy.channels.flat import AWGN
from phy.random import Stream
from semantic.models.projection import FeatureProjection
from semantic.scenes.scene import Scene
from semantic.zoo.presets import import_transformers

__all__ = ["CaptionedAnd", "FeatureSizes", "FeatureWords", "feature_words", "received", "text_loss"]


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
class CaptionedAnd:
    """Captioned pictures, and one more array of each scene.

    Attributes
    ----------
    captioned:
        Draws the captioned pictures.
    also:
        Makes the array; a function that pickles.
    """

    captioned: CaptionBatches
    also: Callable[[Scene], NDArray[Any]]

    def __call__(self, step: int) -> tuple[CaptionBatch, NDArray[Any]]:
        """Draw a step's rows, and stack what is made of their scenes."""
        scenes = (draw_scene(self.captioned.seed, step, row)[0] for row in range(self.captioned.count))
        return self.captioned(step), np.stack([self.also(scene) for scene in scenes])


class FeatureWords(nn.Module):
    """BLIP-2, the projection, and the heads that read facts and places."""

    def __init__(self, captioner: Path, sizes: FeatureSizes, vocabulary: int, image: int) -> None:
        super().__init__()
        self.blip2 = _make_blip2(captioner, sizes, vocabulary, image)
        self.projection = FeatureProjection(sizes.queries, sizes.width, sizes.channel_uses)
        vision, side = sizes.towers.vision, SIDE // sizes.towers.patch
        self.patch_hints, self.patch_places = PatchFacts(vision), PatchPlaces(vision, side)
        self.place_hints = PlaceFacts(sizes.width)


def received(
    projection: FeatureProjection, features: torch.Tensor, seed: int, step: int, bounds: tuple[float, float]
) -> torch.Tensor:
    """Send features ``[B, N, d]`` over AWGN, each eighth at an SNR drawn between bounds, and read them."""
    snrs = draw_snrs(seed, step, bounds, SNRS)
    heard = through_each(projection.encode(features).float(), AWGN(), snrs, Stream(seed, "train", step))[0]
    # Mean power 1/2 a value becomes 1, as `bridge.systems.parts.values.VectorLink` hands vectors on.
    return projection.decode(math.sqrt(2) * heard)


def text_loss(blip2: Any, features: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of captions ``[B, L]``, which begin with ``<s>``, behind received features."""
    queries = blip2.language_projection(features)
    words = blip2.get_input_embeddings()(ids)
    silent = torch.full(queries.shape[:2], IGNORED, device=ids.device)
    targets = unpadded(ids).masked_fill(ids == START, IGNORED)
    heeded = torch.cat([torch.ones_like(silent), (ids != PAD).long()], dim=1)
    output = blip2.language_model(
        inputs_embeds=torch.cat([queries, words.to(queries.dtype)], dim=1),
        attention_mask=heeded,
        labels=torch.cat([silent, targets], dim=1),
    )
    loss: torch.Tensor = output.loss
    return loss


def _make_blip2(captioner: Path, sizes: FeatureSizes, vocabulary: int, image: int) -> Any:
    library = import_transformers()
    towers = sizes.towers
    heads = max(1, sizes.width // 32)
    config = library.Blip2Config(
        vision_config=towers.tower(hidden_act=ACTIVATION),
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
    begin_as_captioner(model.vision_model, captioner)
    return model


def feature_words(
    captioner: Path,
    *,
    seed: int = 1,
    batch: int = 32,
    snr_db: tuple[float, float] = (-3.0, 15.0),
    sizes: FeatureSizes | None = None,
    compute: Compute = CPU,
) -> Recipe:
    """``tiny-feature-words``: BLIP-2 and the projection to channel uses.

    Parameters
    ----------
    captioner:
        Folder of a trained `tiny-captioner`, with whose vision transformer it begins.
    seed, batch:
        Of the draws; rows of a step.
    snr_db:
        Bounds of the SNRs.
    sizes:
        Of the model.
    compute:
        Where and how it is trained.

    Raises
    ------
    ValueError
        If the folder holds no captioner.
    """
    sizes = sizes or FeatureSizes()
    check_captioner(captioner)
    tokenizer = scene_tokenizer(128)
    draws = CaptionBatches(tokenizer.backend_tokenizer, batch, seed, 0.0, True, sizes.towers.patch)
    batches = Ahead(CaptionedAnd(draws, place_facts), compute.workers)
    image = tokenizer.convert_tokens_to_ids("<image>")
    loss = partial(_loss, batches=batches, seed=seed, snr_db=snr_db, compute=compute)
    save = partial(_save, tokenizer=tokenizer, queries=sizes.queries)
    make = partial(FeatureWords, captioner, sizes, len(tokenizer), image)
    return Recipe("tiny-feature-words", make, loss, save, rate=1e-3, warm_up=200)


def _loss(
    model: FeatureWords,
    step: int,
    *,
    batches: Ahead[Any],
    seed: int,
    snr_db: tuple[float, float],
    compute: Compute,
) -> torch.Tensor:
    (pictures, tokens, patches), places = batches(step)
    ids = torch.from_numpy(tokens).to(compute.device)
    with compute.autocast():
        outputs = model.blip2.get_image_features(pixel_values=pixel_values(pictures, compute.device))
        found = received(model.projection, outputs.qformer_outputs.last_hidden_state, seed, step, snr_db)
        seen = outputs.last_hidden_state[:, 1:]
        hints = model.patch_hints(seen, torch.from_numpy(patches).to(compute.device)) + model.patch_places(
            seen
        )
        hints = hints + model.place_hints(
            found, torch.from_numpy(places).to(compute.device), [True] * len(ids)
        )
        return text_loss(model.blip2, found, ids) + hints


def _save(model: FeatureWords, folder: Path, *, tokenizer: Any, queries: int) -> None:
    library = import_transformers()
    halved(model.blip2).save_pretrained(folder)
    pictures = library.BlipImageProcessorPil(**image_preparation())
    library.Blip2Processor(pictures, tokenizer, num_query_tokens=queries).save_pretrained(folder)
    model.projection.save_pretrained(folder / "projection", torch.float16)
