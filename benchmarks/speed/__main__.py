"""``python -m benchmarks.speed``: ratios to plain Sionna, as a table or as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import click

from benchmarks.runs.sweep import quiet_threads
from benchmarks.runs.table import Column, plain
from benchmarks.runs.versions import versions

_TABLE = tuple(
    Column(title, 8)
    for title in (
        "what",
        "code",
        "Eb/N0",
        "schedule",
        "engine",
        "BLER",
        "Mb/s",
        "Sionna",
        "ratio",
        "from",
        "to",
    )
)


@click.command()
@click.option("--quick", is_flag=True, help="Few points, under a minute.")
@click.option("--repeats", type=click.IntRange(1), help="Turns a point.  [default: 5; quick: 3]")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File for the JSON as well.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(quick: bool, repeats: int | None, out: Path | None, as_json: bool) -> None:
    """Measure decoder and whole chain against plain Sionna in one run, in Mb/s of information."""
    quiet_threads()
    from benchmarks.speed.measure import CASES, QUICK, measure

    found: dict[str, list[dict[str, object]]] = {"decoder": [], "chain": []}
    for case in QUICK if quick else CASES:
        entries = measure(case, repeats or (3 if quick else 5), seconds=0.3 if quick else 1.0)
        for name, entry in entries.items():
            found[name].append(entry)
        click.echo(f"# ({case.k}, {case.n}) {case.ebno_db} dB {case.schedule} {case.engine}", err=True)
    result = {"versions": versions(), **found}
    if out is not None:
        out.write_text(json.dumps(result, indent=2), encoding="utf-8")
    click.echo(json.dumps(result, indent=2) if as_json else _text(found))


def _text(found: dict[str, list[dict[str, object]]]) -> str:
    rows = [
        [
            name,
            f"({e['k']},{e['n']})",
            f"{e['ebno_db']}",
            str(e["schedule"]),
            str(e["engine"]),
            f"{e['bler']:.1e}",
            f"{e['mbps']:.1f}",
            f"{e['sionna_mbps']:.3f}",
            f"{e['ratio']:.0f}",
            f"{e['ratio_low']:.0f}",
            f"{e['ratio_high']:.0f}",
        ]
        for name, entries in found.items()
        for e in entries
    ]
    return plain(_TABLE, rows)


if __name__ == "__main__":
    main()
