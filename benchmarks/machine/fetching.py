"""``semphy fetch``: weights and data sets by name; size and licence are said before anything comes."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from benchmarks.settings.errors import InputError, input_errors
from benchmarks.settings.needs import lacking_of
from benchmarks.settings.presets import find_config
from benchmarks.settings.reading import read_document
from semantic.files import NotWritten
from semantic.metrics import lpips, stlpips
from semantic.samples import downloads
from semantic.zoo import presets as zoo
from semantic.zoo.published import Published, size_of

__all__ = ["bring", "plan", "summary"]

_MODELS, _PRESET = "models:", "preset:"
_NO_ROOM = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC)


def plan(names: Sequence[str]) -> list[Published]:
    """Look up what names stand for.

    A bundle ``models:SYSTEM`` is all its models; ``preset:NAME`` is all that the settings of this name ask
    for and that is not on this machine.

    Raises
    ------
    ValueError
        If there is nothing of a name, or a model is made by ``semphy train`` and not published.
    """
    found = [each for name in names for each in _published(name)]
    return list({each.fetched_as: each for each in found}.values())


def _published(name: str) -> Sequence[Published]:
    known: list[Published] = [*lpips.BACKBONES.values(), stlpips.NETWORKS, *downloads.DATA_SETS.values()]
    one_by_one = {each.fetched_as: each for each in known}
    if name in one_by_one:
        return [one_by_one[name]]
    if name.startswith(_MODELS):
        presets = zoo.members(name.removeprefix(_MODELS))
        for preset in presets:
            if not preset.published:
                raise ValueError(f"{preset.name!r} is not published; make it with: {preset.command}")
        return presets
    if name.startswith(_PRESET):
        return lacking_of(read_document(find_config(name.removeprefix(_PRESET))))
    there = [*one_by_one, *(f"{_MODELS}{bundle}" for bundle in (*zoo.BUNDLES, "PRESET")), f"{_PRESET}NAME"]
    raise ValueError(f"nothing to fetch under {name!r}: there are {', '.join(there)} (semphy list)")


def summary(thing: Published) -> str:
    """What to know of a thing before it is downloaded."""
    state = "already here" if thing.is_here else f"{size_of(thing)}, {thing.checked}"
    return f"{thing.fetched_as}: {state}; licence: {thing.licence}"


def bring(thing: Published) -> Path:
    """Download one thing unless it is here, with a progress bar, and return where it lies.

    Raises
    ------
    InputError
        If it cannot be downloaded, or is not what it should be.
    """
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    console = Console(stderr=True)
    with input_errors(), Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task(thing.fetched_as, visible=False)

        def report(name: str, done: int, total: int) -> None:
            progress.update(bar, description=name, completed=done, total=total, visible=True)

        try:
            return thing.fetch(report)
        except OSError as error:
            wants = isinstance(error, NotWritten) or error.errno in _NO_ROOM
            cure = f"; {thing.placed_by} names another place for it" if wants else ""
            raise InputError(f"{thing.fetched_as} could not be downloaded: {error}{cure}") from error
