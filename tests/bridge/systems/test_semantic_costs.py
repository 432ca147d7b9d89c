"""Semantic systems under noise: every symbol is counted, and whatever arrives becomes a picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny.semantic_systems import (
    CLEAN,
    SYSTEMS,
    CountingChannel,
    Picture,
    build,
    through,
    uses_for,
)

from bridge.models import Models
from bridge.systems.context import Context
from bridge.systems.system import Source
from phy.channels.channel import Channel
from phy.channels.flat import AWGN, Rayleigh
from phy.units import EsN0
from semantic.metrics.text import character_error_rate

# Costs, noise and memory. ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("variant", SYSTEMS)
def test_the_ledger_is_what_passes_the_channel(models: Models, source: Source, variant: str) -> None:
    channel = CountingChannel()
    system = build(variant, Context(channel, models=models))
    transmission, made = through(system, source, EsN0(4.0), uses_for(variant))
    assert transmission.ledger.channel_uses == channel.symbols > 0
    assert set(system.delivers) == {kind for kind in ("image", "text") if getattr(made, kind) is not None}


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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
