"""Slices of pictures as payloads: files, bit planes and values, with and without a mask."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from bridge.payloads import Arrived, PictureSlice, SlicePayload
from phy.source.bpg.bpg import BPG
from phy.source.pictures.pillow import JPEG

SHAPE = (48, 64)
BOX = (5, 11, 38, 52)
CONTENTS = ["raw", "analog", "jpeg", "jpeg-budget", "bpg"]


def picture(height: int = SHAPE[0], width: int = SHAPE[1]) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([4 * y, 4 * x, 2 * (x + y)], axis=-1).clip(0, 255).astype(np.uint8)


def piece(masked: bool = True) -> PictureSlice:
    top, left, bottom, right = BOX
    y, x = np.mgrid[top:bottom, left:right]
    mask = (y - 20) ** 2 + (x - 30) ** 2 < 150
    return PictureSlice(picture()[top:bottom, left:right], top, left, mask if masked else None)


def payload_of(content: str, masked: bool = False, step: int = 8) -> SlicePayload:
    if content in ("raw", "analog"):
        return SlicePayload(SHAPE, content, masked=masked, mask_step=step)  # type: ignore[arg-type]
    if content == "jpeg-budget":
        return SlicePayload(SHAPE, JPEG(), budget_bits=9000, masked=masked, mask_step=step)
    codec = BPG() if content == "bpg" else JPEG()
    return SlicePayload(SHAPE, codec, quality=codec.qualities[-3], masked=masked, mask_step=step)


def number(bits: torch.Tensor) -> int:
    return int("".join(map(str, bits.tolist())), 2)


def flipped(bits: torch.Tensor, rate: float, seed: int) -> torch.Tensor:
    flips = np.random.default_rng(seed).random(bits.shape) < rate
    return bits ^ torch.from_numpy(flips.astype(np.uint8))


def check_slice(got: PictureSlice, masked: bool) -> None:
    """A slice like any other: within the picture, colours, and a mask of its size if one was agreed on."""
    top, left, bottom, right = got.box
    assert 0 <= top < bottom <= SHAPE[0] and 0 <= left < right <= SHAPE[1]
    assert got.pixels.shape == (bottom - top, right - left, 3) and got.pixels.dtype == np.uint8
    assert (got.mask is not None) == masked
    assert got.mask is None or (got.mask.shape == got.pixels.shape[:2] and got.mask.dtype == np.bool_)


# -- what is written and read -------------------------------------------------------------------------------


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("content", CONTENTS)
def test_round_trip(content: str, masked: bool) -> None:
    payload, sent = payload_of(content, masked, step=1), piece(masked)
    packed = payload.pack(sent)
    assert packed.bits.numel() == packed.source_bits + packed.header_bits + packed.filler_bits
    got = payload.unpack(Arrived(packed.bits, values=packed.values))
    assert got.remark == ""
    assert got.value.box == BOX
    if content in ("raw", "analog"):  # the scale's rounding moves no pixel by half a level
        np.testing.assert_array_equal(got.value.pixels, sent.pixels)
    elif content != "bpg":  # the file, as Pillow reads it by itself
        file = np.packbits(packed.bits[packed.header_bits : packed.header_bits + packed.source_bits].numpy())
        np.testing.assert_array_equal(got.value.pixels, np.asarray(Image.open(io.BytesIO(file.tobytes()))))
    else:
        error = np.mean((got.value.pixels.astype(float) - sent.pixels) ** 2)
        assert error < 255**2 / 10**3.5  # 35 dB
    if masked:
        np.testing.assert_array_equal(got.value.mask, sent.mask)


def test_header_says_where_it_lies() -> None:
    """Sides of 48 and 64 pixels take 6 bits each."""
    bits = payload_of("jpeg").pack(piece()).bits
    size = 4 * 6 + 8 + 24
    fields = [number(part) for part in torch.split(bits[:size], [6, 6, 6, 6, 8, 24])]
    assert fields == [5, 11, 33 - 1, 41 - 1, 0, (bits.numel() - size) // 8]


def test_a_place_that_nobody_reads_costs_nothing() -> None:
    sent, (with_place, without) = piece(masked=False), (SlicePayload(SHAPE, "raw", placed=p) for p in (1, 0))
    packed = without.pack(sent)
    assert (packed.header_bits, with_place.pack(sent).header_bits) == (12, 24)
    got = without.unpack(Arrived(packed.bits)).value
    assert got.box == (0, 0, 33, 41)
    np.testing.assert_array_equal(got.pixels, sent.pixels)


@pytest.mark.parametrize("content", CONTENTS)
def test_lost_is_what_nothing_can_be_read_of(content: str) -> None:
    """A file without its end, values without their scale; raw pixels are what arrives."""
    payload = payload_of(content)
    packed = payload.pack(piece())
    assert not payload.unpack(Arrived(packed.bits, intact=False, values=packed.values)).lost
    header = torch.cat([packed.bits[:24], torch.ones_like(packed.bits[24 : packed.header_bits])])
    got = payload.unpack(Arrived(header, values=packed.values))
    assert got.lost == (content != "raw")
    assert content == "raw" or (got.value.pixels == 128).all()


def test_raw_planes_start_with_the_most_significant() -> None:
    packed = payload_of("raw").pack(piece())
    assert (packed.planes, packed.header_bits) == (8, 24)
    planes = packed.bits[24:].reshape(8, -1).numpy()
    pixels = piece().pixels.reshape(-1)
    for place, plane in enumerate(planes):
        np.testing.assert_array_equal(plane, pixels >> (7 - place) & 1)


def test_values_are_centred_and_of_unit_power() -> None:
    packed = payload_of("analog").pack(piece())
    assert packed.values is not None and packed.source_bits == 0
    centred = piece().pixels.reshape(-1) - 127.5
    assert packed.values.square().mean() == pytest.approx(1.0, abs=2**-9)
    np.testing.assert_allclose(packed.values / packed.values[0], centred / centred[0], rtol=1e-5)


@pytest.mark.parametrize("budget", [2600, 3001, 6000, 20000])
def test_a_budget_is_filled_exactly(budget: int) -> None:
    payload = SlicePayload(SHAPE, JPEG(), budget_bits=budget)
    packed = payload.pack(piece())
    assert packed.bits.numel() == budget
    assert packed.source_bits + packed.header_bits + packed.filler_bits == budget
    got = payload.unpack(Arrived(packed.bits))
    assert got.remark == "" and got.value.box == BOX


@pytest.mark.parametrize("step", [1, 2, 5, 8, 16])
def test_masks_are_squares_by_majority(step: int) -> None:
    """Against a count over each square of the pixels that it really has."""
    sent = piece()
    got = payload_of("raw", True, step).unpack(Arrived(payload_of("raw", True, step).pack(sent).bits)).value
    assert got.mask is not None and sent.mask is not None
    for top in range(0, 33, step):
        for left in range(0, 41, step):
            square = np.s_[top : top + step, left : left + step]
            assert (got.mask[square] == (sent.mask[square].mean() >= 0.5)).all()


def test_a_full_mask_stays_full() -> None:
    """Also in the squares that the slice's edge cuts."""
    full = PictureSlice(piece().pixels, 5, 11, np.ones((33, 41), bool))
    payload = payload_of("raw", True)
    got = payload.unpack(Arrived(payload.pack(full).bits)).value
    assert got.mask is not None and got.mask.all()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (PictureSlice(picture(), 1, 0), r"\(1, 0, 49, 64\)"),
        (PictureSlice(picture(), -1, 0), "-1"),
        (PictureSlice(picture()[:0], 0, 0), "within"),
        (PictureSlice(picture()[..., 0], 0, 0), r"\[48, 64\]"),
        (PictureSlice(picture().astype(float), 0, 0), "float64"),
    ],
)
def test_what_is_no_slice_is_refused(given: PictureSlice, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        payload_of("raw").pack(given)


def test_a_missing_mask_is_refused() -> None:
    with pytest.raises(ValueError, match="mask"):
        payload_of("raw", masked=True).pack(piece(masked=False))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"quality": 1, "budget_bits": 1}, "either"),
        ({}, "either"),
        ({"quality": 1, "mask_step": 0}, "step 0"),
        ({"quality": 1, "shape": (0, 5)}, r"\(0, 5\)"),
        ({"quality": 1, "shape": (5, 65536)}, "65536"),
    ],
)
def test_impossible_payloads_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SlicePayload(options.pop("shape", SHAPE), JPEG(), **options)  # type: ignore[arg-type]


