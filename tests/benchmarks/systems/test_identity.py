"""Identity by content: systems of one's own, and models."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from tiny.comparisons import OWN, REPOSITORY, own, psnr, rows, run, shown, value, written

from benchmarks.settings.compare import CompareSpec
from benchmarks.settings.errors import InputError
from benchmarks.systems import compare, evaluate, identity
from semantic.zoo.presets import resolve


def test_edited_code_is_computed_anew(folder: Path, nothing_computed: Callable[[], None]) -> None:
    given = {"images": str(folder / "pictures"), "out": folder / "run"}
    system = own(folder / "mine.py", "100")
    assert value(run(systems=[system], **given)) == pytest.approx(psnr(120, 100))
    written(folder / "mine.py", (folder / "mine.py").read_text().replace("100", "110"))
    assert value(run(systems=[system], **given)) == pytest.approx(psnr(120, 110))
    assert rows(folder / "run") == 2  # the former row stays, and is not shown
    written(folder / "mine.py", (folder / "mine.py").read_text().replace("110", "100"))
    nothing_computed()
    assert value(run(systems=[system], **given)) == pytest.approx(psnr(120, 100))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("level", "head", "given"),
    [
        ("helper.LEVEL", "import helper", {}),
        ('int(Path(__file__).with_name("helper.py").read_text()[8:])', "", {}),
        ("int(TABLE.read_text()[8:])", 'TABLE = Path(__file__).with_name("helper.py")', {}),
        ("int(open(self.checkpoint).read()[8:])", "", {"checkpoint": "{}/helper.py"}),
    ],
    ids=["module beside it", "file named in it", "file read at the top", "file named by an option"],
)
def test_what_code_reads_is_computed_anew(
    folder: Path, level: str, head: str, given: dict[str, str], nothing_computed: Callable[[], None]
) -> None:
    helper = folder / "helper.py"
    helper.write_text("LEVEL = 100")
    system = own(folder / "mine.py", level, head)
    options = {system: {name: place.format(folder) for name, place in given.items()}}
    settings = {"systems": [system], "images": str(folder / "pictures"), "options": options}
    assert value(run(folder / "run", **settings)) == pytest.approx(psnr(120, 100))
    written(helper, "LEVEL = 110")
    assert value(run(folder / "run", **settings)) == pytest.approx(psnr(120, 110))
    os.utime(helper)
    nothing_computed()
    assert value(run(folder / "run", **settings)) == pytest.approx(psnr(120, 110))


def test_code_that_changes_while_a_run_goes_on_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that starts late would compute with the new code what is filed under the old one."""
    system, plain = own(folder / "mine.py", "100"), compare.evaluate

    def in_a_late_worker(job: Any) -> list[Any]:
        written(folder / "mine.py", (folder / "mine.py").read_text().replace("100", "110"))
        evaluate.forget()
        return plain(job)

    monkeypatch.setattr(compare, "evaluate", in_a_late_worker)
    with pytest.raises(InputError, match="flat have changed since the run began"):
        run(folder / "run", systems=[system], images=str(folder / "pictures"))
    assert rows(folder / "run") == 0


def test_options_of_own_systems_count(folder: Path) -> None:
    system = own(folder / "mine.py", "self.level")
    for level in (100, 110):
        found = run(
            folder / "run",
            systems=[system],
            images=str(folder / "pictures"),
            options={system: {"level": level}},
        )
        assert value(found) == pytest.approx(psnr(120, level))


def test_moving_everything_computes_nothing(folder: Path, nothing_computed: Callable[[], None]) -> None:
    """Another folder, file name, date and working directory; the picture under another name, too."""
    (folder / "helper.py").write_text("LEVEL = 100")
    (folder / "weights.bin").write_bytes(b"weights")

    def settings(where: Path, file: str, weights: str) -> dict[str, Any]:
        system = own(where / file, "helper.LEVEL", "import helper")
        options = {system: {"checkpoint": str(where / weights)}}
        return {"systems": [system], "images": str(where / "pictures"), "options": options}

    before = run(folder / "run", **settings(folder, "mine.py", "weights.bin"))
    shutil.copytree(folder, folder / "elsewhere")
    (folder / "elsewhere" / "weights.bin").rename(folder / "elsewhere" / "best.bin")
    (folder / "elsewhere" / "pictures" / "grey.png").rename(folder / "elsewhere" / "pictures" / "b.png")
    nothing_computed()
    after = run(folder / "elsewhere" / "run", **settings(folder / "elsewhere", "yours.py", "best.bin"))
    assert shown(after) == shown(before)
    assert [sample.source for row in after.rows for sample in row.samples] == ["b.png"]


