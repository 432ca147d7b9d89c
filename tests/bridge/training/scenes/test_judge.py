"""The judge's training: rows show what their facts say, the loss by hand, and one loop for it as for all."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bridge.training.scenes.batches import IGNORED
from bridge.training.scenes.distortions import DISTORTIONS
from bridge.training.scenes.judge import JudgedPictures, judge
from bridge.training.trainer import AnotherRun, train
from semantic.scenes.draw import draw
from semantic.scenes.judge import HEADS, SceneJudge
from semantic.scenes.scene import PLACES, chooser, sample_scene


def test_rows_show_what_their_facts_say() -> None:
    pictures, facts = JudgedPictures(64, 7)(3)
    assert (pictures.shape, facts.shape) == ((64, 64, 64, 3), (64, 9, 6))
    shapes, backgrounds = facts[:, :, 0], facts[:, 0, 4]
    bare = (shapes == 0).all(axis=1)
    assert np.flatnonzero(bare).tolist() == [0, 16, 32, 48]
    assert (facts[bare][:, :, 1:] == IGNORED).all()
    agreed = there = 0
    for seen, shape, background in zip(
        SceneJudge.from_pretrained().read(list(pictures)), shapes, backgrounds, strict=True
    ):
        for place, kind in zip(PLACES, shape, strict=True):
            names = {thing.place: thing.shape for thing in seen.objects}
            agreed += names.get(place, "empty") == HEADS["shape"][kind]
            there += 1
        if background != IGNORED:
            agreed += seen.background == HEADS["background"][background]
            there += 1
    # The bundled judge reads 97 % of the facts and more under each distortion, some of these twice.
    assert agreed > 0.95 * there


def test_batches_depend_on_seed_and_step_only() -> None:
    draw = JudgedPictures(4, 2)
    assert all(map(np.array_equal, draw(5), draw(5)))
    assert not np.array_equal(draw(5).pictures, draw(6).pictures)
    assert not np.array_equal(draw(5).pictures, JudgedPictures(4, 3)(5).pictures)


class _Scores(torch.nn.Module):
    """Gives the same score to all values, or a high one to those that are true."""

    def __init__(self, facts: torch.Tensor | None) -> None:
        super().__init__()
        self.facts = facts

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        scores = {}
        for kind, (name, values) in enumerate(HEADS.items()):
            rows = (len(pictures), 9) if name not in ("background", "light") else (len(pictures),)
            scores[name] = torch.zeros(*rows, len(values))
            if self.facts is not None:
                told = self.facts[:, :, kind] if len(rows) == 2 else self.facts[:, 0, kind]
                scores[name].scatter_(-1, told.clamp(min=0)[..., None], 50.0)
        return scores


def test_loss_by_hand() -> None:
    recipe = judge(seed=1, batch=8)
    unknown = sum(math.log(len(values)) for values in HEADS.values())
    assert recipe.loss(_Scores(None), 0).item() == pytest.approx(unknown, rel=1e-5)
    facts = torch.from_numpy(JudgedPictures(8, 1)(0).facts)
    assert recipe.loss(_Scores(facts), 0).item() == pytest.approx(0, abs=1e-5)


@pytest.mark.slow
def test_an_interrupted_training_is_the_same(tmp_path: Path) -> None:
    recipe = judge(seed=3, batch=4)
    whole = train(recipe, 4, tmp_path / "whole", seed=3)
    parts = train(recipe, 4, tmp_path / "parts", seed=3, until=3)
    with pytest.raises(AnotherRun, match="another folder"):
        train(recipe, 4, tmp_path / "parts", seed=5)
    assert parts + train(recipe, 4, tmp_path / "parts", seed=3) == whole
    first, second = (SceneJudge.from_pretrained(tmp_path / name).state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert {file.name for file in (tmp_path / "parts").iterdir()} == {
        "config.json",
        "model.safetensors",
        "loss.csv",
    }


@pytest.mark.slow
def test_training_lowers_the_loss(tmp_path: Path) -> None:
    losses = train(replace(judge(seed=1, batch=8), warm_up=5), 20, tmp_path)
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.7


@pytest.mark.parametrize("name", DISTORTIONS)
def test_distortions_keep_the_size_and_most_of_the_picture(name: str) -> None:
    changed = []
    for seed in range(5):
        picture = draw(sample_scene(seed))
        made = DISTORTIONS[name](picture, chooser(seed))
        assert (made.shape, made.dtype) == (picture.shape, np.uint8)
        changed.append(np.abs(made.astype(int) - picture).mean())
    assert 0 < max(changed) < 25
