"""One payload over one carriage: the systems that compare ways of carrying, with no model in between.

::

    text       -> text coder                 -> [header | bits]   -> code, QAM -> channel -> text
    embedding  -> quantiser                  -> [header | planes] -> code, QAM -> channel -> vector
    embedding  -> values, and their mean and scale as header -> I/Q -> channel -> vector
    picture    -> codec, bit planes or values                      -> likewise      -> picture

On the air: everything the receiver needs but the name of the carriage, the length of a vector and the size
of a picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from bridge.air.carriage import Digital, Fill
from bridge.air.names import parse_carriage
from bridge.air.transmission import Reception, Transmission
from bridge.payloads import EmbeddingPayload, Payload, PictureSlice, SlicePayload, TextPayload
from bridge.systems.context import text_coder
from bridge.systems.pixels.codecs import CODECS
from bridge.systems.system import Reconstruction, Source
from phy.channels.channel import Channel
from phy.coding.decoding import Decoding
from phy.quantization import parse_quantizer
from phy.units import EsN0
from semantic.networks.pixels import Picture

__all__ = ["PAYLOADS", "Carried"]

PAYLOADS = ("text", "embedding", "image")
"""Kinds of payload."""


class Carried:
    """A text, a vector or a picture over one carriage.

    Parameters
    ----------
    kind:
        ``text``, ``embedding`` or ``image``.
    carriage:
        See `parse_carriage`.
    channel, decoding:
        As in `bridge.air.carriage.Digital`.
    policy:
        ``zero`` or ``best-effort``: what a vector is read as whose header did not arrive. Texts and pictures
        are always read as they arrived.

    Raises
    ------
    ValueError
        If the kind is unknown, or the carriage does not suit it.

    Examples
    --------
    >>> from phy.channels.flat import AWGN
    >>> system = Carried("embedding", "analog:repeat=2+mmse", AWGN())
    >>> source = Source("ramp", embedding=np.linspace(-1, 1, 768, dtype=np.float32))
    >>> [(e.payload, e.channel_uses) for e in system.encode(source, None, EsN0(3.0)).ledger.entries]
    [('payload/header', 140), ('payload/values', 768)]
    """

    adapts = False

    def __init__(
        self,
        kind: str,
        carriage: str,
        channel: Channel,
        decoding: Decoding | None = None,
        policy: str = "zero",
    ) -> None:
        if kind not in PAYLOADS:
            raise ValueError(f"payload must be one of {', '.join(PAYLOADS)}, got {kind!r}")
        self.modality = kind
        self.delivers: tuple[str, ...] = (kind,)
        self.name = self.family = f"{kind}-{carriage}"
        self.policy = policy if kind == "embedding" else "best-effort"
        self._form, self.carriage = parse_carriage(carriage, channel, decoding)
        self._payload(1, (16, 16), 1 << 20)  # raises now what it would raise later

    def _payload(self, count: int | None, shape: tuple[int, int] | None, budget: int | None) -> Payload[Any]:
        """Build the payload from what both ends know; the budget of bits is the sender's."""
        repeats = self.carriage.header_repeats
        if self.modality == "text":
            if not self._form:
                raise ValueError(
                    "text has no analog carriage here: learned symbols are a system of their own"
                )
            return TextPayload([text_coder(name) for name in self._form.split("|")], repeats=repeats)
        if self.modality == "embedding":
            name, _, soft = self._form.partition("+")
            if soft not in ("", "soft"):
                raise ValueError(f"a quantiser takes +soft, got +{soft} in {self._form!r}")
            quantizer = parse_quantizer(name) if name else None
            return EmbeddingPayload(
                count or 1, quantizer, soft=bool(soft), policy=self.policy, repeats=repeats
            )
        size = shape or (1, 1)
        if self._form in ("", "raw"):
            return SlicePayload(size, "raw" if self._form else "analog", repeats=repeats)
        if self._form not in CODECS:
            raise ValueError(f"unknown image codec {self._form!r}: there are raw, {', '.join(CODECS)}")
        if isinstance(self.carriage, Digital) and not _one_rate(self.carriage):
            raise ValueError(
                f"{self.carriage.name} does not say how many bits {self._form} may take: an image codec "
                "needs one scheme with a rate, such as 1/2-qam16"
            )
        return SlicePayload(size, CODECS[self._form](), budget_bits=budget or 0, repeats=repeats)

    def check(self, channel_uses: int) -> None:
        """Raise ValueError if ``channel_uses`` are no number at all; sizes show when encoding."""
        if channel_uses < 1:
            raise ValueError(f"{self.name} needs at least one channel use, got {channel_uses}")

    def encode(self, source: Source, channel_uses: int | None, snr: EsN0) -> Transmission:
        """Write the source and lay it on links, in at most ``channel_uses``.

        Raises
        ------
        BudgetExceeded
            If it does not fit.
        ValueError
            If the source lacks what is to be sent.
        """
        value, count, shape = self._value(source)
        payload = self._payload(count, shape, self._bits_within(channel_uses))
        packed = payload.pack(value)
        notes = packed.notes | {"payload_bits": packed.bits.numel()}
        return Transmission(self.carriage.parts("payload", packed, channel_uses), shape, count, notes)

    def _value(self, source: Source) -> tuple[Any, int | None, tuple[int, int] | None]:
        if self.modality == "text" and source.text is not None:
            return source.text, None, None
        if self.modality == "embedding" and source.embedding is not None:
            return torch.tensor(source.embedding), source.embedding.size, None
        if self.modality == "image" and source.image is not None:
            return PictureSlice(source.image), source.image.size, source.size
        raise ValueError(f"source {source.name!r} has no {self.modality}")

    def _bits_within(self, channel_uses: int | None) -> int | None:
        """Bits that the carriage takes in so many channel uses, for codecs that fill what they are given."""
        if channel_uses is None or not isinstance(self.carriage, Digital):
            return None
        return self.carriage.room(channel_uses) if _one_rate(self.carriage) else None

    def decode(self, reception: Reception) -> Reconstruction:
        """Read the payload as it arrived."""
        payload = self._payload(reception.count, reception.shape, None)
        arrived = self.carriage.collect("payload", reception, reception.count or 0)
        unpacked = payload.unpack(arrived)
        made: dict[str, Any] = {"text": unpacked.value}
        if self.modality == "embedding":
            made = {"embedding": unpacked.value.numpy()}
        elif self.modality == "image":
            made = {"image": _whole(unpacked.value, reception.size)}
        return Reconstruction(**made, failed=reception.failed, remark=unpacked.remark)


def _one_rate(carriage: Digital) -> bool:
    return not isinstance(carriage.schemes, Fill) and len(carriage.schemes) == 1


def _whole(piece: PictureSlice, size: tuple[int, int]) -> Picture:
    """Put a slice where it belongs, on grey."""
    top, left, bottom, right = piece.box
    canvas = np.full((*size, 3), 128, np.uint8)
    canvas[top:bottom, left:right] = piece.pixels
    return canvas
