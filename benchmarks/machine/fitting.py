"""``semphy fit``: what lies between published models, fitted to a folder of pictures in closed form."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from benchmarks.machine.training import log_to_stderr
from benchmarks.runs.versions import versions
from benchmarks.settings.errors import InputError, input_errors
from benchmarks.settings.values.devices import check_device
from bridge.models import Models
from bridge.training.fitting import Fitted, fit, seen
from semantic.files import write_text
from semantic.models.encoders import ImageEncoder
from semantic.models.feature_adapter import adapter_file
from semantic.models.features import VisionLanguageFeature
from semantic.samples.named import find_pictures
from semantic.samples.pictures import read_picture
from semantic.zoo.digests import digest_of, digest_of_file
from semantic.zoo.presets import PRESETS

__all__ = ["VLF_BRIDGE", "FittedBridge", "fit_bridge"]

VLF_BRIDGE = "vlf-bridge"
"""What ``semphy fit`` can make."""

_FEWEST = 3
_ENCODERS = {
    "kandinsky-2.2-decoder": "kandinsky-2.2-encoder",
    "stable-diffusion-1.5": "ip-adapter-sd15/models",
}
"""Where ``image_encoder/`` lies whose embedding a published painter reads."""


@dataclass(frozen=True)
class FittedBridge:
    """What was fitted.

    Attributes
    ----------
    folder:
        Holds ``projection/`` and ``image/``, the painter with the bridge beside it.
    feature, painter, encoder:
        Presets or folders that it lies between.
    data:
        The pictures: name, number of files and digest.
    channel_uses:
        Of the projection.
    pictures, penalty, explained, cosine, kept:
        As in `bridge.training.fitting.Fitted`.
    seconds:
        How long it took.
    """

    folder: str
    feature: str
    painter: str
    encoder: str
    data: str
    channel_uses: int
    pictures: int
    penalty: float
    explained: float
    cosine: float
    kept: float
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return asdict(self)

    def to_text(self) -> str:
        """Folder, and how good it is, in two lines."""
        return (
            f"{self.folder}\n# {self.pictures} pictures; of pictures left out the bridge says "
            f"{self.explained:.1%} of the embeddings' variance, cosine {self.cosine:.3f}; "
            f"{self.channel_uses} channel uses keep {self.kept:.1%} of the features'"
        )


def fit_bridge(
    images: str,
    feature: str = "blip2-opt-2.7b",
    painter: str = "kandinsky-2.2-decoder",
    encoder: str | None = None,
    channel_uses: int = 256,
    max_sources: int | None = None,
    device: str = "cpu",
    dtype: str = "float32",
    out: Path | None = None,
    fresh: bool = False,
) -> FittedBridge:
    """Fit what VLF-MSC needs between a feature, the channel and a painter.

    Parameters
    ----------
    images:
        Folder of pictures, or the name of a data set.
    feature, painter:
        Preset or folder of BLIP-2, and of Kandinsky 2.2's decoder or Stable Diffusion.
    encoder:
        Preset or folder that has the ``image_encoder/`` whose embedding the painter reads: Kandinsky's prior,
        or an IP-Adapter. None: that of a published painter.
    channel_uses:
        Complex channel uses of a feature.
    max_sources:
        Most pictures, the first by name.
    device, dtype:
        Of the models that see.
    out:
        Folder for what is made; None: where ``--models hub`` looks for it.
    fresh:
        Whether what lies there may be replaced.

    Raises
    ------
    InputError
        If a model is missing or of another kind, the two do not fit, there are fewer than three pictures, the
        device is missing, or the folder is taken.
    """
    folder, begun = out or PRESETS[VLF_BRIDGE].made_in, time.monotonic()
    if (folder / "image").exists() and not fresh:
        raise InputError(f"{folder} holds a bridge: --fresh fits it anew, --out makes another one")
    with input_errors():
        check_device(device)
        files = find_pictures(images)[:max_sources]
        if len(files) < _FEWEST:
            raise InputError(f"a bridge is fitted to {_FEWEST} pictures or more, {images} has {len(files)}")
        between = _find(feature, painter, encoder)
        with log_to_stderr():
            features, embeddings, nothing = _look(files, between, device, getattr(torch, dtype))
        made = fit(features, embeddings, channel_uses, nothing)
    _write(made, folder, between)
    told = {name: getattr(made, name) for name in ("pictures", "penalty", "explained", "cosine", "kept")}
    read = f"{Path(images).name} ({len(files):,} files, digest {digest_of(*map(digest_of_file, files))})"
    seconds = time.monotonic() - begun
    result = FittedBridge(str(folder), *between.names, read, channel_uses, **told, seconds=seconds)
    write_text(folder / "README.md", _card(result))
    return result


@dataclass(frozen=True)
class _Between:
    """Where the three models lie, and what they are called: feature, painter, and folder of the encoder."""

    names: tuple[str, str, str]
    feature: Path
    painter: Path
    encoder: Path

    @property
    def adapted(self) -> bool:
        """Whether the painter reads the embedding by an IP-Adapter."""
        return _class_of(self.painter) == "StableDiffusionPipeline"

    @property
    def width(self) -> int:
        """Numbers in the embedding that the painter reads."""
        if not self.adapted:
            return int(json.loads((self.painter / "unet/config.json").read_text())["encoder_hid_dim"])
        with safe_open(str(self.encoder / adapter_file(self.encoder)), "pt") as stored:
            return int(stored.get_slice("image_proj.proj.weight").get_shape()[1])


def _find(feature: str, painter: str, encoder: str | None) -> _Between:
    """Find all models, and say all at once what has to be fetched.

    Raises
    ------
    ValueError
        If one is missing, or of another kind.
    """
    reads = encoder or _ENCODERS.get(painter)
    if reads is None:
        raise ValueError(f"name by --encoder the folder that has the image_encoder/ of {painter}")
    places = (feature, painter, reads)
    presets = [PRESETS[place.partition("/")[0]] for place in places if place.partition("/")[0] in PRESETS]
    if lacking := [preset.fetched_as for preset in presets if not preset.is_here]:
        raise ValueError(f"semphy fit needs models that are not here: semphy fetch {' '.join(lacking)}")
    models = Models((("feature", feature), ("feature-image", painter)))
    found = models.check("feature"), models.check("feature-image")
    eyes = Models((("ip-adapter", reads),)).folder("ip-adapter")
    return _Between((_called(feature), _called(painter), _called(reads)), *found, eyes)


def _called(place: str) -> str:
    """A preset by its name, a folder by its own."""
    name = place.partition("/")[0]
    return name if name in PRESETS else Path(place).name


def _class_of(painter: Path) -> str:
    return str(json.loads((painter / "model_index.json").read_text(encoding="utf-8"))["_class_name"])


def _look(
    files: Sequence[Path], between: _Between, device: str, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Features and embeddings of pictures, and the embedding of none; one model is held at a time.

    Raises
    ------
    ValueError
        If a model is not whole, a picture cannot be read, or the painter reads other embeddings.
    """
    encoder = ImageEncoder.from_pretrained(between.encoder / "image_encoder", device=device, dtype=dtype)
    if encoder.width != between.width:
        raise ValueError(
            f"{between.names[1]} reads embeddings of {between.width} numbers, and the image encoder of "
            f"{between.names[2]} writes {encoder.width}: name another one by --encoder"
        )
    embeddings, nothing = seen(map(read_picture, files), encoder.embed), encoder.embed_nothing()
    del encoder
    feature = VisionLanguageFeature.from_pretrained(between.feature, device=device, dtype=dtype)
    # IP-Adapter holds an embedding of zeros against the picture's, Kandinsky that of an empty picture.
    none = torch.zeros_like(nothing) if between.adapted else nothing
    return seen(map(read_picture, files), feature.encode), embeddings, none


