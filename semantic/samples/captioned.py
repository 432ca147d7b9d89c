"""Pictures with captions: Flickr8k, Flickr30k, COCO, or a folder with a table.

A folder of captioned pictures holds the pictures, or one folder of them, and a file of captions
(`semantic.samples.captions`)::

    flickr8k/captions.txt               images/*.jpg     comma-separated: picture, caption
    flickr8k/Flickr8k.token.txt         *.jpg            picture#number, tab, caption
    coco/captions_val2017.json          val2017/*.jpg    COCO: ``images`` and ``annotations``
    mine/captions.csv (.tsv, .txt)      *.png            two columns, with or without a heading
    mine/metadata.jsonl                 *.png            an object a line: ``file_name``, ``text``

Pictures go by the name of their file, with or without its suffix. Captions of pictures that are not there are
ignored, and so is a heading, which names none. Pictures without a caption are left out.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semantic.samples.captions import SUFFIXES, read_captions
from semantic.samples.named import is_named, named
from semantic.samples.pictures import picture_paths, read_picture, resize_square

__all__ = ["CaptionedPicture", "load_captioned"]


@dataclass(frozen=True)
class CaptionedPicture:
    """A picture file and its captions; the pixels are read when asked for, each time anew, and not kept.

    Attributes
    ----------
    name:
        The file's name, suffix included.
    captions:
        One or more, in the order of their file.
    path:
        Of the file.
    size:
        Side in pixels of the square that it is resized to, or None.
    """

    name: str
    captions: tuple[str, ...]
    path: Path
    size: int | None = None

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """``[H, W, 3]``, ``uint8``, RGB.

        Raises
        ------
        ValueError
            If the file is no readable picture; quotes its path.
        """
        pixels = read_picture(self.path)
        return pixels if self.size is None else resize_square(pixels, self.size)


def load_captioned(
    images: str | Path, captions: str | Path | None = None, size: int | None = None, limit: int | None = None
) -> list[CaptionedPicture]:
    """Find captioned pictures; only the first is read at once, so that a wrong size or file shows.

    Parameters
    ----------
    images:
        A folder of pictures, one that holds a single folder of pictures, or the name of a data set
        (`semantic.samples.named`).
    captions:
        File of captions. None looks for it in ``images``, then beside the folder of pictures: the one file
        that names a picture of the folder. Flickr8k's lemmatised copy is no candidate.
    size:
        None keeps the pixels as they are; otherwise `semantic.samples.pictures.resize_square` to this side.
    limit:
        Take only the first so many, by name.

    Returns
    -------
    list[CaptionedPicture]
        Sorted by name.

    Raises
    ------
    ValueError
        If there are no pictures, no captions for any of them, several files of captions to choose from, or
        ``size`` is no positive multiple of 16.
    """
    by_name = is_named(str(images))
    paths = named(str(images)) if by_name else picture_paths(_picture_folder(Path(images)))
    folder = paths[0].parent
    names = _names(paths)
    place = folder if by_name else Path(images)
    file = _find_captions(place, folder, set(names)) if captions is None else Path(captions)
    table: dict[Path, list[str]] = {}
    read = read_captions(file)
    for name, found_captions in read.items():
        if name in names:
            table.setdefault(names[name], []).extend(found_captions)
    found = [CaptionedPicture(path.name, tuple(table[path]), path, size) for path in paths if path in table]
    if not found:
        raise ValueError(
            f"none of the {len(paths)} pictures in {str(folder)!r}, such as {paths[0].name!r}, has a caption "
            f"in {str(file)!r}, which names {len(read)} others, such as {next(iter(read))!r}"
        )
    _ = found[0].pixels
    return found[:limit]


def _picture_folder(images: Path) -> Path:
    """``images`` if pictures lie in it, else the one folder in it that has some."""
    if not images.is_dir() or _has_pictures(images):
        return images
    inside = [folder for folder in sorted(images.iterdir()) if folder.is_dir() and _has_pictures(folder)]
    if len(inside) > 1:
        raise ValueError(
            f"{str(images)!r} holds several folders of pictures: give one of "
            f"{', '.join(folder.name for folder in inside)}"
        )
    return inside[0] if inside else images  # which then has none, and says so


def _has_pictures(folder: Path) -> bool:
    try:
        return bool(picture_paths(folder))
    except ValueError:
        return False


def _names(paths: Sequence[Path]) -> dict[str, Path]:
    """Pictures by the names that captions may call them: with suffix, or without where that is clear."""
    stems = Counter(path.stem for path in paths)
    without = {path.stem: path for path in paths if stems[path.stem] == 1}
    return without | {path.name: path for path in paths}


def _find_captions(images: Path, folder: Path, names: set[str]) -> Path:
    """The file of captions in ``images``, else beside ``folder``."""
    others: list[str] = []
    for place in dict.fromkeys((images, folder.resolve().parent)):
        fitting = []
        for file in sorted(place.iterdir()):
            if file.suffix.lower() in SUFFIXES and ".lemma." not in file.name and file.is_file():
                reason = _unfit(file, names)
                if reason:
                    others.append(reason)
                else:
                    fitting.append(file)
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise ValueError(
                f"several files in {str(place)!r} hold captions: give one of "
                f"{', '.join(file.name for file in fitting)}"
            )
    raise ValueError(
        f"no file of captions for these pictures lies in {str(images)!r} or beside them: give one, with the "
        "columns picture and caption (CSV, TSV), or JSON as of COCO or Karpathy"
        + "".join(f"; {reason}" for reason in others[:3])
    )


def _unfit(file: Path, names: set[str]) -> str:
    """Why a file is not that of the pictures' captions; empty if it is."""
    try:
        with warnings.catch_warnings(action="ignore"):  # said once it is read in earnest
            table = read_captions(file)
    except ValueError as error:
        return str(error)
    if names.isdisjoint(table):
        return f"{str(file)!r} names none of them, but {len(table)} others, such as {next(iter(table))!r}"
    return ""
