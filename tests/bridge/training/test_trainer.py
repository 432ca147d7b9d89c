"""Training: an interrupted run is the same run, and every recipe takes its first steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bridge.training.analog import through, weighed
from bridge.training.photographs.deep_jscc import bourtsoulatze, nested
from bridge.training.photographs.pictures import Photographs
from bridge.training.trainer import Recipe, train
from phy.channels.flat import AWGN, Rayleigh
from phy.random import Stream
from semantic.networks.jscc import DeepJSCC2019, NestedJSCC


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(3)
    for index in range(12):
        small = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
        Image.fromarray(small).resize((80, 72), Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    return folder


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(DeepJSCC2019.from_pretrained(folder).state_dict())


@pytest.mark.slow
def test_resumption_gives_the_same_weights(photographs: Path, tmp_path: Path) -> None:
    recipe = bourtsoulatze([photographs], 4, batch=4, side=32)
    whole = train(recipe, 8, tmp_path / "whole")
    first = train(recipe, 8, tmp_path / "parts", until=5)
    assert not (tmp_path / "parts" / "model.safetensors").exists()
    rest = train(recipe, 8, tmp_path / "parts")
    assert first + rest == whole
    expected, found = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert not (tmp_path / "parts" / "checkpoint.safetensors").exists()


def test_a_checkpoint_of_another_run_is_refused(photographs: Path, tmp_path: Path) -> None:
    recipe = bourtsoulatze([photographs], 4, batch=4, side=32)
    train(recipe, 8, tmp_path, until=2)
    with pytest.raises(ValueError, match="another folder"):
        train(recipe, 9, tmp_path)


@pytest.mark.slow
def test_training_lowers_the_loss(photographs: Path, tmp_path: Path) -> None:
    recipe = replace(bourtsoulatze([photographs], 4, batch=8, side=32), rate=3e-3, warm_up=5)
    losses = train(recipe, 80, tmp_path)
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.3
    assert (tmp_path / "loss.csv").read_text().splitlines()[0] == "step,loss"


def test_nested_recipe(photographs: Path, tmp_path: Path) -> None:
    recipe = nested([photographs], batch=2, side=64, width=16, depth=1)
    losses = train(recipe, 3, tmp_path)
    assert np.isfinite(losses).all()
    model = NestedJSCC.from_pretrained(tmp_path)
    assert model.settings["width"] == 16


def test_values_meet_the_channel_at_half_the_power_a_real() -> None:
    values = torch.randn(4, 20000, generator=torch.Generator().manual_seed(1)) * 7
    heard = through(values, AWGN(), 10.0, Stream(1).batch(range(4)))
    sent = values * (0.5 / values.square().mean(1, keepdim=True)).sqrt()
    noise = (heard - sent).square().mean()
    # 80,000 values of variance 1/20: the mean square has a standard error of 0.5 %.
    assert abs(float(noise) / 0.05 - 1) < 0.02


def test_noise_is_told_for_each_value() -> None:
    values = torch.randn(2, 40_000, generator=torch.Generator().manual_seed(2))
    heard, noise = weighed(values, Rayleigh(), 10.0, Stream(1).batch(range(2)))
    sent = values * (0.5 / values.square().mean(1, keepdim=True)).sqrt()
    # Of a real it is half of N0 / |h|^2, and gains differ from symbol to symbol: 80,000 ratios of mean 1/2.
    ratio = ((heard - sent).square() / noise).mean()
    assert noise.std() > 0.1
    assert abs(float(ratio) - 0.5) < 0.01
    assert torch.equal(noise[:, ::2], noise[:, 1::2])


def test_crops_depend_on_seed_and_step_only(photographs: Path) -> None:
    data = Photographs([photographs], 32)
    assert torch.equal(data.crops(3, 1, 7), data.crops(3, 1, 7))
    assert not torch.equal(data.crops(3, 1, 7), data.crops(3, 1, 8))


def test_photographs_that_are_too_small(photographs: Path) -> None:
    with pytest.raises(ValueError, match="500 pixels"):
        Photographs([photographs], 500)


def test_masks_are_no_photographs(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((64, 64), np.uint8)).convert("P").save(tmp_path / "mask.png")
    with pytest.raises(ValueError, match=r"mask\.png has a palette"):
        Photographs([tmp_path], 32)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n broken"])
def test_a_broken_picture_is_named(photographs: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.png' is no readable picture"):
        Photographs([photographs, tmp_path], 32)


def test_no_steps(photographs: Path, tmp_path: Path) -> None:
    recipe = Recipe("x", lambda: torch.nn.Linear(1, 1), lambda m, s: m.weight.sum(), lambda m, f: None, 1e-3)
    with pytest.raises(ValueError, match="at least one"):
        train(recipe, 0, tmp_path)
