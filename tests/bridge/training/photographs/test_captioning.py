"""Figures of captions: retrieval against its definition, nouns, and the table of a captioner of our own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from bridge.training.figures import Pooled, Share
from bridge.training.photographs import captioning
from bridge.training.photographs.captioner import captioner
from bridge.training.photographs.captioning import caption_figures, consensus, main_noun, noun_is_right
from bridge.training.photographs.meaning import Meaning, words
from bridge.training.trainer import Recipe, train
from semantic.metrics.bleu import corpus_bleu
from semantic.models.captioning import PhotoCaptioner, load_captioner
from semantic.networks.fcn_mobilenet import MobileNetFCN
from semantic.samples.captioned import load_captioned

STEPS = 60
KNOWN = {
    word for text in ("one white dog alone in the snow", "a black cat in the night") for word in text.split()
}


def test_the_main_noun_is_the_first_of_its_kinds() -> None:
    assert [main_noun(words(text)) for text in ("Two puppies and a boy.", "A kid's ball", "the sea")] == [
        "dog",
        "child",
        None,
    ]
    references = [words(text) for text in ("a dog runs", "a puppy and a man", "a man with a dog")]
    assert noun_is_right(words("the dog"), references)
    assert not noun_is_right(words("a man"), references) and not noun_is_right(words("a ball"), references)
    assert noun_is_right(words("the sea"), [words("a wave")]) and not noun_is_right(
        ["cat"], [words("a wave")]
    )


def test_the_consensus_is_what_the_neighbours_say_most_alike() -> None:
    """Against loops over captions, with rarities and cosines as they are defined."""
    spoken = [
        "a dog runs on grass",
        "the dog runs",
        "a cat",
        "a dog on the grass",
        "red boat on water",
        "boats",
    ]
    captions = [[words(spoken[(row + k) % 6]) for k in range(2)] for row in range(6)]
    meanings = np.random.default_rng(1).normal(0, 1, (6, 3)).astype(np.float32)

    def groups(sentence: list[str], n: int) -> list[tuple[str, ...]]:
        return [tuple(sentence[i : i + n]) for i in range(len(sentence) - n + 1)]

    def alike(a: list[str], b: list[str]) -> float:
        total = 0.0
        for n in range(1, 5):
            having = {
                g: sum(any(g in groups(c, n) for c in own) for own in captions) for g in groups(a + b, n)
            }
            x, y = (
                {g: groups(s, n).count(g) * np.log(6 / having[g]) for g in groups(s, n) if having.get(g)}
                for s in (a, b)
            )
            lengths = np.sqrt(sum(v**2 for v in x.values())) * np.sqrt(sum(v**2 for v in y.values()))
            total += sum(x[g] * y.get(g, 0) for g in x) / lengths / 4 if lengths else 0
        return total

    centred = meanings - meanings.mean(axis=0)
    for row, found in enumerate(consensus(meanings, captions, neighbours=3)):
        cosines = centred @ centred[row] / np.linalg.norm(centred, axis=1)
        near = [each for each in np.argsort(-cosines) if each != row][:3]
        pool = [(owner, caption) for owner in sorted(near) for caption in captions[owner]]
        scores = [sum(alike(c, other) for own, other in pool if own != o) for o, c in pool]
        best = max(scores)
        assert found in [c for (_, c), s in zip(pool, scores, strict=True) if s == pytest.approx(best)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Photographs of two colours with captions that say so, and the captioner that learned from them."""
    root = tmp_path_factory.mktemp("photographs")
    draw = np.random.default_rng(1)
    lines = ["image,caption"]
    for number in range(24):
        dark = number % 2
        pixels = np.clip(draw.normal(60 + 130 * dark, 20, (48, 64, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(root / f"{number}.png")
        lines += [
            f"{number}.png,a {'white dog' if dark else 'black cat'} in the {('snow', 'night')[1 - dark]}"
        ] * 2
    lines += [
        f"{number}.png,one {'white dog' if number % 2 else 'black cat'} alone" for number in range(100, 160)
    ]
    (root / "captions.csv").write_text("\n".join(lines))
    torch.manual_seed(1)
    MobileNetFCN(width=4).save_pretrained(root / "segmenter")
    train(recipe_of(root), STEPS, root / "model", seed=1)
    return root, root / "model"


def recipe_of(root: Path) -> Recipe:
    size = {"batch": 16, "vocabulary": 60, "meaning": 8, "width": 64, "layers": 1}
    return captioner(root, root / "captions.csv", [], root / "segmenter", seed=1, **size)


@pytest.mark.slow
def test_interrupted_it_becomes_the_same_model(made: tuple[Path, Path], tmp_path: Path) -> None:
    root, whole = made
    train(recipe_of(root), STEPS, tmp_path, seed=1, until=STEPS // 2)
    train(recipe_of(root), STEPS, tmp_path, seed=1)
    for name in ("model.safetensors", "meaning.safetensors"):
        one, other = load_file(whole / name), load_file(tmp_path / name)
        assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
    assert (whole / "tokenizer.json").read_text() == (tmp_path / "tokenizer.json").read_text()


@pytest.mark.slow
def test_it_learns_the_words_of_captions_whose_pictures_are_missing(made: tuple[Path, Path]) -> None:
    root, folder = made
    loaded = load_captioner(folder)
    assert isinstance(loaded, PhotoCaptioner)
    pictures = [picture.pixels for picture in load_captioned(root, root / "captions.csv")[:5]]
    said = loaded.caption(pictures, "what is it?", batch_size=2)
    assert said == loaded.caption(pictures, batch_size=5)
    assert all(set(text.split()) <= KNOWN for text in said)
    assert loaded.caption(pictures[:1], max_tokens=2)[0].count(" ") < 2


@pytest.mark.slow
def test_figures_beside_constants_retrieval_and_a_person(
    made: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, folder = made
    loaded = load_captioner(folder)
    assert isinstance(loaded, PhotoCaptioner)
    pictures = load_captioned(root, root / "captions.csv")
    space = Meaning.load(folder / "meaning.safetensors")
    said = [words("a white dog") if number % 3 else words("a cat") for number in range(len(pictures))]
    told = np.random.default_rng(1).normal(0, 1, (len(pictures), 8)).astype(np.float32)
    monkeypatch.setattr(captioning, "said_crossed", lambda *_: (said, told))
    found = {(each.name, each.at): each for each in caption_figures(loaded, space, pictures, 1)}
    references = [[" ".join(words(caption)) for caption in picture.captions] for picture in pictures]
    for order in (1, 4):
        figure = found[f"BLEU-{order}", ""]
        expected = corpus_bleu(references, [" ".join(each) for each in said], n=order)
        assert figure.measured.value == pytest.approx(expected)
        gain = found[f"BLEU-{order}-gain", ""].measured
        assert isinstance(gain, Pooled) and figure.baseline is not None
        assert gain.value == pytest.approx(100 * (expected - figure.baseline.measured.value))
    nouns, colours = (found[name, ""].measured for name in ("main-noun", "colours-right"))
    by_name = sorted(range(24), key=lambda number: f"{number}.png")
    right = [("dog" in sentence) == bool(number % 2) for sentence, number in zip(said, by_name, strict=True)]
    assert isinstance(nouns, Share) and nouns.right == tuple(map(int, right))
    assert isinstance(colours, Share) and sum(colours.total) == 16
    for who in ("constant-man", "constant-dog", "person"):
        assert {name for name, at in found if at == who} == {"BLEU-1", "BLEU-4", "main-noun", "colours-right"}
    assert found["BLEU-4", "person"].measured.value == 1  # both captions are the same
