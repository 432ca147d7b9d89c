"""Payloads: what is written is read, and whatever arrives is a value."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bridge.payloads import Arrived, ImagePayload, TextPayload
from phy.bits import from_bytes
from phy.source.budget import Encodings
from phy.source.pillow import JPEG

SENTENCES = ["A dog runs.", "", "Zürich — naïve café, 10 °C", "x" * 5000]


def picture(height: int = 40, width: int = 56) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([4 * y, 4 * x, 2 * (x + y)], axis=-1).clip(0, 255).astype(np.uint8)


def flipped(bits: torch.Tensor, rate: float, seed: int) -> torch.Tensor:
    flips = np.random.default_rng(seed).random(bits.shape) < rate
    return bits ^ torch.from_numpy(flips.astype(np.uint8))


@pytest.mark.parametrize("text", SENTENCES)
def test_text_round_trip(text: str) -> None:
    payload = TextPayload()
    packed = payload.pack(text)
    assert packed.bits.numel() == 48 + 8 * len(text.encode())
    assert packed.bits.numel() == packed.source_bits + packed.header_bits + packed.filler_bits
    unpacked = payload.unpack(Arrived(packed.bits))
    assert unpacked.value == text
    assert unpacked.remark == ""


def test_a_bit_error_in_a_character_stays_there() -> None:
    payload = TextPayload()
    bits = payload.pack("A dog runs.").bits.clone()
    bits[48 + 8 * 2 + 7] ^= 1  # the last bit of the third character: d (0x64) becomes e (0x65)
    assert payload.unpack(Arrived(bits)).value == "A eog runs."


def test_a_length_survives_one_damaged_copy() -> None:
    payload = TextPayload()
    bits = payload.pack("A dog runs.").bits.clone()
    bits[16:32] ^= 1
    assert payload.unpack(Arrived(bits)).value == "A dog runs."


def test_a_length_that_claims_too_much_is_remarked() -> None:
    payload = TextPayload()
    bits = torch.cat([from_bytes((500).to_bytes(2, "big")).repeat(3), from_bytes(b"abc")])
    unpacked = payload.unpack(Arrived(bits))
    assert unpacked.value == "abc"
    assert "500" in unpacked.remark


def test_damaged_texts_are_texts() -> None:
    payload = TextPayload()
    sent = payload.pack("Two children play football on a green field near the river.").bits
    for seed in range(500):
        assert isinstance(payload.unpack(Arrived(flipped(sent, 0.05, seed))).value, str)


def test_too_long_a_text_is_refused() -> None:
    with pytest.raises(ValueError, match="70000"):
        TextPayload().pack("x" * 70000)


def test_picture_fills_its_budget_exactly() -> None:
    payload = ImagePayload(JPEG())
    image = picture()
    encodings = Encodings(payload.codec, image)
    sizes = []
    for budget in (40000, 9001, 8191, 6000):
        packed = payload.pack(encodings, budget)
        assert packed.bits.numel() == budget
        assert packed.source_bits + packed.header_bits + packed.filler_bits == budget
        unpacked = payload.unpack(packed.bits, image.shape[:2])
        assert unpacked.remark == ""
        assert unpacked.value is not None and unpacked.value.shape == image.shape
        sizes.append(packed.source_bits)
    assert sizes == sorted(sizes, reverse=True)


def test_best_quality_is_the_codecs_own_picture() -> None:
    codec = JPEG()
    image = picture()
    unpacked = ImagePayload(codec).unpack(
        ImagePayload(codec).pack(Encodings(codec, image), 200000).bits, image.shape[:2]
    )
    best = codec.decode(codec.encode(image, codec.qualities[-1]), image.shape[:2])
    np.testing.assert_array_equal(unpacked.value, best)


def test_damaged_pictures_are_none_or_pictures() -> None:
    codec = JPEG()
    image = picture()
    payload = ImagePayload(codec)
    sent = payload.pack(Encodings(codec, image), 9000).bits
    outcomes = {"picture": 0, "none": 0}
    for seed in range(400):
        unpacked = payload.unpack(flipped(sent, 10.0 ** -(1 + seed % 4), seed), image.shape[:2])
        if unpacked.value is None:
            assert unpacked.remark
            outcomes["none"] += 1
        else:
            assert unpacked.value.shape == image.shape and unpacked.value.dtype == np.uint8
            outcomes["picture"] += 1
    assert min(outcomes.values()) > 10, outcomes


def test_random_bits_are_none_or_pictures() -> None:
    payload = ImagePayload(JPEG())
    generator = np.random.default_rng(1)
    for length in (8, 31, 32, 40, 500, 4000):
        bits = torch.from_numpy(generator.integers(0, 2, length, dtype=np.uint8))
        unpacked = payload.unpack(bits, (40, 56))
        assert unpacked.value is None or unpacked.value.shape == (40, 56, 3)
