"""Text only: a caption as bits, and a picture generated from it.

::

    picture -> captioner -> text -> code, QAM -> channel -> text (-> corrector) -+-> text
                                                                                 +-> diffusion -> picture

On the air: the text with its length, check sum and parity. The size of the picture is agreed. With Multi-SC
it shares captioner and generator, and lacks the slice; of VLF-MSC it is the baseline that sends words.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from bridge.air.transmission import Reception, Transmission
from bridge.systems.base import SemanticSystem
from bridge.systems.context import Context
from bridge.systems.parts.captions import captions
from bridge.systems.parts.painting import paint
from bridge.systems.parts.texts import TextLink
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
    query: str | None = QUERY
    max_tokens: int = 64
    correct: bool = False
    steps: int = 25
    guidance: float = 7.5
    name: str = "text-only"

    def __post_init__(self) -> None:
        self.link = TextLink(self.context, self.coder)
        self.roles = ("captioner", "generator", *["corrector"] * self.correct)

    def encode(self, source: Source, channel_uses: int | None, snr: EsN0) -> Transmission:
        """Send the caption in as few channel uses as the scheme needs.

        Raises
        ------
        ValueError
            If these are more than ``channel_uses``.
        """
        (text,) = captions(source, self.context.models, self.query, self.max_tokens)
        return Transmission(self.link.parts("text", text, channel_uses), source.size)

    def decode(self, reception: Reception) -> Reconstruction:
        """Read the text and generate the picture from it."""
        models, received = self.context.models, self.link.collect("text", reception)
        (text,) = models.corrector.correct([received.value]) if self.correct else [received.value]
        how = {"steps": self.steps, "guidance": self.guidance}
        picture = paint(models.painter, reception.size, self.context.seed, prompts=[text], **how)
        samples = {"received": received.value, "corrected": text}
        return Reconstruction(picture, text, failed=reception.failed, remark=received.remark, samples=samples)
