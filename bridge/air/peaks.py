"""How far the strongest symbol of a transmission stands above the mean."""

from __future__ import annotations

import math

import torch

from bridge.air.transmission import SymbolPart, Transmission
from phy.links.digital import DigitalLink

__all__ = ["papr_db"]


def papr_db(transmission: Transmission) -> dict[str, float | None]:
    """Peak-to-average power ratio of each part's symbols, in decibels, by the part's name.

    PAPR = max |x|^2 / mean |x|^2 over the complex symbols x of the part as its link sends them: at symbol
    rate, before any pulse shaping or multicarrier modulation, and of this one block. The mean is that of the
    block, not the unit power of the constellation.

    Returns
    -------
    dict of str to float or None
        None for what has no symbols (the ideal links of bounds), or only zeros.

    Examples
    --------
    >>> from bridge.air.ledger import Entry
    >>> from phy.channels.flat import AWGN
    >>> from phy.links.analog import AnalogLink
    >>> entry = Entry("pilot", 0, 0, 0, 0, 0, 4)
    >>> symbols = torch.tensor([1.0, 1.0, 1.0, 3.0], dtype=torch.complex64)
    >>> ratios = papr_db(Transmission((SymbolPart("pilot", symbols, AnalogLink(AWGN()), (entry,)),)))
    >>> round(ratios["pilot"], 2)  # 9 over a mean of 3
    4.77
    """
    found: dict[str, float | None] = {}
    for part in transmission.parts:
        symbols = None
        if isinstance(part, SymbolPart):
            symbols = part.symbols
        elif isinstance(part.link, DigitalLink):
            symbols = part.link.modulate(part.bits[None])
        found[part.name] = None if symbols is None else _ratio_db(symbols)
    return found


def _ratio_db(symbols: torch.Tensor) -> float | None:
    power = symbols.detach().abs().double().square()
    mean = float(power.mean()) if power.numel() else 0.0
    return 10.0 * math.log10(float(power.max()) / mean) if mean > 0 else None
