"""The commands as functions: settings by keyword, results as objects.

Keywords are the options of the command line with underscores for hyphens (``target_bler=0.1``); values are
written as there (``snr="0:12:3"``) or as Python has them (``snr=[0, 3, 6]``). ``config`` is a YAML file of
settings or the name of a preset, ``out`` the run directory, which the same call resumes, and ``workers`` the
number of processes; a script that asks for several needs ``if __name__ == "__main__":``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from benchmarks.links.ber import BerRun
    from benchmarks.links.floor.run import FloorRun
    from benchmarks.links.mcs import McsRun
    from benchmarks.papers.reproduce import Reproduction
    from benchmarks.systems.compare import CompareRun
    from benchmarks.systems.crossing import Crossing

__all__ = ["ber", "compare", "crossing", "mcs", "plot", "reproduce"]

Place = str | Path


@overload
def ber(
    *,
    config: Place | None = None,
    out: Place | None = None,
    workers: int = 1,
    batch_size: int | None = None,
    floor: None = None,
    **settings: Any,
) -> BerRun: ...


@overload
def ber(
    *,
    config: Place | None = None,
    out: Place | None = None,
    workers: int = 1,
    batch_size: int | None = None,
    floor: int,
    **settings: Any,
) -> FloorRun: ...


def ber(
    *,
    config: Place | None = None,
    out: Place | None = None,
    workers: int = 1,
    batch_size: int | None = None,
    floor: int | None = None,
    **settings: Any,
) -> BerRun | FloorRun:
    """BER and BLER against the SNR for one or several codes, as ``semphy ber`` finds them.

    Parameters
    ----------
    config, out, workers, batch_size:
        As for `run_ber`, and see the module.
    floor:
        Estimate rates too low to be counted by importance sampling, with so many chains, True for the usual
        number; the result is then a `benchmarks.links.floor.run.FloorRun`, and ``batch_size`` has no part.
    **settings:
        ``code``, ``k``, ``n``, ``modulation``, ``channel``, ``ebno`` or ``esno``, ``decoder`` and so on:
        the options of ``semphy ber``. All but the SNR of these take lists: a curve for each combination.

    Raises
    ------
    InputError
        If a setting does not exist or cannot work; says what would.

    Examples
    --------
    >>> run = ber(code="none", modulation="qpsk", esno=[0, 40], max_blocks=64)
    >>> [point.block_errors for point in run.points]
    [64, 0]
    """
    from benchmarks.settings.keywords import dotted
    from benchmarks.settings.reading import read_curves

    specs = read_curves(_config(config), (), dotted({**settings, "floor": floor}))
    if specs[0].floor is not None:
        from benchmarks.links.floor.run import run_floor

        return run_floor(specs, _out(out), workers)
    from benchmarks.links.ber import run_ber

    return run_ber(specs, _out(out), workers, batch_size)


def mcs(
    *,
    config: Place | None = None,
    out: Place | None = None,
    workers: int = 1,
    batch_size: int | None = None,
    **settings: Any,
) -> McsRun:
    """Find which modulation-coding scheme meets a target block error rate at which SNR.

    Parameters
    ----------
    config, out, workers, batch_size:
        As for `ber`.
    **settings:
        ``schemes``, ``block_bits``, ``channel``, ``target_bler`` and so on: the options of ``semphy mcs``.

    Raises
    ------
    InputError
        If a setting does not exist or cannot work; says what would.

    Examples
    --------
    >>> run = mcs(schemes="1/2-qpsk", block_bits=128, target_bler=0.1, block_errors=20)
    >>> 1 < run.schemes[0].target.esno_db < 2
    True
    """
    from benchmarks.links.mcs import run_mcs
    from benchmarks.settings.keywords import dotted
    from benchmarks.settings.mcs import McsSpec
    from benchmarks.settings.reading import read_settings

    spec = read_settings(McsSpec, _config(config), (), dotted(settings, without="code."))
    return run_mcs(spec, _out(out), workers, batch_size)


def compare(
    *, config: Place | None = None, out: Place | None = None, workers: int = 1, **settings: Any
) -> CompareRun:
    """Compare systems over the same sources, SNRs and trials, at equal channel uses.

    Parameters
    ----------
    config, out, workers:
        See the module.
    **settings:
        ``systems``, ``images``, ``snr``, ``cbr``, ``channel``, ``schemes``, ``metrics`` and so on: the
        attributes of `CompareSpec`, which are the options of ``semphy compare``.

    Raises
    ------
    InputError
        If a setting does not exist or cannot work; says what would.

    Examples
    --------
    >>> run = compare(systems="text-uncoded", snr=[0, 20], max_sources=2)
    >>> [row.failure_rate for row in run.rows]
    [1.0, 0.0]
    """
    from benchmarks.settings.compare import CompareSpec
    from benchmarks.settings.reading import read_settings
    from benchmarks.systems.compare import run_compare

    return run_compare(read_settings(CompareSpec, _config(config), (), settings), _out(out), workers)


def crossing(
    run: Place,
    first: str,
    second: str,
    metric: str,
    cbr: str | None = None,
    *,
    refine: float | None = None,
    workers: int = 1,
) -> Crossing:
    """Find the SNR at which system ``second`` becomes better than ``first`` in a run of ``compare``.

    Parameters
    ----------
    run:
        Run directory.
    first, second:
        Names of its rows, a family standing for its envelope.
    metric, cbr:
        By which metric, and of several bandwidth ratios, at which.
    refine:
        Compute further SNRs in the run, by its own settings, until they lie so close around the crossing, in
        decibels.
    workers:
        Processes for that.

    Raises
    ------
    InputError
        If the run lacks a system or the metric or has it under several settings, or both systems share
        fewer than two SNRs or no source.

    Examples
    --------
    From where on a code helps:

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     run = compare(systems="text-uncoded,text-ldpc", snr="-2:6:4", max_sources=8, out=folder)
    ...     names = "text-uncoded[1-qpsk]", "text-ldpc[1/2-qpsk]"
    ...     coarse = crossing(folder, *names, metric="cer")
    ...     fine = crossing(folder, *names, metric="cer", refine=1)
    >>> (coarse.at.before_db, coarse.at.after_db), fine.at.after_db - fine.at.before_db
    ((-2.0, 2.0), 1.0)
    """
    from benchmarks.systems.crossing import find_crossing

    if refine is None:
        return find_crossing(run, first, second, metric, cbr)
    from benchmarks.systems.refining import refine_crossing

    return refine_crossing(run, first, second, metric, cbr, refine, workers)


def reproduce(
    paper: str,
    *,
    config: Place | None = None,
    out: Place | None = None,
    workers: int = 1,
    **settings: Any,
) -> Reproduction:
    """Run a paper's comparison again, draw its figures, and hold its claims against them.

    Parameters
    ----------
    paper:
        ``multi-sc`` (arXiv 2503.19386) or ``vlf-msc`` (arXiv 2511.10074).
    config:
        Settings; the preset of the paper's name unless given.
    out:
        Run directory; ``runs/PAPER`` unless given.
    workers:
        Processes.
    **settings:
        As for `compare`; they go before those of ``config``.

    Raises
    ------
    InputError
        If there is no such paper, or a setting cannot work; says what would.

    Examples
    --------
    >>> reproduce("multi-cs")
    Traceback (most recent call last):
    benchmarks.settings.errors.InputError: no paper 'multi-cs': there are multi-sc, vlf-msc, multi-sc-texts
    """
    from benchmarks.papers.reproduce import check_paper, run_reproduction
    from benchmarks.settings.compare import CompareSpec
    from benchmarks.settings.reading import read_settings

    check_paper(paper)
    spec = read_settings(CompareSpec, _config(config or paper), (), settings)
    return run_reproduction(paper, spec, _out(out) or Path("runs") / paper, workers)


def plot(
    *runs: Place,
    out: Place | None = None,
    overlay: Place | Sequence[Place] = (),
    paired: str | None = None,
) -> list[Path]:
    """Draw the figures of a run, or of several in one, as PNG, SVG and PDF.

    A result that is at hand has a ``plot()`` of its own, which gives a figure instead of files.

    Parameters
    ----------
    *runs:
        Run directories.
    out:
        Folder of the figures; ``figures`` in the first run unless given.
    overlay:
        Files with curves of other programs, AFF3CT's text or CSV (`benchmarks.links.drawing.imported`), drawn
        beside those of ``ber`` and ``mcs``.
    paired:
        A system of one comparison: the others' differences to it on the same sources, instead.

    Returns
    -------
    list[Path]
        The files.

    Raises
    ------
    InputError
        If a folder holds no run, or runs that no single figure can show.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     run = ber(code="none", ebno="0:8:4", max_blocks=64, out=f"{folder}/run")
    ...     [path.name for path in plot(f"{folder}/run")]
    ['ber.png', 'ber.svg', 'ber.pdf']
    """
    from benchmarks.cli.plotting import plot_runs

    folders = [Path(run) for run in runs]
    files = [overlay] if isinstance(overlay, str | Path) else overlay
    return plot_runs(folders, _out(out) or folders[0] / "figures", [Path(file) for file in files], paired)


def _config(place: Place | None) -> Path | None:
    if place is None:
        return None
    from benchmarks.settings.errors import input_errors
    from benchmarks.settings.presets import find_config

    with input_errors():
        return find_config(place)


def _out(place: Place | None) -> Path | None:
    return None if place is None else Path(place)
