"""Settings of ``semphy captioners``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from benchmarks.settings.ber import Probability
from benchmarks.settings.codes import Count, Settings
from benchmarks.settings.values.devices import Device
from benchmarks.settings.values.places import Side, check_place

__all__ = ["CaptionersSpec"]


class CaptionersSpec(Settings):
    """Everything ``semphy captioners`` is told.

    Attributes
    ----------
    models:
        Presets or folders (`semantic.zoo.presets.resolve`).
    images:
        As `semantic.samples.captioned.load_captioned` takes it, or ``scenes:easy``, ``scenes:medium``,
        ``scenes:hard``: drawn ones.
    captions:
        File of captions; None finds it.
    image_size:
        Pictures are resized to squares of this many pixels; None keeps them (scenes: 64).
    prompt:
        None is each captioner's own.
    max_tokens:
        Longest caption, in tokens of the captioner; what reaches it is counted as cut.
    max_sources:
        Take only the first so many pictures; of scenes 8 unless told.
    force:
        Ask captioners that know drawn scenes alone about photographs, too.
    device, dtype:
        Where the captioners run, and in which precision.
    seed:
        Of the scenes.
    confidence:
        Of the interval of the mean sentence BLEU.
    """

    models: tuple[str, ...] = Field(
        min_length=1, description="give --models, presets or folders (semphy list)"
    )
    images: str = Field(description="give --images, a folder of captioned pictures, or scenes:medium")
    captions: str | None = None
    image_size: Side | None = None
    prompt: str | None = None
    max_tokens: Count = 256
    max_sources: Count | None = None
    force: bool = False
    device: Device = "cpu"
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    seed: Annotated[int, Field(ge=0)] = 1
    confidence: Probability = 0.95

    _places = field_validator("images", "captions")(check_place)

    @field_validator("models", mode="before")
    @classmethod
    def _list(cls, value: object) -> object:
        return [part.strip() for part in value.split(",")] if isinstance(value, str) else value
