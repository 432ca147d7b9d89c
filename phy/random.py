"""Seed streams: every random draw is named, so that results do not depend on how the work is divided.

A `Stream` is a path such as ``(seed, "esno=3.0", "channel", 17)``. Its numbers are those of NumPy's
counter-based Philox generator, keyed by a hash of the path. Row ``i`` of a batch draws from its own
stream: counts are the same whatever the batch size, the number of workers, or where a run was resumed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["Stream", "bits", "complex_normal"]


class Stream:
    """A named source of random numbers.

    Parameters
    ----------
    path:
        Integers and strings, from the seed down. Equal paths give equal numbers, different paths
        independent ones.

    Examples
    --------
    >>> root = Stream(1)
    >>> bool((root.child("noise").generator().random(3) == Stream(1, "noise").generator().random(3)).all())
    True
    """

    __slots__ = ("path",)

    def __init__(self, *path: int | str) -> None:
        self.path = path

    def child(self, *path: int | str) -> Stream:
        """Return the stream further down the path."""
        return Stream(*self.path, *path)

    def batch(self, indices: Iterable[int]) -> list[Stream]:
        """One child a row of a batch."""
        return [self.child(int(index)) for index in indices]

    @property
    def key(self) -> int:
        """A 128-bit number that identifies the path (BLAKE2b of its canonical text)."""
        text = "\x1f".join(f"{type(part).__name__}:{part}" for part in self.path)
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "little")

    def generator(self) -> np.random.Generator:
        """Start a NumPy generator at the beginning of this stream."""
        return np.random.Generator(np.random.Philox(key=self.key))

    def torch_generator(self, device: str = "cpu") -> torch.Generator:
        """Start a PyTorch generator at the beginning of this stream (for samplers that ask for one)."""
        return torch.Generator(device).manual_seed(self.key & (2**63 - 1))

    def __repr__(self) -> str:
        return f"Stream{self.path!r}"


def bits(streams: Sequence[Stream], count: int) -> torch.Tensor:
    """Draw equiprobable bits: ``[len(streams), count]``, ``torch.uint8``."""
    words = -(-count // 8)
    rows = [np.frombuffer(stream.generator().bytes(words), dtype=np.uint8) for stream in streams]
    packed: NDArray[np.uint8] = np.stack(rows) if rows else np.empty((0, words), dtype=np.uint8)
    return torch.from_numpy(np.unpackbits(packed, axis=1)[:, :count].copy())


def complex_normal(streams: Sequence[Stream], count: int) -> torch.Tensor:
    """Draw circular complex Gaussians of unit variance: ``[len(streams), count]``, ``torch.complex64``."""
    rows = np.empty((len(streams), count, 2), dtype=np.float32)
    for row, stream in zip(rows, streams, strict=True):
        stream.generator().standard_normal(dtype=np.float32, out=row)
    return torch.view_as_complex(torch.from_numpy(rows)) * float(np.sqrt(0.5))
