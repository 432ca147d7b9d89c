"""Correctors: BART against the library called by hand, windows, and the dictionary against given mistakes."""

from __future__ import annotations

import csv
import math
import re
import string
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny.language import write_bart

from semantic.models.correction import (
    BartCorrector,
    DictionaryCorrector,
    NoCorrection,
    bundled_words,
    load_corrector,
)
from semantic.models.windows import split_windows
from semantic.samples.pictures import sample_sentences
from semantic.scenes import dataset as scenes
from semantic.zoo.missing import WeightsMissing

TEXTS = [
    "A d0g rums on the beech.",
    "Two pe\ufffdple walk alqng a street.",
    "x",
    "\x00\x07 noise \ufffd\ufffd",
    "The child holds a yellow balloon and smiles.",
]


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch, bart_folder: Path) -> BartCorrector:
    """A corrector whose model writes down what it reads, and fails when it is given too much to read."""
    corrector = BartCorrector.from_pretrained(bart_folder)

    def generate(input_ids: torch.Tensor, attention_mask: torch.Tensor, max_length: int) -> torch.Tensor:
        assert input_ids.shape[1] <= corrector.positions and max_length <= corrector.positions
        start = torch.full_like(input_ids[:, :1], 2)
        return torch.cat([start, input_ids.masked_fill(attention_mask == 0, 1)], dim=1)

    monkeypatch.setattr(corrector.model, "generate", generate)
    return corrector


def by_hand(folder: Path, text: str, beams: int) -> str:
    """One text through the library, without padding; the text itself where that comes to no end."""
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32)
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    limit = min(64, 32 * math.ceil((math.floor(1.25 * ids.shape[1]) + 8) / 32))
    settings = {"num_beams": beams, "early_stopping": beams > 1, "max_length": limit}
    tokens = model.generate(input_ids=ids, do_sample=False, **settings)[0]
    answer = tokenizer.decode(tokens, skip_special_tokens=True).strip()
    return answer if answer and 2 in tokens[1:] else text


@pytest.fixture(scope="module")
def ready_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BART that stops now and then; random ones hardly do."""
    from transformers import BartForConditionalGeneration

    folder = write_bart(tmp_path_factory.mktemp("bart"), seed=2)
    model = BartForConditionalGeneration.from_pretrained(folder)
    model.generation_config.forced_eos_token_id = None
    model.final_logits_bias[0, 2] = 6.0
    model.save_pretrained(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("beams", [1, 4])
def test_bart_writes_what_the_library_writes(ready_folder: Path, beams: int) -> None:
    expected = [by_hand(ready_folder, text, beams) for text in TEXTS]
    assert sum(a != b for a, b in zip(expected, TEXTS, strict=True)) >= 3
    corrector = BartCorrector.from_pretrained(ready_folder, beams=beams)
    assert corrector.correct(TEXTS) == expected


@pytest.mark.slow
def test_a_batch_is_its_texts_one_by_one(ready_folder: Path) -> None:
    corrector = BartCorrector.from_pretrained(ready_folder)
    texts = [*TEXTS, " ".join(TEXTS), "", *sample_sentences()[:10]]
    singles = [corrector.correct([text])[0] for text in texts]
    assert corrector.correct(texts) == singles
    assert BartCorrector.from_pretrained(ready_folder, batch_size=3).correct(texts) == singles


def test_what_the_model_does_not_bring_to_an_end_stays(bart_folder: Path) -> None:
    # This random model repeats itself until it is stopped; its checkpoint would force a stop token on it.
    assert BartCorrector.from_pretrained(bart_folder).correct(TEXTS) == TEXTS


@pytest.mark.parametrize("separator", [" ", "\n\n", "  \t"])
def test_a_text_of_five_times_the_limit_is_not_lost(echo: BartCorrector, separator: str) -> None:
    text = separator.join(sample_sentences())
    count = len(echo.tokenizer(text).input_ids)
    assert count > 5 * echo.positions
    assert echo.correct([text]) == [text]
    windows = split_windows(text, echo._fits)
    assert count / echo.window < len(windows) < 3 * count / echo.window
    assert all(echo._fits(window) for window in windows)


def test_nothing_is_lost_at_the_edges(echo: BartCorrector) -> None:
    long_word = "x0" * 400
    texts = [
        "",
        " ",
        "\n",
        "  a dog  ",
        long_word,
        f"A dog. {long_word} runs on.",
        " ".join("ab" * 300),
        "." * 500,
    ]
    assert echo.correct(texts) == texts
    assert echo.correct([]) == []


def test_lone_surrogates_do_not_raise(echo: BartCorrector) -> None:
    assert echo.correct(["a d\ud800g"]) == ["a d?g"]


def test_precision_is_what_is_asked_for(tmp_path: Path) -> None:
    folder = write_bart(tmp_path, dtype=torch.float16)
    assert BartCorrector.from_pretrained(folder).model.dtype == torch.float32
    corrector = BartCorrector.from_pretrained(folder, dtype=torch.bfloat16)
    assert {value.dtype for value in corrector.model.parameters()} == {torch.bfloat16}
    assert not corrector.model.training
    assert len(corrector.correct(TEXTS)) == len(TEXTS)


def test_a_folder_without_a_model_is_reported(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="semphy fetch models:"):
        BartCorrector.from_pretrained(tmp_path)


def test_loading_is_silent(bart_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    BartCorrector.from_pretrained(bart_folder).correct([" ".join(TEXTS * 5)])
    assert capfd.readouterr() == ("", "")


WORDS = {"the": 50, "dog": 9, "dot": 2, "beach": 4, "beech": 1, "street": 6, "people": 5, "walk": 3, "a": 40}


@pytest.mark.parametrize(
    ("damaged", "meant"),
    [
        ("the d0g", "the dog"),
        ("teh dgo", "the dog"),  # swaps count as one edit
        ("The Doq", "The Dog"),
        ("THE STREEF", "THE STREET"),
        ("pepole, walk.", "people, walk."),
        ("a (strzet)", "a (street)"),
        ("th\ufffd @og on", "the dog on"),
        ("bea\x00h", "beach"),
        ("xeach", "beach"),
    ],
)
def test_the_dictionary_mends_given_mistakes(damaged: str, meant: str) -> None:
    corrector = DictionaryCorrector({**WORDS, "on": 7})
    assert corrector.correct([damaged]) == [meant]


def test_the_dictionary_leaves_alone_what_it_knows_and_what_is_far() -> None:
    corrector = DictionaryCorrector(WORDS)
    for text in ("The dog, the DOT!", "zzzzzzzz QwErTy", "12 %& -- \t", "", " a  beech ", "q"):
        assert corrector.correct([text]) == [text]


def test_the_more_frequent_of_equally_near_words_wins() -> None:
    assert DictionaryCorrector({"cat": 1, "car": 5}).correct(["cax"]) == ["car"]
    assert DictionaryCorrector({"cat": 5, "car": 1}).correct(["cax"]) == ["cat"]
    assert DictionaryCorrector({"cart": 1, "dots": 99}).correct(["caot"]) == ["cart"]  # nearer beats frequent


def edits(word: str) -> set[str]:
    """Everything at one edit, enumerated as in Norvig's essay; an independent definition of the distance."""
    cuts = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    letters = string.ascii_lowercase
    return {
        *(a + b[1:] for a, b in cuts if b),
        *(a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1),
        *(a + c + b[1:] for a, b in cuts if b for c in letters),
        *(a + c + b for a, b in cuts for c in letters),
    }


