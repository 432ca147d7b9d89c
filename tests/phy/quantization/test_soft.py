"""Soft decisions of quantisers, and their reliability."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from tiny.quantizers import (
    DITHERED,
    FLOATS,
    SCALARS,
    all_codes,
    bpsk_llr,
    gaussian,
    name_of,
    random_bits,
)

from phy.quantization import (
    LloydMax,
    MuLaw,
    ProductQuantizer,
    Quantizer,
    ScalarQuantizer,
    Uniform,
    parse_quantizer,
)

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
