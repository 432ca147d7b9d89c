"""Pixel metrics against scikit-image, pytorch-msssim and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import pytorch_msssim
import torch
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from semantic.metrics.image import PSNR_CAP_DB, fitting_scales, ms_ssim, mse, psnr, ssim

EXPONENTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])


def noisy_pair(height: int, width: int, sigma: float = 20.0) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Waves with fine texture, and the same with noise that grows from left to right."""
    rng = np.random.default_rng(height * width)
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    smooth = 128 + 80 * np.sin(x / 17 + c) * np.cos(y / 11) + rng.normal(0, 10, (height, width, 3))
    reference = np.clip(smooth, 0, 255).astype(np.uint8)
    noise = rng.normal(0, sigma, reference.shape) * (x / width)
    return reference, np.clip(reference + noise, 0, 255).round().astype(np.uint8)


def batch(picture: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].double()


def window() -> torch.Tensor:
    """Return the Gaussian window in double precision; pytorch-msssim's own is rounded to single."""
    kernel = torch.exp(-(torch.arange(-5, 6).double() ** 2) / (2 * 1.5**2))
    return (kernel / kernel.sum()).repeat(3, 1, 1, 1)


def test_psnr_is_the_closed_form_for_a_constant_error() -> None:
    grey = np.full((5, 7, 3), 100, dtype=np.uint8)
    for step in (1, 10, 155):
        assert psnr(grey, grey + np.uint8(step)) == pytest.approx(20 * np.log10(255 / step))
        assert mse(grey, grey + np.uint8(step)) == step**2


def test_mse_does_not_wrap_around_in_either_direction() -> None:
    dark, light = np.zeros((4, 4, 3), dtype=np.uint8), np.full((4, 4, 3), 255, dtype=np.uint8)
    assert mse(dark, light) == mse(light, dark) == 255**2
    assert psnr(dark, light) == psnr(light, dark) == 0.0


def test_psnr_agrees_with_scikit_image() -> None:
    for shape in ((32, 48), (33, 17)):
        reference, image = noisy_pair(*shape)
        assert psnr(reference, image) == pytest.approx(peak_signal_noise_ratio(reference, image), rel=1e-12)


def test_identical_pictures_get_the_cap_and_no_pair_gets_more() -> None:
    reference = np.zeros((256, 256, 3), dtype=np.uint8)
    image = reference.copy()
    assert psnr(reference, image) == PSNR_CAP_DB
    image[0, 0, 0] = 1  # 48.13 + 10 log10(3 * 256²) = 101.07 dB
    assert mse(reference, image) > 0
    assert psnr(reference, image) == PSNR_CAP_DB
    image[0, 0] = 1  # three samples: 96.30 dB, below the cap
    assert psnr(reference, image) == pytest.approx(20 * np.log10(255) + 20 * np.log10(256))


@pytest.mark.parametrize("shape", [(64, 96), (33, 47), (11, 11)])
def test_ssim_agrees_with_scikit_image_and_pytorch_msssim(shape: tuple[int, int]) -> None:
    reference, image = noisy_pair(*shape)
    expected = structural_similarity(
        reference.astype(np.float64),
        image.astype(np.float64),
        channel_axis=2,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim(reference, image) == pytest.approx(expected, abs=1e-9)
    other = pytorch_msssim.ssim(batch(reference), batch(image), data_range=255, win=window())
    assert ssim(reference, image) == pytest.approx(float(other), abs=1e-9)
    assert ssim(reference, reference) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(176, 208), (161, 161), (171, 233)])
def test_ms_ssim_agrees_with_pytorch_msssim(shape: tuple[int, int]) -> None:
    reference, image = noisy_pair(*shape)
    expected = pytorch_msssim.ms_ssim(batch(reference), batch(image), data_range=255, win=window())
    assert ms_ssim(reference, image) == pytest.approx(float(expected), abs=1e-9)
    default = pytorch_msssim.ms_ssim(batch(reference), batch(image), data_range=255)
    assert ms_ssim(reference, image) == pytest.approx(float(default), abs=1e-6)
    assert ms_ssim(reference, reference) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("scales", [2, 3, 4])
def test_fewer_scales_are_the_first_exponents_renormalised(scales: int) -> None:
    reference, image = noisy_pair(163, 165)
    weights = list(EXPONENTS[:scales] / EXPONENTS[:scales].sum())
    expected = pytorch_msssim.ms_ssim(
        batch(reference), batch(image), data_range=255, win=window(), weights=weights
    )
    assert ms_ssim(reference, image, scales) == pytest.approx(float(expected), abs=1e-9)


def test_one_scale_is_ssim() -> None:
    reference, image = noisy_pair(40, 40)
    assert ms_ssim(reference, image, scales=1) == pytest.approx(ssim(reference, image), rel=1e-12)


def test_ms_ssim_of_a_negative_is_zero_and_not_nan() -> None:
    reference, _ = noisy_pair(176, 176)
    assert 0.0 <= ms_ssim(reference, 255 - reference) < 0.05


def test_the_number_of_scales_that_fit_is_exact() -> None:
    for side, scales in ((10, 0), (11, 1), (20, 1), (21, 2), (80, 3), (81, 4), (160, 4), (161, 5), (4000, 5)):
        assert fitting_scales(side, 5000) == fitting_scales(5000, side) == scales
    reference, image = noisy_pair(81, 90)
    assert 0 < ms_ssim(reference, image, fitting_scales(81, 90)) < 1
    with pytest.raises(ValueError, match=r"5 scales needs sides of 161.*\[81, 90, 3\].*at most 4"):
        ms_ssim(reference, image)


@pytest.mark.parametrize("metric", [mse, psnr, ssim, ms_ssim])
def test_pictures_that_do_not_fit_are_named(metric) -> None:  # type: ignore[no-untyped-def]
    rgb = np.zeros((192, 192, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match=r"\[192, 192, 3\] of uint8 and \[192, 191, 3\] of uint8"):
        metric(rgb, rgb[:, 1:])
    with pytest.raises(ValueError, match=r"uint8 and \[192, 192, 3\] of float32"):
        metric(rgb, rgb.astype(np.float32))
    with pytest.raises(ValueError, match=r"\[192, 192\]"):
        metric(rgb[..., 0], rgb[..., 0])


def test_small_pictures_and_odd_scales_are_refused() -> None:
    small = np.zeros((10, 64, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match=r"11 pixels or more, got \[10, 64, 3\]"):
        ssim(small, small)
    with pytest.raises(ValueError, match="1 to 5 scales, got 6"):
        ms_ssim(small, small, scales=6)
