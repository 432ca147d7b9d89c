"""Commands about links: ``ber`` and ``mcs``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from benchmarks.cli.options import say_interrupted, settings_options

__all__ = ["ber", "mcs"]


@click.command()
@click.option(
    "--code",
    metavar="NAMES",
    help="ldpc5g, polar5g, conv, turbo, none, alist:FILE or qc:FILE (with ,puncture=0-3+9 and ,shorten=...); "
    "several with commas, which take of the other options what they have.  [default: ldpc5g]",
)
@click.option("--k", type=int, help="Information bits a block.  [default: 512; 1024 without a code]")
@click.option("--n", type=int, help="Coded bits a block.  [default: 2 k; conv, turbo and files: their own]")
@click.option("--modulation", help="bpsk, qpsk, qam16, qam64, qam256 or qam1024.  [default: bpsk]")
@click.option("--demapping", help="app or maxlog.  [default: app]")
@click.option("--channel", help="awgn, rayleigh, rayleigh-block, rician:k_db=6, tdl-a ...  [default: awgn]")
@click.option("--ebno", metavar="RANGE", help="Eb/N0 in dB: first:last:step, or numbers with commas.")
@click.option("--esno", metavar="RANGE", help="Es/N0 in dB, instead of --ebno.")
@click.option(
    "--target-bler",
    metavar="RATES",
    help="Find the SNR where the BLER is this, such as 0.1,0.01; --ebno or --esno bound the search.",
)
@click.option(
    "--block-errors", metavar="COUNT", help="A point ends with so many block errors.  [default: 100]"
)
@click.option("--max-blocks", metavar="COUNT", help="A point ends with so many blocks.  [default: 1e6]")
@click.option(
    "--seconds", type=float, help="A point ends after this time; counts then depend on the machine."
)
@click.option(
    "--stop-bler", type=float, help="Leave out the points behind the first whose BLER is below this."
)
@click.option("--engine", help="auto, sionna, compiled or torch.  [default: auto]")
@click.option("--device", help="cpu, cuda ...: where torch and sionna demap and decode.  [default: cpu]")
@click.option(
    "--decoder", help="sum-product, minsum, offset-minsum ... (semphy list).  [default: the code's first]"
)
@click.option("--schedule", help="flooding or layered, for LDPC codes.  [default: flooding]")
@click.option("--iterations", type=int, help="Most decoder iterations.  [default: 20; turbo: 8]")
@click.option(
    "--no-early-stop", is_flag=True, help="Always do all iterations, as the sionna engine does anyway."
)
@click.option("--llr-bits", type=int, help="Width of fixed-point LLRs, 3 to 8 or 16; min-sum decoders only.")
@click.option(
    "--batch-size", type=click.IntRange(1), help="Blocks computed at once; does not change a count."
)
@settings_options
def ber(
    no_early_stop: bool,
    workers: int,
    batch_size: int | None,
    out: Path | None,
    config: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """BER and BLER against the SNR for one or several codes, a modulation and a channel.

    \b
    semphy ber --k 512 --n 1024 --modulation bpsk --ebno 0:3:0.5 --out runs/ldpc
    semphy ber --code ldpc5g,polar5g,conv,turbo,none --k 128 --n 256 --ebno 0:6:1 --out runs/codes
    semphy ber --code none --modulation qam16 --esno 0:12:2 --block-errors 1000
    semphy ber --code alist:WIFI_540_648.alist --decoder minsum --target-bler 0.1,0.01
    """  # noqa: D301 - click's mark for lines kept apart
    from benchmarks.runs.sweep import quiet_threads
    from benchmarks.settings.keywords import dotted
    from benchmarks.settings.reading import read_curves

    early_stop = False if no_early_stop else None
    specs = read_curves(config, overrides, dotted({**options, "early_stop": early_stop}))
    quiet_threads()
    from benchmarks.links.ber import run_ber

    result = run_ber(specs, out, workers, batch_size)
    click.echo(json.dumps(result.to_json(), indent=2) if as_json else result.to_text())
    if result.interrupted:
        say_interrupted(out)


@click.command()
@click.option("--schemes", help="nr, witt, witt-rayleigh, or 1/2-qpsk,2/3-qam16@6144 ...  [default: nr]")
@click.option(
    "--block-bits",
    metavar="COUNT",
    help="Information bits of the code block.  [default: what the set has, else 8448]",
)
@click.option("--channel", help="awgn, rayleigh, rayleigh-block, rician:k_db=6, tdl-a ...  [default: awgn]")
@click.option("--target-bler", metavar="RATES", help="Block error rates to meet.  [default: 0.1]")
@click.option("--esno", metavar="RANGE", help="Es/N0 in dB that bounds the search.  [default: -10,60]")
@click.option("--demapping", help="app or maxlog.  [default: app]")
@click.option("--block-errors", metavar="COUNT", help="As for ber.  [default: 100]")
@click.option("--max-blocks", metavar="COUNT", help="As for ber.  [default: 1e6]")
@click.option("--engine", help="auto, sionna or compiled.  [default: auto]")
@click.option(
    "--decoder", help="sum-product, minsum, offset-minsum or normalized-minsum.  [default: sum-product]"
)
@click.option("--schedule", help="flooding or layered.  [default: flooding]")
@click.option("--iterations", type=int, help="Most decoder iterations.  [default: 20]")
@click.option("--llr-bits", type=int, help="As for ber.")
@click.option("--batch-size", type=click.IntRange(1), help="As for ber.")
@settings_options
def mcs(
    workers: int,
    batch_size: int | None,
    out: Path | None,
    config: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Which modulation-coding scheme meets a target BLER at which SNR: the link-adaptation table.

    Every scheme sends one code block of 5G LDPC. The gap is to capacity: of AWGN, ergodic (rayleigh) or in
    outage (rayleigh-block).

    \b
    semphy mcs --channel awgn --target-bler 0.1 --out runs/nr
    semphy mcs --channel rayleigh --schemes 1/2-qpsk,2/3-qam16,3/4-qam64 --block-bits 1024
    """  # noqa: D301 - click's mark for lines kept apart
    from benchmarks.runs.sweep import quiet_threads
    from benchmarks.settings.reading import read_settings

    quiet_threads()
    from benchmarks.links.mcs import run_mcs
    from benchmarks.settings.keywords import dotted
    from benchmarks.settings.mcs import McsSpec

    spec = read_settings(McsSpec, config, overrides, dotted(options, without="code."))
    result = run_mcs(spec, out, workers, batch_size)
    click.echo(json.dumps(result.to_json(), indent=2) if as_json else result.to_text())
    if result.interrupted:
        say_interrupted(out)
