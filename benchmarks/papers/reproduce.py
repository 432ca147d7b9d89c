"""``semphy reproduce``: a paper's comparison run again, its figures drawn, its claims held against them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from benchmarks.papers.claims import (
    Better,
    Between,
    Cheaper,
    Claim,
    Finding,
    Gain,
    Meets,
    Misspelt,
    judged,
    not_judged,
)
from benchmarks.runs.results import Result, write_csv
from benchmarks.runs.table import Column, plain
from benchmarks.settings.compare import CompareSpec
from benchmarks.settings.errors import InputError
from benchmarks.systems.compare import CompareRun, run_compare
from benchmarks.systems.curves import CurveRow
from benchmarks.systems.plots import plot_rows
from semantic.files import write_text

__all__ = ["CLAIMS", "Reproduction", "check_paper", "run_reproduction"]

_ALIKE = ("cosine", "scene")
"""The letter's cosine of unnamed features; facts that the picture shows, where no network is at hand."""
_LOOKS = ("lpips-alex", "lpips-vgg", "st-lpips-alex", "st-lpips-vgg", "dists", "ms-ssim")
"""The letter's LPIPS of an unnamed network, or what stands in for it."""
_LPIPS = ("lpips-alex", "lpips-vgg")
_MENDED = "BART reduces the damage"
_TOLD, _SHOWN = ("scene-text", "sentence", "bleu"), ("scene", "cosine", "ms-ssim")

CLAIMS: dict[str, tuple[Claim, ...]] = {
    "multi-sc": (
        Better("multi-sc", "single-text", _LOOKS, gain=Gain(2, _LPIPS)),
        Better("multi-sc", "bpg-ldpc", _LOOKS, gain=Gain(7, _LPIPS)),
        Better("multi-sc", "vlm-csc", _LOOKS, gain=Gain(8, _LPIPS)),
        Better("multi-sc", "deep-jscc", _LOOKS, gain=Gain(18, _LPIPS)),
        Meets("multi-sc", "bpg-ldpc", _LOOKS, "12 dB (Kodak)"),
        Better("multi-sc", "single-text", _ALIKE, high_db=3),
        Better("single-text", "vlm-csc", _ALIKE, high_db=3),
        Better("multi-sc", "bpg-ldpc", _ALIKE, "unusable below 3 dB", high_db=-3),
        Better("vlm-csc", "bpg-ldpc", _ALIKE, high_db=-3),
        Between("vlm-csc", _ALIKE, "at all SNRs", 0.6, 0.7),
        Meets("multi-sc", "bpg-ldpc", _ALIKE, "about 9 dB (VOC2012)"),
    ),
    "vlf-msc": (
        Better("vlf-msc", "text-only", _TOLD, "at low SNR", high_db=0),
        Better("vlf-msc", "text-only", _SHOWN, "at low SNR", high_db=0),
        Better("vlf-msc", "image-only", _TOLD, "at low SNR", high_db=0),
        Better("vlf-msc", "image-only", _SHOWN, "at low SNR", high_db=0),
        Better("vlf-msc", "text-only", _SHOWN, low_db=9),
        Better("vlf-msc", "image-only", _SHOWN, low_db=9),
        Better("vlf-msc", "text-only@filled", _TOLD, "at low SNR", high_db=0),
        Better("vlf-msc", "text-only@filled", _SHOWN, "at low SNR", high_db=0),
        Better("vlf-msc", "text-only@filled", _SHOWN, low_db=9),
        Cheaper("vlf-msc", ("text-only", "image-only"), "one feature for both"),
        Cheaper("vlf-msc", ("text-only@short",), "one feature for both"),
    ),
    "multi-sc-texts": (
        *(
            Better(name, f"{name}-as-is", _TOLD, _MENDED, None, low, high)
            for system in ("multi-sc", "single-text")
            for name, low, high in ((f"{system}@uncoded", 6, 10), (f"{system}@conv", 1, 2))
        ),
        *(
            Misspelt(f"{system}@{carriage}", _TOLD[:1], "misspelt below, whole above")
            for system in ("multi-sc", "single-text")
            for carriage in ("uncoded", "conv", "ldpc")
        ),
    ),
}
"""What each paper says in words, or the order that its figures are said to show (no figure of its own)."""


