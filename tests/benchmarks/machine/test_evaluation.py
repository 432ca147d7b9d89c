"""``semphy evaluate``: estimates from counts, from name to table, and one line for every mistake."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.cli.main import main
from benchmarks.machine.evaluation import Estimate, estimate
from benchmarks.machine.training import bundled
from bridge.training.evaluations import EVALUATIONS
from bridge.training.figures import Mean, Pooled, Share
from bridge.training.recipes import RECIPES
from bridge.training.scenes.evaluation import unseen_scenes
from semantic.networks.jscc import DeepJSCC2019
from semantic.zoo.digests import digest_of_model

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return call


def test_estimates_by_hand() -> None:
    # Scenes that are all right or all wrong are trials by themselves, here 45 of 50: Wilson's centre and
    # half width with Student's quantile of 49 degrees of freedom.
    found = estimate(Share((9,) * 45 + (0,) * 5, (9,) * 50), 0.95)
    t, p = 2.0096, 0.9
    n = 49  # the variance is estimated with C - 1
    centre, half = p + t**2 / (2 * n), t * math.sqrt(p * (1 - p) / n + t**2 / (4 * n**2))
    assert (found.value, found.right, found.total, found.sources) == (0.9, 405, 450, 50)
    assert found.low == pytest.approx((centre - half) / (1 + t**2 / n), abs=1e-4)
    assert found.high == pytest.approx((centre + half) / (1 + t**2 / n), abs=1e-4)
    # Sources that have nothing to count are no sources.
    assert estimate(Share((1, 0, 2), (2, 0, 2)), 0.95).sources == 2
    assert estimate(Share((), ()), 0.95) == Estimate(None, 0.0, 1.0, 0, 0, 0)

    values = tuple(float(value) for value in range(100))
    mean = estimate(Mean(values), 0.95)
    assert (mean.value, mean.sources, mean.right, mean.total) == (49.5, 100, None, None)
    assert mean.low == pytest.approx(49.5 - 1.984 * 2.901, abs=0.4)
    assert mean.high == pytest.approx(49.5 + 1.984 * 2.901, abs=0.4)
    assert estimate(Mean((3.0,)), 0.95) == Estimate(3.0, None, None, None, None, 1)

    pooled = estimate(Pooled(np.array([[1, 2], [3, 4]]), lambda total: float(total[0] / total[1])), 0.95)
    assert (pooled.value, pooled.sources) == (4 / 6, 2)


def test_every_model_says_how_its_figures_are_made_again() -> None:
    assert EVALUATIONS.keys() <= RECIPES.keys()
    for name in EVALUATIONS:
        assert f"`semphy evaluate {name}`" in (bundled(name) / "README.md").read_text(), name


def test_facts_of_a_captioner(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    status, text, _ = run("evaluate", "tiny-blip", "--max-sources", "4", "--out", str(out))
    assert status == 0
    head, titles, line = text.splitlines()
    assert head.startswith("# tiny-blip: unseen scenes")
    cells = dict(zip(titles.split()[1:], line.split(), strict=True))
    facts = sum(4 * len(scene.things) + 1 for scene in unseen_scenes(4, 5))
    right, total = map(int, cells["count"].split("/"))
    assert total >= facts
    assert right > 0.9 * total  # the card says 99.8 %
    assert float(cells["value"]) == pytest.approx(right / total, abs=5e-5)
    assert float(cells["low"]) <= float(cells["value"]) <= float(cells["high"])
    assert cells["against"] == "another-scene"
    kept = json.loads(out.read_text())
    assert (kept["model"], kept["max_sources"], kept["seed"]) == ("tiny-blip", 4, 5)
    assert kept["rows"][0]["found"]["right"] == right
    assert kept["versions"]["torch"]


def test_any_folder_in_the_layout(run: Run, tmp_path: Path) -> None:
    shutil.copytree(bundled("scenes-judge"), tmp_path / "mine")
    arguments = ("--max-sources", "5", "--seed", "3", "--json")
    _, ours, _ = run("evaluate", "scenes-judge", *arguments)
    status, theirs, _ = run("evaluate", str(tmp_path / "mine"), "--as", "scenes-judge", *arguments)
    assert status == 0
    first, second = json.loads(ours), json.loads(theirs)
    assert first["rows"] == second["rows"]
    assert first["digest"] == second["digest"] == digest_of_model(tmp_path / "mine")
    assert (second["folder"], second["seed"]) == (str(tmp_path / "mine"), 3)
    assert [row["at"] for row in second["rows"]][:2] == ["clean", "blurred"]


def test_masks_of_scenes(run: Run) -> None:
    status, out, _ = run("evaluate", "tiny-scene-segmenter", "--max-sources", "3", "--json")
    rows = {(row["figure"], row["at"]): row for row in json.loads(out)["rows"]}
    assert status == 0
    for size in (64, 128, 256):
        found = rows["main-object-iou", f"{size}px"]
        assert found["found"]["sources"] == 3
        assert found["found"]["value"] > 0.7 > found["baseline"]["value"]


@pytest.mark.slow
def test_words_of_held_out_captions(run: Run, tmp_path: Path) -> None:
    (tmp_path / "coco_captions").mkdir()
    (tmp_path / "flickr8k").mkdir()
    lines = [f"{index},A dog runs on the beach with ball {index}." for index in range(200)]
    for file in ("flickr8k/captions.txt", "coco_captions/captions.csv"):
        (tmp_path / file).write_text("\n".join(["image,caption", *lines]))
    arguments = ("--data", str(tmp_path), "--max-sources", "6", "--json")
    status, out, _ = run("evaluate", "tiny-corrector", *arguments)
    made = json.loads(out)
    rows: dict[tuple[str, str], Any] = {(row["figure"], row["at"]): row for row in made["rows"]}
    assert status == 0
    assert len(made["data"]) == 2
    for at in ("cer=0.01", "cer=0.03", "cer=0.06"):
        mended, damaged = (rows[name, at] for name in ("words-mended", "words-damaged"))
        assert mended["found"]["total"] + damaged["found"]["total"] == 6 * 9
        assert mended["against"] == damaged["against"] == "dictionary"


@pytest.mark.slow
def test_psnr_of_photographs(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    kodak = tmp_path / "kodak24"
    kodak.mkdir()
    rng = np.random.default_rng(1)
    for index in range(2):
        small = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
        Image.fromarray(small).resize((96, 64), Image.Resampling.BICUBIC).save(kodak / f"{index}.png")
    monkeypatch.setenv("SEMPHY_DATA", str(tmp_path))
    DeepJSCC2019(8).save_pretrained(tmp_path / "mine")
    status, out, _ = run("evaluate", str(tmp_path / "mine"), "--as", "jscc-2019-c8", "--json")
    rows = json.loads(out)["rows"]
    assert status == 0
    assert [row["at"] for row in rows] == ["1dB", "7dB", "10dB", "13dB", "19dB"]
    for row in rows:
        assert row["found"]["value"] < row["baseline"]["value"] - 5  # what was never trained
        assert (row["unit"], row["against"], row["found"]["sources"]) == ("dB", "tiny-jscc", 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tiny-parrot"], ["tiny-parrot", "tiny-corrector"]),
        (["tiny-jscc"], ["kodak24", "semphy fetch kodak24", "--data"]),
        (["tiny-segmenter"], ["voc2012_seg_eval", "semphy fetch voc2012", "--data"]),
        (["tiny-corrector", "--data", "/nowhere"], ["/nowhere", "coco_captions", "SEMPHY_DATA"]),
        (["tiny-blip", "--out", "/nowhere/figures.json"], ["/nowhere/figures.json"]),
        (["/nowhere", "--as", "tiny-blip"], ["/nowhere", "no folder"]),
        ([str(bundled("tiny-blip"))], ["--as", "tiny-blip"]),
        ([str(bundled("tiny-blip")), "--as", "tiny-parrot"], ["tiny-parrot", "tiny-corrector"]),
        ([str(bundled("tiny-blip")), "--as", "tiny-corrector"], ["a BlipForCond", "BartForCond"]),
        ([str(bundled("tiny-blip")), "--as", "tiny-captioner"], ["a BlipForCond", "LlavaForCond"]),
        ([str(bundled("scenes-judge")), "--as", "tiny-generator"], ["a scene-judge", "StableDiff"]),
        ([str(bundled("tiny-blip").parent), "--as", "tiny-blip"], ["holds no model"]),
        (["tiny-blip", "--max-sources", "0"], ["--max-sources"]),
        (["tiny-blip", "--confidence", "2"], ["confidence"]),
    ],
)
def test_mistakes_are_one_line_and_status_2(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    monkeypatch.setenv("SEMPHY_DATA", str(tmp_path))
    status, out, err = run("evaluate", *arguments)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1, err
    assert all(word in err for word in words), err
