"""Names that were meant: what an unknown one is nearest to."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["meant"]


def meant(name: str, names: Iterable[str]) -> str:
    """Say which of some names another one is nearest to; empty where none is near.

    Examples
    --------
    >>> meant("cod.k", ["code.k", "seed"]), meant("fog", ["awgn", "rayleigh"])
    ('; did you mean code.k?', '')
    """
    near = get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""
