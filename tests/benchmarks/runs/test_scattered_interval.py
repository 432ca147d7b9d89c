"""How often intervals of scattered estimates hold the truth."""

import numpy as np
import pytest

from benchmarks.runs.statistics import Interval, scattered_interval


@pytest.mark.parametrize(("spread", "estimates", "least"), [(0.5, 8, 0.92), (0.5, 16, 0.925), (1.0, 8, 0.88)])
def test_coverage_of_lognormal_estimates(spread: float, estimates: int, least: float) -> None:
    width = np.sqrt(np.log1p(spread**2))
    random = np.random.default_rng(1).standard_normal((4000, estimates))
    found = [scattered_interval(1e-9 * row) for row in np.exp(width * random - width**2 / 2)]
    assert least < np.mean([low < 1e-9 < high for low, high in found]) < 0.96


def test_what_says_nothing_leaves_everything_open() -> None:
    assert scattered_interval([1e-9]) == scattered_interval([0.0, 0.0, 0.0]) == Interval(0.0, 1.0)
    assert scattered_interval([0.9, 0.5, 0.1]).high == 1.0
