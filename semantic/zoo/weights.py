"""Third-party checkpoints: where they lie, what they must be, and what to type when they are missing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch

from semantic.files import locked
from semantic.zoo.missing import WeightsMissing
from semantic.zoo.published import Report

__all__ = ["Checkpoint", "checkpoint_directory", "locate", "read"]


@dataclass(frozen=True)
class Checkpoint:
    """One published PyTorch checkpoint.

    Attributes
    ----------
    file:
        Its name in PyTorch's checkpoint directory.
    url:
        Where it is published.
    sha256:
        Its digest, pinned.
    size_bytes:
        Of the file.
    fetched_as:
        What ``semphy fetch`` calls it.
    licence:
        As stated where it is published.
    """

    file: str
    url: str
    sha256: str
    size_bytes: int
    fetched_as: str
    licence: str = "bsd-3-clause (torchvision)"

    checked: ClassVar[str] = "SHA-256 pinned"
    placed_by: ClassVar[str] = "TORCH_HOME"

    @property
    def is_here(self) -> bool:
        """Whether it lies in PyTorch's checkpoint directory."""
        return (checkpoint_directory() / self.file).is_file()

    def fetch(self, report: Report | None = None) -> Path:
        """Download it into PyTorch's checkpoint directory, unless it lies there: see `Published`.

        PyTorch shows a progress bar of its own on standard error.

        Raises
        ------
        OSError
            If there is no connection (``urllib.error.URLError``).
        ValueError
            If what came does not have the pinned SHA-256; nothing is kept then.
        """
        file = checkpoint_directory() / self.file
        if file.is_file():
            return file
        with locked(file):
            if not file.is_file():  # another process may have brought it meanwhile
                try:
                    torch.hub.download_url_to_file(self.url, str(file), hash_prefix=self.sha256)
                except RuntimeError as error:  # its word for a digest that is another
                    raise ValueError(f"{self.url} is not what it was: {error}") from error
        return file


def checkpoint_directory() -> Path:
    """Where PyTorch keeps checkpoints: ``TORCH_HOME/hub/checkpoints``, there or not."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def locate(checkpoint: Checkpoint, path: str | Path | None = None) -> Path:
    """Where the checkpoint lies: ``path``, else in PyTorch's directory ``TORCH_HOME/hub/checkpoints``.

    It costs nothing and reads nothing: call it before any long work.

    Raises
    ------
    WeightsMissing
        If there is no such file.
    """
    file = checkpoint_directory() / checkpoint.file if path is None else Path(path)
    if not file.is_file():
        raise WeightsMissing(
            f"{checkpoint.file} ({checkpoint.size_bytes / 2**20:.0f} MiB) is missing: "
            f"there is no file {file}; "
            f"get it with: semphy fetch {checkpoint.fetched_as}"
        )
    return file


def read(checkpoint: Checkpoint, path: str | Path | None = None) -> dict[str, torch.Tensor]:
    """Load the tensors of a checkpoint on the CPU, after checking its digest and without running its pickle.

    Raises
    ------
    WeightsMissing
        If there is no such file.
    ValueError
        If the file's SHA-256 is not the pinned one; quotes the path and both digests.
    """
    file = locate(checkpoint, path)
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != checkpoint.sha256:
        raise ValueError(
            f"{file} is not {checkpoint.file}: its SHA-256 is {digest}, not {checkpoint.sha256}; "
            f"delete it and get the right one with: semphy fetch {checkpoint.fetched_as}"
        )
    tensors: dict[str, torch.Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return tensors
