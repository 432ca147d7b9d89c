"""What tells the curves of one run apart, in tables and messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["labels_of"]

_AXES = {
    "k": ("code", "k"),
    "n": ("code", "n"),
    "modulation": ("modulation",),
    "channel": ("channel",),
    "decoder": ("code", "decoder", "algorithm"),
}
"""Settings of which one command takes several values, and where they stand in a condition."""


def labels_of(conditions: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name curves of settings by their codes, and by what else differs between those of one code.

    Parameters
    ----------
    conditions:
        What the points of each curve share (`benchmarks.settings.ber.BerSpec.condition`).

    Returns
    -------
    list[str]
        One a condition, without white space.

    Examples
    --------
    >>> def curve(name, k, modulation):
    ...     return {"code": {"name": name, "k": k}, "modulation": modulation}
    >>> labels_of([curve("conv", 64, "qpsk"), curve("none", 64, "qpsk"), curve("none", 128, "qpsk")])
    ['conv', 'none,k=64', 'none,k=128']
    """
    return [_label(condition, conditions) for condition in conditions]


def _label(condition: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> str:
    name = condition["code"]["name"]
    alike, parts = [other for other in others if other["code"]["name"] == name], [name]
    for axis, path in _AXES.items():
        value = _at(condition, path)
        same = [other for other in alike if _at(other, path) == value]
        if len(same) < len(alike):
            parts.append(f"{axis}={value}")
        alike = same  # what the axes so far tell apart needs no further ones
    return ",".join(parts)


def _at(tree: Any, path: Sequence[str]) -> Any:
    """What stands in a tree at a path; None where it ends before."""
    for part in path:
        tree = tree.get(part) if isinstance(tree, Mapping) else None
    return tree
