"""A network of our own that serves all SNRs and many rates: a linear code with a deep receiver.

References
----------
K.-H. Lee, D. P. Petersen: Optimal linear coding for vector channels. IEEE Trans. Commun. 24(12), 1976.
S. Jakubczak, D. Katabi: A cross-layer design for scalable mobile video. MobiCom 2011 (SoftCast: a linear code
of a whole picture's DCT).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from semantic.networks.jscc_codec import JSCC, pad
from semantic.networks.lapped import LocalWiener, estimate_strength
from semantic.networks.subbands import Subbands, inverse_dct

__all__ = ["NestedJSCC"]

_SNR_SCALE_DB = 10.0
_BELIEVED = 0.8  # of the noise: power goes to more bands than the average picture needs
_PILOT_SHARE = 0.02
_LEVEL_VARIANCE = 0.06  # of a picture's amplitude around the mean picture's: about 2.2 dB
_LEAST_LEVEL = 0.2
_LEAST_POWER = 1e-4
_LARGEST_SIDE = 4096  # the DCT of a whole picture takes a matrix of side², 0.2 GB here
_CORRECTED = 3  # of a window's 3 stride² coefficients the receiver's blocks see one in so many


class NestedJSCC(JSCC):
    """One network for all SNRs and many rates: the first channels carry the most, the last can be left out.

    ::

        picture - DCT - bands - * power - + pilot -> latent: the first channels
        latent - level from pilot - Wiener over frequencies - Wiener in windows, and blocks -> picture

    The sender is a linear code: the DCT of the whole picture, with the power that is best for the SNR. A
    channel of the latent is a band of frequencies (`semantic.networks.subbands`), zeros being taken for
    channels that were not sent. Only the receiver is deep. It filters twice: over frequencies, where it
    estimates how strong the picture is from the energy of what arrives, noise being known, so that nothing
    is sent for it; and in windows, where residual blocks correct that estimate and guess what is missing
    (`semantic.networks.lapped`). `fit_linear` sets the code from pictures, and what blocks add starts at
    zero: training begins at Wiener's filters.

    Power is normalised for every picture, so the receiver would not know how strong the values were. A pilot
    of fixed level, 2 % of the mean power in a checkerboard that no content occupies, tells it.

    Parameters
    ----------
    channels:
        Latent channels at the full rate. With stride 16 CBR is channels / 1536: 256 for 1/6, 64 for 1/24.
    stride:
        Pixels per position of the latent, and side of the receiver's windows.
    width, depth, context:
        Filters and number of the receiver's residual blocks, and the width of what SNR, rate and noise are
        embedded in.
    """

    nested = True
    weighs = True

    def __init__(
        self, channels: int = 256, stride: int = 16, width: int = 192, depth: int = 3, context: int = 64
    ) -> None:
        settings = {
            "channels": channels,
            "stride": stride,
            "width": width,
            "depth": depth,
            "context": context,
        }
        super().__init__(settings, channels, snr_adaptive=True)
        self.stride = stride
        if channels > 3 * stride**2:
            raise ValueError(f"a picture has {3 * stride**2} bands at stride {stride}, not {channels}")
        self.bands = Subbands(stride, channels)
        self.windows = LocalWiener(stride, 3 * stride**2 // _CORRECTED, width, depth, context)

    @torch.no_grad()
    def fit_linear(self, pictures: torch.Tensor) -> None:
        """Set the linear code from pictures, before training.

        Parameters
        ----------
        pictures:
            ``[B, 3, H, W]``, 0 to 1, dozens or more.
        """
        padded = pad(pictures, self.stride)
        self.bands.fit(padded)
        self.windows.keep(self.bands.spectrum(self.bands.log_variance[None], *padded.shape[2:])[0].exp())

    def latent_size(self, shape: Sequence[int]) -> tuple[int, int]:
        """Rows and columns of the latent of a picture of ``shape`` (height, width).

        Raises
        ------
        ValueError
            If a side is above 4,096 pixels.
        """
        if max(shape) > _LARGEST_SIDE:
            raise ValueError(
                f"NestedJSCC transforms pictures as a whole, of at most {_LARGEST_SIDE} pixels a side, got "
                f"{shape[0]} x {shape[1]}: cut or resize them"
            )
        return super().latent_size(shape)

    def _power(self, snr_db: torch.Tensor, latent: torch.Size) -> torch.Tensor:
        """Power of each coefficient sent, of mean 1, ``[B, channels, h, w]``; weak ones are off at low SNR.

        Lee and Petersen's reverse water-filling: ``p_i = m s_i - 1 / SNR`` where positive, s_i being the
        deviation of component i, and m such that the mean is 1. A picture's spectrum being its own, too many
        components cost less than too few: the noise is taken for 0.8 of what it is.
        """
        noise = _BELIEVED * 10 ** (-snr_db[:, None] / 10)
        deviation = self._variance(latent).sqrt().flatten()
        ordered = deviation.sort(descending=True).values
        active = torch.arange(1, len(deviation) + 1, device=ordered.device)
        level = (len(deviation) + active * noise) / ordered.cumsum(dim=0)
        count = (level * ordered > noise).sum(dim=1, keepdim=True)
        power = (level.gather(1, count - 1) * deviation - noise).clamp_min(_LEAST_POWER)
        return power.reshape(-1, *latent[1:])

    def _variance(self, latent: torch.Size) -> torch.Tensor:
        """Of each coefficient sent, as fitted: ``[channels, h, w]``."""
        return self.bands.table(self.bands.log_variance[None], *latent[2:])[0, : latent[1]].exp()

    def _analyse(self, pictures: torch.Tensor, snr_db: torch.Tensor, channels: int) -> torch.Tensor:
        latent = self.bands(pictures)[:, :channels]
        latent = latent * (self._power(snr_db, latent.shape) / self._variance(latent.shape)).sqrt()
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
        excess = self.bands.sums(weight * (latent.square() - noise))
        variance = 2 * self.bands.sums((weight * (power + noise)).square())
        return estimate_strength(1.0, excess, self.bands.sums(weight * power), variance).log()

    def _synthesise(
        self, latent: torch.Tensor, snr_db: torch.Tensor, noise: torch.Tensor | None = None
    ) -> torch.Tensor:
        channels, size = latent.shape[1], [self.stride * side for side in latent.shape[2:]]
        power = self._power(snr_db, latent.shape)
        if noise is None:
            noise = (10 ** (-snr_db / 10))[:, None, None, None].expand_as(latent)
        latent, noise = self._restore(latent, noise)
        strength = self._heard(latent, power, noise)
        signal = power * self.bands.table(strength, *latent.shape[2:])[:, :channels].exp()
        wiener = signal / (signal + noise)
        scale = self._variance(latent.shape) / power
        planes = inverse_dct(self.bands.join(wiener * scale.sqrt() * latent))
        heard, lost = (self.bands.join(wiener.square() * scale * part) for part in (signal, noise))
        picture = self.bands.spectrum(strength + self.bands.log_variance, *size).exp()
        rate = torch.full_like(snr_db, channels / self.channels)
        told = torch.stack([snr_db / _SNR_SCALE_DB, rate.log2() / 2], dim=1)
        error = picture - self.bands.join(wiener * scale * signal)
        pictures = self.bands.pictures(self.windows(planes, heard, lost, error, told))
        return pictures if self.training else pictures.clamp(0, 1)


def _checkerboard(latent: torch.Tensor) -> torch.Tensor:
    """``[h, w]`` of +1 and -1, alternating, for ``[B, channels, h, w]``."""
    rows, columns = (torch.arange(side, device=latent.device) for side in latent.shape[2:])
    return 1 - 2 * ((rows[:, None] + columns) % 2).to(latent)
