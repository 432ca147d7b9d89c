"""Settings that come with the package, by name."""

from __future__ import annotations

from pathlib import Path

__all__ = ["preset", "preset_names"]

_FOLDER = Path(__file__).parents[1] / "presets"


def preset(name: str) -> Path | None:
    """File of the preset of this name; None if there is none."""
    path = _FOLDER / f"{name}.yaml"
    return path if path.is_file() else None


def preset_names() -> list[str]:
    """Names of all presets, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))
