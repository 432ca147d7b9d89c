"""Ridge in closed form against least squares of NumPy, and what is left out against fits without it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from bridge.training.ridge import fit_ridge

Values = NDArray[np.float64]


def problem(count: int, features: int, noise: float = 0.3) -> tuple[Values, Values]:
    draw = np.random.default_rng(3)
    x = draw.normal(size=(count, features)) + 2
    weight = draw.normal(size=(features, 4)) / features**0.5
    return x, x @ weight + 1 + noise * draw.normal(size=(count, 4))


def least_squares(x: Values, y: Values, penalty: float) -> tuple[Values, Values]:
    """Rows sqrt(p) I beside the centred features turn ridge into least squares."""
    middle, level = x.mean(axis=0), y.mean(axis=0)
    rows = np.concatenate([x - middle, np.sqrt(penalty) * np.eye(x.shape[1])])
    weight = np.linalg.lstsq(rows, np.concatenate([y - level, np.zeros((x.shape[1], 4))]), rcond=None)[0]
    return weight, level - middle @ weight


@pytest.mark.parametrize(("count", "features"), [(40, 10), (12, 60)])
@pytest.mark.parametrize("penalty", [0.01, 1.0])
def test_it_is_least_squares_with_a_penalty(count: int, features: int, penalty: float) -> None:
    x, y = problem(count, features)
    unit = np.square(x - x.mean(axis=0)).sum(axis=1).mean()
    weight, bias = least_squares(x, y, penalty * unit)
    found = fit_ridge(torch.from_numpy(x), torch.from_numpy(y), [penalty])
    np.testing.assert_allclose(found.weight, weight, atol=1e-5)
    np.testing.assert_allclose(found.bias, bias, atol=1e-4)
    for row in range(0, count, 5):
        others = np.arange(count) != row
        part, level = least_squares(x[others], y[others], penalty * unit)
        np.testing.assert_allclose(found.left_out[row], x[row] @ part + level, atol=1e-4)


def test_the_penalty_is_the_one_that_says_most_of_what_is_left_out() -> None:
    for noise, low in ((1e-4, True), (3.0, False)):
        x, y = problem(50, 20, noise)
        found = fit_ridge(torch.from_numpy(x), torch.from_numpy(y), [1e-6, 1e-3, 1.0])
        assert (found.penalty == 1e-6) is low
        other = fit_ridge(torch.from_numpy(x), torch.from_numpy(y), [1e-6])
        error = [np.square(each.left_out.numpy() - y).mean() for each in (found, other)]
        assert error[0] <= error[1]


def test_nothing_to_fit_to_is_said() -> None:
    with pytest.raises(ValueError, match="three examples or more, got 2"):
        fit_ridge(torch.eye(2), torch.eye(2))
    with pytest.raises(ValueError, match="all 4 examples are the same"):
        fit_ridge(torch.ones(4, 3), torch.eye(4))
