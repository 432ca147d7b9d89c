"""Files that code names: in the texts of its source, in variables, in attributes and in options.

A text or a path names a file if one lies there, or a folder if a model lies in it (a configuration or weights
at its top), looked for from the working directory and from the folder of the code. Texts that a source joins
by ``/`` or hands together to a function, as in ``here / "models" / "a.pt"`` and ``join(here, "a.pt")``, are
one, too. Models count by tensors and configuration (`semantic.zoo.digests`), files by their bytes, neither by
name. A folder in which the code or the working directory lies is none.

A file that code *writes* is better not named in full in it: whenever it changes, the code is another.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import MemberDescriptorType
from typing import Any

from semantic.zoo.digests import digest_of, digest_of_file, digest_of_model

__all__ = ["attributes", "by_content", "named", "texts"]

_MODEL = ("config.json", "model_index.json", "*.safetensors", "*.pt", "*.pth", "*.bin", "*.ckpt")
_DEEP = 4  # containers in containers in which a path is still found
_MANY = 1000  # longer ones are vocabularies and the like, and name no files


def texts(source: bytes) -> set[str]:
    """Texts in a Python source that may name a file, as they stand and joined; none if it is no Python."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError):  # what cannot be parsed says so when it is run
        return set()
    found = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    joined = (_joined(node) for node in nodes if isinstance(node, ast.BinOp | ast.Call))
    return found | {"/".join(parts) for parts in joined if len(parts) > 1}


def _joined(node: ast.AST) -> list[str]:
    """Texts of ``a / "b" / "c"``, or of the arguments of a call, from left to right."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _joined(node.left) + _joined(node.right)
    if isinstance(node, ast.Call):
        return [text for argument in node.args for text in _joined(argument)]
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def attributes(made: object, apart_from: Collection[str] = ()) -> dict[str, Any]:
    """Attributes of an object and of its classes, but of those from packages of these names."""
    found: dict[str, Any] = {}
    for each in reversed(type(made).__mro__):
        if each.__module__.partition(".")[0] not in ("builtins", *apart_from):
            found |= vars(each)
    slots = {
        name: getattr(made, name, None)
        for name, kind in found.items()
        if isinstance(kind, MemberDescriptorType)
    }
    return {**found, **slots, **getattr(made, "__dict__", {})}


def named(values: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """Digests of the files that values name, or what lists, tuples and dictionaries up to 1,000 long hold."""
    return {
        title: digest
        for name, value in values.items()
        for title, text in _inside(name, value)
        if (digest := _content(text, folder)) is not None
    }


def by_content(value: Any, folder: Path) -> Any:
    """The value with a digest in place of every name of a file, in lists, tuples and dictionaries, too."""
    if isinstance(value, str | Path):
        return _content(str(value), folder) or str(value)
    if isinstance(value, Mapping):
        return {key: by_content(value[key], folder) for key in sorted(value, key=str)}
    return [by_content(each, folder) for each in value] if isinstance(value, list | tuple) else value


def _inside(name: str, value: Any, depth: int = _DEEP) -> Iterator[tuple[str, str]]:
    """Texts and paths in a value, each with the way to it."""
    if isinstance(value, str | Path):
        yield name, str(value)
    elif not depth or not isinstance(value, Mapping | list | tuple) or len(value) > _MANY:
        return
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _inside(f"{name}[{key!r}]", each, depth - 1)
    else:
        for index, each in enumerate(value):
            yield from _inside(f"{name}[{index}]", each, depth - 1)


def _content(text: str, folder: Path) -> str | None:
    """Digest of the file or model that a text names; of both, if there is another one beside the code."""
    places = dict.fromkeys(place for place in (_home(text), folder / text) if _counts(place, folder))
    found = {digest_of_file(place) if place.is_file() else digest_of_model(place) for place in places}
    return digest_of(*sorted(found)) if found else None


def _home(text: str) -> Path:
    """A path as the working directory has it."""
    try:
        return Path(text).expanduser()
    except RuntimeError:  # nobody of that name lives here: "~x" is a text like any other
        return Path(text)


def _counts(place: Path, folder: Path) -> bool:
    try:
        if place.is_file() or not place.is_dir():
            return place.is_file()
        around = any(inner.resolve().is_relative_to(place.resolve()) for inner in (folder, Path()))
        return not around and any(any(place.glob(pattern)) for pattern in _MODEL)
    except (OSError, ValueError):  # too long for a name, or with a null byte: a text like any other
        return False
