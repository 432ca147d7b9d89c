"""Settings from defaults, a file, ``--set`` and flags, merged and checked in one place.

A flag wins over ``--set``, ``--set`` over the file, the file over the defaults. Whatever is wrong with them
ends as one `InputError` line that says which setting, what came in and what would work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from benchmarks.settings.ber import BerSpec
from benchmarks.settings.codes import one_by_one, several
from benchmarks.settings.documents import yaml_value
from benchmarks.settings.errors import InputError
from bridge.spelling import meant

__all__ = ["checked", "quoted", "read_curves", "read_document", "read_settings", "yaml_value"]

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
    """Read the settings of ``semphy ber``, one spec a curve.

    Parameters are those of `read_settings`; names, lengths and decoders of the code, modulation and channel
    may have several values, as texts with commas or as lists (`benchmarks.settings.codes.several`). There is
    a curve for each combination; combinations that come to the same count once.

    Raises
    ------
    InputError
        If the file cannot be read, or a setting is unknown or wrong.

    Examples
    --------
    >>> snr = {"kind": "ebno", "values_db": 2}
    >>> specs = read_curves(flags={"snr": snr, "code.n": "768,1024", "modulation": ["qpsk", "qam16"]})
    >>> [(spec.code.n, spec.modulation) for spec in specs]
    [(768, 'qpsk'), (768, 'qam16'), (1024, 'qpsk'), (1024, 'qam16')]
    """
    tree = _merge(config, overrides, flags or {})
    try:
        axes = {"code": one_by_one(tree["code"])} if "code" in tree else {}
        axes |= {name: several(tree[name]) for name in ("modulation", "channel") if name in tree}
    except ValueError as error:
        raise InputError(str(error)) from error
    curves = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    return tuple(dict.fromkeys(checked(BerSpec, tree | curve) for curve in curves))


def _merge(config: Path | None, overrides: Sequence[str], flags: Mapping[str, Any]) -> dict[str, Any]:
    tree = {} if config is None else read_document(config)
    for override in overrides:
        name, equals, value = override.partition("=")
        if not equals or not name.strip():
            raise InputError(f"--set takes name=value such as code.k=256, got {override!r}")
        _put(tree, name.strip(), yaml_value(value, f"--set {override}"))
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


def read_document(path: Path) -> dict[str, Any]:
    """Settings of a YAML file, or of the ``spec.yaml`` of a run directory, as they stand there.

    Raises
    ------
    InputError
        If it cannot be read, or holds no names and values.
    """
    try:
        tree = yaml_value(path.read_text(encoding="utf-8"), repr(str(path)))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the configuration {str(path)!r}: {error}") from error
    if not isinstance(tree, dict):
        raise InputError(f"the configuration {str(path)!r} must hold names and values, got {quoted(tree)}")
    inner = tree.get("spec")
    return inner if isinstance(inner, dict) else tree


def _put(tree: dict[str, Any], name: str, value: Any) -> None:
    *parents, leaf = name.split(".")
    for parent in parents:
        child = tree.setdefault(parent, {})
        if not isinstance(child, dict):
            raise InputError(f"{name} cannot be set: {parent} is {quoted(child)}, not a group of settings")
        tree = child
    tree[leaf] = deepcopy(value)  # later settings may reach into it


def _one_line(model: type[BaseModel], error: ValidationError) -> str:
    return "; ".join(_line(model, each) for each in error.errors(include_url=False))


def _line(model: type[BaseModel], error: ErrorDetails) -> str:
    name = ".".join(str(part) for part in error["loc"] if not isinstance(part, int))
    message = " ".join(error["msg"].split())
    if error["type"] == "extra_forbidden":
        known, inside = _flat_fields(model), error["input"]
        if isinstance(inside, Mapping) and inside:
            name = f"{name}.{next(iter(inside))}"
        return f"there is no setting {name}{meant(name, known) or ';'} there are {', '.join(known)}"
    if error["type"] == "missing":
        field = model.model_fields.get(name)
        return f"{name} is missing" + (f"; {field.description}" if field and field.description else "")
    if error["type"] == "value_error":
        return message.removeprefix("Value error, ")
    return f"{name}: {message[0].lower()}{message[1:]}, got {quoted(error['input'])}"


_LONGEST = 80  # characters of a value that a message quotes


def quoted(value: object) -> str:
    """What came in, for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _flat_fields(model: type[BaseModel], prefix: str = "") -> list[str]:
    names: list[str] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names += _flat_fields(kind, f"{prefix}{name}.")
        else:
            names.append(f"{prefix}{name}")
    return names
