"""What transmitters keep of a source: found again by content and question, by nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bridge.systems.memory import recall, recall_values
from bridge.systems.system import Source


def picture(level: int) -> np.ndarray:
    return np.full((4, 6, 3), level, np.uint8)


def asked(source: Source, key: str, answers: str) -> bool:
    """Whether the model is asked; what comes back is its answer either way."""
    calls = []

    def ask() -> dict[str, np.ndarray]:
        calls.append(key)
        return {"text": np.array(answers)}

    assert str(recall(source, key, ask)["text"]) == answers
    return bool(calls)


def test_another_picture_of_the_same_name_is_asked_about_anew(tmp_path: Path) -> None:
    assert asked(Source("a.png", picture(1), folder=tmp_path), "caption", "dark")
    assert asked(Source("a.png", picture(200), folder=tmp_path), "caption", "light")


def test_the_same_picture_by_another_name_is_not(tmp_path: Path) -> None:
    assert asked(Source("a.png", picture(1), folder=tmp_path), "caption", "dark")
    assert not asked(Source("b.png", picture(1), folder=tmp_path), "caption", "dark")


def test_every_question_has_an_answer_of_its_own(tmp_path: Path) -> None:
    source = Source("a.png", picture(1), folder=tmp_path)
    assert asked(source, "caption:blip", "dark")
    assert asked(source, "caption:llava", "a dark wall")
    assert not asked(source, "caption:blip", "dark")


def test_without_a_folder_a_source_remembers_for_itself() -> None:
    first, second = Source("a.png", picture(1)), Source("a.png", picture(1))
    assert asked(first, "caption", "dark") and not asked(first, "caption", "dark")
    assert asked(second, "caption", "dark")


def test_a_damaged_answer_is_asked_for_again(tmp_path: Path) -> None:
    assert asked(Source("a.png", picture(1), folder=tmp_path), "caption", "dark")
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:40])
    assert asked(Source("a.png", picture(1), folder=tmp_path), "caption", "dark")
    assert not asked(Source("a.png", picture(1), folder=tmp_path), "caption", "dark")


def test_values_come_back_to_the_bit(tmp_path: Path) -> None:
    values = torch.randn(3, 5, generator=torch.Generator().manual_seed(1), requires_grad=True)
    first = recall_values(Source("a.png", picture(1), folder=tmp_path), "latent", lambda: values * 1)
    again = recall_values(
        Source("a.png", picture(1), folder=tmp_path), "latent", lambda: pytest.fail("asked twice")
    )
    assert torch.equal(first, values) and torch.equal(again, values) and not first.requires_grad
