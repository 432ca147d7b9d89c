"""Semantic systems without noise are their models in a row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tiny.diffusion import CONTEXT, EMBEDDING, write_bridge, write_kandinsky
from tiny.semantic_systems import (
    CLEAN,
    DRAWN,
    FAST,
    SEED,
    SYSTEMS,
    Picture,
    build,
    close,
    painted,
    piece_of,
    quadrants,
    resized,
    same,
    through,
    told_of,
)

from bridge.air.transmission import _passages, transmit
from bridge.models import Models
from bridge.systems.catalog import build_semantic
from bridge.systems.context import Context, text_coder
from bridge.systems.parts.painting import canvas
from bridge.systems.parts.values import unit_rms
from bridge.systems.pixels.codecs import CODECS
from bridge.systems.system import Source
from bridge.training.scenes.batches import scene_tokenizer
from phy.channels.flat import AWGN
from phy.random import Stream
from phy.units import BudgetExceeded, EsN0
from semantic.models.captioning import QUERY
from semantic.models.features import KandinskyDecoder
from semantic.models.segmentation import main_object


@pytest.mark.slow
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


@pytest.mark.slow
def test_multi_sc_is_its_models_in_a_row(context: Context, source: Source, picture: Picture) -> None:
    models = context.models
    codec = CODECS["jpeg"]()
    piece = piece_of(models, picture, 128)
    file = codec.encode(piece, codec.qualities[len(codec.qualities) // 2])
    told = told_of(models, quadrants(picture))
    corrected = models.corrector.correct(told)
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
    assert (made.text, made.failed, made.remark) == (" ".join(corrected), False, "")
    assert made.samples == {"received": " ".join(told), "corrected": made.text}


@pytest.mark.parametrize("coder", ["utf-8", "embedding:fp32"])
def test_a_raw_slice_and_prompt_embeddings_come_through_to_the_bit(
    context: Context, source: Source, picture: Picture, coder: str
) -> None:
    models = context.models
    told = told_of(models, [picture[:, :24], picture[:, 24:]])
    (expected,) = models.generator.generate(
        [told], images=[piece_of(models, picture, 8)], scale=0.6, seeds=[SEED], size=DRAWN, **FAST
    )
    system = build("multi-sc raw", context, split="columns", correct=False, coder=coder)
    _, made = through(system, source)
    assert same(made.image, resized(expected))
    assert made.text == (" ".join(told) if coder == "utf-8" else None)
    assert system.delivers == (("image", "text") if coder == "utf-8" else ("image",))


def test_analog_slices_and_prompts_come_close(context: Context, source: Source, picture: Picture) -> None:
    models = context.models
    told = told_of(models, quadrants(picture))
    (expected,) = models.generator.generate(
        [told], images=[piece_of(models, picture, 8)], scale=0.6, seeds=[SEED], size=DRAWN, **FAST
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
    sent = torch.stack(painter.encode_text(prompts))
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


@pytest.mark.parametrize(
    ("coder", "levels"), [("latin-1", 0), ("embedding:fp32", 0), ("embedding:analog", 3)]
)
def test_the_last_of_captions_that_the_encoder_cannot_read_in_one_piece_reaches_the_picture(
    context: Context, source: Source, monkeypatch: pytest.MonkeyPatch, coder: str, levels: int
) -> None:
    texts = [f"{word} beside a house with a red door and a tree." for word in ("Dog", "Cat", "Man", "Car")]
    generator = context.models.generator
    assert generator.windows(texts) == texts
    system, made = build("multi-sc", context, coder=coder, slice="none", correct=False), []
    for last in (texts[3], texts[3].replace("Car", "Bus")):
        told = [*texts[:3], last]
        monkeypatch.setattr(context.models.captioner, "caption", lambda *_, told=told, **__: told)
        source.memory.clear()
        made.append(through(system, source)[1].image)
        (expected,) = context.models.painter.generate([told], seeds=[SEED], size=DRAWN, **FAST)
        assert close(made[-1], resized(expected), levels)
    assert not close(*made, levels)


def test_a_picture_may_start_from_the_slice_in_its_place(
    context: Context, source: Source, picture: Picture
) -> None:
    """Only then is the place sent: four numbers below 64 for a picture of 40 x 48."""
    models, how = context.models, {"start": "slice", "strength": 0.6, "steps": 4}
    square = piece_of(models, picture, 64)
    top, left, bottom, right = main_object(models.segmenter.labels([picture])[0]).box
    height, width = bottom - top, right - left
    above, before = (len(square) - height) // 2, (len(square) - width) // 2
    start = np.full(picture.shape, 128, np.uint8)
    start[top:bottom, left:right] = square[above : above + height, before : before + width]
    sent, made = through(build("multi-sc raw", context, slice_size=64, correct=False, **how), source)
    options: dict[str, Any] = {"steps": 4, "guidance": FAST["guidance"], "scale": 0.6, "strength": 0.6}
    told = told_of(models, [picture[:, :24], picture[:, 24:]])
    (expected,) = models.generator.generate(
        [told], images=[square], start=[start], seeds=[SEED], size=DRAWN, **options
    )
    assert same(made.image, resized(expected))
    other, unplaced = through(build("multi-sc raw", context, slice_size=64, correct=False, steps=4), source)
    headers = [each.ledger.of_payload("slice").entries[0].header_bits for each in (other, sent)]
    assert headers == [6 + 6, 6 + 6 + 4 * 6]
    assert not same(made.image, unplaced.image)
    for wrong in ({"start": "grey"}, {"start": "slice", "slice": "none"}):
        with pytest.raises(ValueError, match="start is noise, or slice where one is sent"):
            build("multi-sc raw", context, **wrong)
    with pytest.raises(ValueError, match=r"1 to steps, got 2 and 0.4"):
        build("multi-sc raw", context, start="slice", strength=0.4)


@pytest.mark.parametrize("start", ["noise", "slice"])
def test_a_slice_that_did_not_arrive_is_no_image_prompt(
    context: Context, source: Source, picture: Picture, start: str
) -> None:
    """A grey one would be at lambda 0.6; without, lambda is 0, and the picture is that of the text."""
    system = build("multi-sc", context, start=start, strength=1.0)
    (reception,) = transmit(system.encode(source, None, CLEAN), CLEAN, [Stream(1, "test", 0)])
    arrived = reception.arrived["slice"]
    for bits in (torch.zeros_like(arrived.bits), arrived.bits):  # no file, and one that is not the one sent
        broken = {**reception.arrived, "slice": replace(arrived, bits=bits, intact=False)}
        made = system.decode(replace(reception, arrived=broken))
        assert made.failed and made.remark.startswith("no image prompt: ")
        assert made.remark.endswith("check sum wrong")
        told = context.models.corrector.correct(told_of(context.models, quadrants(picture)))
        assert same(made.image, painted(context, *told))
    whole = system.decode(reception)
    assert not whole.failed and not whole.remark and not same(whole.image, made.image)


@pytest.mark.slow
def test_lambda_zero_is_text_to_image_to_the_bit(context: Context, source: Source, picture: Picture) -> None:
    _, made = through(build("multi-sc", context, scale=0.0), source)
    _, plain = through(build("multi-sc", context, slice="none"), source)
    told = context.models.corrector.correct(told_of(context.models, quadrants(picture)))
    assert same(made.image, painted(context, *told))
    assert same(plain.image, made.image)


def test_single_text_describes_the_whole_picture(context: Context, source: Source, picture: Picture) -> None:
    transmission, made = through(build("single-text", context), source)
    (text,) = told_of(context.models, [picture])
    assert made.text == text
    assert same(made.image, painted(context, text))
    assert [entry.payload for entry in transmission.ledger.entries] == ["text-0"]


def test_whole_pictures_are_described_without_a_segmenter(
    places: tuple[tuple[str, str], ...], context: Context, source: Source
) -> None:
    without = Context(AWGN(), models=Models(tuple(p for p in places if p[0] != "segmenter")), seed=SEED)
    found, expected = (through(build("text-only", each), source)[1] for each in (without, context))
    assert found.text == expected.text


@pytest.mark.slow
def test_tokens_of_a_preset_are_those_of_its_tokenizer() -> None:
    coder = text_coder("tokens:tiny-captioner")
    text = "A large plain red ring on the left against snow."
    bits, count = coder.encode(text)
    assert (coder.name, count, coder.decode(bits, count)) == ("tokens:tiny-captioner", 11, (text, ""))
    vocabulary = scene_tokenizer(256).backend_tokenizer.get_vocab_size()
    assert bits.numel() == 11 * (vocabulary - 1).bit_length()


@pytest.mark.slow
@pytest.mark.parametrize("correct", [False, True])
def test_text_only_is_its_models_in_a_row(
    context: Context, source: Source, picture: Picture, correct: bool
) -> None:
    (sent,) = context.models.captioner.caption([picture], QUERY, max_tokens=12)
    text = context.models.corrector.correct([sent])[0] if correct else sent
    _, made = through(build("text-only", context, correct=correct), source)
    assert (made.text, made.samples) == (text, {"received": sent, "corrected": text})
    assert same(made.image, painted(context, text))


def test_a_text_may_fill_its_channel_uses(context: Context, source: Source) -> None:
    """At whatever rate does it: 300, or all that are given, for the same text."""
    system = build("text-only", context, text_scheme="qpsk", channel_uses=300)
    sent, made = through(system, source, EsN0(3.0))
    _, usual = through(build("text-only", context), source)
    assert sent.ledger.channel_uses == 300 and made.text == usual.text and not made.failed
    whole, _ = through(build("text-only", context, text_scheme="qpsk"), source, uses=411)
    assert whole.ledger.channel_uses == 411
    with pytest.raises(BudgetExceeded, match="takes 300 channel uses, more than the 299 given"):
        system.encode(source, 299, CLEAN)
    with pytest.raises(ValueError, match="needs a number of channel uses to fill"):
        build("text-only", context, text_scheme="qpsk").encode(source, None, CLEAN)
    with pytest.raises(ValueError, match="fills no channel_uses: give qpsk alone"):
        build("text-only", context, text_scheme="1/2-qpsk", channel_uses=300)
    with pytest.raises(ValueError, match="a scheme with a rate, got 'qpsk'"):
        build("multi-sc", context, text_scheme="qpsk")


@pytest.mark.parametrize(
    ("scheme", "per_bit"), [("1-qpsk", 1 / 2), ("conv:1/2-qpsk", 1), ("1/5-qpsk", 5 / 2)]
)
def test_texts_take_a_scheme_of_their_own(
    context: Context, source: Source, scheme: str, per_bit: float
) -> None:
    """Uncoded, by a weak code, or LDPC: each with its check sum, and nothing of the slice changes."""
    options: dict[str, Any] = {"slice": "raw", "slice_size": 8, "parts": 2}
    system = build("multi-sc", context, text_scheme=scheme, **options)
    sent, made = through(system, source)
    usual, other = through(build("multi-sc", context, **options), source)
    entry = sent.ledger.of_payload("text-0").entries[0]
    bits = entry.source_bits + entry.header_bits + entry.crc_bits
    assert entry.channel_uses == pytest.approx(per_bit * bits, abs=8)
    assert sent.ledger.of_payload("slice") == usual.ledger.of_payload("slice")
    assert made.text == other.text and same(made.image, other.image)


def test_a_variant_is_its_system_by_another_name(context: Context, source: Source) -> None:
    variant = build_semantic(
        "text-only@short", context, {**SYSTEMS["text-only"][1], "text_scheme": "1/5-qpsk"}
    )
    assert variant.name == variant.family == "text-only@short"
    sent, made = through(variant, source)
    usual, other = through(build("text-only", context), source)
    assert sent.ledger.channel_uses > 2 * usual.ledger.channel_uses
    assert same(made.image, other.image)
    with pytest.raises(ValueError, match="unknown system 'text-onyl@short'"):
        build_semantic("text-onyl@short", context)


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


@pytest.mark.slow
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
