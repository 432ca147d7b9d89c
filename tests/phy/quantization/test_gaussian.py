"""Scalar quantisers of the Gaussian source against published errors, and dither."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import optimize, stats
from tiny.quantizers import (
    DITHERED,
    LLOYD_MAX_MSE,
    decibels,
    gaussian,
    gaussian_error,
    symmetric_error,
)

from phy.quantization import (
    LloydMax,
    Uniform,
)
from phy.random import Stream

# Mean squared errors for the unit Gaussian as J. Max, "Quantizing for minimum distortion", IRE Trans. Inf.
# Theory 6 (1960), printed them for 2, 4, 8, 16 and 32 levels. They are quoted as the literature repeats
# them, not from a copy of the paper, and are known to be off by up to 0.3 % (0.009497 is 0.009501).
MAX_1960 = {1: 0.3634, 2: 0.1175, 3: 0.03454, 4: 0.009497, 5: 0.002499}


# SQNR in dB for 1 to 6 bits, in Jayant & Noll, "Digital Coding of Waveforms" (1984), chapter 4, quoted in the
# same way. (The 37.81 dB that are quoted for 7 bits lie 0.055 dB below the optimum as computed here.)
JAYANT_NOLL_DB = {1: 4.40, 2: 9.30, 3: 14.62, 4: 20.22, 5: 26.01, 6: 31.89}


# Max (1960), table II, equally spaced levels: optimal steps and mean squared errors, quoted likewise.
MAX_1960_STEP = {1: 1.596, 2: 0.9957, 3: 0.5860, 4: 0.3352, 5: 0.1881}


MAX_1960_UNIFORM = {1: 0.3634, 2: 0.1188, 3: 0.03744, 4: 0.01154, 5: 0.003495}


# ---- the Gaussian source


@pytest.mark.parametrize("bits", range(1, 9))
def test_lloyd_max_is_the_minimum_that_a_general_optimiser_finds(bits: int) -> None:
    # It starts from equal distances and moves their logarithms, which keeps the levels in order.
    def objective(logarithms: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        gaps = np.exp(logarithms)
        error, slope = symmetric_error(np.cumsum(gaps))
        return math.log(error), gaps * np.cumsum(slope[::-1])[::-1] / error

    count = 1 << (bits - 1)
    start = np.full(count, math.log((1.0 + 0.4 * bits) / count))
    options = {"maxiter": 3000, "maxfun": 9000, "ftol": 1e-13, "gtol": 1e-8, "maxcor": 40}
    found = optimize.minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    designed = gaussian_error(LloydMax(bits))
    assert designed == pytest.approx(math.exp(found.fun), rel=1e-5)
    assert designed == pytest.approx(LLOYD_MAX_MSE[bits], rel=2e-5)


@pytest.mark.parametrize("bits", range(1, 7))
def test_lloyd_max_has_the_published_sqnr(bits: int) -> None:
    error = gaussian_error(LloydMax(bits))
    assert decibels(error) == pytest.approx(JAYANT_NOLL_DB[bits], abs=0.05)
    if bits in MAX_1960:
        assert decibels(error) == pytest.approx(decibels(MAX_1960[bits]), abs=0.05)


@pytest.mark.parametrize("bits", range(1, 17))
def test_lloyd_max_levels_are_the_means_of_their_cells(bits: int) -> None:
    levels = LloydMax(bits)._design()[0]
    edges = np.concatenate([[-np.inf], (levels[1:] + levels[:-1]) / 2, [np.inf]])
    upper = slice(len(levels) // 2, None)  # where tail probabilities do not cancel
    low, high = edges[:-1][upper], edges[1:][upper]
    centroid = (stats.norm.pdf(low) - stats.norm.pdf(high)) / (stats.norm.sf(low) - stats.norm.sf(high))
    np.testing.assert_allclose(levels[upper], centroid, atol=2e-8)
    np.testing.assert_array_equal(levels, -levels[::-1])


@pytest.mark.parametrize("bits", range(1, 9))
def test_uniform_step_is_the_minimum_and_has_the_published_error(bits: int) -> None:
    def error(step: float) -> float:
        """Sum over cells of closed-form truncated second moments: no quadrature of the design's equation."""
        edges = np.arange(1 << (bits - 1)) * step
        low, high = edges, np.append(edges[1:], np.inf)
        level = edges + step / 2
        mass = stats.norm.sf(low) - stats.norm.sf(high)
        first = stats.norm.pdf(low) - stats.norm.pdf(high)
        second = mass + low * stats.norm.pdf(low) - np.append(edges[1:], 0) * stats.norm.pdf(high)
        return float(2 * (second - 2 * level * first + level**2 * mass).sum())

    step = Uniform(bits).width
    found = optimize.minimize_scalar(
        error, bounds=(step / 2, 2 * step), method="bounded", options={"xatol": 1e-9}
    )
    assert step == pytest.approx(found.x, rel=1e-4)
    assert gaussian_error(Uniform(bits)) == pytest.approx(found.fun, rel=1e-5)
    if bits in MAX_1960_STEP:
        assert step == pytest.approx(MAX_1960_STEP[bits], abs=1e-4 if bits > 1 else 3e-4)
        assert decibels(found.fun) == pytest.approx(decibels(MAX_1960_UNIFORM[bits]), abs=0.05)


