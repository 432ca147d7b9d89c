"""What this package keeps between processes: machine code of its kernels, and files that codecs made."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from phy.compiling import cache_folder

__all__ = ["Cache", "clear", "examine"]


@dataclass(frozen=True)
class Cache:
    """What lies there.

    Attributes
    ----------
    folder:
        Where; None where nothing can be kept.
    states:
        Of how many states of the sources; the present one is among them.
    kernels_bytes, encoded_bytes:
        Machine code, and files of codecs, of all states.
    """

    folder: str | None
    states: int
    kernels_bytes: int
    encoded_bytes: int

    def to_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return asdict(self)

    def to_text(self) -> str:
        """One line."""
        if self.folder is None:
            return "nothing can be kept: no cache folder can be written to"
        kernels, encoded = (f"{size / 2**20:.1f} MiB" for size in (self.kernels_bytes, self.encoded_bytes))
        kept = f"{kernels} of compiled kernels, {encoded} of encoded pictures"
        return f"{self.folder}: {kept}, of {self.states} states of the sources"


def examine() -> Cache:
    """Weigh what is kept."""
    place = cache_folder()
    if place is None:
        return Cache(None, 0, 0, 0)
    states = list(_states(place.parent))
    encoded = sum(_weight(state / "encoded") for state in states)
    return Cache(str(place.parent), len(states), sum(map(_weight, states)) - encoded, encoded)


def _states(folder: Path) -> Iterator[Path]:
    """Folders of states of the sources, and no other."""
    return (entry for entry in folder.iterdir() if re.fullmatch(r"[0-9a-f]{16}", entry.name))


def _weight(folder: Path) -> int:
    size = 0
    for file in folder.rglob("*"):
        with suppress(OSError):  # gone meanwhile
            size += 0 if file.is_dir() else file.stat().st_size
    return size


def clear() -> Cache:
    """Remove all of it, and say what it was; runs that are under way go on without."""
    found = examine()
    for state in [] if found.folder is None else list(_states(Path(found.folder))):
        shutil.rmtree(state, ignore_errors=True)
    return found
