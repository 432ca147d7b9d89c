"""Subbands: SciPy's DCT, energy kept, places kept, and spectra that are known beforehand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.fft import dctn, idctn

from semantic.networks.subbands import Subbands, dct, inverse_dct


def noise(count: int, height: int, width: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(seed))


def power_law(count: int, side: int) -> torch.Tensor:
    """Pictures whose coefficient at frequency f has variance ``4 / (1 + 400 f²)`` in each primary."""
    f = (np.arange(side) + 0.5) / side
    deviation = 2 / np.sqrt(1 + 400 * (f[:, None] ** 2 + f**2))
    draws = np.random.default_rng(2).standard_normal((count, 3, side, side))
    return torch.from_numpy(idctn(draws * deviation, axes=(2, 3), norm="ortho")).float()


def fitted(pictures: torch.Tensor, stride: int, bands: int) -> Subbands:
    subbands = Subbands(stride, bands)
    subbands.fit(pictures)
    return subbands


def test_bands_are_scipys_dct_in_decorrelated_colours() -> None:
    pictures = noise(2, 24, 32)
    pictures[:, 1] += pictures[:, 0]
    subbands = fitted(pictures, 8, 50)
    pixels = pictures.numpy().transpose(1, 0, 2, 3).astype(float)
    mean = pixels.reshape(3, -1).mean(axis=1)
    _, basis = np.linalg.eigh(np.cov(pixels.reshape(3, -1)))
    colours = np.einsum("ck,cbhw->bkhw", basis[:, ::-1], pixels - mean[:, None, None, None])
    expected = dctn(colours, axes=(2, 3), norm="ortho")
    for channel, band in enumerate(subbands.order.tolist()):
        colour, row, column = band // 64, band // 8 % 8, band % 8
        part = expected[:, colour, 3 * row : 3 * row + 3, 4 * column : 4 * column + 4]
        got = subbands(pictures)[:, channel].numpy()
        np.testing.assert_allclose(np.abs(got), np.abs(part), atol=2e-5)  # a basis is free in its sign


@pytest.mark.parametrize(("height", "width"), [(16, 16), (8, 24), (40, 8)])
def test_all_bands_give_the_picture_back(height: int, width: int) -> None:
    subbands = fitted(noise(4, 16, 16), 8, 192)
    pictures = 0.3 + noise(2, height, width, seed=3)
    bands = subbands(pictures)
    centred = pictures - subbands.mean[:, None, None]
    torch.testing.assert_close(bands.square().sum(), centred.square().sum(), rtol=1e-5, atol=0)
    colours = inverse_dct(subbands.join(bands))
    torch.testing.assert_close(subbands.pictures(colours), pictures, rtol=0, atol=1e-5)
    torch.testing.assert_close(dct(colours), subbands.join(bands), rtol=0, atol=1e-5)


def test_strengths_are_those_of_a_known_spectrum_at_another_size() -> None:
    subbands = fitted(power_law(200, 64), 8, 192)
    got = subbands.table(subbands.log_variance[None], 16, 12)[0]
    vertical, horizontal = (np.arange(128) + 0.5) / 128, (np.arange(96) + 0.5) / 96
    expected = np.log(4 / (1 + 400 * (vertical[:, None] ** 2 + horizontal**2)))
    for channel, band in enumerate(subbands.order.tolist()):
        row, column = 16 * (band // 8 % 8), 12 * (band % 8)
        error = got[channel].numpy() - expected[row : row + 16, column : column + 12]
        assert np.abs(error).mean() < 0.3, band  # 1.3 dB: interpolation, and 200 draws


def test_the_strongest_bands_are_kept_in_order() -> None:
    pictures = power_law(100, 32)
    subbands = fitted(pictures, 8, 12)
    assert subbands.order[0] % 64 == 0
    energy = subbands(pictures).square().mean(dim=(0, 2, 3))
    everything = fitted(pictures, 8, 192)(pictures).square().mean(dim=(0, 2, 3))
    assert (energy.diff() <= 0).all() and energy[-1] >= everything[12:].max() * 0.999


def test_sums_are_by_the_shares_of_the_interpolation() -> None:
    """The adjoint of the table: <table(nodes), values> = <nodes, sums(values)>."""
    subbands = fitted(noise(4, 16, 16), 8, 60)
    nodes, values = torch.rand(2, 3, 11, 11), torch.rand(2, 20, 3, 5)
    left = (subbands.table(nodes, 3, 5)[:, :20] * values).sum()
    torch.testing.assert_close(left, (nodes * subbands.sums(values)).sum())
    torch.testing.assert_close(subbands.sums(values).sum(), values.sum())
