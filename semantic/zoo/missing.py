"""What is said where weights are missing."""

from __future__ import annotations

__all__ = ["WeightsMissing"]


class WeightsMissing(RuntimeError):  # noqa: N818 - what it says is the name of the state
    """Weights are not on this machine; the message names the command that gets them."""
