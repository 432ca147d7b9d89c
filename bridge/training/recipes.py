"""All trainings by name: what each is for, how long it takes, and on which data.

One more is one more `Training` in `RECIPES`, with a function that makes a `Recipe` from folders, a seed and a
device. Folders are named relative to the one that ``SEMPHY_DATA`` or ``--data`` names. The table is read by
``--help``, too: what is heavy is imported when a recipe is made.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.training.data import Data, find

if TYPE_CHECKING:
    from bridge.training.trainer import Recipe

__all__ = ["RECIPES", "Training", "find_data", "prepare"]

Trainer = Callable[[int, Path, bool], object]
"""(steps in all, folder for the model, whether to go on from its checkpoint): trains, and saves the model."""

Maker = Callable[[Mapping[str, Path], int, str], "Recipe"]
"""(folders by their names in `Training.data` and `Training.optional`, seed, device): reads the data."""

_SAVE_EVERY = 250
_PHOTOGRAPHS = ("voc2012_train256/JPEGImages", "flickr8k/images", "bsds500_256")
_OF_PHOTOGRAPHS = ("voc2012", "flickr8k", "bsds500")
_IMAGENET = "imagenet_mobilenet_v2/mobilenet_v2_1.0_224_quant_float.safetensors"
_CAPTIONED = ("flickr8k/images", "flickr8k/captions.txt")
_MORE_CAPTIONS = ("coco_captions/captions_val2017.csv",)
_PHOTOGRAPHS_REMARK = (
    "Trained on photographs of Pascal VOC 2012 (Flickr's terms), Flickr8k and BSDS500 (both offered for "
    "non-commercial research and education); the weights contain none of them."
)
_CAPTIONS_REMARK = (
    "Trained on captions of Flickr8k (offered for non-commercial research and education) and of COCO "
    "(CC BY 4.0), and on descriptions of procedural scenes; the weights contain none of them."
)
_MASKS_REMARK = (
    "Trained on photographs and masks of Pascal VOC 2012 (Flickr's terms, for research); the weights contain "
    "none of them. The backbone is the MobileNet v2 of Google Coral's test data (Apache-2.0), learned from "
    "ImageNet."
)


_CAPTIONED_REMARK = (
    "Trained on photographs and captions of Flickr8k (offered for non-commercial research and education) and "
    "on captions of COCO (CC BY 4.0); the weights contain none of them. The backbone is tiny-segmenter's."
)


@dataclass(frozen=True)
class Training:
    """One training.

    Attributes
    ----------
    purpose:
        One line on what the model is for.
    steps:
        Default.
    recipe:
        Makes the recipe.
    data:
        Folders and files without which it cannot begin.
    optional:
        Folders and files that are used where they are.
    datasets:
        What the card says that the model has learned from; one that knows ``scenes`` alone is not asked about
        photographs.
    remark:
        On the licences of these data and the weights.
    captioned:
        Whether photographs and a file of captions of one's own may take the place of these data.
    """

    purpose: str
    steps: int
    recipe: Maker
    data: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ("scenes",)
    remark: str = "Trained on pictures drawn by this project; no rights of others are known."
    captioned: bool = False


def _nested(folders: Mapping[str, Path], seed: int, device: str) -> Recipe:
    from bridge.training.photographs.deep_jscc import nested

    return nested(list(folders.values()), seed=seed, device=device)


def _bourtsoulatze(c: int) -> Maker:
    def make(folders: Mapping[str, Path], seed: int, device: str) -> Recipe:
        from bridge.training.photographs.deep_jscc import bourtsoulatze

        return bourtsoulatze(list(folders.values()), c, seed=seed, device=device)

    return make


def _corrector(folders: Mapping[str, Path], seed: int, device: str) -> Recipe:
    from bridge.training.texts.corrector import corrector

    return corrector(list(folders.values()), seed=seed, device=device)


def _segmenter(folders: Mapping[str, Path], seed: int, device: str) -> Recipe:
    from bridge.training.photographs.segmenter import segmenter

    if _IMAGENET not in folders:
        raise ValueError(f"tiny-segmenter begins with ImageNet's backbone: the data need {_IMAGENET}, too")
    photographs, before = [folders["voc2012_train256"]], folders.get("tiny-segmenter-before")
    return segmenter(photographs, folders[_IMAGENET], before, seed=seed, device=device)


def _photo_captioner(folders: Mapping[str, Path], seed: int, device: str) -> Recipe:
    from bridge.training.photographs.captioner import captioner
    from semantic.zoo.presets import resolve

    images, captions, *others = (folders[name] for name in (*_CAPTIONED, *_MORE_CAPTIONS) if name in folders)
    return captioner(images, captions, others, resolve("tiny-segmenter"), seed=seed, device=device)


def _on_scenes(name: str, batch: int) -> Maker:
    """A recipe on drawn scenes, behind the models that it builds on, if any.

    On a GPU batches are eight times as large, matrices multiply in bfloat16, and all cores but two draw.

    Parameters
    ----------
    name:
        Of the recipe.
    batch:
        Rows of a step on a CPU.
    """

    def make(folders: Mapping[str, Path], seed: int, device: str) -> Recipe:
        from bridge.training.scenes.batches import Compute

        recipe = _scene_recipes()[name]
        if device.partition(":")[0] == "cpu":
            return recipe(*folders.values(), seed=seed, batch=batch, compute=Compute(device))
        compute = Compute(device, half=True, workers=max(1, (os.cpu_count() or 1) - 2))
        return recipe(*folders.values(), seed=seed, batch=8 * batch, compute=compute)

    return make


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


RECIPES: dict[str, Training] = {
    "tiny-jscc": Training(
        "Deep JSCC of photographs for CBR 1/48 to 1/6 and -4 to 20 dB",
        7_000,
        _nested,
        _PHOTOGRAPHS,
        datasets=_OF_PHOTOGRAPHS,
        remark=_PHOTOGRAPHS_REMARK,
    ),
    **{
        f"jscc-2019-c{c}": Training(
            f"Deep JSCC of Bourtsoulatze et al. (2019) with {c} filters, CBR {c}/96, trained at 10 dB",
            20_000,
            _bourtsoulatze(c),
            _PHOTOGRAPHS,
            datasets=_OF_PHOTOGRAPHS,
            remark=_PHOTOGRAPHS_REMARK,
        )
        for c in (8, 16)
    },
    "tiny-corrector": Training(
        "BART that corrects captions after uncoded QPSK, character by character",
        6_000,
        _corrector,
        ("flickr8k/captions.txt", "coco_captions"),
        datasets=("flickr8k", "coco_captions", "scenes"),
        remark=_CAPTIONS_REMARK,
    ),
    "photo-captioner": Training(
        "Captioner of photographs: MobileNet v2, a projection, and a small language model",
        1_500,
        _photo_captioner,
        _CAPTIONED,
        _MORE_CAPTIONS,
        datasets=("flickr8k", "coco_captions", "voc2012", "imagenet"),
        remark=_CAPTIONED_REMARK,
        captioned=True,
    ),
    "tiny-segmenter": Training(
        "FCN of Pascal VOC's 21 classes for photographs",
        600,
        _segmenter,
        ("voc2012_train256", _IMAGENET),
        ("tiny-segmenter-before",),
        datasets=("voc2012", "imagenet"),
        remark=_MASKS_REMARK,
    ),
    "tiny-scene-segmenter": Training(
        "FCN of the eight shapes of procedural scenes", 1_400, _on_scenes("tiny-scene-segmenter", 8)
    ),
    "tiny-captioner": Training(
        "LLaVA that describes procedural scenes, and quarters of them",
        8_000,
        _on_scenes("tiny-captioner", 32),
    ),
    "tiny-blip": Training(
        "BLIP that describes procedural scenes", 2_000, _on_scenes("tiny-blip", 32), ("tiny-captioner",)
    ),
    "tiny-text-jscc": Training(
        "VLM-CSC's text codec for descriptions of scenes, AWGN at -6 to 18 dB, 16 channel uses a word",
        6_000,
        _on_scenes("tiny-text-jscc", 32),
    ),
    "tiny-generator-vae": Training(
        "Autoencoder of procedural scenes, on which tiny-generator and tiny-feature build",
        8_000,
        _on_scenes("tiny-generator-vae", 16),
    ),
    "tiny-generator": Training(
        "Stable Diffusion with IP-Adapter that draws scenes from descriptions and slices",
        12_000,
        _on_scenes("tiny-generator", 16),
        ("tiny-generator-vae",),
        ("tiny-generator-before",),
    ),
    "tiny-feature-words": Training(
        "Vision-language feature of scenes over 256 channel uses, to text, AWGN at -3 to 15 dB",
        3_000,
        _on_scenes("tiny-feature-words", 32),
        ("tiny-captioner",),
    ),
    "tiny-feature": Training(
        "tiny-feature-words with diffusion that draws pictures from the same feature",
        6_000,
        _on_scenes("tiny-feature", 16),
        ("tiny-feature-words", "tiny-generator"),
        ("tiny-feature-before",),
    ),
    "scenes-judge": Training(
        "Reads the facts of procedural scenes from pictures", 2_400, _on_scenes("scenes-judge", 64)
    ),
}
"""Trainings by the name of the model that they make; ``semphy train NAME`` runs one."""


def find_data(
    name: str, folder: Path | None, images: Path | None = None, captions: Path | None = None
) -> Data:
    """Where the data of a training lie.

    Parameters
    ----------
    name:
        Of the training.
    folder:
        As in `bridge.training.data.find`.
    images, captions:
        Photographs and a file of captions of one's own, of these and of others that are not there, in place
        of all other data.

    Raises
    ------
    ValueError
        If there is no such training, it takes no such data, or data are missing.
    """
    entry = _entry(name)
    if images is None and captions is None:
        return find(f"{name} learns from", entry.data, entry.optional, folder)
    if not entry.captioned:
        there = ", ".join(other for other, training in RECIPES.items() if training.captioned)
        raise ValueError(f"{name} takes no photographs and captions of one's own; {there} does")
    if images is None or captions is None or folder is not None:
        raise ValueError("--images FOLDER and --captions FILE go together, in place of --data")
    return Data(dict(zip(entry.data, (images, captions), strict=True)), own=True)


def prepare(name: str, folders: Mapping[str, Path], seed: int, device: str) -> Trainer:
    """Read the data of a training.

    Raises
    ------
    ValueError
        If there is no such training, or it cannot use the data or the device.
    """
    recipe = _entry(name).recipe(folders, seed, device)

    def run(steps: int, folder: Path, resume: bool) -> object:
        from bridge.training.trainer import train

        return train(recipe, steps, folder, seed=seed, device=device, resume=resume, save_every=_SAVE_EVERY)

    return run


def _entry(name: str) -> Training:
    if name not in RECIPES:
        raise ValueError(f"nothing to train under {name!r}: there are {', '.join(RECIPES)}")
    return RECIPES[name]
