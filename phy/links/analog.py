"""Real-valued payloads as complex symbols over a channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from phy.channels.channel import Channel, SymbolReception
from phy.links.passage import check_snr
from phy.random import Stream
from phy.units import EsN0

__all__ = ["AnalogLink"]


@dataclass(frozen=True)
class AnalogLink:
    """Real-valued payloads as complex symbols, each row sent at unit average power.

    Differentiable from the received symbols back to the sent ones, through the power normalisation too.

    Parameters
    ----------
    channel:
        What a row passes through.

    Examples
    --------
    >>> from phy.channels.flat import AWGN
    >>> sent = torch.full((1, 4), 3.0 + 4.0j, dtype=torch.complex64)
    >>> AnalogLink(AWGN())(sent, EsN0(20.0), [Stream(1)]).scale
    tensor([0.2000])
    """

    channel: Channel

    @property
    def name(self) -> str:
        """Name as it stands in results."""
        return f"analog / {self.channel.name}"

    def __call__(self, symbols: torch.Tensor, snr: EsN0, streams: Sequence[Stream]) -> SymbolReception:
        """Normalise and send one transmission a row.

        Parameters
        ----------
        symbols:
            ``[batch, N]``, ``torch.complex64``. A row of zeros is sent as zeros, with scale 1.
        snr:
            Es/N0 a channel use.
        streams:
            One a row: fading and noise.

        Returns
        -------
        SymbolReception
            Equalised symbols on the scale of unit power. `SymbolReception.scale` is the factor that the
            sender applied; a receiver that divides by it must have been told, which costs channel uses.

        Raises
        ------
        ValueError
            If the symbols are not complex of shape ``[batch, N]``, one of them is NaN or infinite, the SNR is
            no `EsN0`, or there is not one stream a row.
        """
        check_snr(snr)
        sent, scale = self.modulate(symbols)
        return replace(self.channel(sent, snr, streams), scale=scale)

    def modulate(self, symbols: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Scale each row of ``[batch, N]`` to unit power: what is sent, and the factors ``[batch]``.

        Raises
        ------
        ValueError
            If the symbols are not complex of shape ``[batch, N]``, or one of them is NaN or infinite.
        """
        if symbols.ndim != 2 or not symbols.is_complex():
            raise ValueError(
                f"symbols must be complex of shape [batch, N], got {symbols.dtype} {tuple(symbols.shape)}"
            )
        parts = torch.view_as_real(symbols)
        power = parts.double().square().sum(dim=-1).mean(dim=-1)
        if not bool(torch.isfinite(power).all()):
            raise ValueError("symbols must be finite, got NaN or infinity")
        scale = torch.where(power > 0, power, torch.ones_like(power)).rsqrt().to(parts.dtype)
        return torch.view_as_complex(parts * scale[:, None, None]), scale
