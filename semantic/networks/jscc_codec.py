"""What all joint source-channel networks for pictures share: padding, the order of values, their cost."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from semantic.zoo.pretrained import Pretrained

__all__ = ["JSCC", "pad"]


def pad(pictures: torch.Tensor, stride: int) -> torch.Tensor:
    """Repeat the last row and column until ``stride`` divides both sides."""
    height, width = pictures.shape[2:]
    if height % stride == 0 and width % stride == 0:
        return pictures
    return F.pad(pictures, (0, -width % stride, 0, -height % stride), mode="replicate")


class JSCC(Pretrained):
    """A network that codes pictures to channel values; see `semantic.networks.jscc` for the contract.

    Attributes
    ----------
    stride:
        Pixels per latent position and direction. Other sizes are padded at the bottom and the right by
        repeating the edge, and cut after decoding; the padding is sent too and counted in `channel_uses`.
    channels:
        Latent channels at the full rate, an even number. CBR is ``channels / (6 stride²)`` where the stride
        divides the picture.
    snr_adaptive:
        Whether ``encode`` and ``decode`` need ``snr_db``; else they ignore it.
    nested:
        Whether the first few channels can be sent alone.
    weighs:
        Whether ``decode`` takes the noise of each value and weighs values by it.
    """

    stride: int
    nested: bool = False
    weighs: bool = False

    def __init__(self, settings: dict[str, Any], channels: int, snr_adaptive: bool = False) -> None:
        super().__init__(settings)
        if channels < 2 or channels % 2:
            raise ValueError(
                f"latent channels must be even and positive, to pair into symbols; got {channels}"
            )
        self.channels = channels
        self.snr_adaptive = snr_adaptive

    @abstractmethod
    def _analyse(self, pictures: torch.Tensor, snr_db: torch.Tensor, channels: int) -> torch.Tensor:
        """``[B, 3, H, W]`` to the latent ``[B, channels, H / stride, W / stride]``."""

    @abstractmethod
    def _synthesise(
        self, latent: torch.Tensor, snr_db: torch.Tensor, noise: torch.Tensor | None = None
    ) -> torch.Tensor:
        """``[B, channels, h, w]`` to ``[B, 3, h stride, w stride]``; noise is as the latent."""

    def latent_size(self, shape: Sequence[int]) -> tuple[int, int]:
        """Rows and columns of the latent of a picture of ``shape`` (height, width)."""
        if len(shape) != 2 or min(shape) < 1:
            raise ValueError(f"a picture's shape is (height, width) in pixels, got {tuple(shape)}")
        return -(-shape[0] // self.stride), -(-shape[1] // self.stride)

    def channel_uses(self, shape: Sequence[int], channels: int | None = None) -> int:
        """Complex channel uses k of one picture, its padding included.

        Parameters
        ----------
        shape:
            Height and width in pixels.
        channels:
            Latent channels sent; None: all.

        Raises
        ------
        ValueError
            If the network cannot send so many channels.

        Examples
        --------
        >>> from semantic.networks.jscc import DeepJSCC2019
        >>> DeepJSCC2019(8).channel_uses((32, 32)), DeepJSCC2019(8).channel_uses((31, 29))
        (256, 256)
        """
        rows, columns = self.latent_size(shape)
        return self._checked(channels) * rows * columns // 2

    def least_channel_uses(self, shape: Sequence[int]) -> int:
        """Complex channel uses of the smallest rate for a picture of ``shape``."""
        return self.channel_uses(shape, 2 if self.nested else self.channels)

    def channels_within(self, shape: Sequence[int], channel_uses: int) -> int:
        """Most latent channels that ``channel_uses`` complex uses can carry for a picture of ``shape``.

        Raises
        ------
        ValueError
            If not even the smallest rate fits; says what it would cost.
        """
        rows, columns = self.latent_size(shape)
        channels = min(self.channels, 2 * (channel_uses // (rows * columns)))
        if channels < (2 if self.nested else self.channels):
            raise ValueError(
                f"{type(self).__name__} needs {self.least_channel_uses(shape)} channel uses or more for a "
                f"picture of {tuple(shape)}, got {channel_uses}"
            )
        return channels

    def encode(
        self, pictures: torch.Tensor, snr_db: torch.Tensor | None = None, channels: int | None = None
    ) -> torch.Tensor:
        """Channel values of a batch of pictures of one size.

        Parameters
        ----------
        pictures:
            ``[B, 3, H, W]``, floating point, 0 to 1.
        snr_db:
            ``[B]``, Es/N0 in decibels that the sender believes in; needed by SNR-adaptive networks.
        channels:
            Latent channels to send, even; None: all. Networks that are not nested send all.

        Returns
        -------
        torch.Tensor
            ``[B, 2 k]`` with k = ``channel_uses((H, W), channels)``, of the pictures' type.

        Raises
        ------
        ValueError
            If shapes do not fit, the SNR is missing, or so many channels cannot be sent.
        """
        if pictures.ndim != 4 or pictures.shape[1] != 3 or not pictures.is_floating_point():
            raise ValueError(
                "pictures are [batch, 3, height, width] of floating point, "
                f"got {list(pictures.shape)} of {pictures.dtype}"
            )
        sent = self._checked(channels)
        snr_db = self._snr(snr_db, pictures)
        return self._analyse(pad(pictures, self.stride), snr_db, sent).flatten(1)

    def decode(
        self,
        values: torch.Tensor,
        shape: Sequence[int],
        snr_db: torch.Tensor | None = None,
        noise: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Pictures from the values that arrived; how many channels were sent follows from their number.

        Parameters
        ----------
        values:
            ``[B, 2 k]``, scaled so that the signal has mean power 1/2 per real.
        shape:
            Height and width of the pictures.
        snr_db:
            ``[B]``, Es/N0 in decibels at the receiver; needed by SNR-adaptive networks.
        noise:
            ``[B, 2 k]``, N0/Es of each value after equalisation, for networks that weigh; ``snr_db`` is then
            the SNR that the sender believed in. None: all as ``snr_db`` says.

        Returns
        -------
        torch.Tensor
            ``[B, 3, H, W]``, 0 to 1 (in training mode `NestedJSCC` does not clip, so that gradients live).

        Raises
        ------
        ValueError
            If the number of values belongs to no rate of this network, the SNR is missing, or noise is given
            to a network that does not weigh.
        """
        rows, columns = self.latent_size(shape)
        if values.ndim != 2 or values.shape[1] % (rows * columns):
            raise ValueError(
                f"values of pictures of {tuple(shape)} are [batch, channels * {rows * columns}], "
                f"got {list(values.shape)}"
            )
        sent = self._checked(values.shape[1] // (rows * columns))
        latent, snr_db = values.reshape(-1, sent, rows, columns), self._snr(snr_db, values)
        if noise is None:
            pictures = self._synthesise(latent, snr_db)
        elif self.weighs and noise.shape == values.shape:
            pictures = self._synthesise(latent, snr_db, noise.to(values).reshape(latent.shape))
        else:
            takes = f"noise of shape {list(values.shape)}" if self.weighs else "no noise of each value"
            raise ValueError(f"this {type(self).__name__} takes {takes}, got {list(noise.shape)}")
        return pictures[:, :, : shape[0], : shape[1]]

    def _checked(self, channels: int | None) -> int:
        if channels is None:
            return self.channels
        if channels != self.channels and not (
            self.nested and 2 <= channels <= self.channels and channels % 2 == 0
        ):
            can = f"an even number from 2 to {self.channels}" if self.nested else f"{self.channels}"
            raise ValueError(f"latent channels of this {type(self).__name__} must be {can}, got {channels}")
        return channels

    def _snr(self, snr_db: torch.Tensor | None, like: torch.Tensor) -> torch.Tensor:
        if not self.snr_adaptive:
            return like.new_zeros(like.shape[0])
        if snr_db is None or snr_db.shape != (like.shape[0],):
            got = None if snr_db is None else list(snr_db.shape)
            raise ValueError(
                f"{type(self).__name__} adapts to the SNR: give snr_db of shape [{like.shape[0]}], got {got}"
            )
        return snr_db.to(like)
