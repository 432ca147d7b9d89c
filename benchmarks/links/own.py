"""Links of the user's own: objects in a Python file, and which code of theirs is at work in a link."""

from __future__ import annotations

import dataclasses
import inspect
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from benchmarks.links.sweepable import Decided, Sweepable, check_link
from benchmarks.settings.errors import InputError, input_errors
from bridge.own import OwnCode
from phy.lazily import torch
from phy.random import Stream
from semantic.zoo.digests import digest_of

__all__ = ["OwnLink", "source_of"]


@dataclass(frozen=True)
class OwnLink:
    """The link that a file calls by a name, ``FILE.py:NAME``; other processes take it from there, too.

    ``NAME`` is a link (`benchmarks.links.sweepable.Sweepable`), or what makes one when it is called without
    arguments, as a class does.

    Parameters
    ----------
    place:
        ``FILE.py:NAME``.
    digest:
        What the file, the modules that it imports and the files that it names were when the run began.
    """

    place: str
    digest: str

    @classmethod
    def of(cls, place: str) -> OwnLink:
        """Take a link from its place.

        Raises
        ------
        InputError
            If there is no such file or name, or the object is no link.
        """
        link = _taken(place)
        file, _, name = place.rpartition(":")
        with input_errors():
            return cls(place, OwnCode.read(file).identity(name, link))

    def __reduce__(self) -> tuple[Any, ...]:
        return _unchanged, (self.place, self.digest)

    @cached_property
    def link(self) -> Sweepable:
        """The object."""
        return _taken(self.place)

    @property
    def name(self) -> str:
        """The object's own name."""
        return self.link.name

    @property
    def k(self) -> int:
        """Information bits a row."""
        return self.link.k

    @property
    def channel_uses(self) -> int:
        """Complex channel uses a row."""
        return self.link.channel_uses

    def describe(self) -> dict[str, Any]:
        """What the object says of itself, and the digest of its code."""
        return {**self.link.describe(), "own": self.digest}

    def __call__(self, bits: torch.Tensor, snr: Any, streams: Sequence[Stream]) -> Decided:
        """Send bits through the object."""
        return self.link(bits, snr, streams)


@lru_cache(maxsize=8)
def _unchanged(place: str, digest: str) -> OwnLink:
    """Take a link in another process, which must find what the first one found."""
    link = OwnLink.of(place)
    if link.digest != digest:
        raise InputError(f"{place} has changed since the run began; run the command again")
    return link


@lru_cache(maxsize=8)
def _taken(place: str) -> Sweepable:
    file, colon, name = place.rpartition(":")
    if not colon or not name:
        raise InputError(f"a link of one's own is written FILE.py:NAME, got {place!r}")
    with input_errors():
        found = OwnCode.read(file).take(name)
    made = found() if inspect.isclass(found) or inspect.isfunction(found) else found
    return check_link(made, place)


_OURS = ("phy", "semantic", "bridge", "benchmarks", "semphy")


def source_of(link: object) -> str | None:
    """Digest of the sources of all classes at work in a link that are neither installed nor this package's.

    Raises
    ------
    InputError
        If the source of one cannot be read, so that nothing tells its versions apart.
    """
    if isinstance(link, OwnLink):  # which has a digest of its whole file
        return None
    classes = {kind for part in _parts(link, set()) for kind in type(part).__mro__ if _is_own(kind)}
    try:
        sources = sorted(inspect.getsource(kind) for kind in classes)
    except (OSError, TypeError) as error:
        raise InputError(
            f"the source of {getattr(link, 'name', link)} cannot be read ({error}), and tells its versions "
            "apart: define its classes in a file or a notebook's cell"
        ) from error
    return digest_of(*sources) if sources else None


def _parts(value: object, seen: set[int]) -> Iterator[object]:
    """An object and the objects that it is made of."""
    if id(value) in seen or isinstance(value, str | bytes | int | float | complex | torch.Tensor | type):
        return
    seen.add(id(value))
    if isinstance(value, dict):
        inside: list[object] = list(value.values())
    elif isinstance(value, list | tuple | set | frozenset):
        inside = list(value)
    else:
        yield value
        inside = list(getattr(value, "__dict__", {}).values())
        if dataclasses.is_dataclass(value):
            inside += [getattr(value, field.name, None) for field in dataclasses.fields(value)]
    for part in inside:
        yield from _parts(part, seen)


def _is_own(kind: type) -> bool:
    if kind.__module__ == "builtins" or kind.__module__.partition(".")[0] in _OURS:
        return False
    if kind.__module__ == "__main__":
        return True
    try:
        file = inspect.getsourcefile(kind)
    except TypeError:  # compiled
        return False
    if file is None:
        return False
    installed = {"site-packages", "dist-packages"} & set(Path(file).parts)
    return not installed and not Path(file).is_relative_to(sysconfig.get_path("stdlib"))
