"""A text as what a diffusion model reads of it: the embedding of its prompt, in place of its letters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from bridge.air.carriage import Analog, Carriage
from bridge.air.transmission import Part, Reception, SymbolPart
from bridge.payloads import EmbeddingPayload
from bridge.systems.context import Context
from bridge.systems.memory import Arrays, recall
from bridge.systems.system import Source
from phy.quantization import parse_quantizer
from semantic.models.generation import Generator

__all__ = ["PromptEmbedding"]

# Text encoders end in a layer norm, which keeps values far below; more comes of wrong exponents, and would
# overflow in the generator.
_LARGEST = 1e3


class PromptEmbedding:
    """T tokens of d numbers over a link; both ends know T and d, as they know the generator.

    Mean and scale travel as the payload's header, but for quantisers that take any number (``fp32``). What
    arrives is read even where a check sum is wrong.

    Parameters
    ----------
    context:
        Channel, the scheme of texts, and the generator's checkpoint.
    form:
        A quantiser (`phy.quantization.parse_quantizer`), or ``analog``.

    Raises
    ------
    ValueError
        If it is neither.
    """

    def __init__(self, context: Context, form: str) -> None:
        self.context = context
        self.quantizer = None if form == "analog" else parse_quantizer(form)
        self.link: Carriage = (
            Analog(context.channel, decoding=context.decoding)
            if self.quantizer is None
            else context.text_link()
        )

    def _payload(self, count: int) -> EmbeddingPayload:
        return EmbeddingPayload(count, self.quantizer, policy="best-effort")

    def parts(
        self, source: Source, text: str, generator: Callable[[], Generator]
    ) -> Sequence[Part | SymbolPart]:
        """Lay the embedding of a text about a source on links; the generator is asked once for it."""

        def write() -> Arrays:
            return {"embedding": generator().encode_text([text])[0].numpy()}

        key = f"prompt:{self.context.models.identity('generator')}:{text}"
        vector = torch.from_numpy(recall(source, key, write)["embedding"]).flatten()
        return self.link.parts("prompt", self._payload(vector.numel()).pack(vector))

    def collect(self, reception: Reception, generator: Generator) -> tuple[torch.Tensor, str]:
        """Embedding ``[1, T, d]`` as it arrived, and a remark."""
        tokens, width = generator.prompt_shape
        count = tokens * width
        unpacked = self._payload(count).unpack(self.link.collect("prompt", reception, count))
        return unpacked.value.clamp(-_LARGEST, _LARGEST).reshape(1, tokens, width), unpacked.remark
