"""Vector operations of the compiled decoders against NumPy, exhaustively where inputs are few enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numba import njit
from numpy.typing import NDArray

from phy import simd as v

Array = NDArray[Any]
DTYPES = (np.int8, np.int16, np.float32)


def run(operation: Callable[..., Any], *inputs: Array) -> Array:
    """Apply a vector operation of one to four inputs to whole arrays."""
    inputs = tuple(np.ascontiguousarray(array.ravel()) for array in np.broadcast_arrays(*inputs))
    size, lanes = inputs[0].size, v.BYTES // inputs[0].itemsize
    padded = [np.resize(array, -(-size // lanes) * lanes) for array in inputs]
    out = np.empty_like(padded[0])
    _LOOPS[len(inputs)](operation)(*padded, out)
    return out[:size]


def _one(operation: Any) -> Any:
    @njit
    def loop(a, out):
        lanes = v.BYTES // a.itemsize
        for i in range(0, a.size, lanes):
            v.store(out, i, operation(v.load(a, i)))

    return loop


def _two(operation: Any) -> Any:
    @njit
    def loop(a, b, out):
        lanes = v.BYTES // a.itemsize
        for i in range(0, a.size, lanes):
            v.store(out, i, operation(v.load(a, i), v.load(b, i)))

    return loop


def _four(operation: Any) -> Any:
    @njit
    def loop(a, b, c, d, out):
        lanes = v.BYTES // a.itemsize
        for i in range(0, a.size, lanes):
            v.store(out, i, operation(v.load(a, i), v.load(b, i), v.load(c, i), v.load(d, i)))

    return loop


_LOOPS = {1: _one, 2: _two, 4: _four}


def pairs(dtype: Any) -> tuple[Array, Array]:
    """All pairs of 8-bit integers; a few hundred awkward numbers of the other types, each with each."""
    if dtype is np.int8:
        values = np.arange(-128, 128).astype(np.int8)
    elif dtype is np.int16:
        corners = [-32768, -32767, -1, 0, 1, 32766, 32767]
        values = np.array([*corners, *np.random.default_rng(0).integers(-32768, 32768, 300)], np.int16)
    else:
        corners = [-0.0, 0.0, 1.0, -1.0, 0.5, 1e-30, -1e30, 2.0**24]
        values = np.array([*corners, *np.random.default_rng(0).normal(0, 10, 300)], np.float32)
    a, b = np.meshgrid(values, values)
    return a.ravel(), b.ravel()


def saturated(values: Array, dtype: Any) -> Array:
    if dtype is np.float32:
        return values.astype(np.float32)
    return np.clip(values, np.iinfo(dtype).min, np.iinfo(dtype).max).astype(dtype)


def wide(values: Array) -> Array:
    return values if values.dtype == np.float32 else values.astype(np.int64)


def unsigned(values: Array) -> Array:
    """Magnitudes: integers count as unsigned."""
    return (
        np.abs(values) if values.dtype == np.float32 else values.view(f"u{values.itemsize}").astype(np.int64)
    )


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_saturate(dtype: Any) -> None:
    a, b = pairs(dtype)
    np.testing.assert_array_equal(run(v.add, a, b), saturated(wide(a) + wide(b), dtype))
    np.testing.assert_array_equal(run(v.sub, a, b), saturated(wide(a) - wide(b), dtype))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_magnitudes(dtype: Any) -> None:
    """|-128| is 128 and the largest of all, not -128; and nothing goes below zero."""
    a, b = pairs(dtype)
    size = run(v.magnitude, a)
    np.testing.assert_array_equal(unsigned(size), np.abs(wide(a)))
    other = run(v.magnitude, b)
    for operation, expected in (
        (v.minimum, np.minimum(unsigned(size), unsigned(other))),
        (v.maximum, np.maximum(unsigned(size), unsigned(other))),
        (v.sub_floor, np.maximum(unsigned(size) - unsigned(other), 0)),
    ):
        np.testing.assert_array_equal(unsigned(run(operation, size, other)), expected)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_signs(dtype: Any) -> None:
    """Signs multiply by exclusive or; zero is positive, and a float's negative zero is not."""
    a, b = pairs(dtype)
    sign = np.where(np.signbit(b) if dtype is np.float32 else b < 0, -1, 1)
    size = np.abs(wide(a))
    fits = size <= (np.inf if dtype is np.float32 else np.iinfo(dtype).max)
    size = np.where(fits, size, 0).astype(dtype)
    np.testing.assert_array_equal(run(v.apply_sign, size, b), size * sign)
    product = run(v.apply_sign, size, run(v.xor, a, b))
    negative = (np.signbit(a) ^ np.signbit(b)) if dtype is np.float32 else (a < 0) ^ (b < 0)
    np.testing.assert_array_equal(product, np.where(negative, -size, size))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_selections(dtype: Any) -> None:
    a, b = pairs(dtype)
    x, y = np.roll(a, 3), np.roll(b, 5)
    np.testing.assert_array_equal(run(v.select_equal, a, b, x, y), np.where(a == b, x, y))
    mask = np.random.default_rng(1).integers(0, 2, a.size).astype(bool)
    bits = np.repeat(np.where(mask, 255, 0).astype(np.uint8), a.itemsize).view(dtype)
    np.testing.assert_array_equal(run(v.keep_where, a, bits), np.where(mask, a, 0))


