"""Quantisers by kind, draws to quantise, and integrated errors."""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray
from scipy import integrate, stats

from phy.quantization import (
    FloatPattern,
    LloydMax,
    MuLaw,
    Quantizer,
    ScalarQuantizer,
    Uniform,
)
from phy.random import Stream

# Our own values, to the digits that two independent computations (design, and the minimisation in the tests)
# share; nothing published was at hand for 7 and 8 bits.
LLOYD_MAX_MSE = {
    1: 0.36338,
    2: 0.11748,
    3: 0.034548,
    4: 0.0095010,
    5: 0.0025047,
    6: 0.00064424,
    7: 0.00016348,
    8: 4.1185e-5,
}


SCALARS: list[ScalarQuantizer] = [
    *(Uniform(bits) for bits in (1, 2, 4, 8, 12, 16)),
    Uniform(5, step=0.31, labeling="natural"),
    *(LloydMax(bits) for bits in (1, 2, 4, 8, 12, 16)),
    LloydMax(3, labeling="natural"),
    *(MuLaw(bits) for bits in (1, 4, 8, 16)),
    MuLaw(6, mu=100.0, peak=3.0),
]


FLOATS = [FloatPattern(name) for name in ("fp32", "fp16", "bf16", "fp8_e4m3", "fp8_e5m2")]


DITHERED = Uniform(4, dither=Stream(3, "dither"))


def gaussian(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape)).float()


def random_bits(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 2, shape, dtype=np.uint8))


def all_codes(width: int) -> torch.Tensor:
    """Bits of every code, one a row."""
    return torch.tensor(list(itertools.product([0, 1], repeat=width)), dtype=torch.uint8)


def name_of(quantizer: Quantizer) -> str:
    return quantizer.name


def bpsk_llr(bits: torch.Tensor, variance: float, seed: int) -> torch.Tensor:
    """LLRs log p(1)/p(0) of bits sent as 1 - 2b through real Gaussian noise."""
    received = 1 - 2 * bits.double() + math.sqrt(variance) * gaussian(*bits.shape, seed=seed).double()
    return (-2 * received / variance).float()


def decibels(mse: float) -> float:
    return -10 * math.log10(mse)


def gaussian_error(quantizer: ScalarQuantizer) -> float:
    """Mean squared error for the unit Gaussian, cell by cell by SciPy's adaptive quadrature."""
    edges = [-12.0, *quantizer.thresholds.tolist(), 12.0]
    parts = (
        integrate.quad(lambda x, y=level: (x - y) ** 2 * stats.norm._pdf(x), low, high, epsabs=1e-14)[0]
        for level, low, high in zip(quantizer.levels.tolist(), edges[:-1], edges[1:], strict=True)
    )
    return math.fsum(parts)


def symmetric_error(levels: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Error of the symmetric quantiser with these positive levels, and its gradient, by Gauss-Legendre."""
    edges = np.concatenate([[0.0], (levels[1:] + levels[:-1]) / 2, [levels[-1] + 10.0]])
    nodes, weights = leggauss(80)
    half = np.diff(edges)[:, None] / 2
    x = edges[:-1, None] + half * (nodes + 1)
    mass = half * weights * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    away = x - levels[:, None]
    return 2 * float((away**2 * mass).sum()), -4 * (away * mass).sum(axis=1)
