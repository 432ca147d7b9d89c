"""``semphy captioners``: what captioners say of pictures, how long, how well, and at what cost.

This is Table I of Multi-SC (Huang and Li, arXiv 2503.19386), for any captioners and pictures. The paper does
not say which references, pictures, n-gram orders and unit of length stand behind its figures; here all of
them are stated and measured. Its figures stand beside those of the same models.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.runs.resampling import bootstrap_interval
from benchmarks.runs.results import Result, write_csv
from benchmarks.runs.sweep import processes, submit
from benchmarks.runs.table import Column, LiveTable, plain
from benchmarks.runs.versions import versions
from benchmarks.settings.captioners import CaptionersSpec
from benchmarks.settings.errors import InputError, input_errors
from semantic.files import write_text
from semantic.metrics.bleu import bleu, corpus_bleu
from semantic.samples.captioned import load_captioned
from semantic.scenes import dataset as scenes
from semantic.scenes.palette import is_drawn
from semantic.zoo.cards import datasets_of
from semantic.zoo.presets import resolve

__all__ = ["PUBLISHED", "Caption", "Table1", "run_captioners"]

PUBLISHED = {"llava-interleave-qwen-0.5b": (0.1485, 42), "llava-1.5-7b": (0.1451, 190)}
"""BLEU and text length in the letter's Table I, by the preset with the same language model."""


@dataclass(frozen=True)
class Caption:
    """One caption and what it cost.

    Attributes
    ----------
    model, picture, text:
        Who says what of which picture.
    characters, words, tokens:
        Its length; words stand between white space, and tokens are those that the captioner's tokeniser
        makes of the text.
    seconds:
        To make it, alone in its batch.
    bleu:
        Against all references of the picture, smoothed (`semantic.metrics.bleu.bleu`).
    """

    model: str
    picture: str
    text: str
    characters: int
    words: int
    tokens: int
    seconds: float
    bleu: float


@dataclass(frozen=True)
class _Said:
    """What a process of its own found out about one captioner."""

    texts: list[str]
    tokens: list[int]
    seconds: list[float]
    parameters: int
    load_seconds: float
    peak_bytes: int


@dataclass(frozen=True, repr=False)
class Table1(Result):
    """The table.

    Attributes
    ----------
    spec:
        Resolved settings.
    versions:
        See `benchmarks.runs.versions`.
    rows:
        One a captioner: ``model``, ``images``, ``bleu`` (corpus, smoothed as sacrebleu does), ``bleu_1`` to
        ``bleu_4`` (corpus, not smoothed), ``sentence_bleu`` with ``_low`` and ``_high``, means of
        ``characters``, ``words`` and ``tokens``, ``cut`` captions at the limit, ``parameters``,
        ``seconds`` a caption, ``load_seconds``, ``peak_bytes``, ``bleu_letter``, ``length_letter``.
    captions:
        What was said.
    """

    spec: dict[str, Any]
    versions: dict[str, str | None]
    rows: list[dict[str, Any]]
    captions: list[Caption]

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {**asdict(self), "captions": [asdict(caption) for caption in self.captions]}

    def to_text(self) -> str:
        """Return the table, with the letter's figures in the last two columns."""
        return plain(_COLUMNS, self.rows)

    def to_csv_rows(self) -> list[dict[str, Any]]:
        """Return the rows."""
        return self.rows

    def write(self, folder: Path) -> None:
        """Write ``table1.csv``, ``captions.csv`` and ``table1.json`` into a folder, made if need be."""
        self.to_csv(folder / "table1.csv")
        write_csv(folder / "captions.csv", [asdict(caption) for caption in self.captions])
        write_text(folder / "table1.json", json.dumps(self.to_json(), indent=2))


def _number(name: str, form: str, title: str | None = None) -> Column[dict[str, Any]]:
    return Column(title or name, lambda row: "-" if row[name] is None else format(row[name], form))


_COLUMNS: tuple[Column[dict[str, Any]], ...] = (
    Column("model", lambda row: row["model"]),
    _number("images", "d"),
    _number("bleu", ".4f", "BLEU"),
    *(_number(f"bleu_{n}", ".4f", f"BLEU-{n}") for n in (1, 2, 3, 4)),
    _number("characters", ".1f", "chars"),
    _number("words", ".1f"),
    _number("tokens", ".1f"),
    _number("cut", "d"),
    Column("parameters", lambda row: f"{row['parameters'] / 1e6:.3g}M"),
    _number("seconds", ".3g", "s/caption"),
    Column("peak_GB", lambda row: f"{row['peak_bytes'] / 1e9:.2f}"),
    _number("bleu_letter", ".4f", "BLEU_letter"),
    _number("length_letter", "d"),
)
_PROGRESS: tuple[Column[tuple[str, float]], ...] = (
    Column("captioner", lambda done: done[0], 30),
    Column("seconds", lambda done: f"{done[1]:.1f}", 8),
)


