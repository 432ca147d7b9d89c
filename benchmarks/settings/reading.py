"""Settings from defaults, a file, ``--set`` and flags, merged and checked in one place.

A flag wins over ``--set``, ``--set`` over the file, the file over the defaults. Whatever is wrong with them
ends as one `InputError` line that says which setting, what came in and what would work.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from benchmarks.settings.ber import BerSpec
from benchmarks.settings.codes import one_by_one
from benchmarks.settings.errors import InputError

__all__ = ["checked", "read_curves", "read_settings", "yaml_value"]

Model = TypeVar("Model", bound=BaseModel)


def read_settings(
    model: type[Model],
    config: Path | None = None,
    overrides: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
) -> Model:
    """Merge a file, ``--set`` overrides and flags over the defaults, and check the result.

    Parameters
    ----------
    model:
        The pydantic model to fill.
    config:
        A YAML file with the model's fields, or the ``spec.yaml`` of a run directory.
    overrides:
        Texts ``"code.k=256"``; the value is read as YAML.
    flags:
        Dotted names to values; None means that the flag was not given.

    Raises
    ------
    InputError
        If the file cannot be read, or a setting is unknown or wrong.
    """
    return checked(model, _merge(config, overrides, flags or {}))


def read_curves(
    config: Path | None = None,
    overrides: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
) -> tuple[BerSpec, ...]:
    """Read the settings of ``semphy ber``, one spec a code.

    Parameters are those of `read_settings`; ``code.name`` may hold several names separated by commas, and
    ``code`` in a file a list (see `benchmarks.settings.codes.one_by_one`).

    Raises
    ------
    InputError
        If the file cannot be read, or a setting is unknown or wrong.
    """
    tree = _merge(config, overrides, flags or {})
    if "code" not in tree:
        return (checked(BerSpec, tree),)
    try:
        codes = one_by_one(tree["code"])
    except ValueError as error:
        raise InputError(str(error)) from error
    return tuple(checked(BerSpec, {**tree, "code": code}) for code in codes)


def _merge(config: Path | None, overrides: Sequence[str], flags: Mapping[str, Any]) -> dict[str, Any]:
    tree = {} if config is None else _read_config(config)
    for override in overrides:
        name, equals, value = override.partition("=")
        if not equals or not name.strip():
            raise InputError(f"--set takes name=value such as code.k=256, got {override!r}")
        _put(tree, name.strip(), yaml_value(value))
    for name, value in flags.items():
        if value is not None:
            _put(tree, name, value)
    return tree


def checked(model: type[Model], tree: Mapping[str, Any]) -> Model:
    """Fill a model with a tree of settings.

    Raises
    ------
    InputError
        If a setting is unknown or wrong.
    """
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise InputError(_one_line(model, error)) from error


def _read_config(path: Path) -> dict[str, Any]:
    try:
        tree = yaml_value(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the configuration {str(path)!r}: {error}") from error
    if not isinstance(tree, dict):
        raise InputError(f"the configuration {str(path)!r} must hold names and values, got {tree!r}")
    inner = tree.get("spec")
    return inner if isinstance(inner, dict) else tree


def _put(tree: dict[str, Any], name: str, value: Any) -> None:
    *parents, leaf = name.split(".")
    for parent in parents:
        child = tree.setdefault(parent, {})
        if not isinstance(child, dict):
            raise InputError(f"{name} cannot be set: {parent} is {child!r}, not a group of settings")
        tree = child
    tree[leaf] = deepcopy(value)  # later settings may reach into it


class _Loader(yaml.SafeLoader):
    """YAML without base-60 numbers: ``0:4:0.5`` is an SNR range, not 240.5."""


_INT = re.compile(r"[-+]?[0-9]+$")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+|\.[0-9]+[eE][-+]?[0-9]+)$"
)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":int", ":float"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def yaml_value(text: str) -> Any:
    """Read YAML, with numbers as YAML 1.2 writes them.

    Raises
    ------
    InputError
        If the text is no YAML.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader: builds plain values only
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"not YAML: {' '.join(str(error).split())}") from error


def _one_line(model: type[BaseModel], error: ValidationError) -> str:
    first, *others = error.errors(include_url=False)
    name = ".".join(str(part) for part in first["loc"] if not isinstance(part, int))
    message = " ".join(first["msg"].split())
    if first["type"] == "extra_forbidden":
        line = f"there is no setting {name}; there are {', '.join(_flat_fields(model))}"
    elif first["type"] == "missing":
        line = f"{name} is missing" + (
            "; give --ebno or --esno, --p of a binary channel, or --target-bler" if name == "snr" else ""
        )
    elif first["type"] == "value_error":
        line = message.removeprefix("Value error, ")
    else:
        line = f"{name}: {message[0].lower()}{message[1:]}, got {first['input']!r}"
    return line + (f" (and {len(others)} more)" if others else "")


def _flat_fields(model: type[BaseModel], prefix: str = "") -> list[str]:
    names: list[str] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names += _flat_fields(kind, f"{prefix}{name}.")
        else:
            names.append(f"{prefix}{name}")
    return names
