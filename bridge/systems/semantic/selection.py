"""Selection: several pictures generated from the text, and the one that looks most like what was sent.

::

    picture -+-> captioner -> text --------------> code, QAM -> channel -> text -> diffusion, seeds 1 ... n
             |                                                                          | candidates
             +-> image encoder -> embedding -> I/Q (or bits) -> channel -> embedding -> nearest -> picture

On the air: the text with its length, check sum and parity; and the embedding on channel uses of its own, as
values at unit power or quantised, without a scale, which the cosine does not look at. The number of
candidates is the receiver's business; the size of the picture is agreed.

This is the mechanism of Liang and Li with CLIP's image embedding (IP-Adapter's encoder) as the image-level
feature, which supervises the choice, and the text as the condition; the papers' own networks are not
published.

References
----------
Liang and Li, "MMSemCom", arXiv 2411.17428; Liang, Li, Lin and Cao, IEEE Commun. Lett. 28(1), 2024.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from bridge.air.transmission import Reception, Transmission
from bridge.systems.base import SemanticSystem
from bridge.systems.context import Context
from bridge.systems.memory import recall_values
from bridge.systems.parts.captions import captions
from bridge.systems.parts.painting import canvas, fitted
from bridge.systems.parts.texts import TextLink
from bridge.systems.parts.values import VectorLink
from bridge.systems.system import Reconstruction, Source
from phy.units import EsN0
from semantic.models.captioning import QUERY

__all__ = ["Selection"]


@dataclass(eq=False)
class Selection(SemanticSystem):
    """Caption and image embedding; of several candidates the receiver keeps the nearest.

    Parameters
    ----------
    context:
        Channel, text scheme, decoding, and models (captioner, generator, ip-adapter for its image encoder).
    candidates:
        Pictures to generate, with the comparison's seed and those that follow.
    quantizer, scheme:
        How the embedding travels: as it is (None), or by a quantiser such as ``lloyd-max:4`` over this
        scheme.
    coder:
        How the text is written (`phy.source.text.coders`); several joined by ``|`` let the sender choose.
    query, max_tokens:
        What the captioner is asked, and the length of its answer.
    steps, guidance:
        Denoising steps, and guidance of the text.
    """

    context: Context
    _: KW_ONLY
    candidates: int = 4
    quantizer: str | None = None
    scheme: str = "1/2-qpsk"
    coder: str = "latin-1|utf-8"
    query: str | None = QUERY
    max_tokens: int = 64
    steps: int = 25
    guidance: float = 7.5
    name: str = "selection"

    roles = ("captioner", "generator", "ip-adapter")

    def __post_init__(self) -> None:
        if self.candidates < 1:
            raise ValueError(f"there must be at least one candidate, got {self.candidates}")
        self.texts = TextLink(self.context, self.coder)
        self.vectors = VectorLink(self.context, self.quantizer, self.scheme)

    def encode(self, source: Source, channel_uses: int | None, snr: EsN0) -> Transmission:
        """Send caption and embedding ``[D]``.

        Raises
        ------
        ValueError
            If they take more than ``channel_uses``.
        """
        models = self.context.models
        (text,) = captions(source, models, self.query, self.max_tokens)
        words = Transmission(self.texts.parts("text", text, channel_uses))
        room = None if channel_uses is None else channel_uses - words.ledger.channel_uses
        key = f"image-embedding:{models.identity('ip-adapter')}"
        embedding = recall_values(source, key, lambda: models.generator.embed([source.picture])[0])
        parts = (*words.parts, *self.vectors.parts("embedding", embedding, room))
        return Transmission(parts, source.size, embedding.numel())

    def decode(self, reception: Reception) -> Reconstruction:
        """Generate the candidates and keep the one nearest to the embedding that arrived."""
        text = self.texts.collect("text", reception)
        target, remark = self.vectors.collect("embedding", reception)
        generator = self.context.models.generator
        chosen = generator.select(
            text.value,
            target,
            seeds=[self.context.seed + index for index in range(self.candidates)],
            steps=self.steps,
            guidance=self.guidance,
            size=canvas(reception.size, generator),
        )
        distance = chosen.distances[chosen.index]
        return Reconstruction(
            fitted(chosen.picture, reception.size),
            text.value,
            failed=reception.failed,
            remark="; ".join(filter(None, (text.remark, remark))),
            samples={"received": text.value, "chosen": f"{chosen.index + 1}, 1 - cosine {distance:.4f}"},
        )
