"""Polar codes: every bit that is sent against the standard, decisions against their definition."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import fisher_exact

from phy.coding.polar.kernels import decode_list
from phy.coding.polar.polar5g import Polar5G
from phy.coding.polar.reference import decode_list as reference
from phy.coding.polar.reference import transform
from phy.coding.polar.structure import FROZEN, PARITY, PolarStructure
from phy.random import Stream, bits, complex_normal
from tests.oracles.ts38212 import polar as ts38212

NAMED = [(148, 384), (50, 192), (249, 768), (263, 627), (346, 832)]
"""Sizes that Sionna 2.2 encodes otherwise: it freezes one bit too few where bits are punctured."""


def sizes(seed: int, count: int) -> list[tuple[int, int]]:
    """Uplink sizes, log-uniform in n, half of them near the limits between two rules."""
    draw = np.random.default_rng(seed)
    found: set[tuple[int, int]] = set()
    while len(found) < count:
        n = int(np.exp(draw.uniform(np.log(36), np.log(2400))))
        ratio = draw.choice([7 / 16, 9 / 16, 1 / 8]) if draw.random() < 0.5 else draw.uniform(0.02, 0.95)
        k = round(ratio * n - 11 + draw.integers(-2, 3))
        n += n % 2 * ((k >= 360 and n >= 1088) or k >= 1013)
        if 12 <= k <= 1706 and k + 11 <= n:
            found.add((k, n))
    return sorted(found)


@pytest.mark.slow
def test_uplink_words_are_those_of_the_standard() -> None:
    """2,400 sizes: repeated, punctured (all numbers of K and E around 7/16), shortened, in two blocks."""
    rules = {"repeated": 0, "punctured": 0, "shortened": 0, "parity": 0, "two": 0}
    for k, n in NAMED + sizes(1, 2400) + [(k, n) for k in range(12, 21) for n in (40, 64, 100, 230, 900)]:
        code = Polar5G(k, n, "sc")
        data = bits(Stream(1).batch([k + 2000 * n]), k)
        assert code.encode(data)[0].tolist() == ts38212.uplink(data[0].tolist(), n), (k, n)
        structure = code.structure
        repeated, shortened = structure.e >= structure.length, len(structure.shortened) > 0
        rules["repeated" if repeated else "shortened" if shortened else "punctured"] += 1
        rules["parity"] += bool((structure.roles == PARITY).any())
        rules["two"] += code.blocks == 2
    assert min(rules.values()) >= 45 and rules["punctured"] > 300, rules


@pytest.mark.parametrize(("k", "n"), [*NAMED, (12, 40), (17, 400), (19, 60), (500, 1200), (1013, 2000)])
def test_uplink_words_of_some_sizes(k: int, n: int) -> None:
    data = bits(Stream(2).batch(range(3)), k)
    words = Polar5G(k, n).encode(data).tolist()
    assert words == [ts38212.uplink(row, n) for row in data.tolist()]


@pytest.mark.parametrize("n", [108, 216, 432, 864, 1728])
def test_downlink_words_are_those_of_the_standard(n: int) -> None:
    """Aggregation levels 1 to 16; all numbers of bits that go into them."""
    for k in range(12, min(140, n - 24) + 1, 3):
        data = bits(Stream(3, str(n)).batch([k]), k)
        word = Polar5G(k, n, usage="downlink").encode(data)[0].tolist()
        assert word == ts38212.downlink(data[0].tolist(), n), (k, n)


def noisy(structure: PolarStructure, frames: int, stream: Stream) -> np.ndarray:
    """LLRs log p0/p1 of all-zero words at a noise that makes a third of the frames fail."""
    noise = torch.view_as_real(complex_normal(stream.batch(range(frames)), structure.length))[..., 0]
    channel = 2.0 * (1.0 + 1.15 * noise.double().numpy())
    channel[:, structure.shortened] = 1e6
    return channel


@pytest.mark.slow
@pytest.mark.parametrize(("k", "e"), [(18, 40), (25, 300), (30, 64), (20, 32), (31, 50)])
@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_decisions_are_those_of_the_reference(k: int, e: int, size: int) -> None:
    """All paths of the list with their metrics, parity bits and shortened ones among them."""
    structure = PolarStructure.of(k, e)
    channel = noisy(structure, 4, Stream(4, f"{k},{e}"))
    found = np.empty((4, size, structure.length), np.uint8)
    metrics = np.empty((4, size))
    decode_list(channel, structure.roles, structure.order, size, found, metrics)
    for frame in range(4):
        expected = sorted(reference(channel[frame].tolist(), structure.roles.tolist(), size))
        order = np.argsort(metrics[frame])
        assert metrics[frame][order] == pytest.approx([metric for metric, _ in expected], rel=1e-9)
        assert found[frame][order].tolist() == [path for _, path in expected]


def test_a_long_list_finds_the_most_likely_word() -> None:
    """With as many paths as words, the first is the word of least distance, found by trying all."""
    structure = PolarStructure.of(5, 32)
    places = np.flatnonzero(structure.roles)
    words = np.array([[i >> j & 1 for j in range(5)] for i in range(32)])
    inputs = np.zeros((32, structure.length), int)
    inputs[:, places] = words
    signs = 1 - 2 * np.array([transform(row) for row in inputs.tolist()])
    channel = noisy(structure, 50, Stream(5))
    found, metrics = np.empty((50, 32, structure.length), np.uint8), np.empty((50, 32))
    decode_list(channel, structure.roles, structure.order, 32, found, metrics)
    best = found[np.arange(50), metrics.argmin(axis=1)]
    assert np.array_equal(best, inputs[(channel @ signs.T).argmax(axis=1)])


def aff3ct(path: Path) -> dict[float, tuple[int, int]]:
    """Frame errors and frames by Eb/N0."""
    rows = {}
    for line in path.read_text().splitlines():
        if re.match(r" *-?[0-9]", line):  # Es/N0, Eb/N0, frames, bit errors, frame errors
            cells = re.split(r"[\s|]+", line.strip())
            rows[float(cells[1])] = (int(cells[4]), int(cells[2]))
    return rows


@pytest.mark.slow
@pytest.mark.parametrize(("ebno_db", "frames"), [(2.0, 600), (2.5, 3000)])
def test_successive_cancellation_fails_as_often_as_aff3cts(
    data_dir: Path, ebno_db: float, frames: int
) -> None:
    """(1024, 512) without a check sum over AWGN; published counts of the same frozen bits."""
    errors, trials = aff3ct(
        data_dir / "reference/more_codes/POLAR_AWGN_BPSK_SC_Polar_N1024_K512_SC_5G_intra_p32.txt"
    )[ebno_db]
    structure = PolarStructure.of(512, 1024)
    noise = torch.view_as_real(complex_normal(Stream(6, str(ebno_db)).batch(range(frames)), 512)).flatten(1)
    variance = 10.0 ** (-ebno_db / 10.0)  # at rate 1/2: N0 / 2 = 1 / (2 R Eb/N0)
    channel = 2.0 / variance * (1.0 + np.sqrt(2.0 * variance) * noise.double().numpy())
    found = np.empty((frames, 1, 1024), np.uint8)
    decode_list(channel, structure.roles, 10, 1, found, np.empty((frames, 1)))
    wrong = int(found[:, 0, structure.roles != FROZEN].any(axis=1).sum())
    assert fisher_exact([[wrong, frames - wrong], [errors, trials - errors]]).pvalue > 0.01, (wrong, errors)


@pytest.mark.slow
def test_longer_lists_fail_less() -> None:
    code = {size: Polar5G(64, 128, list_size=size) for size in (1, 2, 8, 32)}
    data = bits(Stream(7).batch(range(1500)), 64)
    noise = torch.view_as_real(complex_normal(Stream(8).batch(range(1500)), 128))[..., 0]
    llr = 2.0 * (2.0 * code[1].encode(data) - 1.0 + 1.05 * noise)
    wrong = [int((each.decode(llr).bits != data).any(dim=1).sum()) for each in code.values()]
    assert wrong[0] > 1.3 * wrong[1] and wrong[1] > 1.5 * wrong[2] and wrong[2] > wrong[3] > 5, wrong
