"""Crops of photographs with class masks for training, the same for the same seed and step."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from bridge.training.segmentation import VOID
from semantic.models.segmentation import VOC_CLASSES
from semantic.networks.pixels import MEAN_COLOUR
from semantic.samples.pictures import read_picture

__all__ = ["Crops", "MaskedPhotographs", "read_mask"]

_SCALES = (0.7, 1.8)
_ENHANCERS = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)


class Crops(NamedTuple):
    """Crops of pictures.

    Attributes
    ----------
    pictures:
        ``[N, 3, side, side]``, ``torch.float32`` from 0 to 1.
    labels:
        ``[N, side, side]``, ``torch.int64``; 255 where no mask tells.
    """

    pictures: torch.Tensor
    labels: torch.Tensor


class MaskedPhotographs:
    """Photographs and masks as files in memory, and random crops of them.

    Parameters
    ----------
    folders:
        Each with ``JPEGImages`` and ``SegmentationClass``: masks in PNG of Pascal VOC's labels, with the
        picture's name and size. Pictures without a mask are left out.
    side:
        Of the crops, in pixels.
    limit:
        Most pictures of a folder, the first ones by name; None takes all.

    Raises
    ------
    ValueError
        If no picture has a mask, or a picture or its mask cannot be used; names the file.
    """

    def __init__(self, folders: Sequence[Path], side: int, limit: int | None = None) -> None:
        self.side = side
        self.masked: list[tuple[bytes, bytes]] = []
        for folder in folders:
            for picture in sorted(folder.glob("JPEGImages/*.jpg"))[:limit]:
                mask = folder / "SegmentationClass" / f"{picture.stem}.png"
                if mask.is_file():
                    read_mask(mask, read_picture(picture).shape)  # whatever is wrong shows before training
                    self.masked.append((picture.read_bytes(), mask.read_bytes()))
        if not self.masked:
            raise ValueError(
                "pictures with masks are needed, JPEGImages/NAME.jpg and SegmentationClass/NAME.png; there "
                f"are none in {', '.join(map(str, folders)) or 'no folder'}"
            )

    def crops(self, count: int, seed: int, step: int) -> Crops:
        """Draw crops: scaled, mirrored, and varied in brightness, contrast and saturation.

        The short side of the picture becomes 0.7 to 1.8 times the crop's.

        Parameters
        ----------
        count:
            Crops.
        seed, step:
            Fix what is drawn.
        """
        draw = np.random.default_rng([seed, step])
        pictures = np.empty((count, self.side, self.side, 3), np.uint8)
        labels = np.empty((count, self.side, self.side), np.uint8)
        for row in range(count):
            image, mask = self._read(int(draw.integers(len(self.masked))))
            box = self._place(draw, image)
            mirrored = bool(draw.integers(2))
            gains = draw.uniform(0.7, 1.3, len(_ENHANCERS))
            pictures[row] = _mirror(self._cut(_vary(image, gains), box, MEAN_COLOUR), mirrored)
            labels[row] = _mirror(self._cut(mask, box, VOID), mirrored)
        shown = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
        return Crops(shown, torch.from_numpy(labels).long())

    def _read(self, index: int) -> tuple[Image.Image, Image.Image]:
        picture, mask = self.masked[index]
        labels = Image.fromarray(np.asarray(_open(mask)))  # the palette's indices, not its colours
        return _open(picture).convert("RGB"), labels

    def _place(self, draw: np.random.Generator, image: Image.Image) -> tuple[int, int, int, int]:
        """Width and height of the scaled picture, and left and top (maybe negative) of the crop in it."""
        scale = self.side / min(image.size) * float(np.exp(draw.uniform(*np.log(_SCALES))))
        width, height = (max(1, round(scale * side)) for side in image.size)
        left, top = (
            int(draw.integers(min(0, side - self.side), max(0, side - self.side) + 1))
            for side in (width, height)
        )
        return width, height, left, top

    def _cut(
        self, image: Image.Image, box: tuple[int, int, int, int], outside: int | tuple[int, ...]
    ) -> NDArray[np.uint8]:
        width, height, left, top = box
        smooth = Image.Resampling.BILINEAR if image.mode == "RGB" else Image.Resampling.NEAREST
        cut = Image.new(image.mode, (self.side, self.side), outside)
        cut.paste(image.resize((width, height), smooth), (-left, -top))
        return np.asarray(cut)


def read_mask(file: Path, shape: Sequence[int]) -> NDArray[np.int64]:
    """Read Pascal VOC's labels of a picture, ``[H, W]``: 0 to 20, and 255 where pixels are not judged.

    Parameters
    ----------
    file:
        PNG of one channel or with a palette.
    shape:
        Of the picture; height and width come first.

    Raises
    ------
    ValueError
        If it is no such picture, or of another size; names the file.
    """
    read_picture(file)  # raises one line on whatever is no picture
    with Image.open(file) as opened:
        labels = np.asarray(opened).astype(np.int64)
    if labels.shape != tuple(shape[:2]):
        raise ValueError(
            f"{file} is a mask of {list(labels.shape)}, its picture has {list(shape[:2])} pixels: one label "
            "a pixel is needed, in one channel or a palette"
        )
    unknown = np.setdiff1d(labels, [*range(len(VOC_CLASSES)), VOID])
    if unknown.size:
        raise ValueError(
            f"{file} holds the label {unknown[0]}: labels are 0 to {len(VOC_CLASSES) - 1}, or {VOID} where "
            "pixels are not judged"
        )
    return labels


def _open(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def _vary(image: Image.Image, gains: NDArray[np.float64]) -> Image.Image:
    for enhancer, gain in zip(_ENHANCERS, gains, strict=True):
        image = enhancer(image).enhance(float(gain))
    return image


def _mirror(pixels: NDArray[np.uint8], mirrored: bool) -> NDArray[np.uint8]:
    return pixels[:, ::-1] if mirrored else pixels
