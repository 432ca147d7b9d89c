"""What a comparison sends: pictures, sentences and vectors."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

from benchmarks.settings.compare import CompareSpec
from benchmarks.settings.errors import InputError
from bridge.systems.system import Source
from semantic.networks.pixels import Picture
from semantic.samples.captioned import load_captioned
from semantic.samples.named import find_pictures
from semantic.samples.pictures import (
    load_sentences,
    read_picture,
    resize_square,
    sample_pictures,
    sample_sentences,
)
from semantic.samples.vectors import load_embeddings, sample_embeddings
from semantic.scenes import dataset as scenes
from semantic.scenes.scene import DIFFICULTIES, Difficulty

__all__ = ["Listed", "Sources", "kind_of", "load_sources", "pictures"]

_SCENES = 8  # drawn where no number is given


@dataclass(frozen=True, eq=False)
class Listed:
    """A source of a comparison while nobody is at work on it: pictures of files are without their pixels.

    Attributes
    ----------
    known:
        The source; its image is None if it can be read again.
    kind, digest, size:
        Of the whole source: see `kind_of`, and `bridge.systems.system.Source`; None without a picture.
    """

    known: Source
    kind: str
    digest: str
    size: tuple[int, int] | None

    def __eq__(self, other: object) -> bool:
        """Whether both are the same content under the same name, in whatever process they were listed."""
        return isinstance(other, Listed) and (self.name, self.digest) == (other.name, other.digest)

    def __hash__(self) -> int:
        """Of the content."""
        return hash(self.digest)

    @classmethod
    def of(cls, source: Source) -> Listed:
        """List a source, and let go of what its file still has."""
        known = source if source.origin is None else replace(source, image=None)
        return cls(known, kind_of(source), source.digest, None if source.image is None else source.size)

    @property
    def name(self) -> str:
        """Name in results."""
        return self.known.name

    @property
    def captions(self) -> tuple[str, ...]:
        """Reference captions of a picture."""
        return self.known.captions

    @property
    def scene(self) -> Any:
        """What is known of a drawn picture."""
        return self.known.scene

    def load(self) -> Source:
        """The whole source, with a memory of its own.

        Raises
        ------
        InputError
            If its file is no longer what it was.
        """
        if self.known.origin is None:
            return replace(self.known, memory={})
        try:
            source = replace(self.known, image=self.known.origin(), memory={})
        except ValueError as error:
            raise InputError(f"{self.name} could be read before: {error}") from error
        if source.digest != self.digest:
            raise InputError(f"{self.name} has changed since the run began; run the command again")
        return source


class Sources(NamedTuple):
    """Sources of a comparison, all different, and in words what was left out because it came again."""

    sources: list[Listed]
    repeats: list[str]


def load_sources(spec: CompareSpec, modalities: Collection[str], folder: Path | None = None) -> Sources:
    """List the sources of the kinds that the systems of a comparison take, each content once.

    All are read, so that what cannot be read shows before any long work; pictures of files are let go again.

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
        listed = Listed.of(source)
        if listed.digest in names:
            found.repeats.append(f"{source.name} is the same as {names[listed.digest]} and counts once")
            continue
        names[listed.digest] = source.name
        found.sources.append(listed)
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
        for item in load_captioned(spec.images, captions, spec.image_size):
            own = partial(getattr, item, "pixels")
            yield Source(item.name, own(), captions=item.captions, folder=folder, origin=own)
    elif spec.images == "sample":
        for name, image in sample_pictures(size=spec.image_size):
            yield Source(name, image, folder=folder)
    else:
        for path in find_pictures(spec.images):
            own = partial(_pixels, path, spec.image_size)
            yield Source(path.name, own(), folder=folder, origin=own)


def _pixels(path: Path, size: int | None) -> Picture:
    image = read_picture(path)
    return image if size is None else resize_square(image, size)


def kind_of(source: Source) -> str:
    """What a source of a comparison is: ``image``, ``text`` or ``embedding``."""
    if source.image is not None:
        return "image"
    return "text" if source.text is not None else "embedding"
