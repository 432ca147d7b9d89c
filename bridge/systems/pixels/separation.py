"""Separate source and channel coding: a picture's file over a channel code and a constellation.

::

    picture -> codec at the best quality that fits -> [scale | length | file | zeros]
            -> CRC, segmentation, channel code, interleaver -> QAM -> channel
            -> equaliser, demapper, decoder -> CRC right? -> codec -> picture
                                               CRC wrong? -> failure policy

On the air: header, file, filler, check sums and parity, together exactly the channel uses given.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bridge.air.schemes import Scheme, transport_block
from bridge.air.transmission import Reception, Transmission, part_over_link
from bridge.payloads import ImagePayload
from bridge.systems.system import Reconstruction, Source, image_of
from phy.channels.channel import Channel
from phy.coding.decoding import Decoding
from phy.links.digital import DigitalLink
from phy.modulation import Modulation
from phy.source.pictures.budget import Encodings
from phy.source.pictures.codec import ImageCodec
from phy.units import EsN0

__all__ = ["POLICIES", "Separation", "encodings_of"]

GREY = (128, 128, 128)
# The mean colour of ImageNet's training pictures, 255 * (0.485, 0.456, 0.406): known beforehand, not sent.
NATURAL_MEAN = (124, 116, 104)


def _flat(colour: tuple[int, int, int]) -> Callable[[tuple[int, int]], NDArray[np.uint8]]:
    return lambda shape: np.broadcast_to(np.array(colour, dtype=np.uint8), (*shape, 3)).copy()


POLICIES: dict[str, Callable[[tuple[int, int]], NDArray[np.uint8]]] = {
    "grey": _flat(GREY),
    "mean": _flat(NATURAL_MEAN),
    "best-effort": _flat(NATURAL_MEAN),
}
"""What is shown when a picture's check sum is wrong: a grey area, the mean colour of natural pictures, or
whatever the codec makes of the damaged file (and the mean colour where it makes nothing of it)."""


def encodings_of(codec: ImageCodec, source: Source) -> Encodings:
    """Return the memory of this picture's encodings, shared by all systems with an equal codec."""
    image = image_of(source)
    return source.memory.setdefault(codec.name, Encodings(codec, image))


class Separation:
    """An image codec over a channel code and a constellation, at a given number of channel uses.

    Parameters
    ----------
    family:
        Name under which all schemes of this codec and code are drawn, for example ``bpg-ldpc``.
    codec, scheme, channel, decoding:
        What the chain is made of.
    policy:
        ``grey``, ``mean`` or ``best-effort``: what is shown for a picture whose check sum is wrong.
    device:
        Where encoder and decoder run.
    """

    modality = "image"
    delivers: tuple[str, ...] = ("image",)
    adapts = False

    def __init__(
        self,
        family: str,
        codec: ImageCodec,
        scheme: Scheme,
        channel: Channel,
        decoding: Decoding,
        policy: str = "mean",
        device: str = "cpu",
    ) -> None:
        if policy not in POLICIES:
            raise ValueError(f"failure policy must be one of {', '.join(POLICIES)}, got {policy!r}")
        self.family = family
        self.scheme = scheme
        self.policy = policy
        self.payload = ImagePayload(codec)
        self._channel = channel
        self._decoding = decoding
        self._device = device

    @property
    def name(self) -> str:
        """Family and scheme, for example ``bpg-ldpc[1/2-qam16]``."""
        return f"{self.family}[{self.scheme.name}]"

    def check(self, channel_uses: int) -> None:
        """Raise ValueError if the scheme cannot even carry the payload's header."""
        bits = self.scheme.format_for_channel_uses(channel_uses).payload_bits
        if bits <= self.payload.HEADER_BITS:
            raise ValueError(
                f"{self.name} carries {bits} bits in {channel_uses} channel uses, not even a header"
            )

    def encode(self, source: Source, channel_uses: int | None, snr: EsN0) -> Transmission:
        """Fill exactly ``channel_uses`` with the best quality that fits.

        Raises
        ------
        ValueError
            If the channel uses are too few for the picture even at the smallest scale.
        """
        if channel_uses is None:
            raise ValueError(f"{self.name} needs a number of channel uses: give a bandwidth ratio")
        form = self.scheme.format_for_channel_uses(channel_uses)
        packed = self.payload.pack(encodings_of(self.payload.codec, source), form.payload_bits)
        block = transport_block(form, self.scheme.code, self._decoding, self._device)
        link = DigitalLink(block, Modulation(self.scheme.modulation, device=self._device), self._channel)
        height, width = image_of(source).shape[:2]
        part = part_over_link("picture", packed, form, link)
        return Transmission((part,), (height, width), notes=packed.notes)

    def decode(self, reception: Reception) -> Reconstruction:
        """Read the picture, or apply the failure policy."""
        if reception.shape is None:
            raise ValueError("a picture was sent without an agreed size")
        arrived = reception.arrived["picture"]
        failed = arrived.intact is False
        if failed and self.policy != "best-effort":
            return Reconstruction(
                POLICIES[self.policy](reception.shape), failed=True, remark="check sum wrong"
            )
        unpacked = self.payload.unpack(arrived.bits, reception.shape)
        if unpacked.value is None:
            return Reconstruction(POLICIES[self.policy](reception.shape), failed=True, remark=unpacked.remark)
        return Reconstruction(unpacked.value, failed=failed, remark="check sum wrong" if failed else "")
