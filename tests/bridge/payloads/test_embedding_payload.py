"""Vectors as payloads: what stands in the bits, what is read again, and what is made of anything else."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import torch

from bridge.payloads import Arrived, EmbeddingPayload
from bridge.payloads.moments import read_scale, write_scale
from phy.quantization import parse_quantizer

QUANTIZERS = [
    *("uniform:4", "uniform:4,dither", "uniform:3,step=0.4,natural", "lloyd-max:1", "lloyd-max:4"),
    *("lloyd-max:8,natural", "mu-law:6", "pq:2x6", "fp32", "fp16", "bf16", "fp8_e4m3", "fp8_e5m2"),
]
FLOATS = {"fp32", "fp16", "bf16", "fp8_e4m3", "fp8_e5m2"}
COUNT = 33  # odd, so that the last subvector of a product quantiser is filled up


def vector(count: int = COUNT, seed: int = 0, mean: float = 0.3, scale: float = 2.0) -> torch.Tensor:
    return torch.from_numpy(mean + scale * np.random.default_rng(seed).standard_normal(count)).float()


def payload_of(name: str, count: int = COUNT, **options: object) -> EmbeddingPayload:
    quantizer = None if name == "values" else parse_quantizer(name)
    return EmbeddingPayload(count, quantizer, **options)  # type: ignore[arg-type]


def flipped(bits: torch.Tensor, rate: float, seed: int) -> torch.Tensor:
    flips = np.random.default_rng(seed).random(bits.shape) < rate
    return bits ^ torch.from_numpy(flips.astype(np.uint8))


def number(bits: torch.Tensor) -> int:
    return int("".join(map(str, bits.tolist())), 2)


def side_of(bits: torch.Tensor) -> tuple[float, float]:
    """Mean and scale of a header by Python's own struct: a float without its sign, and an integer."""
    (scale,) = struct.unpack(">f", (number(bits[:16]) << 15).to_bytes(4, "big"))
    (steps,) = struct.unpack(">i", (number(bits[16:40]) << 8).to_bytes(4, "big"))
    steps >>= 8
    return steps * scale / 16, scale


# -- what is written ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["values", "lloyd-max:4", "pq:2x6", "uniform:4,dither"])
@pytest.mark.parametrize("repeats", [1, 3])
def test_header_is_scale_and_mean(name: str, repeats: int) -> None:
    sent = vector(mean=5.0)
    packed = payload_of(name, repeats=repeats).pack(sent)
    assert (packed.header_bits, packed.filler_bits) == (40 * repeats, 0)
    assert torch.equal(packed.bits[: 40 * repeats], packed.bits[:40].repeat(repeats))
    mean, scale = side_of(packed.bits)
    assert scale == pytest.approx(sent.std(correction=0).item(), rel=2**-9)
    assert mean == pytest.approx(sent.mean().item(), abs=scale / 32)
    values = 0 if name == "values" else parse_quantizer(name).bits_for(COUNT)
    assert packed.source_bits == packed.bits.numel() - 40 * repeats == values
    assert packed.source_bits % packed.planes == 0


@pytest.mark.parametrize("name", QUANTIZERS)
def test_undamaged_bits_are_the_quantisers_values(name: str) -> None:
    """Against the quantiser itself on the values normalised by what the header says."""
    sent, payload, quantizer = vector(), payload_of(name), parse_quantizer(name)
    mean, scale = 0.0, 1.0
    if name not in FLOATS:
        mean, scale = side_of(payload.pack(sent).bits)
    normal = ((sent.double() - mean) / scale).float()[None]
    wanted = (quantizer.decode(quantizer.encode(normal), COUNT)[0].double() * scale + mean).float()
    got = payload.unpack(Arrived(payload.pack(sent).bits))
    assert torch.equal(got.value, wanted)
    assert got.remark == ""
    error = (got.value - sent).square().mean() / sent.var()
    assert error < (0.45 if name == "lloyd-max:1" else 0.13)


def test_agreed_side_information_is_not_sent() -> None:
    unit = torch.nn.functional.normalize(vector(768), dim=0)
    payload = payload_of("lloyd-max:4", 768, side=(0.0, 768**-0.5))
    packed = payload.pack(unit)
    assert (packed.header_bits, packed.bits.numel()) == (0, 4 * 768)
    got = payload.unpack(Arrived(packed.bits)).value
    # The optimum for the unit Gaussian is 0.0095 (Max 1960).
    assert 0.005 < (got - unit).square().sum() < 0.02


