"""A small network that reads the facts of a scene from its picture, so that they can be counted.

::

    64 x 64 --+--> 9 overlapping cells of 24 x 24 --> 4 conv layers --> linear --+--> shape (or empty),
              |                                                                  |    colour, size, texture
              +--> 3 conv layers --> mean --> context ---------------------------+
                                                |
                                                +--> background, light

All cells share one set of weights. The context tells a cell what light its colours are under.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from semantic.files import write_text, written
from semantic.scenes.facts import Attributes, Counts, Facts, count_right
from semantic.scenes.scene import BACKGROUNDS, COLOURS, LIGHTS, PLACES, SHAPES, SIZES, TEXTURES, Scene
from semantic.zoo.missing import WeightsMissing

__all__ = ["BUNDLED", "HEADS", "SceneJudge", "picture_accuracy", "to_batch"]

BUNDLED = Path(str(files("semantic").joinpath("data", "models", "scenes-judge")))
"""The trained judge that comes with the package."""

HEADS: dict[str, tuple[str, ...]] = {
    "shape": ("empty", *SHAPES),
    "colour": COLOURS,
    "size": SIZES,
    "texture": TEXTURES,
    "background": BACKGROUNDS,
    "light": LIGHTS,
}
"""What the judge tells: the first four of every cell, the others of the whole picture."""

_SIDE = 64
_CELL = 24
_STEP = 21  # between the cells' centres, which lie at 11, 32 and 53
_CHUNK = 64  # pictures read at once: memory, and nothing else, depends on it
_TYPE = "scene-judge"


def to_batch(pictures: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
    """Stack pictures into a ``[N, 3, 64, 64]`` float32 batch in 0 to 1; larger ones are averaged down.

    Raises
    ------
    ValueError
        If a picture is not ``[S, S, 3]``, ``uint8``, with S a multiple of 64.
    """
    return torch.stack([torch.from_numpy(_to_side(picture)) for picture in pictures]).permute(0, 3, 1, 2)


def _to_side(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    shape = picture.shape
    if len(shape) != 3 or shape[0] != shape[1] or shape[2] != 3 or shape[0] % _SIDE or not shape[0]:
        raise ValueError(
            f"a picture to judge must be [S, S, 3] with S a multiple of {_SIDE}, got {list(shape)}; resize it"
        )
    if picture.dtype != np.uint8:
        raise ValueError(f"a picture to judge must be uint8 in 0 to 255, got {picture.dtype}")
    block = shape[0] // _SIDE
    return picture.reshape(_SIDE, block, _SIDE, block, 3).mean((1, 3), dtype=np.float32) / np.float32(255)


def _convolution(inputs: int, outputs: int, stride: int = 1, padding: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class SceneJudge(nn.Module):
    """Reads shapes, colours, sizes, textures, places, background and light of a scene from its picture.

    Parameters
    ----------
    width:
        Channels of the first layer; the others are in proportion.

    Examples
    --------
    >>> from semantic.scenes import draw, sample_scene, scene_facts
    >>> scene = sample_scene(1, "easy")
    >>> SceneJudge.from_pretrained().read([draw(scene)]) == [scene_facts(scene)]
    True
    """

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.width = width
        self.cells = nn.Sequential(
            _convolution(3, width),
            _convolution(width, 2 * width, stride=2),
            _convolution(2 * width, 3 * width, stride=2),
            _convolution(3 * width, 3 * width, padding=0),
            nn.Flatten(),
            nn.Linear(4 * 4 * 3 * width, 4 * width),
            nn.ReLU(inplace=True),
        )
        self.context = nn.Sequential(
            _convolution(3, width, stride=2),
            _convolution(width, width, stride=2),
            _convolution(width, 2 * width, stride=2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        inputs = {name: 2 * width if name in ("background", "light") else 6 * width for name in HEADS}
        self.heads = nn.ModuleDict({name: nn.Linear(inputs[name], len(HEADS[name])) for name in HEADS})

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        """Score every value of every fact.

        Parameters
        ----------
        pictures:
            ``[N, 3, 64, 64]``, float, in 0 to 1.

        Returns
        -------
        dict[str, torch.Tensor]
            Logits by the names of `HEADS`: ``[N, 9, values]`` for those of cells, ``[N, values]`` for those
            of the picture.
        """
        pictures = 2 * pictures - 1
        context = self.context(pictures)
        framed = functional.pad(pictures, (1, 1, 1, 1), mode="replicate")
        windows = framed.unfold(2, _CELL, _STEP).unfold(3, _CELL, _STEP)  # [N, 3, 3, 3, 24, 24]
        cells = self.cells(windows.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)).unflatten(0, (-1, len(PLACES)))
        both = torch.cat([cells, context[:, None].expand(-1, len(PLACES), -1)], dim=2)
        return {
            name: head(context if name in ("background", "light") else both)
            for name, head in self.heads.items()
        }

    @torch.no_grad()
    def read(self, pictures: Sequence[NDArray[np.uint8]]) -> list[Facts]:
        """Say what pictures show.

        Parameters
        ----------
        pictures:
            Each ``[S, S, 3]``, ``uint8``, S a multiple of 64.

        Returns
        -------
        list[Facts]
            One a picture; objects in the order of the places.

        Raises
        ------
        ValueError
            If a picture has another shape or type.
        """
        parameter = next(self.parameters())
        found: list[Facts] = []
        for start in range(0, len(pictures), _CHUNK):
            batch = to_batch(pictures[start : start + _CHUNK]).to(parameter.device, parameter.dtype)
            best = {name: logits.argmax(-1).cpu().numpy() for name, logits in self(batch).items()}
            found += [_facts({name: best[name][row] for name in HEADS}) for row in range(len(batch))]
        return found

    def save_pretrained(self, folder: str | Path) -> None:
        """Write ``config.json`` and ``model.safetensors`` into a folder, which is made if need be."""
        folder = Path(folder)
        config = {"model_type": _TYPE, "width": self.width, "labels": HEADS}
        write_text(folder / "config.json", json.dumps(config, indent=2) + "\n")
        tensors = {name: tensor.contiguous() for name, tensor in self.state_dict().items()}
        with written(folder / "model.safetensors") as beside:
            save_file(tensors, str(beside), metadata={"format": "pt"})

    @classmethod
    def from_pretrained(
        cls, folder: str | Path = BUNDLED, *, device: str = "cpu", dtype: torch.dtype = torch.float32
    ) -> SceneJudge:
        """Load a judge from a folder in the hub's layout.

        Raises
        ------
        WeightsMissing
            If the folder lacks ``config.json`` or ``model.safetensors``.
        ValueError
            If it holds another kind of model, or one that tells other things.
        """
        folder = Path(folder)
        for name in ("config.json", "model.safetensors"):
            if not (folder / name).is_file():
                raise WeightsMissing(
                    f"{folder / name} is missing; train a judge with: semphy train scenes-judge"
                )
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        labels = {name: tuple(values) for name, values in config.get("labels", {}).items()}
        if config.get("model_type") != _TYPE or labels != HEADS:
            raise ValueError(
                f"{folder} holds no judge of these scenes (model_type {config.get('model_type')!r})"
            )
        judge = cls(config["width"])
        judge.load_state_dict(load_file(str(folder / "model.safetensors")))
        return judge.to(device, dtype).eval()


def _facts(best: dict[str, NDArray[np.int64]]) -> Facts:
    """Words for the best values of one picture: ``[9]`` for what is told of cells, else ``[]``."""
    names = ("shape", "colour", "size", "texture")
    cells = zip(PLACES, *(best[name].tolist() for name in names), strict=True)
    objects = [
        Attributes(HEADS["shape"][shape], COLOURS[colour], SIZES[size], TEXTURES[texture], place)
        for place, shape, colour, size, texture in cells
        if shape
    ]
    return Facts(tuple(objects), BACKGROUNDS[best["background"]], LIGHTS[best["light"]])


def picture_accuracy(scene: Scene, picture: NDArray[np.uint8], judge: SceneJudge) -> Counts:
    """Count the facts of a scene that a picture shows rightly, in the judge's eyes (see `count_right`).

    Parameters
    ----------
    scene:
        What the picture should show.
    picture:
        ``[S, S, 3]``, ``uint8``, S a multiple of 64.
    judge:
        A trained judge; its own mistakes (below 1 % on clean pictures) are counted with the picture's.

    Raises
    ------
    ValueError
        If the picture has another shape or type.

    Examples
    --------
    >>> from semantic.scenes import draw, sample_scene
    >>> scene = sample_scene(1, "easy")
    >>> picture_accuracy(scene, draw(scene), SceneJudge.from_pretrained()).accuracy
    1.0
    """
    return count_right(scene, judge.read([picture])[0])
