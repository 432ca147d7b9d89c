"""What the user gave and cannot work, as one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from semantic.zoo.missing import WeightsMissing

__all__ = ["InputError", "input_errors"]


@contextmanager
def input_errors() -> Iterator[None]:
    """Turn what the rooms below raise about their inputs into an `InputError`.

    Put it around checks and look-ups only: around a simulation it would hide a defect.
    """
    try:
        yield
    except (ValueError, ImportError, WeightsMissing) as error:
        raise InputError(" ".join(str(error).split())) from error


class InputError(Exception):
    """Something the user gave cannot work; the message is the one line to show."""
