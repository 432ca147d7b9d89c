"""Random strings through every payload decoder: a value of its kind, with a remark or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from bridge.payloads import Arrived, EmbeddingPayload, ImagePayload, SlicePayload, TextPayload, Unpacked
from phy.quantization import parse_quantizer
from phy.source.pictures.pillow import JPEG, WebP
from phy.source.text.coders import parse_text_coder
from semantic.samples.pictures import bundled_tokenizer

TEXTS = ("latin-1", "utf-8", "ascii7", "huffman", "arithmetic", "latin-1|huffman|arithmetic", "tokens")
VECTORS = ("values", "uniform:4,dither", "lloyd-max:3", "mu-law:6", "pq:2x6", "fp32", "fp16", "fp8_e4m3")
PICTURES = ("raw", "analog", "jpeg", "raw+mask", "whole jpeg", "whole webp")
SHAPE, COUNT = (24, 40), 17

Decoder = Callable[[Arrived], Unpacked[object]]


def decoder_of(kind: str) -> Decoder:
    if kind in TEXTS:
        names = [f"tokens:{bundled_tokenizer()}"] if kind == "tokens" else kind.split("|")
        coders = [parse_text_coder(name) for name in names]
        return TextPayload(coders, repeats=3 if kind == "ascii7" else 1).unpack
    if kind in VECTORS:
        quantizer = None if kind == "values" else parse_quantizer(kind)
        return EmbeddingPayload(COUNT, quantizer, policy="best-effort", soft=quantizer is not None).unpack
    if kind.startswith("whole"):
        whole = ImagePayload(JPEG() if kind.endswith("jpeg") else WebP())
        return lambda arrived: whole.unpack(arrived.bits, SHAPE)
    content, _, mask = kind.partition("+")
    if content == "jpeg":
        return SlicePayload(SHAPE, JPEG(), quality=75).unpack
    return SlicePayload(SHAPE, content, masked=bool(mask)).unpack  # type: ignore[arg-type]


def strings(count: int, seed: int) -> Iterator[Arrived]:
    """From nothing to 600 bits, some all alike, some with soft bits, some with values, rarely enough."""
    generator = np.random.default_rng(seed)
    for number in range(count):
        size = int(generator.integers(0, 600)) if number % 10 else number % 40
        bits = torch.from_numpy(generator.integers(0, 2, size, dtype=np.uint8))
        bits = torch.full_like(bits, number % 2) if number % 13 == 0 else bits
        llr = torch.from_numpy(generator.normal(0, 30, size)).float() if number % 3 == 0 else None
        values = torch.from_numpy(generator.normal(0, 10, generator.integers(0, 3000))).float()
        yield Arrived(bits, llr, *((None, True, False)[number % 3],) * 2, None if number % 5 == 0 else values)


def check(kind: str, got: Unpacked[object]) -> None:
    value = got.value
    assert isinstance(got.remark, str) and "\n" not in got.remark
    if kind in TEXTS:
        assert isinstance(value, str)
        value.encode()  # no lone surrogates
    elif kind in VECTORS:
        assert isinstance(value, torch.Tensor) and value.shape == (COUNT,) and bool(value.isfinite().all())
    elif kind.startswith("whole"):
        assert value is None or (isinstance(value, np.ndarray) and value.shape == (*SHAPE, 3))
        assert value is not None or got.remark
    else:
        top, left, bottom, right = value.box  # type: ignore[attr-defined]
        assert 0 <= top < bottom <= SHAPE[0] and 0 <= left < right <= SHAPE[1]
        assert value.pixels.dtype == np.uint8  # type: ignore[attr-defined]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*TEXTS, *VECTORS, *PICTURES])
def test_a_hundred_random_strings(kind: str) -> None:
    decode = decoder_of(kind)
    for arrived in strings(100, len(kind)):
        check(kind, decode(arrived))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*TEXTS, *VECTORS, *PICTURES])
def test_three_thousand_random_strings(kind: str) -> None:
    """Of texts, vectors and pictures more than ten thousand each."""
    decode = decoder_of(kind)
    for arrived in strings(3000, 1000 + len(kind)):
        check(kind, decode(arrived))
