"""What a model's card, the ``README.md`` beside it, says of it in the hub's format."""

from __future__ import annotations

from pathlib import Path

import yaml

__all__ = ["datasets_of"]

_MARK = "---"


def datasets_of(folder: str | Path) -> tuple[str, ...]:
    """Names of the data that a model has learned from; empty where no card says.

    Parameters
    ----------
    folder:
        The model's; of a part of a larger one (``tiny-feature/image``) the card lies one up.

    Examples
    --------
    >>> from semantic.zoo.presets import resolve
    >>> datasets_of(resolve("tiny-generator") / "ip-adapter")
    ('scenes',)
    """
    place = Path(folder)
    for card in (place / "README.md", place.parent / "README.md"):
        if card.is_file():
            return _datasets(card.read_text(encoding="utf-8", errors="replace"))
    return ()


def _datasets(text: str) -> tuple[str, ...]:
    before, _, rest = text.partition(f"{_MARK}\n")
    if before.strip():
        return ()
    try:
        about = yaml.safe_load(rest.partition(f"\n{_MARK}")[0])
    except yaml.YAMLError:
        return ()
    found = about.get("datasets", []) if isinstance(about, dict) else []
    return tuple(map(str, found)) if isinstance(found, list) else (str(found),)
