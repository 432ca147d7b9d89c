"""What every system of a comparison shares, and what systems are built from."""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.air.carriage import Digital, Fill
from bridge.air.schemes import parse_scheme
from bridge.models import Models
from bridge.payloads import TextPayload
from bridge.systems.parts.language import language_coder
from phy.channels.channel import Channel
from phy.coding.decoding import Decoding
from phy.constellations.names import MODULATIONS
from phy.source.text.coders import TextCoder, TokenIds, parse_text_coder
from phy.source.text.tokens import load_tokenizer
from semantic.samples.pictures import bundled_tokenizer
from semantic.zoo.presets import PRESETS, resolve

__all__ = ["Context", "text_coder"]


@dataclass(frozen=True)
class Context:
    """Channel, codes and models of a comparison.

    Attributes
    ----------
    channel:
        What everything passes, each payload on channel uses of its own.
    schemes, text_schemes:
        Modulation-coding schemes of files, as `bridge.air.schemes.parse_schemes` reads them, and of texts, as
        `text_link` does.
    decoding, policy:
        As in `bridge.systems.pixels.separation.Separation`.
    models:
        See `bridge.models`.
    seed:
        Of what generators draw: the same for all systems, SNRs and trials, so that curves compare channels
        and not luck.

    Examples
    --------
    >>> from phy.channels.flat import AWGN
    >>> context = Context(AWGN(), text_schemes="1-qam16")
    >>> context.text_link().name, context.text_payload("latin-1|utf-8").name
    ('1-qam16', 'latin-1|utf-8')
    """

    channel: Channel
    schemes: str = "witt"
    text_schemes: str = "1/2-qpsk"
    decoding: Decoding = field(default_factory=Decoding)
    policy: str = "mean"
    models: Models = field(default_factory=lambda: Models(()))
    seed: int = 1

    def text_link(self, scheme: str | None = None) -> Digital:
        """Carriage of texts by a scheme, that of the comparison if None.

        A scheme of rate 1 is uncoded; a constellation alone is coded at whatever rate fills the channel uses.
        """
        named = self.text_schemes if scheme is None else scheme
        if named in MODULATIONS:
            return Digital(self.channel, Fill(named), self.decoding)
        return Digital(self.channel, (parse_scheme(named),), self.decoding)

    def text_payload(self, coders: str, scheme: str | None = None) -> TextPayload:
        """Payload of texts by the names of its coders, joined by ``|``, over a scheme as in `text_link`."""
        repeats = self.text_link(scheme).header_repeats
        return TextPayload([text_coder(name) for name in coders.split("|")], repeats=repeats)


def text_coder(name: str) -> TextCoder:
    """Read a text coder by name.

    ``tokens`` are the 4,096 of the bundled byte-pair encoding, 12 bits each; ``tokens:MODEL`` those of the
    model of a preset (`semantic.zoo.presets`); ``ngram:scenes:medium`` and ``ngram:FILE`` arithmetic coding
    with a language model (`bridge.systems.parts.language`); all others are those of
    `phy.source.text.coders.parse_text_coder`.

    Examples
    --------
    >>> text_coder("tokens").encode("A dog runs on the beach.")[0].numel()  # 12 bits each
    84
    """
    kind, _, model = name.partition(":")
    if kind == "ngram" and model:
        return language_coder(model)
    if name == "tokens":
        return TokenIds(load_tokenizer(bundled_tokenizer()), name)
    if kind == "tokens" and model in PRESETS:
        return TokenIds(load_tokenizer(resolve(model)), name)
    return parse_text_coder(name)
