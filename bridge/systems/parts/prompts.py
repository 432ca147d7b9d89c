"""What a generator is told of a picture: by texts of its sub-images, or by the embedding of them all.

::

    SeparateTexts    texts -> a link each -> texts -> corrected, fused -> prompt
    PromptEmbedding  texts -> fused -> text encoder -> embedding [n T, d] -> link -> embedding -> prompt

Fused texts stay apart where the text encoder cannot read them in one piece: each then has windows of its own
(`semantic.models.generation.Generator.windows`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bridge.air.analog import Analog
from bridge.air.carriage import Carriage
from bridge.air.transmission import Part, Reception, SymbolPart
from bridge.payloads import EmbeddingPayload
from bridge.systems.context import Context
from bridge.systems.memory import recall_values
from bridge.systems.parts.texts import TextLink
from bridge.systems.system import Source
from phy.quantization import parse_quantizer
from semantic.models.generation import Generator
from semantic.scenes.quadrants import named

__all__ = ["FUSIONS", "Descriptions", "Prompt", "PromptEmbedding", "SeparateTexts", "check_fusion"]

# Text encoders end in a layer norm, which keeps values far below; more comes of wrong exponents, and would
# overflow in the generator.
_LARGEST = 1e3


def _stripped(texts: Sequence[str]) -> list[str]:
    return [text.strip() for text in texts]


FUSIONS: dict[str, Callable[[Sequence[str]], list[str]]] = {"join": _stripped, "quadrants": named}
"""How several texts become one: one behind the other, or each of four behind the name of its quarter, which
the receiver knows from the channel."""


def check_fusion(fusion: str, split: str, parts: int) -> None:
    """Raise ValueError if there is no such fusion, or none of so many parts of such a split."""
    if fusion not in FUSIONS or (fusion == "quadrants" and (split, parts) != ("grid", 4)):
        raise ValueError(
            f"fusion is join, or quadrants for a grid of 4 parts; got {fusion}, {split} of {parts}"
        )


@dataclass(frozen=True)
class Prompt:
    """What a receiver tells its generator; prompts of one picture add.

    Attributes
    ----------
    told:
        Arguments of `semantic.models.generation.Generator.generate`.
    text:
        The text among them; None where none was sent.
    remark:
        What was wrong; empty if nothing.
    samples:
        Texts before and after correction.

    Examples
    --------
    >>> words = Prompt({"prompts": ["a dog"]}, "a dog", "check sum wrong")
    >>> both = words + Prompt({"images": []}, remark="grey")
    >>> sorted(both.told), both.text, both.remark
    (['images', 'prompts'], 'a dog', 'check sum wrong; grey')
    """

    told: dict[str, Any]
    text: str | None = None
    remark: str = ""
    samples: dict[str, str] = field(default_factory=dict)

    def __add__(self, other: Prompt) -> Prompt:
        return Prompt(
            self.told | other.told,
            other.text if self.text is None else self.text,
            "; ".join(filter(None, (self.remark, other.remark))),
            self.samples | other.samples,
        )


class Descriptions(Protocol):
    """What carries the descriptions of a picture's sub-images."""

    @property
    def delivers(self) -> tuple[str, ...]:
        """``text`` if the receiver has one."""

    @property
    def roles(self) -> tuple[str, ...]:
        """Models that it asks besides the captioner and the generator."""

    def parts(self, source: Source, texts: Sequence[str]) -> tuple[Part | SymbolPart, ...]:
        """Lay the descriptions on links."""

    def collect(self, reception: Reception) -> Prompt:
        """What arrived."""


