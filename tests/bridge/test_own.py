"""A user's own file: what it is known by, and that exactly this runs."""

from __future__ import annotations

import os
import py_compile
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from bridge.named import by_content
from bridge.own import OwnCode

SOURCE = """
import json
import numpy
from pathlib import Path
from helper import GAIN
from package.part import OFFSET

HERE = Path(__file__).parent

class System:
    table = HERE / "tables" / "one.txt"

    def __init__(self, context=None, checkpoint=None):
        self.checkpoint, self.value = checkpoint, 10 * GAIN + OFFSET

    def late(self):
        from later import LATE
        return LATE, open("named.txt").read()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    (folder / "package").mkdir(parents=True)
    (folder / "tables").mkdir()
    (folder / "mine.py").write_text(SOURCE)
    (folder / "helper.py").write_text("GAIN = 1\n")
    (folder / "later.py").write_text("from helper import GAIN as LATE\n")
    (folder / "package" / "__init__.py").write_text("")
    (folder / "package" / "part.py").write_text("from . import other\nOFFSET = other.OFFSET\n")
    (folder / "package" / "other.py").write_text("OFFSET = 2\n")
    (folder / "unused.py").write_text("raise RuntimeError\n")
    (folder / "tables" / "one.txt").write_text("1")
    (folder / "named.txt").write_text("named")
    (folder / "weights.bin").write_bytes(b"weights")
    return folder / "mine.py"


def made(file: Path, checkpoint: object = None) -> Any:
    return OwnCode.read(file).take("System")(checkpoint=checkpoint)


def identity(file: Path, checkpoint: object = None) -> str:
    options = {} if checkpoint is None else {"checkpoint": str(checkpoint)}
    return OwnCode.read(file).identity("System", made(file, checkpoint), options)


def test_sources_are_the_file_and_what_it_imports(file: Path) -> None:
    sources = OwnCode.read(file).sources
    assert set(sources) == {"", "helper", "later", "package", "package.part", "package.other"}


def test_it_runs_with_what_lies_beside_it(file: Path) -> None:
    before = dict(sys.modules), list(sys.path)
    assert made(file).value == 12
    assert {name for name in sys.modules if name not in before[0]} - {"numpy"} <= {
        name for name in sys.modules if name.startswith("own_")
    }
    assert sys.path == before[1]


def test_it_runs_once_for_each_state(file: Path) -> None:
    assert OwnCode.read(file).take("System") is OwnCode.read(file).take("System")


# -- what counts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "old", "new", "value"),
    [
        ("mine.py", "10 * GAIN", "20 * GAIN", 22),
        ("helper.py", "1", "5", 52),
        ("package/other.py", "2", "7", 17),
        ("later.py", "LATE", "LATE ", 12),
        ("tables/one.txt", "1", "2", 12),
        ("named.txt", "named", "other", 12),
    ],
)
def test_an_edit_is_another_identity_and_runs(file: Path, name: str, old: str, new: str, value: int) -> None:
    """Also where size and date are those of before, and Python has compiled the former source."""
    before = identity(file)
    edited = file.parent / name
    about = edited.stat()
    if edited.suffix == ".py":
        py_compile.compile(str(edited))
    edited.write_text(edited.read_text().replace(old, new))
    os.utime(edited, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert identity(file) != before
    assert made(file).value == value


def test_where_it_lies_and_what_it_is_called_do_not_count(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = identity(file, file.parent / "weights.bin")
    (file.parent / "unused.py").write_text("raise ValueError\n")
    shutil.copytree(file.parent, tmp_path / "else where")
    other = (tmp_path / "else where" / "mine.py").rename(tmp_path / "else where" / "yours.py")
    weights = (other.parent / "weights.bin").rename(other.parent / "renamed.bin")
    os.utime(weights, (1, 1))
    assert identity(other, weights) == before
    monkeypatch.chdir(other.parent)
    assert identity(Path("yours.py"), "renamed.bin") == before


def test_files_that_options_and_attributes_name(file: Path) -> None:
    weights = file.parent / "weights.bin"
    before = identity(file, weights)
    assert before != identity(file)
    weights.write_bytes(b"weightS")
    assert identity(file, weights) != before
    own, system = OwnCode.read(file), made(file)
    told = own.identity("System", system, {"gain": 1})
    assert told != own.identity("System", system, {"gain": 2})
    assert told != own.identity("Other", system, {"gain": 1})
    system.late_attribute = {"models": [weights]}
    assert told != own.identity("System", system, {"gain": 1})


def test_files_that_change_places(tmp_path: Path) -> None:
    """The same two files, but each read for the other."""
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b.txt").write_text("b")
    file = tmp_path / "mine.py"
    file.write_text('class System:\n    def __init__(self, **_): self.of = open("a.txt"), open("b.txt")\n')
    own = OwnCode.read(file)
    before = own.identity("System")
    (tmp_path / "a.txt").write_text("b")
    (tmp_path / "b.txt").write_text("a")
    assert own.identity("System") != before


@pytest.mark.parametrize(
    "source",
    [
        'X = "{}/m"',
        'from pathlib import Path\ndef f(): return Path(__file__).parent / "models" / "m"',
        'import os\ndef f(): return os.path.join(os.path.dirname(__file__), "models", "m")',
        'from pathlib import Path\nX = {{"model": (Path(__file__).with_name("models") / "m",)}}',
        'from pathlib import Path\nX = str(Path(__file__).parent) + "/models/m"',
    ],
)
def test_ways_of_naming_a_model(tmp_path: Path, source: str) -> None:
    """A folder counts by the tensors in it."""
    folder = tmp_path / "models" / "m"
    folder.mkdir(parents=True)
    save_file({"a": torch.zeros(2)}, folder / "model.safetensors")
    file = tmp_path / "mine.py"
    file.write_text(source.format(folder.parent))
    before = OwnCode.read(file).identity("X")
    (folder / "README.md").write_text("edited")
    save_file({"a": torch.zeros(2)}, folder / "model.safetensors", metadata={"other": "header"})
    assert OwnCode.read(file).identity("X") == before
    save_file({"a": torch.ones(2)}, folder / "model.safetensors")
    assert OwnCode.read(file).identity("X") != before


def test_a_file_read_at_the_top_is_read_again(tmp_path: Path) -> None:
    file, table = tmp_path / "mine.py", tmp_path / "table.txt"
    file.write_text('from pathlib import Path\nVALUE = Path(__file__).with_name("table.txt").read_text()\n')
    for content in ("one", "two"):
        table.write_text(content)
        assert OwnCode.read(file).take("VALUE") == content


def test_texts_that_name_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders around the code hold results, too; they and mere texts change nothing, and break nothing."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    file = tmp_path / "mine.py"
    texts = ["", ".", "..", "/", "~", "~nobody-of-this-name", "\0", "x" * 5000, "a\nb", "*", "%s", "no"]
    file.write_text(f"X = {texts!r}\n")
    before = OwnCode.read(file).identity("X", options={"texts": texts})
    (tmp_path / "config.json").write_text('{"other": 1}')
    assert OwnCode.read(file).identity("X", options={"texts": texts}) == before
    assert by_content({"b": ("no", 1, None), "a": 2.5}, tmp_path) == {"a": 2.5, "b": ["no", 1, None]}


# -- whose modules ------------------------------------------------------------------------------------------


def test_helpers_of_one_name_do_not_meet(tmp_path: Path) -> None:
    files = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "helper.py").write_text(f"NAME = {name!r}\n")
        files.append(tmp_path / name / "mine.py")
        files[-1].write_text("import helper\ndef name(): return helper.NAME\n")
    own = [OwnCode.read(file) for file in files]
    assert [each.take("name")() for each in own] == ["one", "two"]
    assert own[0].identity("name") != own[1].identity("name")


def test_what_the_process_has_imported_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook keeps its own copy of a helper, and the file gets that which is on disk."""
    mine = ModuleType("helper")
    mine.NAME = "of the notebook"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "helper", mine)
    (tmp_path / "helper.py").write_text("NAME = 'on disk'\n")
    (tmp_path / "mine.py").write_text("from helper import NAME\n")
    assert OwnCode.read(tmp_path / "mine.py").take("NAME") == "on disk"
    assert sys.modules["helper"] is mine


