"""Real numbers as symbols: what a joint source-channel network wrote, and vectors, analog or quantised.

No scale travels with either. A transmission has unit power, so the receiver gets a vector back at root mean
square 1 (values of learned symbols: 1/sqrt(2)), and what it does with them was trained for that, or does not
look at their length.
"""

from __future__ import annotations

import torch

from bridge.air.carriage import Carriage
from bridge.air.ledger import Entry
from bridge.air.names import parse_carriage
from bridge.air.transmission import ArrivedSymbols, Part, Reception, SymbolPart
from bridge.payloads import EmbeddingPayload
from bridge.systems.context import Context
from phy.channels.channel import Channel
from phy.links.analog import AnalogLink
from phy.quantization import parse_quantizer
from phy.units import BudgetExceeded

__all__ = ["VectorLink", "learned", "unit_rms", "values_of", "within"]


def learned(name: str, values: torch.Tensor, channel: Channel) -> SymbolPart:
    """Put real values ``[2k]`` on I and Q of k symbols, which the link scales to unit power.

    Parameters
    ----------
    name:
        Of the payload.
    values:
        What a network's encoder made; neighbours make a symbol.
    channel:
        What the symbols pass.

    Examples
    --------
    >>> from phy.channels.flat import AWGN
    >>> learned("latent", torch.tensor([1.0, 2.0, 3.0, 4.0]), AWGN()).symbols
    tensor([1.+2.j, 3.+4.j])
    """
    pairs = values.detach().to("cpu", torch.float32).reshape(-1, 2).contiguous()
    symbols = torch.view_as_complex(pairs)
    return SymbolPart(name, symbols, AnalogLink(channel), (Entry(name, 0, 0, 0, 0, 0, symbols.numel()),))


def values_of(heard: ArrivedSymbols) -> tuple[torch.Tensor, float]:
    """What a network's decoder gets of k symbols: real values, and the SNR to tell it.

    Where symbols differ in noise, as they do after a fading channel was undone, each is weighed as linear
    MMSE estimation does, for one strong symbol of noise would drown the others. The SNR told is that of equal
    noise for all with the same mean error. Over AWGN both are what arrived.

    Returns
    -------
    torch.Tensor
        ``[2k]``, the signal having mean square 1/2 a value.
    float
        Es/N0 in decibels.
    """
    no = heard.no.double()
    error = (no / (1 + no)).mean()
    level = error / (1 - error)
    weight = ((1 + level) / (1 + no)).to(heard.symbols.real.dtype)
    return torch.view_as_real(heard.symbols * weight).reshape(-1), float(-10.0 * torch.log10(level))


def within(name: str, needed: int, channel_uses: int | None) -> None:
    """Refuse a transmission of more channel uses than are given.

    Raises
    ------
    BudgetExceeded
        With both figures.
    """
    if channel_uses is not None and needed > channel_uses:
        raise BudgetExceeded(f"{name} takes {needed} channel uses, more than the {channel_uses} given")


def unit_rms(vector: torch.Tensor) -> torch.Tensor:
    """Scale a vector to root mean square 1, as it arrives without noise; zeros stay zeros.

    Examples
    --------
    >>> unit_rms(torch.tensor([3.0, -3.0])), unit_rms(torch.zeros(2))
    (tensor([ 1., -1.]), tensor([0., 0.]))
    """
    rms = vector.square().mean().sqrt()
    return vector / rms if float(rms) > 0 else vector


class VectorLink:
    """A vector at root mean square 1 over the air: as it is, or quantised.

    Both ends know the number of values, as they know the model that makes them. Quantised, the bits are the
    quantiser's and nothing else; whatever arrives is read, also where the check sum is wrong.

    Parameters
    ----------
    context:
        Channel and decoding.
    quantizer:
        Name (`phy.quantization.parse_quantizer`); None sends the values themselves, two a symbol.
    schemes:
        Of the quantised values: a scheme, or one a bit plane joined by ``|``.

    Raises
    ------
    ValueError
        If there is no such quantiser or scheme.

    Examples
    --------
    >>> from phy.channels.flat import AWGN
    >>> (part,) = VectorLink(Context(AWGN()), None, "1/2-qpsk").parts("feature", torch.randn(512))
    >>> part.entries[0].channel_uses  # two values a symbol, no scale
    256
    """

    def __init__(self, context: Context, quantizer: str | None, schemes: str) -> None:
        form = "analog" if quantizer is None else f"digital:{quantizer}:{schemes}"
        self.carriage: Carriage = parse_carriage(form, context.channel, context.decoding)[1]
        self.quantizer = None if quantizer is None else parse_quantizer(quantizer)

    def _payload(self, count: int) -> EmbeddingPayload:
        return EmbeddingPayload(count, self.quantizer, side=(0.0, 1.0), policy="best-effort")

    def parts(
        self, name: str, vector: torch.Tensor, channel_uses: int | None = None
    ) -> tuple[Part | SymbolPart, ...]:
        """Lay a vector ``[count]`` of any length on links, in at most ``channel_uses`` if given.

        Raises
        ------
        ValueError
            If it does not fit, or holds numbers that are not finite.
        """
        packed = self._payload(vector.numel()).pack(unit_rms(vector))
        return self.carriage.parts(name, packed, channel_uses)

    def collect(self, name: str, reception: Reception) -> tuple[torch.Tensor, str]:
        """The vector ``[count]`` as it arrived, and a remark.

        No value of a vector at root mean square 1 is beyond sqrt(count); what a wrong exponent or noise puts
        there is cut back to it.
        """
        count = reception.count or 0
        unpacked = self._payload(count).unpack(self.carriage.collect(name, reception, count))
        largest = count**0.5
        return unpacked.value.clamp(-largest, largest), unpacked.remark
