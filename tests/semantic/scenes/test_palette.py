"""Drawn scenes are told from photographs by their colours."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semantic.samples.pictures import read_picture, sample_pictures
from semantic.scenes import dataset
from semantic.scenes.palette import is_drawn, palette_share
from semantic.scenes.scene import Difficulty

DATA = Path(os.environ.get("SEMPHY_DATA", "/nowhere"))


@pytest.mark.parametrize("level", ["easy", "medium", "hard"])
@pytest.mark.parametrize("size", [64, 128, 256])
def test_scenes_are_drawn(level: Difficulty, size: int) -> None:
    shares = [palette_share(scene.pixels) for scene in dataset.load(12, seed=5, difficulty=level, size=size)]
    assert min(shares) > 0.9


def test_a_scene_at_another_size_stays_drawn() -> None:
    for scene in dataset.load(6, seed=9, difficulty="hard", size=256):
        assert is_drawn(np.asarray(Image.fromarray(scene.pixels).resize((180, 180), Image.Resampling.BOX)))
        assert is_drawn(
            np.asarray(Image.fromarray(scene.pixels).resize((512, 512), Image.Resampling.NEAREST))
        )


def test_photographs_and_noise_are_not() -> None:
    pictures = [*(picture for _, picture in sample_pictures()), np.full((64, 64, 3), 128, np.uint8)]
    pictures.append(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    assert not any(map(is_drawn, pictures))
    assert max(map(palette_share, pictures)) < 0.5


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "kodak24").is_dir(), reason="SEMPHY_DATA has no kodak24")
def test_kodaks_photographs_are_not() -> None:
    files = sorted((DATA / "kodak24").glob("*.png"))
    assert len(files) == 24
    assert max(palette_share(read_picture(str(file))) for file in files) < 0.25
