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

import torch

from bridge.air.transmission import Reception, Transmission
from bridge.systems.context import Context
from bridge.systems.memory import Arrays, recall
from bridge.systems.parts.captions import captions
from bridge.systems.parts.painting import canvas, fitted
from bridge.systems.parts.values import VectorLink
from bridge.systems.system import Reconstruction, Source, image_of
from phy.units import EsN0
from semantic.models.captioning import QUERY

__all__ = ["Selection"]


class Selection:
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

    modality = "image"
    delivers: tuple[str, ...] = ("image", "text")
    adapts = False
    policy = "best-effort"
    roles: tuple[str, ...] = ("captioner", "generator", "ip-adapter")

    def __init__(
        self,
        context: Context,
        *,
        candidates: int = 4,
        quantizer: str | None = None,
        scheme: str = "1/2-qpsk",
        coder: str = "latin-1|utf-8",
        query: str | None = QUERY,
        max_tokens: int = 64,
        steps: int = 25,
        guidance: float = 7.5,
        name: str = "selection",
    ) -> None:
        if candidates < 1:
            raise ValueError(f"there must be at least one candidate, got {candidates}")
        self.context, self.candidates = context, candidates
        self.query, self.max_tokens = query, max_tokens
        self.steps, self.guidance = steps, guidance
        self.texts, self.text_link = context.text_payload(coder), context.text_link()
        self.link = VectorLink(context, quantizer, scheme)
        self.name = self.family = name

    def check(self, channel_uses: int) -> None:
        """Accept any number: what text and embedding take shows when encoding."""

    def encode(self, source: Source, channel_uses: int | None, snr: EsN0) -> Transmission:
        """Send caption and embedding.

        Raises
        ------
        ValueError
            If they take more than ``channel_uses``.
        """
        (text,) = captions(source, self.context.models, self.query, max_tokens=self.max_tokens)
        words = self.text_link.parts("text", self.texts.pack(text), channel_uses)
        spent = sum(entry.channel_uses for part in words for entry in part.entries)
        embedding = self._embedding(source)
        room = None if channel_uses is None else channel_uses - spent
        parts = (*words, *self.link.parts("embedding", embedding, room))
        return Transmission(parts, image_of(source).shape[:2], embedding.numel())

    def _embedding(self, source: Source) -> torch.Tensor:
        """Embedding ``[D]`` of the picture."""
        models = self.context.models

        def look() -> Arrays:
            return {"embedding": models.generator.embed([image_of(source)])[0].numpy()}

        key = f"image-embedding:{models.identity('ip-adapter')}"
        return torch.from_numpy(recall(source, key, look)["embedding"])

    def decode(self, reception: Reception) -> Reconstruction:
        """Generate the candidates and keep the one nearest to the embedding that arrived."""
        arrived = self.text_link.collect("text", reception)
        text = self.texts.unpack(arrived)
        target, remark = self.link.collect("embedding", reception)
        generator = self.context.models.generator
        chosen = generator.select(
            text.value,
            target,
            seeds=[self.context.seed + index for index in range(self.candidates)],
            steps=self.steps,
            guidance=self.guidance,
            size=canvas(reception.shape, generator.diffusion.size),
        )
        failed = any(each.intact is False for each in reception.arrived.values())
        distance = chosen.distances[chosen.index]
        return Reconstruction(
            fitted(chosen.picture, reception.shape),
            text.value,
            failed=failed,
            remark="; ".join(filter(None, (text.remark, remark))),
            samples={"received": text.value, "chosen": f"{chosen.index + 1}, 1 - cosine {distance:.4f}"},
        )
