"""Models that know drawn scenes alone are not asked about photographs, unless somebody insists."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from semantic.samples.pictures import sample_pictures
from semantic.scenes import dataset
from semantic.zoo.presets import resolve

Run = Callable[..., tuple[int, str, str]]

COMPARE = ["compare", "--systems", "text-only", "--snr", "100", "--cbr", "1/2", "--max-sources", "1"]
QUICK = ["--set", "options.text-only.steps=1", "--metrics", "psnr", "--image-size", "64", "--json"]


def test_a_photograph_is_refused_in_one_line_that_names_the_models(run: Run) -> None:
    status, _, err = run(*COMPARE)
    assert status == 2
    assert "text-only asks captioner=tiny-captioner, generator=tiny-generator, trained on drawn" in err
    assert "astronaut is none: give --images scenes:medium, other --models, or --force" in err
    assert len(err.strip().splitlines()) == 1


def test_send_and_captioners_refuse_it_too(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (name, pixels), *_ = sample_pictures(64)
    Image.fromarray(pixels).save(folder / f"{name}.png")
    (folder / "captions.csv").write_text(f"image,caption\n{name}.png,A person.\n")
    for command in (
        ["send", "--system", "vlf-msc", "--image", name, "--snr", "3", "--out", str(tmp_path / "out")],
        ["captioners", "--models", "tiny-blip", "--images", str(folder)],
    ):
        status, _, err = run(*command)
        assert status == 2 and "trained on drawn scenes alone" in err, err
        assert "or --force" in err


def test_a_copy_of_a_bundled_model_is_known_by_its_card(run: Run, tmp_path: Path) -> None:
    shutil.copytree(resolve("tiny-captioner"), tmp_path / "mine")
    models = f"tiny,captioner={tmp_path / 'mine'},generator=tiny-generator"
    status, _, err = run(*COMPARE, "--models", models)
    assert status == 2 and f"captioner={tmp_path / 'mine'}" in err


@pytest.mark.slow
def test_who_insists_is_answered_and_scenes_from_files_are_scenes(run: Run, tmp_path: Path) -> None:
    (scene,) = dataset.load(1, seed=3, difficulty="medium")
    Image.fromarray(scene.pixels).save(tmp_path / "scene.png")
    for images in (["--force"], ["--images", str(tmp_path / "scene.png")]):
        status, out, err = run(*COMPARE, *QUICK, *images)
        assert status == 0, err
        assert len(json.loads(out)["rows"]) == 1


def test_systems_without_such_models_take_any_picture(run: Run) -> None:
    status, _, err = run(*COMPARE, *QUICK[2:], "--systems", "deep-jscc", "--models", "tiny")
    assert status == 0, err
