"""``semphy captioners``: the table's figures, with tiny checkpoints of the real classes."""

from __future__ import annotations

import csv
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import sacrebleu

from benchmarks.papers.table1 import PUBLISHED, Table1, run_captioners
from benchmarks.settings.captioners import CaptionersSpec
from benchmarks.settings.errors import InputError
from benchmarks.settings.reading import read_settings
from semantic.models.captioning import load_captioner
from semantic.zoo.presets import PRESETS

pytestmark = pytest.mark.slow

LIMIT = 8


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import numpy as np
    from PIL import Image

    folder = tmp_path_factory.mktemp("pictures")
    draws = np.random.default_rng(1)
    rows = ["image,caption"]
    for name in ("a.png", "b.png", "c.png"):
        Image.fromarray(draws.integers(0, 256, (32, 48, 3), dtype=np.uint8)).save(folder / name)
        rows += [f"{name},A dog runs on the beach .", f"{name},dog"]
    (folder / "captions.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture(scope="module")
def table(llava_folder: Path, blip_folder: Path, pictures: Path) -> Table1:
    flags = {"models": f"{llava_folder},{blip_folder}", "images": str(pictures), "max_tokens": LIMIT}
    return run_captioners(read_settings(CaptionersSpec, flags=flags))


def test_the_figures_are_those_of_the_captioners(table: Table1, llava_folder: Path, pictures: Path) -> None:
    import numpy as np
    from PIL import Image

    captioner = load_captioner(llava_folder)
    seen = [np.asarray(Image.open(pictures / name)) for name in ("a.png", "b.png", "c.png")]
    texts = captioner.caption(seen, max_tokens=LIMIT)
    row, mine = table.rows[0], [c for c in table.captions if c.model == str(llava_folder)]
    assert [caption.text for caption in mine] == texts
    assert [caption.picture for caption in mine] == ["a.png", "b.png", "c.png"]
    assert row["characters"] == pytest.approx(sum(map(len, texts)) / 3)
    assert row["words"] == pytest.approx(sum(len(text.split()) for text in texts) / 3)
    assert row["parameters"] == captioner.model.num_parameters()
    streams = [["A dog runs on the beach ."] * 3, ["dog"] * 3]
    assert row["bleu"] == pytest.approx(sacrebleu.corpus_bleu(texts, streams).score / 100)
    for n in (1, 2, 3, 4):
        metric = sacrebleu.BLEU(max_ngram_order=n, smooth_method="none")
        assert row[f"bleu_{n}"] == pytest.approx(metric.corpus_score(texts, streams).score / 100)


def test_costs_are_there(table: Table1) -> None:
    for row in table.rows:
        assert row["images"] == 3
        assert 0 < row["seconds"] < 60 and row["load_seconds"] > 0
        assert 1e8 < row["peak_bytes"] < 8e9
        assert row["bleu_letter"] is None


def test_what_is_written(table: Table1, tmp_path: Path) -> None:
    table.write(tmp_path)
    with (tmp_path / "table1.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["model"] for row in rows] == [row["model"] for row in table.rows]
    with (tmp_path / "captions.csv").open(newline="", encoding="utf-8") as stream:
        assert [row["text"].removeprefix("'") for row in csv.DictReader(stream)] == [
            caption.text.removeprefix("'")
            for caption in table.captions  # cells that look like formulas
        ]
    found = json.loads((tmp_path / "table1.json").read_text(encoding="utf-8"))
    assert found["rows"] == table.rows and found["versions"]["torch"]
    heading, *lines = table.to_text().splitlines()
    assert [len(line.split()) for line in lines] == [len(heading[1:].split())] * 2


def test_the_letters_figures_stand_beside_their_models() -> None:
    assert set(PUBLISHED) <= set(PRESETS)
    assert PUBLISHED["llava-interleave-qwen-0.5b"] == (0.1485, 42)
    assert PUBLISHED["llava-1.5-7b"] == (0.1451, 190)


def test_no_captioner_is_one_line(bart_folder: Path, pictures: Path) -> None:
    with pytest.raises(InputError, match="'bart'; captioners are"):
        run_captioners(CaptionersSpec(models=(str(bart_folder),), images=str(pictures)))


def test_missing_weights_on_the_command_line(tmp_path: Path, pictures: Path) -> None:
    """Without weights: what is missing, how to get it, status 2, and no look at the network."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    with socket.create_server(("127.0.0.1", 0)) as hub:
        environment |= {
            "HF_HOME": str(tmp_path / "hf"),
            "HF_ENDPOINT": f"http://127.0.0.1:{hub.getsockname()[1]}",
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, "-m", "benchmarks", "captioners", "--config", "table-1"]
        done = subprocess.run(
            [*command, "--images", str(pictures)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        hub.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody has called
            hub.accept()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "semphy fetch models:llava-interleave-qwen-0.5b" in done.stderr
    assert "1.73 GB, licence tongyi" in done.stderr
