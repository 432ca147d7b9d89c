"""Payloads: what is written is read, and whatever arrives is a value."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bridge.payloads import Arrived, ImagePayload, TextPayload
from phy.bits import from_bytes
from phy.source.pictures.budget import Encodings
from phy.source.pictures.pillow import JPEG
from phy.source.text.coders import parse_text_coder

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
    assert packed.bits.numel() == (8 if len(text.encode()) < 128 else 17) + 8 * len(text.encode())
    assert packed.bits.numel() == packed.source_bits + packed.header_bits + packed.filler_bits
    unpacked = payload.unpack(Arrived(packed.bits))
    assert unpacked.value == text
    assert unpacked.remark == ""


def test_a_bit_error_in_a_character_stays_there() -> None:
    payload = TextPayload()
    bits = payload.pack("A dog runs.").bits.clone()
    bits[8 + 8 * 2 + 7] ^= 1  # the last bit of the third character: d (0x64) becomes e (0x65)
    assert payload.unpack(Arrived(bits)).value == "A eog runs."


@pytest.mark.parametrize("text", ["A dog runs.", "A dog runs. " * 40])
def test_a_length_survives_one_damaged_copy(text: str) -> None:
    """Three copies of 8 bits, and of the 9 more that a long one has behind them."""
    payload = TextPayload(repeats=3)
    sent = payload.pack(text)
    assert sent.header_bits == (24 if len(text) < 128 else 24 + 27)
    for first, last in ((0, 8), (8, 16), (16, 24), (24, 33), (33, 42), (42, 51)):
        bits = sent.bits.clone()
        bits[first : min(last, sent.header_bits)] ^= 1
        assert payload.unpack(Arrived(bits)).value == text


@pytest.mark.parametrize("count", [0, 1, 127, 128, 300, 65535])
def test_a_length_is_a_flag_and_seven_bits_and_nine_more_of_a_long_one(count: int) -> None:
    bits = TextPayload().pack("x" * count).bits
    lower = int("".join(map(str, bits[1:8].tolist())), 2)
    upper = int("".join(map(str, bits[8:17].tolist())), 2) if bits[0] else 0
    assert (int(bits[0]), 128 * upper + lower) == (int(count > 127), count)


def test_a_length_that_claims_too_much_is_remarked() -> None:
    payload = TextPayload()
    header = torch.tensor([int(bit) for bit in f"1{500 % 128:07b}{500 // 128:09b}"], dtype=torch.uint8)
    bits = torch.cat([header, from_bytes(b"abc")])
    unpacked = payload.unpack(Arrived(bits))
    assert unpacked.value == "abc"
    assert "500" in unpacked.remark


def test_damaged_texts_are_texts() -> None:
    payload = TextPayload()
    sent = payload.pack("Two children play football on a green field near the river.").bits
    for seed in range(500):
        assert isinstance(payload.unpack(Arrived(flipped(sent, 0.05, seed))).value, str)


@pytest.mark.parametrize("name", ["utf-8", "huffman", "arithmetic"])
def test_too_long_a_text_is_refused_before_it_is_coded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    coder = parse_text_coder(name)
    monkeypatch.setattr(coder, "encode", lambda text: pytest.fail("coded"))
    with pytest.raises(ValueError, match="at most 65535 .*, got 1000000"):
        TextPayload(coder).pack("x" * 1_000_000)


def test_a_text_of_too_many_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 65535 bytes, got 90000"):
        TextPayload().pack("日" * 30_000)


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
    for length in (0, 1, 7, 8, 31, 32, 40, 500, 4000):
        bits = torch.from_numpy(generator.integers(0, 2, length, dtype=np.uint8))
        unpacked = payload.unpack(bits, (40, 56))
        assert unpacked.value is None or unpacked.value.shape == (40, 56, 3)
        assert length >= 32 or unpacked.remark == f"{length} of 32 bits of the header arrived"


# -- texts with other coders --------------------------------------------------------------------------------

CODERS = ["latin-1", "utf-8", "ascii7", "huffman", "arithmetic"]
CAPTION = "Two children play football on a green field near the river."
SCORE = "Two children play football, 3:1!"


@pytest.mark.parametrize("name", CODERS)
def test_text_round_trip_with_every_coder(name: str) -> None:
    coder = parse_text_coder(name)
    payload = TextPayload(coder)
    for text in [CAPTION, "", "A"]:
        packed = payload.pack(text)
        coded, count = coder.encode(text)
        assert packed.bits.numel() == 8 + coded.numel()
        assert packed.bits[:8].tolist() == [count >> (7 - place) & 1 for place in range(8)]
        got = payload.unpack(Arrived(packed.bits))
        assert (got.value, got.remark) == (text, "")


def test_the_shortest_of_several_coders_is_named_in_the_header() -> None:
    """Five coders take three bits for the mode; the choice is known from the coders' own lengths."""
    coders = [parse_text_coder(name) for name in CODERS]
    payload = TextPayload(coders)
    assert payload.name == "|".join(CODERS)
    expected = {SCORE: "arithmetic", "©®±²³¼½¾": "latin-1", "日本語のテキスト": "utf-8", "{{}}~~^^": "ascii7"}
    for text, name in expected.items():
        packed = payload.pack(text)
        lengths = {}
        for coder in coders:
            try:
                lengths[coder.name] = coder.encode(text)[0].numel()
            except ValueError:
                continue
        assert packed.header_bits == 3 + 8
        assert packed.source_bits == min(lengths.values()) == lengths[name]
        assert packed.notes == {"coder": name}
        assert int("".join(map(str, packed.bits[:3].tolist())), 2) == CODERS.index(name)
        got = payload.unpack(Arrived(packed.bits))
        assert (got.value, got.remark) == (text, "")


