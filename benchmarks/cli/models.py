"""Commands about models and the machine.

``captioners``, ``fetch``, ``train``, ``fit``, ``evaluate``, ``list``, ``doctor`` and ``cache``.
"""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import Any

import click

from benchmarks.cli.options import FORCE, as_json_option, device_options, find_config, folder

__all__ = ["cache", "captioners", "doctor", "evaluate", "fetch", "fit", "list_", "train"]


class _OfModels(click.Command):
    """A command whose help ends with the names that it takes."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write name and purpose of every model."""
        from bridge.training.evaluations import EVALUATIONS
        from bridge.training.recipes import RECIPES

        names = EVALUATIONS if self.name == "evaluate" else RECIPES
        with formatter.section("Names"):
            formatter.write_dl([(name, RECIPES[name].purpose) for name in names])


@click.command()
@click.option("--models", metavar="NAMES", help="Presets (semphy list) or folders, with commas.")
@click.option(
    "--images", metavar="PATH", help="Folder of captioned pictures, or scenes:easy, :medium or :hard."
)
@click.option("--captions", metavar="FILE", help="Their captions.  [default: found in the folder]")
@click.option("--image-size", type=int, help="As for compare.")
@click.option("--prompt", help="Instead of each captioner's own.")
@click.option("--max-tokens", type=int, help="Longest caption.  [default: 256]")
@click.option("--max-sources", type=int, help="Take only the first so many pictures.")
@click.option("--force", is_flag=True, default=None, help=FORCE)
@device_options
@click.option("--out", type=folder(), help="Folder for table1.csv, captions.csv and table1.json.")
@click.option("--config", callback=find_config, metavar="FILE", help="As for compare, such as table-1.")
@click.option("--set", "overrides", multiple=True, metavar="NAME=VALUE", help="One setting.")
@as_json_option
def captioners(
    out: Path | None, config: Path | None, overrides: tuple[str, ...], as_json: bool, **options: Any
) -> None:
    """Captioners over captioned pictures: BLEU, length, parameters, time and memory (Multi-SC's Table I).

    \b
    semphy captioners --models blip-base,llava-interleave-qwen-0.5b --images flickr8k --max-sources 100
    semphy captioners --config table-1 --images flickr8k --out runs/table-1
    """  # noqa: D301 - click's mark for lines kept apart
    from benchmarks.runs.sweep import quiet_threads
    from benchmarks.settings.reading import read_settings

    quiet_threads()
    from benchmarks.papers.table1 import run_captioners
    from benchmarks.settings.captioners import CaptionersSpec

    table = run_captioners(read_settings(CaptionersSpec, config, overrides, options), out)
    click.echo(json.dumps(table.to_json(), indent=2) if as_json else table.to_text())


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@as_json_option
def fetch(names: tuple[str, ...], as_json: bool) -> None:
    """Download weights and data sets; says size and licence first.

    \b
    semphy fetch models:multi-sc              all published models of a system
    semphy fetch models:blip-base             one model (semphy list)
    semphy fetch lpips-alex st-lpips          networks of metrics
    semphy fetch preset:multi-sc-photographs  all that settings ask for (semphy list presets)
    semphy fetch kodak24 voc2012 flickr8k     data sets, into SEMPHY_DATA or ~/.local/share/semphy
    """  # noqa: D301 - click's mark for lines kept apart
    from benchmarks.machine.fetching import bring, plan, summary
    from benchmarks.settings.errors import input_errors

    with input_errors():
        things = plan(names)
    for thing in things:
        click.echo(summary(thing), err=True)
    found = []
    for thing in things:
        found.append({"name": thing.fetched_as, "path": str(bring(thing)), "licence": thing.licence})
        if not as_json:
            click.echo(found[-1]["path"])
    if as_json:
        click.echo(json.dumps({"files": found}, indent=2))


