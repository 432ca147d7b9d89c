"""Captions of scenes: one canonical description, and many free phrasings.

A phrasing is put together from a frame (how the objects are listed and where the background is told), a style
for each object (in what order its attributes stand) and synonyms. With ``full=True`` every fact is told;
otherwise facts are left out by lot, as people do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from semantic.scenes.facts import things_in
from semantic.scenes.quadrants import place_in_quadrant
from semantic.scenes.scene import PLACES, Scene, Seed, Thing, below, choose, chooser, relation

__all__ = ["WORDS", "caption", "describe", "quadrant_caption"]


def _place_phrases(place: str) -> tuple[str, ...]:
    if place == "centre":
        return ("at the centre", "in the centre", "in the middle", "at the center")
    if place in ("left", "right"):
        return (f"on the {place}", f"at the middle {place}", f"on the {place} side", f"at the {place}")
    if place in ("top", "bottom"):
        end = {"top": "upper", "bottom": "lower"}[place]
        return (f"at the {place}", f"at the {place} centre", f"in the {end} middle", f"at the {end} edge")
    row, column = place.split()
    end = {"top": "upper", "bottom": "lower"}[row]
    return (
        f"at the {place}",
        f"in the {place} corner",
        f"in the {end} {column}",
        f"in the {end} {column} corner",
    )


WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "shape": {
        "circle": ("circle", "disc"),
        "square": ("square",),
        "triangle": ("triangle",),
        "star": ("star",),
        "cross": ("cross", "plus sign"),
        "ring": ("ring", "hoop"),
        "diamond": ("diamond", "rhombus"),
        "crescent": ("crescent", "half moon"),
    },
    "colour": {
        "red": ("red",),
        "orange": ("orange",),
        "yellow": ("yellow",),
        "green": ("green",),
        "cyan": ("cyan", "turquoise"),
        "blue": ("blue",),
        "purple": ("purple", "violet"),
        "pink": ("pink",),
    },
    "size": {"small": ("small", "little", "tiny"), "large": ("large", "big", "huge")},
    "texture": {
        "plain": ("plain", "solid", "unpatterned"),
        "striped": ("striped", "stripy", "banded"),
        "dotted": ("dotted", "spotted", "speckled"),
    },
    "pattern": {
        "plain": ("no pattern", "no marks"),
        "striped": ("stripes", "bands"),
        "dotted": ("dots", "spots"),
    },
    "place": {place: _place_phrases(place) for place in PLACES},
    "background": {
        "grass": ("grass", "the lawn", "the meadow"),
        "sand": ("sand", "the beach", "the desert"),
        "sky": ("the sky", "the clouds"),
        "night": ("the night sky", "the starry night"),
        "brick": ("the brick wall", "brickwork", "bricks"),
        "snow": ("snow", "the snowfield"),
    },
    "light": {
        "dark": ("in dim light", "in the dark", "in deep shadow"),
        "bright": ("in bright light", "in glaring sunshine", "in strong light"),
    },
}
"""What captions say: kind -> value -> phrases, the canonical one first. ``pattern`` is texture as a noun."""


class _Frame(NamedTuple):
    """How a caption is laid out.

    ``text`` has the fields ``items`` and one of ``clause`` (" against grass in dim light"), ``sentence``
    (" The background is grass, in dim light.") and ``lead`` ("against grass in dim light, "). ``listing``
    says how the objects are strung together.
    """

    text: str
    listing: str


_FRAMES = (
    _Frame("{items}{clause}.", "and"),
    _Frame("There is {items}{clause}.", "and"),
    _Frame("The picture shows {items}{clause}.", "and"),
    _Frame("A picture of {items}{clause}.", "and"),
    _Frame("You can see {items}.{sentence}", "and"),
    _Frame("{lead}there is {items}.", "and"),
    _Frame("{lead}we see {items}.", "and"),
    _Frame("{items}{clause}.", "relations"),
    _Frame("{items}.{sentence}", "relations"),
    _Frame("{items}.{sentence}", "labels"),
    _Frame("{items}.{sentence}", "place first"),
    _Frame("{items}.{sentence}", "sentences"),
    _Frame("{count}{clause}: {items}.", "semicolons"),
)
_FOR_NOTHING = 7  # the frames above in which an empty list reads well
_CLAUSES = ("against {}", "in front of {}", "with {} behind", "with {} in the background")
_SENTENCES = ("The background is {}", "Behind is {}", "All of it is in front of {}", "Background: {}")
_NUMBERS = ("No object", "One object", "Two objects", "Three objects", "Four objects")
_RELATIONS = {
    "above": ("above", "higher than"),
    "below": ("below", "lower than"),
    "left of": ("left of", "to the left of"),
    "right of": ("right of", "to the right of"),
}


class _Writer:
    """Chooses words and what to leave out; ``generator`` None always takes the first word."""

    def __init__(self, generator: np.random.Generator | None, full: bool) -> None:
        self.generator = generator
        self.full = full

    def pick(self, phrases: Sequence[str]) -> str:
        return phrases[0] if self.generator is None else choose(self.generator, phrases)

    def tells(self, of: int = 2) -> bool:
        """Draw whether an optional fact is told: all but one time in ``of``."""
        return self.full or self.generator is None or below(self.generator, of) > 0

    def word(self, kind: str, value: str) -> str:
        return self.pick(WORDS[kind][value])

    def noun(self, thing: Thing) -> str:
        """The object without its place, article included: "a small striped red circle"."""
        size = [self.word("size", thing.size)] if self.tells() else []
        colour = [self.word("colour", thing.colour)] if self.tells(of=8) else []
        texture = thing.texture if self.tells() else None
        shape = self.word("shape", thing.shape)
        style = self.pick(("before", "before", "with", "after"))
        if style == "with":
            trimming = [f"with {self.word('pattern', texture)}"] if texture else []
            return " ".join([_article([*size, *colour, shape]), *trimming])
        adjective = [self.word("texture", texture)] if texture else []
        if style == "after" and (size or adjective):
            return f"{_article([*colour, shape])}, {' and '.join([*size, *adjective])}"
        return _article([*size, *adjective, *colour, shape])

    def placed(self, thing: Thing) -> str:
        """The object and, after it, its place."""
        noun = self.noun(thing)
        if not self.tells():
            return noun
        return f"{noun}{',' if ',' in noun else ''} {self.word('place', thing.place)}"

    def labelled(self, thing: Thing) -> str:
        """The object after its place: "top left: a red circle"."""
        return f"{self.word('place', thing.place).split('the ')[1]}: {self.noun(thing)}"

    def fronted(self, thing: Thing) -> str:
        """The object in a sentence that begins with its place."""
        verb = self.pick(("there is", "is", "you find"))
        return _capital(f"{self.word('place', thing.place)} {verb} {self.noun(thing)}")

    def items(self, things: Sequence[Thing], listing: str) -> str:
        """All objects, strung together."""
        if listing == "labels":
            return "; ".join(map(self.labelled, things))
        if listing == "place first":
            return ". ".join(map(self.fronted, things))
        placed = list(map(self.placed, things)) or ["nothing"]
        if listing == "semicolons":
            return "; ".join(placed)
        if listing == "sentences":
            return ". ".join(map(_capital, placed))
        if listing == "relations":
            links = (self.pick(_RELATIONS[relation(*pair)]) for pair in pairwise(things))
            return placed[0] + "".join(map(", {} {}".format, links, placed[1:]))
        return " and ".join(filter(None, (", ".join(placed[:-1]), placed[-1])))

    def setting(self, scene: Scene) -> tuple[str, str]:
        """Phrases for background and light; empty where not told."""
        background = self.word("background", scene.background) if self.tells() else ""
        light = self.word("light", scene.light) if scene.light != "none" and self.tells() else ""
        return background, light

    def caption(self, scene: Scene, things: Sequence[Thing], frame: _Frame) -> str:
        background, light = self.setting(scene)
        behind = self.pick(_CLAUSES).format(background) if background else ""
        clause = " ".join(filter(None, (behind, light)))
        told = self.pick(_SENTENCES).format(background) if background else ""
        sentence = _capital(", ".join(filter(None, (told, light))))
        fields = {
            "items": self.items(things, frame.listing),
            "clause": f" {clause}" if clause else "",
            "sentence": f" {sentence}." if sentence else "",
            "lead": f"{clause}, " if clause else "",
            "count": _NUMBERS[len(things)],
        }
        return _capital(frame.text.format(**fields))


def _article(words: Sequence[str]) -> str:
    return f"{'an' if words[0][0] in 'aeiou' else 'a'} {' '.join(words)}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def describe(scene: Scene) -> str:
    """Say everything about a scene in the one canonical way.

    Examples
    --------
    >>> describe(Scene((Thing("star", "red", "small", "plain", "top"),), "snow", "dark"))
    'A small plain red star at the top against snow in dim light.'
    """
    return _Writer(None, full=True).caption(scene, scene.things, _FRAMES[0])


def caption(scene: Scene, seed: Seed, full: bool = False) -> str:
    """Say what a scene shows, in words drawn by lot.

    Parameters
    ----------
    scene:
        What is to be seen.
    seed:
        A NumPy generator (of PCG64, so that the words are the same everywhere), or what seeds one.
    full:
        Tell every fact, so that `text_accuracy` is 1. Otherwise sizes, textures, places, background and light
        are told by the toss of a coin each, and one colour in eight is left out.

    Examples
    --------
    >>> from semantic.scenes import parse, scene_facts
    >>> scene = Scene((Thing("star", "red", "small", "plain", "top"),), "snow", "dark")
    >>> parse(caption(scene, seed=1, full=True)) == scene_facts(scene)
    True
    """
    generator = chooser(seed)
    return _Writer(generator, full).caption(scene, scene.things, choose(generator, _FRAMES))


def quadrant_caption(
    scene: Scene,
    quadrant: str,
    seed: Seed | None = None,
    full: bool = True,
    inner: bool = False,
    margin: int = 0,
) -> str:
    """Say what one quarter of the picture shows: the objects whose centre lies in it, background and light.

    The four quarters' full captions together tell the whole scene.

    Parameters
    ----------
    scene:
        What is to be seen.
    quadrant:
        One of ``QUADRANTS``.
    seed:
        As in `caption`; None for canonical words.
    full:
        As in `caption`.
    inner:
        Tell places within the quarter, which is all that the quarter alone shows
        (`semantic.scenes.quadrants`); otherwise they are those in the whole picture.
    margin:
        Tell objects whose centre lies up to so many units beyond the cut, too.

    Raises
    ------
    ValueError
        If there is no such quadrant.
    """
    things = things_in(scene, quadrant, margin)
    if inner:
        things = tuple(replace(thing, place=place_in_quadrant(thing.place, quadrant)) for thing in things)
    if seed is None:
        return _Writer(None, full=True).caption(scene, things, _FRAMES[0])
    generator = chooser(seed)
    frames = _FRAMES if things else _FRAMES[:_FOR_NOTHING]
    return _Writer(generator, full).caption(scene, things, choose(generator, frames))
