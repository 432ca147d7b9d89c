"""What tells conditions and items of a comparison apart: what was computed, not what it was called.

Into a condition go the settings that determine its rows, models by their tensors and configuration
(`semantic.zoo.digests`), the user's own code by its sources and the files that they name (`bridge.own`), and
files of quantisers, text coders and metrics by their content. An item is a source by its content, and a
trial.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from benchmarks.settings.compare import Built, CompareSpec
from bridge.systems.catalog import carriers
from phy.coding.catalog import CODES
from semantic.metrics.catalog import describe, network
from semantic.zoo.digests import digest_of, digest_of_model
from semantic.zoo.presets import PRESETS, resolve

__all__ = ["RULES_VERSION", "Identified", "identify", "items_of", "reads_references"]

RULES_VERSION = 4
"""Part of every condition, and of where transmitters keep what they worked out; raised when equal settings,
sources and models would make other rows."""


def identify(spec: CompareSpec, built: Built) -> tuple[dict[str, Any], dict[str, Any]]:
    """What results say of a system, and what its rows are told apart by, SNR and bandwidth ratio aside.

    Returns
    -------
    tuple
        Its names, metrics and options as they were typed; and everything that determines its rows, apart
        from the source and the trial, with the content of a file or model in place of its name: ``measures``
        are the metrics so named, as they stand in rows.
    """
    name, system, models, code = built
    options, metrics = spec.options_of(name), spec.metrics_by(system, spec.described)
    networks = {metric: digest_of_model(place) for metric in metrics if (place := network(metric))}
    shared = {"channel", "image_size", "decoder", "schedule", "iterations", "engine", "seed"}
    content: dict[str, Any] = {
        "comparing": RULES_VERSION,
        "system": _by_content(system.name),
        "measures": [_measure(metric, networks.get(metric)) for metric in metrics],
        "networks": [networks.get(metric) for metric in metrics],
        "modality": system.modality,
        "policy": system.policy,
        **spec.model_dump(mode="json", include=shared),
    }
    if system.modality != "image" and spec.channel_uses:
        content["channel_uses"] = spec.channel_uses
    carrier = CODES.get(carriers().get(name.rpartition("-")[2], ""))
    if carrier is not None and carrier.version > 1:
        content["carrier"] = [carrier.name, carrier.version]
    if code is not None:
        content["code"] = code.identity(name.rpartition(":")[2], system, options)
        content["context"] = [spec.schemes, spec.text_schemes, spec.policy]
    elif options:
        content["options"] = _by_content(options)
    roles = getattr(system, "roles", ())
    if code is not None and "roles" not in code.attributes(system):
        roles = models.here()  # it does not say which models it asks, and may ask any
    if roles:
        content["models"] = {role: models.identity(role) for role in roles}
        content["text_schemes"] = spec.text_schemes
    shown = {"system": system.name, "family": system.family, "metrics": list(metrics), "options": options}
    return shown, content


def reads_references(spec: CompareSpec, built: Built) -> bool:
    """Whether rows of a system depend on what else is known of a picture: its captions, or its scene.

    They do where a metric reads that, and where the user's own code may.
    """
    if built.system.modality != "image":
        return False
    about = [describe(metric) for metric in spec.metrics_by(built.system, spec.described)]
    return built.code is not None or any(each.reference in ("text", "captions", "scene") for each in about)


class Identified(Protocol):
    """What a source is told from others by: a `bridge.systems.system.Source`, or what lists one."""

    @property
    def digest(self) -> str:
        """Of its content."""

    @property
    def captions(self) -> tuple[str, ...]:
        """Reference captions of a picture."""

    @property
    def scene(self) -> Any:
        """What is known of a drawn picture."""


def items_of(source: Identified, trials: int, with_references: bool = False) -> list[str]:
    """Names of the rows of a condition that belong to a source: its content, and each trial.

    Captions and scene belong to the content for conditions that depend on them (`reads_references`).
    """
    known = (*source.captions, repr(source.scene)) if source.captions or source.scene is not None else ()
    content = f"{source.digest}+{digest_of(*known)}" if with_references and known else source.digest
    return [f"{content}/{trial}" for trial in range(trials)]


def _measure(metric: str, digest: str | None) -> str:
    """A metric with a digest in place of the network that it names, if it names one."""
    return metric if digest is None else f"{metric.partition(':')[0]}:{digest}"


def _by_content(value: Any) -> Any:
    """Settings with the content of files and folders where quantisers and text coders name them."""
    if isinstance(value, str):
        return re.sub(r"\b(pq|tokens|ngram):([^|+:,\"]+)", _content, value)
    if isinstance(value, Mapping):
        return {key: _by_content(each) for key, each in value.items()}
    return [_by_content(each) for each in value] if isinstance(value, list | tuple) else value


def _content(found: re.Match[str]) -> str:
    kind, place = found.groups()
    path = resolve(place) if place in PRESETS else Path(place)
    return f"{kind}:{digest_of_model(path)}" if path.exists() else found[0]
