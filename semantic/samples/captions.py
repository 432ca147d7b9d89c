"""Files of captions, as they are published and as people make them.

=====================================  ===================================================================
file                                   holds
=====================================  ===================================================================
``.txt``, ``.csv``, ``.tsv``,          a table: between tabs, pipes, semicolons or commas, or a name and a
``.token``                             blank before the caption (Flickr8k, Flickr30k, Flickr8k-CN, Excel,
                                       pandas, ``metadata.csv`` of an image folder)
``.json``                              COCO (``images``, ``annotations``), Karpathy's splits (``sentences``),
                                       a dictionary of captions by picture, or a list of objects
``.jsonl``                             an object a line (``metadata.jsonl`` of an image folder)
=====================================  ===================================================================

Columns and keys go by their names, in any order, among others; a table without a heading that names them has
the picture in front and the caption last, with nothing but a number between or before them.
"""

from __future__ import annotations

import csv
import io
import json
import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["SUFFIXES", "caption_pairs", "read_captions"]

SUFFIXES = (".txt", ".csv", ".tsv", ".token", ".json", ".jsonl")
"""What names of files of captions end in."""

_PICTURE = ("image", "image_name", "file_name", "filename", "file", "img", "picture", "path", "image_path")
_CAPTION = ("caption", "captions", "comment", "text", "sentence", "sentences", "description", "raw")
_NUMBER = re.compile(r"(#[a-z]+:\d+)?#\d+$")  # of a caption, behind its picture: #2, or #zh:0#2
_COUNTED = re.compile(r"\s*\d+\s\s+")  # a number whose column lost its end, in Flickr30k
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")

Pairs = Iterator[tuple[str, str]]


def read_captions(file: str | Path) -> dict[str, list[str]]:
    """Read a file of captions, as `caption_pairs` does, by picture.

    Returns
    -------
    dict[str, list[str]]
        Captions by the name of the picture's file, in the file's order; a heading of other names than those
        known counts as a picture.

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
    """Read a file of captions.

    Parameters
    ----------
    file:
        Of the kinds that stand at the top of this module; UTF-8 or UTF-16, else it is read as Latin-1, with a
        warning. A comma in a caption needs quotes around the caption, unless a heading says that there are no
        more columns. Numbers of captions (``#2``) behind a picture's name are dropped.

    Returns
    -------
    list[tuple[str, str]]
        Name of the picture's file without its folder, and one caption, in the file's order. Empty captions
        are left out.

    Raises
    ------
    ValueError
        If it cannot be read, is of another kind, or holds no caption; quotes the path, and the line.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "c.csv").write_text("image;caption" + chr(10) + "a.png;A dog, asleep")
    ...     caption_pairs(Path(folder, "c.csv"))
    [('a.png', 'A dog, asleep')]
    """
    file = Path(file)
    text = _decoded(file)
    read = {".json": _from_json, ".jsonl": _from_lines}.get(file.suffix.lower(), _from_table)
    try:
        pairs = [(_NUMBER.sub("", name.strip()), caption.strip()) for name, caption in read(text)]
    except (ValueError, KeyError, TypeError, csv.Error, RecursionError) as error:
        raise ValueError(f"{str(file)!r} holds no captions that can be read: {str(error)[:200]}") from error
    found = [(Path(name).name, caption) for name, caption in pairs if caption]
    if not found:
        raise ValueError(f"{str(file)!r} holds no caption")
    return found


def _decoded(file: Path) -> str:
    try:
        data = file.read_bytes()
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return data.decode("utf-16")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{str(file)!r} cannot be read as text: {error}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = data.decode("latin-1")
        if _CONTROL.search(text):
            raise ValueError(f"{str(file)!r} cannot be read as UTF-8 text: {error}") from error
        line = data[: error.start].count(b"\n") + 1
        warnings.warn(f"{str(file)!r} is no UTF-8 in line {line}, and is read as Latin-1", stacklevel=4)
        return text


# -- JSON ---------------------------------------------------------------------------------------------------


def _from_json(text: str) -> Pairs:
    tree = json.loads(text)
    if isinstance(tree, list):
        yield from _from_objects(enumerate(tree, 1), "entry")
    elif not isinstance(tree, dict):
        raise ValueError(f"a list or an object is expected, got {text[:40]!r}")
    elif "annotations" in tree:
        yield from _from_coco(tree)
    elif isinstance(tree.get("images"), list):
        yield from _from_objects(enumerate(tree["images"], 1), "image")
    else:
        for name, captions in tree.items():
            yield from ((name, caption) for caption in _texts(captions, f"of {name!r}"))


def _from_coco(tree: Mapping[str, Any]) -> Pairs:
    try:
        names = {image["id"]: str(image["file_name"]) for image in tree["images"]}
        yield from ((names[entry["image_id"]], str(entry["caption"])) for entry in tree["annotations"])
    except (KeyError, TypeError) as error:
        raise ValueError(
            "COCO has images with id and file_name, and annotations with image_id and caption; "
            f"{type(error).__name__}: {error}"
        ) from error


def _from_lines(text: str) -> Pairs:
    numbered = ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())
    yield from _from_objects(((number, _object(number, line)) for number, line in numbered), "line")


def _object(number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise ValueError(f"line {number} is no JSON: {error}") from error


def _from_objects(numbered: Iterable[tuple[int, Any]], what: str) -> Pairs:
    for number, entry in numbered:
        place = f"{what} {number}"
        if not isinstance(entry, dict):
            raise ValueError(f"{place} is {type(entry).__name__}, not an object")
        names, captions = _named(entry, _PICTURE), _named(entry, _CAPTION)
        if not names or not captions:
            raise ValueError(
                f"{place} has no {', '.join(_PICTURE[:4])}, or no {', '.join(_CAPTION[:4])}; "
                f"it has {', '.join(map(str, entry)) or 'nothing'}"
            )
        for caption in _texts(entry[captions[0]], f"in {place}"):
            yield str(entry[names[0]]), caption


def _texts(captions: Any, place: str) -> Iterator[str]:
    """Captions of a picture: one, several, or Karpathy's objects."""
    for caption in [captions] if isinstance(captions, str) else captions:
        raw = caption.get("raw") if isinstance(caption, dict) else caption
        if not isinstance(raw, str):
            raise ValueError(f"a caption {place} is no text: {str(caption)[:60]}")
        yield raw


