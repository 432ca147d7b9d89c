"""BPG: colour conversion and chroma against floating point, and the reference tools."""

from __future__ import annotations

import shutil
import subprocess
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import correlate1d
from tiny.bpg import FORMATS, noise, smooth

from phy.source.bpg.bpg import BPG
from phy.source.bpg.color import decimate, gray_plane, interpolate, planes_to_rgb, rgb_to_ycc
from phy.source.bpg.container import Header

# -- arithmetic against floating point -----------------------------------------------------------------------


@pytest.fixture(params=[8, 10])
def depth(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def float_ycc(image: NDArray[np.uint8], k_r: float, k_b: float) -> NDArray[np.float64]:
    """Y in 0..1 and chroma in -1/2..1/2, as the Recommendations define them."""
    red, green, blue = np.moveaxis(image / 255.0, -1, 0)
    luma = k_r * red + (1 - k_r - k_b) * green + k_b * blue
    return np.stack([luma, (blue - luma) / (2 - 2 * k_b), (red - luma) / (2 - 2 * k_r)])


def test_rgb_to_ycc(depth: int) -> None:
    image = noise(50, 70)
    planes = np.stack(rgb_to_ycc(image, depth))
    center = np.array([0, 1, 1])[:, None, None] * 2.0 ** (depth - 1)
    expected = (2**depth - 1) * float_ycc(image, 0.299, 0.114) + center
    assert np.abs(planes - np.clip(expected, 0, 2**depth - 1)).max() < 0.51
    if depth == 8:
        jfif = np.moveaxis(np.array(Image.fromarray(image).convert("YCbCr"), dtype=int), -1, 0)
        assert np.abs(planes - jfif).max() <= 1


def test_gray_plane(depth: int) -> None:
    levels = np.arange(256, dtype=np.uint8)[None]
    np.testing.assert_array_equal(gray_plane(levels, depth), np.rint(levels * ((2**depth - 1) / 255)))


DECIMATION = np.array([2, -4, -8, 17, 57, 57, 17, -8, -4, 2]) / 128


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (31, 44), (64, 65)])
def test_decimation(size: tuple[int, int], depth: int) -> None:
    plane = rgb_to_ycc(noise(*size), depth)[1]

    def halve(samples: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        # correlate1d centres an even filter on its tap 5; the picture's lies half a sample on.
        filtered = correlate1d(samples, DECIMATION, axis, mode="nearest", origin=-1)
        return np.take(filtered, range(0, samples.shape[axis], 2), axis)

    across = halve(plane.astype(float), 1)
    top = 2**depth - 1
    assert np.abs(decimate(plane, "422", depth) - np.clip(across, 0, top)).max() <= 0.51
    both = np.clip(halve(across, 0), 0, top)
    assert np.abs(decimate(plane, "420", depth) - both).max() <= 1
    assert decimate(plane, "420", depth).shape == ((size[0] + 1) // 2, (size[1] + 1) // 2)


QUARTER = np.array([2, -6, 18, 57, -10, 4, -1]) / 64


HALF = np.array([-1, 4, -11, 40, 40, -11, 4, -1]) / 64


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (31, 44), (64, 65)])
@pytest.mark.parametrize("cosited", [False, True])
def test_interpolation(size: tuple[int, int], cosited: bool, depth: int) -> None:
    top = 2**depth - 1
    rng = np.random.default_rng(0)

    def double(samples: NDArray[np.float64], axis: int, length: int, aligned: bool) -> NDArray[np.float64]:
        even = samples if aligned else correlate1d(samples, QUARTER, axis, mode="nearest")
        odd = correlate1d(samples, HALF if aligned else QUARTER[::-1], axis, mode="nearest", origin=-aligned)
        both = np.stack([even, odd], axis + 1).reshape(
            [n * (1 + (i == axis)) for i, n in enumerate(samples.shape)]
        )
        return np.take(both, range(length), axis)

    plane = rng.integers(0, top + 1, (size[0], (size[1] + 1) // 2)).astype(np.int32)
    header = Header(*size, "422", depth, cosited=cosited)
    expected = np.clip(double(plane.astype(float), 1, size[1], cosited), 0, top)
    assert np.abs(interpolate(plane, size, header) - expected).max() <= 0.51

    plane = plane[: (size[0] + 1) // 2]
    header = Header(*size, "420", depth, cosited=cosited)
    tall = double(plane.astype(float), 0, size[0], False)
    expected = np.clip(double(tall, 1, size[1], cosited), 0, top)
    assert np.abs(interpolate(plane, size, header) - expected).max() <= 1


SPACES = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}


@pytest.mark.parametrize("space", [*SPACES, "rgb", "ycgco"])
@pytest.mark.parametrize("limited", [False, True])
def test_planes_to_rgb(space: str, limited: bool) -> None:
    """At 12 bits the planes hold RGB exactly enough to come back within one level."""
    image = noise(40, 30)
    if space in SPACES:
        unit = float_ycc(image, *SPACES[space])
    elif space == "rgb":
        unit = np.moveaxis(image[..., [1, 2, 0]] / 255.0, -1, 0)
    else:
        red, green, blue = np.moveaxis(image / 255.0, -1, 0)
        even = (red + blue) / 2
        unit = np.stack([(green + even) / 2, (green - even) / 2, (red - blue) / 2])
    chroma = np.array([0, 1, 1])[:, None, None] if space != "rgb" else np.zeros((3, 1, 1))
    if not limited:
        planes = unit * 4095 + chroma * 2048
    elif space == "ycgco":  # the reference tools scale all three planes as luma
        planes = unit * (219 * 16) + np.where(chroma, 2048, 256)
    else:
        planes = unit * np.where(chroma, 224 * 16, 219 * 16) + np.where(chroma, 2048, 256)
    header = Header(40, 30, "444", 12, space, limited)
    decoded = planes_to_rgb(list(np.rint(planes).astype(np.int32)), header)
    assert np.abs(decoded.astype(int) - image).max() <= 1


def test_gray_to_rgb_at_all_depths() -> None:
    image = np.arange(256, dtype=np.uint8)[None]
    for depth in (8, 10, 12):
        decoded = planes_to_rgb([gray_plane(image, depth)], Header(1, 256, "gray", depth))
        np.testing.assert_array_equal(decoded, np.repeat(image[..., None], 3, 2))


def test_extreme_samples_do_not_wrap_around() -> None:
    """Damaged files hold any samples; sums of the fixed-point arithmetic must stay in range."""
    for depth, space, limited in product((8, 10, 12), SPACES, (False, True)):
        top = 2**depth - 1
        corners = np.array(list(product((0, top), repeat=3)), dtype=np.int32)
        planes = [corners[None, :, index] for index in range(3)]
        decoded = planes_to_rgb(planes, Header(1, 8, "444", depth, space, limited))[0]
        k_r, k_b = SPACES[space]
        scale = (219 / 255, 224 / 255, 16 * (top + 1) / 256) if limited else (1.0, 1.0, 0.0)
        unit = top if not limited else 255 * (top + 1) / 256
        luma = (corners[:, 0] - scale[2]) / scale[0] * 255 / unit
        cb, cr = ((corners[:, index] - (top + 1) / 2) / scale[1] * 255 / unit for index in (1, 2))
        red, blue = luma + 2 * (1 - k_r) * cr, luma + 2 * (1 - k_b) * cb
        green = (luma - k_r * red - k_b * blue) / (1 - k_r - k_b)
        expected = np.clip(np.stack([red, green, blue], -1), 0, 255)
        assert np.abs(decoded - expected).max() < 0.52, (depth, space, limited)


# -- the reference tools, where installed --------------------------------------------------------------------


@pytest.mark.skipif(
    not (shutil.which("bpgenc") and shutil.which("bpgdec")), reason="bpgenc and bpgdec are not on the PATH"
)
@pytest.mark.parametrize(("chroma", "depth"), FORMATS)
def test_reference_tools_give_the_same_pixels(chroma: str, depth: int, tmp_path: Path) -> None:
    image = smooth(97, 131)
    codec = BPG(chroma, depth, preset="medium")
    png, ours, theirs, shown = (tmp_path / name for name in ("a.png", "a.bpg", "b.bpg", "c.png"))
    ours.write_bytes(codec.encode(image, 28))
    subprocess.run(["bpgdec", "-o", shown, ours], check=True, timeout=60)
    decoded = codec.decode(ours.read_bytes(), (97, 131))
    np.testing.assert_array_equal(np.array(Image.open(shown).convert("RGB")), decoded)
    if chroma == "gray":
        return
    Image.fromarray(image).save(png)
    command = ["bpgenc", "-q", "28", "-f", chroma, "-b", str(depth), "-o", theirs, png]
    subprocess.run(command, check=True, timeout=60)
    subprocess.run(["bpgdec", "-o", shown, theirs], check=True, timeout=60)
    decoded = codec.decode(theirs.read_bytes(), (97, 131))
    np.testing.assert_array_equal(np.array(Image.open(shown).convert("RGB")), decoded)
