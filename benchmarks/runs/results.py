"""What every command's result can do: show itself as a short table, and leave as CSV or as a data frame."""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from semantic.files import written

__all__ = ["Result", "write_csv"]

_LINES = 24  # of a repr: what a screen or a notebook's cell takes in


class Result(ABC):
    """A result that is a table."""

    @abstractmethod
    def to_text(self) -> str:
        """Return the whole table, a heading behind ``#`` and a line a row."""

    @abstractmethod
    def to_csv_rows(self) -> list[dict[str, Any]]:
        """Return its rows as flat dictionaries that share their keys."""

    def __repr__(self) -> str:
        lines = self.to_text().splitlines()
        if more := len(lines) - _LINES:
            lines = (
                lines if more < 0 else [*lines[:_LINES], f"  ... and {more} more lines: print(x.to_text())"]
            )
        return "\n".join([type(self).__name__, *lines])

    def to_csv(self, path: str | Path) -> None:
        """Write the rows as a CSV file."""
        write_csv(Path(path), self.to_csv_rows())

    def to_frame(self) -> Any:
        """Return the rows as a ``pandas.DataFrame``.

        Raises
        ------
        ImportError
            If pandas, which semphy does not need otherwise, is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError("to_frame() needs pandas: pip install 'semphy[frames]'") from error
        return pandas.DataFrame(self.to_csv_rows())


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows that share their columns, in one step so that a reader never sees half a file.

    Texts that a spreadsheet would take for a formula get an apostrophe in front, as spreadsheets write them.
    """
    with written(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        if rows:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows({name: _defused(value) for name, value in row.items()} for row in rows)


def _defused(value: Any) -> Any:
    """A cell that no spreadsheet computes.

    Examples
    --------
    >>> _defused("=1+1"), _defused(-0.5), _defused("-"), _defused("a=b")
    ("'=1+1", -0.5, '-', 'a=b')
    """
    risky = isinstance(value, str) and len(value) > 1 and value[0] in "=+-@\t\r"
    return f"'{value}" if risky else value
