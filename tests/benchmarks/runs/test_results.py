"""What every result can do: a table short enough for a notebook, CSV, a data frame."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.runs.results import Result
from benchmarks.runs.table import Column, plain


class Squares(Result):
    """The first numbers and their squares."""

    def __init__(self, count: int) -> None:
        self.count = count

    def to_text(self) -> str:
        return plain((Column("n", str), Column("n^2", lambda n: str(n * n))), range(self.count))

    def to_csv_rows(self) -> list[dict[str, Any]]:
        return [{"n": n, "square": n * n} for n in range(self.count)]


def test_a_short_result_shows_all_of_itself() -> None:
    assert repr(Squares(3)).splitlines() == ["Squares", "# n  n^2", "  0    0", "  1    1", "  2    4"]


def test_a_long_result_says_what_it_leaves_out() -> None:
    lines = repr(Squares(1000)).splitlines()
    assert len(lines) == 26
    assert lines[-2].split() == ["22", "484"]
    assert "977 more lines" in lines[-1]


def test_csv(tmp_path: Path) -> None:
    Squares(3).to_csv(str(tmp_path / "squares.csv"))
    with (tmp_path / "squares.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["n", "square"], ["0", "0"], ["1", "1"], ["2", "4"]]


def test_frame() -> None:
    pandas = pytest.importorskip("pandas")
    frame = Squares(4).to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.to_dict("list") == {"n": [0, 1, 2, 3], "square": [0, 1, 4, 9]}


def test_without_pandas_one_line_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install") as caught:
        Squares(1).to_frame()
    assert "\n" not in str(caught.value)
