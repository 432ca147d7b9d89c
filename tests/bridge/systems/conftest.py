"""Tiny models, a picture and a context for semantic systems."""

from __future__ import annotations

import numpy as np
import pytest
from tiny.semantic_systems import (
    SEED,
    Picture,
)
from tiny.systems import write_models

from bridge.models import Models
from bridge.systems.context import Context
from bridge.systems.system import Source
from phy.channels.flat import AWGN


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[str, str], ...]:
    """A tiny checkpoint for every role, in the hub's layout."""
    folders = write_models(tmp_path_factory.mktemp("models"))
    return tuple((role, str(folder)) for role, folder in folders.items())


@pytest.fixture(scope="module")
def models(places: tuple[tuple[str, str], ...]) -> Models:
    return Models(places)


@pytest.fixture
def context(models: Models) -> Context:
    return Context(AWGN(), models=models, seed=SEED)


@pytest.fixture(scope="module")
def picture() -> Picture:
    y, x = np.mgrid[0:40, 0:48]
    waves = np.stack([128 + 90 * np.sin(x / 6), 4 * x, 5 * y], axis=-1)
    return waves.clip(0, 255).astype(np.uint8)


@pytest.fixture
def source(picture: Picture) -> Source:
    return Source("waves", image=picture)
