"""Bytes to bits and back, most significant bit first, with the filler recorded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phy.lazily import torch

__all__ = ["from_bytes", "pad", "to_bytes"]


def from_bytes(data: bytes) -> torch.Tensor:
    """Bits of ``data``: ``[8 * len(data)]``, ``torch.uint8``, most significant bit first.

    Examples
    --------
    >>> from_bytes(b"A").tolist()
    [0, 1, 0, 0, 0, 0, 0, 1]
    """
    packed: NDArray[np.uint8] = np.frombuffer(data, dtype=np.uint8)
    return torch.from_numpy(np.unpackbits(packed))


def to_bytes(bits: torch.Tensor) -> bytes:
    """Whole bytes of a bit vector ``[n]``; up to seven bits behind the last whole byte are dropped.

    Raises
    ------
    ValueError
        If it is no vector.

    Examples
    --------
    >>> to_bytes(torch.tensor([0, 1, 0, 0, 0, 0, 0, 1, 1, 1]))
    b'A'
    """
    if bits.ndim != 1:
        raise ValueError(f"bits must be one vector, got shape {tuple(bits.shape)}")
    whole = bits[: bits.numel() // 8 * 8]
    return np.packbits(whole.cpu().numpy().astype(np.uint8)).tobytes()


def pad(bits: torch.Tensor, length: int) -> tuple[torch.Tensor, int]:
    """Append zeros up to ``length`` bits along the last dimension; return the bits and the filler's size.

    Raises
    ------
    ValueError
        If there are already more than ``length`` bits.

    Examples
    --------
    >>> pad(torch.ones(3, dtype=torch.uint8), 5)
    (tensor([1, 1, 1, 0, 0], dtype=torch.uint8), 2)
    """
    filler = length - bits.shape[-1]
    if filler < 0:
        raise ValueError(f"{bits.shape[-1]} bits do not fit into {length}")
    return torch.nn.functional.pad(bits, (0, filler)), filler
