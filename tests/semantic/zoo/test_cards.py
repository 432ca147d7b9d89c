"""What cards say that models have learned from."""

from __future__ import annotations

from pathlib import Path

import pytest

from semantic.zoo.cards import datasets_of
from semantic.zoo.presets import PRESETS, resolve


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\nlicense: mit\ndatasets:\n- coco\n- flickr8k\n---\n# model\n", ("coco", "flickr8k")),
        ("---\ndatasets: scenes\n---\n", ("scenes",)),
        ("---\nlicense: mit\n---\ndatasets: [scenes]\n", ()),
        ("# a card\n---\ndatasets: [scenes]\n---\n", ()),
        ("---\n- a list\n---\n", ()),
        ("---\ndatasets: [\n---\n", ()),
        ("", ()),
    ],
)
def test_the_front_matter_says_it(tmp_path: Path, text: str, expected: tuple[str, ...]) -> None:
    (tmp_path / "README.md").write_text(text)
    assert datasets_of(tmp_path) == expected
    (tmp_path / "part").mkdir()
    assert datasets_of(tmp_path / "part") == expected


def test_no_card_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    assert datasets_of(tmp_path / "model") == ()


def test_every_bundled_model_says_what_it_has_learned_from() -> None:
    known = {
        name: datasets_of(resolve(name))
        for name, preset in PRESETS.items()
        if preset.tier == "tiny" and preset.is_here
    }
    assert all(known.values())
    photographs = {name for name, data in known.items() if data != ("scenes",)}
    assert {"tiny-jscc", "tiny-segmenter", "tiny-corrector"} <= photographs
    assert {"tiny-captioner", "tiny-blip", "tiny-generator", "tiny-feature"}.isdisjoint(photographs)
