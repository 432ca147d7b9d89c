"""Settings that come with the package, by name."""

from __future__ import annotations

from pathlib import Path

__all__ = ["find_config", "preset_names"]

_FOLDER = Path(__file__).parents[1] / "presets"


def find_config(place: str | Path) -> Path:
    """Return the file of settings of this path or, where there is none, of the preset of this name.

    Raises
    ------
    ValueError
        If it is neither; names the presets.

    Examples
    --------
    >>> find_config("demo").name
    'demo.yaml'
    """
    for path in (Path(place), _FOLDER / f"{place}.yaml"):
        try:
            if path.is_file():
                return path
        except OSError:  # too long for a name, or in a folder that nobody may enter
            continue
    raise ValueError(
        f"{str(place)!r} is neither a file nor a preset; presets are {', '.join(preset_names())}"
    )


def preset_names() -> list[str]:
    """Names of all presets, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))
