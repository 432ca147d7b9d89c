"""Commands about systems and their runs: ``compare``, ``reproduce``, ``crossing``, ``send`` and ``plot``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from benchmarks.cli.options import FORCE, as_json_option, device_options, end_with, folder, settings_options

__all__ = ["compare", "crossing", "plot", "reproduce", "send"]


@click.command()
@click.option(
    "--systems", metavar="NAMES", help="bpg-ldpc, jpeg2000-ldpc, bpg-capacity, text-ldpc ... (semphy list)."
)
@click.option(
    "--images",
    metavar="PATH",
    help="A picture, a folder, kodak24, voc2012, voc2012:eval, scenes:medium, or sample.  [default: sample]",
)
@click.option("--payload", help="Compare ways of carrying text, embedding or image; goes with --carriage.")
@click.option(
    "--carriage",
    metavar="LIST",
    help="digital:FORM:SCHEMES and analog[:repeat=2+mmse], such as digital:lloyd-max:4:1/2-qam16,analog.",
)
@click.option("--captions", metavar="FILE", help="Captions of the pictures, or auto to find them there.")
@click.option("--models", help="tiny, hub, ROLE=PRESET or ROLE=PATH, with commas.  [default: tiny]")
@device_options
@click.option("--image-size", type=int, help="Resize pictures to squares of so many pixels.")
@click.option("--texts", metavar="PATH", help="A text file, a sentence a line, or sample.  [default: sample]")
@click.option(
    "--embeddings",
    metavar="PATH",
    help="A .npy, .npz, .csv or .safetensors file, a row a vector.  [default: sample]",
)
@click.option("--flatten", is_flag=True, default=None, help="Take grids of tokens for one vector each.")
@click.option("--max-sources", type=int, help="Take only the first so many sources of a kind.")
@click.option("--snr", metavar="RANGE", help="Es/N0 in dB: first:last:step, or numbers with commas.")
@click.option(
    "--cbr", metavar="RATIOS", help="Complex channel uses per subpixel, such as 1/24,1/16.  [default: 1/24]"
)
@click.option("--channel", help="awgn, rayleigh, rayleigh-block, rician:k_db=6, tdl-a ...  [default: awgn]")
@click.option("--channel-uses", type=int, help="Of a sentence or vector: a limit, or what a carriage fills.")
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
@click.option(
    "--metrics", help="psnr, ssim, ms-ssim, lpips-alex, st-lpips-alex ...  [default: psnr,ssim,ms-ssim]"
)
@click.option("--text-metrics", help="bleu, bleu-1 ... bleu-4, chrf, cer, wer.  [default: bleu,cer,wer]")
@click.option("--bleu-tokenize", help="Words of BLEU: 13a, intl, zh, ja-mecab or char.  [default: 13a]")
@click.option("--embedding-metrics", help="snr-out, mse, cosine, relative-error.")
@click.option("--trials", type=int, help="Channel realisations a source and SNR.  [default: 1]")
@click.option("--force", is_flag=True, default=None, help=FORCE)
@click.option("--keep", type=int, help="Keep the pictures of so many sources as they arrived.  [default: 1]")
@settings_options
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
    from benchmarks.runs.sweep import quiet_threads
    from benchmarks.settings.compare import CompareSpec
    from benchmarks.settings.reading import read_settings
    from benchmarks.systems.compare import run_compare

    spec = read_settings(CompareSpec, config, overrides, options)
    quiet_threads()
    result = run_compare(spec, out, workers)
    click.echo(json.dumps(result.to_json(), indent=2) if as_json else result.to_text())
    end_with(result.broken, result.interrupted, out)


def _say_missing_weights(options: dict[str, Any]) -> None:
    """Look for published weights before the seconds that all other imports take."""
    if options["models"] != "hub" or not options["systems"]:
        return
    from benchmarks.settings.errors import InputError
    from semantic.zoo import presets as zoo
    from semantic.zoo.published import say_missing

    asked = (name.partition("@")[0] for name in options["systems"].split(","))
    bundles = [zoo.members(name) for name in asked if name in zoo.BUNDLES]
    missing = {preset.name: preset for bundle in bundles for preset in bundle if not preset.is_here}
    if missing:
        raise InputError(say_missing(list(missing.values())))


@click.command()
@click.argument("paper")
@click.option("--images", metavar="PATH", help="As for compare.  [default: scenes:medium]")
@click.option("--models", help="As for compare.  [default: tiny]")
@device_options
@click.option("--max-sources", type=int, help="As for compare.  [default: 48]")
@click.option("--snr", metavar="RANGE", help="As for compare.  [default: -6:15:3]")
@click.option("--force", is_flag=True, default=None, help=FORCE)
@click.option("--metrics", help="As for compare; cosine:clip-vit-b32,lpips-alex are nearest to Multi-SC's.")
@settings_options
def reproduce(
    paper: str,
    workers: int,
    out: Path | None,
    config: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Run a PAPER's comparison again, draw its figures, and hold its claims against them.

    PAPER is multi-sc (arXiv 2503.19386), multi-sc-texts (what becomes of its texts), or vlf-msc (arXiv
    2511.10074). Its settings are the preset of that name; whatever is given here, or by --config or --set,
    goes before them.

    \b
    semphy reproduce multi-sc --out runs/multi-sc
    semphy reproduce multi-sc --config multi-sc-photographs --images voc2012:eval --out runs/voc
    """  # noqa: D301 - click's mark for lines kept apart
    from benchmarks.papers.reproduce import check_paper, run_reproduction
    from benchmarks.runs.sweep import quiet_threads
    from benchmarks.settings.compare import CompareSpec
    from benchmarks.settings.presets import find_config
    from benchmarks.settings.reading import read_settings

    check_paper(paper)
    spec = read_settings(CompareSpec, config or find_config(paper), overrides, options)
    quiet_threads()
    found = run_reproduction(paper, spec, out or Path("runs") / paper, workers)
    click.echo(json.dumps(found.to_json(), indent=2) if as_json else found.to_text())
    end_with(found.run.broken, found.run.interrupted, out or Path("runs") / paper)


