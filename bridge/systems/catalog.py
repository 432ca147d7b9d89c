"""Systems by name, as the command line and the presets know them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from bridge.air.schemes import parse_schemes
from bridge.own import OwnCode
from bridge.spelling import meant
from bridge.systems.context import Context
from bridge.systems.pixels.bounds import KINDS, Bound
from bridge.systems.pixels.codecs import CODECS
from bridge.systems.pixels.deep_jscc import DeepJSCC
from bridge.systems.pixels.separation import Separation
from bridge.systems.pixels.text import TextOverLink
from bridge.systems.semantic.image_only import ImageOnly
from bridge.systems.semantic.multi_sc import MultiSC, single_text
from bridge.systems.semantic.selection import Selection
from bridge.systems.semantic.text_only import TextOnly
from bridge.systems.semantic.vlf_msc import VlfMsc
from bridge.systems.semantic.vlm_csc import VlmCsc
from bridge.systems.system import System
from phy.channels.channel import Channel
from phy.coding.catalog import CODES
from phy.coding.decoding import Decoding
from phy.source.pictures.codec import ImageCodec

__all__ = ["SEMANTIC", "build_semantic", "build_systems", "carriers", "is_semantic", "make_semantic", "names"]

SEMANTIC: dict[str, Callable[..., System]] = {
    "multi-sc": MultiSC,
    "single-text": single_text,
    "vlm-csc": VlmCsc,
    "vlf-msc": VlfMsc,
    "text-only": TextOnly,
    "image-only": ImageOnly,
    "deep-jscc": DeepJSCC,
    "selection": Selection,
}
"""Systems with models by name; each is called with a `Context` and options."""


def is_semantic(name: str) -> bool:
    """Whether a name, or what stands before ``@LABEL`` in it, is one of `SEMANTIC`.

    Examples
    --------
    >>> is_semantic("multi-sc@uncoded"), is_semantic("bpg-ldpc")
    (True, False)
    """
    return name.partition("@")[0] in SEMANTIC


def carriers() -> dict[str, str]:
    """Channel codes by the last part of a system's name: ``ldpc`` is ``ldpc5g``."""
    return {kind.carrier or kind.name: kind.name for kind in CODES.values() if not kind.from_file}


def build_systems(
    name: str,
    channel: Channel,
    schemes: str = "witt",
    decoding: Decoding | None = None,
    policy: str = "mean",
) -> list[System]:
    """Build the systems of one family, one a scheme.

    Parameters
    ----------
    name:
        ``CODEC-CARRIER`` (``bpg-ldpc``, ``jpeg2000-uncoded``), ``text-CARRIER``, or a bound:
        ``CODEC-capacity``, ``CODEC-finite-length``.
    channel, policy:
        As in `Separation`.
    schemes:
        A set or a list of schemes (`bridge.air.schemes.parse_schemes`).
    decoding:
        How LDPC decoders run.

    Raises
    ------
    ValueError
        If the name is none of these; the message lists what there is.

    Examples
    --------
    >>> from phy.channels.flat import AWGN
    >>> [system.name for system in build_systems("bpg-ldpc", AWGN(), "1/2-qpsk,2/3-qam16")]
    ['bpg-ldpc[1/2-qpsk]', 'bpg-ldpc[2/3-qam16]']
    """
    for kind in KINDS:
        if name.endswith(f"-{kind}"):
            if channel.name != "awgn":
                raise ValueError(
                    f"{name} is a bound of the AWGN channel and says nothing about {channel.name}"
                )
            return [Bound(name, _codec(name, name.removesuffix(f"-{kind}")), kind)]
    source, _, carrier = name.rpartition("-")
    code = carriers().get(carrier)
    if code is None:
        raise _unknown(name)
    chosen = parse_schemes(schemes, code)
    if code == "none":
        modulations = dict.fromkeys(scheme.modulation for scheme in chosen)
        chosen = parse_schemes(",".join(f"1-{modulation}" for modulation in modulations), code)
    decoding = decoding or Decoding()
    if source == "text":
        return [TextOverLink(name, scheme, channel, decoding) for scheme in chosen]
    codec = _codec(name, source)
    return [Separation(name, codec, scheme, channel, decoding, policy) for scheme in chosen]


def _codec(name: str, codec: str) -> ImageCodec:
    if codec not in CODECS:
        raise _unknown(name)
    return CODECS[codec]()


