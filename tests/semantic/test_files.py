"""Files are whole, as they were, or not there, whatever happens while they are written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from semantic.files import NotWritten, write_text, written


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_raises_leaves_the_former_file(tmp_path: Path) -> None:
    file = tmp_path / "inside" / "words.txt"
    write_text(file, "former")
    with pytest.raises(KeyError), written(file) as beside:
        beside.write_text("half of")
        raise KeyError
    assert file.read_text() == "former"
    assert names(file.parent) == ["words.txt"]


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_killed_writer_leaves_the_former_file(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("former")
    kill = (
        "import os, sys; from semantic.files import written\n"
        "with written(sys.argv[1]) as beside:\n"
        "    beside.write_text('half of'); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", kill, str(file)]).returncode == -signal.SIGKILL
    assert file.read_text() == "former"
    assert [path.name for path in tmp_path.glob("*.txt") if path.name[0] != "."] == ["words.txt"]


def test_the_reason_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a folder").mkdir()
    with pytest.raises(NotWritten, match=r"^cannot write '.*a folder': Is a directory$"):
        write_text(tmp_path / "a folder", "x")
    (tmp_path / "a file").write_text("")
    with pytest.raises(NotWritten, match=r"^cannot write '.*a file/x': (File exists|Not a directory)$"):
        write_text(tmp_path / "a file" / "x", "x")
    assert names(tmp_path) == ["a file", "a folder"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(NotWritten, match="No space left on device"), written(tmp_path / "x.csv") as beside:
        beside.symlink_to("/dev/full")
        beside.write_text("x" * 10)
    assert names(tmp_path) == []
