"""One call from values to what arrives: budgets, common blocks, the same channel for all, and mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from bridge.air.analog import Analog
from bridge.air.carriage import Digital, Fill
from bridge.air.schemes import parse_schemes
from bridge.air.sending import Delivery, Item, send, send_together
from bridge.payloads import EmbeddingPayload, PictureSlice, SlicePayload, TextPayload
from phy.channels.channel import Channel, SymbolReception
from phy.channels.flat import AWGN, Rayleigh
from phy.quantization import parse_quantizer
from phy.random import Stream
from phy.source.text.coders import parse_text_coder
from phy.units import EsN0

QPSK = Digital(AWGN(), parse_schemes("1/2-qpsk"))
TEXT = "Two children play football on a green field near the river."


@dataclass(frozen=True)
class Recording:
    """A channel that keeps what it did to every row: gains and noise."""

    inner: Channel
    gains: list[torch.Tensor] = field(default_factory=list)
    noises: list[torch.Tensor] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.inner.name

    def __call__(
        self, symbols: torch.Tensor, snr: EsN0, streams: Sequence[Stream], real: bool = False
    ) -> SymbolReception:
        heard = self.inner(symbols, snr, streams, real)
        gain = torch.ones_like(symbols) if heard.gain is None else heard.gain
        self.gains.append(gain)
        self.noises.append((heard.symbols - symbols) * gain)
        return heard


def gaussian(count: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(count)).float()


def quantised(count: int = 200) -> EmbeddingPayload:
    return EmbeddingPayload(count, parse_quantizer("lloyd-max:4"))


def three(link: Digital = QPSK) -> list[Item[Any]]:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return [
        Item(TextPayload(parse_text_coder("huffman")), TEXT, link, "text"),
        Item(quantised(), gaussian(200), link, "vector"),
        Item(SlicePayload((8, 8), "raw"), PictureSlice(pixels), link, "picture"),
    ]


def check_three(found: dict[str, Delivery[Any]]) -> None:
    """All three arrived as they were sent."""
    assert list(found) == ["text", "vector", "picture"]
    assert found["text"].values == [TEXT]
    assert (found["vector"].values[0] - gaussian(200)).square().mean() < 0.02
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    np.testing.assert_array_equal(found["picture"].values[0].pixels, pixels)
    assert all(each.intact == (True,) for each in found.values())
    assert all(each.received[0].remark == "" for each in found.values())


def test_three_kinds_each_on_its_own() -> None:
    found = send_together(three(), EsN0(8.0))
    check_three(found)
    for each, name in zip(three(), found, strict=True):
        assert found[name].ledger == _renamed(send(each.payload, each.value, QPSK, EsN0(8.0)), name)


def _renamed(delivery: Delivery[Any], name: str) -> Any:
    (entry,) = delivery.ledger.entries
    return type(delivery.ledger).of([type(entry)(name, *list(vars(entry).values())[1:])])


@pytest.mark.parametrize("carriage", [QPSK, Digital(AWGN(), Fill("qam16"))])
def test_three_kinds_in_one_block(carriage: Digital) -> None:
    budget = 2000 if isinstance(carriage.schemes, Fill) else None
    found = send_together(
        [Item(each.payload, each.value, None, each.name) for each in three()],
        EsN0(20.0),
        multiplexed=carriage,
        channel_uses=budget,
    )
    check_three(found)
    total = sum(each.ledger.channel_uses for each in found.values())
    assert (
        total == 2000
        if budget
        else total <= sum(each.ledger.channel_uses for each in send_together(three(), EsN0(20.0)).values())
    )


def test_a_block_fails_as_a_whole() -> None:
    found = send_together(three(), EsN0(-4.0), multiplexed=QPSK, trials=3)
    assert all(each.intact == (False, False, False) for each in found.values())
    assert all("check sum wrong" in one.remark for each in found.values() for one in each.received)


# -- the same channel for all -------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", [AWGN(), Rayleigh(), Rayleigh("block")])
def test_every_payload_meets_the_same_channel(channel: Channel) -> None:
    """Symbol by symbol and trial by trial, as far as the shorter transmission goes."""
    ways = []
    for payload, value, make in (
        (TextPayload(), TEXT, lambda c: Digital(c, parse_schemes("1/2-qpsk"))),
        (quantised(), gaussian(200), lambda c: Digital(c, parse_schemes("1/3-qam16"))),
        (quantised(), gaussian(200), lambda c: Digital(c, parse_schemes("1/3-qpsk,1/2-qam16"))),
        (EmbeddingPayload(200), gaussian(200), Analog),
        (EmbeddingPayload(200, side=(0.0, 1.0)), gaussian(200), Analog),
    ):
        record = Recording(channel)
        send(payload, value, make(record), EsN0(3.0), trials=3, seed=4)  # type: ignore[misc, arg-type]
        ways.append(record)
    for first, other in pairwise(ways):
        for (a,), (b,) in ((first.gains, other.gains), (first.noises, other.noises)):
            shared = min(a.shape[-1], b.shape[-1])
            torch.testing.assert_close(a[:, :shared], b[:, :shared], rtol=0, atol=2e-4)
    (noise,) = ways[2].noises
    assert not torch.equal(noise[0, :50], noise[1, :50])  # trials differ


def everything(trials: int) -> list[Delivery[Any]]:
    channel = Rayleigh("block")
    items: list[Item[Any]] = [
        Item(TextPayload(), TEXT, Digital(channel, parse_schemes("1/2-qpsk")), "text"),
        Item(quantised(), gaussian(200), Digital(channel, parse_schemes("1/3-qpsk,1/2-qam16")), "planes"),
        Item(EmbeddingPayload(201), gaussian(201), Analog(channel, 2, mmse=True), "values"),
    ]
    apart = send_together(items, EsN0(4.0), trials=trials, seed=9)
    block = send_together(
        items[:2], EsN0(4.0), trials=trials, seed=9, multiplexed=Digital(channel, parse_schemes("1/2-qam16"))
    )
    return [*apart.values(), *block.values()]


def test_trials_do_not_depend_on_their_number() -> None:
    for one, many in zip(everything(3), everything(11), strict=True):
        assert one.ledger == many.ledger
        assert one.intact == many.intact[:3]
        assert len(many.received) == 11
        for a, b in zip(one.received, many.received[:3], strict=True):
            assert a.remark == b.remark
            assert torch.equal(a.value, b.value) if isinstance(a.value, torch.Tensor) else a.value == b.value
    assert {False, True} <= set(everything(11)[0].intact)


def test_seeds_are_different_channels() -> None:
    payload = EmbeddingPayload(200)
    one, same, other = (
        send(payload, gaussian(200), Analog(AWGN()), EsN0(5.0), seed=seed) for seed in (1, 1, 2)
    )
    assert torch.equal(one.values[0], same.values[0])
    assert not torch.equal(one.values[0], other.values[0])


# -- budgets ------------------------------------------------------------------------------------------------


def filled(*shares: float | None) -> list[Item[Any]]:
    link = Digital(AWGN(), Fill("qpsk"))
    return [Item(TextPayload(), TEXT, link, f"text-{place}", share) for place, share in enumerate(shares)]


def test_shares_of_a_budget() -> None:
    found = send_together(filled(0.5, 0.3, 0.2), EsN0(9.0), channel_uses=3001)
    assert [each.ledger.channel_uses for each in found.values()] == [1500, 900, 600]
    found = send_together(filled(None, None, None), EsN0(9.0), channel_uses=3001)
    assert [each.ledger.channel_uses for each in found.values()] == [1000, 1000, 1000]
    # Thirds and tenths are no binary numbers; nothing is lost by that.
    found = send_together(filled(0.7, 0.1, 0.2), EsN0(9.0), channel_uses=5000)
    assert [each.ledger.channel_uses for each in found.values()] == [3500, 500, 1000]


def test_orthogonal_and_multiplexed_payloads_of_one_size_get_equal_shares() -> None:
    """Three equal texts over 3,000 channel uses: a thousand each, whether alone or in one block."""
    apart = send_together(filled(None, None, None), EsN0(9.0), channel_uses=3000)
    block = send_together(
        filled(None, None, None), EsN0(9.0), channel_uses=3000, multiplexed=Digital(AWGN(), Fill("qpsk"))
    )
    for name in apart:
        assert apart[name].ledger.channel_uses == block[name].ledger.channel_uses == 1000
        assert apart[name].ledger.entries[0].source_bits == block[name].ledger.entries[0].source_bits
        assert apart[name].ledger.entries[0].coded_bits == block[name].ledger.entries[0].coded_bits
        assert apart[name].ledger.entries[0].crc_bits > block[name].ledger.entries[0].crc_bits


def test_the_ledger_holds_all_parts() -> None:
    items: list[Item[Any]] = [
        Item(EmbeddingPayload(201), gaussian(201), Analog(AWGN(), 2), "values"),
        Item(quantised(), gaussian(200), Digital(AWGN(), parse_schemes("1/3-qpsk,1/2-qpsk")), "planes"),
    ]
    found = send_together(items, EsN0(10.0))
    assert [e.payload for e in found["values"].ledger.entries] == ["values/header", "values/values"]
    assert [e.payload for e in found["planes"].ledger.entries] == ["planes/0", "planes/1"]
    assert found["values"].ledger.channel_uses == 140 + 2 * 101
    assert found["planes"].ledger.information_bits == 40 + 800
    assert [row["payload"] for row in found["values"].ledger.rows()] == ["values/header", "values/values"]


# -- mistakes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("items", "options", "words"),
    [
        ([], {}, "at least one"),
        ([Item(TextPayload(), TEXT, QPSK), Item(TextPayload(), TEXT, QPSK)], {}, "different names"),
        ([Item(TextPayload(), TEXT, QPSK, "cat/1")], {}, "slash"),
        ([Item(TextPayload(), TEXT)], {}, "'payload' has no link"),
        (filled(0.8, 0.3), {"channel_uses": 3000}, r"\[0.8, 0.3\]"),
        (filled(0.8, 0.0), {"channel_uses": 3000}, r"\[0.8, 0.0\]"),
        (filled(-0.5, 0.3), {"channel_uses": 3000}, "-0.5"),
        (filled(None), {}, "number of channel uses"),
        (filled(None), {"channel_uses": 100}, "at least"),
        ([Item(TextPayload(), TEXT, QPSK)], {"channel_uses": 100}, "more than the 100 given"),
        ([Item(TextPayload(), TEXT, Analog(AWGN()))], {}, "takes a digital carriage"),
        ([Item(EmbeddingPayload(5), torch.ones(5), QPSK)], {}, "takes an analog carriage"),
        ([Item(EmbeddingPayload(5), torch.ones(5), Analog(AWGN()))], {"channel_uses": 142}, "142"),
        ([Item(EmbeddingPayload(5), torch.ones(5))], {"multiplexed": QPSK}, "payloads of bits"),
        ([Item(TextPayload(), TEXT, QPSK)], {"trials": 0}, "at least one trial"),
    ],
)
def test_mistakes_are_named(items: list[Item[Any]], options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        send_together(items, EsN0(5.0), **options)
