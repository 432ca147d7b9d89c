"""Quantisers as bits: labels, planes, companding and floating-point patterns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny.quantizers import (
    DITHERED,
    FLOATS,
    SCALARS,
    all_codes,
    decibels,
    gaussian,
    name_of,
    random_bits,
)

from phy.quantization import (
    FloatPattern,
    LloydMax,
    MuLaw,
    ProductQuantizer,
    Quantizer,
    ScalarQuantizer,
    Uniform,
)

# ---- bits


@pytest.mark.slow
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


@pytest.mark.parametrize("quantizer", [Uniform(3), LloydMax(3), Uniform(1), MuLaw(4)], ids=str)
def test_a_value_on_a_threshold_belongs_to_the_level_above(quantizer: ScalarQuantizer) -> None:
    decoded = quantizer.decode(quantizer.encode(quantizer.thresholds[None]), len(quantizer.thresholds))
    assert torch.equal(decoded[0], quantizer.levels[1:])


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
    assert int((~numbers).sum()) == {"fp8_e4m3": 2, "fp8_e5m2": 8}[name]


@pytest.mark.parametrize(("name", "kind", "width"), [("fp32", "f4", 32), ("fp16", "f2", 16)])
def test_ieee_patterns_are_numpys(name: str, kind: str, width: int) -> None:
    bits = random_bits(5_000, width)
    expected = np.packbits(bits.numpy(), axis=1).view(f">{kind}").astype(np.float32)[:, 0]
    quantizer = FloatPattern(name)
    decoded = quantizer.decode(bits, 1)[:, 0].numpy()
    numbers = np.isfinite(expected)
    np.testing.assert_array_equal(decoded.view(np.uint32)[numbers], expected.view(np.uint32)[numbers])
    assert (~numbers).sum() > 0 and not decoded[~numbers].any()
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
