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
from semantic.subbands import Subbands, dct, inverse_dct

__all__ = ["NestedJSCC"]

_Layer = TypeVar("_Layer", nn.Conv2d, nn.Linear)

_SNR_SCALE_DB = 10.0
_LEAST_ENERGY = 1e-3  # of a band against its average
_STRENGTH_VARIANCE = 3.0  # of a picture's spectrum against the fitted one's
_LEAST_STRENGTH = 0.02
_LEAST_CONTRAST = 0.05
_QUIET = 0.05  # what logarithms are multiplied by before layers that add up hundreds of them
_STEP = 0.3  # what the layers that begin at zero are multiplied by, to learn slowly beside the linear code
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


class NestedJSCC(JSCC):
    """One network for all SNRs and many rates: the first channels carry the most, the last can be left out.

    ::

        picture -+- DCT bands - maps - * gain (+) DCT - * power + pilot -> latent: the first channels
                 +-> blocks -> gain, offset ---/
        latent - level from pilot - Wiener filters - maps -+- * gain - picture -+-(+)-> picture
                                                           +-> blocks ---> blocks -> correction

    The straight path is a linear code: the DCT of the whole picture, the power that is best for the SNR, and
    Wiener's filter at the receiver, twice: over frequencies, and over places. How strong the picture is at
    each is estimated from the energy of what arrives, noise being known; nothing is sent for it.
    `fit_linear` sets this code from pictures, and what the blocks add starts at zero: training begins at the
    linear code. A channel of the latent is a band of frequencies (`semantic.subbands`); the blocks see bands
    as maps in space. They are told the SNR, the number of channels and the picture's spectrum by FiLM; the
    receiver takes zeros for channels that were not sent.

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
        Width of what SNR, rate and strength of the bands are embedded in.
    """

    nested = True
    weighs = True

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
                f"a picture has {3 * self.stride**2} bands at stride {self.stride}, not {channels}"
            )
        self.embed = nn.Sequential(nn.Linear(4, context), nn.GELU(), nn.Linear(context, context), nn.GELU())
        first, last = 3 * strides[0] ** 2, widths[-1]
        self.fine = strides[0]
        self.bands = Subbands(self.stride, channels)
        self.log_power = nn.Parameter(self.bands.log_variance.clone())

        self.stem = nn.Conv2d(first, widths[0], 1)
        self.down = nn.ModuleList(nn.Conv2d(4 * fine, coarse, 1) for fine, coarse in pairwise(widths))
        self.encoder = nn.ModuleList(_Stage(w, d, context) for w, d in zip(widths, depths, strict=True))
        self.from_bands = nn.Conv2d(2 * channels, last, 1)
        self.sent_energy = _zero(nn.Linear(channels, context))
        self.to_latent = _zero(nn.Conv2d(last, 2 * channels, 1))

        self.from_latent = nn.Conv2d(2 * channels, last, 1)
        self.decoder = nn.ModuleList(_Stage(w, d, context) for w, d in zip(widths, depths, strict=True))
        self.heard_energy = _zero(nn.Linear(self.bands.log_variance.numel(), context))
        self.to_gain = _zero(nn.Conv2d(last, channels, 1))
        self.up = nn.ModuleList(nn.Conv2d(coarse, 4 * fine, 1) for fine, coarse in pairwise(widths))
        self.look = nn.Conv2d(first, widths[0], 1)
        self.to_patches = _zero(nn.Conv2d(widths[0], first, 1))

    @torch.no_grad()
    def fit_linear(self, pictures: torch.Tensor) -> None:
        """Set the linear code from pictures, before training.

        Parameters
        ----------
        pictures:
            ``[B, 3, H, W]``, 0 to 1, dozens or more.
        """
        self.bands.fit(pad(pictures, self.stride))
        self.log_power.copy_(self.bands.log_variance)

    def _context(self, snr_db: torch.Tensor, channels: int) -> torch.Tensor:
        snr = snr_db / _SNR_SCALE_DB
        rate = torch.full_like(snr, channels / self.channels)
        return torch.as_tensor(self.embed(torch.stack([snr, snr.square() / 2, rate, rate.log2() / 2], dim=1)))

    def _power(self, snr_db: torch.Tensor, latent: torch.Size) -> torch.Tensor:
        """Power of each coefficient sent, of mean 1, ``[B, channels, h, w]``; weak ones are off at low SNR.

        Lee and Petersen's reverse water-filling: ``p_i = m s_i - 1 / SNR`` where positive, s_i being the
        deviation of component i, and m such that the mean is 1.
        """
        noise = 10 ** (-snr_db[:, None] / 10)
        deviation = self._deviation(latent, self.log_power).flatten()
        ordered = deviation.sort(descending=True).values
        active = torch.arange(1, len(deviation) + 1, device=ordered.device)
        level = (len(deviation) + active * noise) / ordered.cumsum(dim=0)
        count = (level * ordered > noise).sum(dim=1, keepdim=True)
        power = (level.gather(1, count - 1) * deviation - noise).clamp_min(_LEAST_POWER)
        return power.reshape(-1, *latent[1:])

    def _deviation(self, latent: torch.Size, log_variance: torch.Tensor) -> torch.Tensor:
        """Of each coefficient sent, by a table over frequencies: ``[channels, h, w]``."""
        return (0.5 * self.bands.table(log_variance[None], *latent[2:])[0, : latent[1]]).exp()

    def _seen(self, maps: torch.Tensor) -> torch.Tensor:
        """What blocks see of maps: themselves, and logarithms of their energy around a place."""
        scaled = maps / self.bands.deviation[:, None, None]
        energy = F.avg_pool2d(scaled.square(), 3, 1, 1, count_include_pad=False)
        return torch.cat([scaled, _QUIET * (energy + _LEAST_ENERGY).log()], dim=1)

    def _analyse(self, pictures: torch.Tensor, snr_db: torch.Tensor, channels: int) -> torch.Tensor:
        maps = inverse_dct(self.bands(pictures))
        natural = self.bands.deviation[:, None, None]
        energy = (maps / natural).square().mean(dim=(2, 3)) + _LEAST_ENERGY
        context = self._context(snr_db, channels) + self.sent_energy(_QUIET * energy.log())
        x = self.stem(F.pixel_unshuffle(pictures, self.fine) - 0.5)
        for index, stage in enumerate(self.encoder):
            x = self.down[index - 1](F.pixel_unshuffle(x, 2)) if index else x
            x = stage(x + self.from_bands(self._seen(maps)) if stage is self.encoder[-1] else x, context)
        gain, offset = (_STEP * self.to_latent(x)).chunk(2, dim=1)
        latent = dct(maps * _bounded(gain) + offset * natural)[:, :channels]
        latent = (
            latent
            * self._power(snr_db, latent.shape).sqrt()
            / self._deviation(latent.shape, self.bands.log_variance)
        )
        pilot = _checkerboard(latent)
        content = (latent * pilot).mean(dim=(1, 2, 3), keepdim=True)
        return latent + (_PILOT_SHARE**0.5 - content) * pilot

    def _restore(self, latent: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Undo the power normalisation, as the pilot shows it, and take the pilot away.

        Returns the latent and its noise variance, both ``[B, channels, h, w]``.
        """
        pilot = _checkerboard(latent)
        weight = 1 / (1 + noise)
        weight = weight / weight.sum(dim=(1, 2, 3), keepdim=True)
        shrunk = (2.0 / _PILOT_SHARE) ** 0.5 * (weight * latent * pilot).sum(dim=(1, 2, 3), keepdim=True)
        error = (weight.square() * noise).sum(dim=(1, 2, 3), keepdim=True) / _PILOT_SHARE
        shrunk = 1 + _LEVEL_VARIANCE / (_LEVEL_VARIANCE + error) * (shrunk - 1)
        power = shrunk.clamp_min(_LEAST_LEVEL) ** -2
        return latent * (2 * power).sqrt() - _PILOT_SHARE**0.5 * pilot, power * noise

    def _heard(self, latent: torch.Tensor, power: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Estimate how strong the picture is against the fitted spectrum, from nothing but what arrived.

        At every node, linear MMSE from the energies of its coefficients, of which noise is a known part; the
        noisier ones count less.

        Returns
        -------
        torch.Tensor
            Natural logarithm at the nodes of a table over frequencies, ``[B, 3, 11, 11]``.
        """
        weight = (1 + noise) ** -2
        expected = self.bands.sums(weight * power)
        excess = self.bands.sums(weight * (latent.square() - noise)) - expected
        variance = 2 * self.bands.sums((weight * (power + noise)).square())
        gain = _STRENGTH_VARIANCE * expected / (_STRENGTH_VARIANCE * expected.square() + variance + 1e-9)
        return (1 + gain * excess).clamp_min(_LEAST_STRENGTH).log()

    def _contrast(self, maps: torch.Tensor, signal: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Wiener's factors, place by place, for maps that have been through his filter for frequencies.

        How much stronger than everywhere a picture is around a place is estimated from all bands but the
        lowest, in 3 x 3 positions.

        Parameters
        ----------
        maps:
            ``[B, n, h, w]``.
        signal, noise:
            Mean squares of each map's parts ``[B, n]``.

        Returns
        -------
        torch.Tensor
            ``[B, n, h, w]``, 1 for the lowest bands.
        """
        lowest = (self.bands.order[: maps.shape[1]] % self.stride**2 == 0)[:, None, None]
        signal, noise = signal[:, :, None, None], noise[:, :, None, None]
        weight = torch.where(lowest, 0.0, signal / (signal + noise).square())
        excess = (weight * (maps.square() - noise)).sum(dim=1, keepdim=True)
        excess = F.avg_pool2d(excess, 3, 1, 1, count_include_pad=False)
        total = (weight * signal).sum(dim=1, keepdim=True)
        strength = (excess / total.clamp_min(_LEAST_POWER)).clamp_min(_LEAST_CONTRAST)
        return torch.where(lowest, 1.0, strength * (signal + noise) / (strength * signal + noise))

    def _synthesise(
        self, latent: torch.Tensor, snr_db: torch.Tensor, noise: torch.Tensor | None = None
    ) -> torch.Tensor:
        channels = latent.shape[1]
        power = self._power(snr_db, latent.shape)
        if noise is None:
            noise = (10 ** (-snr_db / 10))[:, None, None, None].expand_as(latent)
        latent, noise = self._restore(latent, noise)
        strength = self._heard(latent, power, noise)
        context = self._context(snr_db, channels) + self.heard_energy(_QUIET * strength.flatten(1))
        signal = power * self.bands.table(strength, *latent.shape[2:])[:, :channels].exp()
        deviation = self._deviation(latent.shape, self.bands.log_variance)
        factor = signal / (signal + noise) * deviation / power.sqrt()
        maps = inverse_dct(factor * latent)
        maps = maps * self._contrast(
            maps, *((factor.square() * part).mean(dim=(2, 3)) for part in (signal, noise))
        )
        maps = F.pad(maps, (0, 0, 0, 0, 0, self.channels - channels))

        x = self.from_latent(self._seen(maps))
        if self.up:
            x = self.decoder[-1](x, context)
        pictures = self.bands.inverse(dct(maps * _bounded(_STEP * self.to_gain(x))))
        for index in reversed(range(len(self.up))):
            x = F.pixel_shuffle(self.up[index](x), 2)
            if index:
                x = self.decoder[index](x, context)
        x = self.decoder[0](x + self.look(F.pixel_unshuffle(pictures - 0.5, self.fine)), context)
        pictures = pictures + F.pixel_shuffle(_STEP * self.to_patches(x), self.fine)
        return pictures if self.training else pictures.clamp(0, 1)


def _bounded(gain: torch.Tensor) -> torch.Tensor:
    """A factor between 1/e² and e², 1 for 0."""
    return (2 * torch.tanh(gain / 2)).exp()


def _checkerboard(latent: torch.Tensor) -> torch.Tensor:
    """``[h, w]`` of +1 and -1, alternating, for ``[B, channels, h, w]``."""
    rows, columns = (torch.arange(side, device=latent.device) for side in latent.shape[2:])
    return 1 - 2 * ((rows[:, None] + columns) % 2).to(latent)
