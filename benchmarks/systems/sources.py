"""What a comparison sends: pictures, sentences and vectors."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import cast

from benchmarks.settings.compare import CompareSpec
from bridge.systems.system import Source
from semantic.samples.captioned import load_captioned
from semantic.samples.pictures import load_pictures, load_sentences, sample_pictures, sample_sentences
from semantic.samples.vectors import load_embeddings, sample_embeddings
from semantic.scenes import dataset as scenes
from semantic.scenes.scene import DIFFICULTIES, Difficulty

__all__ = ["kind_of", "load_sources"]

_SCENES = 8  # drawn where no number is given


def load_sources(spec: CompareSpec, modalities: Collection[str], folder: Path | None = None) -> list[Source]:
    """Load the sources of the kinds that the systems of a comparison take.

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
    sources = _pictures(spec, folder) if "image" in modalities else []
    if "text" in modalities:
        sentences = sample_sentences() if spec.texts == "sample" else load_sentences(Path(spec.texts))
        sources += [
            Source(f"sentence-{number}", text=text, folder=folder)
            for number, text in enumerate(sentences[: spec.max_sources], 1)
        ]
    if "embedding" in modalities:
        vectors = (
            sample_embeddings() if spec.embeddings == "sample" else load_embeddings(Path(spec.embeddings))
        )
        sources += [
            Source(name, embedding=vector, folder=folder) for name, vector in vectors[: spec.max_sources]
        ]
    return sources


def _pictures(spec: CompareSpec, folder: Path | None) -> list[Source]:
    if spec.images.startswith("scenes"):
        _, _, level = spec.images.partition(":")
        if level not in ("", *DIFFICULTIES):
            raise ValueError(f"scenes are {', '.join(DIFFICULTIES)}, got {spec.images!r}")
        difficulty = cast(Difficulty, level or "hard")
        drawn = scenes.load(spec.max_sources or _SCENES, spec.seed, difficulty, spec.image_size or 64)
        return [
            Source(item.name, item.pixels, captions=tuple(item.captions), scene=item.scene, folder=folder)
            for item in drawn
        ]
    if spec.captions is not None:
        captions = None if spec.captions == "auto" else Path(spec.captions)
        items = load_captioned(Path(spec.images), captions, spec.image_size, spec.max_sources)
        return [Source(item.name, item.pixels, captions=item.captions, folder=folder) for item in items]
    pictures = (
        sample_pictures(size=spec.image_size)
        if spec.images == "sample"
        else load_pictures(Path(spec.images), size=spec.image_size)
    )
    return [Source(name, image, folder=folder) for name, image in pictures[: spec.max_sources]]


def kind_of(source: Source) -> str:
    """What a source of a comparison is: ``image``, ``text`` or ``embedding``."""
    if source.image is not None:
        return "image"
    return "text" if source.text is not None else "embedding"
