"""``python -m benchmarks.speed``: ratios to plain Sionna, or times to start, as a table or as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from benchmarks.runs.sweep import quiet_threads
from benchmarks.runs.table import Column, plain
from benchmarks.runs.versions import versions
from benchmarks.speed.startup import Startup, measure_startup
from semantic.files import write_text

_TABLE: tuple[Column[tuple[str, dict[str, Any]]], ...] = tuple(
    Column(title, cell, 8)
    for title, cell in (
        ("what", lambda row: row[0]),
        ("code", lambda row: f"({row[1]['k']},{row[1]['n']})"),
        ("symbols", lambda row: str(row[1]["modulation"])),
        ("Eb/N0", lambda row: f"{row[1]['ebno_db']}"),
        ("schedule", lambda row: str(row[1]["schedule"])),
        ("engine", lambda row: str(row[1]["engine"])),
        ("BLER", lambda row: f"{row[1]['bler']:.1e}"),
        ("Mb/s", lambda row: f"{row[1]['mbps']:.1f}"),
        ("Sionna", lambda row: f"{row[1]['sionna_mbps']:.3f}"),
        ("ratio", lambda row: f"{row[1]['ratio']:.0f}"),
        ("from", lambda row: f"{row[1]['ratio_low']:.0f}"),
        ("to", lambda row: f"{row[1]['ratio_high']:.0f}"),
    )
)
_STARTUP: tuple[Column[tuple[str, Startup]], ...] = (
    Column("what", lambda row: row[0], 24),
    Column("seconds", lambda row: f"{row[1].seconds:.3f}", 8),
    Column("CPU", lambda row: f"{row[1].cpu_seconds:.2f}", 8),
)


@click.command()
@click.option("--startup", is_flag=True, help="Seconds that imports, commands and a point take, instead.")
@click.option("--quick", is_flag=True, help="Few points, under a minute.")
@click.option("--repeats", type=click.IntRange(1), help="Turns a point.  [default: 5; quick: 3]")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File for the JSON as well.")
@click.option(
    "--readme",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File to write the table to.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(
    startup: bool, quick: bool, repeats: int | None, out: Path | None, readme: Path | None, as_json: bool
) -> None:
    """Measure decoder and whole chain against plain Sionna in one run, in Mb/s of information."""
    if startup:
        starts = measure_startup(repeats or 5)
        result = {"versions": versions(), "startup": {name: each._asdict() for name, each in starts.items()}}
        _show(result, plain(_STARTUP, list(starts.items())), out, as_json)
        return
    quiet_threads()
    from benchmarks.speed.measure import CASES, QUICK, measure
    from benchmarks.speed.readme import with_table

    found: dict[str, list[dict[str, Any]]] = {"decoder": [], "chain": []}
    for case in QUICK if quick else CASES:
        entries = measure(case, repeats or (3 if quick else 5), seconds=0.3 if quick else 1.0)
        for name, entry in entries.items():
            found[name].append(entry)
        click.echo(f"# ({case.k}, {case.n}) {case.ebno_db} dB {case.schedule} {case.engine}", err=True)
    if readme is not None:
        readme.write_text(with_table(readme.read_text(encoding="utf-8"), found), encoding="utf-8")
    _show({"versions": versions(), **found}, _text(found), out, as_json)


def _show(result: dict[str, Any], table: str, out: Path | None, as_json: bool) -> None:
    if out is not None:
        write_text(out, json.dumps(result, indent=2))
    click.echo(json.dumps(result, indent=2) if as_json else table)


def _text(found: dict[str, list[dict[str, Any]]]) -> str:
    return plain(_TABLE, [(name, entry) for name, entries in found.items() for entry in entries])


if __name__ == "__main__":
    main()
