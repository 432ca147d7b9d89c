"""The bundled captioner of drawn scenes: a small LLaVA, which Multi-SC asks.

It and `bridge.training.scenes.captioning.blip` learn the one canonical description of a scene
(`semantic.scenes.captions.describe`), so that greedy decoding has one right answer. LLaVA learns quarters
of pictures, too: Multi-SC cuts a picture into quadrants and asks about each. A quarter cannot know where it
was cut, so its caption tells places within the quarter (`semantic.scenes.quadrants`), and the receiver, who
knows the quarter by the channel, names it. Quarters come from pictures of 64 and of 128 pixels, so some
arrive blurred, as they do when a small picture is enlarged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from bridge.training.scenes.batches import (
    CPU,
    IGNORED,
    PAD,
    PREDICTION,
    SIDE,
    Ahead,
    Compute,
    draw_scene,
    halved,
    pixel_values,
    scene_tokenizer,
)
from bridge.training.scenes.captioning.caption_batches import CaptionBatch, CaptionBatches
from bridge.training.scenes.captioning.hints import PatchFacts, PatchPlaces, place_waves
from bridge.training.trainer import Recipe
from semantic.models.captioning import QUERY
from semantic.scenes.draw import draw
from semantic.zoo.presets import import_transformers

__all__ = [
    "CaptionerSizes",
    "Supervised",
    "begin_tower",
    "begin_weights",
    "captioner",
    "image_preparation",
    "save_captioner",
    "unpadded",
]


_TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{{ '<image>\\n' if part['type'] == 'image' else part['text'] }}"
    "{% endfor %}\\n{% endfor %}"
)


@dataclass(frozen=True)
class CaptionerSizes:
    """Sizes of a captioner.

    Attributes
    ----------
    vision, vision_layers:
        Width and depth of the vision tower.
    text, text_layers:
        Width and depth of the language model.
    patch:
        Side of the vision tower's patches, in pixels.
    """

    vision: int = 128
    vision_layers: int = 4
    text: int = 128
    text_layers: int = 2
    patch: int = 8

    def tower(self, **more: Any) -> dict[str, Any]:
        """Configuration of a vision transformer."""
        shape = _shape(self.vision, self.vision_layers)
        return {**shape, "image_size": SIDE, "patch_size": self.patch, "attention_dropout": 0.0, **more}

    def language(self, **more: Any) -> dict[str, Any]:
        """Configuration of a language model."""
        return {**_shape(self.text, self.text_layers), **PREDICTION, "max_position_embeddings": 256, **more}


def _shape(width: int, layers: int) -> dict[str, int]:
    heads = max(1, width // 32)
    return {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
    }


def captioner(
    *,
    seed: int = 1,
    batch: int = 48,
    quarters: float = 0.5,
    sizes: CaptionerSizes | None = None,
    compute: Compute = CPU,
) -> Recipe:
    """``tiny-captioner``: CLIP's vision tower, a projector and a Qwen2 decoder in LLaVA's classes.

    Parameters
    ----------
    seed, batch:
        Of the draws; rows of a step.
    quarters:
        Share of quarters among the pictures.
    sizes:
        Of the model.
    compute:
        Where and how it is trained.
    """
    sizes = sizes or CaptionerSizes()
    tokenizer = scene_tokenizer(256)
    processor = _llava_processor(tokenizer, sizes)
    turn = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": QUERY}]}
    prompt = processor.apply_chat_template([turn], add_generation_prompt=True)
    patches = (SIDE // sizes.patch) ** 2
    asked = tokenizer(prompt.replace("<image>", "<image>" * patches))["input_ids"]
    draws = CaptionBatches(tokenizer.backend_tokenizer, batch, seed, quarters, False, sizes.patch)
    batches = Ahead(draws, compute.workers)
    loss = partial(_llava_loss, batches=batches, asked=torch.tensor([asked]), compute=compute)
    make = partial(_make_llava, sizes, len(tokenizer), tokenizer.convert_tokens_to_ids("<image>"))
    return Recipe("tiny-captioner", make, loss, partial(save_captioner, processor=processor), rate=2e-3)


def _make_llava(sizes: CaptionerSizes, vocabulary: int, image: int) -> Any:
    library = import_transformers()
    config = library.LlavaConfig(
        vision_config=library.CLIPVisionConfig(**sizes.tower()),
        text_config=library.Qwen2Config(
            # Three matrices make its gated perceptron: twice the width has the usual number of weights.
            **sizes.language(vocab_size=vocabulary, intermediate_size=2 * sizes.text),
            tie_word_embeddings=True,
            num_key_value_heads=max(1, sizes.text // 32),
        ),
        image_token_index=image,
        image_seq_length=(SIDE // sizes.patch) ** 2,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
    )
    model = library.LlavaForConditionalGeneration(config)
    return Supervised(model, "model.vision_tower", sizes.vision, SIDE // sizes.patch)


class Supervised(nn.Module):
    """A model, and the heads that read facts and places from its vision tower's patches while it learns.

    Parameters
    ----------
    model:
        The model; its weights are begun anew.
    tower, width, side:
        Name of its vision tower, width of a patch there, and patches in a row.
    """

    def __init__(self, model: Any, tower: str, width: int, side: int) -> None:
        super().__init__()
        self.model, self.tower = model, tower
        self.hints, self.places = PatchFacts(width), PatchPlaces(width, side)
        begin_weights(model)
        begin_tower(model.get_submodule(tower))

    def forward(self, facts: NDArray[np.int64], **inputs: torch.Tensor) -> torch.Tensor:
        """Loss of the model, and of its patches, of which ``[B, P, 6]`` is true."""
        seen: list[torch.Tensor] = []
        tower = self.model.get_submodule(self.tower)
        hook = tower.register_forward_hook(lambda *call: seen.append(call[2].last_hidden_state[:, 1:]))
        try:
            loss: torch.Tensor = self.model(**inputs).loss
        finally:
            hook.remove()
        return loss + self.hints(seen[0], torch.from_numpy(facts).to(loss.device)) + self.places(seen[0])


@torch.no_grad()
def begin_weights(model: Any) -> None:
    """Start all linear layers so that they keep the power of their inputs.

    The libraries' deviation of 0.02 does so at widths near 2,000; here signals would die away.
    """
    tied = model.get_input_embeddings().weight
    for layer in model.modules():
        if isinstance(layer, nn.Linear) and layer.weight is not tied:
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)


@torch.no_grad()
def begin_tower(tower: Any) -> None:
    """Start a vision tower with patches that are told apart, and with places.

    Random projections of patches nearly all say how bright they are. The principal components of drawn
    patches, scaled to equal power, say what is in them (whitening). Places begin as `place_waves`.

    Parameters
    ----------
    tower:
        Of CLIP, BLIP or BLIP-2.
    """
    patches, places = tower.embeddings.patch_embedding.weight, tower.embeddings.position_embedding
    places = places.weight if isinstance(places, nn.Embedding) else places[0]
    width, _, side, _ = patches.shape
    pixels = pixel_values(np.stack([draw(draw_scene(0, 0, row)[0], SIDE) for row in range(128)]), "cpu")
    cut_out = F.unfold(pixels, side, stride=side).transpose(1, 2).flatten(0, 1)
    power, components = torch.linalg.eigh((cut_out - cut_out.mean(0)).T.cov())
    kept = components.flip(1)[:, :width] / (power.flip(0)[:width] + 1e-3).sqrt()
    patches[: kept.shape[1]] = 0.5 * kept.T.reshape(-1, 3, side, side)
    places[1:] = 0.2 * place_waves(math.isqrt(len(places) - 1), width)


def _llava_processor(tokenizer: Any, sizes: CaptionerSizes) -> Any:
    library = import_transformers()
    return library.LlavaProcessor(
        image_processor=library.CLIPImageProcessorPil(**image_preparation(), do_center_crop=False),
        tokenizer=tokenizer,
        patch_size=sizes.patch,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_TEMPLATE,
    )


def image_preparation() -> dict[str, Any]:
    """How image processors prepare pictures: to 64 x 64, and to -1 ... 1 as `pixel_values` does."""
    square = {"height": SIDE, "width": SIDE}
    return {"size": square, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}


def _llava_loss(
    model: Any,
    step: int,
    *,
    batches: Ahead[CaptionBatch],
    asked: torch.Tensor,
    compute: Compute,
) -> torch.Tensor:
    pictures, tokens, facts = batches(step)
    answers = torch.from_numpy(tokens)
    ids = torch.cat([asked.expand(len(answers), -1), answers], dim=1)
    labels = torch.cat([torch.full_like(ids[:, : asked.shape[1]], IGNORED), unpadded(answers)], dim=1)
    with compute.autocast():
        loss: torch.Tensor = model(
            facts,
            input_ids=ids.to(compute.device),
            pixel_values=pixel_values(pictures, compute.device),
            labels=labels.to(compute.device),
        )
    return loss


def unpadded(ids: torch.Tensor) -> torch.Tensor:
    """Targets of tokens: the same, but for padding, which does not count."""
    return ids.masked_fill(ids == PAD, IGNORED)


def save_captioner(model: Supervised, folder: Path, *, processor: Any) -> None:
    """Write a captioner in half precision and its processor, in the hub's layout."""
    halved(model.model).save_pretrained(folder)
    processor.save_pretrained(folder)
