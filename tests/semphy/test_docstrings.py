"""Every example in a docstring gives what stands below it."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path.read_text("utf-8")
    for room in ("phy", "semantic", "bridge", "benchmarks", "semphy")
    for path in sorted((ROOT / room).rglob("*.py"))
}


def test_no_example_is_skipped() -> None:
    assert [module for module, text in SOURCES.items() if "doctest:" in text] == []


@pytest.mark.parametrize("module", [module for module, text in SOURCES.items() if ">>> " in text])
def test_examples_of(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = doctest.testmod(import_module(module))
    assert found.attempted > 0
    assert found.failed == 0, capsys.readouterr().out
