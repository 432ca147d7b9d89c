"""Digests of what things are: 16 hexadecimal digits into which no name, date or path enters.

A model is its tensors (name, type, shape and bytes) and its configuration (JSON files and the files of
tokenizers). What tells people about it does not count: cards, licences, logs and pictures. Nor does its
layout: how many shards it was saved in, how its JSON is indented, the path that a configuration quotes.

Every file is read once a process, and again only when it was touched since: its inode, size and both times
tell, and nobody can set the time of the last change of an inode (``rsync -t`` sets the other one). Nothing
is remembered from one process to the next.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

__all__ = ["Stamp", "digest_of", "digest_of_file", "digest_of_model", "stamp"]

Stamp = tuple[tuple[str, int, int, int, int], ...]
"""Files by their path inside a folder, each with inode, size, and the times of its content and its inode."""

_CONFIGURATION = (".json", ".jinja", ".model", ".spm", ".tiktoken")
_VOCABULARIES = ("merges.txt", "vocab.txt")
_PICKLES = (".bin", ".ckpt", ".pt", ".pth")
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
_QUOTED_PATH = "_name_or_path"  # where a configuration was loaded from before it was saved


def digest_of(*parts: str | bytes) -> str:
    """SHA-256 of texts and bytes in order, where one ends told apart, as 16 hexadecimal digits.

    Examples
    --------
    >>> digest_of("a", "bc") == digest_of("ab", "c")
    False
    """
    state = hashlib.sha256()
    for part in parts:
        content = part.encode(errors="surrogatepass") if isinstance(part, str) else part
        state.update(len(content).to_bytes(8, "little") + content)
    return state.hexdigest()[:16]


def stamp(path: Path) -> Stamp:
    """What changes whenever a file, or a file in a folder, does; it opens none of them."""
    found = []
    for name, file in _files(path):
        about = file.stat()
        found.append((name, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns))
    return tuple(found)


def digest_of_file(path: str | Path) -> str:
    """Digest of the bytes of a file.

    Raises
    ------
    ValueError
        If it cannot be read.
    """
    path = Path(path)
    with _readable(path):
        return _digest_of_file(path.resolve(strict=True), stamp(path))


def digest_of_model(path: str | Path) -> str:
    """Digest of a checkpoint by its content: a folder in the hub's layout, or a file of any kind.

    Parameters
    ----------
    path:
        Of a folder, tensors and configuration count, each with the folder inside in which it lies; pickles
        only where no safetensors lie beside them, as nobody loads them otherwise. Of a ``.safetensors`` file
        the tensors count, of any other file its bytes.

    Raises
    ------
    ValueError
        If it, or a part of it, cannot be read as what its name says.
    """
    path = Path(path)
    with _readable(path):
        return _digest_of_model(path.resolve(strict=True), stamp(path))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ValueError(f"{str(path)!r} cannot be read: {error}") from error


@lru_cache(maxsize=256)
def _digest_of_file(path: Path, state: Stamp) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


@lru_cache(maxsize=256)
def _digest_of_model(path: Path, state: Stamp) -> str:
    if path.is_file():
        return digest_of(*sorted(_contents("", path)))
    files = dict(_files(path))
    with_tensors = {file.parent for file in files.values() if file.suffix == ".safetensors"}
    parts = [
        part
        for name, file in files.items()
        if _counts(file) and not (file.suffix in _PICKLES and file.parent in with_tensors)
        for part in _contents(name, file)
    ]
    return digest_of(*sorted(parts))


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    """The file itself, or those of a folder by their paths in it, links followed, hidden names left out."""
    if path.is_file():
        yield "", path
        return
    for place, folders, names in os.walk(path, followlinks=True):
        folders[:] = sorted(name for name in folders if name[0] != "." and not _leads_back(Path(place, name)))
        for name in sorted(names):
            file = Path(place, name)
            if name[0] != "." and file.is_file():
                yield file.relative_to(path).as_posix(), file


def _leads_back(folder: Path) -> bool:
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())


def _counts(file: Path) -> bool:
    """Whether a file of a model's folder says what it computes."""
    if file.name.endswith(".index.json"):  # which shard has which tensor
        return False
    suffix = file.suffix.lower()
    return suffix in (".safetensors", *_CONFIGURATION, *_PICKLES) or file.name in _VOCABULARIES


def _contents(name: str, file: Path) -> Iterator[str]:
    """Digests of the parts of a file, with the name under which it is looked for in its model's folder."""
    if file.suffix == ".safetensors":
        stem = _SHARD.sub("", name.removesuffix(".safetensors"))
        yield from (digest_of(stem, *tensor) for tensor in _tensors(file))
    elif file.suffix == ".json":
        yield digest_of(name, json.dumps(_settings(file), sort_keys=True))
    else:
        yield digest_of(name, digest_of_file(file))


def _settings(file: Path) -> Any:
    def without_path(tree: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in tree.items() if key != _QUOTED_PATH}

    try:
        return json.loads(file.read_bytes(), object_hook=without_path)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{str(file)!r} is no JSON: {error}") from error


def _tensors(file: Path) -> Iterator[tuple[str, str, str, str]]:
    """Name, type, shape and SHA-256 of the bytes of every tensor."""
    import torch
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - it is no dictionary
                tensor = tensors.get_tensor(name)
                content = tensor.contiguous().reshape(-1).view(torch.uint8).numpy()
                yield name, str(tensor.dtype), str(list(tensor.shape)), hashlib.sha256(content).hexdigest()
    except SafetensorError as error:
        raise ValueError(f"{str(file)!r} is no safetensors file: {error}") from error
