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

from bridge.air.schemes import Scheme, transport_block
from bridge.air.transmission import Reception, Transmission, part_over_link
from bridge.payloads import ImagePayload
from bridge.systems.pixels.encoded import encodings_of
from bridge.systems.system import Reconstruction, Source
from phy.channels.channel import Channel
from phy.coding.decoding import Decoding
from phy.links.digital import DigitalLink
from phy.modulation import Modulation
from phy.source.pictures.codec import ImageCodec
from phy.units import BudgetExceeded, EsN0
from semantic.networks.pixels import MEAN_COLOUR, Picture

__all__ = ["POLICIES", "Separation"]

GREY = (128, 128, 128)


def _flat(colour: tuple[int, int, int]) -> Callable[[tuple[int, int]], Picture]:
    return lambda shape: np.broadcast_to(np.array(colour, dtype=np.uint8), (*shape, 3)).copy()


POLICIES: dict[str, Callable[[tuple[int, int]], Picture]] = {
    "grey": _flat(GREY),
    "mean": _flat(MEAN_COLOUR),
    "best-effort": _flat(MEAN_COLOUR),
}
"""What is shown when a picture's check sum is wrong: a grey area, the mean colour of natural pictures, or
whatever the codec makes of the damaged file (and the mean colour where it makes nothing of it)."""


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

    Examples
    --------
    >>> from bridge.air.schemes import parse_schemes
    >>> from phy.channels.flat import AWGN
    >>> from phy.source.pictures.pillow import JPEG
    >>> (scheme,) = parse_schemes("1/2-qam16")
    >>> system = Separation("jpeg-ldpc", JPEG(), scheme, AWGN(), Decoding())
    >>> source = Source("grey", np.full((64, 64, 3), 128, np.uint8))
    >>> transmission = system.encode(source, 2048, EsN0(10.0))
    >>> transmission.ledger.channel_uses, transmission.ledger.entries[0].coded_bits
    (2048, 8192)
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
    ) -> None:
        if policy not in POLICIES:
            raise ValueError(f"failure policy must be one of {', '.join(POLICIES)}, got {policy!r}")
        self.family = family
        self.scheme = scheme
        self.policy = policy
        self.payload = ImagePayload(codec)
        self._channel = channel
        self._decoding = decoding

    @property
    def name(self) -> str:
        """Family and scheme, for example ``bpg-ldpc[1/2-qam16]``."""
        return f"{self.family}[{self.scheme.name}]"

    def check(self, channel_uses: int) -> None:
        """Raise BudgetExceeded if the scheme cannot even carry the payload's header."""
        bits = self.scheme.format_for_channel_uses(channel_uses).payload_bits
        if bits <= self.payload.HEADER_BITS:
            raise BudgetExceeded(
                f"{self.name} carries {bits} bits in {channel_uses} channel uses, not even a header"
            )

    def encode(self, source: Source, channel_uses: int | None, snr: EsN0) -> Transmission:
        """Fill exactly ``channel_uses`` with the best quality that fits.

        Raises
        ------
        BudgetExceeded
            If the channel uses are too few for the picture even at the smallest scale.
        """
        if channel_uses is None:
            raise ValueError(f"{self.name} needs a number of channel uses: give a bandwidth ratio")
        form = self.scheme.format_for_channel_uses(channel_uses)
        packed = self.payload.pack(encodings_of(self.payload.codec, source), form.payload_bits)
        block = transport_block(form, self.scheme.code, self._decoding)
        link = DigitalLink(block, Modulation(self.scheme.modulation), self._channel)
        part = part_over_link("picture", packed, form, link)
        return Transmission((part,), source.size, notes=packed.notes)

    def decode(self, reception: Reception) -> Reconstruction:
        """Read the picture, or apply the failure policy."""
        shown, checked = POLICIES[self.policy], "check sum wrong" if reception.failed else ""
        if reception.failed and self.policy != "best-effort":
            return Reconstruction(shown(reception.size), failed=True, remark=checked)
        unpacked = self.payload.unpack(reception.arrived["picture"].bits, reception.size)
        if unpacked.value is None:
            return Reconstruction(shown(reception.size), failed=True, remark=unpacked.remark)
        return Reconstruction(unpacked.value, failed=reception.failed, remark=checked)
