"""Reading facts back from text: captions of ours, or what a damaged channel or a model made of them.

Known phrases are found (the longest first), everything else is ignored. Attributes gather into an object
until something starts the next one: a full stop or semicolon, an article after an object whose shape or two
other attributes were named, or a second attribute of the same kind.

Behind the name of a quarter ("Top left quarter:") places are places within it, up to the next such name. A
place holds one object at most, so what two quarters tell of the same place is one object that the cut went
through: what is told first counts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from semantic.scenes.captions import WORDS
from semantic.scenes.facts import Attributes, Counts, Facts, count_right
from semantic.scenes.quadrants import LEADS, place_in_picture
from semantic.scenes.scene import Scene

__all__ = ["parse", "text_accuracy"]


class _Mark(NamedTuple):
    """Something found in a text: a kind of fact and its value, or ``article``, ``relation``, ``quadrant`` or
    ``stop``.
    """

    kind: str
    value: str = ""


_TOKENS = re.compile(r"[a-z]+|[.,:;]")  # no phrase reaches across a comma
_NOUN = ("shape", "colour", "size", "texture")


def _phrases() -> Iterator[tuple[str, _Mark]]:
    for kind, values in WORDS.items():
        for value, phrases in values.items():
            for phrase in phrases:
                yield phrase.removeprefix("the "), _Mark("texture" if kind == "pattern" else kind, value)
    for place, phrases in WORDS["place"].items():
        for phrase in phrases:
            bare = phrase.split("the ")[1]
            # "left" alone may be anything, "left:" is a label.
            yield bare if " " in bare else f"{bare}:", _Mark("place", place)
    for quadrant, lead in LEADS.items():
        yield lead, _Mark("quadrant", quadrant)
    for relation in ("left of", "right of"):  # no places
        yield relation, _Mark("relation")
    for word in ("a", "an", "one", "another"):
        yield word, _Mark("article")
    for stop in ".;":
        yield stop, _Mark("stop")


_LEXICON = {tuple(_TOKENS.findall(phrase)): mark for phrase, mark in _phrases()}
_LONGEST = max(map(len, _LEXICON))


def _marks(text: str) -> Iterator[_Mark]:
    tokens = _TOKENS.findall(text.lower())
    start = 0
    while start < len(tokens):
        for length in range(_LONGEST, 0, -1):
            mark = _LEXICON.get(tuple(tokens[start : start + length]))
            if mark:
                yield mark
                start += length - 1
                break
        start += 1


_Object = dict[str, str]


def _starts_another(mark: _Mark, current: _Object) -> bool:
    if mark.kind == "article":
        return "shape" in current or sum(kind in current for kind in _NOUN) >= 2
    return mark.kind in ("stop", "quadrant") or mark.kind in current


def _most_named(values: Counter[str]) -> str | None:
    """The value named most often; None if nothing was named, or others as often."""
    ranked = [*values.most_common(2), ("", 0), ("", 0)]
    return ranked[0][0] if ranked[0][1] > ranked[1][1] else None


def _joined(objects: Sequence[_Object], quarters: Sequence[str | None]) -> Iterator[_Object]:
    """Leave out what a further quarter tells of a place."""
    first: dict[str, str] = {}
    for found, quarter in zip(objects, quarters, strict=True):
        place = found.get("place")
        if place is None or quarter is None or first.setdefault(place, quarter) == quarter:
            yield found


def parse(text: str) -> Facts:
    """Read the facts that a text tells.

    Unknown words are ignored. An object counts if its shape or at least two of its attributes are named.
    Of several backgrounds, or several lights, the one that is named most often counts; of equals none.

    Parameters
    ----------
    text:
        Any text, in the words of `WORDS`.

    Returns
    -------
    Facts
        Objects in the order in which they are named.

    Examples
    --------
    >>> parse("A smal red star at the top, against snow").objects[0]
    Attributes(shape='star', colour='red', size=None, texture=None, place='top')
    """
    objects: list[_Object] = [{}]
    origins: list[str | None] = [None]
    settings = {"background": Counter[str](), "light": Counter[str]()}
    quadrant: str | None = None
    for mark in _marks(text):
        if mark.kind in settings:
            settings[mark.kind][mark.value] += 1
            continue
        if _starts_another(mark, objects[-1]):
            objects.append({})
            origins.append(quadrant)
        if mark.kind == "quadrant":
            quadrant = origins[-1] = mark.value
        elif mark.kind == "place" and quadrant:
            objects[-1]["place"] = place_in_picture(mark.value, quadrant)
        elif mark.value:
            objects[-1][mark.kind] = mark.value
    named = [found for found in _joined(objects, origins) if "shape" in found or len(found) >= 2]
    background, light = map(_most_named, settings.values())
    return Facts(tuple(Attributes(**found) for found in named), background, light or "none")


def text_accuracy(scene: Scene, text: str) -> Counts:
    """Count the facts of a scene that a text tells rightly (see `count_right`); what it leaves out is wrong.

    Examples
    --------
    >>> from semantic.scenes.scene import Thing
    >>> scene = Scene((Thing("star", "red", "small", "plain", "top"),), "snow")
    >>> text_accuracy(scene, "A small plain red star at the bottom, against snow.")
    Counts(right=4, total=5)
    """
    return count_right(scene, parse(text))
