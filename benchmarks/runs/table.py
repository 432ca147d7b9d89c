"""The live table of long work: a row a point on standard error, plain text where that is no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self, TypeVar

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

__all__ = ["Column", "LiveTable", "decibels", "duration", "plain", "rate"]

Shown = TypeVar("Shown")
Whole = TypeVar("Whole")


@dataclass(frozen=True)
class Column(Generic[Shown]):
    """A column of a table of objects.

    Attributes
    ----------
    title:
        Heading.
    cell:
        What it says of an object.
    width:
        Characters that its cells need.
    rank:
        Where the terminal is too narrow, the live table leaves columns out, highest rank first; 0 stays.
    """

    title: str
    cell: Callable[[Shown], str]
    width: int = 1
    rank: int = 0

    def of(self, part: Callable[[Whole], Shown]) -> Column[Whole]:
        """The same column in a table of objects that have such a one as a part."""
        return Column(self.title, lambda whole: self.cell(part(whole)), self.width, self.rank)


class LiveTable(Generic[Shown]):
    """Rows that change while work goes on, keyed by point.

    On a terminal the table is redrawn in place and removed at the end, when the caller prints the final one.
    Elsewhere each row is printed once, when it is done.

    Parameters
    ----------
    columns:
        What each row shows.
    console:
        Where; standard error unless given.
    """

    def __init__(self, columns: Sequence[Column[Shown]], console: Console | None = None) -> None:
        self.columns = tuple(columns)
        self.console = console or Console(stderr=True)
        self._rows: dict[Hashable, Sequence[str]] = {}
        self._headed = False
        self._drawn = 0.0
        self._live = Live(console=self.console, transient=True, auto_refresh=False)

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.console.is_terminal:
            self._live.stop()

    def update(self, key: Hashable, row: Shown, done: bool = False) -> None:
        """Show a row; ``done`` says that it will not change any more."""
        if not self.console.is_terminal:
            if done:
                self._print(row)
            return
        self._rows[key] = _cells(self.columns, row)
        if done or time.monotonic() - self._drawn > 0.1:
            self._drawn = time.monotonic()
            self._live.update(self._draw(), refresh=True)

    def note(self, text: str) -> None:
        """Print a line above the table."""
        self.console.print(f"# {text}", markup=False, highlight=False, soft_wrap=True)

    def _print(self, row: Shown) -> None:
        lines = plain(self.columns, [row]).splitlines()
        for line in lines[1 if self._headed else 0 :]:
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)
        self._headed = True

    def _draw(self) -> Table:
        room = max(1, self.console.height - 3)  # a table taller than the screen cannot be redrawn in place
        rows = list(self._rows.values())[-room:]
        shown = self._shown(rows)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for index in shown:
            table.add_column(self.columns[index].title, justify="right", no_wrap=True)
        for cells in rows:
            table.add_row(*(Text(cells[index]) for index in shown))  # names may look like markup
        return table

    def _shown(self, rows: Sequence[Sequence[str]]) -> list[int]:
        """Columns that fit, as indices."""
        widths = [
            2 + max(len(column.title), *(len(row[index]) for row in rows))
            for index, column in enumerate(self.columns)
        ]
        shown = list(range(len(widths)))
        for rank in sorted({column.rank for column in self.columns} - {0}, reverse=True):
            if sum(widths[index] for index in shown) - 2 <= self.console.width:
                break
            shown = [index for index in shown if self.columns[index].rank != rank]
        return shown


def _cells(columns: Sequence[Column[Shown]], row: Shown) -> list[str]:
    return [column.cell(row) for column in columns]


def plain(columns: Sequence[Column[Shown]], rows: Sequence[Shown]) -> str:
    """Lay out rows as text: a heading behind ``#``, then lines that split at white space.

    Examples
    --------
    >>> print(plain([Column("SNR", "{:g}".format), Column("twice", lambda snr: str(2 * snr))], [3, 10]))
    # SNR  twice
        3      6
       10     20
    """
    body = [_cells(columns, row) for row in rows]
    widths = [
        max(column.width, len(column.title), *(len(cells[index]) for cells in body), 0)
        for index, column in enumerate(columns)
    ]
    heading = "  ".join(column.title.rjust(width) for column, width in zip(columns, widths, strict=True))
    lines = ["  ".join(c.rjust(width) for c, width in zip(cells, widths, strict=True)) for cells in body]
    return "\n".join([f"# {heading}", *(f"  {line}" for line in lines)])


def rate(value: float) -> str:
    """Write a rate with three significant digits; zero as ``0``."""
    return f"{value:.2e}" if value else "0"


def decibels(value: float | None, digits: int = 3) -> str:
    """Write decibels; unknown ones as ``-``."""
    return "-" if value is None else f"{value:.{digits}f}"


def duration(seconds: float) -> str:
    """Write seconds as ``9.5s``, ``3:25`` or ``2:03:25``; an unknown duration as ``-``."""
    if seconds == float("inf"):
        return "-"
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, whole = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole:02}" if hours else f"{minutes}:{whole:02}"
