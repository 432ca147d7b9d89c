"""BLIP's classes at a hundredth of the size, trained on drawn scenes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bridge.training.scenes.batches import CPU, PAD, SIDE, Ahead, Compute, pixel_values, scene_tokenizer
from bridge.training.scenes.captioning.caption_batches import CaptionBatch, CaptionBatches
from bridge.training.scenes.captioning.captioner import (
    CaptionerSizes,
    Supervised,
    image_preparation,
    save_captioner,
    unpadded,
)
from bridge.training.scenes.captioning.tower import ACTIVATION, begin_as_captioner, check_captioner
from bridge.training.trainer import Recipe
from semantic.zoo.presets import import_transformers

__all__ = ["blip"]


def blip(
    captioner: Path,
    *,
    seed: int = 1,
    batch: int = 48,
    sizes: CaptionerSizes | None = None,
    compute: Compute = CPU,
) -> Recipe:
    """``tiny-blip``: BLIP's vision transformer and text decoder, on whole pictures.

    Parameters
    ----------
    captioner:
        Folder of a trained `tiny-captioner`, with whose vision transformer it begins.
    seed, batch, sizes, compute:
        As of `captioner`.

    Raises
    ------
    ValueError
        If the folder holds no captioner.
    """
    sizes = sizes or CaptionerSizes()
    check_captioner(captioner)
    library = import_transformers()
    tokenizer = scene_tokenizer(256, frame=True)
    processor = library.BlipProcessor(library.BlipImageProcessorPil(**image_preparation()), tokenizer)
    core = scene_tokenizer(256).backend_tokenizer
    batches = Ahead(CaptionBatches(core, batch, seed, 0.0, True, sizes.patch), compute.workers)
    loss = partial(_blip_loss, batches=batches, compute=compute)
    make = partial(_make_blip, captioner, sizes, len(tokenizer))
    return Recipe("tiny-blip", make, loss, partial(save_captioner, processor=processor), rate=2e-3)


def _make_blip(captioner: Path, sizes: CaptionerSizes, vocabulary: int) -> Any:
    library = import_transformers()
    undropped: Mapping[str, float] = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    config = library.BlipConfig(
        vision_config=sizes.tower(hidden_act=ACTIVATION),
        text_config=sizes.language(
            vocab_size=vocabulary, encoder_hidden_size=sizes.vision, sep_token_id=2, **undropped
        ),
        projection_dim=sizes.text,
    )
    model = library.BlipForConditionalGeneration(config)
    model = Supervised(model, "vision_model", sizes.vision, SIDE // sizes.patch)
    begin_as_captioner(model.model.vision_model, captioner)
    return model


def _blip_loss(
    model: Any,
    step: int,
    *,
    batches: Ahead[CaptionBatch],
    compute: Compute,
) -> torch.Tensor:
    pictures, tokens, facts = batches(step)
    ids = torch.from_numpy(tokens)
    with compute.autocast():
        loss: torch.Tensor = model(
            facts,
            pixel_values=pixel_values(pictures, compute.device),
            input_ids=ids.to(compute.device),
            attention_mask=(ids != PAD).long().to(compute.device),
            labels=unpadded(ids).to(compute.device),
        )
    return loss