@click.command(cls=_OfModels)
@click.argument("name")
@click.option("--steps", type=click.IntRange(1), help="In all.  [default: the recipe's own]")
@click.option(
    "--data", type=folder(), help="Folder with what it learns from.  [default: the one SEMPHY_DATA names]"
)
@click.option(
    "--images", type=folder(), help="Photographs of one's own instead, of photo-captioner and jscc."
)
@click.option(
    "--captions",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Captions of one's own instead, of photo-captioner, corrector and text-jscc.",
)
@click.option("--c", type=click.IntRange(2), help="Filters of jscc, even; CBR is c/96.  [default: 8]")
@click.option(
    "--snr",
    metavar="DB|LOW:HIGH",
    help="Es/N0 of jscc and text-jscc.  [default: 0:20 and -6:18]",
)
@click.option(
    "--base", metavar="NAME|FOLDER", help="BART that corrector goes on from.  [default: a small one]"
)
@click.option("--link", metavar="SCHEME", help="What corrector learns to mend.  [default: 1-qpsk]")
@click.option(
    "--out",
    type=folder(),
    help="Folder for the model.  [default: where --models tiny looks for it, if it does]",
)
@click.option(
    "--seed", type=click.IntRange(0), default=1, show_default=True, help="Root of every random draw."
)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda ...")
@click.option("--fresh", is_flag=True, help="Begin anew, whatever lies in the folder.")
@as_json_option
def train(
    as_json: bool, c: int | None, snr: str | None, base: str | None, link: str | None, **options: Any
) -> None:
    """Train a model of the tiny tier, or one's own; the same command resumes it.

    \b
    semphy train tiny-corrector --data DATA --out models/corrector
    semphy train photo-captioner --images FOLDER --captions FILE --out models/captioner
    semphy train jscc --c 2 --snr 19 --images FOLDER --out models/jscc
    semphy train corrector --base bart-base --captions FILE --link 1-qpsk --out models/bart
    semphy train text-jscc --captions FILE --out models/text-jscc
    """  # noqa: D301 - click's mark for lines kept apart
    from benchmarks.runs.sweep import quiet_threads

    quiet_threads()
    from benchmarks.machine.training import train_model

    made = train_model(**options, settings={"c": c, "snr": snr, "base": base, "link": link})
    click.echo(json.dumps(made.to_json(), indent=2) if as_json else made.folder)


@click.command()
@click.argument("name", type=click.Choice(["vlf-bridge"]))
@click.option(
    "--images", metavar="PATH", required=True, help="Folder of pictures, or the name of a data set."
)
@click.option("--feature", metavar="NAME|FOLDER", default="blip2-opt-2.7b", show_default=True, help="BLIP-2.")
@click.option(
    "--painter",
    metavar="NAME|FOLDER",
    default="kandinsky-2.2-decoder",
    show_default=True,
    help="Kandinsky 2.2's decoder, or Stable Diffusion.",
)
@click.option(
    "--encoder",
    metavar="NAME|FOLDER",
    help="Where image_encoder/ lies: Kandinsky's prior, or an IP-Adapter.  [default: a published painter's]",
)
@click.option(
    "--uses",
    "channel_uses",
    type=click.IntRange(1),
    default=256,
    show_default=True,
    help="Channel uses of a feature.",
)
@click.option("--max-sources", type=click.IntRange(1), help="Take only the first so many pictures.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda ...")
@click.option(
    "--dtype", type=click.Choice(["float32", "bfloat16", "float16"]), default="float32", show_default=True
)
@click.option("--out", type=folder(), help="Folder for it.  [default: where --models hub looks for it]")
@click.option("--fresh", is_flag=True, help="Begin anew, whatever lies in the folder.")
@as_json_option
def fit(name: str, as_json: bool, **options: Any) -> None:
    """Fit what lies between published models to pictures, in closed form.

    vlf-bridge: BLIP-2's queries to the embedding that Kandinsky or IP-Adapter reads, by ridge regression, and
    to the reals that go over the channel, by principal axes.

    \b
    semphy fit vlf-bridge --images voc2012 --device cuda
    semphy compare --systems vlf-msc --models hub --images kodak24 --snr -3:15:6
    semphy fit vlf-bridge --images FOLDER --painter stable-diffusion-1.5 --out models/vlf
    """  # noqa: D301 - click's mark for lines kept apart
    from benchmarks.runs.sweep import quiet_threads

    quiet_threads()
    from benchmarks.machine.fitting import fit_bridge

    made = fit_bridge(**options)
    click.echo(json.dumps(made.to_json(), indent=2) if as_json else made.to_text())


