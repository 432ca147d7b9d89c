"""``python -m benchmarks.coverage``: coverage of every interval, as a table or as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import click

from benchmarks.coverage.cases import cases
from benchmarks.coverage.measure import Coverage, measure
from benchmarks.runs.table import Column, LiveTable, plain
from benchmarks.runs.versions import versions

_COLUMNS: tuple[Column[Coverage], ...] = (
    Column("interval", lambda row: row.interval.replace(" ", "-"), 20),
    Column("of", lambda row: row.law.replace(" ", "-"), 24),
    Column("sources", lambda row: str(row.sources), 7),
    Column("runs", lambda row: str(row.runs), 6),
    Column("coverage", lambda row: f"{row.share:.3f}", 8),
    Column("low", lambda row: f"{row.limits.low:.3f}", 6),
    Column("high", lambda row: f"{row.limits.high:.3f}", 6),
    Column("width", lambda row: f"{row.width:.3g}", 8),
)


@click.command()
@click.option("--runs", type=click.IntRange(1), default=2000, show_default=True, help="Samples a case.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Root of every draw.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File for the JSON as well.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(runs: int, seed: int, out: Path | None, as_json: bool) -> None:
    """Draw samples whose truth is known and count how many intervals at 95 % hold it."""
    found = []
    with LiveTable(_COLUMNS) as table:
        for case in cases():
            found.append(measure(case, runs, seed))
            table.update(len(found), found[-1], done=True)
    rows = [row.to_json() for row in found]
    text = json.dumps({"versions": versions(), "runs": runs, "seed": seed, "rows": rows}, indent=2)
    if out is not None:
        out.write_text(text + "\n", encoding="utf-8")
    click.echo(text if as_json else plain(_COLUMNS, found))


if __name__ == "__main__":
    main()
