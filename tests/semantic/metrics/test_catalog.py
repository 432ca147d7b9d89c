"""Metrics by name: what they compare, with one reference and with several, and with networks of one's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sacrebleu
import torch

from bridge.systems.system import Reconstruction, Source
from semantic.metrics.bleu import corpus_bleu
from semantic.metrics.catalog import (
    EMBEDDING_METRICS,
    IMAGE_METRICS,
    METRICS,
    NETWORK_METRICS,
    TEXT_METRICS,
    describe,
    measure,
)
from semantic.scenes import dataset as scenes
from semantic.zoo.missing import WeightsMissing

CAPTIONS = (
    "A brown dog runs along the beach with a red ball .",
    "The dog is running near the water .",
    "Dog with ball on the shore",
)
HEARD = "A brown dog is running along the shore with a ball ."


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tiny.diffusion import write_clip

    return write_clip(tmp_path_factory.mktemp("networks") / "small-clip")


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def test_what_a_metric_compares_is_there() -> None:
    for name, about in METRICS.items():
        assert hasattr(Source(""), about.reference) and hasattr(Reconstruction(), about.received), name
        assert about.label
    for group, kind in ((IMAGE_METRICS, "image"), (TEXT_METRICS, "text"), (EMBEDDING_METRICS, "embedding")):
        assert {about.received for about in group.values()} == {kind}
    assert describe("scene").reference == describe("scene-text").reference == "scene"


@pytest.mark.parametrize(
    "name", [*EMBEDDING_METRICS, *sorted(set(TEXT_METRICS) - {"scene-text"}), "psnr", "ssim"]
)
def test_a_metric_is_better_where_more_arrived(name: str) -> None:
    """In the direction that it says: from a stranger to what is half right, and on to the original."""
    original, half, stranger = {
        "embedding": (ramp := np.linspace(-1, 1, 64, dtype=np.float32), ramp + np.float32(0.2), -ramp),
        "text": (CAPTIONS[0], CAPTIONS[0].replace("beach with a red", "water by the"), "Nobody was there ."),
        "image": (noise(1), noise(1) // 2 + noise(2) // 2, noise(3)),
    }[describe(name).received]
    of = measure(name)
    worst, better, best = (float(of(original, got)) for got in (stranger, half, original))
    assert worst < better < best if describe(name).higher_is_better else worst > better > best


def test_networks_stand_in_the_label() -> None:
    compared = {name: describe(f"{name}:some/where/my-net") for name in NETWORK_METRICS}
    assert all(about.label.endswith("(my-net)") for about in compared.values())
    assert {name: (about.reference, about.received) for name, about in compared.items()} == {
        "cosine": ("image", "image"),
        "clip-score": ("captions", "image"),
        "clip-score-text": ("image", "text"),
        "sentence": ("text", "text"),
    }


@pytest.mark.parametrize("name", ["beauty", "clip-score", "clip-score:", "psnr:net", ""])
def test_unknown_metrics_are_refused_with_a_list(name: str) -> None:
    with pytest.raises(ValueError, match=r"psnr.*cosine:PRESET-or-FOLDER"):
        describe(name)


@pytest.mark.parametrize("family", NETWORK_METRICS)
def test_missing_networks_are_named(family: str) -> None:
    with pytest.raises(ValueError, match="no/such/net"):
        measure(f"{family}:no/such/net")


def test_a_missing_preset_names_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsMissing, match="semphy fetch models:clip-vit-l14"):
        measure("cosine:clip-vit-l14")


@pytest.mark.parametrize("name", sorted(set(TEXT_METRICS) - {"scene-text"}))
def test_one_reference_is_a_list_of_one(name: str) -> None:
    of = measure(name)
    assert of(HEARD, HEARD) == of((HEARD,), HEARD) == pytest.approx(0.0 if name in ("cer", "wer") else 1.0)
    assert of(CAPTIONS[0], HEARD) == of((CAPTIONS[0],), HEARD)
    worst = 1.0 if name in ("cer", "wer") else 0.0
    assert of(CAPTIONS, "") == of((CAPTIONS[0], ""), " ") == worst


def test_bleu_of_several_references_is_sacrebleus() -> None:
    refs = list(CAPTIONS)
    assert measure("bleu")(CAPTIONS, HEARD) == pytest.approx(sacrebleu.sentence_bleu(HEARD, refs).score / 100)
    for n in (1, 2, 3, 4):
        metric = sacrebleu.BLEU(max_ngram_order=n, smooth_method="none", effective_order=True)
        assert measure(f"bleu-{n}")(CAPTIONS, HEARD) == pytest.approx(
            metric.sentence_score(HEARD, refs).score / 100
        )
    # By hand: "the" stands twice in the first reference, so all 5 words match; the closest length is 6.
    several = ("the cat sat on the mat", "one cat is on a mat now")
    assert measure("bleu-1")(several, "the the cat on mat") == pytest.approx(np.exp(1 - 6 / 5))


def test_corpus_bleu_of_several_references_is_sacrebleus() -> None:
    entries = [CAPTIONS, ("Two people walk .", "A couple takes a walk ."), "A red bus stops ."]
    heard = [HEARD, "Two people take a walk .", "A red bus stops here ."]
    streams = [
        [CAPTIONS[0], "Two people walk .", "A red bus stops ."],
        [CAPTIONS[1], "A couple takes a walk .", None],
        [CAPTIONS[2], None, None],
    ]
    assert corpus_bleu(entries, heard, smooth=True) == pytest.approx(
        sacrebleu.corpus_bleu(heard, streams).score / 100
    )
    with pytest.raises(ValueError, match="got 1 references and 2"):
        corpus_bleu(["a"], ["a", "b"])


def test_others_take_the_best_reference() -> None:
    assert measure("chrf")(CAPTIONS, HEARD) == pytest.approx(
        sacrebleu.sentence_chrf(HEARD, list(CAPTIONS)).score / 100
    )
    for name, choose in (("cer", min), ("wer", min), ("sentence", max)):
        of = measure(name)
        assert of(CAPTIONS, HEARD) == choose(of(caption, HEARD) for caption in CAPTIONS)


@pytest.mark.parametrize("name", ["bleu", "bleu-2", "chrf", "cer"])
def test_a_picture_without_captions_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no captions"):
        measure(name)((), HEARD)


def test_cosine_with_clip_is_the_librarys(clip_folder: Path) -> None:
    from transformers import CLIPImageProcessorPil, CLIPModel

    model = CLIPModel.from_pretrained(clip_folder, dtype=torch.float32).eval()
    processor = CLIPImageProcessorPil.from_pretrained(clip_folder)
    pixels = processor([noise(1), noise(2)], return_tensors="pt").pixel_values
    with torch.no_grad():
        first, second = model.get_image_features(pixel_values=pixels).pooler_output
    wanted = float(torch.cosine_similarity(first, second, dim=0))
    assert measure(f"cosine:{clip_folder}")(noise(1), noise(2)) == pytest.approx(wanted, abs=1e-5)


def test_clip_score_takes_the_best_caption(clip_folder: Path) -> None:
    from transformers import CLIPModel, CLIPProcessor

    model = CLIPModel.from_pretrained(clip_folder, dtype=torch.float32).eval()
    processor = CLIPProcessor.from_pretrained(clip_folder, backend="pil")
    values = []
    for caption in CAPTIONS:
        inputs = processor(images=noise(3), text=caption, return_tensors="pt")
        with torch.no_grad():
            out = model(**{key: inputs[key] for key in ("pixel_values", "input_ids", "attention_mask")})
        values.append(100 * max(float(torch.cosine_similarity(out.image_embeds, out.text_embeds)), 0.0))
    score = measure(f"clip-score:{clip_folder}")
    assert score(CAPTIONS, noise(3)) == pytest.approx(max(values), abs=1e-3)
    assert score(CAPTIONS[:1], noise(3)) == pytest.approx(values[0], abs=1e-3)
    other_way = measure(f"clip-score-text:{clip_folder}")
    assert other_way(noise(3), CAPTIONS[0]) == score(CAPTIONS[:1], noise(3))
    with pytest.raises(ValueError, match="the source has none"):
        other_way(None, CAPTIONS[0])


def test_a_stand_in_network_is_known_by_its_operations(data_dir: Path) -> None:
    of = measure(f"cosine:{data_dir / 'imagenet_mobilenet_v2'}")
    picture = noise(4)
    assert of(picture, picture) == pytest.approx(1.0)
    assert of(picture, np.full_like(picture, 128)) < 0.9


def test_facts_of_scenes_are_counted() -> None:
    item = next(scenes.load(1, difficulty="easy"))
    told = measure("scene-text")
    assert told(item.scene, item.captions[0]) == 1.0
    assert told(item.scene, "") < 0.2
    with pytest.raises(ValueError, match="drawn scenes only"):
        told(None, "a cat")
    shown = measure("scene")
    assert shown(item.scene, item.pixels) > 0.8
    assert shown(item.scene, np.full_like(item.pixels, 128)) < 0.5