@click.command(cls=_OfModels)
@click.argument("name", metavar="NAME|FOLDER")
@click.option("--as", "kind", metavar="NAME", help="What lies in FOLDER.")
@click.option(
    "--data", type=folder(), help="Folder with what it is measured on.  [default: the one SEMPHY_DATA names]"
)
@click.option(
    "--max-sources",
    type=click.IntRange(1),
    help="Most scenes, photographs or captions.  [default: the card's]",
)
@click.option("--seed", type=click.IntRange(0), help="Root of every random draw.  [default: the card's]")
@click.option("--confidence", type=float, default=0.95, show_default=True, help="Of the intervals.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File for the result as JSON.")
@as_json_option
def evaluate(as_json: bool, **options: Any) -> None:
    """Take the figures of a trained model, those of its card, with intervals.

    \b
    semphy evaluate tiny-captioner
    semphy evaluate tiny-jscc --data DATA --max-sources 4
    semphy evaluate models/corrector --as tiny-corrector
    """  # noqa: D301 - click's mark for lines kept apart
    from benchmarks.runs.sweep import quiet_threads

    quiet_threads()
    from benchmarks.machine.evaluation import evaluate_model

    made = evaluate_model(**options)
    click.echo(json.dumps(made.to_json(), indent=2) if as_json else made.to_text())


@click.command(name="list")
@click.argument("kinds", metavar="[KIND]...", nargs=-1)
@as_json_option
def list_(kinds: tuple[str, ...], as_json: bool) -> None:
    """Codes, decoders, modulations, channels, codecs, systems, models, data sets, metrics and presets.

    \b
    semphy list             all of them
    semphy list systems     what --systems takes
    """  # noqa: D301 - click's mark for lines kept apart
    from benchmarks.machine.catalogue import catalogue

    found = catalogue(kinds)
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


@click.command()
@click.option("--validate", is_flag=True, help="Hold results of this machine against published ones instead.")
@as_json_option
def doctor(validate: bool, as_json: bool) -> None:
    """What works on this machine, and what to type if it does not."""
    if validate:
        _validate(as_json)
        return
    from benchmarks.machine.doctor import examine

    checks = examine()
    if as_json:
        click.echo(json.dumps({"checks": [check.to_json() for check in checks]}, indent=2))
    else:
        click.echo("\n".join(check.to_text() for check in checks))
    if any(check.needed and not check.works for check in checks):
        sys.exit(1)


def _validate(as_json: bool) -> None:
    from benchmarks.machine.validation import COLUMNS, validate
    from benchmarks.runs.table import LiveTable, plain

    found = []
    with LiveTable(COLUMNS) as table:
        for one in validate():
            found.append(one)
            table.update(one.name, one, done=True)
    wrong = [one for one in found if not one.holds]
    if as_json:
        click.echo(json.dumps({"validations": [one.to_json() for one in found]}, indent=2))
    else:
        click.echo(plain(COLUMNS, found))
        click.echo(f"{len(found) - len(wrong)} of {len(found)} hold")
    if wrong:
        sys.exit(1)


@click.command()
@click.option("--clear", is_flag=True, help="Remove it; what is needed again is made again.")
@as_json_option
def cache(clear: bool, as_json: bool) -> None:
    """What is kept between processes: compiled kernels, and the files that codecs made of pictures."""
    from benchmarks.machine import cache as kept

    found = kept.clear() if clear else kept.examine()
    text = f"removed: {found.to_text()}" if clear else found.to_text()
    click.echo(json.dumps(found.to_json(), indent=2) if as_json else text)
