"""A network of our own that serves all SNRs and many rates: nested channels around a linear code.

References
----------
K.-H. Lee, D. P. Petersen: Optimal linear coding for vector channels. IEEE Trans. Commun. 24(12), 1976.
Z. Liu, H. Mao, C.-Y. Wu, C. Feichtenhofer, T. Darrell, S. Xie: A ConvNet for the 2020s. CVPR 2022 (blocks).
E. Perez, F. Strub, H. de Vries, V. Dumoulin, A. Courville: FiLM. AAAI 2018 (conditioning).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import nn

from semantic.jscc_codec import JSCC, pad

__all__ = ["NestedJSCC"]

_Layer = TypeVar("_Layer", nn.Conv2d, nn.Linear)

_SNR_SCALE_DB = 10.0
_LEAST_SPREAD = 1e-4  # weaker components are not blown up to variance 1: 1 % of the pixels' range
_PILOT_SHARE = 0.02
_LEVEL_VARIANCE = 0.06  # of a picture's amplitude around the mean picture's: about 2.2 dB
_LEAST_LEVEL = 0.2
_LEAST_POWER = 1e-4


def _zero(layer: _Layer) -> _Layer:
    """The layer, giving zero until it is trained."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class _Block(nn.Module):
    """Residual block: depthwise 7 x 7, FiLM by SNR and rate, pointwise there and back; zero at the start."""

    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.film = _zero(nn.Linear(context, 2 * width))
        self.expand = nn.Conv2d(width, 2 * width, 1)
        self.reduce = _zero(nn.Conv2d(2 * width, width, 1))

    def forward(self, x: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """``x`` is ``[B, width, h, w]``, ``context`` ``[B, context]``."""
        scale, shift = self.film(context)[:, :, None, None].chunk(2, dim=1)
        y = self.spatial(x) * (1 + scale) + shift
        return x + self.reduce(F.gelu(self.expand(y)))


class _Stage(nn.Module):
    """Blocks of one resolution."""

    def __init__(self, width: int, depth: int, context: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Block(width, context) for _ in range(depth))

    def forward(self, x: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """``x`` is ``[B, width, h, w]``, ``context`` ``[B, context]``."""
        for block in self.blocks:
            x = block(x, context)
        return x


class _Transform(nn.Module):
    """Karhunen-Loève transform of square patches, strongest component first, and back.

    Both bases start as the same and are trained on; mean and spread, which only scale, stay as fitted.

    Attributes
    ----------
    mean, spread:
        Mean patch ``[3 s²]``, variance of each component ``[n]``.
    analysis, synthesis:
        Components as rows ``[n, 3 s²]``, there and back.
    """

    mean: torch.Tensor
    spread: torch.Tensor

    def __init__(self, stride: int, components: int) -> None:
        super().__init__()
        size = 3 * stride**2
        self.stride = stride
        self.register_buffer("mean", torch.full((size,), 0.5))
        self.register_buffer("spread", torch.full((components,), 0.05))
        self.analysis = nn.Parameter(torch.eye(components, size))
        self.synthesis = nn.Parameter(torch.eye(components, size))

    @torch.no_grad()
    def fit(self, pictures: torch.Tensor) -> None:
        """Estimate mean, spread and basis from the patches of ``[B, 3, H, W]``."""
        patches = F.pixel_unshuffle(pad(pictures, self.stride), self.stride)
        vectors = patches.permute(0, 2, 3, 1).flatten(0, 2).double()
        spread, basis = torch.linalg.eigh(torch.cov(vectors.T))
        self.mean.copy_(vectors.mean(dim=0))
        count = len(self.spread)
        self.spread.copy_(spread.flip(0)[:count].clamp_min(_LEAST_SPREAD))
        self.analysis.copy_(basis.flip(1).T[:count])
        self.synthesis.copy_(self.analysis)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Components of ``[B, 3, H, W]``, each of variance 1: ``[B, n, H / s, W / s]``."""
        centred = F.pixel_unshuffle(pictures, self.stride) - self.mean[:, None, None]
        whiten = self.analysis * self.spread.rsqrt()[:, None]
        return F.conv2d(centred, whiten[:, :, None, None])

    def inverse(self, components: torch.Tensor) -> torch.Tensor:
        """Pictures, less their mean, from components ``[B, n, h, w]``, each of variance 1."""
        colour = (self.synthesis * self.spread[:, None].sqrt()).T
        return F.pixel_shuffle(F.conv2d(components, colour[:, :, None, None]), self.stride)


class NestedJSCC(JSCC):
    """One network for all SNRs and many rates: the first channels carry the most, the last can be left out.

    ::

        picture -+- KLT ----------- * power * gain -(+)- + pilot -> latent: the first channels
                 +-> blocks -> gain, offset ---------/
        latent --- level from pilot, LMMSE -+- * gain --- inverse KLT -(+)-> picture
                                            +-> blocks -> gain, correction --/

    The straight path is a linear code: decorrelating patch transform, the power that is best for the SNR,
    linear MMSE at the receiver. `fit_linear` sets it from pictures, and what the blocks add starts
    at zero: training begins at the linear code. All blocks are told the SNR and the number of channels by
    FiLM; the receiver takes zeros for channels that were not sent.

    Power is normalised for every picture, so the receiver would not know how strong the values were. A pilot
    of fixed level, 2 % of the mean power in a checkerboard that no content occupies, tells it.

    Parameters
    ----------
    channels:
        Latent channels at the full rate. With stride 16 CBR is channels / 1536: 256 for 1/6, 64 for 1/24.
    strides, widths, depths:
        One entry a stage, fine to coarse: pixels per position, filters, residual blocks. Strides double;
        the last is the latent's.
    context:
        Width of what SNR and rate are embedded in.
    """

    nested = True

    def __init__(
        self,
        channels: int = 256,
        strides: Sequence[int] = (8, 16),
        widths: Sequence[int] = (128, 256),
        depths: Sequence[int] = (2, 4),
        context: int = 64,
    ) -> None:
        stages = {"strides": list(strides), "widths": list(widths), "depths": list(depths)}
        super().__init__({"channels": channels, **stages, "context": context}, channels, snr_adaptive=True)
        doubles = all(2 * fine == coarse for fine, coarse in pairwise(strides))
        if not (len(strides) == len(widths) == len(depths) > 0 and doubles):
            raise ValueError(
                "strides, widths and depths need one entry a stage and strides that double, "
                f"got {list(strides)}, {list(widths)}, {list(depths)}"
            )
        self.stride = strides[-1]
        if channels > 3 * self.stride**2:
            raise ValueError(
                f"a patch of {self.stride} x {self.stride} pixels has {3 * self.stride**2} components, "
                f"not {channels}"
            )
        self.embed = nn.Sequential(nn.Linear(4, context), nn.GELU(), nn.Linear(context, context), nn.GELU())
        first, last = 3 * strides[0] ** 2, widths[-1]
        self.fine = strides[0]
        self.transform = _Transform(self.stride, channels)
        self.log_deviation = nn.Parameter(torch.zeros(channels))

        self.stem = nn.Conv2d(first, widths[0], 1)
        self.down = nn.ModuleList(nn.Conv2d(4 * fine, coarse, 1) for fine, coarse in pairwise(widths))
        self.encoder = nn.ModuleList(_Stage(w, d, context) for w, d in zip(widths, depths, strict=True))
        self.to_latent = _zero(nn.Conv2d(last, 2 * channels, 1))

        self.from_latent = nn.Conv2d(channels, last, 1)
        self.decoder = nn.ModuleList(_Stage(w, d, context) for w, d in zip(widths, depths, strict=True))
        self.to_gain = _zero(nn.Conv2d(last, channels, 1))
        self.up = nn.ModuleList(nn.Conv2d(coarse, 4 * fine, 1) for fine, coarse in pairwise(widths))
        self.to_patches = _zero(nn.Conv2d(widths[0], first, 1))

    @torch.no_grad()
    def fit_linear(self, pictures: torch.Tensor) -> None:
        """Set the linear code from pictures, before training.

        Parameters
        ----------
        pictures:
            ``[B, 3, H, W]``, 0 to 1, of several times ``3 stride²`` patches.
        """
        self.transform.fit(pictures)
        self.log_deviation.copy_(0.5 * self.transform.spread.log())

    def _context(self, snr_db: torch.Tensor, channels: int) -> torch.Tensor:
        snr = snr_db / _SNR_SCALE_DB
        rate = torch.full_like(snr, channels / self.channels)
        return torch.as_tensor(self.embed(torch.stack([snr, snr.square() / 2, rate, rate.log2() / 2], dim=1)))

    def _power(self, snr_db: torch.Tensor, channels: int) -> torch.Tensor:
        """Power of each channel sent, of mean 1 (weak ones switched off at low SNR): ``[B, channels]``.

        Lee and Petersen's reverse water-filling: ``p_i = m s_i - 1 / SNR`` where positive, s_i being the
        deviation of component i, and m such that the mean is 1.
        """
        noise = 10 ** (-snr_db[:, None] / 10)
        deviation = self.log_deviation[:channels].exp()
        ordered = deviation.sort(descending=True).values
        active = torch.arange(1, channels + 1, device=ordered.device)
        level = (channels + active * noise) / ordered.cumsum(dim=0)
        count = (level * ordered > noise).sum(dim=1, keepdim=True)
        return (level.gather(1, count - 1) * deviation - noise).clamp_min(_LEAST_POWER)

    def _analyse(self, pictures: torch.Tensor, snr_db: torch.Tensor, channels: int) -> torch.Tensor:
        context = self._context(snr_db, channels)
        power = self._power(snr_db, channels)
        straight = self.transform(pictures)[:, :channels] * power.sqrt()[:, :, None, None]
        x = self.stem(F.pixel_unshuffle(pictures, self.fine) - 0.5)
        for index, stage in enumerate(self.encoder):
            x = stage(self.down[index - 1](F.pixel_unshuffle(x, 2)) if index else x, context)
        gain, offset = self.to_latent(x).chunk(2, dim=1)
        latent = straight * _bounded(gain[:, :channels]) + offset[:, :channels]
        pilot = _checkerboard(latent)
        content = (latent * pilot).mean(dim=(1, 2, 3), keepdim=True)
        return latent + (_PILOT_SHARE**0.5 - content) * pilot

    def _restore(self, latent: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        """Undo the power normalisation, as the pilot shows it, and take the pilot away."""
        pilot = _checkerboard(latent)
        shrunk = (2.0 / _PILOT_SHARE) ** 0.5 * (latent * pilot).mean(dim=(1, 2, 3))
        error = 10 ** (-snr_db / 10) / (_PILOT_SHARE * latent[0].numel())
        shrunk = 1 + _LEVEL_VARIANCE / (_LEVEL_VARIANCE + error) * (shrunk - 1)
        level = 2**0.5 / shrunk.clamp_min(_LEAST_LEVEL)
        return latent * level[:, None, None, None] - _PILOT_SHARE**0.5 * pilot

    def _synthesise(self, latent: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        channels = latent.shape[1]
        context = self._context(snr_db, channels)
        power = self._power(snr_db, channels)
        lmmse = power.sqrt() / (power + 10 ** (-snr_db[:, None] / 10))
        latent = self._restore(latent, snr_db) * lmmse[:, :, None, None]
        latent = F.pad(latent, (0, 0, 0, 0, 0, self.channels - channels))

        natural = latent * (0.5 * self.log_deviation).exp()[:, None, None]  # strong components stand out
        x = self.decoder[-1](self.from_latent(natural), context)
        straight = self.transform.inverse(latent * _bounded(self.to_gain(x)))
        for index in reversed(range(len(self.up))):
            x = self.decoder[index](F.pixel_shuffle(self.up[index](x), 2), context)
        mean = F.pixel_shuffle(self.transform.mean[:, None, None], self.stride).repeat(1, *latent.shape[2:])
        pictures = mean + straight + F.pixel_shuffle(self.to_patches(x), self.fine)
        return pictures if self.training else pictures.clamp(0, 1)


def _bounded(gain: torch.Tensor) -> torch.Tensor:
    """A factor between 1/e² and e², 1 for 0."""
    return (2 * torch.tanh(gain / 2)).exp()


def _checkerboard(latent: torch.Tensor) -> torch.Tensor:
    """``[h, w]`` of +1 and -1, alternating, for ``[B, channels, h, w]``."""
    rows, columns = (torch.arange(side, device=latent.device) for side in latent.shape[2:])
    return 1 - 2 * ((rows[:, None] + columns) % 2).to(latent)
