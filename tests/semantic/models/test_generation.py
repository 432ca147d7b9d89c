"""The generator against diffusers called directly, on tiny checkpoints in the hub's layout."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny.diffusion import ADAPTER, CONTEXT, EMBEDDING, write_clip, write_ip_adapter, write_stable_diffusion
from transformers import CLIPModel, CLIPProcessor

from semantic.models.encoders import ImageEncoder
from semantic.models.generation import Generator, closest, feature_distance
from semantic.networks.pixels import Picture
from semantic.zoo.missing import WeightsMissing
from semantic.zoo.presets import resolve

PROMPTS = ["a dog on the beach", "two people walk in the rain", ""]
SEEDS = [7, 8, 9]
FAST: dict[str, Any] = {"steps": 2}


@pytest.fixture(scope="module")
def sd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stable_diffusion(tmp_path_factory.mktemp("sd"))


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ip_adapter(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def plain(sd: Path) -> Generator:
    return Generator.from_pretrained(sd)


@pytest.fixture(scope="module")
def prompted(sd: Path, adapter: Path) -> Generator:
    return Generator.from_pretrained(sd, ip_adapter=adapter, weight_name=ADAPTER)


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    rng = np.random.default_rng(3)
    return [rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((40, 52, 3), (33, 32, 3), (64, 48, 3))]


def direct(folder: Path, **options: Any) -> Any:
    pipeline = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32, **options)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def seeded(seed: int) -> torch.Generator:
    return torch.Generator("cpu").manual_seed(seed)


def same(a: list[Picture], b: list[Picture]) -> bool:
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


# Against diffusers. ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("guidance", [7.5, 1.0])
def test_text_to_image_is_the_pipeline_called_directly(sd: Path, plain: Generator, guidance: float) -> None:
    pipeline = direct(sd)
    expected = [
        np.array(
            pipeline(
                prompt,
                height=16,
                width=24,
                num_inference_steps=3,
                guidance_scale=guidance,
                generator=seeded(seed),
            ).images[0]
        )
        for prompt, seed in zip(PROMPTS, SEEDS, strict=True)
    ]
    got = plain.generate(PROMPTS, seeds=SEEDS, steps=3, guidance=guidance, size=(16, 24))
    assert [(p.shape, p.dtype) for p in got] == [((16, 24, 3), np.uint8)] * 3
    assert same(got, expected)
    assert min(p.std() for p in got) > 10


def test_guidance_is_rescaled_where_the_schedule_ends_in_noise(sd: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(sd, tmp_path / "noise")
    config = folder / "scheduler" / "scheduler_config.json"
    settings = json.loads(config.read_text())
    settings |= {
        "rescale_betas_zero_snr": True,
        "timestep_spacing": "trailing",
        "prediction_type": "v_prediction",
    }
    config.write_text(json.dumps(settings))
    options = {"num_inference_steps": 3, "guidance_scale": 7.5}
    pipeline = direct(folder)
    rescaled, usual = (
        np.array(pipeline(PROMPTS[0], generator=seeded(7), guidance_rescale=phi, **options).images[0])
        for phi in (0.7, 0.0)
    )
    (got,) = Generator.from_pretrained(folder).generate(PROMPTS[:1], seeds=[7], steps=3, guidance=7.5)
    assert np.array_equal(got, rescaled) and not np.array_equal(got, usual)


@pytest.mark.slow
@pytest.mark.parametrize("guidance", [7.5, 1.0])
def test_image_prompts_are_the_pipeline_called_directly(
    sd: Path, adapter: Path, prompted: Generator, pictures: list[Picture], guidance: float
) -> None:
    pipeline = direct(sd)
    pipeline.load_ip_adapter(
        str(adapter), subfolder="", weight_name=ADAPTER, image_encoder_folder="image_encoder"
    )
    pipeline.set_ip_adapter_scale(0.6)
    expected = [
        np.array(
            pipeline(
                prompt,
                ip_adapter_image=Image.fromarray(picture),
                num_inference_steps=2,
                guidance_scale=guidance,
                generator=seeded(seed),
            ).images[0]
        )
        for prompt, picture, seed in zip(PROMPTS, pictures, SEEDS, strict=True)
    ]
    got = prompted.generate(PROMPTS, images=pictures, seeds=SEEDS, scale=0.6, guidance=guidance, **FAST)
    assert same(got, expected)


def test_start_is_image_to_image_called_directly(sd: Path, plain: Generator, pictures: list[Picture]) -> None:
    pipeline = StableDiffusionImg2ImgPipeline.from_pretrained(sd, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    begin = [Image.fromarray(p).resize((16, 16), Image.Resampling.LANCZOS) for p in pictures]
    expected = [
        np.array(
            pipeline(prompt, image=image, strength=0.5, num_inference_steps=4, generator=seeded(seed)).images[
                0
            ]
        )
        for prompt, image, seed in zip(PROMPTS, begin, SEEDS, strict=True)
    ]
    assert same(plain.generate(PROMPTS, start=pictures, strength=0.5, steps=4, seeds=SEEDS), expected)


def test_start_and_image_prompt_go_together(prompted: Generator, pictures: list[Picture]) -> None:
    options: dict[str, Any] = {"seeds": SEEDS, "start": pictures, "strength": 0.5, "steps": 4}
    weighted = [prompted.generate(PROMPTS, images=pictures, scale=s, **options) for s in (0.0, 0.6)]
    assert same(weighted[0], prompted.generate(PROMPTS, **options))
    assert not same(*weighted)


# Prompts longer than the text encoder reads. -------------------------------------------------------------

CAPTIONS = [
    "A brown dog runs along the beach behind a ball.",
    "Grey clouds hang low over a calm sea.",
    "Two children in yellow coats look at a boat.",
    "A red umbrella stands open in wet sand.",
]


def read_by(pipeline: Any, texts: list[str]) -> torch.Tensor:
    """The text encoder's states of texts, each filled up to 77 tokens, one behind the other."""
    ids = pipeline.tokenizer(texts, padding="max_length", max_length=77, return_tensors="pt").input_ids
    with torch.no_grad():
        return torch.cat([pipeline.text_encoder(row[None])[0] for row in ids], dim=1)


