"""Overlapping windows: SciPy's DCT, nothing lost, energies that are drawn, and Wiener's factor by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.fft import dctn

from semantic.networks.lapped import LappedDCT, LocalWiener
from semantic.networks.subbands import inverse_dct


def noise(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def red(height: int, width: int) -> torch.Tensor:
    """A spectrum that falls with frequency, ``[1, 1, H, W]``."""
    rows, columns = (torch.arange(side) / side for side in (height, width))
    return (1 / (0.02 + rows[:, None] ** 2 + columns**2))[None, None]


def filter_of(window: int = 8) -> LocalWiener:
    torch.manual_seed(3)
    return LocalWiener(window, kept=window**2, width=16, depth=1, context=8).eval()


@torch.no_grad()
def run(network: LocalWiener, planes: torch.Tensor, s: torch.Tensor, n: torch.Tensor) -> torch.Tensor:
    signal, lost = s.expand_as(planes), n.expand_as(planes)
    result: torch.Tensor = network(planes, signal, lost, lost, torch.zeros(len(planes), 2))
    return result


def test_a_window_is_scipys_dct() -> None:
    planes = noise(2, 3, 32, 48)
    windows = LappedDCT(16)(planes)
    assert windows.shape == (2, 3, 256, 5, 7)
    expected = dctn(planes[1, 2, 8:24, 24:40].numpy(), norm="ortho").ravel()
    np.testing.assert_allclose(windows[1, 2, :, 2, 4].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (16, 48), (64, 32)])
def test_windows_give_the_planes_back(height: int, width: int) -> None:
    planes, lapped = noise(2, 3, height, width), LappedDCT(16)
    torch.testing.assert_close(lapped.inverse(lapped(planes)), planes, rtol=0, atol=1e-5)


def test_energies_are_those_of_drawn_planes() -> None:
    spectrum, lapped = red(32, 48), LappedDCT(8)
    planes = inverse_dct(noise(4000, 1, 32, 48) * spectrum.sqrt())
    drawn = lapped(planes)[..., 1:-1, 1:-1].square().mean(dim=(0, 3, 4))
    # 4,000 planes of 77 windows that overlap: at least 4,000 * 24 / 2 free values, standard error 0.7 %.
    torch.testing.assert_close(lapped.energies(spectrum)[0], drawn, rtol=0.04, atol=0)


@pytest.mark.parametrize("ratio", [1.0, 4.0])
def test_untrained_it_is_wieners_filter_for_what_is_there(ratio: float) -> None:
    """White planes ``ratio`` times as strong as their mean spectrum says, in noise as strong as that."""
    one = torch.ones(1, 1, 1, 1)
    clean, lost = ratio**0.5 * noise(16, 3, 64, 64), noise(16, 3, 64, 64, seed=2)
    heard = run(filter_of(), clean + lost, one, one)
    factor = (heard * (clean + lost)).mean() / (clean + lost).square().mean()
    assert factor == pytest.approx(ratio * 2 / (ratio + 1), rel=0.12)


def test_noise_goes_where_the_picture_is_smooth() -> None:
    """Texture on the left, nothing on the right: in the mean half a unit, of noise as strong."""
    clean = noise(4, 3, 64, 128)
    clean[..., 64:] = 0
    half = torch.full((1, 1, 1, 1), 0.5)
    wiener = 0.5 * (clean + half.sqrt() * noise(4, 3, 64, 128, seed=2))
    wrong = (run(filter_of(), wiener, half / 4, half / 4) - clean).square()
    # Knowing it all, Wiener would leave 1/3 on the left and nothing on the right; his mean filter 3/8, 1/8.
    assert wrong[..., 72:].mean() < 0.04
    assert wrong[..., :56].mean() < 0.37


def test_a_correction_is_in_deviations_of_the_error() -> None:
    """One cosine of all windows is shifted, by 0.3 of the head's bias, and window and frequency are right."""
    network, spectrum = filter_of(), red(32, 32).expand(1, 3, 32, 32)
    network.keep(spectrum[0])
    place = 5
    with torch.no_grad():
        network.head.bias[64 + place] = 0.5
    planes = inverse_dct(noise(1, 3, 32, 32) * spectrum.sqrt())
    small = 1e-6 * torch.ones_like(spectrum)
    with torch.no_grad():
        heard = network(planes, spectrum, small, 4 * torch.ones_like(spectrum), torch.zeros(1, 2))
    colour, coefficient = divmod(int(network.kept[place]), 64)
    shifted = torch.zeros(1, 3, 64, 9, 9)
    shifted[0, colour, coefficient] = 0.3 * 0.5 * 2
    torch.testing.assert_close(heard - planes, network.lapped.inverse(shifted), rtol=0, atol=2e-3)
    shown = network.lapped.energies(spectrum).flatten()
    assert shown[network.kept].min() >= shown.sort(descending=True).values[:64].min()