def test_one_coder_costs_no_mode() -> None:
    assert TextPayload(parse_text_coder("huffman")).pack("A dog").header_bits == 8
    assert TextPayload([parse_text_coder(name) for name in CODERS[:2]]).pack("A dog").header_bits == 9


def test_a_mode_that_no_coder_has_is_remarked() -> None:
    payload = TextPayload([parse_text_coder(name) for name in CODERS])
    bits = payload.pack(CAPTION).bits.clone()
    bits[:3] = torch.tensor([1, 1, 0], dtype=torch.uint8)
    got = payload.unpack(Arrived(bits))
    assert got.value == ""
    assert "coder 6 of 5" in got.remark


@pytest.mark.slow
@pytest.mark.parametrize("names", [*([name] for name in CODERS), CODERS, CODERS[:3]])
def test_any_bits_are_a_text(names: list[str]) -> None:
    """300 random strings, and the payload with 1 % of its bits wrong; units beyond what arrived are told."""
    generator = np.random.default_rng(len(names))
    payload = TextPayload([parse_text_coder(name) for name in names])
    sent = payload.pack(CAPTION).bits
    for trial in range(300):
        length = int(generator.integers(0, 2 * sent.numel()))
        bits = torch.from_numpy(generator.integers(0, 2, length, dtype=np.uint8))
        got = payload.unpack(Arrived(bits))
        assert isinstance(got.value, str)
        got.value.encode()  # no lone surrogates
        damaged = payload.unpack(Arrived(flipped(sent, 0.01, trial), intact=False))
        assert isinstance(damaged.value, str)
        assert "check sum wrong" in damaged.remark or "header damaged" in damaged.remark
    # A count of 65,535 units in a few hundred bits is more than any coder can mean.
    mode = (len(names) - 1).bit_length()
    greedy = torch.cat([torch.ones(mode + 17, dtype=torch.uint8), sent[mode + 8 :]])
    assert payload.unpack(Arrived(greedy)).remark


def test_what_no_coder_can_write_is_refused() -> None:
    with pytest.raises(ValueError, match="é"):
        TextPayload(parse_text_coder("ascii7")).pack("é")
    with pytest.raises(ValueError, match="日"):
        TextPayload([parse_text_coder("ascii7"), parse_text_coder("latin-1")]).pack("日")
    with pytest.raises(ValueError, match="at least one coder"):
        TextPayload([])
    with pytest.raises(ValueError, match="odd number of times, got repeats 2"):
        TextPayload(repeats=2)
