"""Photographs as bands of their discrete cosine transform, and how strong each coefficient is on average.

References
----------
N. Ahmed, T. Natarajan, K. R. Rao: Discrete cosine transform. IEEE Trans. Computers C-23(1), 1974.
S. Jakubczak, D. Katabi: A cross-layer design for scalable mobile video. MobiCom 2011 (SoftCast: a linear code
of a whole picture's DCT).
D. J. Field: Relations between the statistics of natural images and the response properties of cortical cells.
JOSA A 4(12), 1987 (their power falls as a power of the frequency).
"""

from __future__ import annotations

import math

import torch
from torch import nn

__all__ = ["Subbands", "cosines", "dct", "inverse_dct"]

_NODES = 11  # at frequencies 2^-10 ... 1 of the highest
_LEAST_VARIANCE = 1e-4  # of a coefficient: 1 % of the pixels' range
_SMOOTHNESS = 1e-2


class Subbands(nn.Module):
    """Orthonormal DCT of a whole picture in decorrelated colours, split into bands, strongest first.

    With ``s`` the stride, a picture of H x W pixels has ``3 s²`` bands (colour, rows, columns) of H / s by
    W / s coefficients. Whatever the size of a picture, a frequency is counted in cycles a pixel, so what is
    fitted on crops serves larger pictures.

    Parameters
    ----------
    stride:
        Bands a colour and direction.
    bands:
        Kept, the strongest first.

    Attributes
    ----------
    mean, colour:
        Mean of each primary ``[3]``; decorrelated colours as rows ``[3, 3]``.
    order:
        Which bands are kept, as ``(colour * stride + row) * stride + column``, ``[bands]``.
    log_variance:
        Natural logarithm of a coefficient's mean square, at nodes of a logarithmic scale of frequencies,
        ``[3, 11, 11]`` for colour, vertical and horizontal.
    """

    mean: torch.Tensor
    colour: torch.Tensor
    order: torch.Tensor
    log_variance: torch.Tensor

    def __init__(self, stride: int, bands: int) -> None:
        super().__init__()
        self.stride = stride
        self.register_buffer("mean", torch.full((3,), 0.5))
        self.register_buffer("colour", torch.eye(3))
        self.register_buffer("order", torch.arange(bands))
        self.register_buffer("log_variance", torch.full((3, _NODES, _NODES), math.log(0.05)))

    @torch.no_grad()
    def fit(self, pictures: torch.Tensor) -> None:
        """Estimate everything from ``[B, 3, H, W]``, 0 to 1; the stride divides both sides."""
        pixels = pictures.double().transpose(0, 1).flatten(1)
        self.mean.copy_(pixels.mean(dim=1))
        self.colour.copy_(torch.linalg.eigh(torch.cov(pixels)).eigenvectors.flip(1).T)
        energy = torch.cat([self._transform(batch).square() for batch in torch.split(pictures.double(), 32)])
        energy = energy.mean(dim=0).clamp_min(_LEAST_VARIANCE)
        self.log_variance.copy_(_fit_table(energy.log()))
        strength = self._split(energy[None])[0].mean(dim=(1, 2))
        self.order.copy_(strength.argsort(descending=True)[: len(self.order)])

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Coefficients ``[B, bands, H / s, W / s]`` of ``[B, 3, H, W]``."""
        return self._split(self._transform(pictures))[:, self.order]

    def join(self, bands: torch.Tensor) -> torch.Tensor:
        """The whole DCT ``[B, 3, H, W]`` of the first n bands ``[B, n, h, w]``, others being zero."""
        batch, kept, rows, columns = bands.shape
        s = self.stride
        split = bands.new_zeros(batch, 3 * s * s, rows, columns).index_copy(1, self.order[:kept], bands)
        split = split.reshape(batch, 3, s, s, rows, columns)
        return split.permute(0, 1, 2, 4, 3, 5).reshape(batch, 3, s * rows, s * columns)

    def pictures(self, colours: torch.Tensor) -> torch.Tensor:
        """Primaries ``[B, 3, H, W]`` of decorrelated colours, the `inverse_dct` of what `join` gives."""
        primaries = torch.einsum("kc,bkhw->bchw", self.colour.to(colours), colours)
        return primaries + self.mean.to(colours)[:, None, None]

    def table(self, nodes: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        """Interpolate tables over frequencies ``[B, 3, 11, 11]`` for the kept bands, ``[B, bands, h, w]``."""
        return self._split(self.spectrum(nodes, self.stride * rows, self.stride * columns))[:, self.order]

    def spectrum(self, nodes: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """Interpolate tables over frequencies for the DCT of pictures of a size, ``[B, 3, H, W]``."""
        vertical, horizontal = (_interpolation(side, nodes) for side in (height, width))
        return vertical @ nodes @ horizontal.T

    def sums(self, values: torch.Tensor) -> torch.Tensor:
        """Sum values of coefficients at the table's nodes, each by its share in the interpolation.

        Parameters
        ----------
        values:
            ``[B, n, h, w]`` of the first n bands.

        Returns
        -------
        torch.Tensor
            ``[B, 3, 11, 11]``.
        """
        grid = self.join(values)
        return _interpolation(grid.shape[2], grid).T @ grid @ _interpolation(grid.shape[3], grid)

    def _transform(self, pictures: torch.Tensor) -> torch.Tensor:
        centred = pictures - self.mean.to(pictures)[:, None, None]
        colours = torch.einsum("kc,bchw->bkhw", self.colour.to(pictures), centred)
        return dct(colours)

    def _split(self, grid: torch.Tensor) -> torch.Tensor:
        """``[B, 3, H, W]`` of frequencies to ``[B, 3 s², H / s, W / s]``, a band being neighbours."""
        batch, _, height, width = grid.shape
        s = self.stride
        split = grid.reshape(batch, 3, s, height // s, s, width // s)
        return split.permute(0, 1, 2, 4, 3, 5).flatten(1, 3)


def dct(x: torch.Tensor) -> torch.Tensor:
    """Orthonormal DCT-II of the last two axes."""
    return cosines(x.shape[-2], x) @ x @ cosines(x.shape[-1], x).T


def inverse_dct(x: torch.Tensor) -> torch.Tensor:
    """Undo `dct`."""
    return cosines(x.shape[-2], x).T @ x @ cosines(x.shape[-1], x)


def cosines(size: int, like: torch.Tensor) -> torch.Tensor:
    """Matrix of the orthonormal DCT-II, ``[size, size]``, frequencies in rows, of a tensor's type."""
    n = torch.arange(size, dtype=torch.float64, device=like.device)
    matrix = torch.cos(math.pi / size * n[:, None] * (n + 0.5)) * (2 / size) ** 0.5
    matrix[0] /= 2**0.5
    return matrix.to(like)