def run_captioners(spec: CaptionersSpec, out: Path | None = None) -> Table1:
    """Let each captioner describe every picture, each in a process of its own, so that its memory is its own.

    The peak is of that process: Python, the libraries, the model and the captions; on a GPU it is what
    PyTorch held there. A caption's time is that of one picture through the model, after one that is not
    counted.

    Raises
    ------
    InputError
        If a captioner is missing or is none, there are no captioned pictures, or a process dies.
    """
    with input_errors():
        folders = [resolve(model) for model in spec.models]  # before anything else, as it may be missing
        pictures = _pictures(spec)
        _check_pictures(spec, folders, pictures)
    references = [picture.captions for picture in pictures]
    rows, captions = [], []
    with LiveTable(_PROGRESS) as progress:
        for model, folder in zip(spec.models, folders, strict=True):
            start = time.perf_counter()
            said = _alone(spec, folder)
            progress.update(model, (model, time.perf_counter() - start), done=True)
            mine = list(_captions(model, pictures, said))
            captions += mine
            rows.append(_row(spec, model, references, said, mine))
    table = Table1(spec.model_dump(mode="json"), versions(), rows, captions)
    if out is not None:
        table.write(out)
    return table


def _pictures(spec: CaptionersSpec) -> list[Any]:
    """Pictures with ``name``, ``pixels`` and ``captions``."""
    if not spec.images.startswith("scenes"):
        return load_captioned(spec.images, spec.captions, spec.image_size, spec.max_sources)
    _, _, difficulty = spec.images.partition(":")
    kind: Any = difficulty or "hard"
    return list(scenes.load(spec.max_sources or 8, spec.seed, kind, spec.image_size or 64))


def _check_pictures(spec: CaptionersSpec, folders: Sequence[Path], pictures: Sequence[Any]) -> None:
    """Refuse to ask captioners that know drawn scenes alone about any other picture; ``force`` asks them."""
    known = [m for m, folder in zip(spec.models, folders, strict=True) if datasets_of(folder) == ("scenes",)]
    other = next((each for each in pictures if not is_drawn(each.pixels)), None) if known else None
    if other is not None and not spec.force:
        raise ValueError(
            f"{', '.join(known)}, trained on drawn scenes alone, would caption {other.name}, which is none: "
            "give --images scenes:medium, other --models, or --force"
        )


def _alone(spec: CaptionersSpec, folder: Path) -> _Said:
    with processes(1) as pool:
        try:
            return submit(pool, partial(_describe, spec.model_dump_json()), folder).result()
        except BrokenProcessPool as error:
            raise InputError(f"the process of {folder} died, likely for want of memory") from error


def _describe(settings: str, folder: Path) -> _Said:
    """Caption all pictures one by one; runs in a process of its own."""
    import torch

    from semantic.models.captioning import load_captioner

    spec = CaptionersSpec.model_validate_json(settings)
    start = time.perf_counter()
    with input_errors():
        captioner = load_captioner(folder, device=spec.device, dtype=getattr(torch, spec.dtype))
    loaded = time.perf_counter() - start
    texts, seconds = [], []
    for index, picture in enumerate(_pictures(spec)):
        pixels = picture.pixels
        if not index:
            captioner.caption([pixels], spec.prompt, max_tokens=min(4, spec.max_tokens))  # warms up
        start = time.perf_counter()
        texts += captioner.caption([pixels], spec.prompt, max_tokens=spec.max_tokens)
        seconds.append(time.perf_counter() - start)
    tokenizer = captioner.processor.tokenizer
    tokens = [len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]
    parameters = sum(parameter.numel() for parameter in captioner.model.parameters())
    return _Said(texts, tokens, seconds, parameters, loaded, _peak_bytes(spec.device))


def _peak_bytes(device: str) -> int:
    import torch

    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if status.exists():  # Linux, where getrusage would count the process that started this one
        return 1024 * int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _captions(model: str, pictures: Sequence[Any], said: _Said) -> Iterator[Caption]:
    for picture, text, tokens, seconds in zip(pictures, said.texts, said.tokens, said.seconds, strict=True):
        score = bleu(picture.captions, text)
        yield Caption(model, picture.name, text, len(text), len(text.split()), tokens, seconds, score)


def _row(
    spec: CaptionersSpec,
    model: str,
    references: Sequence[Sequence[str]],
    said: _Said,
    captions: Sequence[Caption],
) -> dict[str, Any]:
    def mean(name: str) -> float:
        return sum(getattr(caption, name) for caption in captions) / len(captions)

    scores = [caption.bleu for caption in captions]
    pictures = [caption.picture for caption in captions]
    low, high = bootstrap_interval(scores, pictures, spec.confidence, limits=(0.0, 1.0))
    known = low == low and high == high  # one picture says nothing about others
    published = PUBLISHED.get(model, (None, None))
    return {
        "model": model,
        "images": len(captions),
        "bleu": corpus_bleu(references, said.texts, smooth=True),
        **{f"bleu_{n}": corpus_bleu(references, said.texts, n) for n in (1, 2, 3, 4)},
        "sentence_bleu": mean("bleu"),
        "sentence_bleu_low": low if known else None,
        "sentence_bleu_high": high if known else None,
        **{name: mean(name) for name in ("characters", "words", "tokens")},
        "cut": sum(caption.tokens >= spec.max_tokens for caption in captions),
        "parameters": said.parameters,
        "seconds": mean("seconds"),
        "load_seconds": said.load_seconds,
        "peak_bytes": said.peak_bytes,
        "bleu_letter": published[0],
        "length_letter": published[1],
    }