@pytest.mark.parametrize("guidance", [7.5, 1.0])
def test_each_text_of_a_long_prompt_is_read_in_a_window_of_its_own(
    sd: Path, plain: Generator, guidance: float
) -> None:
    pipeline = direct(sd)
    expected = pipeline(
        prompt_embeds=read_by(pipeline, CAPTIONS),
        negative_prompt_embeds=read_by(pipeline, [""] * 4),
        num_inference_steps=2,
        guidance_scale=guidance,
        generator=seeded(7),
    ).images[0]
    got = plain.generate([CAPTIONS], seeds=[7], guidance=guidance, **FAST)
    assert same(got, [np.array(expected)])
    assert torch.equal(plain.encode_text([CAPTIONS])[0], read_by(pipeline, CAPTIONS)[0])


def test_another_last_caption_changes_its_window_alone(plain: Generator) -> None:
    other = [*CAPTIONS[:3], "A blue umbrella stands open in wet sand."]
    before, after = plain.encode_text([CAPTIONS, other])
    assert before.shape == after.shape == (4 * 77, CONTEXT)
    assert [torch.equal(a, b) for a, b in zip(before.split(77), after.split(77), strict=True)] == [
        True
    ] * 3 + [False]
    assert not same(*(plain.generate([told], seeds=[7], **FAST) for told in (CAPTIONS, other)))


