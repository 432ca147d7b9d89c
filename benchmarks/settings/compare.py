"""Settings of ``semphy compare``."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from benchmarks.settings.codes import Count
from benchmarks.settings.needs import lacking
from benchmarks.settings.values.devices import Device
from benchmarks.settings.values.places import Side, check_place
from benchmarks.settings.values.ranges import parse_range
from bridge.models import Models, load_models, parse_models
from bridge.own import OwnCode
from bridge.systems.catalog import build_semantic, build_systems, is_semantic
from bridge.systems.context import Context
from bridge.systems.pixels.carried import Carried
from bridge.systems.pixels.separation import POLICIES
from bridge.systems.system import System
from phy.channels.names import parse_channel
from phy.coding.decoding import Decoding
from phy.units import BandwidthRatio
from semantic.metrics.catalog import BLEU_METRICS, EMBEDDING_METRICS, IMAGE_METRICS, TEXT_METRICS, describe
from semantic.zoo.published import say_missing
from semantic.zoo.weights import WeightsMissing

__all__ = ["Built", "CompareSpec", "built_of", "systems_of"]


class Built(NamedTuple):
    """A system, the name by which it was asked for, and the models and the code that it was built with."""

    name: str
    system: System
    models: Models
    code: OwnCode | None = None


class CompareSpec(BaseModel):
    """Everything ``semphy compare`` is told, except how the work is divided.

    Attributes
    ----------
    systems:
        Names as `bridge.systems.catalog` reads them; ``multi-sc@LABEL`` is a variant of ``multi-sc``.
    payload, carriage:
        Ways of carrying one kind of payload, as `bridge.systems.pixels.carried` reads them, compared like
        systems.
    images, texts, embeddings:
        ``sample`` for the bundled ones, or a file or folder; pictures also ``scenes:easy``, ``scenes:medium``
        or ``scenes:hard``, drawn ones, and those of a data set by its name (`semantic.samples.named`).
    flatten:
        As in `semantic.samples.vectors.load_embeddings`: a grid of tokens is one vector.
    captions:
        File of the pictures' captions (`semantic.samples.captioned`); ``auto`` finds it in their folder,
        None is for pictures without.
    image_size:
        Pictures are resized to squares of this many pixels; None keeps them.
    snr:
        Es/N0 in decibels.
    cbr:
        Bandwidth ratios; a system of pictures gets exactly that many channel uses.
    channel_uses:
        Of every sentence or vector: a limit, or what a carriage fills that fills its channel uses. What does
        not fit counts as failed.
    schemes, text_schemes:
        Modulation-coding schemes of pictures and of sentences (`bridge.air.schemes`).
    channel, decoder, schedule, iterations, engine, policy:
        As in `bridge.systems.catalog.build_systems`.
    models, device, dtype:
        Checkpoints of the semantic systems (`bridge.models.parse_models`), where they run, and in what
        precision.
    options:
        Options of semantic systems by name, such as ``{"multi-sc": {"parts": 9}}``; a variant has those of
        the name before its ``@``, and then its own.
    metrics:
        Metrics of pictures (others are of sentences and of vectors). Each picks the schemes of its own
        envelope; where two do equally well, the next one decides.
    bleu_tokenize:
        How BLEU cuts texts into words (`semantic.metrics.bleu.TOKENIZERS`); rows say ``bleu:zh`` where it is
        not ``13a``, as ``text_metrics`` may by themselves.
    trials:
        Channel realisations a source and SNR.
    max_sources:
        Take only the first so many pictures, and sentences.
    force:
        Ask models about pictures of kinds that they have not learned (`benchmarks.systems.checks`).
    keep:
        Pictures of so many sources are kept as they arrived in the first trial.

    Examples
    --------
    >>> spec = CompareSpec(systems="bpg-ldpc,bpg-capacity", snr="0:6:3", schemes="1/2-qpsk")
    >>> spec.snr, [built.system.name for built in spec.build()]
    ((0.0, 3.0, 6.0), ['bpg-ldpc[1/2-qpsk]', 'bpg-capacity'])
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    systems: tuple[str, ...] = ()
    payload: Literal["text", "embedding", "image"] | None = None
    carriage: tuple[str, ...] = ()
    images: str = "sample"
    captions: str | None = None
    image_size: Side | None = None
    texts: str = "sample"
    embeddings: str = "sample"
    flatten: bool = False
    snr: tuple[float, ...] = Field(min_length=1, description="give --snr, such as --snr 0:12:3")
    cbr: tuple[str, ...] = ("1/24",)
    channel_uses: Count | None = None
    channel: str = "awgn"
    schemes: str = "witt"
    text_schemes: str = "1/2-qpsk"
    decoder: Literal[
        "sum-product", "minsum", "offset-minsum", "normalized-minsum", "gallager-b", "bit-flipping"
    ] = "sum-product"
    schedule: Literal["flooding", "layered"] = "layered"
    iterations: Count = 20
    engine: Literal["compiled", "sionna"] = "compiled"
    policy: str = "mean"
    models: str = "tiny"
    device: Device = "cpu"
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    options: dict[str, dict[str, Any]] = {}
    metrics: tuple[str, ...] = ("psnr", "ssim", "ms-ssim")
    text_metrics: tuple[str, ...] = ("bleu", "cer", "wer")
    bleu_tokenize: Literal["13a", "intl", "zh", "ja-mecab", "char"] = "13a"
    embedding_metrics: tuple[str, ...] = ("snr-out", "cosine", "mse")
    trials: Count = 1
    max_sources: Count | None = None
    force: bool = False
    keep: Annotated[int, Field(ge=0)] = 1
    seed: Annotated[int, Field(ge=0)] = 1
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95

    _places = field_validator("images", "texts", "embeddings", "captions")(check_place)

    @field_validator("carriage", mode="before")
    @classmethod
    def _carriages(cls, value: object) -> object:
        """Commas separate carriages only before a new one: quantisers have commas of their own."""
        return re.split(r",\s*(?=digital|analog)", value) if isinstance(value, str) else value

    @field_validator("systems", "metrics", "text_metrics", "embedding_metrics", mode="before")
    @classmethod
    def _list(cls, value: object) -> object:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value

    @field_validator("cbr", mode="before")
    @classmethod
    def _ratios(cls, value: object) -> object:
        ratios = value.split(",") if isinstance(value, str) else value
        return [str(ratio) for ratio in ratios] if isinstance(ratios, list | tuple) else [str(ratios)]

    @field_validator("snr", mode="before")
    @classmethod
    def _range(cls, value: object) -> object:
        if isinstance(value, str):
            return parse_range(value)
        return (value,) if isinstance(value, int | float) else value

    @field_validator("snr")
    @classmethod
    def _decibels(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        return parse_range(",".join(map(repr, values)))

    @field_validator("cbr")
    @classmethod
    def _ratio(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(str(BandwidthRatio.parse(ratio)) for ratio in value))

    @model_validator(mode="after")
    def _names(self) -> CompareSpec:
        if not self.systems and not self.carriage:
            raise ValueError("nothing to compare: give --systems, or --payload and --carriage")
        if (self.payload is None) != (not self.carriage):
            raise ValueError(
                f"--payload and --carriage go together, got {self.payload} and {list(self.carriage)}"
            )
        for names, kind, examples in (
            (self.metrics, "image", IMAGE_METRICS),
            (self.text_metrics, "text", TEXT_METRICS),
            (self.embedding_metrics, "embedding", EMBEDDING_METRICS),
        ):
            for name in names:
                if describe(name).received != kind:
                    raise ValueError(f"{name!r} is no metric of {kind}: there are {', '.join(examples)}")
        Models(parse_models(self.models)).check_places()
        if self.policy not in POLICIES:
            raise ValueError(f"failure policy must be one of {', '.join(POLICIES)}, got {self.policy!r}")
        bases = {name.partition("@")[0] for name in self.systems if is_semantic(name)}
        for name in self.options:
            if name not in (*self.systems, *bases):
                raise ValueError(f"options of {name!r}, which is not among the systems {list(self.systems)}")
        missing = lacking(self)
        if len(missing) > 1:  # what is missing alone is said by whoever needs it
            raise ValueError(say_missing(missing))
        built_of.cache_clear()  # files that they name may have changed
        try:
            built_of(self)
        except (WeightsMissing, ImportError) as error:
            raise ValueError(str(error)) from error
        return self

    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    @property
    def checkpoints(self) -> Models:
        """The models, loaded when they are needed."""
        return load_models(parse_models(self.models), self.device, getattr(torch, self.dtype))

    @property
    def context(self) -> Context:
        """What the systems share."""
        return Context(
            parse_channel(self.channel),
            self.schemes,
            self.text_schemes,
            Decoding(self.decoder, self.schedule, self.iterations, engine=self.engine),
            self.policy,
            models=self.checkpoints,
            seed=self.seed,
        )

    def build(self) -> list[Built]:
        """Build all systems anew; `built_of` keeps those that were built. One name may ask for several.

        What systems warn of is said once a run (`benchmarks.systems.checks.cautions`), not once a process.
        """
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            return self._build()

    def _build(self) -> list[Built]:
        context = self.context
        channel, decoding, models = context.channel, context.decoding, context.models
        of_vectors = "best-effort" if self.policy == "best-effort" else "zero"
        built = [
            Built(carriage, Carried(self.payload or "", carriage, channel, decoding, of_vectors), models)
            for carriage in self.carriage
        ]
        for name in self.systems:
            if is_semantic(name) or ":" in name:
                code = None if is_semantic(name) else OwnCode.read(name.rpartition(":")[0])
                system = build_semantic(name, context, self.options_of(name))
                built.append(Built(name, system, models, code))
                continue
            schemes = self.text_schemes if name.startswith("text-") else self.schemes
            family = build_systems(name, channel, schemes, decoding, self.policy)
            built += [Built(name, system, models) for system in family]
        return built

    def options_of(self, name: str) -> dict[str, Any]:
        """Options of a system, those of what it is a variant of among them.

        Examples
        --------
        >>> options = {"deep-jscc": {}, "text-only": {"steps": 9}, "text-only@short": {"guidance": 2.0}}
        >>> spec = CompareSpec(systems="deep-jscc,text-only@short", snr=3, options=options)
        >>> spec.options_of("text-only@short")
        {'steps': 9, 'guidance': 2.0}
        """
        base = name.partition("@")[0] if is_semantic(name) else name
        return {**self.options.get(base, {}), **self.options.get(name, {})}

    def metrics_by(self, system: System, described: bool = False) -> tuple[str, ...]:
        """Names of the metrics that a system is measured by.

        What it makes of a picture in words is measured only where there is something to hold it against
        (``described``): captions, or a drawn scene.
        """
        kinds = [kind for kind in system.delivers if kind != "text" or system.modality == "text" or described]
        return tuple(name for kind in kinds for name in self.metrics_of(kind))

    def metrics_of(self, modality: str) -> tuple[str, ...]:
        """Names of the metrics that sources of this kind are measured by."""
        if modality == "text" and self.bleu_tokenize != "13a":
            tokenize = self.bleu_tokenize
            return tuple(f"{name}:{tokenize}" if name in BLEU_METRICS else name for name in self.text_metrics)
        return {"image": self.metrics, "text": self.text_metrics, "embedding": self.embedding_metrics}[
            modality
        ]

    def identity(self) -> dict[str, Any]:
        """What all rows of one run directory share."""
        return self.model_dump(mode="json", include={"seed", "channel", "image_size"})

    @property
    def described(self) -> bool:
        """Whether pictures come with captions or are drawn scenes."""
        return self.captions is not None or self.images.startswith("scenes")


@lru_cache(maxsize=1)
def built_of(spec: CompareSpec) -> tuple[Built, ...]:
    """Systems of a comparison and what they are known by, built once a process."""
    return tuple(spec.build())


def systems_of(spec: CompareSpec) -> tuple[System, ...]:
    """Systems of a comparison, built once a process."""
    return tuple(built.system for built in built_of(spec))
