"""The corrector's training: noise at the rate that theory gives, and a start that copies."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.stats import norm

from bridge.training.texts.captions import Captions, split_captions
from bridge.training.texts.corrector import character_tokenizer, corrector, make_bart
from bridge.training.texts.garbling import garble, snr_for
from bridge.training.trainer import Recipe, train
from phy.random import Stream
from phy.source.text.coders import Characters
from semantic.models.correction import BartCorrector

WORDS = [
    "a",
    "two",
    "brown",
    "dogs",
    "child",
    "runs",
    "sits",
    "plays",
    "with",
    "on",
    "the",
    "beach",
    "red",
    "snow",
]


def sentence(rng: np.random.Generator) -> str:
    return " ".join(rng.choice(WORDS, rng.integers(4, 9))).capitalize() + " ."


@pytest.fixture(scope="module")
def captions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("captions")
    rng = np.random.default_rng(5)
    lines = [f"{picture}.jpg,{sentence(rng)}" for picture in range(80) for _ in range(3)]
    lines.append('quoted.jpg,"A dog , a man \'s hat - and  two cats !"')
    (folder / "captions.txt").write_text("\n".join(["image,caption", *lines]) + "\n")
    (folder / "notes.txt").write_text("no captions here\n")
    return folder


def small(folder: Path) -> Recipe:
    return corrector([folder], batch=16, width=32, layers=(1, 1), heads=2, positions=96)


def test_pictures_are_on_one_side_only(captions: Path) -> None:
    data = split_captions([captions])
    pictures: dict[str, set[bool]] = {}
    for line in (captions / "captions.txt").read_text().splitlines()[1:]:
        name, text = line.split(",", 1)
        tidy = text.replace(" .", ".")
        if tidy in data.train or tidy in data.held_out:
            pictures.setdefault(name, set()).add(tidy in data.held_out)
    assert len(pictures) >= 80
    assert all(len(sides) == 1 for sides in pictures.values())
    assert len(data.train) + len(data.held_out) == 241
    # One in twenty of 81 pictures: binomial, so 0 to 14 but once in 10^4.
    assert 3 <= len(data.held_out) <= 3 * 14


def test_white_space_before_punctuation_is_taken_out(captions: Path) -> None:
    data = split_captions([captions])
    assert "A dog, a man's hat - and two cats!" in (*data.train, *data.held_out)


def test_headings_are_no_captions(captions: Path) -> None:
    data = split_captions([captions / "captions.txt"])
    assert "caption" not in (*data.train, *data.held_out)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "captions.csv").write_bytes(b"1.jpg,caf\x00\x81\n")
    with pytest.raises(ValueError, match=r"captions\.csv' cannot be read as UTF-8"):
        split_captions([tmp_path])


def test_files_without_captions(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="twenty"):
        split_captions([tmp_path])


def test_batches_depend_on_seed_and_step_only(captions: Path) -> None:
    data = split_captions([captions])
    drawn = [data.batch(32, 1, step, longest=82, scenes=0.25) for step in (3, 3, 4, 11)]
    assert drawn[0] == drawn[1]
    assert len({tuple(batch) for batch in drawn}) == 3
    assert all(0 < len(text) <= 82 for batch in drawn for text in batch)
    everything = [text for step in range(8) for text in data.batch(32, 1, step, longest=82, scenes=0.25)]
    assert not set(everything) & set(data.held_out)
    lower = sum(text == text.lower() for text in everything) / len(everything)
    # A quarter is put in lower case, and some windows begin inside a sentence; 256 draws, so within 0.11.
    assert 0.14 < lower < 0.5


@pytest.mark.parametrize("cer", [0.01, 0.03, 0.1])
def test_noise_has_the_rate_that_theory_gives(cer: float) -> None:
    # Eight bits of QPSK, each wrong with probability Q(sqrt(Es/N0)).
    ber = norm.sf(math.sqrt(10 ** (snr_for(cer).db / 10)))
    assert 1 - (1 - ber) ** 8 == pytest.approx(cer, rel=1e-9)
    text, count = "The quick brown fox jumps over the lazy dog. " * 4, 500
    arrived = garble([text] * count, snr_for(cer), Stream(3), Characters("latin-1"))
    wrong = sum(a != b for line in arrived for a, b in zip(line, text, strict=True))
    total = len(text) * count
    # Characters fail independently: four standard deviations of the binomial distribution.
    assert abs(wrong / total - cer) < 4 * math.sqrt(cer * (1 - cer) / total)


def test_garbled_utf8_keeps_its_place() -> None:
    text = "Two dogs run on the beach."
    arrived = garble([text, "", text] * 50, snr_for(0.05), Stream(1), Characters("utf-8"))
    assert any("\ufffd" in line for line in arrived)
    assert arrived[1] == ""
    assert all(abs(len(line) - len(text)) <= 2 for line in arrived[::3])


@pytest.mark.parametrize("cer", [0.0, 0.9999, -1.0, math.nan])
def test_rates_that_no_snr_has(cer: float) -> None:
    with pytest.raises(ValueError, match="character error rate"):
        snr_for(cer)


def test_tokens_are_characters(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    made = character_tokenizer(300)
    made.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bart"}))
    for tokenizer in (made, AutoTokenizer.from_pretrained(tmp_path)):
        for text in ("A dog  runs.", "".join(map(chr, range(256))), "\ufffd\x00 é", ""):
            ids = tokenizer(text).input_ids
            assert len(ids) == len(text) + 2
            assert tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False) == text
    assert made("\u4e00").input_ids == [0, 3, 2]


def test_an_untrained_model_copies() -> None:
    tokenizer = character_tokenizer(96)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = make_bart(len(tokenizer), 256, (2, 2), 8, 96).eval()
    text = "A brown dog runs on the beach with a red ball in the snow."
    ids = tokenizer(text, return_tensors="pt").input_ids
    with torch.no_grad():
        made = model(input_ids=ids, labels=ids).logits.argmax(-1)
    assert (made == ids).float().mean() > 0.9


def test_recipe_resumes_to_the_same_weights(captions: Path, tmp_path: Path) -> None:
    recipe = small(captions)
    whole = train(recipe, 3, tmp_path / "whole")
    parts = train(recipe, 3, tmp_path / "parts", until=2) + train(recipe, 3, tmp_path / "parts")
    assert parts == whole
    files = [load_file(tmp_path / run / "model.safetensors") for run in ("whole", "parts")]
    assert files[0].keys() == files[1].keys()
    assert all(torch.equal(tensor, files[1][name]) for name, tensor in files[0].items())
    assert all(tensor.dtype == torch.float16 for tensor in files[0].values())


@pytest.mark.slow
def test_training_corrects_and_loads_as_a_corrector(captions: Path, tmp_path: Path) -> None:
    recipe = replace(small(captions), rate=5e-3, warm_up=10)
    losses = train(recipe, 60, tmp_path)
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.3
    mender = BartCorrector.from_pretrained(tmp_path, beams=1)
    assert mender.window == 84
    assert len(mender.correct(["A d\x0fg runs.", "", "\ufffd"])) == 3


def test_bundled_size_stays_below_12_mb() -> None:
    tokenizer = character_tokenizer(160)
    model = make_bart(len(tokenizer), 256, (4, 2), 8, 160)
    assert sum(parameter.numel() for parameter in model.parameters()) * 2 < 12e6


def test_long_captions_become_windows() -> None:
    data = Captions((" ".join(["word"] * 60) + ".",), ("held out",))
    texts = data.batch(16, 1, 0, longest=50)
    assert all(0 < len(text) <= 50 for text in texts)