def test_a_short_prompt_is_one_window_and_a_long_text_is_cut_behind_sentences(plain: Generator) -> None:
    assert plain.windows(["a dog", "a cat"]) == ["a dog a cat"]
    assert plain.windows("") == plain.windows([]) == [""]
    # The four have 20, 30, 24 and 28 tokens, of which two each are the frame.
    assert plain.windows(" ".join(CAPTIONS)) == [" ".join(CAPTIONS[:3]), CAPTIONS[3]]
    assert plain.windows(["a dog", " ".join(CAPTIONS)]) == ["a dog", " ".join(CAPTIONS[:3]), CAPTIONS[3]]
    words = "no end to this " * 12
    assert " ".join(plain.windows(words)) == words.strip() and len(plain.windows(words)) == 2
    with pytest.raises(ValueError, match="whole windows of 77 tokens, got 80"):
        plain.generate(prompt_embeds=torch.zeros(1, 80, CONTEXT), seeds=[7])


def test_prompts_of_different_lengths_do_not_depend_on_their_batch(sd: Path, plain: Generator) -> None:
    prompts = [CAPTIONS, "a dog", CAPTIONS[:2], "a cat"]
    alone = [plain.generate([told], seeds=[7], **FAST)[0] for told in prompts]
    assert same(plain.generate(prompts, seeds=[7] * 4, **FAST), alone)
    together = Generator.from_pretrained(sd, batch=4).generate(prompts, seeds=[7] * 4, **FAST)
    assert max(np.abs(a.astype(int) - b.astype(int)).max() for a, b in zip(together, alone, strict=True)) <= 1


@pytest.mark.slow
def test_the_bundled_generator_reads_the_fourth_caption() -> None:
    folder = resolve("tiny-generator")
    generator = Generator.from_pretrained(folder)
    texts = [
        f"A large {kind} {colour} ring on the left and a small plain star at the top right against snow."
        for kind in ("plain", "striped")
        for colour in ("red", "blue")
    ]
    told = [*texts[:3], texts[3].replace("blue", "green")]
    before, after = generator.encode_text([texts, told])
    length = generator.prompt_shape[0]
    assert len(before) == len(generator.windows(texts)) * length > length
    *same_windows, last = (
        torch.equal(a, b) for a, b in zip(before.split(length), after.split(length), strict=True)
    )
    assert all(same_windows) and not last


# lambda, embeddings, seeds. -------------------------------------------------------------------------------


@pytest.mark.slow
def test_lambda_zero_is_text_to_image_to_the_bit(
    plain: Generator, prompted: Generator, pictures: list[Picture]
) -> None:
    expected = plain.generate(PROMPTS, seeds=SEEDS, **FAST)
    assert same(prompted.generate(PROMPTS, seeds=SEEDS, images=pictures, scale=0.0, **FAST), expected)
    assert same(prompted.generate(PROMPTS, seeds=SEEDS, **FAST), expected)
    broken = torch.full((3, EMBEDDING), torch.nan)
    assert same(prompted.generate(PROMPTS, seeds=SEEDS, embeds=broken, scale=0.0, **FAST), expected)
    assert not same(prompted.generate(PROMPTS, seeds=SEEDS, images=pictures, scale=0.1, **FAST), expected)


def test_embeddings_stand_for_their_pictures_to_the_bit(prompted: Generator, pictures: list[Picture]) -> None:
    sent = prompted.embed(pictures)
    assert (sent.shape, sent.dtype) == ((3, EMBEDDING), torch.float32)
    assert prompted.embedding_width == EMBEDDING
    whole = prompted.generate(PROMPTS, seeds=SEEDS, images=pictures, **FAST)
    assert same(prompted.generate(PROMPTS, seeds=SEEDS, embeds=sent, **FAST), whole)
    noisy = sent + sent.std() * torch.randn(sent.shape, generator=seeded(1))
    assert not same(prompted.generate(PROMPTS, seeds=SEEDS, embeds=noisy, **FAST), whole)


