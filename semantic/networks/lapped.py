"""Overlapping windows of a picture as cosines, and the noise filter that works on them: Wiener's, and deeper.

References
----------
L. P. Yaroslavsky, K. O. Egiazarian, J. T. Astola: Transform domain image restoration methods: review,
comparison, and interpretation. Proc. SPIE 4304, 2001 (sliding-window DCT).
M. K. Mihçak, I. Kozintsev, K. Ramchandran, P. Moulin: Low-complexity image denoising based on statistical
modeling of wavelet coefficients. IEEE Signal Process. Lett. 6(12), 1999 (strength from neighbours' energy).
Z. Liu, H. Mao, C.-Y. Wu, C. Feichtenhofer, T. Darrell, S. Xie: A ConvNet for the 2020s. CVPR 2022 (blocks).
E. Perez, F. Strub, H. de Vries, V. Dumoulin, A. Courville: FiLM. AAAI 2018 (conditioning).
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import nn

from semantic.networks.subbands import cosines

__all__ = ["LappedDCT", "LocalWiener", "estimate_strength"]

_Layer = TypeVar("_Layer", nn.Conv2d, nn.Linear)

_STRENGTH_VARIANCE = 3.0  # of a picture's against the average one's, and of parts against the whole
_LEAST_STRENGTH = 0.02
_LEAST_ENERGY = 1e-2
_LEAST_SIGNAL, _LEAST_NOISE = 1e-9, 1e-12
_LARGEST = 8.0  # of a coefficient that blocks see, in deviations
_QUIET = 0.05  # what logarithms are multiplied by before layers that add up hundreds of them
_STEP = 0.3  # what the last layer is multiplied by, to learn slowly beside Wiener's filter


class LappedDCT(nn.Module):
    """DCT of windows that overlap by half, and the sum of windows that undoes it.

    Parameters
    ----------
    window:
        Side in pixels, even. It divides the sides of the planes.
    """

    analysis: torch.Tensor
    synthesis: torch.Tensor

    def __init__(self, window: int) -> None:
        super().__init__()
        self.window, self.hop = window, window // 2
        basis = cosines(window, torch.zeros((), dtype=torch.float64))
        basis = torch.kron(basis, basis)
        fade = torch.sin(math.pi * (torch.arange(window, dtype=torch.float64) + 0.5) / window).square()
        self.register_buffer("analysis", basis.float(), persistent=False)
        self.register_buffer("synthesis", (basis * torch.kron(fade, fade)).T.float(), persistent=False)

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        """``[B, c, H, W]`` to ``[B, c, window², 2 H / window + 1, 2 W / window + 1]``, mirrored at edges."""
        batch, _, height, width = planes.shape
        padded = F.pad(planes, (self.hop,) * 4, mode="reflect").flatten(0, 1)[:, None]
        windows = self.analysis @ F.unfold(padded, self.window, stride=self.hop)
        return windows.reshape(batch, -1, self.window**2, height // self.hop + 1, width // self.hop + 1)

    def inverse(self, windows: torch.Tensor) -> torch.Tensor:
        """Planes of windows, which fade into each other."""
        batch, _, _, rows, columns = windows.shape
        size = (self.hop * (rows + 1), self.hop * (columns + 1))
        pixels = self.synthesis @ windows.flatten(0, 1).flatten(2)
        planes = F.fold(pixels, size, self.window, stride=self.hop)
        planes = planes[:, 0, self.hop : -self.hop, self.hop : -self.hop]
        return planes.reshape(batch, -1, *planes.shape[1:])

    def energies(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Mean squares in a window, over all places, of planes whose DCT coefficients are independent.

        Parameters
        ----------
        spectrum:
            ``[B, c, H, W]``, mean squares of the whole plane's coefficients.

        Returns
        -------
        torch.Tensor
            ``[B, c, window²]``.
        """
        vertical, horizontal = (self._shares(side, spectrum) for side in spectrum.shape[2:])
        return (vertical @ spectrum @ horizontal.T).flatten(2)

    def _shares(self, size: int, like: torch.Tensor) -> torch.Tensor:
        """``[window, size]``: mean square of a cosine of the whole in a window's cosine."""
        places = cosines(size, like).unfold(1, self.window, self.hop)
        return (places @ cosines(self.window, like).T).square().mean(dim=1).T


