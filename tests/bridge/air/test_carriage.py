"""Carriages: channel uses are symbols on the channel, and payloads of one block pay their share."""

from __future__ import annotations

import pytest
import torch
from tiny.carriages import (
    PACKED,
    Counting,
    deliver,
)

from bridge.air.analog import Analog
from bridge.air.carriage import Digital, Fill, Multiplex
from bridge.air.ledger import Entry, Ledger
from bridge.air.names import parse_carriage
from bridge.air.schemes import parse_schemes
from bridge.air.transmission import Part, Transmission, transmit
from phy.channels.flat import AWGN
from phy.coding.transport.block import TransportBlock
from phy.links.digital import DigitalLink
from phy.random import Stream
from phy.units import EsN0

WAYS = [
    *(("vector", f"digital:x:{schemes}", None) for schemes in ("1/2-qpsk", "3/4-qam64", "1-qam16", "1-bpsk")),
    ("vector", "digital:x:1/3-qpsk|1/2-qpsk|2/3-qam16|3/4-qam64", None),
    ("vector", "digital:x:1/3-qpsk|1-qam64", None),
    ("vector", "digital:x:qam16", 777),
    ("subvectors", "digital:x:1/3-qpsk|1/2-qam16", None),
    ("floats", "digital:x:1/3-qpsk|2/3-qam16", None),
    ("floats", "digital:x:1/2-qam16@512", None),
    ("text", "digital:x:1/2-qam256", None),
    ("text", "digital:x:qpsk", 300),
    ("raw", "digital:x:1/2-qpsk|1-qpsk|1-qam16", None),
    ("file", "digital:x:2/3-qam16", None),
    *(("values", f"analog{options}", None) for options in ("", ":repeat=3", ":mmse")),
    ("values", "analog:repeat=fill+mmse", 1000),
    ("pixels", "analog:repeat=2", None),
]


@pytest.mark.parametrize(("what", "way", "uses"), WAYS)
def test_channel_uses_are_symbols_on_the_channel(what: str, way: str, uses: int | None) -> None:
    channel = Counting()
    carriage = parse_carriage(way, channel)[1]
    packed = PACKED[what]()
    parts = carriage.parts("it", packed, uses)
    deliver(carriage, packed, 5.0, 2, uses)
    entries = [entry for part in parts for entry in part.entries]
    assert [sum(entry.channel_uses for entry in entries)] == channel.sent
    assert uses is None or sum(channel.sent) <= uses
    if ":q" in way:
        assert sum(channel.sent) == uses
    assert Ledger.of(entries).of_payload("it").entries == tuple(entries)
    assert Ledger.of(entries).of_payload("i").entries == ()
    for part, entry in zip(parts, entries, strict=True):
        if not isinstance(part, Part):
            assert entry == Entry(entry.payload, 0, 0, 0, 0, 0, entry.channel_uses)
            continue
        assert isinstance(part.link, DigitalLink) and isinstance(part.link.code, TransportBlock)
        form = part.link.code.format
        assert entry.coded_bits == entry.channel_uses * part.link.modulation.bits_per_symbol
        carried = entry.source_bits + entry.header_bits + entry.filler_bits
        assert carried == part.bits.numel() + form.segment_filler
        assert carried + entry.crc_bits == form.blocks * form.block_bits
    for kind in ("source_bits", "header_bits"):
        assert sum(getattr(entry, kind) for entry in entries) == getattr(packed, kind)
    assert sum(part.bits.numel() for part in parts if isinstance(part, Part)) == packed.bits.numel()


def test_eb_is_not_counted_over_headers_of_values() -> None:
    """Bits of the header alone would make Eb the energy of everything over almost nothing."""
    analog = Analog(AWGN()).parts("it", PACKED["values"]())
    assert Ledger.of(entry for part in analog for entry in part.entries).information_bits == 0
    digital = Digital(AWGN(), parse_schemes("1/2-qpsk")).parts("it", PACKED["vector"]())
    assert Ledger.of(entry for part in digital for entry in part.entries).information_bits == 40 + 1200


@pytest.mark.parametrize("copies", [2, 3, 7])
def test_equal_payloads_in_one_block_pay_alike(copies: int) -> None:
    """Shares differ by one at most, add up to what the channel sees, and no separate blocks are cheaper."""
    channel = Counting()
    carriage = Digital(channel, parse_schemes("1/2-qpsk"))
    packed = [(f"text-{i}", PACKED["text"]()) for i in range(copies)]
    (part,) = Multiplex(carriage).parts(packed)
    transmit(Transmission((part,)), EsN0(10.0), [Stream(1, 1)])
    alone = [carriage.parts(name, each)[0].entries[0] for name, each in packed]
    for kind in ("channel_uses", "coded_bits", "crc_bits", "filler_bits"):
        shares = [getattr(entry, kind) for entry in part.entries]
        assert max(shares) - min(shares) <= 1
    for entry, own in zip(part.entries, alone, strict=True):
        assert (entry.payload, entry.source_bits, entry.header_bits) == (
            own.payload,
            own.source_bits,
            own.header_bits,
        )
    total = sum(entry.channel_uses for entry in part.entries)
    assert channel.sent == [total]
    assert total <= sum(entry.channel_uses for entry in alone)
    assert sum(entry.coded_bits for entry in part.entries) == 2 * total


def test_unequal_payloads_in_one_block_pay_by_their_bits() -> None:
    packed = [("vector", PACKED["vector"]()), ("text", PACKED["text"]()), ("raw", PACKED["raw"]())]
    multiplex = Multiplex(Digital(AWGN(), Fill("qam16")))
    (part,) = multiplex.parts(packed, 4001)
    bits = [each.bits.numel() for _, each in packed]
    assert sum(entry.channel_uses for entry in part.entries) == 4001
    for entry, size in zip(part.entries, bits, strict=True):
        assert abs(entry.channel_uses - 4001 * size / sum(bits)) < 1
    (reception,) = transmit(Transmission((part,)), EsN0(25.0), [Stream(1, 1)])
    arrived = multiplex.collect([name for name, _ in packed], bits, reception)
    for name, each in packed:
        assert torch.equal(arrived[name].bits, each.bits)
        assert arrived[name].intact and arrived[name].header_intact
        assert arrived[name].llr is not None
