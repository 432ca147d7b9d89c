"""All trainings by name: what each is for, how long it takes, and on which data.

One more is one more `Entry` in `RECIPES`: a function that makes a `Recipe` from folders, a seed and a device,
in `_by_recipe`. Folders are named relative to the one that ``SEMPHY_DATA`` or ``--data`` names.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from bridge.training.photographs.deep_jscc import bourtsoulatze, nested
from bridge.training.photographs.segmenter import segmenter
from bridge.training.scenes.batches import Compute
from bridge.training.scenes.blip import blip
from bridge.training.scenes.captioner import captioner
from bridge.training.scenes.feature import feature
from bridge.training.scenes.feature_words import feature_words
from bridge.training.scenes.generator import generator
from bridge.training.scenes.judge import train_judge
from bridge.training.scenes.segmenter import scene_segmenter
from bridge.training.scenes.text_jscc import text_jscc
from bridge.training.scenes.vae import vae
from bridge.training.texts.corrector import corrector
from bridge.training.trainer import Recipe, train

__all__ = ["RECIPES", "Entry", "find_data", "prepare"]

Trainer = Callable[[int, Path, bool], object]
"""(steps in all, folder for the model, whether to go on from its checkpoint): trains, and saves the model."""

_SAVE_EVERY = 250
_PHOTOGRAPHS = ("voc2012_train256/JPEGImages", "flickr8k/images", "bsds500_256")
_IMAGENET = "imagenet_mobilenet_v2/mobilenet_v2_1.0_224_quant_float.safetensors"
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


@dataclass(frozen=True)
class Entry:
    """One training.

    Attributes
    ----------
    purpose:
        One line on what the model is for.
    steps:
        Default.
    prepare:
        (folders by their names in `data` and `optional`, seed, device) to what trains: reads the data.
    data:
        Folders and files without which it cannot begin.
    optional:
        Folders and files that are used where they are.
    remark:
        On the licences of data and weights.
    """

    purpose: str
    steps: int
    prepare: Callable[[Mapping[str, Path], int, str], Trainer]
    data: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    remark: str = "Trained on pictures drawn by this project; no rights of others are known."


def _by_recipe(
    make: Callable[[Mapping[str, Path], int, str], Recipe],
) -> Callable[[Mapping[str, Path], int, str], Trainer]:
    """Train by `bridge.training.trainer.train`."""

    def prepare(folders: Mapping[str, Path], seed: int, device: str) -> Trainer:
        recipe = make(folders, seed, device)

        def run(steps: int, folder: Path, resume: bool) -> object:
            return train(
                recipe, steps, folder, seed=seed, device=device, resume=resume, save_every=_SAVE_EVERY
            )

        return run

    return prepare


def _nested(folders: Mapping[str, Path], seed: int, device: str) -> Recipe:
    return nested(list(folders.values()), seed=seed, device=device)


def _bourtsoulatze(c: int) -> Callable[[Mapping[str, Path], int, str], Trainer]:
    return _by_recipe(
        lambda folders, seed, device: bourtsoulatze(list(folders.values()), c, seed=seed, device=device)
    )


def _corrector(folders: Mapping[str, Path], seed: int, device: str) -> Recipe:
    return corrector(list(folders.values()), seed=seed, device=device)


def _segmenter(folders: Mapping[str, Path], seed: int, device: str) -> Recipe:
    if _IMAGENET not in folders:
        raise ValueError(f"tiny-segmenter begins with ImageNet's backbone: the data need {_IMAGENET}, too")
    photographs, before = [folders["voc2012_train256"]], folders.get("tiny-segmenter-before")
    return segmenter(photographs, folders[_IMAGENET], before, seed=seed, device=device)


def _on_scenes(make: Callable[..., Recipe], batch: int) -> Callable[[Mapping[str, Path], int, str], Trainer]:
    """A recipe on drawn scenes, behind the model that it builds on, if any.

    On a GPU batches are eight times as large, matrices multiply in bfloat16, and all cores but two draw.
    """

    def prepared(folders: Mapping[str, Path], seed: int, device: str) -> Recipe:
        if torch.device(device).type == "cpu":
            return make(*folders.values(), seed=seed, batch=batch, compute=Compute(device))
        compute = Compute(device, half=True, workers=max(1, (os.cpu_count() or 1) - 2))
        return make(*folders.values(), seed=seed, batch=8 * batch, compute=compute)

    return _by_recipe(prepared)


def _judge(folders: Mapping[str, Path], seed: int, device: str) -> Trainer:
    if torch.device(device).type != "cpu":
        raise ValueError(f"the judge is trained on the CPU, not on {device!r}")
    return lambda steps, folder, resume: train_judge(steps, seed, folder, resume)


RECIPES: dict[str, Entry] = {
    "tiny-jscc": Entry(
        "Deep JSCC of photographs for CBR 1/48 to 1/6 and -4 to 20 dB",
        7_000,
        _by_recipe(_nested),
        _PHOTOGRAPHS,
        remark=_PHOTOGRAPHS_REMARK,
    ),
    **{
        f"jscc-2019-c{c}": Entry(
            f"Deep JSCC of Bourtsoulatze et al. (2019) with {c} filters, CBR {c}/96, trained at 10 dB",
            20_000,
            _bourtsoulatze(c),
            _PHOTOGRAPHS,
            remark=_PHOTOGRAPHS_REMARK,
        )
        for c in (8, 16)
    },
    "tiny-corrector": Entry(
        "BART that corrects captions after uncoded QPSK, character by character",
        6_000,
        _by_recipe(_corrector),
        ("flickr8k/captions.txt", "coco_captions"),
        remark=_CAPTIONS_REMARK,
    ),
    "tiny-segmenter": Entry(
        "FCN of Pascal VOC's 21 classes for photographs",
        600,
        _by_recipe(_segmenter),
        ("voc2012_train256", _IMAGENET),
        ("tiny-segmenter-before",),
        remark=_MASKS_REMARK,
    ),
    "tiny-scene-segmenter": Entry(
        "FCN of the eight shapes of procedural scenes", 1_400, _on_scenes(scene_segmenter, 8)
    ),
    "tiny-captioner": Entry(
        "LLaVA that describes procedural scenes, and quarters of them", 8_000, _on_scenes(captioner, 32)
    ),
    "tiny-blip": Entry(
        "BLIP that describes procedural scenes", 2_000, _on_scenes(blip, 32), ("tiny-captioner",)
    ),
    "tiny-text-jscc": Entry(
        "VLM-CSC's text codec for descriptions of scenes, AWGN at -6 to 18 dB, 16 channel uses a word",
        6_000,
        _on_scenes(text_jscc, 32),
    ),
    "tiny-generator-vae": Entry(
        "Autoencoder of procedural scenes, on which tiny-generator and tiny-feature build",
        8_000,
        _on_scenes(vae, 16),
    ),
    "tiny-generator": Entry(
        "Stable Diffusion with IP-Adapter that draws scenes from descriptions and slices",
        12_000,
        _on_scenes(generator, 16),
        ("tiny-generator-vae",),
        ("tiny-generator-before",),
    ),
    "tiny-feature-words": Entry(
        "Vision-language feature of scenes over 256 channel uses, to text, AWGN at -3 to 15 dB",
        3_000,
        _on_scenes(feature_words, 32),
        ("tiny-captioner",),
    ),
    "tiny-feature": Entry(
        "tiny-feature-words with diffusion that draws pictures from the same feature",
        6_000,
        _on_scenes(feature, 16),
        ("tiny-feature-words", "tiny-generator"),
        ("tiny-feature-before",),
    ),
    "scenes-judge": Entry("Reads the facts of procedural scenes from pictures", 2_400, _judge),
}
"""Trainings by the name of the model that they make; ``semphy train NAME`` runs one."""


def find_data(name: str, folder: Path | None) -> dict[str, Path]:
    """Where the data of a training lie.

    Parameters
    ----------
    name:
        Of the training.
    folder:
        Holds the folders that the training names; where it has none of them, it is taken for the first one
        itself. None: the folder that the environment variable ``SEMPHY_DATA`` names.

    Raises
    ------
    ValueError
        If there is no such training, or data are missing.
    """
    entry = _entry(name)
    if not entry.data:
        return {}
    named = os.environ.get("SEMPHY_DATA")
    root = folder or (Path(named) if named else None)
    wants = f"{name} learns from {', '.join(entry.data)}"
    where = "name the folder that holds them by --data, or by SEMPHY_DATA in the environment"
    if root is None:
        raise ValueError(f"{wants}: {where}")
    found = {each: root / each for each in (*entry.data, *entry.optional) if (root / each).exists()}
    missing = [each for each in entry.data if each not in found]
    if folder is not None and folder.is_dir() and missing == list(entry.data):
        return {**found, entry.data[0]: folder}
    if missing:
        raise ValueError(f"{wants}, and {root} has no {', no '.join(missing)}: {where}")
    return found


def prepare(name: str, folders: Mapping[str, Path], seed: int, device: str) -> Trainer:
    """Read the data of a training.

    Raises
    ------
    ValueError
        If there is no such training, or it cannot use the data or the device.
    """
    return _entry(name).prepare(folders, seed, device)


def _entry(name: str) -> Entry:
    if name not in RECIPES:
        raise ValueError(f"nothing to train under {name!r}: there are {', '.join(RECIPES)}")
    return RECIPES[name]
