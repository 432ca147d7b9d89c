"""Product quantisers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny.quantizers import (
    LLOYD_MAX_MSE,
    all_codes,
    decibels,
    gaussian,
    random_bits,
)

from phy.quantization import (
    LloydMax,
    ProductQuantizer,
    parse_quantizer,
)

# ---- product quantisation


def test_every_codeword_survives_decoding_and_encoding(product: ProductQuantizer) -> None:
    bits = all_codes(6)
    assert torch.equal(product.encode(product.decode(bits, 2)), bits)


@pytest.mark.slow
def test_gaussian_codebook_lies_between_scalar_optimum_and_rate_distortion_bound() -> None:
    quantizer = ProductQuantizer.gaussian(2, 8)
    values = gaussian(4, 50_000, seed=5)
    error = float((quantizer.decode(quantizer.encode(values), 50_000) - values).square().mean())
    # Beyond the scalar optimum; below D = 2^-2R, which no quantiser passes.
    assert decibels(LLOYD_MAX_MSE[4]) + 0.4 < decibels(error) < decibels(2.0**-8)


@pytest.mark.slow
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
