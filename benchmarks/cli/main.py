"""The command line. Commands import what they need when they run, so that ``--help`` answers at once."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence

import click

from benchmarks.cli import signals
from benchmarks.cli.links import ber, mcs
from benchmarks.cli.models import cache, captioners, doctor, evaluate, fetch, fit, list_, train
from benchmarks.cli.systems import compare, crossing, plot, reproduce, send

__all__ = ["cli", "main"]

_WRONG_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``semphy``: wrong input ends as one line on standard error and status 2, Ctrl-C as status 130.

    SIGTERM and SIGHUP end it as Ctrl-C does, with status 143 and 129.
    """
    warnings.formatwarning = _one_line
    with signals.heeded():
        _run(arguments)


def _run(arguments: Sequence[str] | None) -> None:
    for argument in sys.argv[1:] if arguments is None else arguments:
        if any("\ud800" <= character <= "\udfff" for character in argument):  # bytes that are no UTF-8
            _refuse(f"{argument!a} is not UTF-8, which runs and results are written in; rename the file")
    try:
        status = cli.main(args=arguments, prog_name="semphy", standalone_mode=False)
    except click.ClickException as error:
        _refuse(error.format_message())
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(signals.status())
    except BrokenPipeError:  # semphy ... | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        from benchmarks.settings.errors import InputError
        from semantic.files import NotWritten

        if not isinstance(error, InputError | NotWritten):
            raise
        _refuse(f"{error}; --out takes another place" if isinstance(error, NotWritten) else str(error))
    sys.exit(status if isinstance(status, int) else 0)


def _one_line(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    return f"semphy: {' '.join(str(message).split())}\n"


def _refuse(message: str) -> None:
    click.echo(f"semphy: {' '.join(message.split())}", err=True)
    sys.exit(_WRONG_INPUT)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="semphy", prog_name="semphy")
@click.pass_context
def cli(context: click.Context) -> None:
    """Link-level simulator for semantic communication.

    SNR is Es/N0 per complex channel use at unit transmit power, unless an option says Eb/N0.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for command in (
    ber,
    mcs,
    plot,
    compare,
    reproduce,
    crossing,
    send,
    captioners,
    fetch,
    train,
    fit,
    evaluate,
    list_,
    doctor,
    cache,
):
    cli.add_command(command)
