"""How far a picture is from its reference, pixel by pixel: MSE, PSNR, SSIM, MS-SSIM.

Every function takes two 8-bit RGB pictures of one shape and returns one number a pair; means over pictures
are taken afterwards, from the per-picture rows.

Conventions
-----------
PSNR
    One mean squared error over all 3 H W samples, peak 255, capped at `PSNR_CAP_DB`.
SSIM
    Wang et al. (2004): 11 x 11 Gaussian window with standard deviation 1.5, K1 = 0.01, K2 = 0.03, L = 255,
    population covariances, only windows that lie wholly inside the picture; computed on R, G and B apart and
    averaged (the paper used luma alone). Equal to scikit-image with ``gaussian_weights=True,
    use_sample_covariance=False`` and to pytorch-msssim.
MS-SSIM
    Wang, Simoncelli, Bovik (2003) with their five exponents, on R, G and B apart; 2 x 2 means between the
    scales, a zero line in front of an odd side, negative terms raised to zero: as in pytorch-msssim, hence
    comparable with what learned codecs publish.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

__all__ = ["PSNR_CAP_DB", "check_pair", "fitting_scales", "ms_ssim", "mse", "psnr", "ssim"]

PSNR_CAP_DB = 100.0
"""PSNR of identical pictures, and the most any pair gets.

Identical pictures have no finite PSNR, and one infinity in a table makes every mean over pictures, every
bootstrap interval and every strict JSON file useless. The cap is far above what a lossy system reaches (one
sample in 150,000 off by one is 99.9 dB); `mse`, which has no such corner, tells the cases apart.
"""

_Planes = NDArray[np.float64]
_PEAK = 255.0
_WINDOW = 11
_SIGMA = 1.5
_C1 = (0.01 * _PEAK) ** 2
_C2 = (0.03 * _PEAK) ** 2
_EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003, section 3.2


def check_pair(reference: NDArray[np.uint8], image: NDArray[np.uint8]) -> None:
    """Make sure that both are ``[H, W, 3]``, ``uint8`` and of one shape.

    Raises
    ------
    ValueError
        Quoting both shapes and types.
    """
    fits = reference.shape == image.shape and reference.ndim == 3 and reference.shape[-1] == 3
    if not fits or reference.size == 0 or reference.dtype != np.uint8 or image.dtype != np.uint8:
        raise ValueError(
            "two pictures [H, W, 3] of uint8 and of one shape are needed, got "
            f"{list(reference.shape)} of {reference.dtype} and {list(image.shape)} of {image.dtype}"
        )


def mse(reference: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """Mean squared error over all samples, in squared 8-bit steps.

    Parameters
    ----------
    reference, image:
        ``[H, W, 3]``, ``uint8``.

    Raises
    ------
    ValueError
        If shapes or types do not fit; quotes both.
    """
    check_pair(reference, image)
    difference = reference.astype(np.int64) - image.astype(np.int64)
    return float(np.mean(difference * difference))


def psnr(reference: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio in decibels, 10 log10(255² / MSE), at most `PSNR_CAP_DB`.

    Parameters
    ----------
    reference, image:
        ``[H, W, 3]``, ``uint8``.

    Raises
    ------
    ValueError
        If shapes or types do not fit; quotes both.

    Examples
    --------
    >>> black = np.zeros((8, 8, 3), dtype=np.uint8)
    >>> psnr(black, black + np.uint8(255)), round(psnr(black, black + np.uint8(1)), 2), psnr(black, black)
    (0.0, 48.13, 100.0)
    """
    error = mse(reference, image)
    return min(PSNR_CAP_DB, 10.0 * math.log10(_PEAK**2 / error)) if error else PSNR_CAP_DB


def _smooth(planes: _Planes) -> _Planes:
    """Gaussian window over ``[H, W, 3]`` at every place where it lies wholly inside."""
    offsets = np.arange(_WINDOW) - _WINDOW // 2
    kernel = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    kernel /= kernel.sum()
    edge = _WINDOW // 2
    rows = correlate1d(planes, kernel, axis=0)[edge:-edge]
    return np.asarray(correlate1d(rows, kernel, axis=1)[:, edge:-edge], dtype=np.float64)


