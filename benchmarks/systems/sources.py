"""What a comparison sends: pictures, sentences and vectors."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, cast

from benchmarks.settings.compare import CompareSpec
from bridge.systems.system import Source
from semantic.samples.captioned import load_captioned
from semantic.samples.pictures import (
    load_sentences,
    picture_paths,
    read_picture,
    resize_square,
    sample_pictures,
    sample_sentences,
)
from semantic.samples.vectors import load_embeddings, sample_embeddings
from semantic.scenes import dataset as scenes
from semantic.scenes.scene import DIFFICULTIES, Difficulty

__all__ = ["Sources", "kind_of", "load_sources", "pictures"]

_SCENES = 8  # drawn where no number is given


class Sources(NamedTuple):
    """Sources of a comparison, all different, and in words what was left out because it came again."""

    sources: list[Source]
    repeats: list[str]


def load_sources(spec: CompareSpec, modalities: Collection[str], folder: Path | None = None) -> Sources:
    """Load the sources of the kinds that the systems of a comparison take, each content once.

    Parameters
    ----------
    spec:
        Which ones.
    modalities:
        ``image``, ``text``, ``embedding``.
    folder:
        Where transmitters keep what they work out; None for nowhere.

    Raises
    ------
    ValueError
        If something cannot be read.
    """
    found = Sources([], [])
    for kind, load in (("image", pictures), ("text", _sentences), ("embedding", _vectors)):
        if kind in modalities:
            _take(found, load(spec, folder), spec.max_sources)
    return found


def _take(found: Sources, sources: Iterable[Source], most: int | None) -> None:
    """Add up to so many that are not there yet: a source that came twice would meet the same noise twice."""
    names: dict[str, str] = {}
    for source in sources:
        if source.digest in names:
            found.repeats.append(f"{source.name} is the same as {names[source.digest]} and counts once")
            continue
        names[source.digest] = source.name
        found.sources.append(source)
        if len(names) == most:
            return


def _sentences(spec: CompareSpec, folder: Path | None) -> Iterator[Source]:
    sentences = sample_sentences() if spec.texts == "sample" else load_sentences(Path(spec.texts))
    for number, text in enumerate(sentences, 1):
        yield Source(f"sentence-{number}", text=text, folder=folder)


def _vectors(spec: CompareSpec, folder: Path | None) -> Iterator[Source]:
    own = None if spec.embeddings == "sample" else Path(spec.embeddings)
    for name, vector in sample_embeddings() if own is None else load_embeddings(own, spec.flatten):
        yield Source(name, embedding=vector, folder=folder)


def pictures(spec: CompareSpec, folder: Path | None) -> Iterator[Source]:
    """Pictures of a comparison, one by one.

    Raises
    ------
    ValueError
        If one cannot be read.
    """
    if spec.images.startswith("scenes"):
        _, _, level = spec.images.partition(":")
        if level not in ("", *DIFFICULTIES):
            raise ValueError(f"scenes are {', '.join(DIFFICULTIES)}, got {spec.images!r}")
        difficulty = cast(Difficulty, level or "hard")
        drawn = scenes.load(spec.max_sources or _SCENES, spec.seed, difficulty, spec.image_size or 64)
        for scene in drawn:
            yield Source(
                scene.name, scene.pixels, captions=tuple(scene.captions), scene=scene.scene, folder=folder
            )
    elif spec.captions is not None:
        captions = None if spec.captions == "auto" else Path(spec.captions)
        for item in load_captioned(Path(spec.images), captions, spec.image_size):
            yield Source(item.name, item.pixels, captions=item.captions, folder=folder)
    elif spec.images == "sample":
        for name, image in sample_pictures(size=spec.image_size):
            yield Source(name, image, folder=folder)
    else:
        for path in picture_paths(spec.images):
            image = read_picture(path)
            size = spec.image_size
            yield Source(path.name, image if size is None else resize_square(image, size), folder=folder)


def kind_of(source: Source) -> str:
    """What a source of a comparison is: ``image``, ``text`` or ``embedding``."""
    if source.image is not None:
        return "image"
    return "text" if source.text is not None else "embedding"
