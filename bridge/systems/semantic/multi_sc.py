"""Multi-SC: the main object's slice and the captions of several sub-images, each over a channel of its own.

::

    picture -> FCN -> main object's slice -> file ----> code, QAM -> channel   -> file -> image prompt ---+
       |                                                                                                  v
       +--> sub-image 1 -> LLaVA -> text -------------> code, QAM -> channel 1 -> text --+       IP-Adapter on
       +--> ...                                                                          +-> fused, BART  |
       +--> sub-image 4 -> LLaVA -> text -------------> code, QAM -> channel 4 -> text --+         |      v
                                                                                                   +-> picture

On the air: the slice (with its place only if the picture starts from it), and every text with its length,
each with check sum and parity on channel uses of its own; one after the other over one channel, or each over
fading of its own, as the letter has it, with ``links="orthogonal"``. The query, the number of sub-images and
the size of the picture are agreed. Instead of texts the *embedding* of the fused text may be sent, which is
what the generator reads of it. A slice that is lost leaves a picture from texts alone, lambda 0.

The letter corrects the fused text; here each text is corrected before they are fused, so that the generator
can read each in windows of its own, and damage to one does not reach the others.

`single_text` sends one caption of the whole picture in place of the sub-images' (the letter's "single-text
SC"). Numbers in brackets are the letter's equations, which its Algorithm 1 sums up.

References
----------
Huang and Li, "Exploring Textual Semantics Diversity for Image Transmission in Semantic Communication
Systems using Visual Language Model", arXiv 2503.19386.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Literal

from bridge.air.carriage import Fill
from bridge.air.transmission import LINKS, Reception, Transmission
from bridge.systems.base import SemanticSystem
from bridge.systems.context import Context
from bridge.systems.parts.captions import captions
from bridge.systems.parts.cutting import Background, Cut, Fit
from bridge.systems.parts.painting import paint
from bridge.systems.parts.prompts import Descriptions, PromptEmbedding, SeparateTexts, check_fusion
from bridge.systems.parts.slice import SliceLink
from bridge.systems.parts.splits import check_split
from bridge.systems.parts.values import within
from bridge.systems.system import Reconstruction, Source
from phy.units import EsN0
from semantic.models.captioning import QUERY
from semantic.models.generation import Generator

__all__ = ["MultiSC", "single_text"]


@dataclass(eq=False)
class MultiSC(SemanticSystem):
    """Slice and captions over channel uses of their own, a picture generated from both.

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
    text_scheme:
        Modulation and coding of each text, such as ``1-qpsk`` (uncoded) or ``conv:1/2-qpsk``; None is that of
        the comparison.
    slice, slice_quality, slice_scheme:
        Form, quality and scheme of `bridge.systems.parts.slice.SliceLink`; ``none`` sends no slice, for a
        picture from texts alone.
    slice_size, background, fit:
        What is cut out (`bridge.systems.parts.cutting.Cut`): its largest side, what stands around the object,
        and how its box becomes a square.
    query, max_tokens:
        What the captioner is asked, and the length of its answers.
    fusion:
        ``join`` puts the texts one behind the other, as the letter does; ``quadrants`` names the quarter
        before each of four, which the receiver knows from the channel.
    correct:
        Whether the corrector mends the fused text (each text by itself where quarters are named).
    scale, steps, guidance:
        IP-Adapter's lambda, denoising steps, and guidance of the text.
    start, strength:
        ``noise``, as in the letter; or ``slice``: the object's place is sent, too, and the picture starts
        from grey with the slice there, of which this share of the steps is run. From noise without a slice.
    links:
        ``sequential`` or ``orthogonal`` (`bridge.air.transmission.LINKS`).
    """

    context: Context
    _: KW_ONLY
    parts: int = 4
    split: Literal["grid", "columns", "objects"] = "grid"
    coder: str = "latin-1|utf-8"
    text_scheme: str | None = None
    slice: str = "bpg"
    slice_quality: int | None = None
    slice_scheme: str = "1/2-qpsk"
    slice_size: int = 128
    background: Background = "grey"
    fit: Fit = "pad"
    query: str | None = QUERY
    max_tokens: int = 64
    fusion: Literal["join", "quadrants"] = "join"
    correct: bool = True
    scale: float = 0.6
    steps: int = 25
    guidance: float = 7.5
    start: Literal["noise", "slice"] = "noise"
    strength: float = 0.8
    links: str = LINKS[0]
    name: str = "multi-sc"

    def __post_init__(self) -> None:
        context, (kind, _, form) = self.context, self.coder.partition(":")
        check_split(self.split, self.parts)
        if isinstance(context.text_link(self.text_scheme).schemes, Fill):
            raise ValueError(f"texts beside others take a scheme with a rate, got {self.text_scheme!r}")
        check_fusion(self.fusion, self.split, self.parts)
        Transmission((), links=self.links)  # raises now what it would raise later
        self.words: Descriptions = (
            PromptEmbedding(context, form, self.text_scheme, self.fusion, self._generator)
            if kind == "embedding"
            else SeparateTexts(context, self.coder, self.text_scheme, self.parts, self.fusion, self.correct)
        )
        self.delivers = ("image", *self.words.delivers)
        sliced, placed = self.slice != "none", self.start == "slice"
        _check_start(self.start, sliced, self.steps, self.strength)
        cut = Cut(self.background, self.fit, self.slice_size)
        how = (self.slice_scheme, cut, self.slice_quality, placed)
        self.piece = SliceLink(context, self.slice, *how) if sliced else None
        segmenter = ("segmenter",) * (sliced or self.split == "objects")
        self.roles = ("captioner", *segmenter, *self.words.roles, "generator", *("ip-adapter",) * sliced)

    def _generator(self) -> Generator:
        """Without a slice there is no use for an IP-Adapter."""
        return self.context.models.painter if self.piece is None else self.context.models.generator

    def encode(self, source: Source, channel_uses: int | None, snr: EsN0) -> Transmission:
        """Send texts and slice; of ``channel_uses``, the slice's file gets what the texts leave.

        Raises
        ------
        ValueError
            If both together do not fit into ``channel_uses``.
        """
        models, limit = self.context.models, self.max_tokens
        texts = captions(source, models, self.query, limit, parts=self.parts, split=self.split)  # (2)
        words = Transmission(self.words.parts(source, texts), source.size, links=self.links)
        within(f"the text of {self.name}", words.ledger.channel_uses, channel_uses)
        if self.piece is None:
            return words
        room = None if channel_uses is None else channel_uses - words.ledger.channel_uses
        piece, count = self.piece.parts(source, room)  # (1)
        return replace(words, parts=(*words.parts, *piece), count=count)

    def decode(self, reception: Reception) -> Reconstruction:
        """Fuse and correct the texts, and generate the picture from them and the slice."""
        prompt = self.words.collect(reception)  # (4) for the texts, and (5)
        if self.piece is not None:
            prompt += self.piece.collect(reception)  # (4) for the slice
        how = {"scale": self.scale, "strength": self.strength, "steps": self.steps, "guidance": self.guidance}
        picture = paint(self._generator(), reception.size, self.context.seed, **prompt.told, **how)  # (6)
        return Reconstruction(
            picture, prompt.text, failed=reception.failed, remark=prompt.remark, samples=prompt.samples
        )


def _check_start(start: str, sliced: bool, steps: int, strength: float) -> None:
    if start not in ("noise", "slice") or (start == "slice" and not sliced):
        raise ValueError(f"start is noise, or slice where one is sent; got {start!r}")
    if start == "slice" and not 1 <= int(steps * strength) <= steps:
        raise ValueError(f"a start takes steps * strength of 1 to steps, got {steps} and {strength}")


def single_text(context: Context, *, parts: int = 1, name: str = "single-text", **options: Any) -> MultiSC:
    """One caption of the whole picture and the slice: the letter's single-text system.

    Raises
    ------
    ValueError
        If ``parts`` is not 1, or as `MultiSC` raises it.
    """
    if parts != 1:
        raise ValueError(f"{name} sends one text, got parts {parts}; several are multi-sc's")
    return MultiSC(context, parts=parts, name=name, **options)
