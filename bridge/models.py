"""The models of a run: which role is played by which checkpoint, each loaded when it is first needed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import torch

from bridge.spelling import meant
from semantic.models import (
    captioning,
    correction,
    feature_adapter,
    features,
    generation,
    projection,
    segmentation,
    textjscc,
)
from semantic.networks.jscc import JSCC, load_jscc
from semantic.zoo.cards import datasets_of
from semantic.zoo.digests import Stamp, digest_of, digest_of_model, stamp
from semantic.zoo.missing import WeightsMissing
from semantic.zoo.presets import PRESETS, resolve

__all__ = ["ROLES", "TIERS", "Models", "load_models", "parse_models"]

TIERS: dict[str, dict[str, str]] = {
    "tiny": {
        "captioner": "tiny-captioner",
        "blip": "tiny-blip",
        "corrector": "tiny-corrector",
        "segmenter": "tiny-segmenter",
        "generator": "tiny-generator",
        "ip-adapter": "tiny-generator/ip-adapter",
        "feature": "tiny-feature",
        "projection": "tiny-feature/projection",
        "feature-image": "tiny-feature/image",
        "jscc": "tiny-jscc",
        "text-jscc": "tiny-text-jscc",
    },
    "hub": {
        "captioner": "llava-interleave-qwen-0.5b",
        "blip": "blip-base",
        "corrector": "bart-spelling",
        "segmenter": "fcn-resnet50",
        "generator": "stable-diffusion-1.5",
        "ip-adapter": "ip-adapter-sd15/models",
        "feature": "blip2-opt-2.7b",
        "projection": "vlf-bridge/projection",
        "feature-image": "vlf-bridge/image",
        "jscc": "tiny-jscc",
        "text-jscc": "tiny-text-jscc",
    },
}
"""Preset or directory of each role, by tier; what lies within a preset's folder follows a slash. Where nobody
publishes a checkpoint the hub's tier has the bundled one (deep JSCC, VLM-CSC's text codec), or what ``semphy
fit`` makes (between BLIP-2 and what draws)."""

ROLES = tuple(TIERS["tiny"])
"""What models are there for."""

_SEEING = ("captioner", "blip", "segmenter", "generator", "feature", "feature-image")
"""Roles of models that see or draw pictures, and have learned which."""

_CAPTIONER = ("config.json", "model_type", ("llava", "blip", "MeaningCaptioner"))
_KINDS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "captioner": _CAPTIONER,
    "blip": _CAPTIONER,
    "corrector": ("config.json", "model_type", ("bart",)),
    "segmenter": ("config.json", "architectures", ("FCN", "MobileNetFCN")),
    "feature": ("config.json", "model_type", ("blip-2",)),
    "projection": ("config.json", "architectures", ("FeatureProjection",)),
    "feature-image": ("model_index.json", "_class_name", ("StableDiffusionPipeline", "KandinskyV22Pipeline")),
    "jscc": ("config.json", "architectures", ("DeepJSCC2019", "ADJSCC", "NestedJSCC")),
    "text-jscc": ("config.json", "architectures", ("TextJSCC",)),
}
"""File and entry that say what a checkpoint is, and what plays the role."""


def _entry(file: Path, entry: str) -> str | None:
    """What a configuration says of itself: the entry, or else its class or type; None without one."""
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(config, dict):
        return None
    for name in (entry, "architectures", "model_type", "_class_name"):
        value = config.get(name)
        if value:
            return str(value[0] if isinstance(value, list) else value)
    return "of no known kind"


@dataclass(frozen=True)
class Models:
    """Checkpoints by role.

    Attributes
    ----------
    places:
        Preset, preset and a folder in it, or directory, of each role.
    device, dtype:
        Where they run, and in what precision those of libraries do; our own networks stay in float32.
    """

    places: tuple[tuple[str, str], ...]
    device: str = "cpu"
    dtype: torch.dtype = torch.float32

    def folder(self, role: str) -> Path:
        """Directory (or file) of a role's checkpoint, without loading it.

        Raises
        ------
        ValueError
            If no checkpoint plays the role.
        semantic.zoo.weights.WeightsMissing
            If it is not on this machine.
        """
        place = dict(self.places).get(role)
        if place is None:
            raise ValueError(f"no model plays {role!r}: name a directory by --models {role}=PATH")
        if (role, place) == ("corrector", "dictionary"):
            return correction.bundled_words()
        if Path(place).exists():
            return Path(place)
        name, _, inside = place.partition("/")
        return resolve(name) / inside if name in PRESETS else resolve(place)

    def check_places(self) -> None:
        """Raise ValueError if a place is neither a folder, a file nor a preset; opens nothing."""
        for role, place in self.places:
            special = place == "none" or (role, place) == ("corrector", "dictionary")
            if (
                not special
                and place.partition("/")[0] not in PRESETS
                and not Path(place).expanduser().exists()
            ):
                near = meant(place, PRESETS)
                raise ValueError(f"{role}={place} is neither a folder on this machine nor a preset{near}")

    def check(self, role: str) -> Path:
        """Return where a role's checkpoint lies, once its configuration has said that it can play the role.

        Raises
        ------
        ValueError
            If no checkpoint plays the role, or one of another kind; says what it is and what is needed.
        semantic.zoo.weights.WeightsMissing
            If it is not on this machine.

        Examples
        --------
        >>> load_models(parse_models("tiny")).check("jscc").name
        'tiny-jscc'
        >>> try:
        ...     load_models(parse_models("tiny,jscc=tiny-text-jscc")).check("jscc")
        ... except ValueError as error:
        ...     print(str(error).rpartition("/")[2])
        tiny-text-jscc is TextJSCC, and must be DeepJSCC2019, ADJSCC or NestedJSCC
        """
        folder = self.folder(role)
        file, entry, kinds = _KINDS.get(role, ("", "", ()))
        if not kinds or folder.is_file():
            return folder
        found = _entry(folder / file, entry)
        if found not in kinds:
            *others, last = kinds
            needed = f"{', '.join(others)} or {last}" if others else last
            raise ValueError(
                f"{role}={folder} is {found or f'a folder without {file}'}, and must be {needed}"
            )
        return folder

    def strangers(self, roles: Iterable[str]) -> list[str]:
        """Of models that see or draw pictures those whose cards say that they know drawn scenes alone.

        Parameters
        ----------
        roles:
            Which ones are asked.

        Examples
        --------
        >>> load_models(parse_models("tiny")).strangers(["captioner", "segmenter", "jscc"])
        ['captioner=tiny-captioner']
        """
        given = dict(self.places)
        asked = [role for role in dict.fromkeys(roles) if role in _SEEING and given.get(role) != "none"]
        return [f"{role}={given[role]}" for role in asked if datasets_of(self.folder(role)) == ("scenes",)]

    def identity(self, role: str) -> str:
        """Digest of what plays a role, by content (`semantic.zoo.digests`), and of what it runs in and on.

        It is that of the first time it was asked for: the model is read then, too, and not again.
        """
        if dict(self.places).get(role) == "none":
            return "none"
        if role not in self._identities:
            content = digest_of_model(self.folder(role))
            self._identities[role] = digest_of(content, str(self.dtype), torch.device(self.device).type)
        return self._identities[role]

    @cached_property
    def _identities(self) -> dict[str, str]:
        return {}

    def here(self) -> dict[str, Path]:
        """Directories of the roles whose checkpoints are on this machine."""
        found = {}
        for role, _ in self.places:
            try:
                found[role] = self.folder(role)
            except (ValueError, WeightsMissing):
                continue  # asked for by nobody, or said by whoever asks
        return found

    @cached_property
    def captioner(self) -> captioning.Captioner:
        """LLaVA or BLIP, as its configuration says."""
        return captioning.load_captioner(self.folder("captioner"), device=self.device, dtype=self.dtype)

    @cached_property
    def blip(self) -> captioning.Captioner:
        """The captioner of VLM-CSC."""
        return captioning.load_captioner(self.folder("blip"), device=self.device, dtype=self.dtype)

    @cached_property
    def corrector(self) -> correction.Corrector:
        """BART, or a dictionary (``dictionary``, or a file of words); ``none`` corrects nothing."""
        if dict(self.places).get("corrector") == "none":
            return correction.NoCorrection()
        return correction.load_corrector(self.folder("corrector"), device=self.device, dtype=self.dtype)

    @cached_property
    def segmenter(self) -> segmentation.Segmenter:
        """FCN, in our layout or torchvision's published file."""
        place = self.folder("segmenter")
        if place.is_file():
            return segmentation.Segmenter.from_torchvision(place, device=self.device, dtype=self.dtype)
        return segmentation.Segmenter.from_pretrained(place, device=self.device, dtype=self.dtype)

    @cached_property
    def generator(self) -> generation.Generator:
        """Stable Diffusion with its IP-Adapter."""
        adapter = self.folder("ip-adapter")
        return generation.Generator.from_pretrained(
            self.folder("generator"),
            ip_adapter=adapter,
            weight_name=feature_adapter.adapter_file(adapter),
            device=self.device,
            dtype=self.dtype,
        )

    @cached_property
    def painter(self) -> generation.Generator:
        """Stable Diffusion without adapter: text to picture."""
        return generation.Generator.from_pretrained(
            self.folder("generator"), device=self.device, dtype=self.dtype
        )

    @cached_property
    def feature(self) -> features.VisionLanguageFeature:
        """BLIP-2: picture to feature, feature to text."""
        return features.VisionLanguageFeature.from_pretrained(
            self.folder("feature"), device=self.device, dtype=self.dtype
        )

    @cached_property
    def projection(self) -> projection.FeatureProjection:
        """Feature to channel values and back."""
        return projection.FeatureProjection.from_pretrained(self.folder("projection"), device=self.device)

    @cached_property
    def feature_image(
        self,
    ) -> features.FeatureToImage | feature_adapter.AdapterDecoder | features.KandinskyDecoder:
        """Feature to picture, by Stable Diffusion or Kandinsky, as its configuration says."""
        return features.load_feature_image(self.folder("feature-image"), device=self.device, dtype=self.dtype)

    @cached_property
    def jscc(self) -> JSCC:
        """Deep JSCC of pictures."""
        return load_jscc(self.folder("jscc"), device=self.device)

    @cached_property
    def text_jscc(self) -> textjscc.TextCodec:
        """Learned channel symbols of text."""
        return textjscc.TextCodec.from_pretrained(self.folder("text-jscc"), device=self.device)