def test_own_systems_may_ask_any_model_unless_they_say_which(folder: Path) -> None:
    models = folder / "jscc"
    shutil.copytree(resolve("jscc-2019-c8"), models)
    level = "100 + int(list(self.context.models.jscc.state_dict().values())[0].flatten()[0])"
    ids = []
    for head, counts in (("", True), ("Flat.roles = ()", False), ("Flat.roles = ('jscc',)", True)):
        source = OWN.replace("LEVEL", level).replace("HEAD", "")
        (folder / "mine.py").write_text(f"{source}\n{head}\n")
        for change in (0, 10):
            tensors = safetensors.torch.load_file(resolve("jscc-2019-c8") / "model.safetensors")
            first = next(iter(tensors))
            tensors[first] = torch.full_like(tensors[first], change)
            safetensors.torch.save_file(tensors, models / "model.safetensors")
            spec = CompareSpec.model_validate(
                {
                    "systems": [f"{folder / 'mine.py'}:Flat"],
                    "images": str(folder / "pictures"),
                    "models": f"tiny,jscc={models}",
                    "snr": [3],
                }
            )
            ((_, content),) = [identity.identify(spec, built) for built in spec.build()]
            ids.append(json.dumps(content))
        assert (ids[-1] != ids[-2]) is counts


# -- models -------------------------------------------------------------------------------------------------


def test_replaced_tensors_are_computed_anew(tmp_path: Path) -> None:
    """With size and date kept; the value is that of a run of its own."""
    models = tmp_path / "jscc"
    shutil.copytree(resolve("jscc-2019-c8"), models)
    given = {"systems": ["deep-jscc"], "image_size": 64, "max_sources": 1, "models": f"tiny,jscc={models}"}
    before = value(run(tmp_path / "run", **given))
    file = models / "model.safetensors"
    about, tensors = file.stat(), safetensors.torch.load_file(file)
    halved = {name: tensor / 2 if tensor.dim() > 1 else tensor for name, tensor in tensors.items()}
    safetensors.torch.save_file(halved, file, metadata={"format": "pt"})
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert file.stat().st_size == about.st_size
    after = value(run(tmp_path / "run", **given))
    assert after == value(run(tmp_path / "fresh", **given)) != before
    assert len(run(tmp_path / "run", **given).rows) == 1


def test_a_copied_model_computes_nothing(tmp_path: Path, nothing_computed: Callable[[], None]) -> None:
    given = {"systems": ["deep-jscc"], "image_size": 64, "max_sources": 1}
    before = run(tmp_path / "run", **given)
    shutil.copytree(resolve("tiny-jscc"), tmp_path / "mine", copy_function=shutil.copyfile)
    (tmp_path / "mine" / "README.md").write_text("edited")
    nothing_computed()
    assert run(tmp_path / "run", **given, models=f"tiny,jscc={tmp_path / 'mine'}").rows == before.rows


@pytest.mark.slow
def test_a_second_clone_resumes_what_the_first_one_began(tmp_path: Path) -> None:
    """Another copy of the whole project, with other dates and cards, in another process."""
    clone = tmp_path / "clone"
    for package in ("phy", "semantic", "bridge", "benchmarks"):
        shutil.copytree(REPOSITORY / package, clone / package, copy_function=shutil.copyfile)
    for card in clone.glob("semantic/data/models/*/README.md"):
        card.write_text("edited")
    quick = {"systems": "deep-jscc", "image-size": "64", "max-sources": "1", "snr": "3", "metrics": "psnr"}
    arguments = [part for name, value in quick.items() for part in (f"--{name}", value)]

    def rows_of(home: Path) -> list[dict[str, Any]]:
        command = [sys.executable, "-m", "benchmarks", "compare", *arguments, "--json"]
        done = subprocess.run(
            [*command, "--out", str(tmp_path / "run")],
            cwd=home,
            env={**os.environ, "PYTHONPATH": str(home)},
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)["rows"]

    before = rows_of(REPOSITORY)
    assert rows_of(clone) == before
    with closing(sqlite3.connect(tmp_path / "run" / "results.sqlite")) as database:
        assert database.execute("SELECT COUNT(*) FROM sessions").fetchone() == (2,)
        assert database.execute("SELECT DISTINCT session FROM rows").fetchall() == [(1,)]


def test_codebooks_count_by_content(tmp_path: Path, nothing_computed: Callable[[], None]) -> None:
    def saved(file: Path, scale: float) -> str:
        grid = scale * np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]], np.float32)
        file.parent.mkdir(exist_ok=True)
        safetensors.numpy.save_file({"codebooks": grid[None]}, file)
        return f"digital:pq:{file}:1/2-qpsk"

    def measured(out: Path, carriage: str) -> float:
        given = {"payload": "embedding", "carriage": [carriage], "max_sources": 2}
        return value(run(out, **given), "snr-out")

    first = measured(tmp_path / "run", saved(tmp_path / "codes.safetensors", 1.0))
    second = measured(tmp_path / "run", saved(tmp_path / "codes.safetensors", 0.5))
    assert second == measured(tmp_path / "fresh", saved(tmp_path / "codes.safetensors", 0.5)) != first
    nothing_computed()
    elsewhere = tmp_path / "with space" / "other.safetensors"
    assert measured(tmp_path / "run", saved(elsewhere, 1.0)) == first
