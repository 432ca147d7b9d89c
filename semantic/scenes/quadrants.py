"""Quarters of a picture: what is cut out, where something lies in it, and four descriptions made one.

A quarter cut out of a picture does not show which quarter it was, so whoever describes it tells places within
it. The nine cells of the picture lie in its quarters as follows, here along one axis: the objects of the
outer cell stand free in the quarter's middle, those of the picture's middle cell at the edge where the cut
went.

::

    cells      |  first  | middle |  last   |
    quarters   |     first    |    last     |
    within     |  middle  end | start middle|

Who knows the quarter (a receiver knows by the channel on which a text came) can go back from places within it
to places in the picture: `place_in_picture`. `fuse` writes the quarter's name before each text, which costs
nothing on the air, and `semantic.scenes.parse` reads places behind such a name accordingly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from semantic.scenes.scene import PLACES, QUADRANTS

T = TypeVar("T", bound=np.generic)

__all__ = ["LEADS", "cut", "fuse", "named", "place_in_picture", "place_in_quadrant"]

LEADS = {quadrant: f"{quadrant} quarter" for quadrant in QUADRANTS}
"""What stands, with a colon, before the description of each quarter."""


def _sides(quadrant: str) -> tuple[int, int]:
    """Row and column of a quadrant, 0 or 1 each."""
    if quadrant not in QUADRANTS:
        raise ValueError(f"quadrant must be one of {', '.join(QUADRANTS)}; got {quadrant!r}")
    return divmod(QUADRANTS.index(quadrant), 2)


def cut(picture: NDArray[T], quadrant: str) -> NDArray[T]:
    """Cut a quarter out of a picture ``[height, width, ...]`` of even sides.

    Raises
    ------
    ValueError
        If there is no such quadrant.
    """
    row, column = _sides(quadrant)
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    return picture[row * height : (row + 1) * height, column * width : (column + 1) * width]


def place_in_quadrant(place: str, quadrant: str) -> str:
    """Turn a place in the picture into the place within one of its quarters.

    Raises
    ------
    ValueError
        If there is no such quadrant.

    Examples
    --------
    >>> place_in_quadrant("top", "top left")
    'right'
    """
    cells = divmod(PLACES.index(place), 3)
    row, column = (
        min(2, max(0, cell + 1 - 2 * side)) for cell, side in zip(cells, _sides(quadrant), strict=True)
    )
    return PLACES[3 * row + column]


def place_in_picture(place: str, quadrant: str) -> str:
    """Turn a place within a quarter into the place in the picture; the reverse of `place_in_quadrant`.

    Raises
    ------
    ValueError
        If there is no such quadrant.

    Examples
    --------
    >>> place_in_picture("right", "top left")
    'top'
    """
    inner = divmod(PLACES.index(place), 3)
    # In a first quarter only what touches its end belongs to the middle cell, in a last one its start.
    row, column = (
        1 + (cell > 0) if side else int(cell == 2) for cell, side in zip(inner, _sides(quadrant), strict=True)
    )
    return PLACES[3 * row + column]


def named(texts: Sequence[str]) -> list[str]:
    """Put the name of its quarter before each of four descriptions, in the order of `QUADRANTS`.

    Raises
    ------
    ValueError
        If there are not four.

    Examples
    --------
    >>> named(["A star.", "Nothing.", "Nothing.", "A ring."])[3]
    'Bottom right quarter: A ring.'
    """
    if len(texts) != len(QUADRANTS):
        raise ValueError(f"four quarters have four descriptions, got {len(texts)}")
    pairs = zip(LEADS.values(), texts, strict=True)
    return [f"{lead.capitalize()}: {text.strip()}" for lead, text in pairs]


def fuse(texts: Sequence[str]) -> str:
    """Join the descriptions of the four quarters, each behind its name (`named`).

    Examples
    --------
    >>> fuse(["A star.", "Nothing.", "Nothing.", "A ring."])
    'Top left quarter: A star. Top right quarter: Nothing. Bottom left quarter: Nothing. Bottom right \
quarter: A ring.'
    """
    return " ".join(named(texts))