def test_modules_elsewhere_count_unless_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project on the path is the user's; the standard library and installed packages are not."""
    library = tmp_path / "library"
    (library / "project" / "inner").mkdir(parents=True)  # without __init__.py
    (library / "project" / "inner" / "part.py").write_text("VALUE = 3\n")
    monkeypatch.syspath_prepend(str(library))
    folder = tmp_path / "work"
    (folder / "numpy").mkdir(parents=True)  # a folder of data that shares its name with a package
    (folder / "random.py").write_text("raise RuntimeError\n")
    file = folder / "mine.py"
    file.write_text(
        "import random, numpy, torch, bridge.own\nfrom project.inner import part\nX = part.VALUE\n"
    )
    own = OwnCode.read(file)
    assert set(own.sources) == {"", "project", "project.inner", "project.inner.part"}
    assert own.take("X") == 3
    before = own.identity("X")
    (library / "project" / "inner" / "part.py").write_text("VALUE = 4\n")
    assert OwnCode.read(file).take("X") == 4
    assert OwnCode.read(file).identity("X") != before


# -- mistakes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda folder: OwnCode.read(folder / "nowhere.py"), "nowhere.py"),
        (lambda folder: OwnCode.read(folder / "notes.txt"), "end in .py"),
        (lambda folder: OwnCode.read(folder / "broken.py").load(), "SyntaxError"),
        (lambda folder: OwnCode.read(folder / "raises.py").load(), "KeyError: 'why'"),
        (lambda folder: OwnCode.read(folder / "exits.py").load(), "SystemExit: 3"),
        (lambda folder: OwnCode.read(folder / "lacks.py").load(), "No module named 'nobody_has_this'"),
        (lambda folder: OwnCode.read(folder / "fine.py").take("Thing"), "'Thing'"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, act: Callable[[Path], object], said: str) -> None:
    (tmp_path / "notes.txt").write_text("X = 1")
    (tmp_path / "broken.py").write_text("def (:\n")
    (tmp_path / "raises.py").write_text("raise KeyError('why')\n")
    (tmp_path / "exits.py").write_text("import sys\nsys.exit(3)\n")
    (tmp_path / "lacks.py").write_text("import nobody_has_this\n")
    (tmp_path / "fine.py").write_text("X = 1\n")
    with pytest.raises(ValueError, match=said) as caught:
        act(tmp_path)
    assert "\n" not in str(caught.value)
