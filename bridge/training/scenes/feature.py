"""The bundled vision-language feature of drawn scenes, second stage: pictures from the same feature.

::

    picture -> ViT, Q-Former -> feature [8, 96] -> projection -> 512 values -> 256 symbols -> AWGN
                                                                                             |
    caption <- language model <-+- feature <- projection back <- values at rms 1 <-----------+
    picture <- UNet <- bridge <-+

It begins with what the first stage learned (`bridge.training.scenes.feature_words`) and with the generator's
autoencoder and network, which learns to read the feature instead of a text. All but the autoencoder learn, at
SNRs from -3 to 15 dB, by one loss: cross-entropy of the caption's tokens and the velocity's squared error
(`bridge.training.scenes.drawing.diffusion`).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bridge.training.scenes.batches import CPU, Ahead, Compute, halved, pixel_values
from bridge.training.scenes.captioning.caption_batches import CaptionBatches
from bridge.training.scenes.drawing.diffusion import save_diffusion, velocity_loss
from bridge.training.scenes.drawing.vae import frozen_vae, latents_of, object_mask
from bridge.training.scenes.feature_words import CaptionedAnd, received, text_loss
from bridge.training.trainer import Recipe
from semantic.models.projection import FeatureBridge, FeatureProjection
from semantic.zoo.complete import load_whole
from semantic.zoo.presets import import_transformers

__all__ = ["FeatureSystem", "feature"]

_LEFT_OUT = 0.1  # of the rows lose their condition, for guidance


class FeatureSystem(nn.Module):
    """All that is trained, and the autoencoder, which is not.

    Parameters
    ----------
    words:
        Folder of `tiny-feature-words`.
    generator:
        Folder of `tiny-generator`.
    before:
        Folder of a finished `tiny-feature`, which has more of both; or None.
    """

    def __init__(self, words: Path, generator: Path, before: Path | None) -> None:
        super().__init__()
        from diffusers import UNet2DConditionModel

        library = import_transformers()
        if before is not None:
            words, generator = before, before / "image"
        self.vae = frozen_vae(generator)
        self.unet = load_whole(UNet2DConditionModel, generator / "unet", dtype=torch.float32)
        self.blip2 = load_whole(library.Blip2ForConditionalGeneration, words, dtype=torch.float32)
        self.projection = FeatureProjection.from_pretrained(words / "projection")
        if before is not None:
            self.bridge = FeatureBridge.from_pretrained(before / "image" / "bridge")
        else:
            tokens, width = self.projection.tokens, self.projection.width
            self.bridge = FeatureBridge(tokens, width, self.unet.config.cross_attention_dim)

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


def feature(
    words: Path,
    generator: Path,
    before: Path | None = None,
    *,
    seed: int = 1,
    batch: int = 32,
    snr_db: tuple[float, float] = (-3.0, 15.0),
    compute: Compute = CPU,
) -> Recipe:
    """``tiny-feature``: BLIP-2, the projection to channel uses, and diffusion that reads the feature.

    Parameters
    ----------
    words:
        Folder that `bridge.training.scenes.feature_words.feature_words` was trained into.
    generator:
        Folder that `bridge.training.scenes.drawing.generator.generator` was trained into.
    before:
        Folder of a finished `tiny-feature` to go on from; another seed than its own draws other scenes. None
        begins with the two others.
    seed, batch:
        Of the draws; rows of a step.
    snr_db:
        Bounds of the SNRs.
    compute:
        Where and how it is trained.

    Raises
    ------
    ValueError
        If a folder does not hold what it should; names what makes it.
    """
    for folder, part, name in ((words, "projection", "feature-words"), (generator, "unet", "generator")):
        if not (folder / part).is_dir():
            raise ValueError(f"there is no {part} in {folder}: semphy train tiny-{name} makes one")
    library = import_transformers()
    processor = library.Blip2Processor.from_pretrained(words, backend="pil")
    config = library.Blip2Config.from_pretrained(words)
    core, patch = processor.tokenizer.backend_tokenizer, config.vision_config.patch_size
    draws = CaptionBatches(core, batch, seed, 0.0, True, patch)
    batches = Ahead(CaptionedAnd(draws, object_mask), compute.workers)
    loss = partial(_loss, batches=batches, seed=seed, snr_db=snr_db, compute=compute)
    make = partial(FeatureSystem, words, generator, before)
    return Recipe("tiny-feature", make, loss, partial(_save, processor=processor), rate=6e-4, warm_up=200)


def _loss(
    model: FeatureSystem,
    step: int,
    *,
    batches: Ahead[Any],
    seed: int,
    snr_db: tuple[float, float],
    compute: Compute,
) -> torch.Tensor:
    captioned, objects = batches(step)
    pixels = pixel_values(captioned.pictures, compute.device)
    ids = torch.from_numpy(captioned.ids).to(compute.device)
    source = torch.Generator().manual_seed((seed << 32) + step)
    with compute.autocast():
        outputs = model.blip2.get_image_features(pixel_values=pixels)
        sent = outputs.qformer_outputs.last_hidden_state
        found = received(model.projection, sent, seed, step, snr_db)
        latents = latents_of(model.vae, pixels)
        pictures = model.picture_loss(found, latents, torch.from_numpy(objects), source)
        return text_loss(model.blip2, found, ids) + pictures


def _save(model: FeatureSystem, folder: Path, *, processor: Any) -> None:
    halved(model.blip2).save_pretrained(folder)
    processor.save_pretrained(folder)
    model.projection.save_pretrained(folder / "projection", torch.float16)
    save_diffusion(folder / "image", model.vae, model.unet)
    model.bridge.save_pretrained(folder / "image" / "bridge", torch.float16)
