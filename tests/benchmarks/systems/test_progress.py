"""A comparison keeps what it has row by row, and an interrupted one ends as a whole one does."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from benchmarks.runs.store import Row, Store
from benchmarks.settings.compare import CompareSpec
from benchmarks.systems.compare import run_compare

SPEC = CompareSpec(systems="text-uncoded", snr=(0.0, 8.0), trials=3, max_sources=2)
COLUMNS = "condition, item, source, trial, failed, remark, channel_uses, metrics, notes, ledger, arrived"


def rows(folder: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "results.sqlite")) as found:
        return found.execute(f"SELECT {COLUMNS} FROM rows ORDER BY condition, item").fetchall()


def test_every_row_is_kept_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_compare(SPEC, tmp_path / "whole")
    kept, add_all = list[int](), Store.add_all

    def add(self: Store, rows: Sequence[Row], errors: Sequence[Row] = ()) -> None:
        add_all(self, rows, errors)
        kept.append(len(rows))
        if len(kept) in (2, 3, 9):
            raise KeyboardInterrupt

    monkeypatch.setattr(Store, "add_all", add)
    monkeypatch.setattr("benchmarks.runs.sweep.SLICE_SECONDS", 0.0)
    ended = [run_compare(SPEC, tmp_path / "parts").interrupted for _ in range(4)]
    assert (ended, kept) == ([True, True, True, False], [1] * 12)  # nothing is computed again
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")
    curves = [(tmp_path / name / "curves.csv").read_bytes() for name in ("parts", "whole")]
    assert curves[0] == curves[1]