class SeparateTexts:
    """Each text on a channel of its own; fused, and corrected, where they arrive.

    Parameters
    ----------
    context:
        Channel, the scheme of texts, and the corrector.
    coder:
        See `bridge.systems.parts.texts.TextLink`.
    count:
        How many texts.
    fusion:
        A name of `FUSIONS`.
    scheme:
        Of each text, as in `bridge.systems.context.Context.text_link`.
    correct:
        Whether the corrector mends them, each by itself: what a channel did to one says nothing of another's,
        names of quarters are never garbled, and the generator learns which words came together.
    """

    delivers: tuple[str, ...] = ("text",)

    def __init__(
        self, context: Context, coder: str, scheme: str | None, count: int, fusion: str, correct: bool
    ) -> None:
        self.context, self.count, self.fusion, self.correct = context, count, fusion, correct
        self.link = TextLink(context, coder, scheme)
        self.roles: tuple[str, ...] = ("corrector",) * correct

    def parts(self, source: Source, texts: Sequence[str]) -> tuple[Part | SymbolPart, ...]:
        """Lay each text on a link of its own."""
        laid = (self.link.parts(f"text-{index}", text) for index, text in enumerate(texts))
        return tuple(part for parts in laid for part in parts)

    def collect(self, reception: Reception) -> Prompt:
        """The texts as they arrived and corrected, fused to one."""
        arrived = [self.link.collect(f"text-{index}", reception) for index in range(self.count)]
        texts = [text.value.strip() for text in arrived]
        mended = self.context.models.corrector.correct(texts) if self.correct else texts
        prompt = FUSIONS[self.fusion](mended)
        received, corrected = " ".join(FUSIONS[self.fusion](texts)), " ".join(prompt)
        remark = "; ".join(filter(None, (text.remark for text in arrived)))
        samples = {"received": received, "corrected": corrected}
        return Prompt({"prompts": [prompt]}, corrected, remark, samples)


class PromptEmbedding:
    """T tokens of d numbers a window over a link, in place of letters; texts are fused where they are sent.

    Both ends know T and d, as they know the generator; the receiver knows the number of windows from the
    length of the transmission, as it knows a transport block's size. Mean and scale travel as the payload's
    header, but for quantisers that take any number (``fp32``). What arrives is read even where a check sum is
    wrong; it is no text, and cannot be corrected.

    Parameters
    ----------
    context:
        Channel, the scheme of texts, and the generator's checkpoint.
    form:
        A quantiser (`phy.quantization.parse_quantizer`), or ``analog``.
    scheme:
        Of the quantised values, as in `bridge.systems.context.Context.text_link`.
    fusion:
        A name of `FUSIONS`.
    generator:
        Loads the generator; the sender asks it once a text.

    Raises
    ------
    ValueError
        If there is no such form.
    """

    delivers: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()

    def __init__(
        self,
        context: Context,
        form: str,
        scheme: str | None,
        fusion: str,
        generator: Callable[[], Generator],
    ) -> None:
        self.context, self.fusion, self.generator = context, fusion, generator
        self.quantizer = None if form == "analog" else parse_quantizer(form)
        self.link: Carriage = (
            Analog(context.channel, decoding=context.decoding)
            if self.quantizer is None
            else context.text_link(scheme)
        )

    def _payload(self, count: int) -> EmbeddingPayload:
        repeats = self.link.header_repeats
        return EmbeddingPayload(count, self.quantizer, policy="best-effort", repeats=repeats)

    def parts(self, source: Source, texts: Sequence[str]) -> tuple[Part | SymbolPart, ...]:
        """Lay the embedding of the fused texts on links."""
        prompt = FUSIONS[self.fusion](texts)
        key = f"prompt-windows:{self.context.models.identity('generator')}:{prompt}"
        vector = recall_values(source, key, lambda: self.generator().encode_text([prompt])[0]).flatten()
        return self.link.parts("prompt", self._payload(vector.numel()).pack(vector))

    def collect(self, reception: Reception) -> Prompt:
        """The embedding ``[n T, d]`` as it arrived."""
        tokens, width = self.generator().prompt_shape
        count = tokens * width * self._windows(reception, tokens * width)
        unpacked = self._payload(count).unpack(self.link.collect("prompt", reception, count))
        embeds = unpacked.value.clamp(-_LARGEST, _LARGEST).reshape(-1, width)
        return Prompt({"prompt_embeds": [embeds]}, remark=unpacked.remark)

    def _windows(self, reception: Reception, once: int) -> int:
        """How many windows of ``once`` values the transmission has room for."""
        if self.quantizer is None:
            return 2 * reception.symbols["prompt/values"].symbols.numel() // once
        bits = self.link.collect("prompt", reception).bits.numel() - self._payload(once).header_bits
        return max(round(bits / self.quantizer.bits_for(once)), 1)
