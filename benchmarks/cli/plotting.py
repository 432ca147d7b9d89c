"""Which figures run directories get: ``semphy plot``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.runs.store import Store
from benchmarks.settings.errors import InputError

__all__ = ["plot_runs"]


def plot_runs(
    folders: Sequence[Path], out: Path, overlay: Sequence[Path] = (), paired: str | None = None
) -> list[Path]:
    """Draw the figures of runs as PNG, SVG and PDF, and return the files.

    Parameters
    ----------
    folders:
        Runs of ``ber`` and ``mcs``, or of ``compare``: several of a kind are drawn in one figure.
    out:
        Where the figures go.
    overlay:
        Files with curves of other programs (`benchmarks.links.drawing.imported`), drawn beside those of
        ``ber``.
    paired:
        A system of the one run of ``compare``: the others' differences to it are drawn instead.

    Raises
    ------
    InputError
        If a folder holds no run, or runs that no single figure can show, or a file no curve.
    """
    with ExitStack() as stack:
        stores = [stack.enter_context(Store.read(folder)) for folder in folders]
        compared = [store for store in stores if store.kind == "compare"]
        if compared and overlay:
            raise InputError(
                "--overlay is drawn beside runs of semphy ber and mcs, "
                f"{str(compared[0].folder)!r} holds one of semphy compare"
            )
        if compared and len(compared) == len(stores):
            from benchmarks.systems.plots import plot_compare, plot_together

            if paired is not None and len(stores) == 1:
                return plot_compare(stores[0], out, paired=paired)
            if paired is None:
                return plot_together(stores, out)
        if paired is not None:
            kinds = ", ".join(store.kind for store in stores)
            raise InputError(f"--paired takes one run of semphy compare, got {kinds}")
        from benchmarks.links.drawing.imported import read_imported
        from benchmarks.links.drawing.plots import load_curves, plot_ber
        from benchmarks.runs.figures import save

        others = [curve for file in overlay for curve in read_imported(file)]
        curves = [curve for store in stores for curve in load_curves(store)]
        return save(plot_ber(curves, overlay=others), out, "ber")
