"""Quantisers against published optima, numerical integration, PyTorch's own formats and brute force."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray
from scipy import integrate, optimize, stats

from phy.quantization import (
    FloatPattern,
    LloydMax,
    MuLaw,
    ProductQuantizer,
    Quantizer,
    ScalarQuantizer,
    Uniform,
    parse_quantizer,
)
from phy.random import Stream

# Mean squared errors for the unit Gaussian as J. Max, "Quantizing for minimum distortion", IRE Trans. Inf.
# Theory 6 (1960), printed them for 2, 4, 8, 16 and 32 levels. They are quoted as the literature repeats
# them, not from a copy of the paper, and are known to be off by up to 0.3 % (0.009497 is 0.009501).
MAX_1960 = {1: 0.3634, 2: 0.1175, 3: 0.03454, 4: 0.009497, 5: 0.002499}
# SQNR in dB for 1 to 6 bits, in Jayant & Noll, "Digital Coding of Waveforms" (1984), chapter 4, quoted in the
# same way. (The 37.81 dB that are quoted for 7 bits lie 0.055 dB below the optimum as computed here.)
JAYANT_NOLL_DB = {1: 4.40, 2: 9.30, 3: 14.62, 4: 20.22, 5: 26.01, 6: 31.89}
# Our own values, to the digits that two independent computations (design, and the minimisation in this file)
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
# Max (1960), table II, equally spaced levels: optimal steps and mean squared errors, quoted likewise.
MAX_1960_STEP = {1: 1.596, 2: 0.9957, 3: 0.5860, 4: 0.3352, 5: 0.1881}
MAX_1960_UNIFORM = {1: 0.3634, 2: 0.1188, 3: 0.03744, 4: 0.01154, 5: 0.003495}

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


@pytest.fixture(scope="module")
def product() -> ProductQuantizer:
    return ProductQuantizer.gaussian(2, 6)


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


# ---- bits


@pytest.mark.parametrize("quantizer", SCALARS, ids=name_of)
def test_every_code_of_a_scalar_quantiser_survives_decoding_and_encoding(quantizer: ScalarQuantizer) -> None:
    assert bool(quantizer.levels.diff().gt(0).all())
    bits = all_codes(quantizer.bits)
    assert torch.equal(quantizer.encode(quantizer.decode(bits, 1)), bits)


@pytest.mark.parametrize("quantizer", [*SCALARS, *FLOATS, DITHERED], ids=name_of)
def test_encoding_what_was_decoded_gives_the_same_bits(quantizer: Quantizer) -> None:
    bits = quantizer.encode(2 * gaussian(4, 300))
    assert bits.dtype == torch.uint8
    assert bits.shape == (4, quantizer.bits_for(300)) == (4, 300 * quantizer.bits_per_value)
    decoded = quantizer.decode(bits, 300)
    assert decoded.dtype == torch.float32
    assert torch.equal(quantizer.encode(decoded), bits)


@pytest.mark.parametrize("quantizer", [Uniform(4), LloydMax(6), MuLaw(8), LloydMax(16)], ids=name_of)
def test_labels_of_neighbouring_levels_differ_in_one_bit(quantizer: ScalarQuantizer) -> None:
    bits = quantizer.encode(quantizer.levels[:, None]).int()
    assert bool((bits.diff(dim=0).abs().sum(1) == 1).all())
    assert len(bits.unique(dim=0)) == 1 << quantizer.bits


def test_natural_labels_count_from_the_lowest_level() -> None:
    quantizer = LloydMax(3, labeling="natural")
    assert torch.equal(quantizer.encode(quantizer.levels[:, None]), all_codes(3))


def test_bits_lie_plane_by_plane_most_significant_first() -> None:
    quantizer = Uniform(3, step=1.0, labeling="natural")
    bits = quantizer.encode(torch.tensor([[-3.5, 0.2, 2.7]]))  # levels 0, 4 and 6
    assert bits.tolist() == [[0, 1, 1, 0, 0, 1, 0, 0, 0]]
    assert FloatPattern("fp16").encode(torch.tensor([[-1.0, 1.0]]))[0, :2].tolist() == [1, 0]


@pytest.mark.parametrize("quantizer", [Uniform(4, labeling="natural"), FloatPattern("fp8_e4m3")], ids=name_of)
def test_earlier_planes_matter_more(quantizer: Quantizer) -> None:
    bits = quantizer.encode(gaussian(1, 20_000).abs() + 0.5)
    intact = quantizer.decode(bits, 20_000)
    first = 0 if quantizer.normalized else 1  # a wrong sign costs less than a wrong exponent
    costs = []
    for plane in range(first, quantizer.planes):
        wrong = bits.clone()
        wrong[:, plane * 20_000 : (plane + 1) * 20_000] ^= 1
        costs.append(float((quantizer.decode(wrong, 20_000) - intact).abs().mean()))
    assert costs == sorted(costs, reverse=True)


@pytest.mark.parametrize("quantizer", [*SCALARS, *FLOATS, DITHERED], ids=name_of)
def test_random_bits_decode_to_finite_values(quantizer: Quantizer) -> None:
    values = quantizer.decode(random_bits(10_000, quantizer.bits_for(3)), 3)
    assert values.shape == (10_000, 3)
    assert values.dtype == torch.float32
    assert bool(values.isfinite().all())


def test_values_beyond_the_levels_are_clipped_to_the_outermost() -> None:
    for quantizer in (Uniform(3), LloydMax(3), MuLaw(3)):
        decoded = quantizer.decode(quantizer.encode(torch.tensor([[-1e30, 1e30]])), 2)
        assert decoded.tolist() == [[quantizer.levels[0].item(), quantizer.levels[-1].item()]]


def test_a_row_does_not_depend_on_the_others(product: ProductQuantizer) -> None:
    values = gaussian(9, 40)
    for quantizer in (LloydMax(5), DITHERED, product, FloatPattern("bf16")):
        bits = quantizer.encode(values)
        assert torch.equal(bits[4:5], quantizer.encode(values[4:5]))
        llr = gaussian(*bits.shape, seed=1)
        for together, alone in zip(
            quantizer.decode_soft(llr, 40), quantizer.decode_soft(llr[4:5], 40), strict=True
        ):
            assert torch.equal(together[4:5], alone)


def test_an_empty_batch_is_a_batch(product: ProductQuantizer) -> None:
    own = ProductQuantizer(gaussian(2, 4, 3))
    for quantizer in (LloydMax(5), DITHERED, FloatPattern("bf16"), product, own):
        bits = quantizer.encode(torch.zeros(0, 6))
        assert bits.shape == (0, quantizer.bits_for(6))
        assert quantizer.decode(bits, 6).shape == (0, 6)
        assert [part.shape for part in quantizer.decode_soft(bits.float(), 6)] == [(0, 6), (0, 6)]


# ---- the companding law


def test_mu_law_is_uniform_behind_the_compressor() -> None:
    # ITU-T G.711's continuous law, F(x) = sgn(x) ln(1 + mu |x|) / ln(1 + mu) for |x| <= 1, mu = 255.
    quantizer = MuLaw(8, peak=4.0)
    x = np.linspace(-4, 4, 40_001)[1::2]
    compressed = np.sign(x) * np.log(1 + 255 * np.abs(x) / 4) / np.log(256)
    cell = np.floor((compressed + 1) * 128)
    centre = (cell + 0.5) / 128 - 1
    expected = np.sign(centre) * 4 / 255 * (256 ** np.abs(centre) - 1)
    decoded = (
        quantizer.decode(quantizer.encode(torch.from_numpy(x)[None].float()), len(x))[0].double().numpy()
    )
    on_an_edge = np.abs((compressed + 1) * 128 - np.round((compressed + 1) * 128)) < 1e-4
    np.testing.assert_allclose(decoded[~on_an_edge], expected[~on_an_edge], rtol=1e-5)
    assert on_an_edge.mean() < 1e-3


def test_mu_law_keeps_its_sqnr_where_values_are_small() -> None:
    def sqnr(quantizer: Quantizer, scale: float) -> float:
        values = gaussian(1, 50_000) * scale
        error = quantizer.decode(quantizer.encode(values), 50_000) - values
        return decibels(float(error.square().mean() / values.square().mean()))

    # Jayant & Noll: 8-bit mu-law speech stays around 38 dB over 40 dB of input power.
    assert [sqnr(MuLaw(8), scale) for scale in (1.0, 0.1)] == pytest.approx([38.0, 37.0], abs=1.5)
    assert sqnr(MuLaw(8), 0.01) > sqnr(Uniform(8), 0.01) + 10


# ---- floating-point patterns


@pytest.mark.parametrize(
    ("name", "dtype"), [("fp8_e4m3", torch.float8_e4m3fn), ("fp8_e5m2", torch.float8_e5m2)]
)
def test_all_patterns_of_fp8_are_pytorchs(name: str, dtype: torch.dtype) -> None:
    quantizer = FloatPattern(name)
    expected = torch.arange(256, dtype=torch.uint8).view(dtype).float()
    bits = all_codes(8)
    numbers = expected.isfinite()
    assert torch.equal(quantizer.decode(bits, 1)[numbers, 0], expected[numbers])
    assert torch.equal(quantizer.encode(expected[numbers, None]), bits[numbers])
    assert bool((quantizer.decode(bits, 1)[~numbers] == 0).all())
    assert quantizer.nonfinite(bits, 1) == int((~numbers).sum()) == {"fp8_e4m3": 2, "fp8_e5m2": 8}[name]


@pytest.mark.parametrize(("name", "kind", "width"), [("fp32", "f4", 32), ("fp16", "f2", 16)])
def test_ieee_patterns_are_numpys(name: str, kind: str, width: int) -> None:
    bits = random_bits(5_000, width)
    expected = np.packbits(bits.numpy(), axis=1).view(f">{kind}").astype(np.float32)[:, 0]
    quantizer = FloatPattern(name)
    decoded = quantizer.decode(bits, 1)[:, 0].numpy()
    numbers = np.isfinite(expected)
    np.testing.assert_array_equal(decoded.view(np.uint32)[numbers], expected.view(np.uint32)[numbers])
    assert quantizer.nonfinite(bits, 1) == (~numbers).sum() > 0
    assert torch.equal(
        quantizer.encode(torch.from_numpy(decoded[numbers, None])), bits[torch.from_numpy(numbers)]
    )


def test_bf16_is_the_upper_half_of_fp32() -> None:
    bits = random_bits(5_000, 16)
    wide = torch.cat([bits, torch.zeros_like(bits)], dim=1)
    assert torch.equal(FloatPattern("bf16").decode(bits, 1), FloatPattern("fp32").decode(wide, 1))


def test_too_large_values_become_the_largest_number() -> None:
    values = torch.tensor([[1e30, -1e30]])
    for name, largest in {"fp16": 65504.0, "fp8_e4m3": 448.0, "fp8_e5m2": 57344.0}.items():
        quantizer = FloatPattern(name)
        assert quantizer.decode(quantizer.encode(values), 2).tolist() == [[largest, -largest]]


# ---- product quantisation


def test_every_codeword_survives_decoding_and_encoding(product: ProductQuantizer) -> None:
    bits = all_codes(6)
    assert torch.equal(product.encode(product.decode(bits, 2)), bits)


def test_gaussian_codebook_lies_between_scalar_optimum_and_rate_distortion_bound() -> None:
    quantizer = ProductQuantizer.gaussian(2, 8)
    values = gaussian(4, 50_000, seed=5)
    error = float((quantizer.decode(quantizer.encode(values), 50_000) - values).square().mean())
    # Beyond the scalar optimum; below D = 2^-2R, which no quantiser passes.
    assert decibels(LLOYD_MAX_MSE[4]) + 0.4 < decibels(error) < decibels(2.0**-8)


def test_product_quantiser_beats_scalars_on_a_correlated_source() -> None:
    source = gaussian(60_000, 2, seed=2)
    correlated = source.clone()
    correlated[:, 1] = 0.9 * source[:, 0] + math.sqrt(1 - 0.81) * source[:, 1]
    train, test = correlated[:40_000], correlated[40_000:]
    fitted, scalar = ProductQuantizer.fit(train, 2, 6), LloydMax(3)
    assert fitted.bits_per_value == scalar.bits_per_value
    squared = [(q.decode(q.encode(test), 2) - test).square().sum(1) for q in (fitted, scalar)]
    gain = squared[1] - squared[0]
    assert float(gain.mean()) > 4 * float(gain.std()) / math.sqrt(len(gain))
    # The correlation alone is worth 10 lg(1 / sqrt(1 - 0.81)) = 3.6 dB at high rate.
    assert decibels(float(squared[0].mean())) - decibels(float(squared[1].mean())) > 2.5


def test_nearest_codeword_is_taken() -> None:
    quantizer = ProductQuantizer(gaussian(3, 16, 4))
    values = gaussian(20, 12, seed=1)
    decoded = quantizer.decode(quantizer.encode(values), 12)
    parts = values.double().numpy().reshape(20, 3, 1, 4)
    distance = ((parts - quantizer.codebooks.double().numpy()) ** 2).sum(-1)
    own = ((values - decoded).double().numpy().reshape(20, 3, 4) ** 2).sum(-1)
    np.testing.assert_allclose(own, distance.min(-1), rtol=1e-5)


def test_own_codebooks_fit_each_subvector() -> None:
    samples = gaussian(4_000, 4) * torch.tensor([1.0, 1.0, 0.1, 0.1])
    own, shared = ProductQuantizer.fit(samples, 2, 4), ProductQuantizer.fit(samples.reshape(-1, 2), 2, 4)
    assert [len(q.codebooks) for q in (own, shared)] == [2, 1]
    errors = [float((q.decode(q.encode(samples), 4) - samples)[:, 2:].square().mean()) for q in (own, shared)]
    assert errors[0] < errors[1] / 4
    with pytest.raises(ValueError, match="is for 2 subvectors of 2 values, got 6"):
        own.encode(gaussian(1, 6))


def test_first_bit_of_a_codeword_says_most(product: ProductQuantizer) -> None:
    count = 20_000
    bits = product.encode(gaussian(1, count))
    intact = product.decode(bits, count)
    costs = []
    for plane in range(product.planes):
        wrong = bits.clone()
        wrong[:, plane * count // 2 : (plane + 1) * count // 2] ^= 1
        costs.append(float((product.decode(wrong, count) - intact).square().mean()))
    assert costs[0] > 2 * costs[-1]
    assert costs[0] + costs[1] > 2 * (costs[-2] + costs[-1])


def test_last_subvector_is_filled_up(product: ProductQuantizer) -> None:
    values = gaussian(3, 5)
    bits = product.encode(values)
    assert bits.shape == (3, product.bits_for(5)) == (3, 18)
    filled = torch.nn.functional.pad(values, (0, 1))
    assert torch.equal(bits, product.encode(filled))
    assert torch.equal(product.decode(bits, 5), product.decode(product.encode(filled), 6)[:, :5])


def test_random_bits_decode_to_codewords(product: ProductQuantizer) -> None:
    values = product.decode(random_bits(10_000, product.bits_for(3)), 3)
    assert values.shape == (10_000, 3)
    assert bool(values.isfinite().all())


def test_codebooks_are_saved_and_read(tmp_path: Path) -> None:
    fitted = ProductQuantizer.fit(gaussian(2_000, 6), 3, 4, seed=7)
    fitted.save(tmp_path / "books.safetensors")
    read = parse_quantizer(f"pq:{tmp_path / 'books.safetensors'}")
    assert isinstance(read, ProductQuantizer)
    assert torch.equal(read.codebooks, fitted.codebooks)
    assert read.name == fitted.name
    assert torch.equal(ProductQuantizer.fit(gaussian(2_000, 6), 3, 4, seed=7).codebooks, fitted.codebooks)
    with pytest.raises(ValueError, match="no safetensors file with a tensor 'codebooks'"):
        ProductQuantizer.load(tmp_path / "nothing.safetensors")


# ---- soft decisions


def soft_cases() -> list[Quantizer]:
    scalars: list[Quantizer] = [Uniform(3), LloydMax(4, labeling="natural"), MuLaw(5), DITHERED, Uniform(1)]
    return [*scalars, ProductQuantizer(gaussian(3, 8, 2)), ProductQuantizer(gaussian(1, 32, 2))]


@pytest.mark.parametrize("quantizer", soft_cases(), ids=name_of)
def test_soft_values_are_the_sum_over_all_levels(quantizer: Quantizer) -> None:
    count = 6
    width, codes = quantizer.planes, quantizer.bits_for(count) // quantizer.planes
    llr = 3 * gaussian(5, quantizer.bits_for(count), seed=4)
    p = stats.logistic.cdf(llr.double().numpy()).reshape(5, width, codes)
    expected = np.zeros((5, count))
    for code in all_codes(width):
        chosen = code.numpy()[None, :, None]
        probability = np.where(chosen == 1, p, 1 - p).prod(axis=1)
        level = quantizer.decode(code[:, None].repeat(1, codes).reshape(1, -1), count).double().numpy()
        expected += probability.repeat(count // codes, axis=1) * level
    values, trust = quantizer.decode_soft(llr, count)
    np.testing.assert_allclose(values, expected, atol=1e-6)
    np.testing.assert_allclose(trust, np.maximum(p, 1 - p).prod(1).repeat(count // codes, axis=1), rtol=1e-5)
    assert values.dtype == trust.dtype == torch.float32


@pytest.mark.parametrize("quantizer", [*SCALARS, *FLOATS, *soft_cases()], ids=name_of)
def test_certain_bits_give_the_hard_value(quantizer: Quantizer) -> None:
    bits = random_bits(4, quantizer.bits_for(6), seed=6)
    values, trust = quantizer.decode_soft((2.0 * bits - 1) * 1e4, 6)
    assert torch.equal(values, quantizer.decode(bits, 6))
    assert bool((trust == 1).all())


@pytest.mark.parametrize("quantizer", [q for q in SCALARS if q.bits <= 12], ids=name_of)
def test_bits_that_nothing_is_known_of_give_the_mean_level(quantizer: ScalarQuantizer) -> None:
    values, trust = quantizer.decode_soft(torch.zeros(2, quantizer.bits_for(3)), 3)
    assert torch.allclose(values, quantizer.levels.mean(), atol=1e-5)
    assert torch.equal(trust, torch.full((2, 3), 2.0**-quantizer.bits))


def test_codewords_that_nothing_is_known_of_give_the_mean_codeword(product: ProductQuantizer) -> None:
    values, trust = product.decode_soft(torch.zeros(1, product.bits_for(4)), 4)
    torch.testing.assert_close(values[0], product.codebooks[0].mean(0).repeat(2))
    assert torch.equal(trust, torch.full((1, 4), 2.0**-6))


@pytest.mark.parametrize("name", ["uniform:4", "lloyd-max:4", "mu-law:6", "pq:2x6", "uniform:4,dither"])
def test_soft_values_have_less_error_than_hard_ones_at_low_snr(name: str) -> None:
    quantizer = parse_quantizer(name)
    values = gaussian(4, 10_000, seed=8)
    llr = bpsk_llr(quantizer.encode(values), variance=1.0, seed=9)  # 16 % of the bits wrong
    soft, _ = quantizer.decode_soft(llr, 10_000)
    hard = quantizer.decode((llr > 0).to(torch.uint8), 10_000)
    gain = ((hard - values).square() - (soft - values).square()).double()
    assert float(gain.mean()) > 5 * float(gain.std()) / math.sqrt(gain.numel())


@pytest.mark.parametrize("name", ["lloyd-max:4", "fp8_e5m2", "pq:2x6"])
def test_reliability_is_how_often_values_are_right(name: str) -> None:
    quantizer = parse_quantizer(name)
    count = 20_000
    bits = random_bits(2, quantizer.bits_for(count), seed=10)
    llr = bpsk_llr(bits, variance=0.5, seed=11)
    _, trust = quantizer.decode_soft(llr, count)
    codes = quantizer.bits_for(count) // quantizer.planes
    right = ((llr > 0) == bits.bool()).reshape(2, quantizer.planes, codes).all(1).double()
    excess = right - trust[:, :: count // codes].double()
    assert abs(float(excess.mean())) < 4 * float(excess.std()) / math.sqrt(excess.numel())


# ---- names and errors

NAMES = [
    "uniform:4",
    "uniform:16,step=0.1",
    "uniform:4,dither",
    "uniform:4,step=0.25,dither,natural",
    "lloyd-max:4",
    "lloyd-max:8,natural",
    "mu-law:8",
    "mu-law:6,mu=100.0,peak=3.0,natural",
    "pq:2x6",
    "fp32",
    "fp16",
    "bf16",
    "fp8_e4m3",
    "fp8_e5m2",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_read_back(name: str) -> None:
    quantizer = parse_quantizer(name)
    assert quantizer.name == name
    assert torch.equal(parse_quantizer(name).encode(gaussian(2, 8)), quantizer.encode(gaussian(2, 8)))
    assert quantizer.normalized == (":" in name)


def test_names_say_what_was_fitted() -> None:
    fitted = LloydMax.fit(gaussian(1, 1_000), 3, labeling="natural")
    assert fitted.name.startswith("lloyd-max:3,fitted-")
    with pytest.raises(ValueError, match="has no setting fitted-"):
        parse_quantizer(fitted.name)


def test_rates() -> None:
    assert parse_quantizer("pq:3x4").bits_per_value == Fraction(4, 3)
    assert parse_quantizer("bf16").bits_per_value == 16
    assert parse_quantizer("lloyd-max:3").bits_per_value == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "uniform",
        "uniform:0",
        "uniform:17",
        "uniform:x",
        "uniform:4,step=0",
        "uniform:4,step=",
        "lloyd-max:4,dither",
        "mu-law:8,mu=-1",
        "mu-law:8,natural=1",
        "pq:2",
        "pq:0x4",
        "pq:2x13",
        "pq:2x4,natural",
        "fp16:3",
        "fp64",
        "pq:nothing.safetensors",
        "fp16,natural",
        "LLOYD-MAX:4",
    ],
)
def test_other_names_are_refused_with_what_there_is(text: str) -> None:
    with pytest.raises(ValueError, match=r"there are uniform:BITS.*lloyd-max:BITS.*mu-law.*pq:.*fp8_e5m2"):
        parse_quantizer(text)


@pytest.mark.parametrize("quantizer", [Uniform(3), DITHERED, FloatPattern("fp16")], ids=name_of)
def test_what_cannot_be_quantised_is_refused(quantizer: Quantizer) -> None:
    with pytest.raises(ValueError, match="must be finite, got 2 that are not"):
        quantizer.encode(torch.tensor([[0.0, math.nan, math.inf]]))
    with pytest.raises(ValueError, match=r"shape \[batch, count\], got \[3\]"):
        quantizer.encode(torch.zeros(3))
    with pytest.raises(ValueError, match=r"need the shape \[batch, "):
        quantizer.decode(torch.zeros(1, 7, dtype=torch.uint8), 3)
    with pytest.raises(ValueError, match=r"need the shape \[batch, "):
        quantizer.decode_soft(torch.zeros(1, 7), 3)


def test_wrong_tables_are_refused() -> None:
    with pytest.raises(ValueError, match="4 different, ascending numbers, got 3"):
        LloydMax(2, (0.0, 1.0, 2.0))
    with pytest.raises(ValueError, match="different, ascending"):
        LloydMax(1, (1.0, 1.0))
    with pytest.raises(ValueError, match=r"got \[1, 3, 2\]"):
        ProductQuantizer(torch.zeros(1, 3, 2))
    with pytest.raises(ValueError, match="labeling must be gray or natural, got 'grey'"):
        Uniform(2, labeling="grey")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="16 codewords need at least as many samples, got 5"):
        ProductQuantizer.fit(gaussian(5, 2), 2, 4)
