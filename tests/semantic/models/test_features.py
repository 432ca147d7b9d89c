"""The vision-language feature against transformers and diffusers; its projection by linear algebra."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import KandinskyV22Pipeline, StableDiffusionPipeline
from tiny.diffusion import (
    ADAPTER,
    CONTEXT,
    EMBEDDING,
    QUERIES,
    WIDTH,
    write_blip2,
    write_bridge,
    write_ip_adapter,
    write_kandinsky,
    write_stable_diffusion,
)
from transformers import AutoProcessor, Blip2ForConditionalGeneration

from semantic.models.feature_adapter import AdapterDecoder, adapter_file
from semantic.models.features import (
    FeatureBridge,
    FeatureProjection,
    FeatureToImage,
    KandinskyDecoder,
    VisionLanguageFeature,
    load_feature_image,
)
from semantic.models.projection import LinearBridge, load_bridge
from semantic.networks.pixels import Picture
from semantic.zoo.missing import WeightsMissing

SEEDS = [3, 4, 5]


@pytest.fixture(scope="module")
def blip2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_blip2(tmp_path_factory.mktemp("blip2"))


@pytest.fixture(scope="module")
def feature(blip2: Path) -> VisionLanguageFeature:
    return VisionLanguageFeature.from_pretrained(blip2)


@pytest.fixture(scope="module")
def painter_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_stable_diffusion(tmp_path_factory.mktemp("vlf"), text=False)
    write_bridge(folder, CONTEXT)
    return folder


@pytest.fixture(scope="module")
def kandinsky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_kandinsky(tmp_path_factory.mktemp("kandinsky"))
    write_bridge(folder, EMBEDDING)
    return folder


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    rng = np.random.default_rng(5)
    return [rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((40, 52, 3), (33, 32, 3), (64, 48, 3))]


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def same(a: list[Picture], b: list[Picture]) -> bool:
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


# BLIP-2. --------------------------------------------------------------------------------------------------


def library(folder: Path, pictures: list[Picture]) -> tuple[Any, Any, list[torch.Tensor]]:
    model = Blip2ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    processor = AutoProcessor.from_pretrained(folder, backend="pil")
    return model, processor, [processor(images=p, return_tensors="pt").pixel_values for p in pictures]


@torch.no_grad()
def test_feature_is_the_q_formers_output(
    blip2: Path, feature: VisionLanguageFeature, pictures: list[Picture]
) -> None:
    model, _, pixels = library(blip2, pictures)
    expected = []
    for values in pixels:
        seen = model.vision_model(values).last_hidden_state
        mask = torch.ones(seen.shape[:2], dtype=torch.long)
        expected.append(
            model.qformer(
                query_embeds=model.query_tokens, encoder_hidden_states=seen, encoder_attention_mask=mask
            ).last_hidden_state
        )
    got = feature.encode(pictures)
    assert (feature.shape, got.shape, got.dtype) == ((QUERIES, WIDTH), (3, QUERIES, WIDTH), torch.float32)
    assert torch.equal(got, torch.cat(expected))
    assert torch.equal(got[1:2], feature.encode(pictures[1:2]))
    assert feature.encode([]).shape == (0, QUERIES, WIDTH)


def test_text_of_an_untouched_feature_is_the_whole_models(
    blip2: Path, feature: VisionLanguageFeature, pictures: list[Picture]
) -> None:
    model, processor, pixels = library(blip2, pictures)
    expected = []
    for values in pixels:
        tokens = model.generate(pixel_values=values, do_sample=False, max_new_tokens=9)
        expected.append(processor.batch_decode(tokens, skip_special_tokens=True)[0].strip())
    sent = feature.encode(pictures)
    assert feature.to_text(sent, max_tokens=9) == expected
    assert [feature.to_text(one[None], max_tokens=9)[0] for one in sent] == expected
    assert len(set(expected)) == 3
    assert feature.to_text(sent + normal(*sent.shape), max_tokens=9) != expected


def test_half_precision_features_load_as_float32(tmp_path: Path, pictures: list[Picture]) -> None:
    folder = write_blip2(tmp_path / "half", dtype=torch.float16)
    loaded = VisionLanguageFeature.from_pretrained(folder)
    assert {p.dtype for p in loaded.model.parameters()} == {torch.float32}
    small = VisionLanguageFeature.from_pretrained(folder, dtype=torch.bfloat16)
    torch.testing.assert_close(small.encode(pictures), loaded.encode(pictures), rtol=0.1, atol=0.1)
    assert len(small.to_text(small.encode(pictures), 3)) == 3


def test_missing_or_misfit_is_said(feature: VisionLanguageFeature, tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"no folder .*fetch models:blip2-opt-2.7b"):
        VisionLanguageFeature.from_pretrained(tmp_path / "nowhere")
    with pytest.raises(WeightsMissing, match="is not complete"):
        VisionLanguageFeature.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"\[batch, 8, 16\] are needed, got \[8, 16\]"):
        feature.to_text(torch.zeros(8, 16))


# Feature to picture. --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_pictures_of_features_are_the_pipeline_fed_with_the_bridge(painter_folder: Path) -> None:
    painter = FeatureToImage.from_pretrained(painter_folder)
    features = normal(3, QUERIES, WIDTH)
    bridge = FeatureBridge.from_pretrained(painter_folder / "bridge")
    pipeline = StableDiffusionPipeline.from_pretrained(
        painter_folder, dtype=torch.float32, text_encoder=None, tokenizer=None, safety_checker=None
    )
    pipeline.set_progress_bar_config(disable=True)
    expected = []
    for seed, one in zip(SEEDS, features, strict=True):
        with torch.no_grad():
            tokens = bridge(one[None])
        expected.append(
            np.array(
                pipeline(
                    prompt_embeds=tokens,
                    negative_prompt_embeds=bridge.unconditional.detach()[None],
                    num_inference_steps=2,
                    guidance_scale=5.0,
                    height=24,
                    width=16,
                    generator=torch.Generator("cpu").manual_seed(seed),
                ).images[0]
            )
        )
    options: dict[str, Any] = {"steps": 2, "guidance": 5.0, "size": (24, 16)}
    assert same(painter.generate(features, seeds=SEEDS, **options), expected)
    noisy = features + normal(*features.shape, seed=1)
    assert not same(painter.generate(noisy, seeds=SEEDS, **options), expected)
    assert painter.diffusion.pipeline.text_encoder is None
    with pytest.raises(ValueError, match="as many seeds as features are needed, got 3 and 2"):
        painter.generate(features[:2], seeds=SEEDS)


def test_bridge_by_its_layers(painter_folder: Path) -> None:
    bridge = FeatureBridge.from_pretrained(painter_folder / "bridge")
    features = normal(2, QUERIES, WIDTH)
    state = {name: value.double() for name, value in bridge.state_dict().items()}

    def norm(x: torch.Tensor) -> torch.Tensor:
        return (x - x.mean(-1, keepdim=True)) / (x.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()

    hidden = norm(features.double()) @ state["map.1.weight"].T + state["map.1.bias"]
    hidden = hidden * (1 + torch.erf(hidden / 2**0.5)) / 2
    expected = norm(hidden @ state["map.3.weight"].T + state["map.3.bias"]) + state["places"]
    torch.testing.assert_close(bridge(features).double(), expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match=r"\[batch, 8, 16\] are needed, got \[2, 8, 15\]"):
        bridge(features[..., 1:])


@pytest.mark.slow
def test_a_bridge_that_is_missing_or_of_another_network(painter_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(painter_folder, tmp_path / "vlf"))
    FeatureBridge(QUERIES, WIDTH, CONTEXT + 1).save_pretrained(folder / "bridge")
    with pytest.raises(ValueError, match="tokens of 32 numbers, the bridge writes 33"):
        FeatureToImage.from_pretrained(folder)
    shutil.rmtree(folder / "bridge")
    with pytest.raises(WeightsMissing, match="bridge"):
        FeatureToImage.from_pretrained(folder)


@pytest.mark.slow
@torch.no_grad()
def test_kandinsky_is_the_pipeline_fed_with_the_bridges_mean(kandinsky: Path) -> None:
    pipeline = KandinskyV22Pipeline.from_pretrained(kandinsky, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    bridge = FeatureBridge.from_pretrained(kandinsky / "bridge")
    features = normal(3, QUERIES, WIDTH)
    negative = bridge.unconditional.mean(0)

    def expected(guidance: float) -> list[Picture]:
        return [
            np.array(
                pipeline(
                    image_embeds=bridge(one[None]).sum(1) / QUERIES,
                    negative_image_embeds=negative[None],
                    height=16,
                    width=24,
                    num_inference_steps=2,
                    guidance_scale=guidance,
                    generator=torch.Generator("cpu").manual_seed(seed),
                ).images[0]
            )
            for one, seed in zip(features, SEEDS, strict=True)
        ]

    decoder = KandinskyDecoder.from_pretrained(kandinsky)
    guided, unguided = (
        decoder.generate(features, seeds=SEEDS, steps=2, guidance=guidance, size=(16, 24))
        for guidance in (4.0, 1.0)
    )
    assert same(guided, expected(4.0)) and same(unguided, expected(1.0)) and not same(guided, unguided)
    assert (decoder.size, decoder.step) == ((16, 16), 4)
    assert decoder.generate(features[:1], seeds=[1], steps=1)[0].shape == (16, 16, 3)
    with pytest.raises(ValueError, match="as many seeds as features are needed, got 2 and 3"):
        decoder.generate(features, seeds=[1, 2])
    with pytest.raises(ValueError, match="multiples of 4 pixels, got 18 x 16"):
        decoder.generate(features, seeds=SEEDS, size=(18, 16))


@pytest.mark.slow
def test_ip_adapter_is_the_pipeline_fed_with_the_bridges_embedding(tmp_path: Path) -> None:
    folder = write_stable_diffusion(tmp_path / "vlf")
    write_ip_adapter(folder / "ip-adapter")
    bridge = LinearBridge(QUERIES, WIDTH, EMBEDDING)
    bridge.save_pretrained(folder / "bridge")
    decoder = load_feature_image(folder)
    assert isinstance(decoder, AdapterDecoder)
    assert (decoder.size, decoder.step) == ((16, 16), 8)
    features = normal(2, QUERIES, WIDTH)
    pipeline = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32, safety_checker=None)
    pipeline.load_ip_adapter(
        str(folder / "ip-adapter"), subfolder="", weight_name=ADAPTER, image_encoder_folder=None
    )
    pipeline.set_ip_adapter_scale(1.0)
    pipeline.set_progress_bar_config(disable=True)
    weight, bias = bridge.map.weight.detach(), bridge.map.bias.detach()
    expected = []
    for seed, feature in zip(SEEDS, features, strict=False):
        embedding = (weight @ feature.flatten() + bias)[None, None]
        told = [torch.cat([torch.zeros_like(embedding), embedding])]
        noise = torch.Generator("cpu").manual_seed(seed)
        made = pipeline("", ip_adapter_image_embeds=told, num_inference_steps=2, generator=noise)
        expected.append(np.array(made.images[0]))
    assert same(decoder.generate(features, seeds=SEEDS[:2], steps=2), expected)
    assert not same(expected[:1], expected[1:])
    LinearBridge(QUERIES, WIDTH, EMBEDDING + 1).save_pretrained(folder / "bridge")
    with pytest.raises(ValueError, match="reads tokens of 24 numbers, the bridge writes 25"):
        AdapterDecoder.from_pretrained(folder)


def test_the_published_adapter_is_taken_first(tmp_path: Path) -> None:
    assert adapter_file(tmp_path) == "ip-adapter_sd15.safetensors"
    for name in ("ip-adapter_a.safetensors", "ip-adapter_sd15.safetensors"):
        (tmp_path / name).touch()
        assert adapter_file(tmp_path) == name


def test_a_linear_bridge_is_one_product(tmp_path: Path) -> None:
    bridge, features = LinearBridge(QUERIES, WIDTH, 5), normal(2, QUERIES, WIDTH)
    weight = bridge.map.weight.detach().numpy().reshape(5, QUERIES, WIDTH)
    expected = np.einsum("ent,bnt->be", weight, features.numpy()) + bridge.map.bias.detach().numpy()
    np.testing.assert_allclose(bridge(features)[:, 0].detach(), expected, atol=1e-5)
    bridge.save_pretrained(tmp_path)
    assert isinstance(load_bridge(tmp_path), LinearBridge)
    with pytest.raises(ValueError, match=r"\[batch, 8, 16\] are needed, got \[2, 16\]"):
        bridge(features[:, 0])


def test_what_draws_is_told_by_its_folder(painter_folder: Path, kandinsky: Path, tmp_path: Path) -> None:
    assert isinstance(load_feature_image(painter_folder), FeatureToImage)
    assert isinstance(load_feature_image(kandinsky), KandinskyDecoder)
    folder = Path(shutil.copytree(kandinsky, tmp_path / "vlf"))
    FeatureBridge(QUERIES, WIDTH, EMBEDDING + 1).save_pretrained(folder / "bridge")
    with pytest.raises(ValueError, match="tokens of 24 numbers, the bridge writes 25"):
        load_feature_image(folder)
    with pytest.raises(WeightsMissing, match="bridge"):
        load_feature_image(tmp_path / "nothing")


# Projection. ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel_uses", [QUERIES * WIDTH // 2, QUERIES * WIDTH])
def test_untrained_projection_is_lossless_if_there_is_room(channel_uses: int) -> None:
    projection = FeatureProjection(QUERIES, WIDTH, channel_uses)
    features = 3 * normal(5, QUERIES, WIDTH) + 1
    reals = projection.encode(features)
    assert reals.shape == (5, 2 * channel_uses)
    torch.testing.assert_close(projection.decode(reals), features, rtol=0, atol=1e-5)
    torch.testing.assert_close(reals.norm(dim=1), features.flatten(1).norm(dim=1))  # no energy lost
    noise = 0.1 * normal(5, 2 * channel_uses, seed=2)
    error = (projection.decode(reals + noise) - features).norm()
    assert error <= noise.norm() * 1.0001  # an orthogonal map does not amplify noise


def test_untrained_projection_is_orthogonal() -> None:
    projection = FeatureProjection(QUERIES, WIDTH, 16)
    features = normal(200, QUERIES, WIDTH, seed=6)
    once = projection(features).detach()
    torch.testing.assert_close(projection(once), once, rtol=0, atol=1e-5)  # idempotent
    kept, lost = once.flatten(1), (features - once).flatten(1)
    assert (kept * lost).sum(1).abs().max() < 1e-3
    share = float(kept.square().sum() / features.square().sum())
    assert share == pytest.approx(32 / (QUERIES * WIDTH), abs=0.02)  # white features: 2k of N d dimensions


def test_adapted_projection_keeps_the_principal_components() -> None:
    examples = (normal(60, 4) * torch.tensor([9.0, 5.0, 2.0, 0.5])) @ normal(4, QUERIES * WIDTH, seed=1) + 2
    projection = FeatureProjection(QUERIES, WIDTH, 1)
    before = projection.settings
    projection.adapt(examples.unflatten(1, (QUERIES, WIDTH)))
    values = np.linalg.svd((examples - examples.mean(0)).double().numpy(), compute_uv=False)
    error = (
        (projection(examples.unflatten(1, (QUERIES, WIDTH))).flatten(1) - examples).detach().square().sum()
    )
    assert float(error) == pytest.approx((values[2:] ** 2).sum(), rel=1e-3)  # Eckart and Young
    assert projection.settings == before
    few = FeatureProjection(QUERIES, WIDTH, 40)  # more reals than examples
    few.adapt(normal(3, QUERIES, WIDTH))
    torch.testing.assert_close(few.down.weight @ few.down.weight.T, torch.eye(80), rtol=0, atol=1e-5)
    torch.testing.assert_close(few(normal(3, QUERIES, WIDTH)), normal(3, QUERIES, WIDTH), rtol=0, atol=1e-4)


def test_projection_learns_and_survives_the_disk(tmp_path: Path) -> None:
    projection = FeatureProjection(QUERIES, WIDTH, 24, seed=3)
    features = normal(4, QUERIES, WIDTH)
    (projection(features) - features).square().mean().backward()
    grown = [
        name for name, p in projection.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0
    ]
    assert {"down.weight", "up.weight", "correct.weight"} <= set(grown)
    projection.save_pretrained(tmp_path)
    again = FeatureProjection.from_pretrained(tmp_path)
    assert torch.equal(again(features), projection(features))
    assert again.channel_uses == 24
    assert torch.equal(FeatureProjection(QUERIES, WIDTH, 24, seed=3).down.weight, projection.down.weight)
    assert not torch.equal(FeatureProjection(QUERIES, WIDTH, 24, seed=4).down.weight, projection.down.weight)


def test_projection_quotes_what_does_not_fit() -> None:
    projection = FeatureProjection(QUERIES, WIDTH, 24)
    with pytest.raises(ValueError, match=r"features \[batch, 8, 16\] are needed, got \[2, 16, 8\]"):
        projection.encode(torch.zeros(2, 16, 8))
    with pytest.raises(ValueError, match=r"reals \[batch, 48\] are needed, got \[2, 47\]"):
        projection.decode(torch.zeros(2, 47))
    with pytest.raises(ValueError, match="must be positive, got 8, 16, 0"):
        FeatureProjection(QUERIES, WIDTH, 0)
