"""Ways of cutting a picture into sub-images that are described apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bridge.models import Models
from semantic.networks.pixels import Picture

__all__ = ["SPLITS", "check_split", "grid", "sub_images"]

SPLITS = ("grid", "columns", "objects")
"""Names of the ways."""


def check_split(split: str, parts: int) -> None:
    """Raise ValueError if there is no such way of cutting, or none into so many parts."""
    if split not in SPLITS or parts < 1:
        raise ValueError(f"split must be one of {', '.join(SPLITS)} into 1 or more, got {split}, {parts}")


def grid(picture: Picture, rows: int, columns: int) -> list[Picture]:
    """Cut into tiles as equal as whole pixels allow, row by row; four in two rows are quadrants.

    Examples
    --------
    >>> [tile.shape for tile in grid(np.zeros((41, 60, 3), np.uint8), 2, 2)]
    [(21, 30, 3), (21, 30, 3), (20, 30, 3), (20, 30, 3)]
    """
    return [
        tile
        for band in np.array_split(picture, rows, axis=0)
        for tile in np.array_split(band, columns, axis=1)
    ]


def sub_images(picture: Picture, parts: int, split: str, models: Models) -> list[Picture]:
    """Cut a picture into ``parts`` sub-images.

    Parameters
    ----------
    picture:
        ``[height, width, 3]``, ``uint8``.
    parts:
        How many; a grid has as many rows as columns or one fewer, with ``parts`` tiles exactly.
    split:
        ``grid``, ``columns``, or ``objects``: boxes around the largest connected regions that the segmenter
        takes for no background, and tiles of the grid where there are too few.
    models:
        The segmenter, for objects.
    """
    if split == "columns":
        return grid(picture, 1, parts)
    rows = max(row for row in range(1, math.isqrt(parts) + 1) if parts % row == 0)
    tiles = grid(picture, rows, parts // rows)
    if split == "grid":
        return tiles
    boxes = _objects(models.segmenter.labels([picture])[0], parts)
    return ([picture[box] for box in boxes] + tiles)[:parts]


def _objects(labels: NDArray[np.int64], most: int) -> Sequence[tuple[slice, ...]]:
    """Boxes of the largest connected regions of one label, at least one pixel in a hundred large."""
    found: list[tuple[int, tuple[slice, ...]]] = []
    for label in np.unique(labels[(labels > 0) & (labels < 255)]):
        regions, _ = ndimage.label(labels == label)
        sizes = np.bincount(regions.ravel())[1:]
        found += [
            (int(size), box) for size, box in zip(sizes, ndimage.find_objects(regions), strict=True) if box
        ]
    large = [entry for entry in found if entry[0] >= labels.size / 100]
    return [box for _, box in sorted(large, key=lambda entry: -entry[0])[:most]]
