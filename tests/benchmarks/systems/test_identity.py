"""What a comparison computes anew and what it does not: identity is content."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from math import log10
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from PIL import Image

from benchmarks.runs.store import Store
from benchmarks.settings.compare import CompareSpec
from benchmarks.settings.errors import InputError
from benchmarks.systems import compare, evaluate, identity
from benchmarks.systems.compare import CompareRun, run_compare
from benchmarks.systems.summary import curves, with_intervals
from semantic.zoo.presets import resolve

REPOSITORY = Path(__file__).parents[3]


def run(out: Path | None, **given: Any) -> CompareRun:
    named = {"snr": [10.0], "cbr": ["1/12"], "metrics": ["psnr"], **given}
    return run_compare(CompareSpec.model_validate(named), out)


def value(found: CompareRun, metric: str = "psnr", system: str | None = None) -> float:
    """The metric of the only row, or of a system's."""
    (row,) = [row for row in found.rows if system in (None, row.system)]
    return row.metrics[metric].mean


def shown(found: CompareRun) -> list[dict[str, Any]]:
    return [row.to_json() for row in found.rows]


def rows(out: Path) -> int:
    with closing(sqlite3.connect(out / "results.sqlite")) as database:
        return int(database.execute("SELECT COUNT(*) FROM rows").fetchone()[0])


