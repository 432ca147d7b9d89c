"""Pictures with captions: Flickr8k as published or as Kaggle packs it, COCO, or a folder with a table.

A folder of captioned pictures holds the pictures, or one folder of them, and a file of captions::

    flickr8k/captions.txt               images/*.jpg     comma-separated: picture, caption
    flickr8k/Flickr8k.token.txt         *.jpg            picture#number, tab, caption
    coco/captions_val2017.json          val2017/*.jpg    COCO: ``images`` and ``annotations``
    mine/captions.csv (.tsv, .txt)      *.png            two columns, with or without a heading

Captions of pictures that are not there are ignored, and so is a heading, which names none. Pictures without
a caption are left out.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic.samples.pictures import picture_paths, read_picture, resize_square

__all__ = ["CaptionedPicture", "caption_pairs", "load_captioned", "read_captions"]

_SUFFIXES = (".txt", ".csv", ".tsv", ".json")
_NUMBER = re.compile(r"#\d+$")


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
        A folder of pictures, or one that holds a single folder of pictures.
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
    folder = _picture_folder(Path(images))
    paths = picture_paths(folder)
    names = {path.name for path in paths}
    file = _find_captions(Path(images), folder, names) if captions is None else Path(captions)
    table = read_captions(file)
    found = [
        CaptionedPicture(path.name, tuple(table[path.name]), path, size)
        for path in paths
        if path.name in table
    ]
    if not found:
        raise ValueError(
            f"none of the {len(names)} pictures in {str(folder)!r}, such as {min(names)!r}, has a caption in "
            f"{str(file)!r}, which names {len(table)} others, such as {next(iter(table))!r}"
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


def _find_captions(images: Path, folder: Path, names: set[str]) -> Path:
    """The file of captions in ``images``, else beside ``folder``."""
    for place in dict.fromkeys((images, folder.resolve().parent)):
        fitting = [file for file in sorted(place.iterdir()) if _fits(file, names)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise ValueError(
                f"several files in {str(place)!r} hold captions: give one of "
                f"{', '.join(file.name for file in fitting)}"
            )
    raise ValueError(
        f"no file of captions lies in {str(images)!r} or beside its pictures: give one, with the columns "
        "picture and caption (CSV or TSV), or COCO's JSON"
    )


def _fits(file: Path, names: set[str]) -> bool:
    if file.suffix.lower() not in _SUFFIXES or ".lemma." in file.name or not file.is_file():
        return False
    try:
        return not names.isdisjoint(read_captions(file))
    except ValueError:
        return False


def read_captions(file: str | Path) -> dict[str, list[str]]:
    """Read a file of captions, as `caption_pairs` does, by picture.

    Returns
    -------
    dict[str, list[str]]
        Captions by the name of the picture's file, in the file's order; a heading counts as a picture.

    Raises
    ------
    ValueError
        If it cannot be read, is of another kind, or holds no caption; quotes the path.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for name, caption in caption_pairs(file):
        found[name].append(caption)
    return dict(found)


def caption_pairs(file: str | Path) -> list[tuple[str, str]]:
    """Read a file of captions: COCO's JSON by its suffix, else two columns between tabs or commas.

    Parameters
    ----------
    file:
        UTF-8. The first line tells tabs from commas; a comma inside a caption needs quotes around the
        caption, and ``#number`` behind a picture's name is dropped.

    Returns
    -------
    list[tuple[str, str]]
        Name of the picture's file, and one caption, in the file's order; a heading is such a pair, too.

    Raises
    ------
    ValueError
        If it cannot be read, is of another kind, or holds no caption; quotes the path.
    """
    file = Path(file)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{str(file)!r} cannot be read as UTF-8 text: {error}") from error
    pairs = _from_coco(file, text) if file.suffix.lower() == ".json" else _from_table(file, text)
    found = [(Path(name).name, caption.strip()) for name, caption in pairs if caption.strip()]
    if not found:
        raise ValueError(f"{str(file)!r} holds no caption")
    return found


def _from_coco(file: Path, text: str) -> list[tuple[str, str]]:
    try:
        tree: Any = json.loads(text)
        names = {image["id"]: str(image["file_name"]) for image in tree["images"]}
        return [(names[entry["image_id"]], str(entry["caption"])) for entry in tree["annotations"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{str(file)!r} holds no captions as COCO writes them, images with id and file_name and "
            f"annotations with image_id and caption: {type(error).__name__}: {error}"
        ) from error


def _from_table(file: Path, text: str) -> list[tuple[str, str]]:
    tabs = "\t" in text.partition("\n")[0]
    # Between tabs a quotation mark is a character like any other, and may stay open.
    layout: dict[str, Any] = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if tabs else {"strict": True}
    pairs = []
    try:
        for row in filter(None, csv.reader(io.StringIO(text, newline=""), **layout)):
            if len(row) != 2:
                raise ValueError(f"{len(row)} columns in {row}")
            pairs.append((_NUMBER.sub("", row[0].strip()), row[1]))
    except (ValueError, csv.Error) as error:
        raise ValueError(
            f"{str(file)!r} is no table of two columns, picture and caption (quote captions with commas): "
            f"{str(error)[:160]}"
        ) from error
    return pairs
