"""A comparison keeps what it has row by row, and an interrupted one ends as a whole one does."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.runs.figures import new_figure
from benchmarks.runs.store import Row, Store
from benchmarks.settings.compare import CompareSpec
from benchmarks.systems.compare import run_compare
from benchmarks.systems.plots import _show

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


def test_half_a_picture_is_a_tile_that_says_so(tmp_path: Path) -> None:
    """As a killed process left it before files were renamed into place; and none at all."""
    axes = new_figure().add_subplot()
    whole, half = tmp_path / "whole.png", tmp_path / "half.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)).save(whole)
    half.write_bytes(whole.read_bytes()[:5000])
    for file in (whole, half, tmp_path / "gone.png"):
        _show(axes, file)
    assert [text.get_text() for text in axes.texts] == ["unreadable"] * 2
    assert len(axes.images) == 1
