"""Procedural scenes: sampling, drawing, captions, reading them back, counting."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from semantic.scenes.captions import WORDS, caption, describe, quadrant_caption
from semantic.scenes.dataset import load
from semantic.scenes.draw import ACCENTS, PALETTE, class_map, draw, draw_background, masks
from semantic.scenes.facts import Attributes, Counts, Facts, count_right, quadrant_facts, scene_facts
from semantic.scenes.judge import BUNDLED, SceneJudge, picture_accuracy
from semantic.scenes.parse import parse, text_accuracy
from semantic.scenes.scene import (
    BACKGROUNDS,
    CENTRES,
    COLOURS,
    LIGHTS,
    PLACES,
    QUADRANTS,
    SHAPES,
    SIZES,
    TEXTURES,
    Difficulty,
    Scene,
    Thing,
    below,
    chooser,
    relation,
    sample_scene,
)
from semantic.zoo.missing import WeightsMissing

STAR = Thing("star", "red", "small", "plain", "top")


def one(shape: str, colour: str = "red", size: str = "large", texture: str = "plain", **more: str) -> Scene:
    return Scene((Thing(shape, colour, size, texture, "centre"),), more.get("background", "snow"))


# --- sampling


def test_pcg64_draws_are_those_of_the_published_generator() -> None:
    # The scaled upper bound of Lemire (2019), "Fast random integer generation in an interval", equation 2,
    # on the low words of PCG64; the raw stream is NumPy's guarantee.
    raw = np.random.PCG64(5).random_raw(100)
    generator = chooser(5)
    assert [below(generator, 10) for _ in raw] == [int(word) % 2**32 * 10 // 2**32 for word in raw]


@pytest.mark.parametrize(("difficulty", "most"), [("easy", 1), ("medium", 2), ("hard", 4)])
def test_levels(difficulty: Difficulty, most: int) -> None:
    scenes = [sample_scene([1, index], difficulty) for index in range(400)]
    assert {len(scene.things) for scene in scenes} == set(range(1, most + 1))
    assert {scene.light for scene in scenes} == set(LIGHTS if difficulty == "hard" else LIGHTS[:1])
    things = [thing for scene in scenes for thing in scene.things]
    assert {thing.texture for thing in things} == set(TEXTURES if difficulty == "hard" else TEXTURES[:1])
    for name, values in {"shape": SHAPES, "colour": COLOURS, "size": SIZES, "place": PLACES}.items():
        shares = np.array([sum(getattr(thing, name) == value for thing in things) for value in values])
        expected = len(things) / len(values)
        assert (abs(shares - expected) < 5 * expected**0.5).all()  # five standard deviations
    assert {scene.background for scene in scenes} == set(BACKGROUNDS)


def test_same_seed_same_scene() -> None:
    assert sample_scene(3) == sample_scene(3) == sample_scene(chooser(3))
    assert len({sample_scene(seed) for seed in range(500)}) == 500


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"things": ()}, "1 to 4 objects, got 0"),
        ({"things": (STAR, STAR)}, "different places"),
        ({"background": "sea"}, "background must be one of grass"),
        ({"light": "dim"}, "light must be one of none"),
        ({"grain": (0, 64)}, "grain"),
    ],
)
def test_impossible_scenes(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Scene(**({"things": (STAR,), "background": "snow"} | change))  # type: ignore[arg-type]


def test_impossible_things() -> None:
    with pytest.raises(ValueError, match="shape must be one of circle"):
        Thing("blob", "red", "small", "plain", "top")
    with pytest.raises(ValueError, match="offset of a large object must be two integers in -1"):
        Thing("star", "red", "large", "plain", "top", (2, 0))
    with pytest.raises(ValueError, match="difficulty must be one of easy"):
        sample_scene(1, "extreme")  # type: ignore[arg-type]


def test_relations_follow_from_places() -> None:
    at = {place: Thing("star", "red", "small", "plain", place) for place in PLACES}
    assert relation(at["top left"], at["top right"]) == "left of"
    assert relation(at["right"], at["centre"]) == "right of"
    assert relation(at["top right"], at["bottom left"]) == "above"
    assert relation(at["bottom"], at["centre"]) == "below"


# --- drawing


@pytest.mark.parametrize(
    ("seed", "size", "digest"),
    [(1, 64, "73530a14a0020902"), (2, 128, "27f3011ddc271288"), (3, 64, "0103b32f02af3c8c")],
)
def test_pictures_are_the_same_everywhere(seed: int, size: int, digest: str) -> None:
    assert hashlib.sha256(draw(sample_scene(seed), size).tobytes()).hexdigest()[:16] == digest


@pytest.mark.slow
@pytest.mark.parametrize("size", [64, 128])
def test_masks_agree_with_the_colours(size: int) -> None:
    for seed in range(60):
        scene = sample_scene([2, seed])
        scene = Scene(scene.things, scene.background, "none", scene.grain)
        picture, labels = draw(scene, size).astype(int), masks(scene, size)
        behind = draw_background(scene.background, scene.grain, size)
        assert labels.dtype == np.int64 and set(np.unique(labels)) == set(range(1 + len(scene.things)))
        edge = np.zeros_like(labels, dtype=bool)
        for axis, step in itertools.product((0, 1), (-1, 1)):
            edge |= np.roll(labels, step, axis) != labels
        inner = (labels == 0) & ~edge & ~np.roll(edge, 1, 0) & ~np.roll(edge, 1, 1)
        assert (picture[inner] == behind[inner]).mean() > 0.995  # thin tips reach further than one pixel
        for index, thing in enumerate(scene.things):
            ends = np.array([PALETTE[thing.colour], ACCENTS[thing.colour]])
            shown = picture[(labels == 1 + index) & ~edge]
            # Between the object's colour and its accent's, channel by channel, as antialiased patterns are.
            assert ((shown >= ends.min(0)) & (shown <= ends.max(0))).all()
            if thing.texture == "plain":
                assert (shown == ends[0]).all()
        classes = class_map(scene, size)
        for index, thing in enumerate(scene.things):
            assert (classes[labels == 1 + index] == 1 + SHAPES.index(thing.shape)).all()
        assert (classes[labels == 0] == 0).all()


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        ("circle", np.pi),
        ("ring", np.pi * 3 / 4),
        ("square", 1.7**2),
        ("triangle", 1.85),
        ("diamond", 2 * 0.78),
        ("cross", 4 * 0.7 - 0.49),
        # Ten triangles between the centre, an outer and an inner corner: 10 * R r sin(36 degrees) / 2.
        ("star", 5 * 0.47 * np.sin(np.pi / 5)),
    ],
)
def test_areas(shape: str, area: float) -> None:
    # How much of each pixel is covered shows in its blue: 40 on the object, some 230 on snow behind it.
    blue = draw(one(shape), 256)[..., 2].astype(float)
    behind = draw_background("snow", (0, 0), 256)[..., 2]
    covered = ((behind - blue) / (behind - PALETTE["red"][2])).sum()
    assert covered == pytest.approx(area * (9 * 256 / 64) ** 2, rel=0.01)


def test_places_and_offsets() -> None:
    for place, offset in itertools.product(PLACES, [(0, 0), (-4, 3)]):
        thing = Thing("circle", "blue", "small", "plain", place, offset)
        rows, columns = np.nonzero(masks(Scene((thing,), "sand"), 64))
        row, column = divmod(PLACES.index(place), 3)
        assert columns.mean() + 0.5 == pytest.approx(CENTRES[column] + offset[0])
        assert rows.mean() + 0.5 == pytest.approx(CENTRES[row] + offset[1])


def test_neighbours_never_touch() -> None:
    right = [Thing("square", "blue", "small", "plain", place, (4, 4)) for place in PLACES[:3]]
    left = [Thing("square", "blue", "small", "plain", place, (-4, -4)) for place in PLACES[:3]]
    for first, second in itertools.combinations(range(3), 2):
        labels = masks(Scene((right[first], left[second]), "sand"), 128)
        one_alone = masks(Scene((right[first],), "sand"), 128)
        assert (labels == 1).sum() == (one_alone == 1).sum()


def test_larger_pictures_are_the_same_but_finer() -> None:
    for seed in range(40):
        scene = sample_scene([4, seed])
        coarse, fine = (draw(scene, size).astype(float) for size in (64, 128))
        difference = abs(fine.reshape(64, 2, 64, 2, 3).mean((1, 3)) - coarse)
        assert (difference <= 1).mean() > 0.99 and difference.mean() < 0.5


def test_lights_order_the_brightness() -> None:
    for background in BACKGROUNDS:
        dark, none, bright = (
            draw(Scene((STAR,), background, light)).mean() for light in ("dark", "none", "bright")
        )
        assert dark < 0.6 * none and bright > none + 0.3 * (255 - none)


def test_unknown_size() -> None:
    for function in (draw, masks, class_map):
        with pytest.raises(ValueError, match="size must be one of 64, 128, 256 pixels, got 100"):
            function(one("star"), 100)


# --- captions and reading them back


def test_describe_is_canonical() -> None:
    scene = Scene((STAR, Thing("ring", "orange", "large", "dotted", "bottom left")), "night", "dark")
    assert describe(scene) == (
        "A small plain red star at the top and a large dotted orange ring at the bottom left "
        "against the night sky in dim light."
    )


@pytest.mark.slow
def test_full_captions_tell_everything() -> None:
    for seed in range(2000):
        generator = chooser([5, seed])
        scene = sample_scene(generator)
        truth = scene_facts(scene)
        for text in (caption(scene, generator, full=True), describe(scene)):
            assert parse(text) == truth, text
            counts = text_accuracy(scene, text)
            assert counts.right == counts.total == 4 * len(scene.things) + 1 + (scene.light != "none")


def test_captions_vary() -> None:
    scene = sample_scene([5, 1])
    texts = {caption(scene, seed, full=True) for seed in range(200)}
    assert len(texts) > 190
    lengths = [len(caption(sample_scene([6, seed]), seed).split()) for seed in range(300)]
    assert min(lengths) <= 7 and max(lengths) >= 30
    assert caption(scene, 7) == caption(scene, 7)


def test_partial_captions_tell_nothing_wrong() -> None:
    for seed in range(600):
        generator = chooser([7, seed])
        scene = sample_scene(generator)
        named = parse(caption(scene, generator))
        said = sum(
            (thing.shape is not None and thing.colour is not None)
            + sum(value is not None for value in (thing.size, thing.texture, thing.place))
            for thing in named.objects
        )
        said += (named.background is not None) + (named.light != "none")
        assert len(named.objects) == len(scene.things)
        assert count_right(scene, named).right == said


def test_quadrants_tell_exactly_their_objects() -> None:
    for seed in range(300):
        generator = chooser([8, seed])
        scene = sample_scene(generator)
        texts = [quadrant_caption(scene, quadrant, generator) for quadrant in QUADRANTS]
        for quadrant, text in zip(QUADRANTS, texts, strict=True):
            inside = [
                thing
                for thing in scene.things
                if (thing.centre[1] >= 32) == quadrant.startswith("bottom")
                and (thing.centre[0] >= 32) == quadrant.endswith("right")
            ]
            named = parse(text)
            assert named == quadrant_facts(scene, quadrant)
            assert {thing.place for thing in named.objects} == {thing.place for thing in inside}
            assert parse(quadrant_caption(scene, quadrant)) == named
        assert text_accuracy(scene, " ".join(texts)).accuracy == 1


def test_unknown_quadrant() -> None:
    with pytest.raises(ValueError, match="quadrant must be one of top left"):
        quadrant_caption(one("star"), "middle")


def test_words_mean_one_thing() -> None:
    kinds = [kind for kind in WORDS if kind != "pattern"]
    phrases = [phrase for kind in kinds for said in WORDS[kind].values() for phrase in said]
    assert len(phrases) == len(set(phrases))


@pytest.mark.slow
def test_a_misspelt_word_loses_only_its_own_fact() -> None:
    for seed in range(150):
        generator = chooser([9, seed])
        scene = sample_scene(generator)
        words = caption(scene, generator, full=True).split(" ")
        whole = text_accuracy(scene, " ".join(words))
        for index, word in enumerate(words):
            damaged = " ".join([*words[:index], "xq" + word[1:], *words[index + 1 :]])
            counts = text_accuracy(scene, damaged)
            assert counts.total == whole.total and counts.right >= whole.right - 1, damaged


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("", Facts()),
        ("Lorem ipsum dolor; a, an, one.", Facts()),
        ("SNOW!", Facts(background="snow")),
        ("grass and snow", Facts()),
        ("A red thing", Facts()),
        ("A tiny red thing", Facts((Attributes(colour="red", size="small"),))),
        ("\x00\ufffd disc\udc80", Facts((Attributes(shape="circle"),))),
        (
            "top-left: a hoop; left: a star",
            Facts((Attributes("ring", place="top left"), Attributes("star", place="left"))),
        ),
        ("a star to the left of a ring", Facts((Attributes("star"), Attributes("ring")))),
    ],
)
def test_free_text(text: str, facts: Facts) -> None:
    assert parse(text) == facts


# --- counting


def test_counting_by_hand() -> None:
    scene = Scene((STAR,), "snow")
    assert text_accuracy(scene, "") == Counts(0, 5)
    assert text_accuracy(scene, "A small red star on snow") == Counts(3, 5)
    assert text_accuracy(scene, "A small blue star at the top on snow in dim light") == Counts(3, 6)
    invented = "A small plain red star at the top and a large plain red ring on the left against snow."
    assert text_accuracy(scene, invented) == Counts(5, 9)
    assert text_accuracy(scene, invented).accuracy == pytest.approx(5 / 9)


def test_matching_is_the_best_there_is() -> None:
    for seed in range(200):
        truth, other = (scene_facts(sample_scene([10, seed, k])) for k in range(2))
        agree = [
            [
                ((a.shape, a.colour) == (b.shape, b.colour))
                + sum(getattr(a, name) == getattr(b, name) for name in ("size", "texture", "place"))
                for b in other.objects
            ]
            for a in truth.objects
        ]
        if len(agree) > len(agree[0]):
            agree = [list(column) for column in zip(*agree, strict=True)]
        best = max(
            sum(row[column] for row, column in zip(agree, order, strict=True))
            for order in itertools.permutations(range(len(agree[0])), len(agree))
        )
        lit = (truth.light, other.light) != ("none", "none")
        right = best + (truth.background == other.background) + (lit and truth.light == other.light)
        total = 4 * len(agree[0]) + 1 + lit
        assert count_right(truth, other) == Counts(right, total)


def test_unrelated_scenes_score_low() -> None:
    counts = [text_accuracy(sample_scene([11, k]), describe(sample_scene([12, k]))) for k in range(500)]
    assert sum(count.right for count in counts) / sum(count.total for count in counts) < 0.3


# --- as a data set


def test_load_does_not_depend_on_the_count() -> None:
    few, many = list(load(2, 5)), list(load(4, 5))
    assert [item.name for item in many] == [f"scene-hard-5-{index}" for index in range(4)]
    for item, same in zip(few, many, strict=False):
        assert item.scene == same.scene and item.captions == same.captions
        assert (item.pixels == same.pixels).all()
    for item in many:
        assert (item.pixels == draw(item.scene)).all()
        assert item.captions[0] == describe(item.scene)
        assert all(text_accuracy(item.scene, text).accuracy == 1 for text in item.captions)


@pytest.mark.parametrize("bad", [{"count": -1}, {"seed": -1}, {"size": 65}, {"difficulty": "mild"}])
def test_load_refuses_at_once(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="got"):
        load(**({"count": 1} | bad))  # type: ignore[arg-type]


# --- the judge


@pytest.fixture(scope="module")
def judge() -> SceneJudge:
    return SceneJudge.from_pretrained(BUNDLED)


def share(counts: list[Counts]) -> float:
    return sum(count.right for count in counts) / sum(count.total for count in counts)


@pytest.mark.slow
def test_judge_reads_unseen_scenes(judge: SceneJudge) -> None:
    scenes = [sample_scene([13, index]) for index in range(500)]
    seen = judge.read([draw(scene) for scene in scenes])
    assert share([count_right(scene, facts) for scene, facts in zip(scenes, seen, strict=True)]) >= 0.99
    assert share([count_right(scene, facts) for scene, facts in zip(scenes[1:], seen, strict=False)]) < 0.3
    assert picture_accuracy(scenes[0], draw(scenes[0], 128), judge) == count_right(scenes[0], seen[0])


@pytest.mark.slow
def test_judge_sees_nothing_in_noise(judge: SceneJudge) -> None:
    generator = np.random.default_rng(14)
    scenes = [sample_scene([15, index]) for index in range(100)]
    noise = [generator.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in scenes]
    counts = [picture_accuracy(scene, picture, judge) for scene, picture in zip(scenes, noise, strict=True)]
    assert share(counts) < 0.1
    bare = [
        draw_background(name, (shift, shift)).astype(np.uint8) for name in BACKGROUNDS for shift in range(20)
    ]
    assert sum(len(facts.objects) for facts in judge.read(bare)) <= 1


@pytest.mark.parametrize(
    "picture",
    [np.zeros((64, 32, 3), np.uint8), np.zeros((100, 100, 3), np.uint8), np.zeros((64, 64), np.uint8)],
)
def test_judge_asks_for_squares(judge: SceneJudge, picture: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match=r"must be \[S, S, 3\] with S a multiple of 64, got \["):
        judge.read([picture])


def test_judge_asks_for_bytes(judge: SceneJudge) -> None:
    assert judge.read([]) == []
    with pytest.raises(ValueError, match="must be uint8 in 0 to 255, got float64"):
        judge.read([np.zeros((64, 64, 3))])  # type: ignore[list-item]


def test_judge_comes_back_from_a_folder(judge: SceneJudge, tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"config.json is missing; train a judge with: semphy train"):
        SceneJudge.from_pretrained(tmp_path)
    judge.save_pretrained(tmp_path)
    again = SceneJudge.from_pretrained(tmp_path)
    state = again.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in judge.state_dict().items())
    assert sum(parameter.numel() for parameter in again.parameters()) <= 300_000
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="holds no judge of these scenes"):
        SceneJudge.from_pretrained(tmp_path)
