"""Tiny models that the recipes for scenes have trained for some steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny.recipes import BATCH, FEATURE, SKETCH, SMALL

from bridge.training.scenes import feature as scene_feature
from bridge.training.scenes import feature_words as scene_feature_words
from bridge.training.scenes.captioning import captioner as scene_captioner
from bridge.training.scenes.drawing import generator as scene_generator
from bridge.training.scenes.drawing import vae as scene_vae
from bridge.training.trainer import train


@pytest.fixture(scope="module")
def vae_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny-generator-vae")
    losses = train(scene_vae.vae(batch=2, sizes=SKETCH), 2, folder)
    assert np.isfinite(losses).all()
    return folder


@pytest.fixture(scope="module")
def generator_folder(vae_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny-generator")
    recipe = scene_generator.generator(vae_folder, batch=2, words_only=0.5, sizes=SKETCH)
    losses = train(recipe, 3, folder)
    assert np.isfinite(losses).all()
    return folder


@pytest.fixture(scope="module")
def words_folder(captioner_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny-feature-words")
    losses = train(scene_feature_words.feature_words(captioner_folder, batch=8, sizes=FEATURE), 3, folder)
    assert np.isfinite(losses).all()
    return folder


@pytest.fixture(scope="module")
def feature_folder(
    words_folder: Path, generator_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("tiny-feature")
    losses = train(scene_feature.feature(words_folder, generator_folder, batch=8), 2, folder)
    assert np.isfinite(losses).all()
    return folder


@pytest.fixture(scope="module")
def captioner_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny-captioner")
    recipe = replace(scene_captioner.captioner(batch=BATCH, sizes=SMALL), rate=5e-3, warm_up=2)
    losses = train(recipe, 12, folder)
    assert losses[-1] < losses[0] - 0.5
    return folder
