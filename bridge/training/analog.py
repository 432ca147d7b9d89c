"""Real values over our analog link, on which gradients flow; on whatever device the values are.

Fading and noise are those of the CPU, moved there, so that a training does not depend on its device.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from phy.channels.channel import Channel, SymbolReception
from phy.links.analog import AnalogLink
from phy.random import Stream
from phy.units import EsN0

__all__ = ["through", "weighed"]


def through(values: torch.Tensor, channel: Channel, snr_db: float, streams: Sequence[Stream]) -> torch.Tensor:
    """Send ``[B, 2k]`` reals as k symbols of unit mean power a row; differentiable.

    Parameters
    ----------
    values:
        ``[B, 2k]``, of any power.
    channel:
        What they pass.
    snr_db:
        Es/N0 in decibels.
    streams:
        B, of fading and noise.

    Returns
    -------
    torch.Tensor
        ``[B, 2k]``, equalised, at mean power 1/2 a real.
    """
    return _parts(_heard(values, channel, snr_db, streams))


def weighed(
    values: torch.Tensor, channel: Channel, snr_db: float, streams: Sequence[Stream]
) -> tuple[torch.Tensor, torch.Tensor]:
    """As `through`, and the noise of each value, N0/Es after equalisation, ``[B, 2k]``."""
    heard = _heard(values, channel, snr_db, streams)
    noise = heard.no.repeat_interleave(2, dim=1)
    return _parts(heard), noise


def _heard(
    values: torch.Tensor, channel: Channel, snr_db: float, streams: Sequence[Stream]
) -> SymbolReception:
    symbols = torch.view_as_complex(values.float().reshape(len(values), -1, 2))
    return AnalogLink(channel)(symbols, EsN0(snr_db), streams)


def _parts(heard: SymbolReception) -> torch.Tensor:
    return torch.view_as_real(heard.symbols).flatten(1)
