"""The bundled captioner of photographs, from pixels to words, whole and in quarters."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bridge.models import load_models, parse_models
from semantic.models.captioning import QUERY, PhotoCaptioner, load_captioner
from semantic.networks.meaning import LONGEST
from semantic.samples.pictures import read_picture, sample_pictures
from semantic.zoo.presets import resolve

COLOURS = {"red", "blue", "green", "yellow", "orange", "pink", "purple"}


@pytest.fixture(scope="module")
def captioner() -> PhotoCaptioner:
    found = load_captioner(resolve("photo-captioner"))
    assert isinstance(found, PhotoCaptioner)
    return found


@pytest.mark.slow
def test_it_tells_dogs_from_persons_on_photographs_of_others(
    captioner: PhotoCaptioner, data_dir: Path
) -> None:
    """Of Pascal VOC, whose captions and photographs it has not learned from."""
    folder = data_dir / "voc2012_seg_eval"
    rows = (line.split(",") for line in (folder / "list.csv").read_text().splitlines()[1:])
    shown = {name: set(classes.split()) & {"dog", "person"} for name, classes in rows}
    told = {}
    for kind in ("dog", "person"):
        names = [name for name, kinds in shown.items() if kinds == {kind}][:15]
        pictures = [read_picture(folder / "JPEGImages" / f"{name}.jpg") for name in names]
        told[kind] = sum("dog" in text.split() for text in captioner.caption(pictures, QUERY)) / len(names)
    assert told["dog"] > told["person"] + 0.3, told


@pytest.mark.slow
def test_what_it_says_depends_on_the_picture_alone(captioner: PhotoCaptioner) -> None:
    pictures = [pixels for _, pixels in sample_pictures(128)]
    quarters = [pictures[0][:64, :64], pictures[0][64:, 64:]]
    together = captioner.caption([*pictures, *quarters], "what is it?", batch_size=6)
    assert together == [captioner.caption([each])[0] for each in (*pictures, *quarters)]
    assert all(text == text.lower() and 1 < len(text.split()) <= LONGEST for text in together)
    assert len(set(together)) > 2


def test_no_colours_are_said_where_none_is_sure(captioner: PhotoCaptioner) -> None:
    draw = torch.Generator().manual_seed(1)
    meaning = torch.randn(6, captioner.model.meaning, generator=draw)
    nothing = torch.zeros(6, len(captioner.model.colours), dtype=torch.bool)
    said = [captioner.spell(pieces).split() for pieces in captioner.model.say(meaning, nothing)]
    assert len(captioner.model.colours) > 8
    assert all(COLOURS.isdisjoint(words) for words in said)


def test_it_plays_the_role_of_the_captioner() -> None:
    models = load_models(parse_models("tiny,captioner=photo-captioner"))
    assert models.check("captioner") == resolve("photo-captioner")
    assert models.strangers(["captioner"]) == []
