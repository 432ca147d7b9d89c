"""Recipes for scenes: each trains, and a resumed training gives the same weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tiny.recipes import BATCH, FEATURE, SCENE, SKETCH, SMALL

from bridge.models import Models, parse_models
from bridge.training.figures import Share
from bridge.training.scenes import evaluation as scene_evaluation
from bridge.training.scenes import feature as scene_feature
from bridge.training.scenes import feature_words as scene_feature_words
from bridge.training.scenes import text_jscc as scene_text_jscc
from bridge.training.scenes.batches import (
    START,
    STOP,
    pixel_values,
    resized,
    scene_tokenizer,
    to_ids,
)
from bridge.training.scenes.captioning import blip as scene_blip
from bridge.training.scenes.captioning import captioner as scene_captioner
from bridge.training.scenes.drawing import diffusion as scene_diffusion
from bridge.training.scenes.drawing import generator as scene_generator
from bridge.training.scenes.drawing import generator_batches
from bridge.training.scenes.drawing import vae as scene_vae
from bridge.training.scenes.drawing.vae import PictureBatches
from bridge.training.trainer import train
from phy.channels.flat import AWGN
from phy.random import Stream
from semantic.models.captioning import BLIP, QUERY, LLaVA
from semantic.models.features import FeatureProjection, FeatureToImage, VisionLanguageFeature
from semantic.models.generation import Generator
from semantic.models.textjscc import TextCodec
from semantic.scenes.captions import describe
from semantic.scenes.draw import draw
from semantic.scenes.judge import SceneJudge
from semantic.scenes.scene import sample_scene

pytestmark = pytest.mark.slow

# --- the recipes


def test_captioner(captioner_folder: Path) -> None:
    found = Models(parse_models(f"captioner={captioner_folder}")).captioner
    assert isinstance(found, LLaVA)
    figures = list(scene_evaluation.captioner_figures(found, 2, 1))
    assert [figure.at for figure in figures] == ["whole", "quarters", "fused"]
    assert all(0 <= figure.measured.value <= 1 for figure in figures)


def test_captioner_learns_on_the_prompt_that_it_is_asked_with(captioner_folder: Path) -> None:
    found = LLaVA.from_pretrained(captioner_folder)
    batch = found.processor(
        images=[draw(SCENE)], text=[found._turn(QUERY)], return_tensors="pt"
    )  # the very input of `caption`
    loss = scene_captioner.captioner(batch=1, sizes=SMALL).loss
    assert loss.keywords["asked"].tolist() == batch["input_ids"].tolist()  # type: ignore[attr-defined]


def test_blip(captioner_folder: Path, tmp_path: Path) -> None:
    recipe = scene_blip.blip(captioner_folder, batch=BATCH, sizes=SMALL)
    losses = train(recipe, 2, tmp_path)
    found = Models(parse_models(f"blip={tmp_path}")).blip
    assert isinstance(found, BLIP)
    assert np.isfinite(losses).all()
    assert len(found.caption([draw(SCENE)], max_tokens=4)) == 1


def test_resumption_gives_the_same_weights(tmp_path: Path) -> None:
    def recipe() -> scene_text_jscc.Recipe:
        sizes = {"width": 32, "heads": 2, "layers": 1, "feedforward": 32, "channel_width": 32}
        return scene_text_jscc.text_jscc(batch=BATCH, symbols_per_token=4, sizes=sizes)

    whole = train(recipe(), 4, tmp_path / "whole")
    parts = train(recipe(), 4, tmp_path / "parts", until=2) + train(recipe(), 4, tmp_path / "parts")
    assert parts == whole
    expected, found = (TextCodec.from_pretrained(tmp_path / name) for name in ("whole", "parts"))
    other = found.model.state_dict()
    assert all(torch.equal(value, other[name]) for name, value in expected.model.state_dict().items())
    figures = scene_evaluation.text_jscc_figures(found, [0.0, 10.0], 2, 1)
    assert [figure.at for figure in figures] == ["0dB", "10dB"]


def test_rows_meet_the_channel_at_their_own_snr_and_power() -> None:
    generator = torch.Generator().manual_seed(1)
    values, mask = torch.randn(4, 20_000, generator=generator), torch.ones(4, 5000, dtype=torch.bool)
    mask[1, 1000:] = False  # a short sentence: 4,000 values, the rest zeros
    real = mask.repeat_interleave(4, dim=1)
    values = values * real * torch.tensor([1.0, 9.0, 2.0, 3.0])[:, None]
    filled = scene_text_jscc._filled(values, mask)
    heard, told = scene_text_jscc.through_each(filled, AWGN(), [0.0, 10.0], Stream(1))
    assert told.tolist() == [0.0, 0.0, 10.0, 10.0]
    for row, level in enumerate((1.0, 1.0, 0.1, 0.1)):
        sent = values[row][real[row]]
        sent = sent * (0.5 / sent.square().mean()).sqrt()
        power = (heard[row][real[row]] - sent).square().mean()
        # Mean square of at least 4,000 Gaussians: a standard error of at most 2.3 %.
        assert float(power) == pytest.approx(level / 2, rel=0.1)


def test_standardised_latents_leave_pictures_as_they_were() -> None:
    recipe = scene_vae.vae(batch=2, sizes=SKETCH)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(2)
        model = recipe.make().eval()
        pixels = pixel_values(PictureBatches(64, 0)(0)[0], "cpu")
        before = model.encode(pixels).latent_dist
        made = model.decode(before.mean).sample
        scene_vae._standardise(model)
        after = model.encode(pixels).latent_dist
    torch.testing.assert_close(model.decode(after.mean).sample, made, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(after.mean.mean((0, 2, 3)), torch.zeros(4), rtol=0, atol=1e-3)
    torch.testing.assert_close(after.mean.std((0, 2, 3)), torch.ones(4), rtol=1e-3, atol=0)
    torch.testing.assert_close(
        after.std / before.std, (after.std / before.std)[:1, :, :1, :1].expand_as(after.std)
    )


def test_generator(generator_folder: Path) -> None:
    models = Models(
        parse_models(f"generator={generator_folder},ip-adapter={generator_folder / 'ip-adapter'}")
    )
    figures = scene_evaluation.generator_figures(models.generator, SceneJudge(8), 2, 1, steps=2)
    assert [figure.at for figure in figures] == [
        "drawn",
        "autoencoder",
        "text",
        "text+slice",
        "quarters+slice",
    ]
    assert models.painter.generate([describe(SCENE)], seeds=[1], steps=2)[0].shape == (64, 64, 3)


def test_saved_generator_predicts_what_was_trained(vae_folder: Path, tmp_path: Path) -> None:
    recipe = scene_generator.generator(vae_folder, batch=2, sizes=SKETCH)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        model = recipe.make().half().float().eval()  # as it is stored
    recipe.save(model, tmp_path)
    found = Generator.from_pretrained(
        tmp_path, ip_adapter=tmp_path / "ip-adapter", weight_name="ip-adapter_scenes.safetensors"
    )
    source = torch.Generator().manual_seed(1)
    latents, steps = torch.randn(1, 4, 16, 16, generator=source), torch.tensor([500])
    picture = draw(SCENE)
    piece = generator_batches.main_slice(SCENE, picture)
    context, embeds = found.encode_text([describe(SCENE)])[0][None], found.embed([piece])
    with torch.no_grad():
        core = scene_tokenizer(96).backend_tokenizer
        ids = torch.from_numpy(
            to_ids(core, [describe(SCENE)], generator_batches.CONTEXT, start=True, full=True)
        )
        expected = model.text_encoder(ids).last_hidden_state
        torch.testing.assert_close(context, expected, rtol=1e-4, atol=1e-4)
        scaled = resized(piece, generator_batches.SLICE)[None]
        torch.testing.assert_close(
            embeds, model.image_encoder(pixel_values(scaled, "cpu")).image_embeds, rtol=1e-4, atol=1e-4
        )
        model.scale_adapter(0.6)
        found.diffusion.pipeline.set_ip_adapter_scale(0.6)
        condition = {
            "encoder_hidden_states": context,
            "added_cond_kwargs": {"image_embeds": [embeds[:, None]]},
        }
        theirs = found.diffusion.pipeline.unet(latents, steps, **condition).sample
        ours = model.unet(latents, steps, **condition).sample
    torch.testing.assert_close(theirs, ours, rtol=1e-4, atol=1e-4)


def test_velocity_loss_is_equation_11_over_alpha_squared() -> None:
    schedule = scene_diffusion.noise_schedule()
    assert float(schedule.alphas_cumprod[-1]) == 0.0
    latents = torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(3))

    class Silent(torch.nn.Module):
        def forward(self, noisy: torch.Tensor, steps: torch.Tensor) -> object:
            self.noisy, self.steps = noisy, steps
            return type("Output", (), {"sample": torch.zeros_like(noisy)})

    net = Silent()
    objects = torch.zeros(4, 64, 64)
    objects[:, :16, 32:48] = 1.0  # two rows and columns of latents
    loss = scene_diffusion.velocity_loss(net, latents, objects, torch.Generator().manual_seed(5))
    alpha = schedule.alphas_cumprod[net.steps].sqrt()[:, None, None, None]
    sigma = (1 - alpha**2).sqrt()
    eps = (net.noisy - alpha * latents) / sigma
    told = sigma * net.noisy  # the noise that a velocity of 0 says: alpha v + sigma x_t
    weight = torch.ones(4, 4, 8, 8)
    weight[:, :, :2, 4:6] = 5.0
    expected = (weight * ((eps - told) / alpha).square()).sum() / weight.sum()
    torch.testing.assert_close(loss, expected, rtol=1e-3, atol=0)


def test_feature(feature_folder: Path) -> None:
    places = f"feature={feature_folder},projection={feature_folder / 'projection'}"
    models = Models(parse_models(f"{places},feature-image={feature_folder / 'image'}"))
    assert isinstance(models.feature, VisionLanguageFeature)
    assert isinstance(models.projection, FeatureProjection)
    assert isinstance(models.feature_image, FeatureToImage)
    parts = models.feature, models.projection, models.feature_image, SceneJudge(8)
    figures = list(scene_evaluation.feature_figures(*parts, [0.0, np.inf], 2, 1, steps=2))
    assert [figure.at for figure in figures] == ["0dB", "0dB", "no-noise", "no-noise"]
    assert [figure.name for figure in figures] == 2 * ["facts-told", "facts-shown"]
    picture = figures[1].measured
    assert isinstance(picture, Share)
    assert min(picture.total) >= 5  # an object and a background in each of two scenes


def test_text_loss_is_that_of_the_text_receiver(words_folder: Path) -> None:
    """What greedy decoding writes has, token by token, the highest score in training."""
    found = VisionLanguageFeature.from_pretrained(words_folder)
    features = found.encode([draw(SCENE)])
    with torch.no_grad():
        pixels = pixel_values(draw(SCENE)[None], "cpu")
        learned = found.model.get_image_features(pixel_values=pixels).qformer_outputs.last_hidden_state
        torch.testing.assert_close(learned, features)
        losses = {
            token: float(scene_feature_words.text_loss(found.model, features, torch.tensor([[START, token]])))
            for token in range(STOP, found.model.config.text_config.vocab_size)
        }
    written = found.processor.tokenizer.decode([min(losses, key=losses.__getitem__)])
    assert found.to_text(features, max_tokens=1) == [written.strip()] != [""]


@pytest.mark.parametrize("recipe", ["blip", "feature_words"])
def test_vision_transformers_begin_as_the_captioners(captioner_folder: Path, recipe: str) -> None:
    """They see alike what leaves the last layer, up to its scale."""
    if recipe == "blip":
        tower = scene_blip.blip(captioner_folder, sizes=SMALL).make().model.vision_model
    else:
        made = scene_feature_words.feature_words(captioner_folder, sizes=FEATURE).make()
        tower = made.blip2.vision_model
    known = LLaVA.from_pretrained(captioner_folder).model.model.vision_tower
    pixels = pixel_values(np.stack([draw(sample_scene([8, index])) for index in range(16)]), "cpu")
    with torch.no_grad():
        found, wanted = (
            F.layer_norm(network.eval()(pixels).last_hidden_state, [SMALL.vision])
            for network in (tower, known)
        )
    assert float((found - wanted).square().mean()) < 0.1
    assert float((found - wanted.roll(1, 0)).square().mean()) > 0.3  # of other pictures


def test_the_second_stage_begins_with_the_first_and_with_the_generator(
    words_folder: Path, generator_folder: Path
) -> None:
    system = scene_feature.feature(words_folder, generator_folder, batch=2).make()
    assert isinstance(system, scene_feature.FeatureSystem)
    words = VisionLanguageFeature.from_pretrained(words_folder).model.state_dict()
    assert all(torch.equal(tensor, words[name]) for name, tensor in system.blip2.state_dict().items())
    unet = load_file(generator_folder / "unet" / "diffusion_pytorch_model.safetensors")
    assert all(torch.equal(tensor.half(), unet[name]) for name, tensor in system.unet.state_dict().items())


def test_missing_stages_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="semphy train tiny-generator-vae"):
        scene_generator.generator(tmp_path)
    with pytest.raises(ValueError, match="semphy train tiny-captioner"):
        scene_blip.blip(tmp_path)
    with pytest.raises(ValueError, match="semphy train tiny-captioner"):
        scene_feature_words.feature_words(tmp_path)
    with pytest.raises(ValueError, match="semphy train tiny-feature-words"):
        scene_feature.feature(tmp_path, tmp_path)
    (tmp_path / "projection").mkdir()
    with pytest.raises(ValueError, match="semphy train tiny-generator"):
        scene_feature.feature(tmp_path, tmp_path)
