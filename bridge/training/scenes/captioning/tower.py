"""Vision transformers of BLIP and BLIP-2 begin as the captioner's, as BLIP-2's published ones as CLIP's.

CLIP's has a layer norm more, behind its embeddings, and BLIP's one behind its last layer. The former is
folded into the embeddings, with the deviation that patches have on average. What leaves the last layer then
agrees up to 3 % of its power, and training mends that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from bridge.training.scenes.batches import draw_scene, pixel_values
from semantic.scenes.draw import draw
from semantic.zoo.complete import load_whole
from semantic.zoo.presets import import_transformers

__all__ = ["ACTIVATION", "begin_as_captioner", "check_captioner"]

ACTIVATION = "quick_gelu"
"""CLIP's, which towers that begin as the captioner's must have."""

_PICTURES = 64


def check_captioner(folder: Path) -> None:
    """Raise a ValueError that names the remedy if a folder holds no captioner."""
    if not (folder / "model.safetensors").is_file():
        raise ValueError(f"there is no captioner in {folder}: semphy train tiny-captioner makes one")


@torch.no_grad()
def begin_as_captioner(tower: Any, folder: Path) -> None:
    """Set a vision transformer of BLIP or BLIP-2 to that of a trained `tiny-captioner`.

    Parameters
    ----------
    tower:
        Of the captioner's widths, depth and patches, with `ACTIVATION`.
    folder:
        Of the captioner.
    """
    library = import_transformers()
    captioner = load_whole(library.LlavaForConditionalGeneration, folder, dtype=torch.float32)
    source = captioner.model.vision_tower
    state = source.state_dict()
    side = source.config.image_size
    pictures = np.stack([draw(draw_scene(0, 0, row)[0], side) for row in range(_PICTURES)])
    deviation = source.embeddings(pixel_values(pictures, "cpu"))[:, 1:].std(-1, correction=0).mean()

    norm = source.pre_layrnorm
    patches, places = (
        state["embeddings.patch_embedding.weight"],
        state["embeddings.position_embedding.weight"],
    )
    places = (places - places.mean(1, keepdim=True)) * norm.weight / deviation + norm.bias
    first = norm(state["embeddings.class_embedding"] + state["embeddings.position_embedding.weight"][0])
    made = {
        "embeddings.patch_embedding.weight": (patches - patches.mean(0))
        * (norm.weight / deviation)[:, None, None, None],
        "embeddings.patch_embedding.bias": torch.zeros(len(patches)),
        "embeddings.position_embedding": places[None],
        "embeddings.class_embedding": (first - places[0])[None, None],
        "post_layernorm.weight": torch.ones(len(patches)),
        "post_layernorm.bias": torch.zeros(len(patches)),
    }
    for name, tensor in state.items():
        if ".self_attn.q_proj." in name:
            parts = [state[name.replace("q_proj", part)] for part in ("q_proj", "k_proj", "v_proj")]
            made[name.replace("q_proj", "qkv")] = torch.cat(parts)
        elif ".self_attn.out_proj." in name:
            made[name.replace("out_proj", "projection")] = tensor
        elif name.startswith("encoder.") and ".self_attn." not in name:
            made[name] = tensor
    tower.load_state_dict(made)
