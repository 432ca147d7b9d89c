"""Which figures a run directory gets: ``semphy plot``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt

from benchmarks.links.plots import STYLE, load_curves, plot_ber
from benchmarks.runs.store import Store

__all__ = ["plot_runs"]


def plot_runs(folders: Sequence[Path], out: Path) -> list[Path]:
    """Draw the figures of runs as PNG, SVG and PDF, and return the files.

    Raises
    ------
    InputError
        If a folder holds no run, or runs that no single figure can show.
    """
    if len(folders) == 1 and _kind(folders[0]) == "compare":
        from benchmarks.systems.plots import plot_compare

        return plot_compare(folders[0])
    figure = plot_ber([curve for folder in folders for curve in load_curves(folder)])
    out.mkdir(parents=True, exist_ok=True)
    files = [out / f"ber.{suffix}" for suffix in ("png", "svg", "pdf")]
    with plt.rc_context(STYLE):
        for file in files:
            figure.savefig(file, dpi=300)
    plt.close(figure)
    return files


def _kind(folder: Path) -> str:
    store = Store.read(folder)
    try:
        return store.kind
    finally:
        store.close()
