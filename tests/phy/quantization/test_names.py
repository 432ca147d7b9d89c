"""Quantisers by name, their rates, and what is refused."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from tiny.quantizers import (
    DITHERED,
    gaussian,
    name_of,
)

from phy.quantization import (
    FloatPattern,
    LloydMax,
    ProductQuantizer,
    Quantizer,
    Uniform,
    parse_quantizer,
)

# ---- names and errors

NAMES = [
    "uniform:4",
    "uniform:16,step=0.1",
    "uniform:4,dither",
    "uniform:4,step=0.25,dither,natural",
    "lloyd-max:4",
    "lloyd-max:8,natural",
    "mu-law:8",
    "mu-law:6,mu=100.0,peak=3.0,natural",
    "pq:2x6",
    "fp32",
    "fp16",
    "bf16",
    "fp8_e4m3",
    "fp8_e5m2",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_read_back(name: str) -> None:
    quantizer = parse_quantizer(name)
    assert quantizer.name == name
    assert torch.equal(parse_quantizer(name).encode(gaussian(2, 8)), quantizer.encode(gaussian(2, 8)))
    assert quantizer.normalized == (":" in name)


def test_names_say_what_was_fitted() -> None:
    fitted = LloydMax.fit(gaussian(1, 1_000), 3, labeling="natural")
    assert fitted.name.startswith("lloyd-max:3,fitted-")
    with pytest.raises(ValueError, match="has no setting fitted-"):
        parse_quantizer(fitted.name)


def test_rates() -> None:
    assert parse_quantizer("pq:3x4").bits_per_value == Fraction(4, 3)
    assert parse_quantizer("bf16").bits_per_value == 16
    assert parse_quantizer("lloyd-max:3").bits_per_value == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "uniform",
        "uniform:0",
        "uniform:17",
        "uniform:x",
        "uniform:4,step=0",
        "uniform:4,step=",
        "lloyd-max:4,dither",
        "mu-law:8,mu=-1",
        "mu-law:8,natural=1",
        "pq:2",
        "pq:0x4",
        "pq:2x13",
        "pq:2x4,natural",
        "fp16:3",
        "fp64",
        "pq:nothing.safetensors",
        "fp16,natural",
        "LLOYD-MAX:4",
    ],
)
def test_other_names_are_refused_with_what_there_is(text: str) -> None:
    with pytest.raises(ValueError, match=r"there are uniform:BITS.*lloyd-max:BITS.*mu-law.*pq:.*fp8_e5m2"):
        parse_quantizer(text)


@pytest.mark.parametrize("quantizer", [Uniform(3), DITHERED, FloatPattern("fp16")], ids=name_of)
def test_what_cannot_be_quantised_is_refused(quantizer: Quantizer) -> None:
    with pytest.raises(ValueError, match="must be finite, got 2 that are not"):
        quantizer.encode(torch.tensor([[0.0, math.nan, math.inf]]))
    with pytest.raises(ValueError, match=r"shape \[batch, count\], got \[3\]"):
        quantizer.encode(torch.zeros(3))
    with pytest.raises(ValueError, match=r"need the shape \[batch, "):
        quantizer.decode(torch.zeros(1, 7, dtype=torch.uint8), 3)
    with pytest.raises(ValueError, match=r"need the shape \[batch, "):
        quantizer.decode_soft(torch.zeros(1, 7), 3)


def test_wrong_tables_are_refused() -> None:
    with pytest.raises(ValueError, match="4 different, ascending numbers, got 3"):
        LloydMax(2, (0.0, 1.0, 2.0))
    with pytest.raises(ValueError, match="different, ascending"):
        LloydMax(1, (1.0, 1.0))
    with pytest.raises(ValueError, match=r"got \[1, 3, 2\]"):
        ProductQuantizer(torch.zeros(1, 3, 2))
    with pytest.raises(ValueError, match="labeling must be gray or natural, got 'grey'"):
        Uniform(2, labeling="grey")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="16 codewords need at least as many samples, got 5"):
        ProductQuantizer.fit(gaussian(5, 2), 2, 4)
