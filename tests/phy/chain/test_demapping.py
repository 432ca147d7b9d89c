"""The compiled demapper against sums in double precision, over all constellations and noise levels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import logsumexp

from phy.chain.demapping import demap_axis
from phy.modulation import Modulation

SAMPLES = 1024


def demapped(levels: np.ndarray, samples: np.ndarray, precision: np.ndarray, exact: bool) -> np.ndarray:
    """LLRs log p0/p1, ``[bits, samples]``."""
    bits = levels.size.bit_length() - 1
    llr, terms = np.empty(bits * samples.size, np.float32), np.empty(16 * levels.size, np.float32)
    demap_axis(samples, precision, levels, exact, terms, llr)
    return llr.reshape(bits, samples.size)


def expected(levels: np.ndarray, samples: np.ndarray, precision: np.ndarray, exact: bool) -> np.ndarray:
    """The definition: sums, or maxima, over the distances of all levels."""
    metric = -((samples.astype(np.float64) - levels.astype(np.float64)[:, None]) ** 2) * precision
    labels = np.arange(levels.size)
    combine = logsumexp if exact else np.max
    return np.array(
        [
            combine(metric[labels & half == 0], axis=0) - combine(metric[labels & half > 0], axis=0)
            for half in 2 ** np.arange(levels.size.bit_length() - 2, -1, -1)
        ]
    )


@pytest.mark.parametrize("exact", [True, False], ids=["app", "maxlog"])
@pytest.mark.parametrize(
    "name", ["bpsk", "qpsk", "qam16", "qam16-natural", "qam64", "qam256", "qam1024", "qam1024-natural"]
)
def test_equals_the_definition(name: str, exact: bool) -> None:
    """Every sample with a noise level of its own, as on a fading channel, from -10 to 30 dB."""
    levels = Modulation(name).levels.numpy()
    source = np.random.default_rng(1)
    samples = source.normal(size=SAMPLES).astype(np.float32)
    precision = (10 ** source.uniform(-1, 3, SAMPLES)).astype(np.float32)
    found, right = (f(levels, samples, precision, exact) for f in (demapped, expected))
    # Up to 16 terms of e^-83 add nothing to e^-66.
    small = (np.abs(right) < 66) | (not exact) | (levels.size == 2)
    # Exponents are float32 numbers as large as 2 |y a| / N0, and so are their last digits.
    room = 4e-7 * (2 * np.abs(samples * levels.max()) + levels.max() ** 2) * precision + 1e-5
    assert (np.abs(found - right)[small] < np.broadcast_to(room, right.shape)[small]).all()
    assert small.mean() > 0.5
    assert (np.sign(found) == np.sign(right))[np.abs(right) > room].all()
    assert np.abs(found[~small]).min(initial=83) > 65.9


def test_certain_bits_end_where_float32_does() -> None:
    levels = Modulation("qam1024").levels.numpy()
    samples, precision = np.linspace(-2, 2, SAMPLES, dtype=np.float32), np.full(SAMPLES, 1e6, np.float32)
    llr = demapped(levels, samples, precision, True)
    assert np.isfinite(llr).all()
    assert 83 - math.log(16) - 0.01 < np.abs(llr[0]).max() < 83.01  # sixteen terms of e^-83, or one