@pytest.mark.parametrize("kind", [Uniform, LloydMax])
@pytest.mark.parametrize("bits", range(1, 9))
def test_sampled_error_is_the_integrated_one(kind: type[Uniform | LloydMax], bits: int) -> None:
    quantizer = kind(bits)
    values = gaussian(1, 400_000, seed=bits)
    squared = (quantizer.decode(quantizer.encode(values), values.shape[1]) - values).double().square()
    deviation = float(squared.std()) / math.sqrt(squared.numel())
    assert abs(float(squared.mean()) - gaussian_error(quantizer)) < 4 * deviation


def test_lloyd_max_fitted_to_samples_comes_near_the_optimum_and_fits_other_sources() -> None:
    values = gaussian(1, 200_000)
    fitted = LloydMax.fit(values, 4)
    assert decibels(gaussian_error(fitted)) == pytest.approx(decibels(LLOYD_MAX_MSE[4]), abs=0.02)
    laplacian = torch.from_numpy(np.random.default_rng(1).laplace(0, 1 / math.sqrt(2), (2, 100_000))).float()
    train, test = laplacian[:1], laplacian[1:]
    errors = [
        float((q.decode(q.encode(test), test.shape[1]) - test).square().mean())
        for q in (LloydMax.fit(train, 3), LloydMax(3))
    ]
    # Paez & Glisson (1972): 12.64 dB for the Laplacian and 8 levels.
    assert decibels(errors[0]) == pytest.approx(12.64, abs=0.15)
    assert errors[0] < errors[1]


def test_lloyd_max_of_few_samples_is_the_samples() -> None:
    fitted = LloydMax.fit(torch.tensor([3.0, -1.0, 0.5, 0.5, 7.0]), 2)
    assert fitted.levels.tolist() == [-1.0, 0.5, 3.0, 7.0]
    with pytest.raises(ValueError, match="4 levels need at least as many different samples, got 3"):
        LloydMax.fit(torch.tensor([3.0, -1.0, 0.5, 0.5]), 2)


# ---- dither


def test_dithered_error_is_uniform_and_independent_of_the_value() -> None:
    count = 100_000
    quantizer = Uniform(6, dither=Stream(1, "dither"))
    values = gaussian(1, count).clamp(-2, 2) / 2  # far from clipping, and not smooth either
    error = (quantizer.decode(quantizer.encode(values), count) - values)[0].double().numpy()
    half = quantizer.width / 2
    assert stats.kstest(error, stats.uniform(-half, 2 * half).cdf).pvalue > 1e-3
    source = values[0].double().numpy()
    for transformed in (source, source**2, np.abs(source)):
        assert abs(stats.pearsonr(transformed, error).statistic) < 4 / math.sqrt(count)
        assert abs(stats.pearsonr(transformed, error**2).statistic) < 4 / math.sqrt(count)


def test_without_dither_a_coarse_error_depends_on_the_value() -> None:
    quantizer = Uniform(2)
    values = gaussian(1, 100_000) / 4
    error = quantizer.decode(quantizer.encode(values), values.shape[1]) - values
    assert abs(stats.pearsonr(values[0].numpy(), error[0].numpy()).statistic) > 0.1


def test_dither_is_the_streams_the_same_in_every_row_and_for_every_length() -> None:
    values = gaussian(1, 50)
    twice = DITHERED.encode(values.repeat(2, 1))
    assert torch.equal(twice[0], twice[1])
    longer = DITHERED.decode(DITHERED.encode(torch.cat([values, values], dim=1)), 100)
    assert torch.equal(longer[:, :50], DITHERED.decode(DITHERED.encode(values), 50))
    assert not torch.equal(Uniform(4, dither=Stream(4, "dither")).encode(values), DITHERED.encode(values))
