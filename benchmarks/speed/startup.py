"""Measure how long Python takes to import a face, and a command to answer."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

__all__ = ["CASES", "measure_startup"]

CASES = {
    "python": ("-c", "pass"),
    "import phy": ("-c", "import phy"),
    "import semphy": ("-c", "import semphy"),
    "import bridge.air.ledger": ("-c", "import bridge.air.ledger"),
    "semphy --help": ("-m", "benchmarks", "--help"),
    "semphy ber --help": ("-m", "benchmarks", "ber", "--help"),
    "semphy list": ("-m", "benchmarks", "list"),
}
"""What is started, as arguments of Python; the first is Python alone."""


def measure_startup(repeats: int) -> dict[str, float]:
    """Seconds from start to end of each case, the median over turns.

    Parameters
    ----------
    repeats:
        Turns; each starts every case once, after one turn that fills the caches.

    Raises
    ------
    subprocess.CalledProcessError
        If a case fails.
    """
    turns = [[_seconds(arguments) for arguments in CASES.values()] for _ in range(repeats + 1)][1:]
    return dict(zip(CASES, map(statistics.median, zip(*turns, strict=True)), strict=True))


def _seconds(arguments: tuple[str, ...]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - start
