"""All trainings by name: what each is for, how long it takes, on which data, and what may be chosen.

One more is one more `Training` in `RECIPES`, with a function in `bridge.training.makers`. Folders are named
relative to the one that ``SEMPHY_DATA`` or ``--data`` names. The table is read by ``--help``, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bridge.training import makers
from bridge.training.data import Data, find
from bridge.training.settings import base_folder, read_levels, spelled
from semantic.zoo.digests import digest_of_model

__all__ = ["RECIPES", "Training", "choose", "find_data", "prepare"]

Trainer = Callable[[int, Path, bool], object]
"""(steps in all, folder for the model, whether to go on from its checkpoint): trains, and saves the model."""

_SAVE_EVERY = 250
_PHOTOGRAPHS = ("voc2012_train256/JPEGImages", "flickr8k/images", "bsds500_256")
_OF_PHOTOGRAPHS = ("voc2012", "flickr8k", "bsds500")
_PHOTOGRAPHS_REMARK = (
    "Trained on photographs of Pascal VOC 2012 (Flickr's terms), Flickr8k and BSDS500 (both offered for "
    "non-commercial research and education); the weights contain none of them."
)
_CAPTIONS_REMARK = (
    "Trained on captions of Flickr8k (offered for non-commercial research and education) and of COCO "
    "(CC BY 4.0), and on descriptions of procedural scenes; the weights contain none of them."
)
_CAPTIONS_ALONE_REMARK = (
    "Trained on captions of Flickr8k (offered for non-commercial research and education) and of COCO "
    "(CC BY 4.0); the weights contain none of them."
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
    own:
        What of one's own may take the place of these data: ``images``, a folder, and ``captions``, a file.
    settings:
        What may be chosen. Such a training makes a model of one's own, and none that is bundled.
    """

    purpose: str
    steps: int
    recipe: makers.Maker
    data: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ("scenes",)
    remark: str = "Trained on pictures drawn by this project; no rights of others are known."
    own: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()