@pytest.fixture
def nothing_computed(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From when it is called on, computing anything fails."""

    def forbid(job: object) -> list[Any]:
        raise AssertionError(f"computes {job}")

    return lambda: monkeypatch.setattr(compare, "evaluate", forbid)


def picture(file: Path, level: int, size: int = 32) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size, size, 3), level, np.uint8)).save(file)
    return file


def psnr(sent: int, shown: int) -> float:
    return 20 * log10(255 / abs(sent - shown))


# -- a system of the user's ---------------------------------------------------------------------------------

OWN = '''
"""Shows a picture of one level, whatever arrives."""
from pathlib import Path
import numpy as np, torch
from bridge.air.ledger import Entry
from bridge.air.transmission import SymbolPart, Transmission
from bridge.systems.system import Reconstruction
from phy.links.analog import AnalogLink
HEAD

class Flat:
    modality, delivers, adapts, policy = "image", ("image",), False, "best-effort"
    name = family = "flat"

    def __init__(self, context, level=None, checkpoint=None):
        self.context, self.link = context, AnalogLink(context.channel)
        self.level, self.checkpoint = level, checkpoint

    def check(self, channel_uses):
        pass

    def encode(self, source, channel_uses, snr):
        symbols = torch.ones(channel_uses, dtype=torch.complex64)
        entry = Entry("flat", 0, 0, 0, 0, 0, channel_uses)
        return Transmission((SymbolPart("flat", symbols, self.link, (entry,)),), source.image.shape[:2])

    def decode(self, reception):
        return Reconstruction(np.full((*reception.shape, 3), LEVEL, np.uint8))
'''


def own(file: Path, level: str, head: str = "") -> str:
    """Write a system that shows ``level``, and return its name."""
    file.write_text(OWN.replace("LEVEL", level).replace("HEAD", head))
    return f"{file}:Flat"


def written(file: Path, content: str) -> Path:
    """Write as ``rsync -t`` would: the date, and here the size, stay."""
    about = file.stat()
    file.write_text(content)
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert file.stat().st_size == about.st_size
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    picture(tmp_path / "pictures" / "grey.png", 120)
    return tmp_path


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


# -- sources ------------------------------------------------------------------------------------------------


def texts(file: Path, *sentences: str) -> str:
    file.write_text("\n".join(sentences))
    return str(file)


def test_two_files_of_texts_with_the_same_names(tmp_path: Path, nothing_computed: Callable[[], None]) -> None:
    """Their sentences are called alike; each file's are summarised by themselves, and none twice."""
    given = {"systems": ["text-uncoded"], "snr": [2.0], "text_metrics": ["cer"]}
    first = texts(tmp_path / "a.txt", "a dog runs over green grass", "two cats sleep", "it rains")
    second = texts(tmp_path / "b.txt", "nobody is here", "it rains")
    before = run(tmp_path / "run", texts=first, **given)
    after = run(tmp_path / "run", texts=second, **given)
    assert rows(tmp_path / "run") == 4
    assert after.rows == run(tmp_path / "fresh", texts=second, **given).rows
    assert [row.images for row in after.rows] == [2]
    with closing(Store.read(tmp_path / "run")) as store:  # as plot and crossing read it
        assert with_intervals(curves(store), 0.95) == after.rows
    nothing_computed()
    assert run(tmp_path / "run", texts=first, **given).rows == before.rows


def test_a_picture_replaced_under_its_name(folder: Path) -> None:
    system = own(folder / "mine.py", "100")
    given = {"systems": [system], "images": str(folder / "pictures")}
    assert value(run(folder / "run", **given)) == pytest.approx(psnr(120, 100))
    picture(folder / "pictures" / "grey.png", 90)
    found = run(folder / "run", **given)
    assert value(found) == pytest.approx(psnr(90, 100))
    assert [row.images for row in found.rows] == [1]


def test_fewer_sources_and_trials_are_shown_as_asked(folder: Path) -> None:
    picture(folder / "pictures" / "light.png", 200)
    given = {"systems": [own(folder / "mine.py", "100")], "images": str(folder / "pictures")}
    both = run(folder / "run", trials=2, **given)
    assert value(both) == pytest.approx((psnr(120, 100) + psnr(200, 100)) / 2)
    (row,) = run(folder / "run", max_sources=1, **given).rows
    assert row.metrics["psnr"].mean == pytest.approx(psnr(120, 100))
    assert (row.images, row.trials) == (1, 1)


def test_what_comes_twice_counts_once_and_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given: dict[str, Any] = {
        "systems": [own(folder / "mine.py", "100"), "text-uncoded"],
        "text_metrics": ["cer"],
    }
    given |= {
        "images": str(folder / "pictures"),
        "texts": texts(folder / "t.txt", "it rains", "a dog", "it rains"),
    }
    shutil.copy(folder / "pictures" / "grey.png", folder / "pictures" / "again.bmp.png")
    found = run(None, **given)
    said = capsys.readouterr().err
    assert "# grey.png is the same as again.bmp.png and counts once" in said
    assert "# sentence-3 is the same as sentence-1 and counts once" in said
    assert {row.system.partition("[")[0]: row.images for row in found.rows} == {
        "flat": 1,
        "text-uncoded": 2,
    }
    given["texts"] = texts(folder / "t.txt", "it rains", "a dog")
    assert run(None, **given).rows == found.rows
    given |= {"texts": texts(folder / "t.txt", "it rains", "it rains", "a dog"), "max_sources": 2}
    assert shown(run(None, **given)) == shown(found)  # as many different ones as were asked for


# -- captions -----------------------------------------------------------------------------------------------


def test_changed_captions(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts are measured anew against the picture whose caption changed; pictures are not."""
    picture(folder / "pictures" / "light.png", 200)
    system = own(folder / "mine.py", "100")
    source = (folder / "mine.py").read_text().replace('("image",)', '("image", "text")')
    (folder / "mine.py").write_text(source.replace("np.uint8))", 'np.uint8), "a grey wall")'))
    captions = folder / "captions.csv"
    captions.write_text("grey.png,a grey wall\nlight.png,a white wall\n")
    given: dict[str, Any] = {
        "systems": [system, "jpeg-ldpc"],
        "schemes": "1/2-qpsk",
        "images": str(folder / "pictures"),
        "captions": str(captions),
        "text_metrics": ["wer"],
        "cbr": ["1/2"],
    }
    before = run(folder / "run", **given)
    assert value(before, "wer", "flat") == pytest.approx((0 + 1 / 3) / 2)
    assert rows(folder / "run") == 4
    captions.write_text("grey.png,a grey wall\nlight.png,a very white wall\n")
    after = run(folder / "run", **given)
    assert rows(folder / "run") == 5
    assert value(after, "wer", "flat") == pytest.approx((0 + 2 / 4) / 2)
    assert after.rows == run(folder / "fresh", **given).rows
    shutil.copy(captions, folder / "renamed.csv")
    monkeypatch.setattr(compare, "evaluate", lambda job: pytest.fail("computes"))
    assert run(folder / "run", **given | {"captions": str(folder / "renamed.csv")}).rows == after.rows


# -- rules --------------------------------------------------------------------------------------------------


def test_other_rules_are_other_conditions(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows of an older version stay in the store and are not shown, which is said."""
    given = {"systems": [own(folder / "mine.py", "100")], "images": str(folder / "pictures")}
    before = run(folder / "run", **given)
    monkeypatch.setattr(identity, "RULES_VERSION", identity.RULES_VERSION + 1)
    capsys.readouterr()
    assert shown(run(folder / "run", **given)) == shown(before)
    assert rows(folder / "run") == 2
    said = "# 1 rows of other settings, sources, files or rules are there, too, and not shown"
    assert said in capsys.readouterr().err


def test_rows_of_other_versions_are_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = {"systems": [own(folder / "mine.py", "100")], "images": str(folder / "pictures")}
    run(folder / "run", **given)
    capsys.readouterr()
    run(folder / "run", **given)
    assert "#" not in capsys.readouterr().err
    with closing(sqlite3.connect(folder / "run" / "results.sqlite")) as database, database:
        (text,) = database.execute("SELECT versions FROM sessions WHERE id = 1").fetchone()
        older = json.dumps({**json.loads(text), "torch": "0.1", "commit": "another"})
        database.execute("UPDATE sessions SET versions = ? WHERE id = 1", (older,))
    run(folder / "run", **given)
    said = f"# rows that are there already were made with torch = 0.1, now {torch.__version__}"
    assert said.partition("+")[0] in capsys.readouterr().err


@pytest.mark.slow
def test_the_network_of_a_metric_counts_by_content(
    folder: Path, nothing_computed: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network replaced in its folder is another metric; in another folder it is the same."""
    from tiny.diffusion import write_clip

    given: dict[str, Any] = {"systems": [own(folder / "mine.py", "100")], "images": str(folder / "pictures")}

    def cosine(out: str, network: Path) -> float:
        metric = f"cosine:{network}"
        return value(run(folder / out, metrics=[metric], **given), metric)

    first = cosine("run", write_clip(folder / "clip", seed=5))
    second = cosine("run", write_clip(folder / "clip", seed=6))
    assert first != second == cosine("fresh", folder / "clip")
    nothing_computed()
    assert cosine("run", write_clip(folder / "elsewhere", seed=5)) == first
    monkeypatch.undo()
    picture(folder / "pictures" / "light.png", 200)
    assert cosine("run", folder / "elsewhere") == cosine("fresh", folder / "elsewhere") != first
