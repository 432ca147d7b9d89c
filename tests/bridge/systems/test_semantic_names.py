"""Semantic systems by name, and a system of one's own."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny.semantic_systems import (
    CLEAN,
    FAST,
    SEED,
    TEXT,
    Picture,
    same,
    through,
)

from bridge.air.transmission import ArrivedSymbols, transmit
from bridge.models import Models
from bridge.systems.catalog import SEMANTIC, build_semantic
from bridge.systems.context import Context
from bridge.systems.parts.values import values_of
from bridge.systems.system import Source
from phy.channels.flat import AWGN
from phy.random import Stream
from semantic.zoo.missing import WeightsMissing

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


def test_a_variant_without_a_label_is_refused() -> None:
    with pytest.raises(ValueError, match=r"has a label, such as text-only@mine, got 'text-only@'"):
        build_semantic("text-only@", Context(AWGN()))
