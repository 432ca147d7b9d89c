"""Ridge regression in closed form, its penalty by leave-one-out errors, for far more features than examples.

With centred features X and values Y, a kernel K = X X' = Q diag(l) Q' and a penalty p the weights are
X' (K + p I)^-1 Y. The fit is H Y with H = 1/n + Q diag(l / (l + p)) Q', and what it says of an example that
is left out is wrong by r_i / (1 - H_ii), r being the residuals.

References
----------
A. E. Hoerl, R. W. Kennard: Ridge regression. Technometrics 12(1), 1970.
D. M. Allen: The relationship between variable selection and data augmentation. Technometrics 16(1), 1974.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

__all__ = ["PENALTIES", "Ridge", "fit_ridge"]

PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""What is tried, in units of the mean squared length of the centred features."""


@dataclass(frozen=True)
class Ridge:
    """A linear map, shrunk.

    Attributes
    ----------
    weight, bias:
        ``[f, v]`` and ``[v]``, ``torch.float32``: values of features x are x weight + bias.
    penalty:
        In units of the mean squared length of the centred features.
    left_out:
        ``[n, v]``: what the map says of each example when it was fitted to all others.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    penalty: float
    left_out: torch.Tensor


def fit_ridge(features: torch.Tensor, values: torch.Tensor, penalties: Sequence[float] = PENALTIES) -> Ridge:
    """Fit a map of features ``[n, f]`` to values ``[n, v]``; of the penalties that with the least error.

    The error is the mean square of what is left out, one example at a time.

    Raises
    ------
    ValueError
        If there are fewer than three examples, or their features are all the same.

    Examples
    --------
    >>> x = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    >>> found = fit_ridge(x, 2 * x + 1, penalties=[1e-9])
    >>> round(found.weight.item(), 4), round(found.bias.item(), 4)
    (2.0, 1.0)
    """
    count = len(features)
    if count < 3:
        raise ValueError(f"a map is fitted to three examples or more, got {count}")
    x, y = features.double(), values.double()
    x, y = x - x.mean(dim=0), y - y.mean(dim=0)
    levels, axes = torch.linalg.eigh(x @ x.T)
    levels = levels.clamp_min(0.0)
    unit = float(levels.mean())
    if not unit > 0:
        raise ValueError(f"the features of all {count} examples are the same")
    turned = axes.T @ y

    def wrong(penalty: float) -> torch.Tensor:
        kept = levels / (levels + penalty * unit)
        own = 1 / count + axes.square() @ kept
        return (y - axes @ (kept[:, None] * turned)) / (1 - own)[:, None]

    errors = {penalty: wrong(penalty) for penalty in penalties}
    best = min(penalties, key=lambda penalty: float(errors[penalty].square().mean()))
    weight = x.T @ (axes @ (turned / (levels + best * unit)[:, None]))
    bias = values.double().mean(dim=0) - features.double().mean(dim=0) @ weight
    return Ridge(weight.float(), bias.float(), best, (values.double() - errors[best]).float())
