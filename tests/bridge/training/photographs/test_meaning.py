"""Meanings of captions, and the map from features to them, against their definitions written out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bridge.training.photographs.meaning import Meaning, Ridge, crossed, shares, words

SUBJECTS = ("dog", "boy", "horse", "boat", "bird", "skier")
PLACES = ("beach", "street", "snow", "lake")


def captions(count: int, seed: int = 1) -> list[list[list[str]]]:
    """Captions of pictures, each of one subject in one place, told in three ways."""
    draw = np.random.default_rng(seed)
    pictures = []
    for _ in range(count):
        subject, place = SUBJECTS[draw.integers(6)], PLACES[draw.integers(4)]
        told = (f"a {subject} on the {place}", f"the {place} with a {subject}", f"one {subject} is alone")
        pictures.append([words(each) for each in told])
    return pictures


def test_meanings_are_the_axes_of_rare_words() -> None:
    pictures = captions(200)
    space = Meaning.fit(pictures, 99)
    assert sorted(space.words) == sorted((*SUBJECTS, *PLACES, "alone"))  # no articles
    shown = np.array([[np.mean([w in each for each in own]) for w in space.words] for own in pictures])
    raw = np.sqrt(shown) * np.log(200 / (shown > 0).sum(axis=0))
    found = space(pictures)
    assert found.shape == (200, 11)
    np.testing.assert_allclose(space.axes.T @ space.axes, np.eye(11), atol=1e-4)
    np.testing.assert_allclose((found * space.scale) @ space.axes.T, raw - raw.mean(axis=0), atol=1e-3)
    lengths = np.linalg.svd(raw - raw.mean(axis=0), compute_uv=False)
    np.testing.assert_allclose(space.scale[:8], lengths[:8] / np.sqrt(200), rtol=1e-3)
    np.testing.assert_allclose(found[:, :8].std(axis=0), 1, atol=1e-3)


def test_meanings_survive_a_file(tmp_path: Path) -> None:
    space, others = Meaning.fit(captions(100), 4), captions(9, seed=2)
    space.save(tmp_path / "meaning.safetensors")
    again = Meaning.load(tmp_path / "meaning.safetensors")
    assert again.words == space.words
    np.testing.assert_allclose(again(others), space(others), atol=5e-3)
    (tmp_path / "other.safetensors").write_bytes(b"none")
    for name in ("other.safetensors", "absent.safetensors"):
        with pytest.raises(ValueError, match=rf"{name}' holds no meanings of captions"):
            Meaning.load(tmp_path / name)


def test_captions_that_share_no_word_have_no_meaning() -> None:
    with pytest.raises(ValueError, match="no word stands in the captions of 8 pictures"):
        Meaning.fit([[[f"word{number}"]] for number in range(20)])


def test_shares_count_a_word_once_a_caption() -> None:
    assert shares([[["dog", "dog"], ["cat"], ["a"], ["dog"]]], ("dog", "cat", "cow")).tolist() == [
        [0.5, 0.25, 0]
    ]


def test_the_map_solves_the_normal_equations() -> None:
    draw = np.random.default_rng(3)
    x = draw.normal(1, 2, (40, 6)).astype(np.float32)
    y = (x @ draw.normal(0, 1, (6, 3)) + draw.normal(0, 1, (40, 3))).astype(np.float32)
    a = (x - x.mean(axis=0)).astype(np.float64)
    penalty = 2 * np.mean((a**2).sum(axis=1))
    weight = np.linalg.solve(a.T @ a + penalty * np.eye(6), a.T @ (y - y.mean(axis=0)))
    np.testing.assert_allclose(Ridge(x, y)(x), a @ weight + y.mean(axis=0), rtol=1e-4, atol=1e-4)


def test_nobody_is_told_from_his_own_values() -> None:
    draw = np.random.default_rng(4)
    x, y = (draw.normal(0, 1, shape).astype(np.float32) for shape in ((60, 200), (60, 2)))
    assert abs(np.corrcoef(Ridge(x, y)(x)[:, 0], y[:, 0])[0, 1]) > 0.8  # noise, learned by heart
    assert abs(np.corrcoef(crossed(x, y)[:, 0], y[:, 0])[0, 1]) < 0.35
    changed = y.copy()
    changed[7] += 100
    np.testing.assert_allclose(crossed(x, changed)[7], crossed(x, y)[7], atol=1e-4)
