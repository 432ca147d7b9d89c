"""All constellations by name. Nothing else needs to be imported to know them."""

from __future__ import annotations

import re

__all__ = ["APSK_RADII", "MODULATIONS", "NATURAL", "TURNING", "canonical"]

APSK_RADII: dict[str, tuple[float, ...]] = {
    "apsk16-2/3": (3.15,),
    "apsk16-3/4": (2.85,),
    "apsk16-4/5": (2.75,),
    "apsk16-5/6": (2.70,),
    "apsk16-8/9": (2.60,),
    "apsk16-9/10": (2.57,),
    "apsk32-3/4": (2.84, 5.27),
    "apsk32-4/5": (2.72, 4.87),
    "apsk32-5/6": (2.64, 4.64),
    "apsk32-8/9": (2.54, 4.33),
    "apsk32-9/10": (2.53, 4.30),
}
"""Radii of the outer rings over that of the innermost, which DVB-S2 chooses by the code rate behind the name
(EN 302 307-1, tables 9 and 10)."""

TURNING = "pi2-bpsk"
"""The one whose points turn from symbol to symbol."""

MODULATIONS: dict[str, int] = {
    "bpsk": 1,
    TURNING: 1,
    "qpsk": 2,
    "pam4": 2,
    "psk8": 3,
    "pam8": 3,
    "qam16": 4,
    "pam16": 4,
    **{name: 4 for name in APSK_RADII if name.startswith("apsk16")},
    "qam32": 5,
    **{name: 5 for name in APSK_RADII if name.startswith("apsk32")},
    "qam64": 6,
    "qam256": 8,
    "qam1024": 10,
}
"""Bits of a symbol, by the name of the constellation."""

NATURAL = "-natural"
_SQUARE = ("qam16", "qam64", "qam256", "qam1024")


def _number_first(name: str) -> str:
    return re.sub(r"^([a-z]+)(\d+)", r"\2\1", name)


_SPELLED = {
    spelling.replace("-", ""): name for name in MODULATIONS for spelling in (name, _number_first(name))
} | {"4qam": "qpsk", "qam4": "qpsk", "pam2": "bpsk", "2pam": "bpsk", "pi/2bpsk": TURNING}


def canonical(name: str) -> str:
    """Return the one spelling of a constellation's name.

    Raises
    ------
    ValueError
        If there is none; lists those that there are.

    Examples
    --------
    >>> canonical("16QAM"), canonical("8psk"), canonical("pi/2-BPSK"), canonical("16apsk-3/4")
    ('qam16', 'psk8', 'pi2-bpsk', 'apsk16-3/4')
    """
    spelled = name.strip().lower()
    found = _SPELLED.get(spelled.removesuffix(NATURAL).replace("-", ""))
    natural = spelled.endswith(NATURAL)
    if found is None or (natural and found not in _SQUARE):
        raise ValueError(
            f"unknown modulation {name!r}: use one of {', '.join(MODULATIONS)} (16qam for qam16 etc.), "
            f"square ones from qam16 on also with {NATURAL}"
        )
    return found + NATURAL if natural else found
