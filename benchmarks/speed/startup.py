"""Measure how long Python takes to import a face, a command to answer, a curve to reach a point."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from typing import NamedTuple

__all__ = ["CASES", "Startup", "measure_startup"]

CASES = {
    "python": ("-c", "pass"),
    "import phy": ("-c", "import phy"),
    "import semphy": ("-c", "import semphy"),
    "import bridge.air.ledger": ("-c", "import bridge.air.ledger"),
    "semphy --help": ("-m", "benchmarks", "--help"),
    "semphy ber --help": ("-m", "benchmarks", "ber", "--help"),
    "semphy list": ("-m", "benchmarks", "list"),
    "semphy ber, a point": ("-m", "benchmarks", "ber", "--ebno", "3", "--max-blocks", "64"),
}
"""What is started, as arguments of Python; the first is Python alone, the last a point of 64 blocks."""


class Startup(NamedTuple):
    """Seconds from start to end, and those that processors worked, which other programs lengthen less."""

    seconds: float
    cpu_seconds: float


def measure_startup(repeats: int) -> dict[str, Startup]:
    """Time each case, the medians over turns.

    Parameters
    ----------
    repeats:
        Turns; each starts every case once, after one turn that fills the caches.

    Raises
    ------
    subprocess.CalledProcessError
        If a case fails.
    """
    turns = [[_timed(arguments) for arguments in CASES.values()] for _ in range(repeats + 1)][1:]
    medians = (Startup(*map(statistics.median, zip(*case, strict=True))) for case in zip(*turns, strict=True))
    return dict(zip(CASES, medians, strict=True))


def _timed(arguments: tuple[str, ...]) -> Startup:
    before = os.times()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    after = os.times()
    worked = (after.children_user - before.children_user) + (after.children_system - before.children_system)
    return Startup(after.elapsed - before.elapsed, worked)
