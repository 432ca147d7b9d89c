"""YAML as settings write it: plain values, numbers of YAML 1.2, no name twice, no surprises."""

from __future__ import annotations

import re
from typing import Any

import yaml

from benchmarks.settings.errors import InputError

__all__ = ["yaml_value"]

_DEEPEST = 32
_TAG = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """Plain values only, of bounded depth, without aliases and without a key that comes twice.

    Numbers are those of YAML 1.2: ``0:4:0.5`` is an SNR range, not 240.5 of base 60. ``no`` and ``off`` are
    words, and so are dates.
    """

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _wrong(f"alias *{event.anchor} is not read, write out what it stands for", event)
        if getattr(event, "tag", None) is not None:
            raise _wrong(f"tag {event.tag} is not read, write the value alone", event)
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _wrong(f"more than {_DEEPEST} lists and groups inside each other", event)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> str:
        value = super().construct_scalar(node)
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise _wrong("half of a character, which no file can hold", node)
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise _wrong(f"{key.value!r} stands there a second time", key)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _wrong(what: str, place: yaml.Event | yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=what, problem_mark=place.start_mark)  # type: ignore[arg-type]


_Loader.yaml_implicit_resolvers = {
    first: kept
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    if (kept := [(tag, form) for tag, form in resolvers if tag in (f"{_TAG}null", f"{_TAG}merge")])
}
for _kind, _form, _first in (
    ("bool", r"(true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"[-+]?[0-9]+$", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+|\.[0-9]+[eE][-+]?[0-9]+)$",
        "-+.0123456789",
    ),
):
    _Loader.add_implicit_resolver(f"{_TAG}{_kind}", re.compile(_form), list(_first))


def yaml_value(text: str, place: str = "") -> Any:
    """Read YAML, with numbers and truth values as YAML 1.2 writes them.

    Parameters
    ----------
    text:
        What to read. It may not repeat a key, and have neither aliases nor more than 32 levels.
    place:
        What it is from, for the message.

    Raises
    ------
    InputError
        If the text is no such YAML; says in which line.

    Examples
    --------
    >>> yaml_value("{snr: 0:4:0.5, policy: no, max_blocks: 1e6}")
    {'snr': '0:4:0.5', 'policy': 'no', 'max_blocks': 1000000.0}
    """
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader: builds plain values only
    except (yaml.YAMLError, ValueError) as error:
        problem = getattr(error, "problem", None) or str(error)
        mark = getattr(error, "problem_mark", None)
        line = "" if mark is None else f"line {mark.line + 1}"
        where = " of ".join(filter(None, (line, place)))
        raise InputError(" ".join(f"{where or 'not YAML'}: {problem}".split())) from error
