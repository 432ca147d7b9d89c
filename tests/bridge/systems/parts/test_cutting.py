"""Objects as squares, against squares made by hand, and what an image encoder's own crop leaves of them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from transformers import CLIPImageProcessorPil

from bridge.systems.parts.cutting import FITS, Cut

GREY = 128


def box(height: int, width: int, seed: int = 1) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Colours that are not grey, and an ellipse among them."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    mask = ((y + 0.5) / height - 0.5) ** 2 + ((x + 0.5) / width - 0.5) ** 2 <= 0.25
    return generator.integers(150, 256, (height, width, 3), dtype=np.uint8), mask


@pytest.mark.parametrize(("height", "width"), [(30, 12), (12, 31), (20, 20)])
def test_padding_keeps_every_pixel_of_the_object_and_none_else(height: int, width: int) -> None:
    pixels, mask = box(height, width)
    square = Cut(side=64).out(pixels, mask)
    side, above, before = max(height, width), abs(width - height) // 2, abs(width - height) // 2
    expected = np.full((side, side, 3), GREY, np.uint8)
    rows = slice(above, above + height) if height < width else slice(0, height)
    columns = slice(before, before + width) if width < height else slice(0, width)
    expected[rows, columns][mask] = pixels[mask]
    np.testing.assert_array_equal(square, expected)
    assert (square != GREY).any(axis=2).sum() == mask.sum()


def test_what_stands_around_the_object_may_stay() -> None:
    pixels, mask = box(9, 9)
    np.testing.assert_array_equal(Cut("keep").out(pixels, mask), pixels)


def test_cropping_leaves_the_middle_and_stretching_everything() -> None:
    pixels, mask = box(10, 6)
    np.testing.assert_array_equal(Cut("keep", "crop").out(pixels, mask), pixels[2:8])
    halves = np.zeros((24, 12, 3), np.uint8)
    halves[:, 6:] = 200
    stretched = Cut("keep", "stretch").out(halves, np.ones((24, 12), bool))
    assert stretched.shape == (24, 24, 3)
    assert (stretched[:, :6] == 0).all() and (stretched[:, -6:] == 200).all()


@pytest.mark.parametrize("fit", FITS)
def test_squares_are_of_the_side_given_at_most(fit: str) -> None:
    pixels, mask = box(50, 30)
    assert Cut("grey", fit, 16).out(pixels, mask).shape == (16, 16, 3)  # type: ignore[arg-type]
    assert Cut("grey", fit, 99).out(pixels, mask).shape[0] == (30 if fit == "crop" else 50)  # type: ignore[arg-type]


@pytest.mark.parametrize(("height", "width"), [(40, 16), (17, 40), (24, 24)])
def test_clips_own_crop_leaves_a_padded_object_whole_and_cuts_a_box(height: int, width: int) -> None:
    """CLIP scales the shorter side and cuts out the middle: two lines at the object's ends stay, or go."""
    pixels = np.full((height, width, 3), GREY, np.uint8)
    long = height if height > width else width
    ends = (slice(0, 3), slice(long - 3, long))
    for end, colour in zip(ends, (0, 255), strict=True):
        pixels[(end, slice(None)) if height > width else (slice(None), end)] = colour
    mask = np.ones((height, width), bool)
    clip = CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}, do_normalize=False
    )

    def seen(picture: NDArray[np.uint8]) -> bool:
        values = clip(picture, return_tensors="np").pixel_values
        return bool(values.min() < 0.1 and values.max() > 0.9)

    assert seen(Cut().out(pixels, mask))
    assert seen(pixels) == (height == width)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize(("height", "width"), [(20, 12), (11, 20)])
def test_what_was_cut_out_goes_back_to_its_place(fit: str, height: int, width: int) -> None:
    """Without scaling exactly; of what was stretched or cropped what is left of it."""
    size, (top, left) = (32, 40), (3, 7)
    pixels, mask = box(height, width)
    cut = Cut("grey", fit, 64)  # type: ignore[arg-type]
    back = cut.back(cut.out(pixels, mask), (top, left, top + height, left + width), size)
    expected = np.full((*size, 3), GREY, np.uint8)
    expected[top : top + height, left : left + width][mask] = pixels[mask]
    short = min(height, width)
    if fit == "crop":
        kept = np.zeros(size, bool)
        above, before = top + (height - short) // 2, left + (width - short) // 2
        kept[above : above + short, before : before + short] = True
        expected[~kept] = GREY
    assert back.shape == expected.shape
    if fit == "stretch":
        error = np.abs(back.astype(int) - expected)
        assert error.mean() < 6 and (error[:top] == 0).all() and (error[:, :left] == 0).all()
    else:
        np.testing.assert_array_equal(back, expected)


def test_other_names_are_refused() -> None:
    with pytest.raises(ValueError, match="background of a slice must be one of grey, keep, got 'white'"):
        Cut("white")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="fit of a slice must be one of pad, stretch, crop, got 'fill'"):
        Cut("grey", "fill")  # type: ignore[arg-type]
