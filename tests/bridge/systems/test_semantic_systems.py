"""Semantic systems: without noise they are their models in a row, with noise every symbol is counted."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny.diffusion import CONTEXT, EMBEDDING, amplify, seeded, write_bridge, write_kandinsky
from tiny.systems import write_models

from bridge.air.transmission import ArrivedSymbols, Transmission, _passages, transmit
from bridge.models import Models
from bridge.systems.catalog import SEMANTIC, build_semantic
from bridge.systems.context import Context, text_coder
from bridge.systems.parts.painting import canvas
from bridge.systems.parts.values import VectorLink, unit_rms, values_of
from bridge.systems.pixels.codecs import CODECS
from bridge.systems.system import Reconstruction, Source, System
from bridge.training.scenes.batches import scene_tokenizer
from phy.channels.channel import Channel, SymbolReception
from phy.channels.flat import AWGN, Rayleigh
from phy.random import Stream
from phy.units import EsN0
from semantic.metrics.text import character_error_rate
from semantic.models.captioning import QUERY
from semantic.models.features import KandinskyDecoder
from semantic.models.segmentation import main_object
from semantic.networks.jscc import ADJSCC, JSCC, DeepJSCC2019, NestedJSCC
from semantic.zoo.weights import WeightsMissing

Picture = np.ndarray[Any, np.dtype[np.uint8]]

CLEAN = EsN0(100.0)
SEED = 5
FAST: dict[str, Any] = {"steps": 2, "guidance": 2.0}
DRAWN = (16, 16)  # what the network was trained for; pictures here have 40 x 48
TEXT: dict[str, Any] = {"coder": "utf-8", "max_tokens": 12}

# Every system with options that make it quick, and one variant of each way of sending.
SYSTEMS: dict[str, tuple[str, dict[str, Any]]] = {
    "multi-sc": ("multi-sc", {**TEXT, **FAST, "slice": "jpeg"}),
    "multi-sc raw": ("multi-sc", {**TEXT, **FAST, "slice": "raw", "slice_size": 8, "parts": 2}),
    "multi-sc analog": ("multi-sc", {**TEXT, **FAST, "slice": "analog", "slice_size": 8, "split": "objects"}),
    "multi-sc embedding": ("multi-sc", {**TEXT, **FAST, "slice": "jpeg", "coder": "embedding:fp32"}),
    "single-text": ("single-text", {**TEXT, **FAST, "slice": "none", "correct": False}),
    "vlm-csc": ("vlm-csc", {**FAST, "max_tokens": 12}),
    "vlf-msc": ("vlf-msc", {**FAST, "max_tokens": 8}),
    "vlf-msc fp32": ("vlf-msc", {**FAST, "max_tokens": 8, "quantizer": "fp32"}),
    "vlf-msc planes": (
        "vlf-msc",
        {**FAST, "max_tokens": 8, "quantizer": "lloyd-max:2", "scheme": "1/3-qpsk|1/2-qpsk"},
    ),
    "text-only": ("text-only", {**TEXT, **FAST}),
    "image-only bpg": ("image-only", {"max_tokens": 12}),
    "image-only jscc": ("image-only", {"max_tokens": 12, "carrier": "jscc"}),
    "deep-jscc": ("deep-jscc", {}),
    "selection": ("selection", {**TEXT, **FAST, "candidates": 3}),
    "selection fp32": ("selection", {**TEXT, **FAST, "candidates": 3, "quantizer": "fp32"}),
}


@dataclass
class CountingChannel:
    """Counts what passes through it, and leaves everything else to AWGN."""

    symbols: int = 0
    name: str = field(default="awgn")

    def __call__(
        self, symbols: torch.Tensor, snr: EsN0, streams: Sequence[Stream], real: bool = False
    ) -> SymbolReception:
        self.symbols += symbols.numel()
        return AWGN()(symbols, snr, streams, real)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[str, str], ...]:
    """A tiny checkpoint for every role, in the hub's layout."""
    folders = write_models(tmp_path_factory.mktemp("models"))
    return tuple((role, str(folder)) for role, folder in folders.items())


@pytest.fixture(scope="module")
def models(places: tuple[tuple[str, str], ...]) -> Models:
    return Models(places)


@pytest.fixture
def context(models: Models) -> Context:
    return Context(AWGN(), models=models, seed=SEED)


