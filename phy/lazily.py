"""PyTorch, imported at its first use: that takes seconds, and the compiled engine does without it.

Modules that a compiled link is built from write ``from phy.lazily import torch`` for ``import torch``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["torch"]

if TYPE_CHECKING:
    import torch
else:

    class _Torch:
        """Stands for the module, but not in ``sys.modules``, where others look whether PyTorch is there."""

        def __getattr__(self, name: str) -> Any:
            import torch

            return getattr(torch, name)

    torch = _Torch()
