"""``semphy train``: a model by name, and the card that says how it was made."""

from __future__ import annotations

import csv
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from benchmarks.runs.versions import versions
from benchmarks.settings.errors import InputError, input_errors
from benchmarks.settings.values.devices import check_device
from bridge.training.recipes import RECIPES, choose, find_data, prepare
from bridge.training.settings import base_folder, spelled
from bridge.training.trainer import AnotherRun
from semantic.files import write_text
from semantic.zoo.digests import digest_of_model

__all__ = ["Trained", "bundled", "log_to_stderr", "train_model"]

_CHECKPOINT = "checkpoint.safetensors"
_LOGS = ("bridge.training",)


@dataclass(frozen=True)
class Trained:
    """A model that was made.

    Attributes
    ----------
    name, settings, steps, seed, device:
        What was asked for.
    folder:
        Where it lies, in the hub's layout.
    data:
        What it learned from: names, numbers of files and digests, of a model that it goes on from, too.
    own_data:
        Whether that is a folder of somebody's own, of which nothing more is known.
    values, size_bytes:
        Numbers in its safetensors files, and bytes of these.
    loss:
        Mean of the last steps.
    seconds:
        How long it took, without what was done before an interruption.
    resumed:
        Whether there was one.
    """

    name: str
    settings: dict[str, Any]
    steps: int
    seed: int
    device: str
    folder: str
    data: tuple[str, ...]
    own_data: bool
    values: int
    size_bytes: int
    loss: float
    seconds: float
    resumed: bool

    def to_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return asdict(self)


def bundled(name: str) -> Path:
    """Where `semantic.zoo.presets` looks for a model of the tiny tier."""
    return Path(str(resources.files("semantic"))) / "data" / "models" / name


def train_model(
    name: str,
    steps: int | None,
    data: Path | None,
    out: Path | None,
    seed: int,
    device: str,
    fresh: bool,
    images: Path | None = None,
    captions: Path | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Trained:
    """Train a model, or go on with an interrupted training, and write its card.

    Parameters
    ----------
    name:
        In `bridge.training.recipes.RECIPES`.
    steps:
        In all; None: the recipe's own.
    data:
        Folder with the data; None: the one that ``SEMPHY_DATA`` names.
    out:
        Folder for the model; None: `bundled`, for a model that is.
    seed:
        Of weights and data.
    device:
        ``cpu``, ``cuda`` ...
    fresh:
        Begin anew, whatever lies in the folder.
    images, captions:
        As in `bridge.training.recipes.find_data`.
    settings:
        As in `bridge.training.recipes.choose`.

    Raises
    ------
    InputError
        If there is no such recipe, it takes no such settings, its data are missing, the device is, no folder
        is named for a model that is not bundled, the folder holds a finished model and `fresh` is not set, or
        its checkpoint belongs to another run.
    """
    with input_errors():
        chosen = choose(name, settings or {})
        if RECIPES[name].settings and out is None:
            raise InputError(f"{name} makes a model of your own: name a folder for it by --out FOLDER")
        found = find_data(name, data, images, captions)
        check_device(device)
    entry, folder = RECIPES[name], out or bundled(name)
    steps = entry.steps if steps is None else steps
    resumed = (folder / _CHECKPOINT).is_file() and not fresh
    if not fresh and not resumed and any(folder.glob("**/*.safetensors")):
        raise InputError(f"{folder} holds a finished model: --fresh trains it anew, --out trains another one")
    with log_to_stderr():
        with input_errors():
            read = (*found.describe(), *_describe_base(chosen))
            trainer = prepare(name, found.places, seed, device, chosen)
        begun = time.monotonic()
        try:
            trainer(steps, folder, not fresh)
        except AnotherRun as error:
            raise InputError(f"{error}, or begin anew with --fresh") from error
        seconds = time.monotonic() - begun
    values, size = _weigh(folder)
    loss = _last_loss(folder)
    made = Trained(
        name, chosen, steps, seed, device, str(folder), read, found.own, values, size, loss, seconds, resumed
    )
    write_text(folder / "README.md", _card(made, versions()))
    return made


def _describe_base(settings: Mapping[str, Any]) -> list[str]:
    """The model that a training goes on from, by name and content, if any."""
    if "base" not in settings:
        return []
    folder = base_folder(settings["base"])
    return [f"{Path(settings['base']).name} (model, digest {digest_of_model(folder)})"]


@contextmanager
def log_to_stderr() -> Iterator[None]:
    """Write what trainings log on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    loggers = [logging.getLogger(name) for name in _LOGS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)


def _weigh(folder: Path) -> tuple[int, int]:
    """Numbers in the safetensors files of a folder, and their bytes."""
    values = size = 0
    for file in sorted(folder.glob("**/*.safetensors")):
        size += file.stat().st_size
        with safe_open(str(file), "pt") as stored:
            for key in stored.keys():  # noqa: SIM118 - no mapping
                values += torch.Size(stored.get_slice(key).get_shape()).numel()
    return values, size


def _last_loss(folder: Path) -> float:
    with (folder / "loss.csv").open(newline="") as stream:
        return float(list(csv.DictReader(stream))[-1]["loss"])


def _card(made: Trained, found: Mapping[str, str | None]) -> str:
    """Text of the model card, in the hub's format."""
    entry = RECIPES[made.name]
    command = f"semphy train {spelled(made.name, made.settings)} --steps {made.steps} --seed {made.seed}"
    row = {
        "data": ", ".join(made.data) or "drawn afresh for every step",
        "training": f"`{command}` on {made.device}" + (", interrupted and resumed" if made.resumed else ""),
        "time": f"{made.seconds / 60:.1f} minutes" + (" since it was resumed" if made.resumed else ""),
        "commit": found["commit"] or "unknown",
        "versions": f"semphy {found['semphy']}, torch {found['torch']}, Python {found['python']}",
        "parameters": f"{made.values:,} ({made.size_bytes / 1e6:.1f} MB)",
        "loss": f"{made.loss:.5f} at the end, all in `loss.csv`",
    }
    table = "\n".join(f"| {key} | {value} |" for key, value in row.items())
    mark, licence = "apache-2.0", f"the weights are under Apache-2.0. {entry.remark}"
    datasets = entry.datasets
    if made.own_data:
        mark, licence = "unknown", "that of the data is unknown, and so is that of the weights."
        datasets = ("unknown",)
    if "base" in made.settings:
        mark, licence = "unknown", f"{licence} That of {Path(made.settings['base']).name} holds, too."
    return (
        f"---\nlicense: {mark}\nlibrary_name: semphy\ndatasets: [{', '.join(datasets)}]\n---\n\n"
        f"# {made.name}\n\n{entry.purpose}. Made by `semphy train`.\n\n"
        f"| | |\n|---|---|\n{table}\n\n"
        f"Licence: {licence}\n"
    )