@pytest.fixture(scope="module")
def picture() -> Picture:
    y, x = np.mgrid[0:40, 0:48]
    waves = np.stack([128 + 90 * np.sin(x / 6), 4 * x, 5 * y], axis=-1)
    return waves.clip(0, 255).astype(np.uint8)


@pytest.fixture
def source(picture: Picture) -> Source:
    return Source("waves", image=picture)


def build(variant: str, context: Context, **more: Any) -> System:
    name, options = SYSTEMS[variant]
    return build_semantic(name, context, {**options, **more})


def uses_for(variant: str) -> int | None:
    """Only a file over LDPC needs a budget."""
    return 1500 if variant == "image-only bpg" else None


def through(
    system: System, source: Source, snr: EsN0 = CLEAN, uses: int | None = None
) -> tuple[Transmission, Reconstruction]:
    transmission = system.encode(source, uses, snr)
    (reception,) = transmit(transmission, snr, [Stream(1, "test", 0)])
    return transmission, system.decode(reception)


def painted(context: Context, text: str) -> Picture:
    (made,) = context.models.painter.generate([text], seeds=[SEED], size=DRAWN, **FAST)
    return resized(made)


def resized(made: Picture) -> Picture:
    """As the receiver brings what it has drawn to the size agreed on."""
    return np.asarray(Image.fromarray(made).resize((48, 40), Image.Resampling.LANCZOS))


def same(a: Picture | None, b: Picture | None) -> bool:
    return a is not None and b is not None and np.array_equal(a, b)


def close(a: Picture | None, b: Picture, levels: int = 1) -> bool:
    return a is not None and a.shape == b.shape and int(np.abs(a.astype(int) - b).max()) <= levels


# Without noise every system is its models in a row. -------------------------------------------------------


def piece_of(models: Models, picture: Picture, side: int) -> Picture:
    top, left, bottom, right = main_object(models.segmenter.labels([picture])[0]).box
    image = Image.fromarray(picture[top:bottom, left:right])
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.asarray(image)


def quadrants(picture: Picture) -> list[Picture]:
    return [picture[:20, :24], picture[:20, 24:], picture[20:, :24], picture[20:, 24:]]


def fused_captions(models: Models, pictures: list[Picture]) -> str:
    return " ".join(text.strip() for text in models.captioner.caption(pictures, QUERY, max_tokens=12))


def test_multi_sc_may_ask_for_a_channel_a_payload(context: Context, source: Source) -> None:
    """One passage for all by default; a passage for each text and for the slice by name."""
    options = SYSTEMS["multi-sc"][1]
    for links, passages in (("sequential", 1), ("orthogonal", 5)):
        system = build_semantic("multi-sc", context, {**options, "links": links})
        sent = system.encode(source, None, CLEAN)
        assert sent.links == links and len(sent.parts) == 5
        assert len(_passages(sent)) == passages
    with pytest.raises(ValueError, match="sequential or orthogonal, got 'five'"):
        build_semantic("multi-sc", context, {**options, "links": "five"})


