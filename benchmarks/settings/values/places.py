"""Files and pictures that settings name."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from benchmarks.settings.codes import Count
from semantic.samples.regular import check_regular

__all__ = ["Side", "check_place"]

LARGEST_SIDE = 8192

Side = Annotated[Count, Field(le=LARGEST_SIDE)]
"""Pixels of a side to which pictures are resized: 200 MB a picture at most."""


def check_place(place: str | None) -> str | None:
    """Return the name of a file, a folder or what else an option takes, but of no device and no pipe."""
    if place is not None:
        check_regular(place)
    return place
