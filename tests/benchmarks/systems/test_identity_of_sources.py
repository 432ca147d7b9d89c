"""Identity by content: texts, pictures, captions, and the rules themselves."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny.comparisons import own, picture, psnr, rows, run, shown, value

from benchmarks.runs.store import Store
from benchmarks.systems import compare, identity
from benchmarks.systems.summary import curves, with_intervals

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


@pytest.mark.slow
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
