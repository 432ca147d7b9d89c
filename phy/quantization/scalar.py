"""Scalar quantisers: every value by itself, as the label of the nearest level."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from phy.quantization.design import empirical_levels, gaussian_levels, gaussian_step
from phy.quantization.quantizer import (
    check_values,
    expectation,
    from_planes,
    reliability,
    split_planes,
    to_planes,
)
from phy.random import Stream

__all__ = ["Labeling", "LloydMax", "MuLaw", "ScalarQuantizer", "Uniform"]

Labeling = Literal["gray", "natural"]

_LARGEST_BITS = 16


@dataclass(frozen=True)
class ScalarQuantizer(ABC):
    """Levels, thresholds between them, and the labels that are sent for them.

    A value on a threshold belongs to the level above. Values beyond the outermost levels are clipped to them.

    Parameters
    ----------
    bits:
        Of a value, 1 to 16.
    labeling:
        ``"gray"`` (default): labels of neighbouring levels differ in one bit (binary reflected Gray code);
        ``"natural"``: levels are counted from below.

    Raises
    ------
    ValueError
        If bits or labeling are none of these.
    """

    bits: int
    labeling: Labeling = field(default="gray", kw_only=True)

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= _LARGEST_BITS:
            raise ValueError(f"a scalar quantiser has 1 to {_LARGEST_BITS} bits, got {self.bits}")
        if self.labeling not in get_args(Labeling):
            raise ValueError(f"labeling must be gray or natural, got {self.labeling!r}")

    @property
    @abstractmethod
    def name(self) -> str:
        """Name, as it stands in results."""

    @abstractmethod
    def _design(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Levels ``[2**bits]`` and thresholds ``[2**bits - 1]``, ascending."""

    @property
    def bits_per_value(self) -> Fraction:
        """`bits`."""
        return Fraction(self.bits)

    @property
    def planes(self) -> int:
        """One plane a bit."""
        return self.bits

    @property
    def normalized(self) -> bool:
        """True: levels are made for zero mean and unit variance."""
        return True

    @cached_property
    def levels(self) -> torch.Tensor:
        """What values are decoded to, ascending: ``[2**bits]``, ``torch.float32``."""
        return torch.from_numpy(self._design()[0]).float()

    @cached_property
    def thresholds(self) -> torch.Tensor:
        """What separates the levels, ascending: ``[2**bits - 1]``, ``torch.float32``."""
        return torch.from_numpy(self._design()[1]).float()

    @cached_property
    def labels(self) -> torch.Tensor:
        """Codes of the levels, lowest level first: ``[2**bits]``, ``torch.int64``."""
        order = torch.arange(1 << self.bits)
        return order ^ order >> 1 if self.labeling == "gray" else order

    @cached_property
    def _level_of(self) -> torch.Tensor:
        """Levels in the order of their labels."""
        return self.levels[self.labels.argsort()]

    def bits_for(self, count: int) -> int:
        """Bits of ``count`` values."""
        return self.bits * count

    def encode(self, values: torch.Tensor) -> torch.Tensor:
        """Write values ``[batch, count]``: see `Quantizer.encode`."""
        values = check_values(values)
        indices = torch.bucketize(values, self.thresholds.to(values.device), right=True)
        return to_planes(self.labels.to(values.device)[indices], self.bits)

    def decode(self, bits: torch.Tensor, count: int) -> torch.Tensor:
        """Read ``[batch, count]`` levels: see `Quantizer.decode`."""
        return self._level_of.to(bits.device)[from_planes(bits, self.bits, count)]

    def decode_soft(self, llr: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean level and reliability, each ``[batch, count]``: see `Quantizer.decode_soft`.

        Levels count as equally probable before the LLRs are known.
        """
        by_value = split_planes(llr, self.bits, count).transpose(1, 2).reshape(1, -1, self.bits)
        means = expectation(by_value, self._level_of.to(llr.device)[None, :, None])
        return means.reshape(len(llr), count), reliability(llr, self.bits, count)


@dataclass(frozen=True)
class Uniform(ScalarQuantizer):
    """Uniform mid-rise quantiser: levels at odd multiples of half a step.

    With subtractive dither, a uniform draw of one step's width is added before quantising and subtracted
    behind it. Where the sum is not clipped, the error is then uniform and independent of the value
    (Schuchman, 1964). All rows of a batch share the draws; who wants others for another vector makes
    another quantiser (``dataclasses.replace(quantizer, dither=stream)``).

    Parameters
    ----------
    bits:
        Of a value, 1 to 16.
    step:
        Distance of levels; None for the one of least squared error for the unit Gaussian (without dither).
    dither:
        The stream of draws that both ends have agreed on; None for no dither.
    labeling:
        See `ScalarQuantizer`.

    Raises
    ------
    ValueError
        If the step is not positive, or see `ScalarQuantizer`.

    Examples
    --------
    >>> quantizer = Uniform(2)
    >>> quantizer.levels
    tensor([-1.4935, -0.4978,  0.4978,  1.4935])
    >>> quantizer.encode(torch.tensor([[0.3, 9.0]]))  # labels 11 and 10, most significant bits first
    tensor([[1, 1, 1, 0]], dtype=torch.uint8)
    """

    step: float | None = None
    dither: Stream | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.step is not None and not 0 < self.step < float("inf"):
            raise ValueError(f"the step of a uniform quantiser must be positive and finite, got {self.step}")

    @property
    def name(self) -> str:
        """``uniform:BITS[,step=STEP][,dither][,natural]``; the stream of the dither is not in it."""
        step = "" if self.step is None else f",step={self.step!r}"
        dither = "" if self.dither is None else ",dither"
        return f"uniform:{self.bits}{step}{dither}{_suffix(self.labeling)}"

    @property
    def width(self) -> float:
        """The step, given or optimal."""
        return gaussian_step(self.bits) if self.step is None else self.step

    def encode(self, values: torch.Tensor) -> torch.Tensor:
        """Add the dither and write ``[batch, count]`` values: see `Quantizer.encode`."""
        return super().encode(values + self._draws(values.shape[-1], values.device))

    def decode(self, bits: torch.Tensor, count: int) -> torch.Tensor:
        """Read ``[batch, count]`` levels and subtract the dither: see `Quantizer.decode`."""
        return super().decode(bits, count) - self._draws(count, bits.device)

    def decode_soft(self, llr: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean level less the dither, and reliability: see `Quantizer.decode_soft`."""
        means, trust = super().decode_soft(llr, count)
        return means - self._draws(count, llr.device), trust

    def _design(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        half = 1 << (self.bits - 1)
        edges = np.arange(-half, half + 1, dtype=np.float64) * self.width
        return edges[:-1] + self.width / 2, edges[1:-1]

    def _draws(self, count: int, device: torch.device) -> torch.Tensor:
        if self.dither is None:
            return torch.zeros(count, device=device)
        draws = (self.dither.generator().random(count) - 0.5) * self.width
        return torch.from_numpy(draws).float().to(device)


@dataclass(frozen=True)
class LloydMax(ScalarQuantizer):
    """Quantiser of least mean squared error: for the unit Gaussian, or for given data (`LloydMax.fit`).

    Parameters
    ----------
    bits:
        Of a value, 1 to 16.
    given_levels:
        Ascending levels that replace those for the Gaussian; thresholds are half-way between them.
    labeling:
        See `ScalarQuantizer`.

    Raises
    ------
    ValueError
        If the levels are not ``2**bits`` different, ascending numbers, or see `ScalarQuantizer`.

    Examples
    --------
    >>> LloydMax(1).levels
    tensor([-0.7979,  0.7979])
    """

    given_levels: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        given = self.given_levels
        if given is not None and not (len(given) == 1 << self.bits and bool(self.levels.diff().gt(0).all())):
            raise ValueError(
                f"levels must be {1 << self.bits} different, ascending numbers, got {len(given)}"
            )

    @classmethod
    def fit(cls, samples: torch.Tensor, bits: int, *, labeling: Labeling = "gray") -> LloydMax:
        """Make the quantiser of given data, by Lloyd's iteration.

        Parameters
        ----------
        samples:
            Values as `encode` will get them (normalised), any shape; at least ``2**bits`` different ones.
        bits, labeling:
            See `LloydMax`.

        Raises
        ------
        ValueError
            If there are too few different samples.
        """
        found = empirical_levels(samples.detach().cpu().double().numpy(), bits)
        return cls(bits, tuple(found.tolist()), labeling=labeling)

    @property
    def name(self) -> str:
        """``lloyd-max:BITS[,natural]``; fitted ones show a digest of their levels, which nothing reads."""
        fitted = "" if self.given_levels is None else f",fitted-{_digest(self.levels)}"
        return f"lloyd-max:{self.bits}{fitted}{_suffix(self.labeling)}"

    def _design(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        levels = gaussian_levels(self.bits) if self.given_levels is None else np.array(self.given_levels)
        return levels, (levels[1:] + levels[:-1]) / 2


@dataclass(frozen=True)
class MuLaw(ScalarQuantizer):
    """Uniform quantiser of logarithmically compressed values, for the same relative error over a wide range.

    Values x are compressed to sgn(x) ln(1 + mu abs(x) / peak) / ln(1 + mu), the continuous mu-law that the
    segments of ITU-T G.711 approximate, quantised uniformly (mid-rise) from -1 to 1, and expanded.

    Parameters
    ----------
    bits:
        Of a value, 1 to 16.
    mu:
        Strength of the compression, positive.
    peak:
        Largest value that is not clipped; in standard deviations for normalised values.
    labeling:
        See `ScalarQuantizer`.

    Raises
    ------
    ValueError
        If ``mu`` or ``peak`` are not positive, or see `ScalarQuantizer`.
    """

    mu: float = 255.0
    peak: float = 4.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 < self.mu < float("inf") and 0 < self.peak < float("inf")):
            raise ValueError(f"mu and peak must be positive and finite, got {self.mu} and {self.peak}")

    @property
    def name(self) -> str:
        """``mu-law:BITS[,mu=MU][,peak=PEAK][,natural]``."""
        mu = "" if self.mu == type(self).mu else f",mu={self.mu!r}"
        peak = "" if self.peak == type(self).peak else f",peak={self.peak!r}"
        return f"mu-law:{self.bits}{mu}{peak}{_suffix(self.labeling)}"

    def _design(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        half = 1 << (self.bits - 1)
        grid = np.arange(1 - 2 * half, 2 * half) / (2 * half)  # levels and thresholds by turns
        expanded = np.sign(grid) * np.expm1(np.abs(grid) * np.log1p(self.mu)) * self.peak / self.mu
        return expanded[::2], expanded[1::2]


def _suffix(labeling: Labeling) -> str:
    return "" if labeling == "gray" else f",{labeling}"


def _digest(table: torch.Tensor) -> str:
    """Eight hexadecimal digits that identify a table."""
    return hashlib.blake2b(table.numpy().tobytes(), digest_size=4).hexdigest()