def _similarity(x: _Planes, y: _Planes) -> tuple[_Planes, _Planes]:
    """SSIM and its contrast-structure part, each averaged over the windows: two vectors ``[3]``."""
    mean_x, mean_y = _smooth(x), _smooth(y)
    variances = _smooth(x * x + y * y) - mean_x**2 - mean_y**2
    covariance = _smooth(x * y) - mean_x * mean_y
    contrast = (2 * covariance + _C2) / (variances + _C2)
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    return (luminance * contrast).mean(axis=(0, 1)), contrast.mean(axis=(0, 1))


def _halve(planes: _Planes) -> _Planes:
    """2 x 2 means; an odd side gets a line of zeros in front, as in pytorch-msssim."""
    height, width, channels = planes.shape
    even = np.pad(planes, ((height % 2, 0), (width % 2, 0), (0, 0)))
    blocks = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2, channels)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float64)


def fitting_scales(height: int, width: int) -> int:
    """How many scales of MS-SSIM a picture is large enough for: 0 to 5.

    The coarsest scale must still hold one 11 x 11 window, so n scales need sides above 10 * 2^(n - 1).

    Examples
    --------
    >>> fitting_scales(512, 768), fitting_scales(161, 161), fitting_scales(128, 128), fitting_scales(64, 64)
    (5, 5, 4, 3)
    """
    side = min(height, width)
    return sum(side > (_WINDOW - 1) * 2**scale for scale in range(len(_EXPONENTS)))


def ssim(reference: NDArray[np.uint8], image: NDArray[np.uint8]) -> float:
    """Structural similarity, mean over R, G and B; 1 for identical pictures.

    Parameters
    ----------
    reference, image:
        ``[H, W, 3]``, ``uint8``, sides of 11 pixels or more.

    Raises
    ------
    ValueError
        If shapes or types do not fit, or the pictures are smaller than the window.

    References
    ----------
    Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli: Image quality assessment: from error visibility to
    structural similarity. IEEE Trans. Image Process. 13(4), 2004, equation 13.
    """
    check_pair(reference, image)
    if min(reference.shape[:2]) < _WINDOW:
        raise ValueError(f"SSIM needs sides of {_WINDOW} pixels or more, got {list(reference.shape)}")
    similarity, _ = _similarity(reference.astype(np.float64), image.astype(np.float64))
    return float(similarity.mean())


def ms_ssim(reference: NDArray[np.uint8], image: NDArray[np.uint8], scales: int = 5) -> float:
    """Multi-scale structural similarity, mean over R, G and B; in 0 to 1, 1 for identical pictures.

    With fewer than five scales the first exponents are used, divided by their sum. That is another metric,
    never taken silently: `fitting_scales` says how many there may be.

    Parameters
    ----------
    reference, image:
        ``[H, W, 3]``, ``uint8``, sides above ``10 * 2 ** (scales - 1)``.
    scales:
        1 to 5; five is the published metric.

    Raises
    ------
    ValueError
        If shapes or types do not fit, or the pictures are too small for so many scales.

    References
    ----------
    Z. Wang, E. P. Simoncelli, A. C. Bovik: Multiscale structural similarity for image quality assessment.
    Asilomar 2003, equation 7.
    """
    check_pair(reference, image)
    fitting = fitting_scales(*reference.shape[:2])
    if not 1 <= scales <= len(_EXPONENTS):
        raise ValueError(f"MS-SSIM has 1 to {len(_EXPONENTS)} scales, got {scales}")
    if scales > fitting:
        needed = (_WINDOW - 1) * 2 ** (scales - 1) + 1
        raise ValueError(
            f"MS-SSIM with {scales} scales needs sides of {needed} pixels or more, "
            f"got {list(reference.shape)}; at most {fitting} scales fit"
        )
    x, y = reference.astype(np.float64), image.astype(np.float64)
    # The five published exponents add up to 1.0001 and are taken as they are, as everybody does.
    norm = 1.0 if scales == len(_EXPONENTS) else sum(_EXPONENTS[:scales])
    product = np.ones(3)
    for scale, exponent in enumerate(_EXPONENTS[:scales]):
        similarity, contrast = _similarity(x, y)
        term = similarity if scale == scales - 1 else contrast
        product *= np.maximum(term, 0.0) ** (exponent / norm)
        x, y = _halve(x), _halve(y)
    return float(product.mean())
