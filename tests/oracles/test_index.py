"""The index of oracles names tests that exist, and every folder of a standard."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
INDEX = (HERE / "README.md").read_text(encoding="utf-8")


def test_every_test_of_the_index_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", INDEX)
    rows = [line for line in INDEX.splitlines() if line.startswith("| ") and not line.startswith("| what")]
    assert len(named) == len(rows) > 30
    for file, name in named:
        source = (HERE.parents[1] / file).read_text(encoding="utf-8")
        assert re.search(rf"^def {name}\(", source, re.MULTILINE), f"{file} has no {name}"


def test_every_standard_of_this_folder_is_in_the_index() -> None:
    standards = [folder.name for folder in HERE.iterdir() if (folder / "__init__.py").exists()]
    assert standards
    assert [name for name in standards if f"`{name}`" not in INDEX] == []
