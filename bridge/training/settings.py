"""What may be chosen for trainings of one's own: how it is read, and how it is spelled."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["base_folder", "read_levels", "spelled"]


def spelled(name: str, settings: Mapping[str, Any]) -> str:
    """What to say to ``semphy train``, folders by their names only.

    Examples
    --------
    >>> spelled("corrector", {"base": "models/bart", "link": "1-qpsk"})
    'corrector --base bart --link 1-qpsk'
    """
    told = {**settings, **({"base": Path(settings["base"]).name} if "base" in settings else {})}
    return " ".join([name, *(f"--{key} {value}" for key, value in told.items())])


def base_folder(base: str) -> Path:
    """Where the BART lies that goes on learning: a preset or a folder.

    Raises
    ------
    ValueError
        If it is neither, or no BART.
    semantic.zoo.weights.WeightsMissing
        If the preset is not on this machine.
    """
    from bridge.models import Models

    return Models((("corrector", base),)).check("corrector")


def read_levels(text: str) -> tuple[float, float]:
    """Read an SNR in decibels, ``19``, or a range of them, ``0:20``: lowest and highest.

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> read_levels("19"), read_levels("-4:20")
    ((19.0, 19.0), (-4.0, 20.0))
    """
    low, _, high = text.partition(":")
    try:
        levels = float(low), float(high or low)
    except ValueError:
        levels = (math.nan, math.nan)
    if not -math.inf < levels[0] <= levels[1] < math.inf:
        raise ValueError(
            f"--snr is an Es/N0 in decibels, such as 19, or LOW:HIGH, such as 0:20; got {text!r}"
        )
    return levels
