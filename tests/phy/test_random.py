"""Seed streams: known answers of the generator, moments, and independence of how a draw is divided."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numba import njit
from scipy import special, stats

from phy import philox
from phy import simd as v
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


def rounds(counter: list[int], key: list[int]) -> list[int]:
    """Ten rounds written with Python's integers."""
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


KEY, BLOCK, TAG = 0x0123456789ABCDEF, 0xFEDCBA9876543210, 0xDEADBEEF
PLACE = np.uint64(KEY), np.uint64(BLOCK), np.uint32(TAG)


def expected_words(counter: int, block: int = BLOCK) -> list[int]:
    return rounds([counter, TAG, block & 0xFFFFFFFF, block >> 32], [KEY & 0xFFFFFFFF, KEY >> 32])


def test_philox_equals_the_definition() -> None:
    """At places with every part of the counter in use."""
    words = np.empty(512, np.uint32)
    philox.fill_words(words, *PLACE)
    for counter in (0, 1, 63, 64, 127):
        group, place = divmod(counter, 64)
        assert words.reshape(2, 4, 64)[group, :, place].tolist() == expected_words(counter)


def test_blocks_side_by_side_draw_what_each_draws() -> None:
    words = np.empty((4, 64), np.uint32)
    philox.fill_lanes(words, 5, np.uint64(KEY), np.uint64(BLOCK), np.uint32(TAG))
    for lane in (0, 1, 63):
        assert words[:, lane].tolist() == expected_words(5, BLOCK + lane)
    for w in range(4):
        found = philox.lower_word(w, 5, *PLACE)
        assert found == expected_words(5 + (1 << 31))[w]


def test_gaussians_are_the_inverse_of_the_normal_distribution() -> None:
    """Phi^-1 of a word's half and the half below it, number by number, in double precision."""
    u = []
    for counter in range(64):
        for a, b in zip(expected_words(counter), expected_words(counter + (1 << 31)), strict=True):
            u += [(a >> 16) << 16 | b >> 16, (a & 0xFFFF) << 16 | b & 0xFFFF]
    right = special.ndtri((np.array(u) + 0.5) / 2**32) * np.sqrt(0.5)
    real, imaginary = np.empty(250, np.float32), np.empty(250, np.float32)
    philox.fill_complex_normal(real, imaginary, *PLACE)
    np.testing.assert_allclose(np.stack([real, imaginary], axis=1).ravel(), right[:500], atol=8e-7, rtol=0)


@njit
def _gaussians(words, out):
    for i in range(0, words.size, 16):
        v.store(out, i, philox.gaussian(v.load(words, i)))


def test_gaussian_at_the_ends_and_its_mirror() -> None:
    """All sizes of tails, the very ends and the middle; the complement of a word gives the negative."""
    tails = (2.0 ** np.linspace(0, 31, 4096, endpoint=False)).astype(np.uint32)
    words = np.concatenate(
        [np.arange(16, dtype=np.uint32), tails, (1 << 31) - 1 - np.arange(16, dtype=np.uint32)]
    )
    left, right = np.empty(words.size, np.float32), np.empty(words.size, np.float32)
    _gaussians(words.view(np.int32), left)
    _gaussians((~words).view(np.int32), right)
    np.testing.assert_allclose(left, special.ndtri((words + 0.5) / 2**32), atol=1.3e-6, rtol=0)
    assert (left == -right).all()
    assert left[0] == pytest.approx(-6.338, abs=1e-3)


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
