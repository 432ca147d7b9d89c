"""Commands about links: ``ber`` and ``mcs``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmarks.cli.options import say_interrupted, settings_options

if TYPE_CHECKING:
    from benchmarks.links.ber import BerRun
    from benchmarks.links.floor.run import FloorRun

__all__ = ["ber", "mcs"]


@click.command()
@click.option(
    "--code",
    metavar="NAMES",
    help="ldpc5g, polar5g, conv, tbcc, turbo, repetition, hamming, bch, rs, none, alist:FILE, qc:FILE or "
    "matrix:FILE (with ,puncture=0-3+9 and ,shorten=...); "
    "several with commas, which take of the other options what they have.  [default: ldpc5g]",
)
@click.option("--k", metavar="COUNTS", help="Information bits a block.  [default: 512; 1024 without a code]")
@click.option("--n", metavar="COUNTS", help="Coded bits a block.  [default: 2 k; 3 k or the code's own]")
@click.option(
    "--modulation",
    metavar="NAMES",
    help="bpsk, qpsk, psk8, qam16 to qam1024, pam4 ... (semphy list).  [default: bpsk]",
)
@click.option("--demapping", help="app or maxlog.  [default: app]")
@click.option(
    "--channel",
    metavar="NAMES",
    help="awgn, rayleigh, rayleigh-block, rician:k_db=6, tdl-a ..., bsc or bec.  [default: awgn]",
)
@click.option("--ebno", metavar="RANGE", help="Eb/N0 in dB: first:last:step, or numbers with commas.")
@click.option("--esno", metavar="RANGE", help="Es/N0 in dB, instead of --ebno.")
@click.option("--p", metavar="RANGE", help="Probability of a flip (bsc) or an erasure (bec), instead.")
@click.option(
    "--target-bler",
    metavar="RATES",
    help="Find the SNR where the BLER is this, such as 0.1,0.01; --ebno or --esno bound the search.",
)
@click.option(
    "--block-errors", metavar="COUNT", help="A point ends with so many block errors.  [default: 100]"
)
@click.option(
    "--max-blocks", metavar="COUNT", help="A point ends with so many blocks.  [default: 1e6; --floor: 3e7]"
)
@click.option(
    "--seconds", type=float, help="A point ends after this time; counts then depend on the machine."
)
@click.option(
    "--stop-bler", type=float, help="Leave out the points behind the first whose BLER is below this."
)
@click.option(
    "--floor",
    metavar="[CHAINS]",
    is_flag=False,
    flag_value="true",
    help="Estimate rates too low to be counted, to 1e-10 and below, by importance sampling (awgn, bpsk or "
    "qpsk); more chains see rarer kinds of failure.  [default: 64]",
)
@click.option("--engine", help="auto, sionna, compiled or torch.  [default: auto]")
@click.option("--device", help="cpu, cuda ...: where torch and sionna demap and decode.  [default: cpu]")
@click.option(
    "--decoder",
    metavar="NAMES",
    help="sum-product, minsum, offset-minsum ... (semphy list).  [default: the code's first]",
)
@click.option("--schedule", help="flooding or layered, for LDPC codes.  [default: flooding]")
@click.option("--iterations", type=int, help="Most decoder iterations.  [default: 20; turbo: 8; tbcc: 4]")
@click.option(
    "--no-early-stop", is_flag=True, help="Always do all iterations, as the sionna engine does anyway."
)
@click.option("--llr-bits", type=int, help="Width of fixed-point LLRs, 3 to 8 or 16; min-sum decoders only.")
@click.option(
    "--link",
    "links",
    metavar="FILE.py:NAME",
    help="Sweep an object of your own (README, docs) instead of a code; several with commas.",
)
@click.option(
    "--interleaver",
    help="Order of the coded bits: random, random:SEED or block:COLUMNS.  [default: the code's]",
)
@click.option(
    "--transport", is_flag=True, help="Blocks are transport blocks: check sums, segments (TS 38.212)."
)
@click.option(
    "--mcs", help="38.214:table1:10: modulation, rate and size of a transport block by TS 38.214, 5.1.3."
)
@click.option("--prb", type=int, help="Its resource blocks.  [default: 50]")
@click.option("--symbols", type=int, help="Its OFDM symbols.  [default: 14]")
@click.option("--dmrs", type=int, help="Pilots in each of its resource blocks.  [default: 12]")
@click.option(
    "--overhead", type=int, help="Other elements that it may not use, 0, 6, 12 or 18.  [default: 0]"
)
@click.option("--harq", help="ir:4 or chase:4: send a block again until it arrives, at most so often.")
@click.option("--rv", metavar="LIST", help="Redundancy versions of its transmissions.  [default: 0,2,3,1]")
@click.option("--crc", help="Check sum by which its receiver knows, 16, 24A ...  [default: it is told]")
@click.option("--turns", type=int, help="Passes through demapper and decoder (BICM-ID).  [default: 1]")
@click.option(
    "--batch-size", type=click.IntRange(1), help="Blocks computed at once; does not change a count."
)
@settings_options
def ber(
    links: str | None,
    no_early_stop: bool,
    transport: bool,
    workers: int,
    batch_size: int | None,
    out: Path | None,
    config: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """BER and BLER against the SNR for codes, modulations and channels.

    --code, --k, --n, --modulation, --channel and --decoder take several values with commas: a curve for each
    combination.

    \b
    semphy ber --k 512 --n 1024 --modulation bpsk --ebno 0:3:0.5 --out runs/ldpc
    semphy ber --code ldpc5g,polar5g,conv,turbo,none --k 128 --n 256 --ebno 0:6:1 --out runs/codes
    semphy ber --n 768,1024,1536 --modulation qpsk,qam16 --ebno 0:8:1 --out runs/rates
    semphy ber --code none --modulation qam16 --esno 0:12:2 --block-errors 1000
    semphy ber --code alist:WIFI_540_648.alist --decoder minsum --target-bler 0.1,0.01
    semphy ber --k 1024 --n 1280 --modulation qam16 --harq ir:4 --rv 0,2,3,1 --esno 0:9:1
    semphy ber --mcs 38.214:table1:10 --prb 20 --esno 4:8:0.5 --out runs/mcs10
    semphy ber --code conv --channel rayleigh:coherence=24 --interleaver block:24 --esno 0:12:2
    semphy ber --k 512 --channel bsc --p 0.02:0.1:0.01
    semphy ber --code polar5g --k 64 --n 128 --floor --ebno 4:6:1 --out runs/floor
    semphy ber --link mine.py:link --ebno 0:4:1 --out runs/mine
    """  # noqa: D301 - click's mark for lines kept apart
    from benchmarks.runs.sweep import quiet_threads
    from benchmarks.settings.keywords import dotted

    early_stop = False if no_early_stop else None
    flags = dotted({**options, "early_stop": early_stop, "transport": True if transport else None})
    quiet_threads()
    specs = _specified if links is None else partial(_own, links)
    result = specs(config, overrides, flags)(out, workers, batch_size)
    click.echo(json.dumps(result.to_json(), indent=2) if as_json else result.to_text())
    if result.interrupted:
        say_interrupted(out)


Sweep = Callable[[Path | None, int, int | None], "BerRun | FloorRun"]
"""Runs what settings describe into a folder, with so many workers, so many blocks at once."""


def _specified(config: Path | None, overrides: tuple[str, ...], flags: Mapping[str, Any]) -> Sweep:
    """Sweep of the links that settings describe."""
    from benchmarks.settings.reading import read_curves

    specs = read_curves(config, overrides, flags)
    if specs[0].floor is not None:
        from benchmarks.links.floor.run import run_floor

        return lambda out, workers, batch_size: run_floor(specs, out, workers)
    from benchmarks.links.ber import run_ber

    return partial(run_ber, specs)


def _own(links: str, config: Path | None, overrides: tuple[str, ...], flags: Mapping[str, Any]) -> Sweep:
    """Sweep of the links that files hold."""
    from benchmarks.settings.errors import InputError
    from benchmarks.settings.links import SweepSpec
    from benchmarks.settings.reading import read_settings

    given = {name: value for name, value in flags.items() if value is not None}
    parts = [name for name in given if name.partition(".")[0] not in SweepSpec.model_fields]
    if parts:
        raise InputError(f"--link is a whole link, {', '.join(parts)} is its own: leave it out")
    spec = read_settings(SweepSpec, config, overrides, {**given, "links": links})
    from benchmarks.links.collect import sweep
    from benchmarks.links.own import OwnLink

    return partial(sweep, [OwnLink.of(place) for place in spec.links], spec)


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
