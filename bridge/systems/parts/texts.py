"""A text over a digital link of its own."""

from __future__ import annotations

from bridge.air.transmission import Part, Reception
from bridge.payloads import Unpacked
from bridge.systems.context import Context

__all__ = ["TextLink"]


class TextLink:
    """A text with its length, check sum and parity, on channel uses of its own.

    Parameters
    ----------
    context:
        Channel, and the scheme of texts.
    coder:
        How it is written (`bridge.systems.context.text_coder`); of several joined by ``|`` the sender takes
        the shortest.
    scheme:
        As in `bridge.systems.context.Context.text_link`.

    Examples
    --------
    >>> from phy.channels.flat import AWGN
    >>> (part,) = TextLink(Context(AWGN()), "latin-1").parts("text", "A dog runs.")
    >>> part.entries[0].source_bits
    88
    """

    def __init__(self, context: Context, coder: str, scheme: str | None = None) -> None:
        self.payload, self.link = context.text_payload(coder, scheme), context.text_link(scheme)

    def parts(self, name: str, text: str, channel_uses: int | None = None) -> tuple[Part, ...]:
        """Lay a text on its link.

        Raises
        ------
        ValueError
            If it takes more than ``channel_uses``, or no coder can express it.
        """
        return self.link.parts(name, self.payload.pack(text), channel_uses)

    def collect(self, name: str, reception: Reception) -> Unpacked[str]:
        """The text as it arrived, misspelt where bits are wrong."""
        return self.payload.unpack(self.link.collect(name, reception))
