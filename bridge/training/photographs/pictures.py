"""Crops of photographs for training, the same for the same seed and step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from semantic.samples.pictures import read_picture

__all__ = ["Photographs"]

_SUFFIXES = {".jpg", ".jpeg", ".png"}


class Photographs:
    """Photographs in memory, and random crops of them.

    Parameters
    ----------
    folders:
        Searched for JPEG and PNG files, in subfolders too. Pictures smaller than a crop are left out.
    side:
        Of the crops, in pixels.
    limit:
        Most pictures, the first ones by name; None takes all.

    Raises
    ------
    ValueError
        If there is no picture that is large enough, one cannot be read, or one has a palette: such pictures
        are masks of classes.
    """

    def __init__(self, folders: Sequence[Path], side: int, limit: int | None = None) -> None:
        files = sorted(
            file for folder in folders for file in folder.rglob("*") if file.suffix.lower() in _SUFFIXES
        )
        self.side = side
        self.pictures: list[NDArray[np.uint8]] = []
        for file in files[:limit]:
            picture = _photograph(file)
            if min(picture.shape[:2]) >= side:
                self.pictures.append(picture)
        if not self.pictures:
            raise ValueError(
                f"no picture of {side} pixels a side or more in {', '.join(map(str, folders)) or 'no folder'}"
            )

    def crops(self, count: int, seed: int, step: int) -> torch.Tensor:
        """Draw ``[count, 3, side, side]`` crops from 0 to 1, half of them mirrored."""
        draw = np.random.default_rng([seed, step])
        batch = np.empty((count, self.side, self.side, 3), np.uint8)
        for row in range(count):
            picture = self.pictures[draw.integers(len(self.pictures))]
            top = draw.integers(picture.shape[0] - self.side + 1)
            left = draw.integers(picture.shape[1] - self.side + 1)
            crop = picture[top : top + self.side, left : left + self.side]
            batch[row] = crop[:, ::-1] if draw.integers(2) else crop
        return torch.from_numpy(batch).permute(0, 3, 1, 2).float() / 255.0


def _photograph(file: Path) -> NDArray[np.uint8]:
    picture = read_picture(file)
    with Image.open(file) as opened:
        if opened.mode == "P":
            raise ValueError(f"{file} has a palette, as masks of classes do: photographs alone, please")
    return picture
