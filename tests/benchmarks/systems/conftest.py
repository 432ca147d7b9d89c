"""A folder of pictures and a system of one's own, and a way to forbid work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny.comparisons import picture

from benchmarks.systems import compare


@pytest.fixture
def nothing_computed(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From when it is called on, computing anything fails."""

    def forbid(job: object) -> list[Any]:
        raise AssertionError(f"computes {job}")

    return lambda: monkeypatch.setattr(compare, "evaluate", forbid)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    picture(tmp_path / "pictures" / "grey.png", 120)
    return tmp_path