@pytest.mark.parametrize("dtype", DTYPES)
def test_decisions_are_packed_lane_by_lane(dtype: Any) -> None:
    @njit
    def loop(a, out):
        lanes = v.BYTES // a.itemsize
        for i in range(out.size):
            out[i] = v.decide(v.load(a, i * lanes))

    a = pairs(dtype)[0]
    lanes = v.BYTES // a.itemsize
    a = a[: a.size // lanes * lanes]
    out = np.empty(a.size // lanes, np.uint64)
    loop(a, out)
    ones = np.unpackbits(out.astype("<u8").view(np.uint8), bitorder="little").reshape(-1, 64)
    np.testing.assert_array_equal(ones[:, :lanes].ravel(), a <= 0)
    assert not ones[:, lanes:].any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_splat_fills_every_lane(dtype: Any) -> None:
    @njit
    def loop(value, out):
        v.store(out, 0, v.splat(value))

    out = np.zeros(v.BYTES // np.dtype(dtype).itemsize, dtype)
    loop(dtype(-3), out)
    np.testing.assert_array_equal(out, -3)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.int8, np.int16])
def test_integers_scale_in_64ths(dtype: Any) -> None:
    """The share that is taken away is rounded down, and no product overflows."""
    sizes = np.arange(np.iinfo(dtype).max + 1).astype(dtype)
    np.testing.assert_array_equal(run(v.scaled, sizes, dtype(16)), np.ceil(0.75 * sizes))
    np.testing.assert_array_equal(run(v.scaled, sizes, dtype(11)), np.ceil(53 / 64 * sizes))
    np.testing.assert_array_equal(run(v.scaled, sizes, dtype(0)), sizes)


def test_floats_scale_by_a_factor() -> None:
    sizes = np.linspace(0, 20, 1000, dtype=np.float32)
    np.testing.assert_array_equal(run(v.scaled, sizes, np.float32(0.75)), np.float32(0.75) * sizes)


@pytest.mark.slow
def test_exponential_and_logarithm() -> None:
    """Over the decoder's range of LLR magnitudes, against double precision."""
    x = np.linspace(0, 80, 400_001, dtype=np.float32)
    np.testing.assert_allclose(run(v.exp_minus, x), np.exp(-x.astype(np.float64)), rtol=8e-6)
    small = x[x < 20]
    np.testing.assert_allclose(run(v.exp_minus, small), np.exp(-small.astype(np.float64)), rtol=2e-6)
    y = np.exp(-x.astype(np.float64)).astype(np.float32)
    np.testing.assert_allclose(run(v.minus_log, y), -np.log(y.astype(np.float64)), rtol=2e-7, atol=1e-7)
    assert run(v.exp_minus, np.zeros(16, np.float32)).tolist() == [1.0] * 16
    assert (run(v.minus_log, np.ones(16, np.float32)) == 0).all()


def test_box_plus() -> None:
    """2 atanh(tanh(x/2) tanh(y/2)) = log((1 + e^(x+y)) / (e^x + e^y)), here of exp(-x) and exp(-y)."""
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(0, 25, 301), np.linspace(0, 25, 301)))
    combined = run(v.box_plus, np.exp(-x).astype(np.float32), np.exp(-y).astype(np.float32))
    expected = np.logaddexp(0, x + y) - np.logaddexp(x, y)
    np.testing.assert_allclose(-np.log(combined.astype(np.float64)), expected, rtol=1e-5, atol=3e-7)
