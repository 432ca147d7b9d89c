"""How figures look and how they are written, for all commands.

Figures are made as objects, never through ``pyplot``: that would pick a backend for the whole process, and
replace the one that a notebook draws with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from semantic.files import written

__all__ = [
    "COLOURS",
    "COLUMN_INCHES",
    "FORMATS",
    "MARKERS",
    "drawing",
    "literal",
    "new_figure",
    "percent",
    "save",
]

COLUMN_INCHES = 3.5
"""Width of a column of a paper."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
"""Those of Okabe and Ito, which colour-blind people can tell apart."""
MARKERS = "osD^vP*X"
FORMATS = ("png", "svg", "pdf")

_STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 7,
    "legend.fontsize": 6.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.5,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
}


class _NotebookFigure(Figure):
    """A figure that notebooks show as the last value of a cell, whether or not pyplot was imported."""

    def _repr_png_(self) -> bytes:
        file = BytesIO()
        self.savefig(file, format="png", dpi=150)
        return file.getvalue()


def new_figure(width: float = COLUMN_INCHES, height: float = 2.9) -> Figure:
    """Make a figure of a size in inches that lays itself out."""
    figure = _NotebookFigure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


@contextmanager
def drawing(axes: Axes | None = None, height: float = 2.9) -> Iterator[tuple[Figure, Axes]]:
    """Figure and axes to draw in: those somebody gave, or new ones in the project's sizes.

    Raises
    ------
    ValueError
        If the axes were taken out of their figure.
    """
    if axes is None:
        with matplotlib.rc_context(_STYLE):
            figure = new_figure(height=height)
            yield figure, figure.add_subplot()
        return
    if (whole := axes.get_figure(root=True)) is None:
        raise ValueError(f"{axes} belong to no figure")
    yield whole, axes


def save(
    figure: Figure, folder: Path, name: str, formats: Sequence[str] = FORMATS, dpi: int = 300
) -> list[Path]:
    """Write a figure as ``folder/name.FORMAT`` in each format, and return the files."""
    files = [folder / f"{name}.{suffix}" for suffix in formats]
    with matplotlib.rc_context(_STYLE):
        for file in files:
            with written(file) as beside:
                figure.savefig(beside, dpi=dpi)
    return files


def percent(confidence: float) -> str:
    """Write a confidence as ``95 %``."""
    return f"{100 * confidence:g} %"


def literal(text: str) -> str:
    r"""Write a name so that a figure shows it as it is, and reads no mathematics between dollar signs.

    Examples
    --------
    >>> literal("a$b")
    'a\\$b'
    """
    return text.replace("$", r"\$")
