"""The README's table of speed, written by the run that measured it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.settings.errors import InputError

__all__ = ["BEGIN", "END", "with_table"]

BEGIN, END = "<!-- speed: python -m benchmarks.speed --readme README.md -->", "<!-- end of speed -->"
"""Lines between which the table stands."""

_TITLES = (
    "code", "symbols", "Eb/N0", "BLER", "schedule", "LLR bits",
    "decoder, Mb/s", "Sionna", "ratio", "whole chain, Mb/s", "Sionna", "ratio",
)  # fmt: skip


def with_table(text: str, found: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return a document with the table of a run in place of the one between its marks.

    Parameters
    ----------
    text:
        The document, with the lines `BEGIN` and `END` once each.
    found:
        Entries of `benchmarks.speed.measure.measure` by ``decoder`` and ``chain``, case by case.

    Raises
    ------
    InputError
        If the marks are missing.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise InputError(f"the table of speed stands between the lines {BEGIN!r} and {END!r}, once each")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    rows = [_row(*pair) for pair in zip(found["decoder"], found["chain"], strict=True)]
    lines = [_line(_TITLES), "|" + "---|" * len(_TITLES), *map(_line, rows)]
    table = "\n".join(lines)
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _row(decoder: Mapping[str, Any], chain: Mapping[str, Any]) -> list[str]:
    blocks, errors = chain["blocks"], chain["block_errors"]
    return [
        f"({chain['k']}, {chain['n']})",
        chain["modulation"],
        f"{chain['ebno_db']:g} dB",
        f"{errors / blocks:.0e}".replace("e-0", "e-") if errors else f"0 of {blocks:,}",
        chain["schedule"],
        chain["engine"].removeprefix("compiled ").removesuffix("-bit"),
        *(cell for side in (decoder, chain) for cell in _rates(side)),
    ]


def _rates(side: Mapping[str, Any]) -> tuple[str, str, str]:
    return f"{side['mbps']:.0f}", f"{side['sionna_mbps']:.3f}", f"{side['ratio']:.0f}"