@pytest.mark.parametrize("mean", [0.0, 5.0, -300.0])
def test_values_are_what_is_left_of_the_mean_at_root_mean_square_one(mean: float) -> None:
    sent = vector(768, mean=mean, scale=0.1)
    packed = payload_of("values", 768).pack(sent)
    assert packed.values is not None
    assert packed.values.square().mean().sqrt() == pytest.approx(1.0, abs=2**-8)
    mean_sent, scale = side_of(packed.bits)
    torch.testing.assert_close(packed.values * scale + mean_sent, sent, rtol=1e-6, atol=1e-6)
    got = payload_of("values", 768).unpack(Arrived(packed.bits, values=packed.values))
    torch.testing.assert_close(got.value, sent, rtol=1e-6, atol=1e-6)


UNITS = [1e-36, 1e-9, 2e-8, 3e-7, 1e-3, 1.0, 1e5, 1e30]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("name", ["values", "lloyd-max:4", "pq:2x6", "uniform:4"])
def test_nothing_depends_on_the_unit(name: str, unit: float) -> None:
    """Errors relative to the vector are those in any other unit, but for the rounding of the scale."""
    sent = vector(768)
    noise = 0.1 * vector(768, 1, mean=0.0, scale=1.0)
    error = {}
    for factor in (1.0, unit):
        payload = payload_of(name, 768)
        packed = payload.pack((sent.double() * factor).float())
        values = None if packed.values is None else packed.values + noise
        got = payload.unpack(Arrived(packed.bits, values=values))
        assert got.remark == ""
        error[factor] = float((got.value.double() / factor - sent).square().mean())
    assert error[unit] == pytest.approx(error[1.0], rel=0.02)


@pytest.mark.parametrize("name", ["values", "lloyd-max:4"])
@pytest.mark.parametrize("mean", [0.0, 5.0, -4000.0])
def test_a_mean_costs_no_precision(name: str, mean: float) -> None:
    """A deviation arrives with the error that it has about 0, also 40,000 of it away."""
    sent, noise = vector(768, mean=mean, scale=0.1), 0.1 * vector(768, 1, mean=0.0, scale=1.0)
    payload = payload_of(name, 768)
    packed = payload.pack(sent)
    values = None if packed.values is None else packed.values + noise
    got = payload.unpack(Arrived(packed.bits, values=values))
    # 0.0095 is the least error of 16 levels (Max 1960), 0.01 that of the noise.
    assert 0.008 < (got.value - sent).square().mean() / sent.var() < 0.0125


def test_every_pattern_of_a_scale_is_a_number_or_none() -> None:
    for pattern in range(1 << 16):
        (wanted,) = struct.unpack(">f", (pattern << 15).to_bytes(4, "big"))
        assert read_scale(pattern) == (wanted if np.isfinite(wanted) else None)


@pytest.mark.parametrize("scale", [0.0, 1e-45, 1e-40, 3e-38, 0.1, 1.0, 65504.0, 1e38, 3.4028235e38])
def test_scales_are_written_to_nine_bits(scale: float) -> None:
    bits, read = write_scale(scale)
    assert read == read_scale(number(bits))
    assert read == pytest.approx(scale, rel=2**-9, abs=2**-135)


