"""What ``tests/faults.py`` does to long runs, done once to a short one; kills are in ``test_resume.py``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from faults import Case, another_world, content, finish, full_disk, two_at_once

SHORT = Case("ber", ("ber", "--code", "none", "--k", "64", "--ebno", "4,6", "--max-blocks", "3000"))

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="needs signals")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    finish(SHORT, out, 2)
    return out


@pytest.mark.slow
def test_another_world_counts_the_same(whole: Path, tmp_path: Path) -> None:
    another_world(SHORT, tmp_path / "run")
    assert content(tmp_path / "run") == content(whole)


@pytest.mark.slow
def test_two_at_once_count_the_same(whole: Path, tmp_path: Path) -> None:
    two_at_once(SHORT, tmp_path / "run")
    assert content(tmp_path / "run") == content(whole)


@pytest.mark.slow
def test_a_full_disk_keeps_what_there_is(whole: Path, tmp_path: Path) -> None:
    full_disk(SHORT, tmp_path / "run", [50_000])
    assert content(tmp_path / "run") == content(whole)
