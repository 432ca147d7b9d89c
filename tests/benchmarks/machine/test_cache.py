"""What is kept between processes is weighed and removed; what else lies there is not touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.machine import cache

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for state, kernels, files in (("0" * 16, 100, 3000), ("f" * 16, 20, 0)):
        (tmp_path / state / "encoded").mkdir(parents=True)
        (tmp_path / state / "kernel.nbc").write_bytes(bytes(kernels))
        (tmp_path / state / "encoded" / "file").write_bytes(bytes(files))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path / ("0" * 16))
    return tmp_path


def test_states_are_weighed_and_removed(folder: Path, run: Run) -> None:
    found = cache.examine()
    assert (found.states, found.encoded_bytes) == (2, 3000)
    assert found.kernels_bytes == 120
    status, out, _ = run("cache", "--clear")
    assert (status, len(out.splitlines())) == (0, 1) and "2 states" in out
    assert [entry.name for entry in folder.iterdir()] == ["notes"]
    assert (folder / "notes" / "mine.txt").read_text() == "mine"


def test_nowhere_to_keep_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "cache_folder", lambda: None)
    assert "nothing can be kept" in cache.clear().to_text()
