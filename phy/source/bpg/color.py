"""Colour and chroma arithmetic of BPG in fixed point, bit-exact with the reference tools.

Full range means samples 0 .. 2^depth - 1, as in JPEG. Planes are ``int32``, indexed ``[row, column]``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from phy.source.bpg.container import Chroma, ColorSpace, Header

__all__ = ["chroma_shape", "decimate", "gray_plane", "interpolate", "planes_to_rgb", "rgb_to_ycc"]

Plane = NDArray[np.int32]

# Weights of red and blue in luma: Rec. ITU-R BT.601, BT.709 and BT.2020.
_LUMA_WEIGHTS: dict[ColorSpace, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
}
# Half-band low-pass; its centre lies between two samples. Sum 128.
_DECIMATION = (2, -4, -8, 17, 57, 57, 17, -8, -4, 2)
# Samples at -1/4 and +1/4 of the chroma grid (JPEG), and at 0 and +1/2 (MPEG-2), from taps -3..4. Sum 64.
_BETWEEN = ((2, -6, 18, 57, -10, 4, -1, 0), (-1, 4, -10, 57, 18, -6, 2, 0))
_COSITED = ((0, 0, 0, 64, 0, 0, 0, 0), (-1, 4, -11, 40, 40, -11, 4, -1))


def chroma_shape(height: int, width: int, chroma: Chroma) -> tuple[int, int]:
    """Shape of a chroma plane that belongs to ``height`` x ``width`` luma samples (``gray`` has none)."""
    rows = (height + 1) // 2 if chroma == "420" else height
    columns = width if chroma == "444" else (width + 1) // 2
    return rows, columns


def rgb_to_ycc(image: NDArray[np.uint8], bit_depth: int) -> tuple[Plane, Plane, Plane]:
    """Convert ``[height, width, 3]`` RGB to luma and chroma of BT.601 at full range.

    Parameters
    ----------
    image:
        Red, green, blue, ``uint8``.
    bit_depth:
        Bits per sample of the result, 8 to 12.

    Returns
    -------
    tuple
        Y, Cb, Cr, each ``[height, width]``; chroma is centred at 2^(bit_depth - 1).
    """
    k_r, k_b = _LUMA_WEIGHTS["bt601"]
    k_g = 1.0 - k_r - k_b
    weights = np.array(
        [
            [k_r, k_g, k_b],
            [-0.5 * k_r / (1 - k_b), -0.5 * k_g / (1 - k_b), 0.5],
            [0.5, -0.5 * k_g / (1 - k_r), -0.5 * k_b / (1 - k_r)],
        ]
    )
    shift, top = 31 - bit_depth, (1 << bit_depth) - 1
    # The sums stay just below 2^31: (2^depth - 1) * 2^(31 - depth) and half a unit.
    fixed = np.rint(weights * (top * (1 << shift) / 255)).astype(np.int32)
    red, green, blue = (image[..., index].astype(np.int32) for index in range(3))
    planes = []
    for on_red, on_green, on_blue in fixed:
        planes.append((on_red * red + on_green * green + on_blue * blue + (1 << shift - 1)) >> shift)
    luma, cb, cr = planes
    center = 1 << bit_depth - 1
    return np.clip(luma, 0, top), np.clip(cb + center, 0, top), np.clip(cr + center, 0, top)


def gray_plane(image: NDArray[np.uint8], bit_depth: int) -> Plane:
    """Spread ``[height, width]`` gray levels 0..255 over 0..2^bit_depth - 1."""
    shift, top = 31 - bit_depth, (1 << bit_depth) - 1
    scale = int(np.rint(top * (1 << shift) / 255))
    return (image.astype(np.int32) * np.int32(scale) + np.int32(1 << shift - 1)) >> shift


def decimate(plane: Plane, chroma: Chroma, bit_depth: int) -> Plane:
    """Low-pass and halve a chroma plane, JPEG siting; borders repeat the last sample.

    Parameters
    ----------
    plane:
        ``[height, width]`` at the picture's true size.
    chroma:
        ``"444"`` changes nothing, ``"422"`` halves the width, ``"420"`` both.
    bit_depth:
        Bits per sample, 8 to 12.
    """
    if chroma == "444":
        return plane
    if chroma == "422":
        filtered = _round_shift(_halve(plane), 7)
    else:  # 14 bits between the two directions, as the reference has
        narrow = _round_shift(_halve(plane), bit_depth - 7)
        filtered = _round_shift(_halve(narrow.T).T, 21 - bit_depth)
    return np.clip(filtered, 0, (1 << bit_depth) - 1)


def interpolate(plane: Plane, shape: tuple[int, int], header: Header) -> Plane:
    """Double a chroma plane up to ``shape``; the inverse of `decimate`'s sampling.

    Parameters
    ----------
    plane:
        ``[ceil(height / 2), ceil(width / 2)]`` for 4:2:0, ``[height, ceil(width / 2)]`` for 4:2:2, cropped.
    shape:
        (height, width) of the picture.
    header:
        Chroma sampling, siting and bit depth.
    """
    height, width = shape
    if header.chroma == "444":
        return plane
    across = _COSITED if header.cosited else _BETWEEN
    depth = header.bit_depth
    if header.chroma == "422":
        full = _round_shift(_double(plane, across, width), 6)
    else:
        tall = _round_shift(_double(plane.T, _BETWEEN, height).T, depth - 8)
        full = _round_shift(_double(tall, across, width), 20 - depth)
    return np.clip(full, 0, (1 << depth) - 1)


def planes_to_rgb(planes: list[Plane], header: Header) -> NDArray[np.uint8]:
    """Convert planes of full size to ``[height, width, 3]`` RGB, ``uint8``.

    Parameters
    ----------
    planes:
        One plane (gray) or three, ``[height, width]``, ``header.bit_depth`` bits.
    header:
        Colour space, range and depth.
    """
    depth, space = header.bit_depth, header.color_space
    # 22 fractional bits: full range stays below 2^31, video levels with chroma at its limit do not.
    wide: list[NDArray[Any]] = [
        plane.astype(np.int64 if header.limited_range else np.int32) for plane in planes
    ]
    y_scale, c_scale = _decoding_scales(depth, header.limited_range)
    one = round(y_scale)
    offset = (1 << 21) - ((16 << depth - 8) * one if header.limited_range else 0)
    if len(wide) == 1 or space == "rgb":
        order = (0, 0, 0) if len(wide) == 1 else (2, 0, 1)
        return _stack([wide[index] * one + offset for index in order])
    luma, cb, cr = wide[0], wide[1] - (1 << depth - 1), wide[2] - (1 << depth - 1)
    if space == "ycgco":
        channels = (luma - cb + cr, luma + cb, luma - cb - cr)
        return _stack([channel * one + offset for channel in channels])
    k_r, k_b = _LUMA_WEIGHTS[space]
    k_g = 1.0 - k_r - k_b
    red_cr, blue_cb = round(2 * (1 - k_r) * c_scale), round(2 * (1 - k_b) * c_scale)
    green_cb = round(2 * k_b * (1 - k_b) / k_g * c_scale)
    green_cr = round(2 * k_r * (1 - k_r) / k_g * c_scale)
    base = luma * one + offset
    return _stack([base + red_cr * cr, base - green_cb * cb - green_cr * cr, base + blue_cb * cb])


def _decoding_scales(depth: int, limited: bool) -> tuple[float, float]:
    """Return what one step of luma and of chroma is worth in units of 2^-22 of an 8-bit level."""
    unit = 255.0 * (1 << 22)
    if limited:
        return unit / (219 << depth - 8), unit / (224 << depth - 8)
    return unit / ((1 << depth) - 1), unit / ((1 << depth) - 1)


def _stack(channels: list[NDArray[Any]]) -> NDArray[np.uint8]:
    image: NDArray[np.uint8] = np.empty((*channels[0].shape, 3), dtype=np.uint8)
    for index, channel in enumerate(channels):
        image[..., index] = np.clip(channel >> 22, 0, 255)
    return image


def _round_shift(plane: Plane, shift: int) -> Plane:
    return (plane + np.int32((1 << shift) >> 1)) >> shift


def _halve(plane: Plane) -> Plane:
    """Filter along the rows and keep every other sample, times 128."""
    count = (plane.shape[1] + 1) // 2
    padded = np.pad(plane, ((0, 0), (4, 5)), mode="edge")
    total = np.zeros((plane.shape[0], count), dtype=np.int32)
    for index, tap in enumerate(_DECIMATION):
        total += np.int32(tap) * padded[:, index : index + 2 * count - 1 : 2]
    return total


def _double(plane: Plane, phases: tuple[tuple[int, ...], tuple[int, ...]], width: int) -> Plane:
    """Interpolate along the rows to ``width`` samples, times 64."""
    count = plane.shape[1]
    padded = np.pad(plane, ((0, 0), (3, 4)), mode="edge")
    full = np.zeros((plane.shape[0], 2 * count), dtype=np.int32)
    for phase, taps in enumerate(phases):
        for index, tap in enumerate(taps):
            if tap:
                full[:, phase::2] += np.int32(tap) * padded[:, index : index + count]
    return full[:, :width]
