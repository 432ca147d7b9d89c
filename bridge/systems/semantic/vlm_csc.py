"""VLM-CSC: a caption as learned symbols instead of bits, and a picture generated from it.

::

    picture -> BLIP -> caption -> semantic encoder -> channel encoder -> values -> I/Q at unit power
                                       SNR ----^---------------^                         |
                                                                                      channel
                                       SNR ----v---------------v                         |
    picture <- Stable Diffusion <- text <- semantic decoder <- channel decoder <- values of mean square 1/2

On the air: the learned symbols of the caption's tokens (`semantic.models.textjscc`), and nothing else. The
receiver knows the number of tokens from the length of the transmission, as it knows a transport block's
size; it needs no scale, because its decoder was trained at unit power; both ends know the SNR, and the size
of the picture is agreed. There is no check sum: no text is ever known to be wrong.

References
----------
Jiang, Tang, Dong, Wang, Yang and Pan, "Visual Language Model-Based Cross-Modal Semantic Communication
Systems", IEEE Trans. Wireless Commun., 2025 (arXiv 2407.00020).
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from bridge.air.transmission import Reception, Transmission
from bridge.systems.base import SemanticSystem
from bridge.systems.context import Context
from bridge.systems.memory import recall_values
from bridge.systems.parts.captions import captions
from bridge.systems.parts.painting import paint
from bridge.systems.parts.values import learned, values_of, within
from bridge.systems.system import Reconstruction, Source
from phy.units import EsN0

__all__ = ["VlmCsc"]


@dataclass(eq=False)
class VlmCsc(SemanticSystem):
    """BLIP's caption over a learned text codec, painted by Stable Diffusion.

    Parameters
    ----------
    context:
        Channel, and models (blip, text-jscc, generator).
    max_tokens:
        Length of BLIP's captions; the text codec cuts off what is longer than its own.
    steps, guidance:
        Denoising steps, and guidance of the text.
    prompt:
        What a caption begins with, such as ``a photo of``; None leaves the beginning to BLIP.
    """

    context: Context
    _: KW_ONLY
    max_tokens: int = 40
    steps: int = 25
    guidance: float = 7.5
    prompt: str | None = None
    name: str = "vlm-csc"

    adapts = True
    roles = ("blip", "text-jscc", "generator")

    def encode(self, source: Source, channel_uses: int | None, snr: EsN0) -> Transmission:
        """Send the caption's symbols, made for this SNR; a caption without tokens sends nothing.

        Raises
        ------
        ValueError
            If they are more than ``channel_uses``.
        """
        models = self.context.models
        (text,) = captions(source, models, self.prompt, self.max_tokens, role="blip")
        key = f"text-jscc:{models.identity('text-jscc')}:{snr.db!r}:{text}"
        values = recall_values(source, key, lambda: models.text_jscc.encode_text([text], snr.db)[0])
        part = learned("text", values, self.context.channel)
        within(self.name, part.symbols.numel(), channel_uses)
        return Transmission((part,) if part.symbols.numel() else (), source.size)

    def decode(self, reception: Reception) -> Reconstruction:
        """Read the text off the symbols and generate the picture."""
        models, text, heard = self.context.models, "", reception.symbols.get("text")
        if heard is not None:
            values, level = values_of(heard)
            (text,) = models.text_jscc.decode_text([values], level)
        how = {"steps": self.steps, "guidance": self.guidance}
        picture = paint(models.painter, reception.size, self.context.seed, prompts=[text], **how)
        return Reconstruction(picture, text, samples={"received": text})
