"""Channels by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature

from phy.channels.binary import BEC, BSC, BitChannel
from phy.channels.channel import Channel
from phy.channels.flat import AWGN, Rayleigh, Rician

__all__ = ["BIT_CHANNELS", "parse_bit_channel", "parse_channel"]

BIT_CHANNELS: dict[str, BitChannel] = {"bsc": BSC(), "bec": BEC()}
"""Channels of bits, by name."""


def parse_bit_channel(text: str) -> BitChannel | None:
    """Read a channel of bits from its name; None for a channel of symbols.

    Examples
    --------
    >>> parse_bit_channel("BSC"), parse_bit_channel("awgn")
    (BSC(), None)
    """
    return BIT_CHANNELS.get(text.strip().lower())


def parse_channel(text: str) -> Channel:
    """Read a channel from its name.

    Parameters
    ----------
    text:
        ``awgn``; ``rayleigh`` (fast), ``rayleigh-block`` or ``rayleigh:coherence=24``; the same for
        ``rician`` with ``k_db=6``; ``tdl-a`` to ``tdl-e`` with any of the parameters of
        `phy.channels.tdl.TDL`, for example ``tdl-c:delay_spread=100e-9,speed=3``. Parameters are separated
        by commas.

    Raises
    ------
    ValueError
        If the channel, a parameter or its value does not exist.

    Examples
    --------
    >>> parse_channel("rician-block:k_db=6")
    Rician(k_db=6.0, coherence='block')
    >>> parse_channel("rayleigh:coherence=24").name
    'rayleigh:coherence=24'
    """
    kind, _, rest = text.strip().lower().partition(":")
    parameters = dict(_parameter(item, text) for item in rest.split(",") if item)
    family, _, variant = kind.partition("-")
    makers: dict[str, Callable[..., Channel]] = {"awgn": AWGN, "rayleigh": Rayleigh, "rician": Rician}
    if family in ("rayleigh", "rician") and variant == "block":
        if "coherence" in parameters:
            raise ValueError(f"channel {text!r} names its coherence twice: write {family} or drop coherence=")
        kind, parameters["coherence"] = family, "block"
    elif family == "tdl" and variant in ("a", "b", "c", "d", "e"):
        from phy.channels.tdl import TDL  # needs Sionna, whose import takes seconds

        makers[kind] = partial(TDL, variant.upper())
    if parse_bit_channel(kind) is not None:
        raise ValueError(f"channel {text!r} carries bits, no symbols: semphy ber --channel {kind} --p RANGE")
    if kind not in makers:
        known = "awgn, rayleigh, rayleigh-block, rician, rician-block, tdl-a to tdl-e"
        raise ValueError(f"unknown channel {text!r}: use one of {known}")
    try:
        return makers[kind](**parameters)
    except TypeError as error:
        takes = ", ".join(signature(makers[kind]).parameters)
        raise ValueError(f"wrong parameters in channel {text!r}: {kind} takes {takes or 'none'}") from error


def _parameter(item: str, text: str) -> tuple[str, float | str]:
    key, _, value = item.partition("=")
    try:
        return key.strip(), float(value)
    except ValueError as error:
        raise ValueError(f"{item!r} in channel {text!r}: write name=number, as in rician:k_db=6") from error
