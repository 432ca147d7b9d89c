"""Every training by name at its own size: four steps leave a model that loads, and a card."""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Callable
from contextlib import redirect_stderr
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from benchmarks.cli.main import main
from benchmarks.machine.training import Trained, train_model
from bridge.models import TIERS, Models
from bridge.training import recipes, trainer
from bridge.training.recipes import RECIPES
from bridge.training.scenes.drawing.vae import frozen_vae
from bridge.training.trainer import train
from semantic.models.features import VisionLanguageFeature
from semantic.scenes.judge import SceneJudge
from semantic.zoo.presets import PRESETS

STEPS = 4
FEW = 4
"""Files of a folder: enough for crops to differ, and few enough to be read in no time."""

OF_NO_ROLE: dict[str, Callable[[Path], object]] = {
    "jscc": lambda folder: Models((("jscc", str(folder)),)).jscc,
    "corrector": lambda folder: Models((("corrector", str(folder)),)).corrector,
    "text-jscc": lambda folder: Models((("text-jscc", str(folder)),)).text_jscc,
    "jscc-2019-c8": lambda folder: Models((("jscc", str(folder)),)).jscc,
    "jscc-2019-c16": lambda folder: Models((("jscc", str(folder)),)).jscc,
    "tiny-generator-vae": frozen_vae,
    "tiny-feature-words": VisionLanguageFeature.from_pretrained,
    "scenes-judge": SceneJudge.from_pretrained,
}
"""What loads the models that are neither in a tier nor a preset with a role."""


def link_few(source: Path, target: Path) -> None:
    """Make a folder that holds the first files of another one, and so on within it."""
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.symlink_to(source)
        return
    for entry in sorted(source.iterdir())[:FEW]:
        link_few(entry, target / entry.name)


class Trainings:
    """Trains each model once, behind those that it builds on, all in one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._made: dict[str, tuple[Trained, str]] = {}

    def __call__(self, name: str) -> tuple[Trained, str]:
        """Return what was made and the log; skip the test where its data are missing."""
        if name not in self._made:
            self.find(name)
            with redirect_stderr(io.StringIO()) as log:
                made = train_model(name, STEPS, self.root, self.root / name, 1, "cpu", False)
            self._made[name] = made, log.getvalue()
        return self._made[name]

    def find(self, name: str) -> None:
        """Put data beside the models: other models are trained, files linked."""
        entry, named = RECIPES[name], os.environ.get("SEMPHY_DATA")
        for each in (*entry.data, *entry.optional):
            if each in RECIPES:
                self(each)
            elif named and (Path(named) / each).exists():
                link_few(Path(named) / each, self.root / each)
            elif each in entry.data:
                pytest.skip(f"{name} learns from {each}: set SEMPHY_DATA to a folder that has it")


@pytest.fixture(scope="module")
def trainings(tmp_path_factory: pytest.TempPathFactory) -> Trainings:
    return Trainings(tmp_path_factory.mktemp("trainings"))


def load(name: str, folder: Path) -> None:
    """Load a model as a run does: by all roles that it plays in the tiny tier, or by its preset's."""
    if name in OF_NO_ROLE:
        OF_NO_ROLE[name](folder)
        return
    parts = {role: place.partition("/") for role, place in TIERS["tiny"].items()}
    places = {role: str(folder / inside) for role, (preset, _, inside) in parts.items() if preset == name}
    places = places or {PRESETS[name].role: str(folder)}
    models = Models(tuple(places.items()))
    for role in places.keys() - {"ip-adapter"}:  # which the generator loads
        getattr(models, role.replace("-", "_"))


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_four_steps_leave_a_model_that_loads(trainings: Trainings, name: str) -> None:
    made, log = trainings(name)
    folder = trainings.root / name
    assert f"step {STEPS} of {STEPS}: loss" in log
    assert math.isfinite(made.loss)
    head, line = (folder / "loss.csv").read_text().splitlines()
    assert (head, line.split(",")[0]) == ("step,loss", str(STEPS))
    files = sorted(folder.glob("**/*.safetensors"))
    assert files and all(file.name != "checkpoint.safetensors" for file in files)
    tensors = {(file, key): value for file in files for key, value in load_file(file).items()}
    assert made.values == sum(tensor.numel() for tensor in tensors.values())
    assert [key for key, tensor in tensors.items() if not torch.isfinite(tensor).all()] == []
    assert f"# {name}\n" in (folder / "README.md").read_text()
    load(name, folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tiny-scene-segmenter", "jscc-2019-c8", "scenes-judge"])
def test_interrupted_at_half_it_becomes_the_same_model(
    trainings: Trainings,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trainings(name)
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "train", partial(train, until=STEPS // 2))
        places = recipes.find_data(name, trainings.root).places
        recipes.prepare(name, places, 1, "cpu")(STEPS, tmp_path, True)
    assert [file.name for file in tmp_path.glob("*.safetensors")] == ["checkpoint.safetensors"]
    arguments = ["train", name, "--steps", str(STEPS), "--data", str(trainings.root), "--out", str(tmp_path)]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--json"])
    assert not ended.value.code
    assert json.loads(capsys.readouterr().out)["resumed"]
    whole, parts = (load_file(at / "model.safetensors") for at in (trainings.root / name, tmp_path))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(tensor, parts[key]) for key, tensor in whole.items())
