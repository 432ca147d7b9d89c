"""Systems that send symbols of networks, pictures or vectors, without noise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny.diffusion import amplify, seeded
from tiny.semantic_systems import (
    CLEAN,
    DRAWN,
    FAST,
    NETWORKS,
    SEED,
    Picture,
    build,
    close,
    nested,
    resized,
    same,
    through,
    uses_for,
)

from bridge.air.transmission import Transmission, transmit
from bridge.models import Models
from bridge.systems.context import Context
from bridge.systems.parts.values import VectorLink, unit_rms
from bridge.systems.system import Source
from phy.channels.flat import AWGN
from phy.random import Stream
from phy.units import EsN0
from semantic.models.captioning import QUERY
from semantic.networks.jscc import JSCC


@pytest.mark.slow
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


@pytest.mark.slow
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
