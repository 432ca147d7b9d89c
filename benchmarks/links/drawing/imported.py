"""Curves of other programs: AFF3CT's text, and CSV."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.settings.errors import InputError, input_errors
from semantic.samples.regular import check_regular

__all__ = ["Imported", "read_imported"]

_COLUMNS = {"ebno": "ebno", "ebn0": "ebno", "esno": "esno", "esn0": "esno", "snr": "esno"} | {
    "ber": "ber",
    "bler": "bler",
    "fer": "bler",
    "p": "p",
    "ep": "p",
}
"""What columns mean by their names, without units and signs; SNR is Es/N0, EP a binary channel's probability,
and a frame is a block."""
_KINDS = {"ebno": "Eb/N0", "esno": "Es/N0", "p": "a probability"}


@dataclass(frozen=True)
class Imported:
    """A curve that another program made.

    Attributes
    ----------
    label:
        What it is called in a legend.
    points:
        In ascending order of the SNR: ``ebno`` and ``esno`` in decibels, or ``p`` of a binary channel; and
        ``ber`` and ``bler``; each has one of the former and one of the latter at least.
    """

    label: str
    points: Sequence[Mapping[str, float]]

    def over(self, kind: str, rate: str) -> list[tuple[float, float]]:
        """Places at which a rate is above 0.

        Parameters
        ----------
        kind:
            ``ebno`` or ``esno``: in which the SNR is wanted; ``p`` of a binary channel.
        rate:
            ``ber`` or ``bler``.

        Raises
        ------
        InputError
            If the curve is over another kind alone.
        """
        if any(kind not in point for point in self.points):
            other = next(name for name in _KINDS if name in self.points[0])
            raise InputError(f"{self.label} is over {_KINDS[other]}, and the figure over {_KINDS[kind]}")
        return [(point[kind], point[rate]) for point in self.points if point.get(rate, 0.0) > 0.0]


def read_imported(path: str | Path) -> list[Imported]:
    r"""Read the curves of a file.

    Parameters
    ----------
    path:
        What AFF3CT prints, with its columns ``Es/N0``, ``Eb/N0``, ``BER`` and ``FER``; a line ``title=`` in
        front names the curve. Or CSV with a heading: a column ``ebno_db`` or ``esno_db`` (``snr`` is Es/N0)
        and a column ``ber`` or ``bler`` (``fer``), spelt in any case and with any signs; between commas,
        semicolons or tabs; lines that begin with ``#`` are skipped. A column ``curve`` names several.

    Raises
    ------
    InputError
        If it is neither, or a number in it is none; says in which line.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "theirs.csv").write_text("Eb/N0 (dB),BER\n4,0.0125\n2,0.0375\n")
    ...     (curve,) = read_imported(Path(folder, "theirs.csv"))
    >>> curve.label, curve.over("ebno", "ber")
    ('theirs', [(2.0, 0.0375), (4.0, 0.0125)])
    """
    with input_errors():
        file = check_regular(path)
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read curves from {str(path)!r}: {error}") from error
    read = _aff3ct if any(_is_aff3ct(line) for line in lines) else _csv
    curves: dict[str, list[dict[str, float]]] = {}
    for number, title, cells in read(lines, str(path)):
        point = _point(cells, f"line {number} of {str(path)!r}")
        curves.setdefault(title or file.stem, []).append(point)
    if not curves:
        raise InputError(f"{str(path)!r} holds no curve: no line of numbers below a heading")
    return [_curve(label, points, str(path)) for label, points in curves.items()]


Line = tuple[int, str, dict[str, str]]
"""Number of a line, title of its curve, and cells by their columns."""


def _curve(label: str, points: list[dict[str, float]], path: str) -> Imported:
    first = points[0]
    kind = next((name for name in _KINDS if name in first), "")
    if not kind or not {"ber", "bler"} & first.keys():
        raise InputError(
            f"{path!r} is no curve: it needs a column of Eb/N0 or Es/N0 and one of BER or BLER (FER)"
        )
    places = [point[kind] for point in points if kind in point]
    if len(places) < len(points):
        raise InputError(f"{path!r} has lines without {_KINDS[kind]}")
    if len(set(places)) < len(places):
        raise InputError(f"{path!r} repeats an SNR: several curves need a column 'curve' that names them")
    return Imported(label, sorted(points, key=lambda point: point[kind]))


def _point(cells: Mapping[str, str], place: str) -> dict[str, float]:
    point: dict[str, float] = {}
    for name, text in cells.items():
        meaning = _meaning(name)
        if meaning is None or not text.strip():
            continue
        if meaning in point:
            raise InputError(f"{place}: two columns are {meaning}, one of them {name!r}")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or (meaning in ("ber", "bler") and not 0 <= value <= 1):
            raise InputError(f"{place}: {name} must be a number{_range(meaning)}, got {text.strip()!r}")
        point[meaning] = value
    return point


def _range(meaning: str) -> str:
    return " from 0 to 1" if meaning in ("ber", "bler") else ""


def _meaning(column: str) -> str | None:
    return _COLUMNS.get(re.sub("[^a-z0-9]", "", column.lower()).removesuffix("db"))


def _is_aff3ct(line: str) -> bool:
    return line.startswith("#") and "|" in line and "FRA" in line


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"\|+", line)]


def _aff3ct(lines: Sequence[str], path: str) -> Iterator[Line]:
    """Rows below the heading that names ``FRA``, the frames that were sent; before it come settings."""
    title, names = "", list[str]()
    for number, line in enumerate(lines, 1):
        if _is_aff3ct(line):
            names = _cells(line.lstrip("#"))
            if not set(map(_meaning, names)) & _KINDS.keys():
                raise InputError(f"line {number} of {path!r}: a curve over {names[0]!r}, not over an SNR")
        elif line.startswith("title=") and not names:
            title = line.removeprefix("title=").strip()
        elif names and "|" in line and not line.startswith("#"):
            yield number, title, dict(zip(names, _cells(line), strict=False))


def _csv(lines: Sequence[str], path: str) -> Iterator[Line]:
    kept = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and line[0] != "#"]
    if not kept:
        return
    heading = kept[0][1]
    mark = next((mark for mark in ";\t" if mark in heading), ",")
    names = [name.strip() for name in next(csv.reader([heading], delimiter=mark))]
    if len(set(names)) < len(names):
        raise InputError(f"line {kept[0][0]} of {path!r} names a column twice: {heading.strip()!r}")
    for number, line in kept[1:]:
        cells = dict(zip(names, next(csv.reader([line], delimiter=mark)), strict=False))
        yield number, cells.get("curve", "").strip(), cells
