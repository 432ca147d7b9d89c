"""Where networks run."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import AfterValidator

__all__ = ["Device", "check_device"]


def check_device(name: str) -> str:
    """Return the name of a device that PyTorch can use here.

    Raises
    ------
    ValueError
        If it cannot; says which there are.

    Examples
    --------
    >>> check_device("cpu")
    'cpu'
    """
    try:
        torch.zeros(1, device=name).item()  # a device without values, such as meta, runs nothing
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # PyTorch's words for a missing one
        there = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
        raise ValueError(f"device {name!r} does not work here, there are {', '.join(there)}") from error
    return name


Device = Annotated[str, AfterValidator(check_device)]
"""Name of a device that works here."""