def test_one_edit_of_a_lonely_word_is_always_mended() -> None:
    corrector = DictionaryCorrector(WORDS)
    for word in ("street", "people"):
        assert set(corrector.correct(sorted(edits(word)))) == {word}
    two = sorted(edits("treet") | edits("stret"))[::7]
    assert set(corrector.correct(two)) == {"street"}


def test_a_dictionary_from_texts_mends_them() -> None:
    sentences = sample_sentences()
    corrector = DictionaryCorrector.from_texts(sentences)
    assert corrector.correct(sentences) == sentences
    word = max(" ".join(sentences).lower().split(), key=len).strip(".,")
    assert corrector.correct([word[:-2] + "0" + word[-1:]]) == [word]
    for empty in ([], ["12 .."]):
        with pytest.raises(ValueError, match="at least one word"):
            DictionaryCorrector.from_texts(empty)


def test_a_dictionary_from_a_file(tmp_path: Path) -> None:
    table, texts = tmp_path / "words.csv", tmp_path / "captions.txt"
    table.write_text("# counted by hand\nword,count\ncat,1\nCar,5\n")
    texts.write_text("A cat, a car.\n\nA car; a car!\n")
    for file in (table, texts):
        assert load_corrector(file).correct(["cax", "Cats"]) == ["car", "Cat"]
    for wrong in ("word,number\ncat,1\n", "word,count\ncat,many\n", "word,count\ncat\n"):
        table.write_text(wrong)
        with pytest.raises(ValueError, match="words.csv' is no table of words with the heading word,count"):
            load_corrector(table)
    table.write_text("word,count\n")
    with pytest.raises(ValueError, match="at least one word"):
        load_corrector(table)
    with pytest.raises(WeightsMissing):
        load_corrector(tmp_path / "nowhere")


@pytest.mark.slow
def test_bundled_words_are_those_of_the_captions(data_dir: Path) -> None:
    """Counted anew: words twice or more in COCO's captions, and all of the descriptions of scenes."""

    def words(texts: list[str]) -> Counter[str]:
        found = (re.sub(r"^[^\w]+|[^\w]+$", "", word) for word in " ".join(texts).lower().split())
        return Counter(word for word in found if re.search(r"[^\W\d_]", word))

    with (data_dir / "coco_captions" / "captions_val2017.csv").open(encoding="utf-8", newline="") as stream:
        coco = words([row["caption"] for row in csv.DictReader(stream)])
    drawn = words([caption for item in scenes.load(1000) for caption in item.captions])
    expected = Counter({word: count for word, count in coco.items() if count > 1}) + drawn
    lines = [line for line in bundled_words().read_text().splitlines() if not line.startswith("#")]
    bundled = {row["word"]: int(row["count"]) for row in csv.DictReader(lines)}
    differing = {word for word in expected.keys() | bundled.keys() if expected[word] != bundled.get(word, 0)}
    assert len(bundled) == 4295 and len(differing) <= 5, differing  # words with odd signs at their edges


def test_all_share_one_face(echo: BartCorrector) -> None:
    correctors: list[Any] = [echo, DictionaryCorrector(WORDS), NoCorrection()]
    assert [corrector.name for corrector in correctors] == ["bart", "dictionary", "none"]
    for corrector in correctors:
        assert corrector.correct(("the dog", "")) == ["the dog", ""]