@pytest.mark.parametrize("name", ["values", *QUANTIZERS])
@pytest.mark.parametrize("value", [0.0, -7.0])
def test_constant_vectors(name: str, value: float) -> None:
    payload = payload_of(name)
    packed = payload.pack(torch.full((COUNT,), value))
    got = payload.unpack(Arrived(packed.bits, values=packed.values))
    assert got.remark == ""
    torch.testing.assert_close(got.value, torch.full((COUNT,), value), rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    ("options", "value", "words"),
    [
        ({}, torch.zeros(COUNT + 1), "34"),
        ({}, torch.zeros(1, COUNT), r"\[1, 33\]"),
        ({}, torch.full((COUNT,), float("nan")), "finite"),
        ({}, torch.full((COUNT,), 1e300, dtype=torch.float64), "finite"),
    ],
)
@pytest.mark.parametrize("name", ["values", "lloyd-max:4"])
def test_what_cannot_be_written_is_refused(
    name: str, options: dict[str, object], value: torch.Tensor, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        payload_of(name, **options).pack(value)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("values", {"count": 0}, "got 0"),
        ("values", {"side": (0.1, 1.0)}, "0.1"),
        ("lloyd-max:4", {"side": (0.1, 0.0)}, "0.0"),
        ("lloyd-max:4", {"policy": "panic"}, "panic"),
    ],
)
def test_impossible_payloads_are_refused(name: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        payload_of(name, **options)  # type: ignore[arg-type]


# -- what is made of anything -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["values", *QUANTIZERS])
def test_random_bits_are_vectors(name: str) -> None:
    """400 random strings each, from none to twice the bits needed, with and without soft bits."""
    generator = np.random.default_rng(len(name))
    payload = payload_of(name, policy="best-effort")
    packed = payload.pack(vector())
    needed = packed.bits.numel()
    for trial in range(400):
        length = int(generator.integers(0, 2 * needed))
        bits = torch.from_numpy(generator.integers(0, 2, length, dtype=np.uint8))
        llr = torch.from_numpy(generator.normal(0, 20, length)).float() if trial % 2 else None
        values = torch.from_numpy(generator.normal(size=generator.integers(0, 2 * COUNT))).float()
        got = payload.unpack(Arrived(bits, llr, None, None, values))
        assert got.value.shape == (COUNT,) and got.value.dtype == torch.float32
        assert bool(got.value.isfinite().all())
        if got.reliability is not None:
            assert got.reliability.shape == (COUNT,)
            assert got.reliability.min() >= 0 and got.reliability.max() <= 1
        short = len(values) < COUNT if name == "values" else length < needed
        assert ("arrived" in got.remark) == short


@pytest.mark.slow
@pytest.mark.parametrize("name", QUANTIZERS)
def test_one_percent_of_wrong_bits(name: str) -> None:
    payload = payload_of(name)
    sent = payload.pack(vector()).bits
    for seed in range(100):
        got = payload.unpack(Arrived(flipped(sent, 0.01, seed), intact=False))
        assert got.value.shape == (COUNT,) and bool(got.value.isfinite().all())
        assert "check sum wrong" in got.remark


@pytest.mark.parametrize("name", ["values", "lloyd-max:4"])
def test_a_header_survives_one_damaged_copy(name: str) -> None:
    payload, sent = payload_of(name, repeats=3), vector()
    packed = payload.pack(sent)
    for copy in range(3):
        bits = packed.bits.clone()
        bits[copy * 40 : copy * 40 + 40] ^= 1
        got = payload.unpack(Arrived(bits, values=packed.values))
        assert torch.equal(got.value, payload.unpack(Arrived(packed.bits, values=packed.values)).value)


def test_nonsense_for_a_scale_is_remarked() -> None:
    payload = payload_of("lloyd-max:4")
    sent = payload.pack(vector()).bits
    bits = torch.cat([torch.ones(16, dtype=torch.uint8), sent[16:]])
    got = payload.unpack(Arrived(bits))
    assert "header damaged" in got.remark
    assert torch.equal(got.value, parse_quantizer("lloyd-max:4").decode(sent[None, 40:], COUNT)[0])


@pytest.mark.parametrize("name", ["values", "lloyd-max:4"])
def test_policies_differ_where_the_header_is_wrong(name: str) -> None:
    sent = vector()
    packed = payload_of(name).pack(sent)
    lost = Arrived(packed.bits, intact=False, header_intact=False, values=packed.values)
    zero = payload_of(name, policy="zero").unpack(lost)
    assert torch.equal(zero.value, torch.zeros(COUNT))
    assert zero.reliability is not None and torch.equal(zero.reliability, torch.zeros(COUNT))
    best = payload_of(name, policy="best-effort").unpack(lost)
    whole = payload_of(name).unpack(Arrived(packed.bits, values=packed.values))
    assert torch.equal(best.value, whole.value)
    assert "check sum wrong" in zero.remark and "check sum wrong" in best.remark


def test_a_wrong_plane_behind_an_intact_header_is_read() -> None:
    payload = payload_of("lloyd-max:4")
    bits = payload.pack(vector()).bits
    got = payload.unpack(Arrived(bits, intact=False, header_intact=True))
    assert torch.equal(got.value, payload.unpack(Arrived(bits)).value)
    assert "check sum wrong" in got.remark


# -- soft bits ----------------------------------------------------------------------------------------------


def test_certain_soft_bits_are_hard_bits() -> None:
    payload = payload_of("lloyd-max:4", soft=True)
    bits = payload.pack(vector()).bits
    got = payload.unpack(Arrived(bits, 200.0 * bits.float() - 100.0))
    assert torch.allclose(got.value, payload_of("lloyd-max:4").unpack(Arrived(bits)).value, atol=1e-6)
    assert got.reliability is not None and torch.equal(got.reliability, torch.ones(COUNT))


def test_soft_bits_that_say_nothing_give_the_mean() -> None:
    """All levels equally probable: they are odd about 0, so what is left is the mean in the header."""
    payload = payload_of("lloyd-max:4", soft=True)
    bits = payload.pack(vector()).bits
    got = payload.unpack(Arrived(bits, torch.zeros(bits.numel())))
    assert torch.allclose(got.value, torch.full((COUNT,), side_of(bits)[0]))
    assert got.reliability is not None and torch.allclose(got.reliability, torch.full((COUNT,), 2.0**-4))


def test_reliability_of_values_is_the_share_of_the_signal() -> None:
    payload = payload_of("values", side=(0.0, 1.0))
    noise = torch.linspace(0.0, 3.0, COUNT)
    got = payload.unpack(Arrived(torch.zeros(0, dtype=torch.uint8), values=vector(), noise=noise))
    assert got.reliability is not None and torch.allclose(got.reliability, 1 / (1 + noise))
    assert torch.equal(got.value, vector())