def parse_models(text: str) -> tuple[tuple[str, str], ...]:
    """Read ``tiny``, ``hub``, or a tier and exceptions: ``hub,captioner=PATH,corrector=dictionary``.

    Raises
    ------
    ValueError
        If a part is neither a tier nor ``ROLE=PLACE``.

    Examples
    --------
    >>> dict(parse_models("tiny,captioner=my/llava"))["captioner"]
    'my/llava'
    """
    places: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        role, equals, place = part.partition("=")
        if not equals and role in TIERS:
            places |= TIERS[role]
        elif equals and role in ROLES and place:
            places[role] = place
        else:
            raise ValueError(
                f"models are {', '.join(TIERS)} and ROLE=PRESET or ROLE=PATH with a role of "
                f"{', '.join(ROLES)}; got {part!r}"
            )
    return tuple(sorted(places.items()))


def load_models(
    places: tuple[tuple[str, str], ...], device: str = "cpu", dtype: torch.dtype = torch.float32
) -> Models:
    """Return the models of these places, the same object for the same files: each loads once a process.

    Parameters
    ----------
    places:
        Roles and places, as `parse_models` reads them.
    device, dtype:
        As in `Models`.

    Examples
    --------
    >>> load_models(parse_models("tiny")).folder("jscc").name  # nothing is loaded yet
    'tiny-jscc'
    """
    models = Models(places, device, dtype)
    return _kept(models, tuple(stamp(folder) for folder in models.here().values()))


@lru_cache(maxsize=2)
def _kept(models: Models, state: tuple[Stamp, ...]) -> Models:
    return models
