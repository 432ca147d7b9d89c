"""Systems by name, as the command line and the presets know them."""

from __future__ import annotations

from bridge.schemes import Decoding, parse_schemes
from bridge.systems.bounds import KINDS, Bound
from bridge.systems.codecs import CODECS
from bridge.systems.separation import Separation
from bridge.systems.system import System
from bridge.systems.text import TextOverLink
from phy.channels import Channel
from phy.source.codec import ImageCodec

__all__ = ["CARRIERS", "build_systems"]

CARRIERS = {"ldpc": "ldpc5g", "polar": "polar5g", "conv": "conv", "turbo": "turbo", "uncoded": "none"}
"""Channel codes by the last part of a system's name."""


def build_systems(
    name: str,
    channel: Channel,
    schemes: str = "witt",
    decoding: Decoding | None = None,
    policy: str = "mean",
    device: str = "cpu",
) -> list[System]:
    """Build the systems of one family, one a scheme.

    Parameters
    ----------
    name:
        ``CODEC-CARRIER`` (``bpg-ldpc``, ``jpeg2000-uncoded``), ``text-CARRIER``, or a bound:
        ``CODEC-capacity``, ``CODEC-finite-length``.
    channel, policy, device:
        As in `Separation`.
    schemes:
        A set or a list of schemes (`bridge.schemes.parse_schemes`).
    decoding:
        How LDPC decoders run.

    Raises
    ------
    ValueError
        If the name is none of these; the message lists what there is.
    """
    for kind in KINDS:
        if name.endswith(f"-{kind}"):
            if channel.name != "awgn":
                raise ValueError(
                    f"{name} is a bound of the AWGN channel and says nothing about {channel.name}"
                )
            return [Bound(name, _codec(name, name.removesuffix(f"-{kind}")), kind)]
    source, _, carrier = name.rpartition("-")
    if carrier not in CARRIERS:
        raise _unknown(name)
    code = CARRIERS[carrier]
    chosen = parse_schemes(schemes, code)
    if code == "none":
        modulations = dict.fromkeys(scheme.modulation for scheme in chosen)
        chosen = parse_schemes(",".join(f"1-{modulation}" for modulation in modulations), code)
    decoding = decoding or Decoding()
    if source == "text":
        return [TextOverLink(name, scheme, channel, decoding, device) for scheme in chosen]
    codec = _codec(name, source)
    return [Separation(name, codec, scheme, channel, decoding, policy, device) for scheme in chosen]


def _codec(name: str, codec: str) -> ImageCodec:
    if codec not in CODECS:
        raise _unknown(name)
    return CODECS[codec]()


def _unknown(name: str) -> ValueError:
    return ValueError(
        f"unknown system {name!r}: write CODEC-CARRIER, text-CARRIER or CODEC-BOUND with a codec of "
        f"{', '.join(CODECS)}; a carrier of {', '.join(CARRIERS)}; a bound of {', '.join(KINDS)}"
    )
