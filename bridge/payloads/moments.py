"""Mean and scale of a vector as side information of 40 bits, whatever unit its numbers are in.

::

    scale   16 bits: the upper ones of the 31 that a float32 has beside its sign, 8 of exponent, 8 of mantissa
    mean    24 bits, two's complement: sixteenths of the scale

A scale is off by at most 2^-9 of itself (-54 dB), over the whole range of single precision. A mean is off by
at most 1/32 of the scale, up to 2^19 scales; what is left of it stays in the values. Deviations that are
smaller still beside their mean are what single precision rounds by; the scale is then what the mean asks for.
"""

from __future__ import annotations

import numpy as np
import torch

from bridge.payloads.packed import written

__all__ = ["MEAN_BITS", "SCALE_BITS", "read_mean", "read_scale", "write_moments", "write_scale"]

SCALE_BITS, MEAN_BITS = 16, 24
_DROPPED = 15  # low bits of float32's 31 that a scale does without
_INFINITE = 0xFF00
_STEPS = 16
_MOST = (1 << (MEAN_BITS - 1)) - 1


def write_scale(scale: float) -> tuple[torch.Tensor, float]:
    """Write a scale, zero or positive, and say what the receiver will read.

    Examples
    --------
    >>> [round(write_scale(scale)[1] / scale, 2) for scale in (1e-30, 0.04, 3.0, 1e30)]
    [1.0, 1.0, 1.0, 1.0]
    """
    bits = int(np.float32(scale).view(np.uint32))
    pattern = min((bits + (1 << (_DROPPED - 1))) >> _DROPPED, _INFINITE - 1)
    return written((pattern,), (SCALE_BITS,)), _number(pattern)


def read_scale(pattern: int) -> float | None:
    """Read the 16 bits of a scale; None for infinity and what is not a number."""
    return None if pattern >= _INFINITE else _number(pattern)


def _number(pattern: int) -> float:
    return float(np.uint32(pattern << _DROPPED).view(np.float32))


def read_mean(pattern: int, scale: float) -> float:
    """Read the 24 bits of a mean, given the scale."""
    return (pattern - (pattern >> (MEAN_BITS - 1) << MEAN_BITS)) * scale / _STEPS


def write_moments(vector: torch.Tensor) -> tuple[torch.Tensor, float, float]:
    """Write scale and mean of ``[count]`` finite numbers, ``torch.float64``.

    Returns
    -------
    torch.Tensor, float, float
        The 40 bits, scale first, and mean and scale as the receiver will read them.

    Examples
    --------
    >>> vector = torch.tensor([4.9, 5.1, 4.9, 5.1], dtype=torch.float64)
    >>> bits, mean, scale = write_moments(vector)
    >>> bits.numel(), round(mean, 2), round(scale, 2)
    (40, 5.0, 0.1)
    """
    mean = float(vector.mean())
    deviation = float((vector - mean).square().mean().sqrt())
    least = abs(mean) * _STEPS / _MOST * (1 + 2**-8)  # rounded down, the mean still fits
    first, scale = write_scale(max(deviation, least))
    steps = round(_STEPS * mean / scale) if scale > 0 else 0
    second = written((steps & (1 << MEAN_BITS) - 1,), (MEAN_BITS,))
    return torch.cat([first, second]), steps * scale / _STEPS, scale