def _unknown(name: str) -> ValueError:
    near = meant(name, (*names(), *SEMANTIC))
    return ValueError(
        f"unknown system {name!r}{near or ':'} write CODEC-CARRIER, text-CARRIER or CODEC-BOUND with a codec "
        f"of {', '.join(CODECS)}; a carrier of {', '.join(carriers())}; a bound of {', '.join(KINDS)}; "
        f"or {', '.join(SEMANTIC)}, FILE.py:CLASS"
    )


def names() -> list[str]:
    """Names of systems without models that `build_systems` takes."""
    coded = [f"{codec}-{end}" for codec in CODECS for end in (*carriers(), *KINDS)]
    return [*coded, *(f"text-{carrier}" for carrier in carriers())]


def build_semantic(name: str, context: Context, options: Mapping[str, Any] | None = None) -> System:
    """Build a system with models, ours or one of the user's.

    Parameters
    ----------
    name:
        A name of `SEMANTIC`, behind which ``@LABEL`` may tell one variant from others, also in results; or
        ``path/to/file.py:ClassName``: a class with the attributes and methods of
        `bridge.systems.system.System`, which is called with the context and the options. A class that lists
        the roles of its models in an attribute ``roles`` has them looked for now, and its results depend on
        no others; one that does not may ask any. What belongs to the file is in `bridge.own`.
    context:
        What all systems of a comparison share.
    options:
        Keyword arguments of the class.

    Raises
    ------
    ValueError
        If there is no such system, file, class or option, the class lacks something, or no model plays a
        role.
    semantic.zoo.weights.WeightsMissing
        If a model is not on this machine.

    Examples
    --------
    >>> from bridge.models import load_models, parse_models
    >>> from phy.channels.flat import AWGN
    >>> context = Context(AWGN(), models=load_models(parse_models("tiny")))
    >>> build_semantic("multi-sc", context, {"parts": 9, "slice": "none"}).roles
    ('captioner', 'corrector', 'generator')
    """
    system = make_semantic(name, context, options)
    for role in getattr(system, "roles", ()):
        if dict(context.models.places).get(role) != "none":
            context.models.check(role)
    return system


def make_semantic(name: str, context: Context, options: Mapping[str, Any] | None = None) -> System:
    """Make a system as `build_semantic` does, without looking for its models.

    Raises
    ------
    ValueError
        If there is no such system, file, class or option, or the class lacks something.
    """
    base, at, label = name.partition("@")
    if at and base in SEMANTIC:
        if not label:
            raise ValueError(f"a variant of {base} has a label, such as {base}@mine, got {name!r}")
        return make_semantic(base, context, {**(options or {}), "name": name})
    if name not in SEMANTIC and ":" not in name:
        raise ValueError(
            f"unknown system {name!r}: there are {', '.join(SEMANTIC)}, and path/to/file.py:ClassName"
        )
    make = SEMANTIC[name] if name in SEMANTIC else _own(name)
    given, known = dict(options or {}), _options(make)
    unknown = [option for option in given if option not in known]
    if unknown:
        raise ValueError(f"{name} has no option {', '.join(unknown)}; there are {', '.join(known) or 'none'}")
    system = make(context, **given)
    lacking = [part for part in _PARTS if inspect.getattr_static(system, part, None) is None]
    if lacking:
        raise ValueError(
            f"{name} is no system, it lacks {', '.join(lacking)}; a system has {', '.join(_PARTS)}"
        )
    return system


_PARTS = tuple(name for name in vars(System) if not name.startswith("_"))


def _options(make: Callable[..., Any]) -> list[str]:
    """Names of what a class or function takes behind the context; ``**options`` go to the class that it \
extends, or returns.
    """
    parameters = list(inspect.signature(make).parameters.values())[1:]
    names = [each.name for each in parameters if each.kind in (each.KEYWORD_ONLY, each.POSITIONAL_OR_KEYWORD)]
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        behind = make.__mro__[1] if isinstance(make, type) else get_type_hints(make)["return"]
        names += [name for name in _options(behind) if name not in names]
    return names


def _own(name: str) -> Callable[..., System]:
    """Class of a user's file."""
    place, _, title = name.rpartition(":")
    made = OwnCode.read(place).take(title)
    if not isinstance(made, type):
        raise ValueError(f"{place} has no class {title!r}")
    return made
