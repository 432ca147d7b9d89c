"""One transmission meets one realisation of the channel, unless its links are orthogonal by name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import integrate, special

from bridge.air.analog import Analog
from bridge.air.carriage import Carriage, Digital
from bridge.air.names import parse_carriage
from bridge.air.schemes import parse_schemes
from bridge.air.sending import Item, send, send_together
from bridge.air.transmission import Transmission, transmit
from bridge.payloads import EmbeddingPayload, TextPayload
from phy.channels.channel import Channel, SymbolReception
from phy.channels.flat import AWGN, Rayleigh, Rician
from phy.channels.names import parse_channel
from phy.quantization import parse_quantizer
from phy.random import Stream
from phy.units import EsN0

SIGMAS = 4.5
CHANNELS = ["rayleigh-block", "rayleigh:coherence=7", "rayleigh", "rician:k_db=3,coherence=50", "tdl-c"]


@dataclass(frozen=True)
class Recording:
    """A channel that keeps the gains of each passage."""

    inner: Channel
    gains: list[torch.Tensor] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.inner.name

    def __call__(
        self, symbols: torch.Tensor, snr: EsN0, streams: Sequence[Stream], real: bool = False
    ) -> SymbolReception:
        heard = self.inner(symbols, snr, streams, real)
        assert heard.gain is not None
        self.gains.append(heard.gain)
        return heard


def ramp(count: int) -> torch.Tensor:
    return torch.linspace(-1, 1.2, count)


def carriages(channel: Channel) -> dict[str, tuple[EmbeddingPayload, Carriage]]:
    """Header and values, and bit planes by schemes of their own."""
    return {
        "analog": (EmbeddingPayload(61), Analog(channel, 2)),
        "planes": (
            EmbeddingPayload(61, parse_quantizer("lloyd-max:3")),
            parse_carriage("digital:x:1/3-qpsk|1/2-bpsk|1/2-qam16", channel)[1],
        ),
    }


@pytest.mark.parametrize("way", ["analog", "planes"])
@pytest.mark.parametrize("name", CHANNELS)
def test_all_parts_are_one_passage_over_one_fading_process(name: str, way: str) -> None:
    """The gains met are those that the channel draws for one row of as many symbols."""
    channel = Recording(parse_channel(name))
    payload, carriage = carriages(channel)[way]
    uses = send(payload, ramp(61), carriage, EsN0(20.0), trials=2, seed=4).ledger.channel_uses
    (gains,) = channel.gains
    streams = [stream.child("payload", 0) for stream in Stream(4, "send").batch(range(2))]
    row = parse_channel(name)(torch.ones(2, uses, dtype=torch.complex64), EsN0(20.0), streams)
    assert row.gain is not None and torch.equal(gains, row.gain)
    if name == "rayleigh-block":
        assert bool((gains == gains[:, :1]).all())


@pytest.mark.slow
@pytest.mark.parametrize("links", ["sequential", "orthogonal"])
def test_the_intact_share_of_three_planes_in_block_fading(links: str) -> None:
    """Uncoded QPSK, n bits over one gain g ~ Exp(1): E[(1 - Q(sqrt(g s)))^n]; apart, the product."""
    payload = EmbeddingPayload(96, parse_quantizer("lloyd-max:3"), side=(0.0, 1.0))
    snr, trials = EsN0(18.0), 2000
    carriage = Digital(Rayleigh("block"), parse_schemes("1-qpsk", "none") * 3)
    parts = carriage.parts("it", payload.pack(ramp(96)))
    if links == "orthogonal":  # each plane under a name of its own
        parts = tuple(replace(part, name=f"it-{place}") for place, part in enumerate(parts))
    sizes = [part.entries[0].coded_bits for part in parts]
    receptions = transmit(Transmission(parts, links=links), snr, Stream(3).batch(range(trials)))

    def intact(bits: int) -> float:
        def share(g: float) -> float:
            return math.exp(-g) * (1 - 0.5 * special.erfc(math.sqrt(g * snr.linear / 2))) ** bits

        return integrate.quad(share, 0, 2)[0] + integrate.quad(share, 2, math.inf)[0]

    expected = intact(sum(sizes)) if links == "sequential" else math.prod(intact(size) for size in sizes)
    found = sum(not reception.failed for reception in receptions) / trials
    assert abs(found - expected) < SIGMAS * math.sqrt(expected * (1 - expected) / trials)
    apart = math.prod(intact(size) for size in sizes)
    assert intact(sum(sizes)) - apart > 0.14 > 2 * SIGMAS * math.sqrt(0.25 / trials)


def test_orthogonal_links_fade_apart_and_each_payload_stays_whole() -> None:
    channel = Recording(Rayleigh("block"))
    items: list[Item[Any]] = [
        Item(EmbeddingPayload(20), ramp(20), Analog(channel), "values"),
        Item(TextPayload(), "A dog runs.", Digital(channel, parse_schemes("1/2-qpsk")), "text"),
    ]
    found = send_together(items, EsN0(20.0), links="orthogonal", seed=2)
    values, text = channel.gains
    assert values.shape[1] == found["values"].ledger.channel_uses  # header and values in one
    assert text.shape[1] == found["text"].ledger.channel_uses
    assert bool((values == values[0, 0]).all()) and bool((text == text[0, 0]).all())
    assert values[0, 0] != text[0, 0]
    channel.gains.clear()
    send_together(items, EsN0(20.0), seed=2)
    (both,) = channel.gains
    assert both.shape[1] == values.shape[1] + text.shape[1] and bool((both == both[0, 0]).all())


def test_a_part_alone_meets_the_channel_of_its_link() -> None:
    """Bits of a transmission of one part are those that its link delivers by itself."""
    carriage = Digital(Rician(2.0, 11), parse_schemes("1/2-qam16"))
    (part,) = carriage.parts("text", TextPayload().pack("Two children play football."))
    streams = Stream(5).batch(range(6))
    receptions = transmit(Transmission((part,)), EsN0(6.0), streams)
    own = part.link(part.bits.expand(6, -1), EsN0(6.0), [stream.child("payload", 0) for stream in streams])
    for row, reception in enumerate(receptions):
        assert torch.equal(reception.arrived["text"].bits, own.bits[row])
        assert own.llr is not None and torch.equal(reception.arrived["text"].llr, own.llr[row])  # type: ignore[arg-type]


def test_complex_symbols_beside_real_ones_meet_complex_noise() -> None:
    """BPSK alone spares the channel half of its noise; a part that uses both axes needs both."""
    bits = Digital(AWGN(), parse_schemes("1-bpsk", "none")).parts("bits", TextPayload().pack("A dog runs."))
    values = Analog(AWGN()).parts("values", EmbeddingPayload(4000, side=(0.0, 1.0)).pack(ramp(4000)))
    (heard,) = transmit(Transmission((*bits, *values)), EsN0(0.0), [Stream(6)])
    (sent,) = transmit(Transmission((*bits, *values)), EsN0(200.0), [Stream(6)])
    noise = heard.symbols["values/values"].symbols - sent.symbols["values/values"].symbols
    for part in (noise.real, noise.imag):  # variance 1/2 each, its estimate from 2,000 within 3.2 %
        assert abs(float(part.square().mean()) - 0.5) < SIGMAS * 0.5 * math.sqrt(2 / 2000)


def test_channels_of_different_names_are_different_passages() -> None:
    items: list[Item[Any]] = [
        Item(EmbeddingPayload(20, side=(0.0, 1.0)), ramp(20), Analog(channel), f"values-{place}")
        for place, channel in enumerate((AWGN(), Rayleigh("block"), AWGN()))
    ]
    found = send_together(items, EsN0(10.0), seed=2)
    first, _, last = (each.values[0].numpy() for each in found.values())
    assert not np.array_equal(first, last)  # the third goes on where the first ended
    alone = send_together([items[0]], EsN0(10.0), seed=2)["values-0"].values[0].numpy()
    np.testing.assert_array_equal(first, alone)


def test_links_have_two_names() -> None:
    with pytest.raises(ValueError, match="sequential or orthogonal, got 'five'"):
        Transmission((), links="five")
