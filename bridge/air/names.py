"""Carriages by name, as the command line writes them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from bridge.air.analog import Analog
from bridge.air.carriage import Carriage, Digital, Fill
from bridge.air.schemes import Scheme, parse_schemes
from phy.channels.channel import Channel
from phy.coding.decoding import Decoding
from phy.modulation import Modulation

__all__ = ["parse_carriage"]


def parse_carriage(text: str, channel: Channel, decoding: Decoding | None = None) -> tuple[str, Carriage]:
    """Read how a payload is written and carried.

    Parameters
    ----------
    text:
        ``digital:FORM:SCHEMES`` with a quantiser, text coder or image codec as form and schemes joined by
        ``|``, or a constellation alone, whose code rate fills the channel uses; ``digital:FORM:1-qam16``
        is uncoded. Or ``analog``, with ``repeat=N`` or ``repeat=fill``, and ``mmse`` or ``zf``, behind it:
        ``analog:repeat=2+mmse`` (`bridge.air.carriage.Analog`).
    channel, decoding:
        As in `bridge.air.carriage.Digital`.

    Returns
    -------
    str, Carriage
        The form (empty if analog) and the carriage.

    Raises
    ------
    ValueError
        If the text is neither.

    Examples
    --------
    >>> from phy.channels.flat import AWGN
    >>> form, carriage = parse_carriage("digital:lloyd-max:4:1/2-qam16", AWGN())
    >>> form, carriage.name
    ('lloyd-max:4', '1/2-qam16')
    """
    decoding = decoding or Decoding()
    kind, _, rest = text.partition(":")
    if kind == "analog":
        return "", _analog(text, rest, Analog(channel, decoding=decoding))
    form, _, last = rest.rpartition(":")
    if kind != "digital" or not form or not last:
        raise ValueError(
            f"carriage {text!r} is neither digital:FORM:SCHEMES, for example digital:lloyd-max:4:1/2-qam16, "
            "nor analog, for example analog:repeat=2+mmse"
        )
    if not re.match(r"[\d./]+-", last):  # no rate in front
        return form, Digital(channel, Fill(Modulation(last).name), decoding)
    schemes = tuple(_uncoded(scheme) for scheme in parse_schemes(last.replace("|", ",")))
    return form, Digital(channel, schemes, decoding)


def _uncoded(scheme: Scheme) -> Scheme:
    return replace(scheme, code="none") if scheme.rate == 1 else scheme


def _analog(text: str, options: str, analog: Analog) -> Analog:
    asked: dict[str, Any] = {}
    for option in options.split("+") if options else ():
        name, _, value = option.partition("=")
        if option in ("mmse", "zf") and "mmse" not in asked:
            asked["mmse"] = option == "mmse"
        elif name == "repeat" and (value == "fill" or value.isdecimal()) and "repetition" not in asked:
            asked["repetition"] = None if value == "fill" else int(value)
        else:
            raise ValueError(
                f"carriage {text!r}: analog takes repeat=N or repeat=fill, and mmse or zf, got {option!r}"
            )
    return replace(analog, **asked)