RECIPES: dict[str, Training] = {
    "jscc": Training(
        "Deep JSCC of photographs with c filters, CBR c/96, at one SNR (2019) or a range of them (ADJSCC)",
        20_000,
        makers.jscc,
        _PHOTOGRAPHS,
        datasets=_OF_PHOTOGRAPHS,
        remark=_PHOTOGRAPHS_REMARK,
        own=("images",),
        settings=("c", "snr"),
    ),
    "corrector": Training(
        "BART that corrects captions behind a link, a small one or one that has learned before",
        6_000,
        makers.own_corrector,
        ("flickr8k/captions.txt", "coco_captions"),
        datasets=("flickr8k", "coco_captions"),
        remark=_CAPTIONS_ALONE_REMARK,
        own=("captions",),
        settings=("base", "link"),
    ),
    "text-jscc": Training(
        "VLM-CSC's text codec for captions, told any SNR of a range, 16 channel uses a token",
        6_000,
        makers.own_text_jscc,
        ("flickr8k/captions.txt", "coco_captions"),
        datasets=("flickr8k", "coco_captions"),
        remark=_CAPTIONS_ALONE_REMARK,
        own=("captions",),
        settings=("snr",),
    ),
    "tiny-jscc": Training(
        "Deep JSCC of photographs for CBR 1/48 to 1/6 and -4 to 20 dB",
        7_000,
        makers.nested,
        _PHOTOGRAPHS,
        datasets=_OF_PHOTOGRAPHS,
        remark=_PHOTOGRAPHS_REMARK,
    ),
    **{
        f"jscc-2019-c{c}": Training(
            f"Deep JSCC of Bourtsoulatze et al. (2019) with {c} filters, CBR {c}/96, trained at 10 dB",
            20_000,
            makers.bourtsoulatze(c),
            _PHOTOGRAPHS,
            datasets=_OF_PHOTOGRAPHS,
            remark=_PHOTOGRAPHS_REMARK,
        )
        for c in (8, 16)
    },
    "tiny-corrector": Training(
        "BART that corrects captions after uncoded QPSK, character by character",
        6_000,
        makers.corrector,
        ("flickr8k/captions.txt", "coco_captions"),
        datasets=("flickr8k", "coco_captions", "scenes"),
        remark=_CAPTIONS_REMARK,
    ),
    "photo-captioner": Training(
        "Captioner of photographs: MobileNet v2, a projection, and a small language model",
        1_500,
        makers.photo_captioner,
        makers.CAPTIONED,
        makers.MORE_CAPTIONS,
        datasets=("flickr8k", "coco_captions", "voc2012", "imagenet"),
        remark=_CAPTIONED_REMARK,
        own=("images", "captions"),
    ),
    "tiny-segmenter": Training(
        "FCN of Pascal VOC's 21 classes for photographs",
        600,
        makers.segmenter,
        ("voc2012_train256", makers.IMAGENET),
        ("tiny-segmenter-before",),
        datasets=("voc2012", "imagenet"),
        remark=_MASKS_REMARK,
    ),
    "tiny-scene-segmenter": Training(
        "FCN of the eight shapes of procedural scenes", 1_400, makers.on_scenes("tiny-scene-segmenter", 8)
    ),
    "tiny-captioner": Training(
        "LLaVA that describes procedural scenes, and quarters of them",
        8_000,
        makers.on_scenes("tiny-captioner", 32),
    ),
    "tiny-blip": Training(
        "BLIP that describes procedural scenes", 2_000, makers.on_scenes("tiny-blip", 32), ("tiny-captioner",)
    ),
    "tiny-text-jscc": Training(
        "VLM-CSC's text codec for descriptions of scenes, AWGN at -6 to 18 dB, 16 channel uses a word",
        6_000,
        makers.on_scenes("tiny-text-jscc", 32),
    ),
    "tiny-generator-vae": Training(
        "Autoencoder of procedural scenes, on which tiny-generator and tiny-feature build",
        8_000,
        makers.on_scenes("tiny-generator-vae", 16),
    ),
    "tiny-generator": Training(
        "Stable Diffusion with IP-Adapter that draws scenes from descriptions and slices",
        12_000,
        makers.on_scenes("tiny-generator", 16),
        ("tiny-generator-vae",),
        ("tiny-generator-before",),
    ),
    "tiny-feature-words": Training(
        "Vision-language feature of scenes over 256 channel uses, to text, AWGN at -3 to 15 dB",
        3_000,
        makers.on_scenes("tiny-feature-words", 32),
        ("tiny-captioner",),
    ),
    "tiny-feature": Training(
        "tiny-feature-words with diffusion that draws pictures from the same feature",
        6_000,
        makers.on_scenes("tiny-feature", 16),
        ("tiny-feature-words", "tiny-generator"),
        ("tiny-feature-before",),
    ),
    "scenes-judge": Training(
        "Reads the facts of procedural scenes from pictures", 2_400, makers.on_scenes("scenes-judge", 64)
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
        Photographs and a file of captions of one's own (`Training.own`), in place of all other data; captions
        may be of photographs that are not there.

    Raises
    ------
    ValueError
        If there is no such training, it takes no such data, or data are missing.
    """
    entry = _entry(name)
    places = {kind: place for kind, place in (("images", images), ("captions", captions)) if place}
    if not places:
        return find(f"{name} learns from", entry.data, entry.optional, folder)
    for kind in [kind for kind in places if kind not in entry.own]:
        raise ValueError(f"{name} takes no --{kind} of one's own; {_takers(kind)} do")
    together = " and ".join(f"--{kind} {_PLACES[kind]}" for kind in entry.own)
    if places.keys() != set(entry.own):
        raise ValueError(f"{together} go together, in place of --data")
    if folder is not None:
        raise ValueError(f"{together} stands in place of --data: give one of the two")
    for place in places.values():
        if not place.exists():
            raise ValueError(f"no file or folder {str(place)!r}")
    return Data({entry.data[index]: places[kind] for index, kind in enumerate(entry.own)}, own=True)


_PLACES = {"images": "FOLDER", "captions": "FILE"}


def _takers(what: str) -> str:
    """Names of the trainings that take data of one's own, or a setting."""
    return ", ".join(name for name, entry in RECIPES.items() if what in (*entry.own, *entry.settings))


def choose(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What was chosen for a training, checked before any data are read.

    Parameters
    ----------
    name:
        Of the training.
    settings:
        By name; what is None was not chosen.

    Raises
    ------
    ValueError
        If there is no such training, it takes no such setting, or the base or the SNRs are none.

    Examples
    --------
    >>> choose("jscc", {"c": 2, "snr": "19", "link": None})
    {'c': 2, 'snr': '19'}
    """
    from bridge.air.schemes import parse_scheme

    entry = _entry(name)
    chosen = {key: value for key, value in settings.items() if value is not None}
    for key in [key for key in chosen if key not in entry.settings]:
        raise ValueError(f"{name} takes no --{key}; {_takers(key)} do")
    if "snr" in chosen:
        read_levels(chosen["snr"])
    if "link" in chosen:
        parse_scheme(chosen["link"])
    if "base" in chosen:
        base_folder(chosen["base"])
    return chosen


def prepare(
    name: str, folders: Mapping[str, Path], seed: int, device: str, settings: Mapping[str, Any] | None = None
) -> Trainer:
    """Read the data of a training.

    Parameters
    ----------
    name, folders, seed, device:
        As for the recipe.
    settings:
        As `choose` gives them; with the base's content they are a part of the checkpoint's identity.

    Raises
    ------
    ValueError
        If there is no such training, or it cannot use the data or the device.
    """
    chosen = settings or {}
    recipe = _entry(name).recipe(folders, seed, device, **chosen)
    if chosen:
        of = [digest_of_model(base_folder(chosen["base"]))] if "base" in chosen else []
        recipe = replace(recipe, name=" ".join([spelled(name, chosen), *of]))

    def run(steps: int, folder: Path, resume: bool) -> object:
        from bridge.training.trainer import train

        return train(recipe, steps, folder, seed=seed, device=device, resume=resume, save_every=_SAVE_EVERY)

    return run


def _entry(name: str) -> Training:
    if name not in RECIPES:
        raise ValueError(f"nothing to train under {name!r}: there are {', '.join(RECIPES)}")
    return RECIPES[name]