def test_multi_sc_is_its_models_in_a_row(context: Context, source: Source, picture: Picture) -> None:
    models = context.models
    codec = CODECS["jpeg"]()
    piece = piece_of(models, picture, 128)
    file = codec.encode(piece, codec.qualities[len(codec.qualities) // 2])
    fused = fused_captions(models, quadrants(picture))
    (corrected,) = models.corrector.correct([fused])
    (expected,) = models.generator.generate(
        [corrected],
        images=[codec.decode(file, (piece.shape[0], piece.shape[1]))],
        scale=0.6,
        seeds=[SEED],
        size=DRAWN,
        **FAST,
    )
    transmission, made = through(build("multi-sc", context), source)
    names = [entry.payload for entry in transmission.ledger.entries]
    assert names == ["text-0", "text-1", "text-2", "text-3", "slice"]
    assert same(made.image, resized(expected))
    assert (made.text, made.failed, made.remark) == (corrected, False, "")
    assert made.samples == {"received": fused, "corrected": corrected}


@pytest.mark.parametrize("coder", ["utf-8", "embedding:fp32"])
def test_a_raw_slice_and_prompt_embeddings_come_through_to_the_bit(
    context: Context, source: Source, picture: Picture, coder: str
) -> None:
    models = context.models
    fused = fused_captions(models, [picture[:, :24], picture[:, 24:]])
    (expected,) = models.generator.generate(
        [fused], images=[piece_of(models, picture, 8)], scale=0.6, seeds=[SEED], size=DRAWN, **FAST
    )
    system = build("multi-sc raw", context, split="columns", correct=False, coder=coder)
    _, made = through(system, source)
    assert same(made.image, resized(expected))
    assert made.text == (fused if coder == "utf-8" else None)
    assert system.delivers == (("image", "text") if coder == "utf-8" else ("image",))


def test_analog_slices_and_prompts_come_close(context: Context, source: Source, picture: Picture) -> None:
    models = context.models
    fused = fused_captions(models, quadrants(picture))
    (expected,) = models.generator.generate(
        [fused], images=[piece_of(models, picture, 8)], scale=0.6, seeds=[SEED], size=DRAWN, **FAST
    )
    system = build("multi-sc analog", context, split="grid", coder="embedding:analog", correct=False)
    _, made = through(system, source)
    assert close(made.image, resized(expected))


def test_prompt_embeddings_are_the_text_encoders(context: Context) -> None:
    painter, prompts = context.models.painter, ["a dog on the beach", ""]
    pipeline = painter.diffusion.pipeline
    ids = pipeline.tokenizer(prompts, padding="max_length", max_length=77, return_tensors="pt").input_ids
    with torch.no_grad():
        expected = torch.cat([pipeline.text_encoder(row[None])[0] for row in ids])
    sent = painter.encode_text(prompts)
    assert sent.shape == (2, *painter.prompt_shape) == (2, 77, CONTEXT)
    assert torch.equal(sent, expected)
    for guidance in (1.0, 5.0):
        options: dict[str, Any] = {"seeds": [1, 2], "steps": 2, "guidance": guidance}
        texts = painter.generate(prompts, **options)
        embedded = painter.generate(prompt_embeds=sent, **options)
        assert all(map(same, texts, embedded)) and not same(*texts)
    with pytest.raises(ValueError, match="got both"):
        painter.generate(prompts, prompt_embeds=sent, seeds=[1, 2])
    with pytest.raises(ValueError, match="got neither"):
        painter.generate(seeds=[1, 2])


def test_lambda_zero_is_text_to_image_to_the_bit(context: Context, source: Source, picture: Picture) -> None:
    _, made = through(build("multi-sc", context, scale=0.0), source)
    _, plain = through(build("multi-sc", context, slice="none"), source)
    assert made.text is not None
    assert same(made.image, painted(context, made.text))
    assert same(plain.image, made.image)


def test_single_text_describes_the_whole_picture(context: Context, source: Source, picture: Picture) -> None:
    transmission, made = through(build("single-text", context), source)
    text = fused_captions(context.models, [picture])
    assert made.text == text
    assert same(made.image, painted(context, text))
    assert [entry.payload for entry in transmission.ledger.entries] == ["text-0"]


def test_whole_pictures_are_described_without_a_segmenter(
    places: tuple[tuple[str, str], ...], context: Context, source: Source
) -> None:
    without = Context(AWGN(), models=Models(tuple(p for p in places if p[0] != "segmenter")), seed=SEED)
    found, expected = (through(build("text-only", each), source)[1] for each in (without, context))
    assert found.text == expected.text


def test_tokens_of_a_preset_are_those_of_its_tokenizer() -> None:
    coder = text_coder("tokens:tiny-captioner")
    text = "A large plain red ring on the left against snow."
    bits, count = coder.encode(text)
    assert (coder.name, count, coder.decode(bits, count)) == ("tokens:tiny-captioner", 11, (text, ""))
    vocabulary = scene_tokenizer(256).backend_tokenizer.get_vocab_size()
    assert bits.numel() == 11 * (vocabulary - 1).bit_length()


@pytest.mark.parametrize("correct", [False, True])
def test_text_only_is_its_models_in_a_row(
    context: Context, source: Source, picture: Picture, correct: bool
) -> None:
    (sent,) = context.models.captioner.caption([picture], QUERY, max_tokens=12)
    text = context.models.corrector.correct([sent])[0] if correct else sent
    _, made = through(build("text-only", context, correct=correct), source)
    assert (made.text, made.samples) == (text, {"received": sent, "corrected": text})
    assert same(made.image, painted(context, text))


def test_vlm_csc_is_its_models_in_a_row(context: Context, source: Source, picture: Picture) -> None:
    models = context.models
    (caption,) = models.blip.caption([picture], max_tokens=12)
    (values,) = models.text_jscc.encode_text([caption], CLEAN.db)
    (text,) = models.text_jscc.decode_text([unit_rms(values) / 2**0.5], CLEAN.db)
    system = build("vlm-csc", context)
    transmission, made = through(system, source)
    assert system.adapts
    assert made.text == text
    assert same(made.image, painted(context, text))
    (tokens,) = {len(models.text_jscc.tokenizer.encode(caption).ids)}
    assert transmission.ledger.channel_uses == 3 * min(tokens, 24)


def test_a_caption_without_tokens_sends_nothing(
    context: Context, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context.models.blip, "caption", lambda *_, **__: [""])
    transmission, made = through(build("vlm-csc", context), source)
    assert transmission.ledger.channel_uses == 0
    assert made.text == ""
    assert same(made.image, painted(context, ""))


@pytest.mark.parametrize(("variant", "scale"), [("vlf-msc", 1.0), ("vlf-msc fp32", 0.3)])
@torch.no_grad()
def test_vlf_msc_is_its_models_in_a_row(
    context: Context, source: Source, picture: Picture, variant: str, scale: float
) -> None:
    models = context.models
    values = models.projection.encode(models.feature.encode([picture]))
    feature = models.projection.decode(scale * unit_rms(values))
    (text,) = models.feature.to_text(feature, max_tokens=8)
    (expected,) = models.feature_image.generate(feature, seeds=[SEED], size=DRAWN, **FAST)
    transmission, made = through(build(variant, context, scale=scale), source)
    assert made.text == text
    if variant == "vlf-msc":
        assert transmission.ledger.channel_uses == models.projection.channel_uses == 24
        assert close(made.image, resized(expected))
    else:
        assert same(made.image, resized(expected))


@torch.no_grad()
def test_kandinsky_draws_from_the_feature_too(
    places: tuple[tuple[str, str], ...], source: Source, picture: Picture, tmp_path: Path
) -> None:
    write_bridge(write_kandinsky(tmp_path), EMBEDDING)
    models = Models((*(p for p in places if p[0] != "feature-image"), ("feature-image", str(tmp_path))))
    values = models.projection.encode(models.feature.encode([picture]))
    feature = models.projection.decode(unit_rms(values))
    (expected,) = models.feature_image.generate(feature, seeds=[SEED], size=DRAWN, **FAST)
    _, made = through(build("vlf-msc fp32", Context(AWGN(), models=models, seed=SEED)), source)
    assert isinstance(models.feature_image, KandinskyDecoder)
    assert same(made.image, resized(expected))


@pytest.mark.parametrize(
    ("size", "trained", "step", "drawn"),
    [
        ((512, 512), (512, 512), 8, (512, 512)),
        ((375, 500), (512, 512), 8, (440, 592)),
        ((40, 48), (16, 16), 4, (16, 16)),
        ((10, 1000), (64, 64), 8, (8, 640)),
        ((375, 500), (512, 512), 64, (448, 576)),
    ],
)
def test_pictures_are_drawn_at_their_proportions(
    size: tuple[int, int], trained: tuple[int, int], step: int, drawn: tuple[int, int]
) -> None:
    painter: Any = SimpleNamespace(size=trained, step=step)
    assert canvas(size, painter) == drawn


def nested() -> NestedJSCC:
    return NestedJSCC(8, 16, 8, 1, 8)


NETWORKS = {"2019": lambda: DeepJSCC2019(4), "adjscc": lambda: ADJSCC(4, width=8), "nested": nested}


@pytest.mark.parametrize("kind", NETWORKS)
@torch.no_grad()
def test_deep_jscc_is_its_network(
    places: tuple[tuple[str, str], ...], picture: Picture, tmp_path: Path, kind: str
) -> None:
    network: JSCC = seeded(NETWORKS[kind], 6)
    last = [layer for layer in network.modules() if isinstance(layer, torch.nn.ConvTranspose2d)][-1:]
    amplify(last[0] if last else network, 50.0 if last else 3.0)
    network.save_pretrained(tmp_path)
    models = Models((*(place for place in places if place[0] != "jscc"), ("jscc", str(tmp_path))))
    system = build("deep-jscc", Context(AWGN(), models=models))
    assert system.adapts == network.snr_adaptive
    assert "jscc" not in vars(models)  # its settings were read, not its weights
    _, made = through(system, Source("waves", image=picture))
    told = torch.tensor([CLEAN.db])
    pixels = torch.from_numpy(picture.astype(np.float32) / 255).permute(2, 0, 1)[None]
    values = models.jscc.encode(pixels, told)
    decoded = models.jscc.decode(unit_rms(values) / 2**0.5, picture.shape[:2], told)[0]
    expected = (decoded.permute(1, 2, 0).clamp(0, 1) * 255).round().numpy().astype(np.uint8)
    assert close(made.image, resized(expected))
    assert not close(through(system, Source("waves", image=picture), EsN0(10.0))[1].image, expected, 9)


def test_nested_deep_jscc_sends_as_many_channels_as_fit(
    places: tuple[tuple[str, str], ...], source: Source, tmp_path: Path
) -> None:
    seeded(nested, 6).save_pretrained(tmp_path)
    models = Models((*places, ("jscc", str(tmp_path))))
    context = Context(AWGN(), models=models)
    system = build("deep-jscc", context)
    rows, columns = models.jscc.latent_size((40, 48))
    full = system.encode(source, None, EsN0(3.0)).ledger.channel_uses
    assert full == 4 * rows * columns
    for budget in (full, 3 * rows * columns + 1, rows * columns):
        used = system.encode(source, budget, EsN0(3.0)).ledger.channel_uses
        assert used == budget // (rows * columns) * rows * columns
    assert through(system, source, uses=2 * rows * columns)[1].image is not None
    with pytest.raises(ValueError, match=f"takes {rows * columns} .* the {rows * columns - 1} given"):
        system.encode(source, rows * columns - 1, EsN0(3.0))
    with pytest.raises(ValueError, match=f"{2 * rows * columns} channel uses, more than the 5"):
        build("deep-jscc", context, channels=4).encode(source, 5, EsN0(3.0))


@pytest.mark.parametrize("variant", ["image-only bpg", "image-only jscc"])
def test_image_only_describes_what_arrived(context: Context, source: Source, variant: str) -> None:
    uses = uses_for(variant)
    transmission, made = through(build(variant, context), source, uses=uses)
    assert made.image is not None
    assert [made.text] == context.models.captioner.caption([made.image], QUERY, max_tokens=12)
    assert [entry.payload for entry in transmission.ledger.entries] == ["picture"]
    if variant == "image-only jscc":
        assert same(made.image, through(build("deep-jscc", context), source)[1].image)


def test_image_only_describes_the_failure_policy(context: Context, source: Source) -> None:
    grey = replace(context, policy="grey")
    _, made = through(build("image-only bpg", grey), source, EsN0(-9.0), 1500)
    assert made.failed
    assert made.image is not None and np.all(made.image == 128)
    assert [made.text] == context.models.captioner.caption([made.image], QUERY, max_tokens=12)


@pytest.mark.parametrize("variant", ["selection", "selection fp32"])
def test_selection_keeps_the_nearest_candidate(
    context: Context, source: Source, picture: Picture, variant: str
) -> None:
    models = context.models
    (text,) = models.captioner.caption([picture], QUERY, max_tokens=12)
    seeds = [SEED, SEED + 1, SEED + 2]
    candidates = models.painter.generate([text] * 3, seeds=seeds, size=DRAWN, **FAST)
    target, embeddings = models.generator.embed([picture]), models.generator.embed(candidates)
    best = int(torch.cosine_similarity(embeddings, target).argmax())
    _, made = through(build(variant, context), source)
    assert same(made.image, resized(candidates[best]))
    assert made.text == text
    assert made.samples["chosen"].startswith(f"{best + 1}, ")


@pytest.mark.parametrize(("quantizer", "tolerance"), [(None, 1e-3), ("fp32", 0.0)])
def test_vectors_arrive_at_unit_root_mean_square(quantizer: str | None, tolerance: float) -> None:
    vector = 7 * torch.randn(101, generator=torch.Generator().manual_seed(1))
    link = VectorLink(Context(AWGN()), quantizer, "1/2-qpsk")
    transmission = Transmission(link.parts("vector", vector), count=101)
    got, remark = link.collect("vector", transmit(transmission, CLEAN, [Stream(1, 0)])[0])
    error = (got - unit_rms(vector)).norm() / got.norm()
    assert float(error) <= tolerance and remark == ""
    assert transmission.ledger.entries[0].header_bits == 0


# Costs, noise and memory. ---------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", SYSTEMS)
def test_the_ledger_is_what_passes_the_channel(models: Models, source: Source, variant: str) -> None:
    channel = CountingChannel()
    system = build(variant, Context(channel, models=models))
    transmission, made = through(system, source, EsN0(4.0), uses_for(variant))
    assert transmission.ledger.channel_uses == channel.symbols > 0
    assert set(system.delivers) == {kind for kind in ("image", "text") if getattr(made, kind) is not None}


@pytest.mark.parametrize("variant", SYSTEMS)
@pytest.mark.parametrize("channel", [AWGN(), Rayleigh("block")])
def test_whatever_arrives_becomes_a_picture(
    models: Models, source: Source, picture: Picture, variant: str, channel: Channel
) -> None:
    system = build(variant, Context(channel, models=models))
    _, made = through(system, source, EsN0(-9.0), uses_for(variant))
    assert made.image is not None and made.image.shape == picture.shape and made.image.dtype == np.uint8


@pytest.mark.parametrize("variant", sorted(set(SYSTEMS) - {"image-only bpg"}))
def test_too_few_channel_uses_are_refused_with_figures(
    context: Context, source: Source, variant: str
) -> None:
    system = build(variant, context)
    system.check(7)
    with pytest.raises(ValueError, match="at least one channel use, got 0"):
        system.check(0)
    with pytest.raises(ValueError, match=r"\b7\b"):
        system.encode(source, 7, CLEAN)


def test_the_slice_gets_what_the_texts_leave(context: Context, source: Source) -> None:
    system = build("multi-sc", context)
    sizes = []
    for budget in (4500, 6500):
        transmission, made = through(system, source, uses=budget)
        assert budget - 8 <= transmission.ledger.channel_uses <= budget
        assert not made.failed and not made.remark
        sizes.append(transmission.ledger.of_payload("slice").entries[0].source_bits)
    assert sizes[0] < sizes[1]
    with pytest.raises(ValueError, match="the text of multi-sc takes"):
        system.encode(source, 100, CLEAN)


def test_sizes_that_latents_do_not_have_are_resized(context: Context, picture: Picture) -> None:
    odd = Source("odd", image=np.ascontiguousarray(picture[:37, :45]))
    for variant in ("text-only", "vlf-msc", "multi-sc", "selection"):
        _, made = through(build(variant, context), odd)
        assert made.image is not None and made.image.shape == (37, 45, 3)


SENDERS = {
    "multi-sc": {"captioner.caption": 1, "segmenter.labels": 1},
    "multi-sc analog": {"captioner.caption": 1, "segmenter.labels": 2},
    "multi-sc embedding": {"captioner.caption": 1, "segmenter.labels": 1, "generator.encode_text": 1},
    "single-text": {"captioner.caption": 1},
    "text-only": {"captioner.caption": 1},
    "vlf-msc": {"feature.encode": 1, "projection.encode": 1},
    "selection": {"captioner.caption": 1, "generator.embed": 1},
    "vlm-csc": {"blip.caption": 1, "text_jscc.encode_text": 3},  # once an SNR: it adapts
    "deep-jscc": {"jscc.encode": 3},
}


@pytest.mark.parametrize("variant", SENDERS)
def test_transmitters_ask_their_models_once_a_source(
    places: tuple[tuple[str, str], ...],
    picture: Picture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variant: str,
) -> None:
    calls: dict[str, int] = {}
    models = Models(places)

    def count(path: str) -> None:
        owner, method = path.split(".")
        asked = getattr(models, owner)
        original = getattr(asked, method)

        def counting(*arguments: Any, **options: Any) -> Any:
            calls[path] = calls.get(path, 0) + 1
            return original(*arguments, **options)

        monkeypatch.setattr(asked, method, counting)

    for path in SENDERS[variant]:
        count(path)
    system = build(variant, Context(AWGN(), models=models))
    source = Source("waves", image=picture, folder=tmp_path)
    sent = [system.encode(source, None, EsN0(snr)) for snr in (0.0, 6.0, 12.0, 6.0)]
    assert calls == SENDERS[variant]

    fresh = Models(places)
    again = build(variant, Context(AWGN(), models=fresh)).encode(
        Source("again", image=picture, folder=tmp_path), None, EsN0(6.0)
    )
    loaded = {name for name in vars(fresh) if name[0] != "_"} - set(vars(Models(places)))
    assert loaded == ({"jscc"} if variant == "deep-jscc" else set())  # it says how many symbols there are
    for part, other in zip(again.parts, sent[1].parts, strict=True):
        bits = part.bits if hasattr(part, "bits") else part.symbols
        assert torch.equal(bits, other.bits if hasattr(other, "bits") else other.symbols)


def test_multi_sc_misspells_without_a_code(context: Context, source: Source) -> None:
    uncoded = replace(context, text_schemes="1-qpsk")
    system = build("multi-sc", uncoded, coder="latin-1|utf-8", slice="none", max_tokens=30)
    _, clean = through(system, source)
    rates = []
    for snr in (12.0, 7.0, 4.0):
        _, made = through(system, source, EsN0(snr))
        assert made.samples["corrected"] == made.text
        rates.append(character_error_rate(clean.samples["received"], made.samples["received"]))
    assert rates[0] == 0 < rates[1] < rates[2] < 0.7


# Systems by name. -----------------------------------------------------------------------------------------

OWN = '''
"""Sends the mean colour of a picture, eight bits a channel."""

import numpy as np
import torch

from bridge.payloads import Packed
from bridge.systems.system import Reconstruction
from bridge.air.transmission import Transmission


class MeanColour:
    modality, delivers, adapts, policy = "image", ("image",), False, "best-effort"

    def __init__(self, context, *, gain=1.0):
        self.link, self.gain = context.text_link(), gain
        self.name = self.family = "mean-colour"

    def check(self, channel_uses):
        pass

    def encode(self, source, channel_uses, snr):
        colour = (self.gain * source.image.mean((0, 1))).clip(0, 255).astype(np.uint8)
        bits = torch.from_numpy(np.unpackbits(colour))
        parts = self.link.parts("colour", Packed(bits, 24, 0, 0), channel_uses)
        return Transmission(parts, source.image.shape[:2])

    def decode(self, reception):
        arrived = self.link.collect("colour", reception)
        colour = np.packbits(arrived.bits.numpy())
        return Reconstruction(np.full((*reception.shape, 3), colour), failed=arrived.intact is False)
'''


def test_a_system_of_ones_own_in_forty_lines(
    context: Context, source: Source, picture: Picture, tmp_path: Path
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    assert len(OWN.splitlines()) < 40
    system = build_semantic(f"{file}:MeanColour", context, {"gain": 0.5})
    transmission, made = through(system, source)
    colour = (0.5 * picture.mean((0, 1))).astype(np.uint8)
    assert same(made.image, np.full_like(picture, colour))
    assert transmission.ledger.entries[0].source_bits == 24
    assert build_semantic(f"{file}:MeanColour", context).name == "mean-colour"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("multi-sea", {}, "unknown system 'multi-sea'.*vlf-msc"),
        ("multi-sc", {"part": 4}, "no option part; there are parts, split"),
        ("single-text", {"part": 4}, "no option part; there are parts, name, split"),
        ("single-text", {"parts": 4}, "one text, got parts 4"),
        ("multi-sc", {"split": "diagonal"}, "split must be one of"),
        ("multi-sc", {"slice": "gif"}, "slice must be one of none, raw"),
        ("multi-sc", {"coder": "embedding:lloyd"}, "quantiser 'lloyd'"),
        ("vlf-msc", {"quantizer": "lloyd"}, "quantiser 'lloyd'"),
        ("vlf-msc", {"scale": 0}, "above 0, got 0"),
        ("selection", {"candidates": 0}, "at least one candidate"),
        ("image-only", {"carrier": "gif"}, "jscc or one of bpg"),
        ("image-only", {"scheme": "witt"}, "one scheme here"),
        ("no/such/file.py:Mine", {}, "no file 'no/such/file.py'"),
        ("{file}:Yours", {}, "has no 'Yours'"),
        ("{file}:Half", {}, "lacks delivers, adapts, policy, check, decode"),
        ("{file}:Half", {"a": 1}, "no option a; there are none"),
        ("{broken}:Mine", {}, "cannot be imported: NameError: name 'nonsense'"),
        ("{text}:Mine", {}, r"must end in \.py"),
    ],
)
def test_what_is_wrong_is_said(
    context: Context, tmp_path: Path, name: str, options: dict[str, Any], message: str
) -> None:
    files = {kind: tmp_path / f"{kind}.py" for kind in ("file", "broken")} | {"text": tmp_path / "mine.txt"}
    files["file"].write_text(
        "class Half:\n    name = family = modality = 'image'\n"
        "    def __init__(self, context): pass\n    def encode(self, source, uses, snr): pass\n"
    )
    files["broken"].write_text("nonsense\n")
    files["text"].write_text("class Mine: pass\n")
    with pytest.raises(ValueError, match=message):
        build_semantic(name.format(**files), context, options)


def test_models_are_looked_for_when_a_system_is_built(places: tuple[tuple[str, str], ...]) -> None:
    for name, make in SEMANTIC.items():
        with pytest.raises(ValueError, match="no model plays"):
            build_semantic(name, Context(AWGN()))
        system: Any = make(Context(AWGN(), models=Models(places)))
        assert set(system.roles) <= set(dict(places)), name
        for role in system.roles:
            less = tuple(place for place in places if place[0] != role)
            with pytest.raises(ValueError, match=f"no model plays '{role}'"):
                build_semantic(name, Context(AWGN(), models=Models(less)))
    without = Models((*(place for place in places if place[0] != "corrector"), ("corrector", "none")))
    assert build_semantic("multi-sc", Context(AWGN(), models=without)).family == "multi-sc"
    missing = Models((*(place for place in places if place[0] != "captioner"), ("captioner", "blip-base")))
    with pytest.raises(WeightsMissing, match="semphy fetch"):
        build_semantic("text-only", Context(AWGN(), models=missing))


def test_quarters_are_named_where_texts_are_fused(context: Context, picture: Picture) -> None:
    options = {**TEXT, **FAST, "slice": "none", "correct": False}
    source = Source("picture", image=picture)
    joined, named = (
        build_semantic("multi-sc", context, {**options, "fusion": fusion}) for fusion in ("join", "quadrants")
    )
    texts = []
    for system in (joined, named):
        reception = transmit(system.encode(source, None, CLEAN), CLEAN, [Stream(SEED)])[0]
        texts.append(system.decode(reception).samples["received"])
    quarters = re.split(r"(?:Top|Bottom) (?:left|right) quarter: ", texts[1])
    assert quarters[0] == ""
    assert len(quarters) == 5
    assert " ".join(text.strip() for text in quarters[1:]) == texts[0]
    with pytest.raises(ValueError, match="quadrants"):
        build_semantic("multi-sc", context, {"fusion": "quadrants", "parts": 9})


def test_learned_symbols_are_weighed_by_their_noise() -> None:
    """As they arrived where all have the same noise; else by linear MMSE, with an SNR of the same error."""
    source = torch.Generator().manual_seed(2)
    sent = torch.randn(100_000, generator=source, dtype=torch.complex64)
    equal = ArrivedSymbols(sent, torch.full((len(sent),), 0.25))
    values, level = values_of(equal)
    assert torch.equal(values, torch.view_as_real(sent).reshape(-1))
    assert level == pytest.approx(-10 * math.log10(0.25), abs=1e-6)
    no = torch.where(torch.arange(len(sent)) % 2 == 0, 0.1, 10.0)
    noise = no.sqrt() * torch.randn(len(sent), generator=source, dtype=torch.complex64)
    values, level = values_of(ArrivedSymbols(sent + noise, no))
    error = (0.1 / 1.1 + 10 / 11) / 2  # of each symbol no / (1 + no), at unit power
    told = 10 ** (-level / 10)
    assert told / (1 + told) == pytest.approx(error, rel=1e-6)
    estimate = values / (1 + told)
    found = (estimate - torch.view_as_real(sent).reshape(-1)).square().mean().item() * 2
    assert found == pytest.approx(error, rel=0.01)  # three standard deviations of 100,000 symbols
