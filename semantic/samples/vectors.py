"""Embeddings to send: bundled ones, and files of one's own."""

from __future__ import annotations

import tokenize
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
    *(SafetensorError, tokenize.TokenError),
)


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


def load_embeddings(path: Path) -> list[Embedding]:
    """Read vectors: every row of an array ``[rows, count]``, or a single ``[count]``.

    Parameters
    ----------
    path:
        A ``.npy`` file, or a ``.safetensors`` file with one or more arrays, of any integers or floats.

    Raises
    ------
    ValueError
        If the file cannot be read, holds no finite real numbers, or an array of more dimensions.

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
        if array.ndim not in (1, 2) or not array.size or array.dtype.kind not in "fiu":
            raise ValueError(
                f"{path}: an embedding is a row of real numbers, "
                f"got {array.dtype} of shape {list(array.shape)}"
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
        if path.suffix == ".safetensors":
            return {title: _as_numpy(tensor) for title, tensor in sorted(load_file(path).items())}
    except _READ_ERRORS as error:
        raise ValueError(f"cannot read embeddings from {path}: {error}") from error
    raise ValueError(f"embeddings are read from .npy and .safetensors files, got {str(path)!r}")


def _as_numpy(tensor: torch.Tensor) -> NDArray[np.generic]:
    """Array of a tensor; NumPy lacks the short floats."""
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()
