"""Settings of sweeps over links that are objects: ``semphy ber --link``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from benchmarks.settings.ber import (
    SNR_CURE,
    Probability,
    SnrSpec,
    StopSpec,
    check_search,
    read_targets,
    search_interval,
)
from benchmarks.settings.codes import Settings

__all__ = ["SweepSpec"]


class SweepSpec(Settings):
    """How links are swept; what they are, they say themselves.

    Attributes
    ----------
    links:
        Places ``FILE.py:NAME`` (`benchmarks.links.own.OwnLink`); empty where objects are given.
    snr, target_bler, stop, seed, confidence:
        As in `benchmarks.settings.ber.BerSpec`.
    """

    links: tuple[str, ...] = ()
    snr: SnrSpec = Field(description=SNR_CURE)
    target_bler: tuple[Probability, ...] = ()
    stop: StopSpec = StopSpec()
    seed: Annotated[int, Field(ge=0)] = 1
    confidence: Probability = 0.95

    @field_validator("links", mode="before")
    @classmethod
    def _places(cls, value: object) -> object:
        return [place.strip() for place in value.split(",")] if isinstance(value, str) else value

    _targets = field_validator("target_bler", mode="before")(read_targets)
    _search = model_validator(mode="after")(check_search)
    _interval = model_validator(mode="before")(search_interval)
