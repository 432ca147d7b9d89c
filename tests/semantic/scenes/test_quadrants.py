"""Quarters of scenes: places within them and back, and four descriptions read as one."""

from __future__ import annotations

import numpy as np
import pytest

from semantic.scenes.captions import describe, quadrant_caption
from semantic.scenes.draw import draw
from semantic.scenes.facts import Facts, scene_facts, things_in
from semantic.scenes.parse import parse, text_accuracy
from semantic.scenes.quadrants import cut, fuse, place_in_picture, place_in_quadrant
from semantic.scenes.scene import CENTRES, PLACES, QUADRANTS, UNITS, Scene, Thing, sample_scene


@pytest.mark.parametrize("quadrant", QUADRANTS)
def test_places_are_where_cells_lie_in_the_quarter(quadrant: str) -> None:
    row, column = divmod(QUADRANTS.index(quadrant), 2)
    for place in PLACES:
        cells = divmod(PLACES.index(place), 3)
        inner = []
        for cell, side in zip(cells, (row, column), strict=True):
            at = (CENTRES[cell] - side * UNITS // 2) / (UNITS // 2)  # 0 to 1 within the quarter
            inner.append(0 if at < 0.1 else 2 if at > 0.9 else 1)
            reachable = -0.1 <= at <= 1.1
            if not reachable:
                break
        else:
            assert place_in_quadrant(place, quadrant) == PLACES[3 * inner[0] + inner[1]]
            assert place_in_picture(place_in_quadrant(place, quadrant), quadrant) == place


def test_quarters_tile_the_picture() -> None:
    picture = draw(sample_scene(4))
    pieces = [cut(picture, quadrant) for quadrant in QUADRANTS]
    assert np.array_equal(np.vstack([np.hstack(pieces[:2]), np.hstack(pieces[2:])]), picture)


def test_four_quarters_tell_the_scene_whatever_the_words() -> None:
    for index in range(300):
        scene = sample_scene([index, 3])
        canonical = [quadrant_caption(scene, quadrant, inner=True) for quadrant in QUADRANTS]
        counts = text_accuracy(scene, fuse(canonical))
        assert counts.right == counts.total
        free = [quadrant_caption(scene, quadrant, [index, 7], inner=True) for quadrant in QUADRANTS]
        assert set(parse(fuse(free)).objects) == set(scene_facts(scene).objects)


def test_places_count_for_one_quarter_only() -> None:
    lead = "Bottom right quarter: a red star at the left."
    assert parse(lead).objects[0].place == "bottom"
    both = parse(f"Top left quarter: a red star on the right. {lead}").objects
    assert [found.place for found in both] == ["top", "bottom"]


def test_the_background_named_most_often_counts() -> None:
    texts = ["Nothing against grass.", "A red star against snow.", "Nothing against snow in dim light.", ""]
    facts = parse(fuse(texts))
    assert (facts.background, facts.light) == ("snow", "dark")
    assert parse("A red star against snow. Behind is grass.") == Facts(facts.objects, None)


def test_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="got 3"):
        fuse(["a"] * 3)
    with pytest.raises(ValueError, match="'middle'"):
        cut(draw(sample_scene(1)), "middle")
    assert "quarter" not in describe(sample_scene(1))


def test_an_object_on_a_cut_is_one_object_though_two_quarters_tell_of_it() -> None:
    ring = Thing("ring", "pink", "large", "plain", "top", (1, 0))
    scene = Scene((ring, Thing("star", "red", "small", "plain", "bottom right")), "snow")
    assert [things_in(scene, quadrant, 2) for quadrant in QUADRANTS] == [
        (ring,),
        (ring,),
        (),
        scene.things[1:],
    ]
    assert [things_in(scene, quadrant) for quadrant in QUADRANTS] == [(), (ring,), (), scene.things[1:]]
    twice = fuse([quadrant_caption(scene, quadrant, inner=True, margin=2) for quadrant in QUADRANTS])
    assert twice.count("pink ring") == 2
    assert parse(twice) == scene_facts(scene)
    # The second quarter sees it as something else: what is told first counts.
    other = twice.replace(
        "Top right quarter: A large plain pink ring", "Top right quarter: A large plain pink disc"
    )
    assert other != twice
    assert parse(other) == scene_facts(scene)
    # Within one quarter, and without quarters, nothing is left out.
    assert len(parse("Top left quarter: A red star on the right, a red ring on the right.").objects) == 2
    assert len(parse("A red star at the top, a red ring at the top.").objects) == 2
