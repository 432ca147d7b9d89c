"""Embeddings to send: bundled ones, and files of one's own."""

from __future__ import annotations

import tokenize
import warnings
import zipfile
import zlib
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file

__all__ = ["Embedding", "load_embeddings", "sample_embeddings"]

# What the readers raise on damaged files, headers that promise too much included.
_READ_ERRORS = (
    *(OSError, ValueError, EOFError, SyntaxError, TypeError, OverflowError, MemoryError),
    *(SafetensorError, tokenize.TokenError, zipfile.BadZipFile, zlib.error, KeyError),
)
_TABLES = (".csv", ".tsv", ".txt")


class Embedding(NamedTuple):
    """A vector ``[count]``, ``float32``, and its name, unique within its source."""

    name: str
    vector: NDArray[np.float32]


def sample_embeddings() -> list[Embedding]:
    """Embeddings of the bundled sentences, 24 vectors of 768 numbers each.

    A vector holds two sentences in a row: 384 numbers each, the mean over the last hidden states of
    all-MiniLM-L6-v2, at unit length.

    Examples
    --------
    >>> embeddings = sample_embeddings()
    >>> len(embeddings), embeddings[0].vector.shape
    (24, (768,))
    """
    with as_file(files("semantic") / "data" / "sentence_embeddings.safetensors") as path:
        return load_embeddings(path)


def load_embeddings(path: Path, flatten: bool = False) -> list[Embedding]:
    """Read vectors: every row of an array ``[rows, count]``, or a single ``[count]``.

    Parameters
    ----------
    path:
        A ``.npy`` file, a ``.npz`` or ``.safetensors`` file with one or more arrays, of any integers or
        floats, or a ``.csv``, ``.tsv`` or ``.txt`` file with a row of numbers a line, and a heading or none.
    flatten:
        Take an array ``[tokens, width]`` for one vector of tokens x width numbers, such as the grid of an
        image encoder, and one of more dimensions for as many vectors as its first axis has entries.

    Raises
    ------
    ValueError
        If the file cannot be read, holds no finite real numbers, or an array of more dimensions that is not
        to be flattened.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     np.save(Path(folder, "mine.npy"), np.eye(3, 5))
    ...     [vector.shape for _, vector in load_embeddings(Path(folder, "mine.npy"))]
    [(5,), (5,), (5,)]
    """
    found: list[Embedding] = []
    for title, array in _arrays(path).items():
        if not array.ndim or not array.size or array.dtype.kind not in "fiu":
            raise ValueError(
                f"{path}: an embedding is a row of real numbers, "
                f"got {array.dtype} of shape {list(array.shape)}"
            )
        if flatten:
            array = array.reshape(array.shape[0] if array.ndim > 2 else 1, -1)
        if array.ndim > 2:
            raise ValueError(
                f"{path}: {title} has the shape {list(array.shape)}, which is not one row a vector: give "
                f"--flatten to send {array.shape[0]} vectors of {array[0].size} numbers"
            )
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is found next
            rows = np.atleast_2d(array).astype(np.float32)
        if not np.isfinite(rows).all():
            raise ValueError(f"{path}: {title} holds numbers that are not finite in single precision")
        found += [Embedding(f"{title}-{index}", row) for index, row in enumerate(rows, 1)]
    if not found:
        raise ValueError(f"{path} holds no array")
    return found


def _arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    try:
        if path.suffix == ".npy":
            with path.open("rb") as file:
                return {path.stem: np.lib.format.read_array(file, allow_pickle=False)}
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return {title: file[title] for title in sorted(file.files)}
        if path.suffix in _TABLES:
            return {path.stem: _table(path)}
        if path.suffix == ".safetensors":
            return {title: _as_numpy(tensor) for title, tensor in sorted(load_file(path).items())}
    except _READ_ERRORS as error:
        raise ValueError(f"cannot read embeddings from {path}: {error}") from error
    pickled = path.suffix in (".pt", ".pth", ".pkl", ".bin")
    raise ValueError(
        f"embeddings are read from .npy, .npz, .safetensors, {', '.join(_TABLES)} files, got {str(path)!r}"
        + (
            ", and files that may run code when they are read are not opened: save the tensor with "
            "safetensors.torch.save_file({'embeddings': tensor}, 'mine.safetensors')"
        )
        * pickled
    )


def _table(path: Path) -> NDArray[np.float64]:
    """Numbers ``[rows, count]`` between commas, semicolons, tabs or blanks."""
    lines = path.read_text(encoding="utf-8-sig").split("\n")
    mark = next((character for character in lines[0] if character in ",;\t"), None)
    try:
        [float(cell) for cell in lines[0].split(mark)]
    except ValueError:
        lines = lines[1:]  # a heading
    with warnings.catch_warnings(action="ignore"):  # of no data at all, which are found next
        return np.loadtxt(lines, delimiter=mark, ndmin=2)


def _as_numpy(tensor: torch.Tensor) -> NDArray[np.generic]:
    """Array of a tensor; NumPy lacks the short floats."""
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()
