"""Multi-SC: the main object's slice and the captions of several sub-images, each over a channel of its own.

::

    picture -> FCN -> main object's slice -> file ----> code, QAM -> channel   -> file -> image prompt ---+
       |                                                                                                  v
       +--> sub-image 1 -> LLaVA -> text -------------> code, QAM -> channel 1 -> text --+       IP-Adapter on
       +--> ...                                                                          +-> fused, BART  |
       +--> sub-image 4 -> LLaVA -> text -------------> code, QAM -> channel 4 -> text --+         |      v
                                                                                                   +-> picture

On the air: the slice with its place, and every text with its length, each with check sum and parity on
channel uses of its own. The query, the number of sub-images and the size of the picture are agreed. Instead
of texts the *embedding* of the fused text may be sent, which is what the generator reads of it.

`SingleText` sends one caption of the whole picture in place of the sub-images' (the letter's "single-text
SC").

References
----------
Huang and Li, "Exploring Textual Semantics Diversity for Image Transmission in Semantic Communication
Systems using Visual Language Model", arXiv 2503.19386.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bridge.air.carriage import Analog, Carriage, Digital
from bridge.air.schemes import parse_schemes
from bridge.air.transmission import Part, Reception, SymbolPart, Transmission
from bridge.payloads import PictureSlice, SlicePayload
from bridge.systems.context import Context
from bridge.systems.memory import Arrays, recall
from bridge.systems.parts.captions import captions
from bridge.systems.parts.painting import canvas, fitted
from bridge.systems.parts.prompts import PromptEmbedding
from bridge.systems.parts.splits import SPLITS
from bridge.systems.parts.values import within
from bridge.systems.pixels.codecs import CODECS
from bridge.systems.system import Reconstruction, Source, image_of
from phy.units import EsN0
from semantic.models.captioning import QUERY
from semantic.models.generation import Generator
from semantic.models.segmentation import main_object
from semantic.scenes.quadrants import fuse

__all__ = ["MultiSC", "SingleText"]

Picture = NDArray[np.uint8]


class MultiSC:
    """Slice and captions over orthogonal channels, a picture generated from both.

    Parameters
    ----------
    context:
        Channel, text scheme, models (captioner, segmenter, corrector, generator, ip-adapter).
    parts:
        Number of sub-images. The letter: 4.
    split:
        ``grid`` (quadrants for four parts, as in the letter), ``columns``, or ``objects``: boxes of the
        largest objects that the segmenter finds, filled up with quadrants.
    coder:
        How texts are written (`phy.source.text.coders`); several joined by ``|`` let the sender choose. Or
        ``embedding:`` and a quantiser or ``analog``: the texts are fused where they are sent, and the
        generator's embedding of the result is sent, with its scale where that is needed. It delivers no
        text, and nothing can be corrected.
    slice:
        An image codec, ``raw``, ``analog``, or ``none`` for a picture from texts alone.
    slice_quality, slice_scheme, slice_size:
        Quality of the codec where no number of channel uses is given (None: its middle); the scheme of the
        slice; its longer side is scaled down to so many pixels before coding.
    query, max_tokens:
        What the captioner is asked, and the length of its answers.
    fusion:
        ``join`` puts the texts one behind the other, as the letter does; ``quadrants`` names the quarter
        before each of four, which the receiver knows from the channel.
    correct:
        Whether the corrector mends the fused text (each text by itself where quarters are named).
    scale, steps, guidance:
        IP-Adapter's lambda, denoising steps, and guidance of the text.
    """

    modality = "image"
    delivers: tuple[str, ...] = ("image", "text")
    adapts = False
    policy = "best-effort"

    def __init__(
        self,
        context: Context,
        *,
        parts: int = 4,
        split: Literal["grid", "columns", "objects"] = "grid",
        coder: str = "latin-1|utf-8",
        slice: str = "bpg",
        slice_quality: int | None = None,
        slice_scheme: str = "1/2-qpsk",
        slice_size: int = 128,
        query: str | None = QUERY,
        max_tokens: int = 64,
        fusion: Literal["join", "quadrants"] = "join",
        correct: bool = True,
        scale: float = 0.6,
        steps: int = 25,
        guidance: float = 7.5,
        name: str = "multi-sc",
    ) -> None:
        if split not in SPLITS or parts < 1:
            raise ValueError(f"split must be one of {', '.join(SPLITS)} into 1 or more, got {split}, {parts}")
        if slice not in ("raw", "analog", "none", *CODECS):
            raise ValueError(f"slice must be none, raw, analog or one of {', '.join(CODECS)}, got {slice!r}")
        if fusion not in ("join", "quadrants") or (fusion == "quadrants" and (parts, split) != (4, "grid")):
            raise ValueError(
                f"fusion is join, or quadrants for a grid of 4 parts; got {fusion}, {split} of {parts}"
            )
        self.fusion = fusion
        kind, _, form = coder.partition(":")
        self.context, self.parts, self.split, self.slice = context, parts, split, slice
        self.slice_quality, self.slice_size = slice_quality, slice_size
        self.query, self.max_tokens, self.correct = query, max_tokens, correct
        self.scale, self.steps, self.guidance = scale, steps, guidance
        self.name = self.family = name
        self.embedding = PromptEmbedding(context, form) if kind == "embedding" else None
        if self.embedding is not None:
            self.delivers = ("image",)
        self.texts = context.text_payload("utf-8" if self.embedding else coder)
        self.text_link = context.text_link()
        self.roles = self._roles()
        channel, decoding = context.channel, context.decoding
        self.slice_link: Carriage = (
            Analog(channel, decoding=decoding)
            if slice == "analog"
            else Digital(channel, parse_schemes(slice_scheme), decoding, context.device)
        )

    def check(self, channel_uses: int) -> None:
        """Accept any number: what texts and slice take shows when encoding."""

    def encode(self, source: Source, channel_uses: int | None, snr: EsN0) -> Transmission:
        """Send texts and slice; of ``channel_uses``, the slice's file gets what the texts leave.

        Raises
        ------
        ValueError
            If both together do not fit into ``channel_uses``.
        """
        shape = image_of(source).shape[:2]
        made = self._text_parts(source)
        spent = sum(entry.channel_uses for part in made for entry in part.entries)
        within(f"the text of {self.name}", spent, channel_uses)
        if self.slice != "none":
            room = None if channel_uses is None else channel_uses - spent
            packed = self._slice_payload(shape, room).pack(self._slice(source))
            made += self.slice_link.parts("slice", packed, room)
            return Transmission(tuple(made), shape, 0 if packed.values is None else packed.values.numel())
        return Transmission(tuple(made), shape)

    def _roles(self) -> tuple[str, ...]:
        """Models that these settings ask for."""
        adapter = ("ip-adapter",) * (self.slice != "none")
        segmenter = ("segmenter",) * (self.slice != "none" or self.split == "objects")
        corrector = ("corrector",) * (self.correct and self.embedding is None)
        return ("captioner", *segmenter, *corrector, "generator", *adapter)

    def _text_parts(self, source: Source) -> list[Part | SymbolPart]:
        """The texts, or the embedding of them all."""
        texts = captions(
            source,
            self.context.models,
            self.query,
            max_tokens=self.max_tokens,
            parts=self.parts,
            split=self.split,
        )
        if self.embedding is not None:
            return [*self.embedding.parts(source, self._fused(texts), self._generator)]
        return [
            part
            for index, text in enumerate(texts)
            for part in self.text_link.parts(f"text-{index}", self.texts.pack(text))
        ]

    def _generator(self) -> Generator:
        """Without a slice there is no use for an IP-Adapter."""
        models = self.context.models
        return models.painter if self.slice == "none" else models.generator

    def _slice(self, source: Source) -> PictureSlice:
        """Box of the main object, its longer side scaled down to at most ``slice_size``."""
        models, picture = self.context.models, image_of(source)

        def segment() -> Arrays:
            found = main_object(models.segmenter.labels([picture])[0])
            return {"box": np.array(found.box), "found": np.array(found.found)}

        key = f"main-object:{models.identity('segmenter')}"
        top, left, bottom, right = (int(edge) for edge in recall(source, key, segment)["box"])
        piece = Image.fromarray(picture[top:bottom, left:right])
        piece.thumbnail((self.slice_size, self.slice_size), Image.Resampling.LANCZOS)
        return PictureSlice(np.asarray(piece), top, left)

    def _slice_payload(self, shape: Sequence[int], channel_uses: int | None) -> SlicePayload:
        size = (int(shape[0]), int(shape[1]))
        if self.slice == "raw":
            return SlicePayload(size, "raw")
        if self.slice == "analog":
            return SlicePayload(size, "analog")
        codec = CODECS[self.slice]()
        if channel_uses is None or not isinstance(self.slice_link, Digital):
            quality = self.slice_quality
            return SlicePayload(size, codec, quality=_middle(codec.qualities) if quality is None else quality)
        return SlicePayload(size, codec, budget_bits=self.slice_link.room(channel_uses))

    def decode(self, reception: Reception) -> Reconstruction:
        """Fuse and correct the texts, and generate the picture from them and the slice."""
        prompt, samples, remarks = self._read_texts(reception)
        if self.slice != "none":
            arrived = self.slice_link.collect("slice", reception, reception.count or 0)
            piece = self._slice_payload(reception.shape or (0, 0), None).unpack(arrived)
            remarks.append(piece.remark)
            prompt |= {"images": [piece.value.pixels], "scale": self.scale}
        generator = self._generator()
        (picture,) = generator.generate(
            **prompt,
            seeds=[self.context.seed],
            steps=self.steps,
            guidance=self.guidance,
            size=canvas(reception.shape, generator.diffusion.size),
        )
        return Reconstruction(
            fitted(picture, reception.shape),
            samples.get("corrected"),
            failed=any(arrived.intact is False for arrived in reception.arrived.values()),
            remark="; ".join(filter(None, remarks)),
            samples=samples,
        )

    def _read_texts(self, reception: Reception) -> tuple[dict[str, Any], dict[str, str], list[str]]:
        """The generator's prompt, texts before and after correction, and remarks."""
        if self.embedding is not None:
            embeds, remark = self.embedding.collect(reception, self._generator())
            return {"prompt_embeds": embeds}, {}, [remark]
        received = [
            self.texts.unpack(self.text_link.collect(f"text-{index}", reception))
            for index in range(self.parts)
        ]
        texts = [text.value.strip() for text in received]
        if self.fusion == "quadrants":  # the quarters' names, known from the channels, are never garbled
            fused, mended = fuse(texts), fuse(self._mend(texts))
        else:
            fused = " ".join(texts)
            (mended,) = self._mend([fused])
        samples = {"received": fused, "corrected": mended}
        return {"prompts": [mended]}, samples, [text.remark for text in received]

    def _fused(self, texts: list[str]) -> str:
        return fuse(texts) if self.fusion == "quadrants" else " ".join(text.strip() for text in texts)

    def _mend(self, texts: list[str]) -> list[str]:
        return self.context.models.corrector.correct(texts) if self.correct else texts


class SingleText(MultiSC):
    """One caption of the whole picture and the slice: the letter's single-text system."""

    def __init__(
        self, context: Context, *, parts: int = 1, name: str = "single-text", **options: Any
    ) -> None:
        if parts != 1:
            raise ValueError(f"{name} sends one text, got parts {parts}; several are multi-sc's")
        super().__init__(context, parts=parts, name=name, **options)


def _middle(qualities: Sequence[int]) -> int:
    return qualities[len(qualities) // 2]