@click.command()
@click.argument("run", type=folder())
@click.argument("first")
@click.argument("second")
@click.option("--metric", required=True, help="One that the run has measured.")
@click.option("--cbr", help="Of several bandwidth ratios, which.")
@click.option(
    "--refine",
    metavar="DB",
    type=float,
    help="Compute further SNRs in the run until they lie so close around the crossing.",
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes for that.")
@as_json_option
def crossing(as_json: bool, **options: Any) -> None:
    """At which SNR system SECOND becomes better than FIRST in a RUN of compare, with an interval.

    The interval ends at the nearest SNRs of the run at which either is surely better: between two SNRs a
    curve may fall off a cliff. --refine computes some between, as the RUN was computed.
    """
    from benchmarks.commands import crossing as find

    found = find(**options)
    click.echo(json.dumps(found.to_json(), indent=2) if as_json else found.to_text())


@click.command()
@click.option(
    "--system", default="bpg-ldpc", show_default=True, help="As for compare (semphy list systems); one."
)
@click.option(
    "--image",
    metavar="FILE",
    help="A picture, the name of a bundled one (astronaut, chelsea ...), or scenes:medium, a drawn one.",
)
@click.option("--text", help="A sentence.")
@click.option("--image-size", type=int, help="As for compare.")
@click.option("--snr", required=True, help="Es/N0 in dB.")
@click.option("--cbr", default="1/24", show_default=True, help="Complex channel uses per subpixel.")
@click.option("--channel", default="awgn", show_default=True, help="As for compare.")
@click.option("--scheme", default="1/2-qpsk", show_default=True, help="One, of files and of texts.")
@click.option("--policy", default="mean", show_default=True, help="Shown for a failed picture.")
@click.option("--models", help="As for compare.  [default: tiny]")
@click.option("--force", is_flag=True, default=None, help=FORCE)
@click.option(
    "--seed", type=click.IntRange(0), default=1, show_default=True, help="Root of every random draw."
)
@click.option(
    "--set", "overrides", multiple=True, metavar="NAME=VALUE", help="One setting, such as iterations=50."
)
@click.option(
    "--out", type=folder(), default=Path("arrived"), show_default=True, help="Folder for what arrived."
)
@as_json_option
def send(
    system: str,
    image: str | None,
    text: str | None,
    scheme: str,
    overrides: tuple[str, ...],
    out: Path,
    as_json: bool,
    **settings: Any,
) -> None:
    """One picture or sentence through one system at one SNR; writes what arrived.

    \b
    semphy send --image chelsea --snr 4 --scheme 2/3-qpsk
    semphy send --system text-uncoded --text "A dog runs on the beach." --snr 6
    semphy send --system multi-sc --image scenes:medium --image-size 256 --snr 6 --cbr 1/48
    """  # noqa: D301 - click's mark for lines kept apart
    from benchmarks.systems.send import send_one

    sent = send_one(system, image, text, scheme, settings, overrides)
    files = [str(file) for file in sent.write(out)]
    click.echo(json.dumps(sent.to_json(), indent=2) if as_json else "\n".join([sent.to_text(), *files]))


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=folder())
@click.option("--out", type=folder(), help="Folder of the figures.  [default: figures in the first RUN]")
@click.option(
    "--overlay",
    multiple=True,
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Curves of others beside those of ber and mcs: AFF3CT's text, or CSV with ebno_db or esno_db, ber, "
    "bler; may be repeated.",
)
@click.option(
    "--paired",
    metavar="BASE",
    help="Differences of a comparison's systems to this one on the same sources, with their intervals.",
)
@as_json_option
def plot(
    runs: tuple[Path, ...], out: Path | None, overlay: tuple[Path, ...], paired: str | None, as_json: bool
) -> None:
    """Figures of one run, or of several of a kind in one, as PNG, SVG and PDF.

    \b
    semphy plot runs/kodak
    semphy plot runs/ldpc runs/polar --out figures
    semphy plot runs/bch --overlay BCH_N127_K71.txt --overlay published.csv
    """  # noqa: D301 - click's mark for lines kept apart
    from benchmarks.cli.plotting import plot_runs

    files = [str(path) for path in plot_runs(runs, out or runs[0] / "figures", overlay, paired)]
    click.echo(json.dumps({"files": files}, indent=2) if as_json else "\n".join(files))