def _named(there: Iterable[str], wanted: Sequence[str]) -> list[str]:
    """Those of the names there that are wanted, the first wanted first."""
    return sorted(
        (name for name in there if str(name).strip().lower() in wanted),
        key=lambda name: wanted.index(name.strip().lower()),
    )


# -- tables -------------------------------------------------------------------------------------------------


def _from_table(text: str) -> Pairs:
    first = next((line for line in text.split("\n") if line.strip()), "")
    mark = next((character for character in first if character in "\t|;,"), None)
    if mark is None:
        yield from _behind_names(text)
        return
    # Only commas and semicolons have quotes: elsewhere a quotation mark is a character like any other.
    quoted: dict[str, Any] = {"strict": True} if mark in ",;" else {"quoting": csv.QUOTE_NONE}
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=mark, **quoted)
    columns: tuple[int, int, int] | None = None
    try:
        for row in rows:
            if columns is None and any(row):
                columns = _heading(row)
                if columns is not None:
                    continue
                columns = (0, -1, 0)
            if columns is not None and any(row):
                yield _pair(row, columns, mark, rows.line_num)
    except csv.Error as error:
        raise ValueError(f"line {rows.line_num}: {error}") from error


def _behind_names(text: str) -> Pairs:
    """Lines of a numbered name, a blank and a caption, as Flickr8k-CN has them."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            name, _, caption = line.strip().partition(" ")
            if not _NUMBER.search(name):
                raise ValueError(
                    f"line {number} has no tab, pipe, semicolon or comma between picture and caption"
                )
            yield name, caption


def _heading(row: Sequence[str]) -> tuple[int, int, int] | None:
    """Places of picture and caption, and the number of columns, if this row names them."""
    names, captions = _named(row, _PICTURE), _named(row, _CAPTION)
    return (row.index(names[0]), row.index(captions[0]), len(row)) if names and captions else None


def _pair(row: list[str], columns: tuple[int, int, int], mark: str, line: int) -> tuple[str, str]:
    picture, caption, count = columns
    if not count:  # no heading
        middle = [cell.strip() for cell in row[1:-1]]
        if len(row) == 2 or (len(row) == 3 and middle[0].isdecimal()):
            return row[0], row[-1]
        if len(row) == 3 and row[0].strip().isdecimal():  # an index
            return row[1], row[2]
        raise ValueError(
            f"line {line} has {len(row)} columns where two are expected, picture and caption, or a number "
            f"beside them (quote captions with commas): {str(row)[:80]}"
        )
    if len(row) == count:
        return row[picture], row[caption]
    if len(row) == count - 1 and caption == count - 1 and (number := _COUNTED.match(row[-1])):
        return row[picture], row[-1][number.end() :]
    more = len(row) - count
    if more > 0 and caption == count - 1:
        return row[picture], mark.join(row[caption:])
    if more > 0 and caption == 0:
        return row[picture + more], mark.join(row[: more + 1])
    raise ValueError(f"line {line} has {len(row)} columns where the heading has {count}: {str(row)[:80]}")
