"""What a transmitter says about a picture, or about its parts: asked once a source, then remembered."""

from __future__ import annotations

from typing import Literal

import numpy as np

from bridge.models import Models
from bridge.systems.memory import Arrays, recall
from bridge.systems.parts.splits import sub_images
from bridge.systems.system import Source

__all__ = ["captions"]


def captions(
    source: Source,
    models: Models,
    prompt: str | None,
    max_tokens: int,
    *,
    role: Literal["captioner", "blip"] = "captioner",
    parts: int = 1,
    split: str = "grid",
) -> list[str]:
    """Describe a picture, or each of its sub-images.

    Systems that ask the same share the answer, whatever else they do.

    Parameters
    ----------
    source:
        With a picture.
    models:
        The captioner; the segmenter if the picture is split at objects.
    prompt, max_tokens:
        As in `semantic.models.captioning.Captioner.caption`.
    role:
        Who is asked.
    parts, split:
        As in `bridge.systems.parts.splits.sub_images`; one part is the whole picture.

    Raises
    ------
    ValueError
        If the source has no picture, or no model plays the role.
    """
    asked = ":".join(map(models.identity, [role, *["segmenter"] * (split == "objects")]))
    key = f"captions:{role}:{split}:{parts}:{prompt}:{max_tokens}:{asked}"

    def ask() -> Arrays:
        captioner = models.blip if role == "blip" else models.captioner
        pictures = sub_images(source.picture, parts, split, models)
        return {"texts": np.array(captioner.caption(pictures, prompt, max_tokens=max_tokens))}

    return [str(text) for text in recall(source, key, ask)["texts"]]