def test_a_receiver_of_embeddings_loads_no_image_encoder(
    sd: Path, adapter: Path, prompted: Generator, pictures: list[Picture], tmp_path: Path
) -> None:
    shutil.copy(adapter / ADAPTER, tmp_path)  # without the folder image_encoder
    receiver = Generator.from_pretrained(
        sd, ip_adapter=tmp_path, weight_name=ADAPTER, image_encoder_folder=None
    )
    assert receiver.encoder is None
    assert receiver.diffusion.pipeline.image_encoder is None
    expected = prompted.generate(PROMPTS, seeds=SEEDS, images=pictures, **FAST)
    got = receiver.generate(PROMPTS, seeds=SEEDS, embeds=prompted.embed(pictures), **FAST)
    assert same(got, expected)
    with pytest.raises(ValueError, match="no image encoder: give embeddings"):
        receiver.generate(PROMPTS, seeds=SEEDS, images=pictures)
    with pytest.raises(ValueError, match="load the image encoder"):
        receiver.select("", torch.zeros(EMBEDDING), seeds=SEEDS)


def test_a_generator_without_adapter_has_no_image_encoder(plain: Generator, pictures: list[Picture]) -> None:
    assert plain.encoder is None
    assert plain.embedding_width is None
    assert plain.diffusion.pipeline.image_encoder is None
    with pytest.raises(ValueError, match="needs an IP-Adapter"):
        plain.generate(PROMPTS, seeds=SEEDS, images=pictures)


def test_pictures_do_not_depend_on_their_batch(prompted: Generator, pictures: list[Picture]) -> None:
    together = prompted.generate(PROMPTS, seeds=SEEDS, images=pictures, **FAST)
    alone = [
        prompted.generate([t], seeds=[s], images=[p], **FAST)[0]
        for t, s, p in zip(PROMPTS, SEEDS, pictures, strict=True)
    ]
    assert same(together, alone)
    assert torch.equal(prompted.embed(pictures), torch.cat([prompted.embed([p]) for p in pictures]))
    assert prompted.generate([], seeds=[]) == []


def test_several_samples_at_a_time_differ_by_rounding_only(plain: Generator, sd: Path) -> None:
    one = plain.generate(PROMPTS, seeds=SEEDS, **FAST)
    two = Generator.from_pretrained(sd, batch=2).generate(PROMPTS, seeds=SEEDS, **FAST)
    assert max(np.abs(a.astype(int) - b.astype(int)).max() for a, b in zip(one, two, strict=True)) <= 1


