"""Recipes for scenes: what is drawn and what is lost."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tiny.recipes import SCENE, SKETCH

from bridge.training.scenes import feature as scene_feature
from bridge.training.scenes.batches import (
    IGNORED,
    Ahead,
    draw_scene,
    fused_caption,
    pixel_values,
    scene_tokenizer,
    to_ids,
)
from bridge.training.scenes.captioning import caption_batches
from bridge.training.scenes.captioning.caption_batches import CaptionBatches
from bridge.training.scenes.captioning.hints import (
    PatchPlaces,
    fact_loss,
    patch_facts,
    place_facts,
    place_waves,
)
from bridge.training.scenes.drawing import generator as scene_generator
from bridge.training.scenes.drawing import generator_batches
from bridge.training.scenes.drawing.generator_batches import GeneratorBatches
from bridge.training.scenes.drawing.vae import PictureBatches
from semantic.models.captioning import QUERY, LLaVA
from semantic.scenes.captions import describe
from semantic.scenes.draw import draw, masks
from semantic.scenes.judge import HEADS
from semantic.scenes.scene import Scene, Thing, sample_scene

pytestmark = pytest.mark.slow

# --- what is drawn


def test_tokenizer_writes_what_it_read_and_knows_every_word_of_captions() -> None:
    tokenizer = scene_tokenizer(128)
    for text in (describe(SCENE), fused_caption(SCENE), QUERY, "Zwölf Boxkämpfer?"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    texts = [describe(sample_scene([7, index])) for index in range(200)]
    words = max(len(text.replace(",", " ,").replace(".", " .").split()) for text in texts)
    assert max(len(ids) for ids in tokenizer(texts)["input_ids"]) == words < caption_batches.MOST


def test_ids_are_framed_cut_and_filled_up() -> None:
    core = scene_tokenizer(128).backend_tokenizer
    red, star = core.encode(" red").ids[0], core.encode(" star").ids[0]
    assert to_ids(core, [" red star", " red"], 9, start=True).tolist() == [[0, red, star, 2], [0, red, 2, 1]]
    assert to_ids(core, [" red star"], 2, start=False).tolist() == [[red, 2]]
    assert to_ids(core, [""], 4, start=True, full=True).tolist() == [[0, 2, 1, 1]]
    framed = scene_tokenizer(6, frame=True)
    kept = framed(describe(SCENE), truncation=True, padding="max_length")["input_ids"]
    assert to_ids(core, [describe(SCENE)], 6, start=True, full=True).tolist() == [kept]


def test_batches_depend_on_seed_and_step_only_and_workers_draw_the_same() -> None:
    draw_batch = PictureBatches(2, seed=3)
    ahead = Ahead(draw_batch, workers=1)
    for step in (4, 5, 9):  # the last out of turn, as after an interruption
        assert all(map(np.array_equal, ahead(step), draw_batch(step)))
    assert not np.array_equal(draw_batch(4)[0], draw_batch(5)[0])
    core = scene_tokenizer(96).backend_tokenizer
    rows = GeneratorBatches(core, 3, 1, 0.5)
    first, second = rows(7), rows(7)
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_pixels_are_those_of_the_image_processors(captioner_folder: Path) -> None:
    pictures, *_ = CaptionBatches(scene_tokenizer(96).backend_tokenizer, 4, 1, 0.0, False, 8)(0)
    processor = LLaVA.from_pretrained(captioner_folder).processor.image_processor
    expected = processor(list(pictures), return_tensors="pt").pixel_values
    torch.testing.assert_close(pixel_values(pictures, "cpu"), expected, rtol=0, atol=1e-6)


def test_main_slice_is_the_box_of_an_object() -> None:
    for row in range(5):
        scene, _ = draw_scene(1, 1, row)
        piece = generator_batches.main_slice(scene, draw(scene))
        assert 8 <= min(piece.shape[:2]) <= max(piece.shape[:2]) <= 18  # radii of 6 and 9 units
        larger = generator_batches.main_slice(scene, draw(scene), (1, 1, 1, 1))
        assert np.array_equal(larger[1:-1, 1:-1], piece)


def test_patches_show_the_object_that_covers_them_most() -> None:
    scene = Scene(
        (
            Thing("square", "red", "large", "plain", "top left"),
            Thing("ring", "cyan", "small", "plain", "right"),
        ),
        "snow",
    )
    facts = patch_facts(scene, masks(scene, 64), 8)
    names = [None if shape == 0 else HEADS["shape"][shape] for shape in facts[:, 0]]
    inside = [(row, column) for row in range(8) for column in range(8) if names[8 * row + column] == "square"]
    assert inside == [(row, column) for row in range(3) for column in range(3)]  # from 3 to 19 of 64 units
    ring = [index for index, name in enumerate(names) if name == "ring"]
    assert {(index // 8, index % 8) for index in ring} <= {
        (row, column) for row in (3, 4) for column in (5, 6, 7)
    }
    assert ring
    assert all(HEADS["colour"][facts[index, 1]] == "cyan" for index in ring)
    empty = [index for index, name in enumerate(names) if name is None]
    assert (facts[empty, 1:4] == IGNORED).all()
    assert (HEADS["background"][facts[0, 4]], HEADS["light"][facts[0, 5]]) == ("snow", "none")
    assert (facts[1:, 4:] == IGNORED).all()


def test_losses_of_facts_are_least_where_all_is_right() -> None:
    scenes = [sample_scene([3, index]) for index in range(8)]
    facts = torch.from_numpy(np.stack([place_facts(scene) for scene in scenes]))
    values = [len(each) for each in HEADS.values()]
    right = [F.one_hot(kind.clamp(min=0), count) for kind, count in zip(facts.unbind(2), values, strict=True)]
    sure = 30.0 * torch.cat(right, dim=2)
    assert fact_loss(sure, facts) < 1e-6
    # Nothing known: every kind costs the logarithm of its values, shapes twice (empty and not).
    unknown = sum(math.log(count) for count in values) + math.log(values[0])
    assert fact_loss(torch.zeros_like(sure), facts).item() == pytest.approx(unknown, rel=1e-5)


@pytest.mark.parametrize("name", ["generator", "feature"])
def test_going_on_begins_with_what_was_finished(
    name: str,
    vae_folder: Path,
    words_folder: Path,
    generator_folder: Path,
    feature_folder: Path,
    tmp_path: Path,
) -> None:
    """What is written at once is what was read, file by file."""
    if name == "generator":
        folder = generator_folder
        recipe = scene_generator.generator(vae_folder, folder, seed=2, batch=2, sizes=SKETCH)
    else:
        folder = feature_folder
        recipe = scene_feature.feature(words_folder, generator_folder, folder, seed=2, batch=8)
    recipe.save(recipe.make(), tmp_path)
    files = sorted(file.relative_to(tmp_path) for file in tmp_path.glob("**/*.safetensors"))
    assert len(files) == 5
    for file in files:
        read, written = load_file(folder / file), load_file(tmp_path / file)
        assert read.keys() == written.keys()
        assert all(torch.equal(tensor, written[name]) for name, tensor in read.items())


def test_no_model_tells_where_it_was_made(generator_folder: Path, feature_folder: Path) -> None:
    written = [file for folder in (generator_folder, feature_folder) for file in folder.glob("**/*.json")]
    assert len(written) > 10
    root = str(generator_folder.parent)
    assert [file for file in written if root in file.read_text(encoding="utf-8")] == []


def test_patches_in_their_order_lose_least() -> None:
    head = PatchPlaces(8, 4)
    with torch.no_grad():
        for layer, first in ((head.rows, 0), (head.columns, 4)):
            layer.weight.copy_(30.0 * torch.eye(8)[first : first + 4])
            layer.bias.zero_()
    patches = torch.stack([torch.eye(4).repeat_interleave(4, 0), torch.eye(4).repeat(4, 1)], 1).flatten(1)
    assert head(patches[None]) < 1e-6
    assert head(patches.flip(0)[None]) > 30
    assert head(torch.zeros(1, 16, 8)).item() == pytest.approx(2 * math.log(4), rel=1e-5)


def test_place_waves_tell_all_places_apart() -> None:
    waves = place_waves(8, 32)
    assert waves.square().mean().item() == pytest.approx(0.5, abs=1e-6)
    likeness = F.cosine_similarity(waves[:, None], waves[None], dim=2)
    assert (likeness - torch.eye(64) < 0.99).all()
