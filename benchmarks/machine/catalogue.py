"""What there is to choose from: ``semphy list``."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.settings.errors import InputError
from bridge.spelling import meant

__all__ = ["CARRIAGES", "catalogue"]

CARRIAGES = (
    "digital:FORM:SCHEMES",
    "digital:lloyd-max:4:1/2-qam16",
    "digital:uniform:8:1-qam16",
    "analog",
    "analog:repeat=2",
    "analog:repeat=fill+mmse",
)
"""Ways of carrying a payload, with examples (`bridge.air.names.parse_carriage`)."""


def catalogue(kinds: Sequence[str] = ()) -> dict[str, list[str]]:
    """Names that the options take, by kind.

    Parameters
    ----------
    kinds:
        Which; a word stands for all kinds that have it in their names. All if empty.

    Raises
    ------
    InputError
        If there is no such kind.

    Examples
    --------
    >>> list(catalogue(["systems"]))
    ['systems', 'semantic systems']
    """
    found = _all()
    for kind in kinds:
        if not any(kind in name for name in found):
            raise InputError(
                f"nothing to list under {kind!r}{meant(kind, found)}; there are {', '.join(found)}"
            )
    return {name: each for name, each in found.items() if not kinds or any(kind in name for kind in kinds)}


def _all() -> dict[str, list[str]]:
    from benchmarks.settings.presets import preset_names
    from bridge.air.schemes import SCHEME_SETS
    from bridge.models import ROLES, TIERS
    from bridge.systems.catalog import SEMANTIC, names
    from bridge.systems.pixels.codecs import CODECS
    from phy.coding.catalog import CODES
    from phy.coding.decoding import ENGINES, SCHEDULES
    from phy.coding.fixed_point import LLR_BITS
    from phy.constellations.names import MODULATIONS
    from semantic.metrics.catalog import METRICS, NETWORK_METRICS
    from semantic.samples.downloads import DATA_SETS
    from semantic.zoo.presets import BUNDLES, PRESETS

    return {
        "codes": [kind.label for kind in CODES.values()],
        **{f"decoders of {kind.label}": list(kind.decoders) for kind in CODES.values()},
        **{f"engines of {kind.label}": list(kind.engines) for kind in CODES.values()},
        "schedules of LDPC": list(SCHEDULES),
        "llr-bits of LDPC": [str(bits) for bits in LLR_BITS],
        "engines": ["auto", *ENGINES],
        "modulations": list(MODULATIONS),
        "demappings": ["app", "maxlog"],
        "channels": [
            *(
                "awgn",
                "rayleigh",
                "rayleigh-block",
                "rayleigh:coherence=24",
                "rician:k_db=6",
                "rician-block:k_db=6",
            ),
            *(f"tdl-{model}:delay_spread=100e-9,speed=3" for model in "abcde"),
        ],
        "channels of bits": ["bsc", "bec"],
        "codecs": list(CODECS),
        "systems": names(),
        "schemes": list(SCHEME_SETS),
        "semantic systems": [*SEMANTIC, "FILE.py:CLASS"],
        "carriages": list(CARRIAGES),
        "models": [*TIERS, *(f"{role}=PRESET-or-FOLDER" for role in ROLES)],
        "presets of models": list(PRESETS),
        "bundles of models": list(BUNDLES),
        "data sets": list(DATA_SETS),
        "metrics": [*METRICS, *(f"{name}:PRESET-or-FOLDER" for name in NETWORK_METRICS)],
        "presets": preset_names(),
    }