def test_a_budget_too_small_is_named() -> None:
    with pytest.raises(ValueError, match="too small"):
        SlicePayload(SHAPE, JPEG(), budget_bits=200).pack(piece())


# -- what is made of anything -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("content", "trials"), [("raw", 400), ("analog", 400), ("jpeg", 300), ("bpg", 40)])
def test_random_bits_are_slices(content: str, trials: int, masked: bool) -> None:
    generator = np.random.default_rng(trials + masked)
    payload = payload_of(content, masked)
    needed = payload.pack(piece()).bits.numel()
    for _ in range(trials):
        bits = torch.from_numpy(generator.integers(0, 2, generator.integers(0, 2 * needed), dtype=np.uint8))
        values = torch.from_numpy(generator.normal(size=generator.integers(0, 6000))).float()
        got = payload.unpack(Arrived(bits, values=values))
        check_slice(got.value, masked)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    ("content", "trials"), [("raw", 100), ("analog", 100), ("jpeg", 100), ("jpeg-budget", 50), ("bpg", 30)]
)
def test_one_percent_of_wrong_bits(content: str, trials: int, masked: bool) -> None:
    payload = payload_of(content, masked)
    packed = payload.pack(piece())
    for seed in range(trials):
        damaged = flipped(packed.bits, 0.01, seed)
        got = payload.unpack(Arrived(damaged, intact=False, values=packed.values))
        check_slice(got.value, masked)
        assert "check sum wrong" in got.remark


