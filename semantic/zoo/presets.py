"""Published and bundled models by name: where they lie, and what to type when they are missing.

A *preset* names one model of one of three tiers. ``hub`` presets are published checkpoints, found in the
cache of the Hugging Face hub (``HF_HOME``) or, for torchvision's, in PyTorch's (``TORCH_HOME``). ``tiny``
presets are the same architectures at a hundredth of the size, and lie inside this package once ``semphy
train`` has made them. ``fitted`` ones are what lies between published models, and lie beside the data sets
once ``semphy fit`` has made them. The table is ``semantic/data/zoo.toml``.

`resolve` never goes online: it answers at once, whether or not there is a network. `Preset.fetch` is the
only one that downloads.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as resources
from pathlib import Path
from typing import Any, Literal

import torch

from semantic.samples.downloads import data_directory
from semantic.zoo import weights
from semantic.zoo.missing import WeightsMissing
from semantic.zoo.published import Report
from semantic.zoo.weights import Checkpoint

__all__ = [
    "BUNDLES",
    "PRESETS",
    "Preset",
    "cached",
    "fetch",
    "import_transformers",
    "members",
    "resolve",
    "torchvision_state",
    "uses_safetensors",
]

_DATA = Path(str(resources("semantic"))) / "data"
_COMMIT = 40  # digits of a commit's name; whatever is shorter is that of a branch
_TRANSFORMERS = "pip install 'transformers>=5.18,<6'"


@dataclass(frozen=True)
class Preset:
    """One model that can be asked for by name.

    Attributes
    ----------
    name:
        What ``--models``, ``semphy fetch models:NAME`` and ``semphy train NAME`` call it.
    role:
        What it is used as: captioner, corrector, generator, feature, feature-decoder, clip, sentence or
        segmenter.
    tier:
        ``hub``, ``tiny`` or ``fitted``.
    licence:
        Of the weights, as stated where they are published.
    purpose:
        One line on what it is for.
    repo:
        Its hub repository, or the address of the folder of a single checkpoint; empty for others.
    revision:
        Commit (or branch) of the repository; empty where there is none.
    files:
        Patterns of the files without which it cannot be loaded; each must match one at least.
    extras:
        Patterns of files to take along where there are any.
    size_bytes:
        What `Preset.fetch` downloads, about; 0 where nobody publishes it.
    pickle_sha256:
        Digest of its ``pytorch_model.bin``, or of torchvision's checkpoint, for the few published as a pickle
        only.
    """

    name: str
    role: str
    tier: Literal["hub", "tiny", "fitted"]
    licence: str
    purpose: str
    repo: str = ""
    revision: str = ""
    files: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    size_bytes: int = 0
    pickle_sha256: str = ""

    @property
    def fetched_as(self) -> str:
        """What ``semphy fetch`` calls it."""
        return f"models:{self.name}"

    @property
    def command(self) -> str:
        """What to type to get it."""
        if self.published:
            return f"semphy fetch {self.fetched_as}"
        return (
            f"semphy train {self.name}" if self.tier == "tiny" else f"semphy fit {self.name} --images FOLDER"
        )

    @property
    def published(self) -> bool:
        """Whether it can be downloaded, or else is made on this machine."""
        return self.tier == "hub"

    @property
    def made_in(self) -> Path:
        """Folder in which one that is not published is looked for."""
        return _DATA / "models" / self.name if self.tier == "tiny" else data_directory() / self.name

    @property
    def checked(self) -> str:
        """How it is known to be what it should be."""
        if not self.revision:
            return "SHA-256 pinned"
        moves = ", which may move; the folder's name is the commit that came"
        return f"revision {self.revision[:12]}" + (moves if len(self.revision) != _COMMIT else "")

    @property
    def placed_by(self) -> str:
        """Variable of the environment that says where it is to lie."""
        return "HF_HOME" if self.revision else "TORCH_HOME"

    @property
    def is_here(self) -> bool:
        """Whether it is wholly on this machine."""
        try:
            _locate(self)
        except WeightsMissing:
            return False
        return True

    def fetch(self, report: Report | None = None) -> Path:
        """Download it unless it is here: see `Published`. Nothing else goes online for a model.

        The hub's library, and PyTorch for a single checkpoint, show progress bars of their own.

        Raises
        ------
        ValueError
            If nothing publishes it (others are trained or fitted).
        ConnectionError
            If ``HF_HUB_OFFLINE`` is set.
        OSError
            If there is no connection, or the repository refuses.
        WeightsMissing
            If what came lacks a file that it needs.
        """
        if not self.published:
            raise ValueError(f"{self.name!r} is not published; make it with: {self.command}")
        if not self.is_here:
            _download(self)
        return _locate(self)


def _read_table() -> tuple[dict[str, Preset], dict[str, tuple[str, ...]]]:
    table = tomllib.loads(_DATA.joinpath("zoo.toml").read_text(encoding="utf-8"))
    presets = (Preset(**_frozen(entry)) for entry in table["preset"])
    return {preset.name: preset for preset in presets}, _frozen(table["bundles"])


def _frozen(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}


PRESETS, BUNDLES = _read_table()
"""All presets by name, and names of the presets that a whole system needs, by system."""


def members(name: str) -> tuple[Preset, ...]:
    """Presets behind a name: those of a bundle, or the preset itself.

    Raises
    ------
    ValueError
        If there is neither; lists what there is.
    """
    if name in BUNDLES:
        return tuple(PRESETS[member] for member in BUNDLES[name])
    if name not in PRESETS:
        raise ValueError(f"no models under {name!r}: there are {', '.join((*BUNDLES, *PRESETS))}")
    return (PRESETS[name],)


def resolve(name_or_path: str | Path) -> Path:
    """Where a model lies: a folder (or file) of one's own as it is, a preset in its cache; never goes online.

    It opens no weights: call it before any long work.

    Parameters
    ----------
    name_or_path:
        Name of a preset, or a path. A preset wins over a folder of the same name, which is ``./NAME``.

    Returns
    -------
    Path
        A folder in the hub's layout; for torchvision's segmenters the checkpoint file.

    Raises
    ------
    WeightsMissing
        If the preset, or a part of it, is not on this machine; says what is missing, its size and licence,
        and the command that gets it.
    ValueError
        If it is neither a preset nor a path that exists.

    Examples
    --------
    >>> sorted(path.name for path in resolve("tiny-jscc").iterdir() if path.suffix == ".safetensors")
    ['model.safetensors']
    """
    preset = PRESETS.get(str(name_or_path))
    if preset is not None:
        return _locate(preset)
    path = Path(name_or_path).expanduser()
    if not path.exists():
        raise ValueError(
            f"{str(name_or_path)!r} is neither a folder on this machine nor a preset; "
            f"presets are {', '.join(PRESETS)}"
        )
    return path


def cached() -> tuple[Preset, ...]:
    """Presets that are wholly on this machine."""
    return tuple(preset for preset in PRESETS.values() if preset.is_here)


def _locate(preset: Preset) -> Path:
    if not preset.published:
        return _complete(preset, preset.made_in)
    if preset.repo.startswith("https:"):
        try:
            return weights.locate(_checkpoint(preset))
        except WeightsMissing:
            raise _missing(preset, f": {preset.files[0]}") from None
    return _complete(preset, _snapshot(preset, local=True))


def _complete(preset: Preset, folder: Path | None) -> Path:
    """Return the folder if nothing of the preset is missing in it."""
    if folder is None or not folder.is_dir():
        raise _missing(preset, "")
    absent = [pattern for pattern in preset.files if not _matches(folder, pattern)]
    absent += [shard for shard in _shards(folder) if not (folder / shard).is_file()]
    if absent:
        raise _missing(preset, f": {', '.join(absent)} in {folder}")
    return folder


def _matches(folder: Path, pattern: str) -> bool:
    # is_file follows the cache's links, which dangle after an interrupted download.
    return any(path.is_file() for path in folder.glob(pattern))


def _shards(folder: Path) -> list[str]:
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return []
    return sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))


def _missing(preset: Preset, detail: str) -> WeightsMissing:
    if not preset.published:
        return WeightsMissing(
            f"{preset.name} ({preset.purpose}) was not made yet{detail}; make it with: {preset.command}"
        )
    source = f"{preset.repo}@{preset.revision[:12]}" if preset.revision else preset.repo
    return WeightsMissing(
        f"{preset.name} ({source}) is missing on this machine{detail}; "
        f"{preset.size_bytes / 1e9:.2f} GB, licence {preset.licence}; get it with: {preset.command}"
    )


def _checkpoint(preset: Preset) -> Checkpoint:
    (file,) = preset.files
    return Checkpoint(file, f"{preset.repo}/{file}", preset.pickle_sha256, preset.size_bytes, preset.name)


def _snapshot(preset: Preset, local: bool) -> Path | None:
    """Folder of a hub preset; with ``local`` without a look at the network, and None if it is not there."""
    # It reads HF_HOME and HF_HUB_OFFLINE when it is imported, and takes a third of a second.
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = huggingface_hub.snapshot_download(
            preset.repo,
            revision=preset.revision,
            allow_patterns=[*preset.files, *preset.extras],
            local_files_only=local,
        )
    except LocalEntryNotFoundError:
        if not local:
            raise
        return None
    return Path(folder)


def fetch(name: str) -> Path:
    """Download a preset unless it is here, and return where it lies: `Preset.fetch` by name.

    Raises
    ------
    ValueError
        If there is no such preset, it is a bundle, or nothing publishes it (others are trained or fitted).

    Examples
    --------
    >>> fetch("tiny-jscc")
    Traceback (most recent call last):
    ValueError: 'tiny-jscc' is not published; make it with: semphy train tiny-jscc
    """
    (preset, *others) = members(name)
    if others:
        raise ValueError(f"{name!r} is a bundle of {', '.join(BUNDLES[name])}; fetch these one by one")
    return preset.fetch()


def _download(preset: Preset) -> None:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise ConnectionError(
            f"HF_HUB_OFFLINE forbids downloads; unset it, and then: {preset.command} "
            f"({preset.size_bytes / 1e9:.2f} GB, licence {preset.licence})"
        )
    if preset.repo.startswith("https:"):
        _checkpoint(preset).fetch()
    else:
        _snapshot(preset, local=False)


def uses_safetensors(folder: str | Path) -> bool:
    """Whether a model's folder holds safetensors (True), or a pickle that a preset vouches for (False).

    The value is what ``use_safetensors=`` of a ``from_pretrained`` wants. A vouched pickle is still read
    without running it (``weights_only``, the library's default).

    Raises
    ------
    WeightsMissing
        If there is no folder, or no weights in it.
    ValueError
        If it holds a pickle only, and its SHA-256 is not one that a preset pins.
    """
    folder = Path(folder)
    if any(folder.glob("*.safetensors")):
        return True
    pickle = folder / "pytorch_model.bin"
    if not pickle.is_file():
        raise WeightsMissing(
            f"no model lies in {folder}: a folder with config.json and *.safetensors is expected; "
            f"published ones come with: semphy fetch models:NAME"
        )
    with pickle.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest not in {preset.pickle_sha256 for preset in PRESETS.values()}:
        raise ValueError(
            f"{pickle} is a pickle of unknown origin (SHA-256 {digest}); save the model as safetensors "
            f"(model.save_pretrained does) and give that folder"
        )
    return False


@cache
def torchvision_state() -> str:
    """In what state torchvision is: ``absent``, ``works``, or ``broken: `` with the reason and the cure.

    Nothing here needs it. But model libraries ask only whether it is *installed*, so that a build that does
    not match torch makes them fail where none at all would do.
    """
    if importlib.util.find_spec("torchvision") is None:
        return "absent"
    try:
        importlib.import_module("torchvision")
    except Exception as error:  # a build for another torch raises RuntimeError, others ImportError, OSError
        reason = " ".join(str(error).split())[:160]
        return (
            f"broken: torchvision is installed but cannot be imported ({type(error).__name__}: {reason}), "
            f"and model libraries fail because of it; pip uninstall torchvision, which nothing here needs, "
            f"or install the build that matches torch {torch.__version__}"
        )
    return "works"


def import_transformers() -> Any:
    """Import the module ``transformers``, its progress bars off.

    Raises
    ------
    ImportError
        If it is not installed, or a broken torchvision would make it fail; names the cure.
    """
    if importlib.util.find_spec("transformers") is None:
        raise ImportError(f"this model needs transformers: {_TRANSFORMERS}")
    state = torchvision_state()
    if state.startswith("broken"):
        raise ImportError(state)
    transformers = importlib.import_module("transformers")
    transformers.logging.disable_progress_bar()
    return transformers
