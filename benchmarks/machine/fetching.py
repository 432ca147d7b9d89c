"""``semphy fetch``: weights and data sets by name; size and licence are said before anything comes."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from benchmarks.settings.errors import InputError, input_errors
from semantic.files import NotWritten
from semantic.metrics import lpips
from semantic.samples import downloads
from semantic.zoo import presets as zoo
from semantic.zoo import weights

__all__ = ["Item", "fetch", "plan"]

_MODELS = "models:"
_NO_ROOM = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC)
_COMMIT = 40  # digits of a commit's name; whatever is shorter is that of a branch


@dataclass(frozen=True)
class Item:
    """One thing to download.

    Attributes
    ----------
    name:
        What ``semphy fetch`` calls it.
    size_bytes:
        About.
    licence:
        As stated where it is published.
    checked:
        How it is known to be what it should be.
    here:
        Whether nothing is left to do.
    get:
        Downloads it and returns where it lies.
    variable:
        That of the environment which says where it is to lie.
    """

    name: str
    size_bytes: int
    licence: str
    checked: str
    here: bool
    get: Callable[[], Path]
    variable: str

    def to_text(self) -> str:
        """Return what to know before it is downloaded."""
        state = "already here" if self.here else f"{_size(self.size_bytes)}, {self.checked}"
        return f"{self.name}: {state}; licence: {self.licence}"


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def plan(names: Sequence[str]) -> list[Item]:
    """Look up what names stand for; a bundle ``models:SYSTEM`` is all its models.

    Raises
    ------
    ValueError
        If there is nothing of a name, or a model is made by ``semphy train`` and not published.
    """
    items = [item for name in names for item in _items(name)]
    return list({item.name: item for item in items}.values())


def _items(name: str) -> list[Item]:
    nets = {f"lpips-{net}": checkpoint for net, checkpoint in lpips.BACKBONES.items()}
    if name in nets:
        return [_checkpoint(nets[name])]
    if name in downloads.DATA_SETS:
        return [_data_set(downloads.DATA_SETS[name])]
    if name.startswith(_MODELS):
        return [_preset(preset) for preset in zoo.members(name.removeprefix(_MODELS))]
    models = [f"{_MODELS}{bundle}" for bundle in (*zoo.BUNDLES, "PRESET")]
    there = [*nets, *downloads.DATA_SETS, *models]
    raise ValueError(f"nothing to fetch under {name!r}: there are {', '.join(there)} (semphy list)")


def _checkpoint(checkpoint: weights.Checkpoint) -> Item:
    try:
        here = weights.locate(checkpoint).is_file()
    except weights.WeightsMissing:
        here = False
    licence = "bsd-3-clause (torchvision)"
    get = partial(weights.fetch, checkpoint)
    return Item(checkpoint.name, checkpoint.size, licence, "SHA-256 pinned", here, get, "TORCH_HOME")


def _preset(preset: zoo.Preset) -> Item:
    if preset.tier == "tiny":
        raise ValueError(f"{preset.name!r} is not published; make it with: {preset.command}")
    revision = f"revision {preset.revision[:12]}" if preset.revision else "SHA-256 pinned"
    if preset.revision and len(preset.revision) != _COMMIT:
        revision += ", which may move; the folder's name is the commit that came"
    here = preset in zoo.cached()
    get = partial(zoo.fetch, preset.name)
    variable = "HF_HOME" if preset.revision else "TORCH_HOME"
    return Item(f"{_MODELS}{preset.name}", preset.size_bytes, preset.licence, revision, here, get, variable)


def _data_set(found: downloads.DataSet) -> Item:
    checked = "SHA-256 pinned" if found.pinned else "checked by size and number of files, no SHA-256 is known"
    get = partial(_with_progress, found)
    return Item(
        found.name, found.size_bytes, found.licence, checked, downloads.is_here(found), get, "SEMPHY_DATA"
    )


def _with_progress(found: downloads.DataSet) -> Path:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task(found.name)

        def report(name: str, done: int, total: int) -> None:
            progress.update(bar, description=name, completed=done, total=total)

        return downloads.fetch(found, report)


def fetch(item: Item) -> Path:
    """Download one thing unless it is here, and return where it lies.

    Raises
    ------
    InputError
        If it cannot be downloaded, or is not what it should be.
    """
    with input_errors():
        try:
            return item.get()
        except OSError as error:
            wants = isinstance(error, NotWritten) or error.errno in _NO_ROOM
            cure = f"; {item.variable} names another place for it" if wants else ""
            raise InputError(f"{item.name} could not be downloaded: {error}{cure}") from error
