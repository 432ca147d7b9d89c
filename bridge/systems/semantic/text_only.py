"""Text only: a caption as bits, and a picture generated from it.

::

    picture -> captioner -> text -> code, QAM -> channel -> text (-> corrector) -+-> text
                                                                                 +-> diffusion -> picture

On the air: the text with its length, check sum and parity. The size of the picture is agreed. With Multi-SC
it shares captioner and generator, and lacks the slice; of VLF-MSC it is the baseline that sends words.
"""

from __future__ import annotations

from bridge.air.transmission import Reception, Transmission
from bridge.systems.context import Context
from bridge.systems.parts.captions import captions
from bridge.systems.parts.painting import paint
from bridge.systems.system import Reconstruction, Source, image_of
from phy.units import EsN0
from semantic.models.captioning import QUERY

__all__ = ["TextOnly"]


class TextOnly:
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

    modality = "image"
    delivers: tuple[str, ...] = ("image", "text")
    adapts = False
    policy = "best-effort"

    def __init__(
        self,
        context: Context,
        *,
        coder: str = "latin-1|utf-8",
        query: str | None = QUERY,
        max_tokens: int = 64,
        correct: bool = False,
        steps: int = 25,
        guidance: float = 7.5,
        name: str = "text-only",
    ) -> None:
        self.context, self.query, self.max_tokens = context, query, max_tokens
        self.correct, self.steps, self.guidance = correct, steps, guidance
        self.texts, self.link = context.text_payload(coder), context.text_link()
        self.roles: tuple[str, ...] = ("captioner", "generator", *["corrector"] * correct)
        self.name = self.family = name

    def check(self, channel_uses: int) -> None:
        """Accept any number: what the text takes shows when encoding."""

    def encode(self, source: Source, channel_uses: int | None, snr: EsN0) -> Transmission:
        """Send the caption in as few channel uses as the scheme needs.

        Raises
        ------
        ValueError
            If these are more than ``channel_uses``.
        """
        (text,) = captions(source, self.context.models, self.query, max_tokens=self.max_tokens)
        parts = self.link.parts("text", self.texts.pack(text), channel_uses)
        return Transmission(parts, image_of(source).shape[:2])

    def decode(self, reception: Reception) -> Reconstruction:
        """Read the text and generate the picture from it."""
        arrived = self.link.collect("text", reception)
        received = self.texts.unpack(arrived)
        text = received.value
        if self.correct:
            (text,) = self.context.models.corrector.correct([text])
        picture = paint(self.context, text, reception.shape, steps=self.steps, guidance=self.guidance)
        samples = {"received": received.value, "corrected": text}
        return Reconstruction(
            picture, text, failed=arrived.intact is False, remark=received.remark, samples=samples
        )