def _write(made: Fitted, folder: Path, between: _Between) -> None:
    """Write the projection, and the painter with the bridge beside it, which comes last."""
    image = folder / "image"
    shutil.copytree(between.painter, image, copy_function=_linked, dirs_exist_ok=True)
    if between.adapted:
        (image / "ip-adapter").mkdir(exist_ok=True)
        name = adapter_file(between.encoder)
        _linked(str(between.encoder / name), str(image / "ip-adapter" / name))
    made.projection.save_pretrained(folder / "projection")
    made.bridge.save_pretrained(image / "bridge")


def _linked(source: str, target: str) -> str:
    """Give a file a second name, which takes no room; across disks it is copied."""
    Path(target).unlink(missing_ok=True)
    try:
        os.link(os.path.realpath(source), target)
    except OSError:
        shutil.copyfile(source, target)
    return target


def _card(made: FittedBridge) -> str:
    """Text of the model card, in the hub's format."""
    found = versions()
    row = {
        "between": f"{made.feature}, and the embedding of {made.encoder} that {made.painter} reads",
        "data": made.data,
        "ridge": f"penalty {made.penalty:g} of the features' mean square, by leaving pictures out",
        "of pictures left out": f"{made.explained:.1%} of the embeddings' variance, cosine {made.cosine:.3f}",
        "projection": f"{made.channel_uses} channel uses, {made.kept:.1%} of the features' variance",
        "commit": found["commit"] or "unknown",
        "versions": f"semphy {found['semphy']}, torch {found['torch']}, Python {found['python']}",
    }
    table = "\n".join(f"| {key} | {value} |" for key, value in row.items())
    return (
        "---\nlicense: unknown\nlibrary_name: semphy\ndatasets: [unknown]\n---\n\n"
        f"# {VLF_BRIDGE}\n\n{PRESETS[VLF_BRIDGE].purpose}. Made by `semphy fit`.\n\n"
        f"| | |\n|---|---|\n{table}\n\n"
        f"Licence: that of {made.painter} holds for `image/`; that of the pictures is unknown.\n"
    )
