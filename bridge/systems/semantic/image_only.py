"""Image only: the picture itself over the air, and a caption made where it arrives.

::

    picture -> codec -> code, QAM -> channel -> picture -+-> picture
       or   -> deep JSCC -> I/Q   -> channel -> picture -+-> captioner -> text

On the air: what `Separation` or `DeepJSCC` sends. The caption costs nothing, as it is made at the receiver,
from what arrived there: a picture that failed is described as the failure policy shows it.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace

from bridge.air.schemes import parse_schemes
from bridge.air.transmission import Reception, Transmission
from bridge.systems.base import SemanticSystem
from bridge.systems.context import Context
from bridge.systems.pixels.codecs import CODECS
from bridge.systems.pixels.deep_jscc import DeepJSCC
from bridge.systems.pixels.separation import Separation
from bridge.systems.system import Reconstruction, Source
from phy.units import EsN0
from semantic.models.captioning import QUERY

__all__ = ["ImageOnly"]


@dataclass(eq=False)
class ImageOnly(SemanticSystem):
    """A system for pictures, and a captioner behind it.

    Parameters
    ----------
    context:
        Channel, decoding, failure policy, and models (captioner; jscc if that carries the picture).
    carrier:
        ``jscc``, or an image codec, which travels over 5G LDPC.
    scheme:
        The codec's scheme.
    query, max_tokens:
        What the captioner is asked, and the length of its answer.

    Raises
    ------
    ValueError
        If the carrier is unknown, or there is not one scheme.
    """

    context: Context
    _: KW_ONLY
    carrier: str = "bpg"
    scheme: str = "1/2-qpsk"
    query: str | None = QUERY
    max_tokens: int = 64
    name: str = "image-only"

    def __post_init__(self) -> None:
        self.carries = self._carrier()
        self.adapts, self.policy = self.carries.adapts, self.carries.policy
        self.roles = ("captioner", *["jscc"] * (self.carrier == "jscc"))

    def _carrier(self) -> DeepJSCC | Separation:
        if self.carrier == "jscc":
            return DeepJSCC(self.context, name=self.name)
        if self.carrier not in CODECS:
            raise ValueError(
                f"carrier of a picture must be jscc or one of {', '.join(CODECS)}, got {self.carrier!r}"
            )
        schemes = parse_schemes(self.scheme)
        if len(schemes) != 1:
            raise ValueError(f"a picture takes one scheme here, got {self.scheme!r}")
        channel, decoding, policy = self.context.channel, self.context.decoding, self.context.policy
        return Separation(self.name, CODECS[self.carrier](), schemes[0], channel, decoding, policy)

    def check(self, channel_uses: int) -> None:
        """Raise ValueError where the carrier does."""
        self.carries.check(channel_uses)

    def encode(self, source: Source, channel_uses: int | None, snr: EsN0) -> Transmission:
        """Send the picture; see the carrier's ``encode``."""
        return self.carries.encode(source, channel_uses, snr)

    def decode(self, reception: Reception) -> Reconstruction:
        """Decode the picture and describe it."""
        made = self.carries.decode(reception)
        if made.image is None:
            raise ValueError(f"{self.carrier} made no picture to describe")
        captioner = self.context.models.captioner
        (text,) = captioner.caption([made.image], self.query, max_tokens=self.max_tokens)
        return replace(made, text=text)
