"""Seed streams: known answers of the generator, moments, and independence of how a draw is divided."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from phy import philox
from phy.random import Stream, bits, complex_normal


def test_philox_known_answers() -> None:
    """The published test vectors of Philox4x32-10 (Random123, kat_vectors)."""
    zero = np.uint64(0)
    words = np.empty(256, np.uint32)
    philox.fill_words(words, zero, zero, np.uint32(0))
    assert [hex(word) for word in words.reshape(4, 64)[:, 0]] == [
        "0x6627e8d5",
        "0xe169c58d",
        "0xbc57ac4c",
        "0x9b00dbd8",
    ]


def test_philox_equals_the_definition() -> None:
    """Ten rounds written with Python's integers, at places with every part of the counter in use."""

    def rounds(counter: list[int], key: list[int]) -> list[int]:
        for _ in range(10):
            p, q = counter[0] * 0xD2511F53, counter[2] * 0xCD9E8D57
            counter = [
                (q >> 32) ^ counter[1] ^ key[0],
                q & 0xFFFFFFFF,
                (p >> 32) ^ counter[3] ^ key[1],
                p & 0xFFFFFFFF,
            ]
            key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
        return counter

    key, block, tag = 0x0123456789ABCDEF, 0xFEDCBA9876543210, 0xDEADBEEF
    words = np.empty(512, np.uint32)
    philox.fill_words(words, np.uint64(key), np.uint64(block), np.uint32(tag))
    for counter in (0, 1, 63, 64, 127):
        expected = rounds([counter, tag, block & 0xFFFFFFFF, block >> 32], [key & 0xFFFFFFFF, key >> 32])
        group, place = divmod(counter, 64)
        assert words.reshape(2, 4, 64)[group, :, place].tolist() == expected


def test_gaussians_equal_box_muller_in_double_precision() -> None:
    count = 4096
    words = np.empty(2 * count, np.uint32)
    place = np.uint64(7), np.uint64(8), np.uint32(9)
    philox.fill_words(words, *place)
    groups = words.reshape(-1, 2, 2, 64).astype(np.float64)
    radius = np.sqrt(-np.log((groups[:, :, 0] + 0.5) / 2**32)).ravel()
    angle = ((groups[:, :, 1] + 0.5) / 2**32 * 2 * np.pi).ravel() - np.pi / 4
    real, imaginary = np.empty(count, np.float32), np.empty(count, np.float32)
    philox.fill_complex_normal(real, imaginary, *place)
    np.testing.assert_allclose(real, radius * np.cos(angle), atol=2e-6)
    np.testing.assert_allclose(imaginary, radius * np.sin(angle), atol=2e-6)


def test_complex_normal_is_normal() -> None:
    draws = complex_normal(Stream(3, "normal").batch(range(100)), 20_000).numpy()
    parts = np.concatenate([draws.real.ravel(), draws.imag.ravel()]) * np.sqrt(2)
    count = parts.size
    assert abs(parts.mean()) < 4 / np.sqrt(count)
    assert abs(parts.var() - 1) < 4 * np.sqrt(2 / count)
    assert abs(stats.skew(parts)) < 4 * np.sqrt(6 / count)
    assert abs(stats.kurtosis(parts)) < 4 * np.sqrt(24 / count)
    assert stats.kstest(parts[:200_000], "norm").pvalue > 1e-3
    beyond = int((np.abs(parts) > 4.5).sum())
    expected = count * 2 * stats.norm.sf(4.5)
    assert abs(beyond - expected) < 4 * np.sqrt(expected)
    assert abs(np.corrcoef(draws.real.ravel(), draws.imag.ravel())[0, 1]) < 4 / np.sqrt(count / 2)


def test_rows_of_a_batch_are_independent() -> None:
    draws = complex_normal(Stream(3, "rows").batch(range(64)), 4096)
    correlation = (draws @ draws.conj().T / 4096).abs()
    correlation.fill_diagonal_(0)
    # 2,016 pairs, each |.|^2 exponential with mean 1/4096
    assert correlation.max() < np.sqrt(np.log(2016 / 1e-4) / 4096)


def test_bits_are_fair() -> None:
    drawn = bits(Stream(4, "bits").batch(range(50)), 20_001)
    assert drawn.shape == (50, 20_001) and drawn.dtype == torch.uint8
    ones = int(drawn.sum())
    assert abs(ones - drawn.numel() / 2) < 4 * np.sqrt(drawn.numel() / 4)


def test_draws_do_not_depend_on_the_batch() -> None:
    root = Stream(5, "x")
    whole = complex_normal(root.batch(range(20)), 100)
    torch.testing.assert_close(
        torch.cat([complex_normal(root.batch(range(i, i + 4)), 100) for i in range(0, 20, 4)]),
        whole,
        rtol=0,
        atol=0,
    )
    torch.testing.assert_close(complex_normal(root.batch(range(20)), 33), whole[:, :33], rtol=0, atol=0)


@pytest.mark.parametrize(
    "other", [(2, "a", 3), (1, "b", 3), (1, "a", 4), (1, "a", 3, "noise"), ("1", "a", 3)]
)
def test_different_paths_differ(other: tuple[int | str, ...]) -> None:
    first, second = complex_normal([Stream(1, "a", 3), Stream(*other)], 64)
    assert (first != second).all()


def test_generators_start_at_the_path() -> None:
    stream = Stream(1, "a", 3)
    np.testing.assert_array_equal(stream.generator().random(5), stream.generator().random(5))
    assert stream.seed == Stream(1, "a", 3).seed != Stream(1, "a", 4).seed
    assert 0 <= stream.seed < 1 << 63


def test_integers_out_of_range_are_named() -> None:
    with pytest.raises(ValueError, match="-1"):
        bits([Stream(-1)], 8)
