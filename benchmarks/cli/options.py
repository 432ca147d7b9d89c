"""What commands share: options, presets, and the last word of a run that was interrupted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from benchmarks.cli import signals
from benchmarks.settings import presets

__all__ = [
    "ERRORS",
    "FORCE",
    "as_json_option",
    "device_options",
    "end_with",
    "find_config",
    "folder",
    "say_interrupted",
    "settings_options",
]

ERRORS = 1
"""Status where some rows are errors and everything else is data."""
FORCE = "Ask bundled models that know drawn scenes alone about other pictures, too."
Command = TypeVar("Command", bound=Callable[..., Any])


def as_json_option(command: Command) -> Command:
    """``--json``, of every command that prints a result."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print the result as JSON, everything else on standard error."
    )(command)


def device_options(command: Command) -> Command:
    """``--device`` and ``--dtype``, of every command that asks models."""
    command = click.option("--dtype", help="Of models: float32, bfloat16 or float16.  [default: float32]")(
        command
    )
    return click.option("--device", help="Of models: cpu, cuda ...  [default: cpu]")(command)


def settings_options(command: Command) -> Command:
    """Options of every command that simulates."""
    options = (
        click.option("--seed", type=int, help="Root of every random draw.  [default: 1]"),
        click.option(
            "--workers",
            type=click.IntRange(1),
            default=1,
            show_default=True,
            help="Local processes; threads of one for the compiled chain, which takes all cores at 1.",
        ),
        click.option("--out", type=folder(), help="Run directory; the same command resumes it."),
        click.option(
            "--config",
            callback=find_config,
            metavar="FILE",
            help="YAML file of settings, the spec.yaml of a run, or the name of a preset (semphy list).",
        ),
        click.option(
            "--set", "overrides", multiple=True, metavar="NAME=VALUE", help="One setting, such as code.k=256."
        ),
        click.option("--confidence", type=float, help="Of the intervals.  [default: 0.95]"),
    )
    for option in reversed(options):
        command = option(command)
    return as_json_option(command)


def folder() -> click.Path:
    """Type of an option that is a directory, there or yet to be made."""
    return click.Path(file_okay=False, path_type=Path)


def find_config(context: click.Context, parameter: click.Parameter, value: str | None) -> Path | None:
    """Resolve ``--config``, a callback of click: a file, or else the name of a preset.

    Raises
    ------
    click.BadParameter
        If it is neither; names the presets.
    """
    try:
        return None if value is None else presets.find_config(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def end_with(broken: Sequence[str], interrupted: bool, out: Path | None) -> None:
    """Say what raised, with status 1, and that a signal ended the command, with the signal's status."""
    if broken:
        are = "row is an error" if len(broken) == 1 else "rows are errors"
        click.echo(
            f"# {len(broken)} {are}, which the same command tries again; the first: {broken[0]}", err=True
        )
    if interrupted:
        say_interrupted(out)
    if broken:
        sys.exit(ERRORS)


def say_interrupted(out: Path | None) -> None:
    """Say how to resume what a signal ended, and end with its status, 130 after Ctrl-C."""
    from benchmarks.runs.versions import command_line

    if out is None:
        click.echo("interrupted; nothing is kept without --out", err=True)
    else:
        click.echo(f"interrupted; {out} keeps what is done, resume with: {command_line()}", err=True)
    sys.exit(signals.status())