@dataclass(frozen=True, repr=False)
class Reproduction(Result):
    """A comparison, and what it says to the paper's claims.

    Attributes
    ----------
    paper:
        Name in `CLAIMS`.
    run:
        The comparison.
    findings:
        One a claim.
    files:
        Figures and tables that were written.
    """

    paper: str
    run: CompareRun
    findings: tuple[Finding, ...]
    files: tuple[Path, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {"paper": self.paper, "findings": self.to_csv_rows(), **self.run.to_json()}

    def to_text(self) -> str:
        """Return the comparison's table, and that of the claims."""
        return f"{self.run.to_text()}\n\n{plain(_FINDINGS, self.findings)}"

    def to_csv_rows(self) -> list[dict[str, Any]]:
        """Return the findings as rows of ``claims.csv``."""
        return [asdict(finding) for finding in self.findings]


_FINDINGS: tuple[Column[Finding], ...] = (
    Column("claim", attrgetter("statement")),
    Column("published", attrgetter("published")),
    Column("metric", attrgetter("metric")),
    Column("here", attrgetter("here")),
    Column("alone", attrgetter("verdict")),
    Column("p", lambda finding: "-" if finding.p is None else f"{finding.p:.2g}"),
    Column("together", attrgetter("together")),
    Column("size", attrgetter("size")),
)


def run_reproduction(paper: str, spec: CompareSpec, out: Path, workers: int = 1) -> Reproduction:
    """Run a paper's comparison, or what a former run left to do; draw its figures and judge its claims.

    A claim that the run cannot tell, for want of an SNR, of sources or of a metric, says so in its place.
    Writes what ``semphy compare`` and ``semphy plot`` write, and ``claims.csv`` and ``claims.json``.

    Parameters
    ----------
    paper:
        Name in `CLAIMS`.
    spec:
        The comparison, the preset of the paper's name with whatever was changed.
    out:
        Run directory.
    workers:
        Processes.

    Raises
    ------
    InputError
        If there is no such paper, or a setting, a source or the directory cannot work.
    """
    check_paper(paper)
    run = run_compare(spec, out, workers)
    if run.interrupted:
        return Reproduction(paper, run, (), ())
    findings = judged([_finding(claim, run.rows, spec) for claim in CLAIMS[paper]], spec.confidence)
    described = [asdict(finding) for finding in findings]
    write_csv(out / "claims.csv", described)
    write_text(out / "claims.json", json.dumps(described, indent=2))
    return Reproduction(paper, run, findings, tuple(plot_rows(run.rows, out)))


def check_paper(paper: str) -> None:
    """Raise an `InputError` unless there is a paper of this name; it lists those that there are."""
    if paper not in CLAIMS:
        raise InputError(f"no paper {paper!r}: there are {', '.join(CLAIMS)}")


def _finding(claim: Claim, rows: Sequence[CurveRow], spec: CompareSpec) -> Finding:
    metric = _metric(claim.metrics, rows, claim.systems) if claim.metrics else "-"
    if metric is None:
        why = f"the run has none of {', '.join(claim.metrics)} of {' and '.join(claim.systems)}"
        return not_judged(claim, "-", why)
    return claim.hold(rows, metric, spec.cbr[0], spec.confidence)


def _metric(names: Sequence[str], rows: Sequence[CurveRow], systems: Sequence[str]) -> str | None:
    """Find the first of the metrics, or of a metric's networks, that all systems have in a run."""
    had = [{metric for row in rows if row.system == system for metric in row.metrics} for system in systems]
    shared = sorted(set.intersection(*had))
    return next((metric for name in names for metric in shared if metric.partition(":")[0] == name), None)