def test_a_seed_gives_one_initial_latent_to_every_system(
    plain: Generator, prompted: Generator, pictures: list[Picture], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    for generator, more in ((plain, {}), (prompted, {"images": pictures[:1]})):
        pipeline = generator.diffusion.pipeline
        original = pipeline.prepare_latents

        def record(*args: Any, original: Any = original, **options: Any) -> torch.Tensor:
            seen.append(original(*args, **options))
            return seen[-1]

        monkeypatch.setattr(pipeline, "prepare_latents", record)
        generator.generate(["a bus"], seeds=[11], **FAST, **more)
    expected = torch.randn(1, 4, 8, 8, generator=seeded(11))
    assert [torch.equal(latent, expected) for latent in seen] == [True, True]


# Candidates. ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_selection_keeps_the_candidate_closest_to_the_received_feature(prompted: Generator) -> None:
    candidates = prompted.generate(["a dog"] * 3, seeds=SEEDS, **FAST)
    for index, candidate in enumerate(candidates):
        received = prompted.embed([candidate])[0] * 3
        received = received + 0.01 * torch.randn(received.shape, generator=seeded(index))
        chosen = prompted.select("a dog", received, seeds=SEEDS, **FAST)
        assert chosen.index == index
        assert np.array_equal(chosen.picture, candidate)
        angles = torch.nn.functional.normalize(prompted.embed(candidates).double(), dim=1)
        expected = 1 - angles @ torch.nn.functional.normalize(received.double(), dim=0)
        assert chosen.distances == pytest.approx(expected.tolist(), abs=1e-12)


def test_selection_takes_any_distance_and_condition(prompted: Generator, pictures: list[Picture]) -> None:
    options: dict[str, Any] = {"steps": 4, "strength": 0.5, "scale": 0.8}
    options |= {"images": [pictures[0]] * 3, "start": [pictures[1]] * 3}
    chosen = prompted.select("a dog", lambda p: -float(p.mean()), seeds=SEEDS, **options)
    candidates = prompted.generate(["a dog"] * 3, seeds=SEEDS, **options)
    brightest = max(range(3), key=lambda i: candidates[i].mean())
    assert chosen.index == brightest
    assert np.array_equal(chosen.picture, candidates[brightest])


def test_of_equal_candidates_the_first_and_never_an_undefined_one(pictures: list[Picture]) -> None:
    values = iter([math.nan, 2.0, 1.0, 1.0])
    chosen = closest([*pictures, pictures[0]], lambda _: next(values))
    assert chosen.index == 2
    assert chosen.picture is pictures[2]
    with pytest.raises(ValueError, match="no candidate"):
        closest([], lambda _: 0.0)


def test_feature_distance_is_one_minus_cosine(pictures: list[Picture]) -> None:
    def embed(batch: Any) -> torch.Tensor:
        return torch.tensor([[[1.0, 0.0], [0.0, 0.0]]] * len(batch))

    target = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    assert feature_distance(embed, target)(pictures[0]) == pytest.approx(1 - 3 / 5)


# The image encoder. ---------------------------------------------------------------------------------------


def test_encoder_is_clips_image_tower(tmp_path: Path, pictures: list[Picture]) -> None:
    folder = write_clip(tmp_path / "clip-tiny")
    model = CLIPModel.from_pretrained(folder, dtype=torch.float32)
    processor = CLIPProcessor.from_pretrained(folder, backend="pil")
    encoder = ImageEncoder.from_pretrained(folder)
    for picture in pictures:
        pixels = processor.image_processor(picture, return_tensors="pt").pixel_values
        with torch.no_grad():
            expected = model.get_image_features(pixel_values=pixels).pooler_output
        assert torch.equal(encoder.embed([picture]), expected)
    assert (encoder.name, encoder.width, encoder.embed([]).shape) == ("clip-tiny", EMBEDDING, (0, EMBEDDING))


# Folders. -------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("named", [False, True])
def test_half_precision_checkpoints_load_as_float32(tmp_path: Path, named: bool) -> None:
    folder = write_stable_diffusion(tmp_path / "sd", dtype=torch.float16)
    if named:  # as published: files called *.fp16.safetensors and no others
        pipeline = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float16)
        shutil.rmtree(folder)
        pipeline.save_pretrained(folder, variant="fp16")
        assert (folder / "unet" / "diffusion_pytorch_model.fp16.safetensors").is_file()
    models = write_ip_adapter(tmp_path / "models", dtype=torch.float16)
    generator = Generator.from_pretrained(folder, ip_adapter=models, weight_name=ADAPTER)
    pipeline = generator.diffusion.pipeline
    modules = [pipeline.unet, pipeline.vae, pipeline.text_encoder, generator.encoder.model]  # type: ignore[union-attr]
    assert {p.dtype for module in modules for p in module.parameters()} == {torch.float32}
    half = Generator.from_pretrained(folder, ip_adapter=models, weight_name=ADAPTER, dtype=torch.bfloat16)
    picture = np.full((32, 32, 3), 90, np.uint8)
    (got,) = half.generate(["a dog"], seeds=[1], images=[picture], **FAST)
    assert half.diffusion.pipeline.unet.dtype == torch.bfloat16
    (full,) = generator.generate(["a dog"], seeds=[1], images=[picture], **FAST)
    assert 0 < np.abs(got.astype(int) - full.astype(int)).mean() < 20