def _zero(layer: _Layer) -> _Layer:
    """The layer, giving zero until it is trained."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class _Block(nn.Module):
    """Residual block: depthwise 5 x 5, FiLM, pointwise there and back; zero at the start."""

    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.film = _zero(nn.Linear(context, 2 * width))
        self.expand = nn.Conv2d(width, 2 * width, 1)
        self.reduce = _zero(nn.Conv2d(2 * width, width, 1))

    def forward(self, x: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """``x`` is ``[B, width, h, w]``, ``context`` ``[B, context]``."""
        scale, shift = self.film(context)[:, :, None, None].chunk(2, dim=1)
        y = self.spatial(x) * (1 + scale) + shift
        return x + self.reduce(F.gelu(self.expand(y)))


class LocalWiener(nn.Module):
    """Takes noise out of three planes that were through Wiener's filter for their mean spectrum.

    ::

        planes - windows - u -+- strength r from neighbours' energy - r -* exp gain - Wiener's factor f
                              +-> blocks -> gain, offset                                       |
        planes <- windows <- f u + deviation * offset <----------------------------------------+

    A picture is strong here and weak there. How strong it is against its mean spectrum, r, is first estimated
    from the energy of neighbouring frequencies in the window, noise being known (Mihçak et al.); blocks that
    see the windows around correct that, and add what they can guess of the error, in units of its expected
    deviation. Both corrections begin at zero.

    Parameters
    ----------
    window:
        Side of the overlapping windows in pixels.
    kept:
        Of the 3 window² coefficients of a window, how many blocks see and correct; see `keep`.
    width, depth, context:
        Filters and number of residual blocks, and the width of what they are told by FiLM.
    """

    kept: torch.Tensor

    def __init__(self, window: int, kept: int, width: int, depth: int, context: int) -> None:
        super().__init__()
        self.lapped = LappedDCT(window)
        self.register_buffer("kept", torch.arange(kept))
        near = torch.ones(window, window).tril(1).triu(-1)
        self.register_buffer("near", torch.kron(near, near), persistent=False)
        self.embed = nn.Sequential(
            nn.Linear(kept + 2, context), nn.GELU(), nn.Linear(context, context), nn.GELU()
        )
        self.stem = nn.Conv2d(3 * kept, width, 1)
        self.blocks = nn.ModuleList(_Block(width, context) for _ in range(depth))
        self.head = _zero(nn.Conv2d(width, 2 * kept, 1))

    @torch.no_grad()
    def keep(self, spectrum: torch.Tensor) -> None:
        """Choose the coefficients that are strongest in planes of this spectrum, ``[3, H, W]``."""
        energies = self.lapped.energies(spectrum[None]).flatten()
        self.kept.copy_(energies.argsort(descending=True)[: len(self.kept)])

    def forward(
        self,
        planes: torch.Tensor,
        signal: torch.Tensor,
        noise: torch.Tensor,
        error: torch.Tensor,
        told: torch.Tensor,
    ) -> torch.Tensor:
        """Planes with less noise.

        Parameters
        ----------
        planes:
            ``[B, 3, H, W]``, of mean zero.
        signal, noise, error:
            Mean squares of the planes' DCT coefficients, ``[B, 3, H, W]``: the two parts of which planes
            are made, and what they differ from the picture by.
        told:
            ``[B, 2]``: the SNR in units of 10 dB, and the binary logarithm of the rate, halved.
        """
        u = self.lapped(planes)
        s, n, e = (self.lapped.energies(each)[..., None, None] for each in (signal, noise, error))
        s, n = s + _LEAST_SIGNAL, n + _LEAST_NOISE
        strength = self._strength(u, s, n)

        ratio = self._seen((s / n).log().clamp(-10, 15))[..., 0, 0]
        context = self.embed(torch.cat([_QUIET * ratio, told], dim=1))
        scaled = self._seen(u / (s + n).sqrt()).clamp(-_LARGEST, _LARGEST)
        logs = [(scaled.square() + _LEAST_ENERGY).log(), self._seen(strength).log()]
        x = self.stem(torch.cat([scaled, *(_QUIET * each for each in logs)], dim=1))
        for block in self.blocks:
            x = block(x, context)
        gain, offset = (_STEP * self.head(x)).chunk(2, dim=1)
        strength = strength * self._back((2 * torch.tanh(gain / 2)).exp(), 1.0, strength)
        factor = strength * (s + n) / (strength * s + n)
        factor = torch.cat([torch.ones_like(factor[:, :, :1]), factor[:, :, 1:]], dim=2)
        return self.lapped.inverse(factor * u + e.clamp_min(0).sqrt() * self._back(offset, 0.0, u))

    def _strength(self, u: torch.Tensor, s: torch.Tensor, n: torch.Tensor) -> torch.Tensor:
        """How strong the signal is in each window against its mean, ``[B, 3, window², h, w]``; not its mean.

        Linear MMSE from the energies' excess over noise, weighed by its inverse variance: first for a window,
        from all its coefficients, then for each from its neighbours.
        """
        weight = s / (s + n).square()
        weight = torch.cat([torch.zeros_like(weight[:, :, :1]), weight[:, :, 1:]], dim=2)
        excess, expected = weight * (u.square() - n), weight * s
        variance = 2 * (weight * (s + n)).square()
        whole = estimate_strength(
            1.0, *(each.sum(dim=2, keepdim=True) for each in (excess, expected, variance))
        )
        near = (torch.einsum("kl,bclhw->bckhw", self.near, each) for each in (excess, expected, variance))
        return estimate_strength(whole, *near)

    def _seen(self, windows: torch.Tensor) -> torch.Tensor:
        return windows.flatten(1, 2)[:, self.kept]

    def _back(self, seen: torch.Tensor, other: float, like: torch.Tensor) -> torch.Tensor:
        """Undo `_seen`, taking ``other`` for coefficients that are not kept."""
        everything = like.new_full((len(like), 3 * self.lapped.window**2, *like.shape[3:]), other)
        return everything.index_copy(1, self.kept, seen).reshape(like.shape)


def estimate_strength(
    before: torch.Tensor | float, excess: torch.Tensor, expected: torch.Tensor, variance: torch.Tensor
) -> torch.Tensor:
    """Linear MMSE estimate of how many times stronger a signal is than expected; at least 0.02.

    Parameters
    ----------
    before:
        What it is believed to be beforehand, with a variance of 3.
    excess:
        Energy over that of noise: of mean ``r expected`` for a signal r times as strong as expected.
    expected, variance:
        Its mean for r = 1, and its variance.
    """
    gain = _STRENGTH_VARIANCE * expected / (_STRENGTH_VARIANCE * expected.square() + variance + _LEAST_NOISE)
    return (before + gain * (excess - before * expected)).clamp_min(_LEAST_STRENGTH)
