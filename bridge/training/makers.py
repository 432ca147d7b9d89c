"""What makes the recipes of `bridge.training.recipes`: from folders, a seed, a device, and what was chosen.

Whatever is heavy is imported when a recipe is made.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.training.settings import base_folder, read_levels

if TYPE_CHECKING:
    from bridge.training.scenes.batches import Compute
    from bridge.training.trainer import Recipe

__all__ = [
    "CAPTIONED",
    "IMAGENET",
    "MORE_CAPTIONS",
    "Maker",
    "bourtsoulatze",
    "corrector",
    "jscc",
    "nested",
    "on_scenes",
    "own_corrector",
    "own_text_jscc",
    "photo_captioner",
    "segmenter",
]

Maker = Callable[..., "Recipe"]
"""(folders by the names that the training has for them, seed, device, settings by name): reads the data."""

IMAGENET = "imagenet_mobilenet_v2/mobilenet_v2_1.0_224_quant_float.safetensors"
CAPTIONED = ("flickr8k/images", "flickr8k/captions.txt")
MORE_CAPTIONS = ("coco_captions/captions_val2017.csv",)


def nested(folders: Mapping[str, Path], seed: int, device: str) -> Recipe:
    """Deep JSCC for all rates and SNRs."""
    from bridge.training.photographs.deep_jscc import nested

    return nested(list(folders.values()), seed=seed, device=device)


def bourtsoulatze(c: int) -> Maker:
    """Deep JSCC of 2019 with so many filters, at 10 dB."""

    def make(folders: Mapping[str, Path], seed: int, device: str) -> Recipe:
        from bridge.training.photographs.deep_jscc import bourtsoulatze

        return bourtsoulatze(list(folders.values()), c, seed=seed, device=device)

    return make


def jscc(folders: Mapping[str, Path], seed: int, device: str, c: int = 8, snr: str = "0:20") -> Recipe:
    """At one SNR the network of 2019, for a range of them ADJSCC."""
    from bridge.training.photographs.deep_jscc import adaptive, bourtsoulatze

    (low, high), places = read_levels(snr), list(folders.values())
    if low == high:
        return bourtsoulatze(places, c, snr_db=low, seed=seed, device=device)
    return adaptive(places, c, snr_db=(low, high), seed=seed, device=device)


def corrector(folders: Mapping[str, Path], seed: int, device: str) -> Recipe:
    """The bundled corrector."""
    from bridge.training.texts.corrector import corrector

    return corrector(list(folders.values()), seed=seed, device=device)


def own_corrector(
    folders: Mapping[str, Path], seed: int, device: str, base: str | None = None, link: str = "1-qpsk"
) -> Recipe:
    """A small BART, or the base, behind a link."""
    from bridge.training.texts.corrector import corrector
    from bridge.training.texts.links import parse_link

    beginning = None if base is None else base_folder(base)
    places, over = list(folders.values()), parse_link(link)
    return corrector(places, base=beginning, link=over, scenes=0.0, seed=seed, device=device)


def own_text_jscc(folders: Mapping[str, Path], seed: int, device: str, snr: str = "-6:18") -> Recipe:
    """The text codec for captions."""
    from bridge.training.texts.text_jscc import caption_jscc

    batch, compute = _compute(32, device)
    levels = read_levels(snr)
    return caption_jscc(list(folders.values()), snr_db=levels, seed=seed, batch=batch, compute=compute)


def segmenter(folders: Mapping[str, Path], seed: int, device: str) -> Recipe:
    """The FCN of photographs."""
    from bridge.training.photographs.segmenter import segmenter

    if IMAGENET not in folders:
        raise ValueError(f"tiny-segmenter begins with ImageNet's backbone: the data need {IMAGENET}, too")
    photographs, before = [folders["voc2012_train256"]], folders.get("tiny-segmenter-before")
    return segmenter(photographs, folders[IMAGENET], before, seed=seed, device=device)


def photo_captioner(folders: Mapping[str, Path], seed: int, device: str) -> Recipe:
    """The captioner of photographs."""
    from bridge.training.photographs.captioner import captioner
    from semantic.zoo.presets import resolve

    images, captions, *others = (folders[name] for name in (*CAPTIONED, *MORE_CAPTIONS) if name in folders)
    return captioner(images, captions, others, resolve("tiny-segmenter"), seed=seed, device=device)


def on_scenes(name: str, batch: int) -> Maker:
    """A recipe on drawn scenes, behind the models that it builds on, if any.

    Parameters
    ----------
    name:
        Of the recipe.
    batch:
        Rows of a step on a CPU.
    """

    def make(folders: Mapping[str, Path], seed: int, device: str) -> Recipe:
        rows, compute = _compute(batch, device)
        return _scene_recipes()[name](*folders.values(), seed=seed, batch=rows, compute=compute)

    return make


def _compute(batch: int, device: str) -> tuple[int, Compute]:
    """Rows of a step and how they are computed.

    On a GPU batches are eight times as large, matrices multiply in bfloat16, and all cores but two draw.
    """
    from bridge.training.scenes.batches import Compute

    if device.partition(":")[0] == "cpu":
        return batch, Compute(device)
    return 8 * batch, Compute(device, half=True, workers=max(1, (os.cpu_count() or 1) - 2))


def _scene_recipes() -> dict[str, Callable[..., Recipe]]:
    from bridge.training.scenes.captioning.blip import blip
    from bridge.training.scenes.captioning.captioner import captioner
    from bridge.training.scenes.drawing.generator import generator
    from bridge.training.scenes.drawing.vae import vae
    from bridge.training.scenes.feature import feature
    from bridge.training.scenes.feature_words import feature_words
    from bridge.training.scenes.judge import judge
    from bridge.training.scenes.segmenter import scene_segmenter
    from bridge.training.scenes.text_jscc import text_jscc

    return {
        "tiny-scene-segmenter": scene_segmenter,
        "tiny-captioner": captioner,
        "tiny-blip": blip,
        "tiny-text-jscc": text_jscc,
        "tiny-generator-vae": vae,
        "tiny-generator": generator,
        "tiny-feature-words": feature_words,
        "tiny-feature": feature,
        "scenes-judge": judge,
    }
