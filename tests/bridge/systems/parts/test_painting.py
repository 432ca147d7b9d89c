"""A generator that is told the same draws once; whatever differs is drawn anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bridge.systems.parts import painting
from bridge.systems.parts.painting import paint
from semantic.networks.pixels import Picture


class Painter:
    """Draws its own number of calls."""

    size = (32, 32)
    step = 8

    def __init__(self) -> None:
        self.calls = 0

    def generate(self, *, seeds: list[int], size: tuple[int, int], **told: Any) -> list[Picture]:
        self.calls += 1
        return [np.full((*size, 3), self.calls, np.uint8)]


TOLD: dict[str, Any] = {
    "prompts": ["a dog"],
    "images": [np.zeros((4, 4, 3), np.uint8)],
    "features": torch.zeros(1, 2, 3),
    "scale": 0.6,
}


@pytest.mark.parametrize(
    "other",
    [
        {"prompts": ["a dog "]},
        {"prompts": ["a dog", ""]},
        {"prompts": [["a dog"]]},
        {"images": [np.eye(4, dtype=np.uint8)[..., None].repeat(3, 2)]},
        {"images": [np.zeros((4, 4, 3), np.int8)]},
        {"images": [np.zeros((2, 8, 3), np.uint8)]},
        {"features": torch.full((1, 2, 3), 1e-30)},
        {"scale": 0.6000000001},
        {"steps": 5},
    ],
)
def test_what_differs_is_drawn_anew(other: dict[str, Any]) -> None:
    painter = Painter()
    first = paint(painter, (32, 32), 1, **TOLD)
    assert (paint(painter, (32, 32), 1, **TOLD | {"features": torch.zeros(1, 2, 3)}) == first).all()
    assert painter.calls == 1
    assert (paint(painter, (32, 32), 1, **TOLD | other) == 2).all()
    for size, seed in (((32, 64), 1), ((32, 32), 2)):
        paint(painter, size, seed, **TOLD)
    assert painter.calls == 4


def test_pictures_are_the_callers_own_and_generators_share_none() -> None:
    one, other = Painter(), Painter()
    paint(one, (32, 32), 1, **TOLD)[:] = 99
    assert (paint(one, (32, 32), 1, **TOLD) == 1).all()
    paint(other, (32, 32), 1, **TOLD)
    assert (one.calls, other.calls) == (1, 1)


def test_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(painting, "_MOST", 2)
    painter = Painter()
    for seed in (1, 2, 1, 3, 1, 2):  # 2 is the oldest when 3 comes
        paint(painter, (32, 32), seed, **TOLD)
    assert painter.calls == 4
