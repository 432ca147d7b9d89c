"""What a transmitter has worked out about a source, kept so that no model runs twice for the same answer."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bridge.systems.system import Source
from semantic.files import written

__all__ = ["Arrays", "recall", "recall_values"]

Arrays = dict[str, NDArray[Any]]
"""Numbers and texts by name; a text is an array of no dimension."""


def recall(source: Source, key: str, make: Callable[[], Arrays]) -> Arrays:
    """Return what ``make`` returned for this source and key before, or call it now.

    Answers live in ``source.memory`` and, if the source has a folder to keep them in, there as ``.npz``
    files, so that a later run with more SNRs, trials or systems asks no transmitter model again.

    Parameters
    ----------
    source:
        Its digest, not its name, tells it from others.
    key:
        Everything else that determines the answer: what is asked, and the identity of the model.
    make:
        Asks the model.

    Examples
    --------
    >>> source, asked = Source("dog", text="A dog runs."), []
    >>> def ask() -> Arrays:
    ...     asked.append("once")
    ...     return {"texts": np.array(["a dog"])}
    >>> [str(recall(source, "captions", ask)["texts"][0]) for _ in range(3)], asked
    (['a dog', 'a dog', 'a dog'], ['once'])
    """
    if key in source.memory:
        return source.memory[key]
    file = None
    if source.folder is not None:
        name = hashlib.sha256(f"{source.digest}:{key}".encode()).hexdigest()[:32]
        file = Path(source.folder) / f"{name}.npz"
        if (known := _read(file)) is not None:
            source.memory[key] = known
            return known
    source.memory[key] = {title: np.asarray(array) for title, array in make().items()}
    if file is not None:
        with written(file) as beside:
            np.savez(beside, **source.memory[key])
    return source.memory[key]


def _read(file: Path) -> Arrays | None:
    """An answer that was kept; None where there is none, or nobody can read it any more."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile):
        return None


def recall_values(source: Source, key: str, make: Callable[[], torch.Tensor]) -> torch.Tensor:
    """Return the tensor that ``make`` returned for this source and key before, on the CPU; see `recall`."""

    @torch.no_grad()
    def ask() -> Arrays:
        return {"values": make().cpu().numpy()}

    return torch.from_numpy(recall(source, key, ask)["values"])
