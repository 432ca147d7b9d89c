"""Product quantisation: subvectors of a few values, each as the number of the nearest codeword."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from scipy.spatial import cKDTree

from phy.quantization.quantizer import (
    check_values,
    expectation,
    from_planes,
    reliability,
    split_planes,
    to_planes,
)
from phy.random import Stream

__all__ = ["ProductQuantizer"]

_LARGEST_BITS = 12  # of a fit: time goes with the square of the number of codewords
_SAMPLES_PER_WORD = 64
_FEWEST_SAMPLES = 1 << 15
_LAST_ITERATIONS = 20
_ITERATIONS = 4


class ProductQuantizer:
    """Vector quantiser of the subvectors that a vector is cut into (Jegou, Douze and Schmid, 2011).

    A subvector has ``dim`` values; a single one as long as the vector is plain vector quantisation. The last
    one is filled up with zeros, which are sent and dropped.

    Codewords made by `fit` are numbered as the splitting went, so that the first bit of a code says most
    about the subvector. Codewords given directly are numbered as they come.

    Parameters
    ----------
    codebooks:
        ``[1, 2**bits, dim]`` for one codebook that all subvectors share, or ``[M, 2**bits, dim]`` for one of
        its own for each of exactly ``M`` subvectors.
    name:
        Name, as it stands in results; None for one with a digest of the codebooks.

    Raises
    ------
    ValueError
        If the codebooks have another shape or are not finite.

    Examples
    --------
    >>> corners = torch.tensor([[[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]])
    >>> ProductQuantizer(corners).encode(torch.tensor([[0.3, -0.2, -5.0, 0.1]]))
    tensor([[1, 0, 0, 1]], dtype=torch.uint8)
    """

    def __init__(self, codebooks: torch.Tensor, name: str | None = None) -> None:
        words = codebooks.shape[1] if codebooks.ndim == 3 else 0
        if words < 2 or words & (words - 1) or not codebooks.numel() or not bool(codebooks.isfinite().all()):
            raise ValueError(
                "codebooks must be finite numbers of shape [subvectors or 1, 2**bits, dim], "
                f"got {list(codebooks.shape)}"
            )
        self.codebooks = codebooks.detach().float()
        self.bits = words.bit_length() - 1
        self.dim = codebooks.shape[2]
        self.name = name or f"pq:{self.dim}x{self.bits},fitted-{self._digest()}"

    @classmethod
    def fit(cls, samples: torch.Tensor, dim: int, bits: int, seed: int = 0) -> ProductQuantizer:
        """Make the codebooks of given data by k-means, doubling the codewords up to ``2**bits``.

        This is the splitting algorithm of Linde, Buzo and Gray (1980). Reshape the samples to ``[-1, dim]``
        for one codebook that all subvectors share.

        Parameters
        ----------
        samples:
            Vectors as `encode` will get them (normalised), ``[n, count]``; there should be some dozen times
            ``2**bits`` of them.
        dim, bits:
            Values and bits of a subvector; 1 to 12 bits.
        seed:
            Of the directions in which codewords are split.

        Raises
        ------
        ValueError
            If there are fewer samples than codewords, or too many bits.
        """
        if not 1 <= bits <= _LARGEST_BITS or dim < 1:
            raise ValueError(f"subvectors must have values and 1 to {_LARGEST_BITS} bits, got {dim}x{bits}")
        if len(samples) < 1 << bits:
            raise ValueError(f"{1 << bits} codewords need at least as many samples, got {len(samples)}")
        parts = _pad(check_values(samples), dim).reshape(len(samples), -1, dim).cpu().double().numpy()
        books = [
            _codebook(part, bits, Stream(seed, "codebook", i)) for i, part in enumerate(parts.swapaxes(0, 1))
        ]
        return cls(torch.from_numpy(np.stack(books)))

    @classmethod
    def gaussian(cls, dim: int, bits: int) -> ProductQuantizer:
        """One shared codebook for independent unit Gaussians, fitted to the same draws every time.

        Raises
        ------
        ValueError
            If there are no values, or not 1 to 12 bits.
        """
        return cls(_gaussian_codebooks(dim, bits), f"pq:{dim}x{bits}")

    @classmethod
    def load(cls, path: str | Path) -> ProductQuantizer:
        """Read codebooks that `save` wrote.

        Raises
        ------
        ValueError
            If there is no such file, or it holds no codebooks.
        """
        try:
            return cls(load_file(path)["codebooks"])
        except (OSError, KeyError, SafetensorError) as error:
            raise ValueError(f"{path} is no safetensors file with a tensor 'codebooks': {error}") from error

    def save(self, path: str | Path) -> None:
        """Write the codebooks as safetensors; their name is not kept."""
        save_file({"codebooks": self.codebooks.cpu().contiguous()}, path)

    @property
    def bits_per_value(self) -> Fraction:
        """Bits of a subvector over its values."""
        return Fraction(self.bits, self.dim)

    @property
    def planes(self) -> int:
        """One plane a bit of a code; see the class about their importance."""
        return self.bits

    @property
    def normalized(self) -> bool:
        """True: codewords are made for normalised values."""
        return True

    def bits_for(self, count: int) -> int:
        """Bits of ``count`` values, those that fill up the last subvector included."""
        return self.bits * self._subvectors(count)

    def encode(self, values: torch.Tensor) -> torch.Tensor:
        """Write values ``[batch, count]``: see `Quantizer.encode`."""
        values = check_values(values)
        subvectors = self._subvectors(values.shape[1])
        parts = self._by_book(_pad(values, self.dim), subvectors)
        books = self.codebooks.to(values.device)
        # Without matrix products, whose rounding may prefer another codeword to the value itself.
        nearest = torch.cdist(parts, books, compute_mode="donot_use_mm_for_euclid_dist").argmin(dim=-1)
        return to_planes(self._by_row(nearest[..., None], subvectors), self.bits)

    def decode(self, bits: torch.Tensor, count: int) -> torch.Tensor:
        """Read ``[batch, count]`` values: see `Quantizer.decode`."""
        codes = from_planes(bits, self.bits, self._subvectors(count))
        own = torch.arange(codes.shape[1], device=bits.device) % len(self.codebooks)
        return self.codebooks.to(bits.device)[own, codes].flatten(1)[:, :count]

    def decode_soft(self, llr: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean codeword, and reliability of a whole subvector for each of its values."""
        subvectors = self._subvectors(count)
        by_code = split_planes(llr, self.bits, subvectors).transpose(1, 2).flatten(1)
        means = expectation(self._by_book(by_code, subvectors), self.codebooks.to(llr.device))
        trust = reliability(llr, self.bits, subvectors).repeat_interleave(self.dim, dim=1)
        return self._by_row(means, subvectors)[:, :count], trust[:, :count]

    def _subvectors(self, count: int) -> int:
        needed = -(-count // self.dim)
        if len(self.codebooks) > 1 and needed != len(self.codebooks):
            raise ValueError(
                f"{self.name} is for {len(self.codebooks)} subvectors of {self.dim} values, got {count}"
            )
        return needed

    def _by_book(self, rows: torch.Tensor, subvectors: int) -> torch.Tensor:
        """Sort ``[batch, subvectors * x]`` into ``[codebooks, ..., x]``."""
        parts = rows.reshape(len(rows), subvectors, rows.shape[1] // subvectors)
        return parts.transpose(0, 1) if len(self.codebooks) > 1 else parts.flatten(0, 1)[None]

    def _by_row(self, parts: torch.Tensor, subvectors: int) -> torch.Tensor:
        """Undo `_by_book`."""
        if len(self.codebooks) > 1:
            return parts.transpose(0, 1).flatten(1)
        return parts.reshape(parts.shape[1] // subvectors, subvectors * parts.shape[2])

    def _digest(self) -> str:
        return hashlib.blake2b(self.codebooks.cpu().numpy().tobytes(), digest_size=4).hexdigest()


def _pad(values: torch.Tensor, dim: int) -> torch.Tensor:
    return torch.nn.functional.pad(values, (0, -values.shape[1] % dim))


@lru_cache
def _gaussian_codebooks(dim: int, bits: int) -> torch.Tensor:
    count = max(_FEWEST_SAMPLES, _SAMPLES_PER_WORD << min(bits, _LARGEST_BITS))
    draws = Stream("quantization", "gaussian codebook").generator().standard_normal((count, max(dim, 1)))
    return ProductQuantizer.fit(torch.from_numpy(draws), dim, bits).codebooks


def _codebook(samples: NDArray[np.float64], bits: int, stream: Stream) -> NDArray[np.float64]:
    """Codewords ``[2**bits, dim]`` of samples ``[n, dim]``, the halves of a split numbered side by side."""
    generator = stream.generator()
    words = samples.mean(axis=0, keepdims=True)
    for level in range(bits):
        distance, _ = cKDTree(words).query(samples)
        spread = 0.5 * np.sqrt(np.mean(distance**2) / samples.shape[1])
        shift = spread * generator.standard_normal(words.shape)
        words = np.stack([words - shift, words + shift], axis=1).reshape(-1, samples.shape[1])
        for _ in range(_LAST_ITERATIONS if level == bits - 1 else _ITERATIONS):
            words = _centroids(samples, words)
    return words


def _centroids(samples: NDArray[np.float64], words: NDArray[np.float64]) -> NDArray[np.float64]:
    """One iteration of k-means; codewords that are nearest to no sample stay where they are."""
    _, nearest = cKDTree(words).query(samples)
    members = np.bincount(nearest, minlength=len(words))[:, None]
    sums = np.stack([np.bincount(nearest, column, len(words)) for column in samples.T], axis=1)
    return np.where(members > 0, sums / np.maximum(members, 1), words)
