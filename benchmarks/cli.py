"""The command line. Commands import what they need when they run, so that ``--help`` answers at once."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = ["cli", "main"]

Command = TypeVar("Command", bound=Callable[..., Any])
_WRONG_INPUT, _INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``semphy``: wrong input ends as one line on standard error and status 2, Ctrl-C as status 130."""
    try:
        status = cli.main(args=arguments, prog_name="semphy", standalone_mode=False)
    except click.ClickException as error:
        _refuse(error.format_message())
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:  # semphy ... | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        from benchmarks.spec import InputError

        if not isinstance(error, InputError):
            raise
        _refuse(str(error))
    sys.exit(status if isinstance(status, int) else 0)


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


def _as_json(command: Command) -> Command:
    return click.option(
        "--json", "as_json", is_flag=True, help="Print the result as JSON, everything else on standard error."
    )(command)


def _settings(command: Command) -> Command:
    """Options of every command that simulates."""
    options = (
        click.option("--seed", type=int, help="Root of every random draw.  [default: 1]"),
        click.option(
            "--workers", type=click.IntRange(1), default=1, show_default=True, help="Local processes."
        ),
        click.option("--out", type=_folder(), help="Run directory; the same command resumes it."),
        click.option(
            "--config",
            callback=_find_config,
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
    return _as_json(command)


def _folder() -> click.Path:
    return click.Path(file_okay=False, path_type=Path)


def _find_config(context: click.Context, parameter: click.Parameter, value: str | None) -> Path | None:
    if value is None:
        return None
    presets = Path(__file__).parent / "presets"
    for path in (Path(value), presets / f"{value}.yaml"):
        if path.is_file():
            return path
    known = ", ".join(sorted(path.stem for path in presets.glob("*.yaml")))
    raise click.BadParameter(f"{value!r} is neither a file nor a preset; presets are {known}")


@cli.command()
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
@_settings
def ber(
    ebno: str | None,
    esno: str | None,
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
    from benchmarks.settings import read_curves
    from benchmarks.spec import InputError
    from benchmarks.sweep import quiet_threads

    if ebno is not None and esno is not None:
        raise InputError("give either --ebno or --esno, not both")
    flags = {_BER_SETTINGS[name]: value for name, value in options.items()}
    for kind, values in (("ebno", ebno), ("esno", esno)):
        if values is not None:
            flags["snr"] = {"kind": kind, "values_db": values}
    if no_early_stop:
        flags["code.decoder.early_stop"] = False
    specs = read_curves(config, overrides, flags)
    quiet_threads()
    from benchmarks.ber import run_ber

    result = run_ber(specs, out, workers, batch_size)
    click.echo(json.dumps(result.to_json(), indent=2) if as_json else result.to_text())
    if result.interrupted:
        _say_interrupted(out)


_BER_SETTINGS = {
    "code": "code.name",
    "k": "code.k",
    "n": "code.n",
    "decoder": "code.decoder.algorithm",
    "schedule": "code.decoder.schedule",
    "iterations": "code.decoder.iterations",
    "llr_bits": "code.decoder.llr_bits",
    "block_errors": "stop.block_errors",
    "max_blocks": "stop.max_blocks",
    "seconds": "stop.seconds",
    "stop_bler": "stop.below_bler",
    **{
        name: name
        for name in (
            "modulation",
            "demapping",
            "channel",
            "target_bler",
            "engine",
            "device",
            "seed",
            "confidence",
        )
    },
}


def _say_interrupted(out: Path | None) -> None:
    from benchmarks.versions import command_line

    if out is None:
        click.echo("interrupted; nothing is kept without --out", err=True)
    else:
        click.echo(f"interrupted; {out} keeps what is done, resume with: {command_line()}", err=True)
    sys.exit(_INTERRUPTED)


@cli.command()
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
@_settings
def mcs(
    esno: str | None,
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
    from benchmarks.settings import read_settings
    from benchmarks.sweep import quiet_threads

    quiet_threads()
    from benchmarks.mcs import McsSpec, run_mcs

    flags = {_BER_SETTINGS.get(name, name).removeprefix("code."): value for name, value in options.items()}
    if esno is not None:
        flags["snr"] = {"kind": "esno", "values_db": esno}
    result = run_mcs(read_settings(McsSpec, config, overrides, flags), out, workers, batch_size)
    click.echo(json.dumps(result.to_json(), indent=2) if as_json else result.to_text())
    if result.interrupted:
        _say_interrupted(out)


@cli.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=_folder())
@click.option("--out", type=_folder(), help="Folder of the figures.  [default: figures in the first RUN]")
@_as_json
def plot(runs: tuple[Path, ...], out: Path | None, as_json: bool) -> None:
    """Figures of one run, or of several in one, as PNG, SVG and PDF."""
    from benchmarks.plots import plot_runs

    files = [str(path) for path in plot_runs(runs, out or runs[0] / "figures")]
    click.echo(json.dumps({"files": files}, indent=2) if as_json else "\n".join(files))


@cli.command()
@click.option(
    "--systems", metavar="NAMES", help="bpg-ldpc, jpeg2000-ldpc, bpg-capacity, text-ldpc ... (semphy list)."
)
@click.option(
    "--images", metavar="PATH", help="A picture, a folder of pictures, or sample.  [default: sample]"
)
@click.option("--payload", help="Compare ways of carrying text, embedding or image; goes with --carriage.")
@click.option(
    "--carriage",
    metavar="LIST",
    help="digital:FORM:SCHEMES and analog[:repeat=2+mmse], such as digital:lloyd-max:4:1/2-qam16,analog.",
)
@click.option("--captions", metavar="FILE", help="Captions of the pictures, or auto to find them there.")
@click.option("--models", help="tiny, hub, ROLE=PRESET or ROLE=PATH, with commas.  [default: tiny]")
@click.option("--image-size", type=int, help="Resize pictures to squares of so many pixels.")
@click.option("--texts", metavar="PATH", help="A text file, a sentence a line, or sample.  [default: sample]")
@click.option(
    "--embeddings", metavar="PATH", help="A .npy or .safetensors file, a row a vector.  [default: sample]"
)
@click.option("--max-sources", type=int, help="Take only the first so many sources of a kind.")
@click.option("--snr", metavar="RANGE", help="Es/N0 in dB: first:last:step, or numbers with commas.")
@click.option(
    "--cbr", metavar="RATIOS", help="Complex channel uses per subpixel, such as 1/24,1/16.  [default: 1/24]"
)
@click.option("--channel", help="awgn, rayleigh, rayleigh-block, rician:k_db=6, tdl-a ...  [default: awgn]")
@click.option(
    "--channel-uses", type=int, help="Of a sentence or vector over a carriage: a limit, or what it fills."
)
@click.option("--schemes", help="witt, witt-rayleigh, nr, or 1/2-qpsk,2/3-qam16@6144 ...  [default: witt]")
@click.option("--text-schemes", help="The same for sentences.  [default: 1/2-qpsk]")
@click.option(
    "--policy",
    help="For a failed picture: grey, mean or best-effort; best-effort for vectors, too.  [default: mean]",
)
@click.option(
    "--decoder", help="LDPC decoder: sum-product, minsum, offset-minsum ...  [default: sum-product]"
)
@click.option("--schedule", help="flooding or layered.  [default: layered]")
@click.option("--iterations", type=int, help="LDPC decoder iterations.  [default: 20]")
@click.option("--engine", help="LDPC decoder of: compiled or sionna.  [default: compiled]")
@click.option("--metrics", help="psnr, ssim, ms-ssim, lpips-alex, lpips-vgg.  [default: psnr,ssim,ms-ssim]")
@click.option("--text-metrics", help="bleu, bleu-1 ... bleu-4, chrf, cer, wer.  [default: bleu,cer,wer]")
@click.option("--embedding-metrics", help="snr-out, mse, cosine, relative-error.")
@click.option("--trials", type=int, help="Channel realisations a source and SNR.  [default: 1]")
@click.option("--keep", type=int, help="Keep the pictures of so many sources as they arrived.  [default: 1]")
@_settings
def compare(
    workers: int,
    out: Path | None,
    config: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Several systems over the same sources, SNRs and trials, at equal channel uses.

    \b
    semphy compare --systems bpg-ldpc,bpg-capacity --snr -3:18:3 --cbr 1/24 --out runs/bpg
    semphy compare --config demo --out runs/demo
    """  # noqa: D301 - click's mark for lines kept apart
    _say_missing_weights(options)
    from benchmarks.compare import run_compare
    from benchmarks.compare_spec import CompareSpec
    from benchmarks.settings import read_settings
    from benchmarks.sweep import quiet_threads

    spec = read_settings(CompareSpec, config, overrides, options)
    quiet_threads()
    result = run_compare(spec, out, workers)
    click.echo(json.dumps(result.to_json(), indent=2) if as_json else result.to_text())
    if result.broken:
        click.echo(f"# {len(result.broken)} rows without a result; the first: {result.broken[0]}", err=True)
    if result.interrupted:
        _say_interrupted(out)


def _say_missing_weights(options: dict[str, Any]) -> None:
    """Look for published weights before the seconds that all other imports take."""
    if options["models"] != "hub" or not options["systems"]:
        return
    from benchmarks.errors import input_errors
    from semantic import zoo

    for system in options["systems"].split(","):
        for preset in zoo.members(system) if system in zoo.BUNDLES else ():
            with input_errors():
                zoo.resolve(preset.name)


@cli.command()
@click.argument("run", type=_folder())
@click.argument("first")
@click.argument("second")
@click.option("--metric", required=True, help="One that the run has measured.")
@click.option("--cbr", help="Of several bandwidth ratios, which.")
@_as_json
def crossing(run: Path, first: str, second: str, metric: str, cbr: str | None, as_json: bool) -> None:
    """At which SNR system SECOND becomes better than FIRST in a RUN of compare, with an interval."""
    from dataclasses import asdict

    from benchmarks.crossing import crossing as find

    found = find(run, first, second, metric, cbr)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2))
    elif found.snr_db is None:
        click.echo(f"{second} does not become better than {first} within the run")
    else:
        between = "" if found.low is None else f" [{found.low:.2f}, {found.high:.2f}]"
        click.echo(f"{second} becomes better than {first} at {found.snr_db:.2f} dB{between}")


@cli.command()
@click.option("--system", default="bpg-ldpc", show_default=True, help="As for compare.")
@click.option(
    "--image", metavar="FILE", help="A picture, or the name of a bundled one: astronaut, chelsea ..."
)
@click.option("--text", help="A sentence.")
@click.option("--snr", required=True, help="Es/N0 in dB.")
@click.option("--cbr", default="1/24", show_default=True, help="Complex channel uses per subpixel.")
@click.option("--channel", default="awgn", show_default=True, help="As for compare.")
@click.option("--scheme", default="1/2-qpsk", show_default=True, help="One modulation-coding scheme.")
@click.option("--policy", default="mean", show_default=True, help="Shown for a failed picture.")
@click.option(
    "--seed", type=click.IntRange(0), default=1, show_default=True, help="Root of every random draw."
)
@click.option(
    "--out", type=_folder(), default=Path("arrived"), show_default=True, help="Folder for what arrived."
)
@_as_json
def send(out: Path, as_json: bool, **options: Any) -> None:
    """One picture or sentence through one system at one SNR; writes what arrived.

    \b
    semphy send --image chelsea --snr 4 --scheme 2/3-qpsk
    semphy send --system text-uncoded --text "A dog runs on the beach." --snr 6
    """  # noqa: D301 - click's mark for lines kept apart
    from benchmarks.send import send_one

    sent = send_one(**options)
    path = sent.write(out)
    click.echo(json.dumps(sent.to_json(), indent=2) if as_json else f"{sent.to_text()}\n{path}")


@cli.command()
@click.option("--models", metavar="NAMES", help="Presets (semphy list) or folders, with commas.")
@click.option(
    "--images", metavar="PATH", help="Folder of captioned pictures, or scenes:easy, :medium or :hard."
)
@click.option("--captions", metavar="FILE", help="Their captions.  [default: found in the folder]")
@click.option("--image-size", type=int, help="As for compare.")
@click.option("--prompt", help="Instead of each captioner's own.")
@click.option("--max-tokens", type=int, help="Longest caption.  [default: 256]")
@click.option("--max-sources", type=int, help="Take only the first so many pictures.")
@click.option("--device", help="cpu, cuda ...  [default: cpu]")
@click.option("--dtype", help="float32, bfloat16 or float16.  [default: float32]")
@click.option("--out", type=_folder(), help="Folder for table1.csv, captions.csv and table1.json.")
@click.option("--config", callback=_find_config, metavar="FILE", help="As for compare, such as table-1.")
@click.option("--set", "overrides", multiple=True, metavar="NAME=VALUE", help="One setting.")
@_as_json
def captioners(
    out: Path | None, config: Path | None, overrides: tuple[str, ...], as_json: bool, **options: Any
) -> None:
    """Captioners over captioned pictures: BLEU, length, parameters, time and memory (Multi-SC's Table I).

    \b
    semphy captioners --models blip-base,llava-interleave-qwen-0.5b --images flickr8k --max-sources 100
    semphy captioners --config table-1 --images flickr8k --out runs/table-1
    """  # noqa: D301 - click's mark for lines kept apart
    from benchmarks.settings import read_settings
    from benchmarks.sweep import quiet_threads

    quiet_threads()
    from benchmarks.table1 import CaptionersSpec, run_captioners

    table = run_captioners(read_settings(CaptionersSpec, config, overrides, options), out)
    click.echo(json.dumps(table.to_json(), indent=2) if as_json else table.to_text())


@cli.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
def fetch(names: tuple[str, ...]) -> None:
    """Download weights and data sets; says size and licence first.

    \b
    semphy fetch models:multi-sc              all published models of a system
    semphy fetch models:blip-base             one model (semphy list)
    semphy fetch lpips-alex lpips-vgg         networks of metrics
    semphy fetch kodak24 voc2012 flickr8k     data sets, into SEMPHY_DATA or ~/.local/share/semphy
    """  # noqa: D301 - click's mark for lines kept apart
    from benchmarks.errors import input_errors
    from benchmarks.fetching import fetch as get
    from benchmarks.fetching import plan

    with input_errors():
        items = plan(names)
    for item in items:
        click.echo(item.to_text(), err=True)
    for item in items:
        click.echo(get(item))


@cli.command()
@click.argument("name")
@click.option("--steps", type=click.IntRange(1), help="In all.  [default: the recipe's own]")
@click.option(
    "--data", type=_folder(), help="Folder with what it learns from.  [default: the one SEMPHY_DATA names]"
)
@click.option(
    "--out", type=_folder(), help="Folder for the model.  [default: where --models tiny looks for it]"
)
@click.option(
    "--seed", type=click.IntRange(0), default=1, show_default=True, help="Root of every random draw."
)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda ...")
@click.option("--fresh", is_flag=True, help="Begin anew, whatever lies in the folder.")
@_as_json
def train(as_json: bool, **options: Any) -> None:
    """Train a model of the tiny tier; the same command resumes it.

    \b
    NAME is tiny-jscc, jscc-2019-c8, jscc-2019-c16, tiny-corrector, tiny-segmenter, scenes-judge ...
    semphy train tiny-corrector --data DATA --out models/corrector
    """  # noqa: D301 - click's mark for lines kept apart
    from benchmarks.sweep import quiet_threads

    quiet_threads()
    from benchmarks.training import train_model

    made = train_model(**options)
    click.echo(json.dumps(made.to_json(), indent=2) if as_json else made.folder)


@cli.command(name="list")
@_as_json
def list_(as_json: bool) -> None:
    """Codes, decoders, modulations, channels, codecs, systems, models, data sets, metrics and presets."""
    from benchmarks.doctor import catalogue

    found = catalogue()
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    width = max(map(len, found)) + 2
    for name, entries in found.items():
        click.echo(
            textwrap.fill(
                ", ".join(entries) or "none yet",
                width=100,
                initial_indent=f"{name:<{width}}",
                subsequent_indent=" " * width,
                break_on_hyphens=False,
            )
        )


@cli.command()
@_as_json
def doctor(as_json: bool) -> None:
    """What works on this machine, and what to type if it does not."""
    from benchmarks.doctor import examine

    checks = examine()
    if as_json:
        click.echo(json.dumps({"checks": [check.to_json() for check in checks]}, indent=2))
    else:
        click.echo("\n".join(check.to_text() for check in checks))
    if any(check.needed and not check.works for check in checks):
        sys.exit(1)
