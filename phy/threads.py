"""How many threads compiled code takes."""

from __future__ import annotations

import os
import sys

__all__ = ["cores", "thread_count"]


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_count() -> int:
    """Threads that work is divided among unless told otherwise; no result depends on them.

    PyTorch's number where it is at work; otherwise ``OMP_NUM_THREADS``, by which it goes too, or the cores.
    """
    if "torch" in sys.modules:
        return int(sys.modules["torch"].get_num_threads())
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdecimal() and int(told) else cores()