def test_the_safety_checker_stays_off_and_nothing_is_printed(
    sd: Path, adapter: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(sd, tmp_path / "sd"))
    index = json.loads((folder / "model_index.json").read_text())
    index |= {
        "requires_safety_checker": True,
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    generator = Generator.from_pretrained(
        folder, ip_adapter=adapter, weight_name=ADAPTER, image_encoder_folder=None
    )
    start = np.zeros((16, 16, 3), np.uint8)
    generator.generate(["a dog"], seeds=[1], embeds=torch.ones(1, EMBEDDING), start=[start], **FAST)
    assert generator.diffusion.pipeline.safety_checker is None
    assert capfd.readouterr() == ("", "")


def test_missing_weights_name_the_command(sd: Path, adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"no folder '.*nowhere'.*fetch models:stable-diffusion-1.5"):
        Generator.from_pretrained(tmp_path / "nowhere")
    with pytest.raises(WeightsMissing, match=r"no file '.*ip-adapter_sd15.*fetch models:ip-adapter-sd15"):
        Generator.from_pretrained(sd, ip_adapter=adapter)
    shutil.copy(adapter / ADAPTER, tmp_path)
    with pytest.raises(WeightsMissing, match="no folder '.*image_encoder'"):
        Generator.from_pretrained(sd, ip_adapter=tmp_path, weight_name=ADAPTER)
    folder = Path(shutil.copytree(sd, tmp_path / "sd"))
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(WeightsMissing, match=r"is not complete: .*fetch models:stable-diffusion-1.5"):
        Generator.from_pretrained(folder)


def test_adapters_of_another_kind_are_refused(sd: Path, adapter: Path, tmp_path: Path) -> None:
    tensors = load_file(adapter / ADAPTER)
    tensors = {name: value for name, value in tensors.items() if name.startswith("ip_adapter.")}
    shapes = {"0.weight": (EMBEDDING, EMBEDDING), "0.bias": (EMBEDDING,), "2.weight": (CONTEXT, EMBEDDING)}
    shapes |= {"2.bias": (CONTEXT,), "3.weight": (CONTEXT,), "3.bias": (CONTEXT,)}
    tensors |= {f"image_proj.proj.{name}": torch.zeros(shape) for name, shape in shapes.items()}
    save_file(tensors, tmp_path / "full.safetensors")
    with pytest.raises(ValueError, match="full.safetensors reads a IPAdapterFullImageProjection, not one"):
        Generator.from_pretrained(
            sd, ip_adapter=tmp_path, weight_name="full.safetensors", image_encoder_folder=None
        )


def test_what_does_not_fit_is_quoted(plain: Generator, prompted: Generator, pictures: list[Picture]) -> None:
    with pytest.raises(ValueError, match=r"'prompts': 3, 'seeds': 2"):
        plain.generate(PROMPTS, seeds=[1, 2])
    with pytest.raises(ValueError, match=r"multiples of 8 pixels, got 20 x 16"):
        plain.generate(PROMPTS, seeds=SEEDS, size=(20, 16))
    with pytest.raises(ValueError, match=r"got 1 pictures for 3 samples"):
        plain.generate(PROMPTS, seeds=SEEDS, start=pictures[:1])
    with pytest.raises(ValueError, match=r"2 steps and strength 0.4"):
        plain.generate(PROMPTS, seeds=SEEDS, start=pictures, strength=0.4, steps=2)
    with pytest.raises(ValueError, match=r"\[3, 24\] are needed, got \[3, 25\]"):
        prompted.generate(PROMPTS, seeds=SEEDS, embeds=torch.zeros(3, EMBEDDING + 1))
    with pytest.raises(ValueError, match="got both"):
        prompted.generate(PROMPTS, seeds=SEEDS, images=pictures, embeds=torch.zeros(3, EMBEDDING))
