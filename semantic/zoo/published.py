"""What is published elsewhere and can be brought here: one protocol for checkpoints, models and data sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

__all__ = ["Published", "Report", "say_missing", "size_of"]

Report = Callable[[str, int, int], None]
"""Told of progress: the file's name, bytes that are here, bytes in all."""


class Published(Protocol):
    """Something to download: a `Checkpoint`, a model's `Preset` or a `DataSet`."""

    @property
    def fetched_as(self) -> str:
        """What ``semphy fetch`` calls it."""

    @property
    def size_bytes(self) -> int:
        """What the download amounts to, about."""

    @property
    def licence(self) -> str:
        """As stated where it is published."""

    @property
    def checked(self) -> str:
        """How it is known to be what it should be."""

    @property
    def placed_by(self) -> str:
        """Variable of the environment that says where it is to lie."""

    @property
    def is_here(self) -> bool:
        """Whether nothing is left to do."""

    def fetch(self, report: Report | None = None) -> Path:
        """Download it unless it is here, and return where it lies.

        Parameters
        ----------
        report:
            Called as bytes come in, by those who know.

        Raises
        ------
        ValueError
            If nothing publishes it, or what came is not what was published.
        OSError
            If there is no connection, or it broke off.
        """


def size_of(thing: Published) -> str:
    """What its download amounts to, for people."""
    count = thing.size_bytes
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def say_missing(things: Sequence[Published]) -> str:
    """One line on things that are not on this machine, and the one command that gets them all."""
    each = ", ".join(f"{thing.fetched_as} ({size_of(thing)}, licence {thing.licence})" for thing in things)
    are = "is" if len(things) == 1 else "are"
    return (
        f"{each} {are} missing on this machine; get {'it' if are == 'is' else 'them'} with: semphy fetch "
        + (" ".join(thing.fetched_as for thing in things))
    )
