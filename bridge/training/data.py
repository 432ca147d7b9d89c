"""Where the data of trainings and evaluations lie, and what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from semantic.samples.downloads import data_directory
from semantic.zoo.digests import digest_of, digest_of_file

__all__ = ["Data", "find"]


@dataclass(frozen=True)
class Data:
    """Folders and files by the names under which a recipe knows them.

    Attributes
    ----------
    places:
        By name.
    own:
        Whether they are a folder of somebody's own, taken for what the recipe names first: its rights and
        contents are not those of the data set of that name.
    """

    places: Mapping[str, Path]
    own: bool = False

    def describe(self) -> list[str]:
        """Say of each what it is: name, number of files, and a digest of their names and bytes.

        A folder of one's own goes by its own name.
        """
        named = [(place.name if self.own else name, place) for name, place in self.places.items()]
        return [f"{name} ({_contents(place)})" for name, place in named]


def _contents(place: Path) -> str:
    files = [place] if place.is_file() else sorted(file for file in place.rglob("*") if _counts(file, place))
    named = ((file.relative_to(place).as_posix(), digest_of_file(file)) for file in files)
    count = f"{len(files):,} file{'s' * (len(files) != 1)}"
    return f"{count}, digest {digest_of(*(part for pair in named for part in pair))}"


def _counts(file: Path, folder: Path) -> bool:
    """Whether a file belongs to a folder's contents: hidden ones do not."""
    return file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts)


def find(
    wants: str, names: Sequence[str], optional: Sequence[str], folder: Path | None, remedy: str = ""
) -> Data:
    """Find data.

    Parameters
    ----------
    wants:
        Begins the message if they are missing: ``tiny-jscc learns from``.
    names, optional:
        Folders and files without which it cannot begin, and those that are used where they are.
    folder:
        Holds them; where it has none of them, it is taken for the first one itself. None: the folder that
        ``SEMPHY_DATA`` names, or else the one into which ``semphy fetch`` writes.
    remedy:
        How else to get them.

    Raises
    ------
    ValueError
        If some are missing; says which, and what to do.
    """
    if not names:
        return Data({})
    root = folder or data_directory()
    found = {each: root / each for each in (*names, *optional) if (root / each).exists()}
    missing = [each for each in names if each not in found]
    if folder is not None and folder.is_dir() and missing == list(names):
        return Data({**found, names[0]: folder}, own=True)
    if missing:
        raise ValueError(
            f"{wants} {', '.join(names)}, and {root} has no {', no '.join(missing)}: "
            f"{remedy}name the folder that holds them by --data, or by SEMPHY_DATA in the environment"
        )
    return Data(found)
