"""Seed streams: every random draw is named, so that results do not depend on how the work is divided.

A `Stream` is a path such as ``(seed, "awgn", "esno=3.0", 17, "noise")``. Its last integer is a *block*, what
stands before it a *key*, what stands behind it a *tag*: together they are the key and the counter of the
generator in `phy.philox`, which any engine can start in the middle. Row ``i`` of a batch draws from its own
block: counts are the same whatever the batch size, the number of workers, or where a run was resumed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

from phy import philox
from phy.lazily import torch

__all__ = ["Stream", "bits", "complex_normal", "events"]


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
    def place(self) -> tuple[int, int, int]:
        """The 64-bit key, the 64-bit block and the 32-bit tag of `phy.philox`."""
        last = max((i for i, part in enumerate(self.path) if isinstance(part, int)), default=None)
        if last is None:
            return _hash(self.path, 8), 0, 0
        block = int(self.path[last])
        if not 0 <= block < 1 << 64:
            raise ValueError(f"an integer of a stream must be from 0 to 2^64 - 1, got {block}")
        return _hash(self.path[:last], 8), block, _hash(self.path[last + 1 :], 4)

    def generator(self) -> np.random.Generator:
        """Start a NumPy generator at the beginning of this stream."""
        return np.random.Generator(np.random.Philox(key=_hash(self.path, 16)))

    @property
    def seed(self) -> int:
        """A 63-bit number that identifies the path, for generators that take one, such as PyTorch's."""
        return _hash(self.path, 8) >> 1

    def __repr__(self) -> str:
        return f"Stream{self.path!r}"


def _hash(path: tuple[int | str, ...], size: int) -> int:
    """Number of ``size`` bytes that identifies a path: BLAKE2b of its canonical text."""
    text = "\x1f".join(f"{'int' if isinstance(part, int) else 'str'}:{part}" for part in path)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=size).digest(), "little")


def bits(streams: Sequence[Stream], count: int) -> torch.Tensor:
    """Draw equiprobable bits: ``[len(streams), count]``, ``torch.uint8``, a word from its lowest bit up.

    Examples
    --------
    >>> several = bits(Stream(1).batch(range(8)), 100)
    >>> bool((several[3] == bits([Stream(1).batch(range(8))[3]], 100)).all())  # whatever stands beside it
    True
    """
    words = np.empty((len(streams), -(-count // 32)), dtype="<u4")
    for row, stream in zip(words, streams, strict=True):
        philox.fill_words(row, *_place(stream))
    unpacked = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")
    return torch.from_numpy(unpacked[:, :count].copy())


def events(streams: Sequence[Stream], count: int, probability: float) -> torch.Tensor:
    """Draw whether something happens: ``[len(streams), count]``, ``torch.bool``, to 2^-53 of a probability.

    The i-th number is made of words 2 i (low) and 2 i + 1 (high): of its 64 bits the upper 53 are a fraction
    u from 0 to below 1, and what happens is u < probability.

    Examples
    --------
    >>> round(float(events(Stream(1).batch(range(10)), 10_000, 0.25).double().mean()), 2)
    0.25
    """
    words = np.empty((len(streams), 2 * count), dtype="<u4")
    for row, stream in zip(words, streams, strict=True):
        philox.fill_words(row, *_place(stream))
    fraction = (words.view("<u8") >> np.uint64(11)) * 2.0**-53
    return torch.from_numpy(fraction < probability)


def complex_normal(streams: Sequence[Stream], count: int) -> torch.Tensor:
    """Draw circular complex Gaussians of unit variance: ``[len(streams), count]``, ``torch.complex64``.

    Examples
    --------
    >>> draws = complex_normal(Stream(1).batch(range(10)), 10_000)
    >>> round(float(draws.abs().square().mean()), 1)
    1.0
    """
    parts = np.empty((2, len(streams), count), dtype=np.float32)
    for real, imaginary, stream in zip(*parts, streams, strict=True):
        philox.fill_complex_normal(real, imaginary, *_place(stream))
    real, imaginary = torch.from_numpy(parts)
    return torch.complex(real, imaginary)


def _place(stream: Stream) -> tuple[np.uint64, np.uint64, np.uint32]:
    key, block, tag = stream.place
    return np.uint64(key), np.uint64(block), np.uint32(tag)
