"""What names a condition of a run, and in what two descriptions differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Condition", "condition_id", "differences"]


@dataclass(frozen=True)
class Condition:
    """One point of a run as it stands in the store.

    Attributes
    ----------
    id:
        From `condition_id`.
    description:
        What the id was made of, and what describes it further.
    stop:
        Why it ended; None while it has not.
    """

    id: str
    description: dict[str, Any]
    stop: str | None


def condition_id(description: Mapping[str, Any]) -> str:
    """Stable name of a condition: 128 bits of the SHA-256 of its canonical JSON."""
    text = json.dumps(description, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Dotted settings in which two descriptions differ, as ``"code.k = 512, now 256"``."""
    left, right = _flat(old), _flat(new)
    return [
        f"{name} = {left.get(name)}, now {right.get(name)}"
        for name in sorted(left | right)
        if left.get(name) != right.get(name)
    ]


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for name, value in tree.items():
        path = f"{prefix}{name}"
        leaves.update(_flat(value, f"{path}.") if isinstance(value, Mapping) else {path: value})
    return leaves
