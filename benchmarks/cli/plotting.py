"""Which figures run directories get: ``semphy plot``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.runs.store import Store
from benchmarks.settings.errors import InputError

__all__ = ["plot_runs"]


def plot_runs(folders: Sequence[Path], out: Path, paired: str | None = None) -> list[Path]:
    """Draw the figures of runs as PNG, SVG and PDF, and return the files.

    With ``paired``, a system of one run of ``compare``, those of the others' differences to it.

    Raises
    ------
    InputError
        If a folder holds no run, or runs that no single figure can show.
    """
    with ExitStack() as stack:
        stores = [stack.enter_context(Store.read(folder)) for folder in folders]
        if len(stores) == 1 and stores[0].kind == "compare":
            from benchmarks.systems.plots import plot_compare

            return plot_compare(stores[0], out, paired=paired)
        if paired is not None:
            kinds = ", ".join(store.kind for store in stores)
            raise InputError(f"--paired takes one run of semphy compare, got {kinds}")
        from benchmarks.links.plots import load_curves, plot_ber
        from benchmarks.runs.figures import save

        return save(plot_ber([curve for store in stores for curve in load_curves(store)]), out, "ber")
