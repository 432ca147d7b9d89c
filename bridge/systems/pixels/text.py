"""A sentence as characters over a channel code and a constellation, sent once and never again.

::

    sentence -> [length | 8-bit characters] -> CRC, channel code -> QAM -> channel
             -> demapper, decoder -> characters, right or wrong -> sentence, misspelt where bits are wrong

On the air: header (three times without a code), characters, check sums and parity. There is no
retransmission, and nothing is dropped for a wrong check sum: it only marks the sentence as failed.
"""

from __future__ import annotations

from bridge.air.schemes import Scheme, header_repeats, transport_block
from bridge.air.transmission import Reception, Transmission, part_over_link
from bridge.payloads import TextPayload
from bridge.systems.system import Reconstruction, Source
from phy.channels.channel import Channel
from phy.coding.decoding import Decoding
from phy.links.digital import DigitalLink
from phy.modulation import Modulation
from phy.units import BudgetExceeded, EsN0

__all__ = ["TextOverLink"]


class TextOverLink:
    """Characters over a channel code and a constellation, in as many channel uses as the scheme needs.

    Parameters
    ----------
    family:
        Name under which all schemes are drawn, for example ``text-ldpc``.
    scheme, channel, decoding:
        What the chain is made of.
    """

    modality = "text"
    delivers: tuple[str, ...] = ("text",)
    adapts = False
    policy = "best-effort"

    def __init__(self, family: str, scheme: Scheme, channel: Channel, decoding: Decoding) -> None:
        self.family = family
        self.scheme = scheme
        self.payload = TextPayload(repeats=header_repeats(scheme.code))
        self._channel = channel
        self._decoding = decoding

    @property
    def name(self) -> str:
        """Family and scheme, for example ``text-ldpc[1/2-qpsk]``."""
        return f"{self.family}[{self.scheme.name}]"

    def check(self, channel_uses: int) -> None:
        """Accept any number: a sentence takes what it needs."""

    def encode(self, source: Source, channel_uses: int | None, snr: EsN0) -> Transmission:
        """Send the sentence in the fewest channel uses of the scheme.

        Raises
        ------
        BudgetExceeded
            If these are more than ``channel_uses``.
        """
        if source.text is None:
            raise ValueError(f"source {source.name!r} has no text")
        packed = self.payload.pack(source.text)
        form = self.scheme.format_for_payload(packed.bits.numel())
        if channel_uses is not None and form.channel_uses > channel_uses:
            raise BudgetExceeded(
                f"{self.name} takes {form.channel_uses} channel uses for {source.name}, "
                f"more than the {channel_uses} given"
            )
        block = transport_block(form, self.scheme.code, self._decoding)
        link = DigitalLink(block, Modulation(self.scheme.modulation), self._channel)
        return Transmission((part_over_link("text", packed, form, link),))

    def decode(self, reception: Reception) -> Reconstruction:
        """Read the sentence as it arrived."""
        unpacked = self.payload.unpack(reception.arrived["text"])
        return Reconstruction(text=unpacked.value, failed=reception.failed, remark=unpacked.remark)
