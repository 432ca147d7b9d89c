"""Bridge and projection in closed form: a linear truth is found, and principal axes are NumPy's."""

from __future__ import annotations

import numpy as np
import torch

from bridge.training.fitting import fit

TOKENS, WIDTH = 3, 5


def normal(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_a_linear_truth_is_found_and_explained() -> None:
    features, weight = normal(60, TOKENS, WIDTH, seed=1), normal(TOKENS * WIDTH, 7, seed=2)
    truth = features.flatten(1) @ weight + 0.5
    none = normal(7, seed=3)
    made = fit(features, truth, 4, none)
    assert made.pictures == 60 and made.explained > 0.999 and made.cosine > 0.999
    new = normal(5, TOKENS, WIDTH, seed=4)
    said = made.bridge(new)
    assert said.shape == (5, 1, 7)
    torch.testing.assert_close(said[:, 0], new.flatten(1) @ weight + 0.5, rtol=0, atol=0.05)
    assert torch.equal(made.bridge.unconditional[0], none)


def test_what_is_not_there_is_not_explained() -> None:
    """Embeddings that have nothing to do with features: left out, nothing is said of them."""
    made = fit(normal(60, TOKENS, WIDTH, seed=1), normal(60, 7, seed=9), 4, torch.zeros(7))
    assert made.explained < 0.05


def test_the_projection_is_the_principal_axes_at_unit_power() -> None:
    mixing = normal(TOKENS * WIDTH, TOKENS * WIDTH, seed=5)
    features = (10 * normal(80, TOKENS * WIDTH, seed=6) @ mixing + 3).unflatten(1, (TOKENS, WIDTH))
    made = fit(features, normal(80, 2, seed=7), 4, torch.zeros(2))
    rows = features.flatten(1).double().numpy()
    centred = rows - rows.mean(axis=0)
    levels = np.square(np.linalg.svd(centred, compute_uv=False))
    np.testing.assert_allclose(made.kept, levels[:8].sum() / levels.sum(), rtol=1e-4)
    reals = made.projection.encode(features)
    assert reals.shape == (80, 8)
    np.testing.assert_allclose(reals.square().mean().item(), 1.0, rtol=1e-4)
