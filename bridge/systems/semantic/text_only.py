"""Text only: a caption as bits, and a picture generated from it.

::

    picture -> captioner -> text -> code, QAM -> channel -> text (-> corrector) -+-> text
                                                                                 +-> diffusion -> picture

On the air: the text with its length, check sum and parity. The size of the picture is agreed. With Multi-SC
it shares captioner and generator, and lacks the slice; of VLF-MSC it is the baseline that sends words.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from bridge.air.carriage import Fill
from bridge.air.transmission import Reception, Transmission
from bridge.systems.base import SemanticSystem
from bridge.systems.context import Context
from bridge.systems.parts.captions import captions
from bridge.systems.parts.painting import paint
from bridge.systems.parts.texts import TextLink
from bridge.systems.parts.values import within
from bridge.systems.system import Reconstruction, Source
from phy.units import EsN0
from semantic.models.captioning import QUERY

__all__ = ["TextOnly"]


@dataclass(eq=False)
class TextOnly(SemanticSystem):
    """One caption over a digital link, painted by Stable Diffusion.

    Parameters
    ----------
    context:
        Channel, text scheme, and models (captioner, generator; corrector if texts are corrected).
    coder:
        How the text is written (`phy.source.text.coders`); several joined by ``|`` let the sender choose.
    text_scheme:
        Modulation and coding of the text: ``1-qpsk`` is uncoded, ``qpsk`` alone is coded at the rate that
        fills the channel uses; None is the scheme of the comparison.
    channel_uses:
        To fill, where the text is to take fewer than it may.
    query, max_tokens:
        What the captioner is asked, and the length of its answer.
    correct:
        Whether the corrector mends the text.
    steps, guidance:
        Denoising steps, and guidance of the text.
    """

    context: Context
    _: KW_ONLY
    coder: str = "latin-1|utf-8"
    text_scheme: str | None = None
    channel_uses: int | None = None
    query: str | None = QUERY
    max_tokens: int = 64
    correct: bool = False
    steps: int = 25
    guidance: float = 7.5
    name: str = "text-only"

    def __post_init__(self) -> None:
        self.link = TextLink(self.context, self.coder, self.text_scheme)
        if self.channel_uses is not None and not isinstance(self.link.link.schemes, Fill):
            raise ValueError(f"{self.text_scheme!r} has a rate, and fills no channel_uses: give qpsk alone")
        self.roles = ("captioner", "generator", *["corrector"] * self.correct)

    def encode(self, source: Source, channel_uses: int | None, snr: EsN0) -> Transmission:
        """Send the caption in as few channel uses as the scheme needs, or in all that it is to fill.

        Raises
        ------
        ValueError
            If these are more than ``channel_uses``.
        """
        (text,) = captions(source, self.context.models, self.query, self.max_tokens)
        if self.channel_uses is not None:
            within(f"the text of {self.name}", self.channel_uses, channel_uses)
        parts = self.link.parts("text", text, self.channel_uses or channel_uses)
        return Transmission(parts, source.size)

    def decode(self, reception: Reception) -> Reconstruction:
        """Read the text and generate the picture from it."""
        models, received = self.context.models, self.link.collect("text", reception)
        (text,) = models.corrector.correct([received.value]) if self.correct else [received.value]
        how = {"steps": self.steps, "guidance": self.guidance}
        picture = paint(models.painter, reception.size, self.context.seed, prompts=[text], **how)
        samples = {"received": received.value, "corrected": text}
        return Reconstruction(picture, text, failed=reception.failed, remark=received.remark, samples=samples)
