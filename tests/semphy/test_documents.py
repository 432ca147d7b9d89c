"""What README and its companions tell to write works, and what they point to exists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EXAMPLES = [(name, code) for name in DOCUMENTS for code in PYTHON.findall((ROOT / name).read_text("utf-8"))]


@pytest.mark.slow
@pytest.mark.parametrize("code", [code for _, code in EXAMPLES], ids=[name for name, _ in EXAMPLES])
def test_an_example_runs_as_it_stands(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "<example>", "exec"), {"__name__": "__main__"})


def test_there_are_examples_of_both_kinds() -> None:
    readme = [code for name, code in EXAMPLES if name == "README.md"]
    assert any("semphy.compare(" in code for code in readme) and any("send(" in code for code in readme)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_and_pictures_that_are_named_exist(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    targets = re.findall(r"\]\(([^)#]+)\)", text)
    targets += re.findall(r"`((?:phy|semantic|bridge|benchmarks|semphy|tests|docs|examples)/[\w./-]+)`", text)
    for target in targets:
        assert "://" in target or (ROOT / target).exists(), target


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()  # what the format demands
    assert citation["title"] == project["name"]
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]