def _interpolation(size: int, like: torch.Tensor) -> torch.Tensor:
    """``[size, nodes]``: linear interpolation on the logarithmic scale; below its end the end's value."""
    frequency = (torch.arange(size, dtype=torch.float64, device=like.device) + 0.5) / size
    place = (frequency.log2() + _NODES - 1).clamp_min(0)
    low = place.floor().clamp_max(_NODES - 2).long()
    share = (place - low)[:, None]
    nodes = torch.eye(_NODES, dtype=torch.float64, device=like.device)
    return ((1 - share) * nodes[low] + share * nodes[low + 1]).to(like)


def _fit_table(values: torch.Tensor) -> torch.Tensor:
    """Nodes whose interpolation is nearest to ``[3, H, W]``; those without data go on straight."""
    vertical, horizontal = (_interpolation(size, values) for size in values.shape[1:])
    eye = torch.eye(_NODES, dtype=values.dtype)
    bend = eye[:-2] - 2 * eye[1:-1] + eye[2:]
    smooth = torch.kron(bend.T @ bend, eye) + torch.kron(eye, bend.T @ bend)
    normal = torch.kron(vertical.T @ vertical, horizontal.T @ horizontal) + _SMOOTHNESS * smooth
    projected = (vertical.T @ values @ horizontal).flatten(1)
    return torch.linalg.solve(normal, projected.T).T.reshape(3, _NODES, _NODES)