@pytest.mark.parametrize("content", CONTENTS)
def test_a_right_header_before_random_bits(content: str) -> None:
    """The box is known, whatever stands in it."""
    generator = np.random.default_rng(7)
    payload = payload_of(content)
    packed = payload.pack(piece())
    for _ in range(5 if content == "bpg" else 50):
        noise = torch.from_numpy(
            generator.integers(0, 2, packed.bits.numel() - packed.header_bits, dtype=np.uint8)
        )
        got = payload.unpack(
            Arrived(torch.cat([packed.bits[: packed.header_bits], noise]), values=packed.values)
        )
        check_slice(got.value, False)
        assert got.value.box == BOX
        if content in ("jpeg", "bpg") and got.remark:
            assert (got.value.pixels == 128).all()


@pytest.mark.parametrize(("content", "what"), [("raw", "values"), ("analog", "values"), ("jpeg", "length")])
def test_missing_ends_are_remarked(content: str, what: str) -> None:
    payload = payload_of(content)
    packed = payload.pack(piece())
    values = None if packed.values is None else packed.values[:-5]
    cut = packed.bits if content == "analog" else packed.bits[:-80]
    got = payload.unpack(Arrived(cut, values=values))
    check_slice(got.value, False)
    assert what in got.remark


def test_a_missing_mask_end_is_remarked() -> None:
    payload = payload_of("analog", masked=True)
    packed = payload.pack(piece())
    got = payload.unpack(Arrived(packed.bits[:-3], values=packed.values))
    assert "27 of 30 squares of the mask" in got.remark


def test_one_damaged_copy_of_the_header_does_nothing() -> None:
    payload = SlicePayload(SHAPE, JPEG(), quality=75, repeats=3)
    bits = payload.pack(piece()).bits.clone()
    bits[56:112] ^= 1
    got = payload.unpack(Arrived(bits))
    assert (got.value.box, got.remark) == (BOX, "")
