"""Frames side by side in the lanes of vectors, as the kernels of this room take them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from phy.coding.workers import in_parts
from phy.simd import BYTES

__all__ = ["WIDTH", "decode_lanes"]

WIDTH = BYTES // 4
"""Frames of a group: ``float32`` numbers of a vector."""

Kernel = Callable[[NDArray[np.float32], NDArray[np.float32]], None]
"""Decodes groups: reads ``[groups, values * WIDTH]``, fills ``[groups, results * WIDTH]``."""


def decode_lanes(llr: torch.Tensor, results: int, kernel: Kernel) -> NDArray[np.float32]:
    """Decode ``[frames, values]`` LLRs by a kernel that works on groups of `WIDTH` frames.

    Parameters
    ----------
    llr:
        ``torch.float32``, on the CPU.
    results:
        Numbers that the kernel finds for each frame.
    kernel:
        Is called with whole groups, from several threads; frames that are missing from the last group are
        zeros.

    Returns
    -------
    numpy.ndarray
        ``[frames, results]``, ``float32``.

    Examples
    --------
    >>> def doubled(values, found): found[:] = 2 * values
    >>> decode_lanes(torch.tensor([[1.0, -3.0]]), 2, doubled)
    array([[ 2., -6.]], dtype=float32)
    """
    frames, values = llr.shape
    groups = -(-frames // WIDTH)
    padded = torch.nn.functional.pad(llr, (0, 0, 0, groups * WIDTH - frames)).numpy()
    laid = np.ascontiguousarray(padded.reshape(groups, WIDTH, values).swapaxes(1, 2))
    laid = laid.reshape(groups, values * WIDTH)
    found: NDArray[np.float32] = np.empty((groups, results * WIDTH), np.float32)
    in_parts(lambda part: kernel(laid[part], found[part]), groups)
    return found.reshape(groups, results, WIDTH).swapaxes(1, 2).reshape(groups * WIDTH, results)[:frames]
