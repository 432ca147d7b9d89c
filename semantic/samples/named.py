"""Pictures by the name of their data set: ``kodak24``, ``voc2012``, ``voc2012:eval``, ``flickr8k``.

Where they lie is what `semantic.samples.downloads` knows: in the folder that ``SEMPHY_DATA`` names, or in the
one into which ``semphy fetch`` writes without it. Nothing is downloaded here.
"""

from __future__ import annotations

from pathlib import Path

from semantic.samples.downloads import DATA_SETS, DataSet, Subset, data_directories
from semantic.samples.pictures import picture_paths

__all__ = ["find_pictures", "is_named", "named"]


def is_named(place: str) -> bool:
    """Whether pictures are asked for by the name of a data set, behind which may stand a part of it.

    A folder of such a name is taken where the data set is not on this machine; ``./NAME`` always is one.

    Examples
    --------
    >>> is_named("voc2012:eval"), is_named("./kodak24"), is_named("holidays")
    (True, False, False)
    """
    title, colon, _ = place.partition(":")
    if title not in DATA_SETS:
        return False
    return bool(colon) or DATA_SETS[title].is_here or not Path(place).exists()


def find_pictures(place: str) -> list[Path]:
    """Files of pictures of a data set, a folder, or a file, sorted by name.

    Parameters
    ----------
    place:
        As `is_named` tells it from what `semantic.samples.pictures.picture_paths` takes.

    Raises
    ------
    ValueError
        If the data set is not wholly on this machine, or there is no picture; says what to type.
    """
    if is_named(place):
        return named(place)
    if not Path(place).exists():
        raise ValueError(
            f"there is no file or folder {place!r} to load pictures from; data sets by name are "
            f"{', '.join(DATA_SETS)} (semphy fetch)"
        )
    return picture_paths(place)


def named(name: str) -> list[Path]:
    """Files of the pictures of a data set, ``NAME`` or ``NAME:PART``, sorted by name.

    Raises
    ------
    ValueError
        If it has no such part, or is not wholly on this machine; says what to type.
    """
    title, colon, part = name.partition(":")
    data_set = DATA_SETS[title]
    if not colon:
        folder = data_set.place
        if folder is None:
            raise _not_here(name, data_set)
        return sorted(folder.glob(data_set.pictures))
    if part not in data_set.parts:
        there = ", ".join(f"{title}:{each}" for each in data_set.parts) or "none"
        raise ValueError(f"{title} has no part {part!r}; its parts are {there}")
    return _subset(name, data_set, data_set.parts[part])


def _subset(name: str, data_set: DataSet, part: Subset) -> list[Path]:
    for directory in data_directories():
        for pattern in (f"{data_set.name}/{data_set.pictures}", part.alone):
            place = directory / pattern
            files = [place.with_name(f"{each}{place.suffix}") for each in part.names]
            if all(file.is_file() for file in files):
                return sorted(files)
    raise _not_here(name, data_set)


def _not_here(name: str, data_set: DataSet) -> ValueError:
    places = " or ".join(str(directory / data_set.name) for directory in data_directories())
    return ValueError(
        f"the pictures of {name} are not, or not wholly, in {places}; get them with: semphy fetch "
        f"{data_set.fetched_as} ({data_set.size_bytes / 1e6:,.0f} MB), or give a folder of pictures"
    )
