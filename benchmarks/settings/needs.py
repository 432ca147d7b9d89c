"""What settings ask for that is published elsewhere and not on this machine: all of it, before any work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.models import Models
from bridge.systems.catalog import is_semantic, make_semantic
from semantic.metrics.catalog import published
from semantic.samples.downloads import DATA_SETS
from semantic.samples.named import is_named, named
from semantic.zoo.presets import PRESETS
from semantic.zoo.published import Published

if TYPE_CHECKING:
    from benchmarks.settings.compare import CompareSpec

__all__ = ["lacking", "lacking_of"]


def lacking(spec: CompareSpec) -> list[Published]:
    """Models, networks of metrics and data sets of a comparison that have to be fetched, each once.

    What a system of one's own asks for is not among them: it is known once its file has run.
    """
    found = [*_models(spec), *map(published, spec.metrics), *_data_sets(spec.images)]
    wanted = {thing.fetched_as: thing for thing in found if thing is not None and not thing.is_here}
    return list(wanted.values())


def lacking_of(settings: Mapping[str, Any]) -> list[Published]:
    """The same of a file's settings, of ``compare`` or of ``captioners``, without a look at anything else."""
    from benchmarks.settings.compare import CompareSpec

    if "systems" in settings:
        return lacking(CompareSpec.model_construct(**settings))
    names = settings.get("models", ())
    return [PRESETS[name] for name in names if name in PRESETS and not PRESETS[name].is_here]


def _models(spec: CompareSpec) -> Iterator[Published]:
    context = spec.context
    for name in spec.systems:
        if is_semantic(name):
            system = make_semantic(name, context, spec.options_of(name))
            yield from _played(context.models, getattr(system, "roles", ()))


def _played(models: Models, roles: tuple[str, ...]) -> Iterator[Published]:
    """Presets that play roles and that somebody publishes."""
    places = dict(models.places)
    for place in (places.get(role, "") for role in roles):
        preset = PRESETS.get(place.partition("/")[0])
        if preset is not None and preset.published and not Path(place).exists():
            yield preset


def _data_sets(images: str) -> Iterator[Published]:
    if is_named(images):
        try:
            named(images)
        except ValueError:  # as a part of it may be here without the rest
            yield DATA_SETS[images.partition(":")[0]]
