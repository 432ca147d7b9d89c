"""Files that can be read to their end."""

from __future__ import annotations

from pathlib import Path

__all__ = ["check_regular"]


def check_regular(path: str | Path) -> Path:
    """Return a path unless a device, a pipe or a socket lies there: reading these may never end.

    Raises
    ------
    ValueError
        If one does, or the path cannot be one; quotes it. What does not exist is for the reader to say.

    Examples
    --------
    >>> check_regular("/dev/zero")
    Traceback (most recent call last):
    ValueError: '/dev/zero' is a device or a pipe, and can only be read once it is a file
    """
    place = Path(path)
    try:
        strange = place.exists() and not place.is_file() and not place.is_dir()
    except (OSError, ValueError) as error:  # too long for a name, or in a folder that nobody may enter
        raise ValueError(f"cannot look for {str(path)!r}: {error}") from error
    if strange:
        raise ValueError(f"{str(path)!r} is a device or a pipe, and can only be read once it is a file")
    return place
