"""The account of a transmission, added up by hand."""

from __future__ import annotations

from fractions import Fraction

from bridge.air.ledger import Entry, Ledger

TEXT = Entry(
    "text", source_bits=800, header_bits=48, filler_bits=7, crc_bits=24, coded_bits=1744, channel_uses=872
)
SLICE = Entry(
    "slice/0", source_bits=96, header_bits=0, filler_bits=1, crc_bits=16, coded_bits=256, channel_uses=64
)
REST = Entry(
    "slice/1", source_bits=200, header_bits=0, filler_bits=0, crc_bits=16, coded_bits=256, channel_uses=128
)
VALUES = Entry("values", 0, 0, 0, 0, 0, channel_uses=36)


def test_everything_takes_channel_uses_and_only_source_and_header_inform() -> None:
    ledger = Ledger.of([TEXT, SLICE, REST])
    assert ledger.channel_uses == 872 + 64 + 128
    assert ledger.information_bits == 800 + 48 + 96 + 200
    assert ledger.of_payload("slice").channel_uses == 64 + 128
    assert Ledger.of([]).information_bits == 0


def test_values_leave_no_bits_to_share_the_energy_among() -> None:
    ledger = Ledger.of([TEXT, VALUES])
    assert ledger.channel_uses == 872 + 36
    assert ledger.information_bits == 0
    assert Ledger.of([TEXT, Entry("nothing", 0, 0, 0, 0, 0, 0)]).information_bits == 848


def test_the_bandwidth_ratio_is_a_share_of_all_samples() -> None:
    """An RGB picture has 3 H W, a grey one H W."""
    ledger = Ledger.of([TEXT, SLICE, REST, VALUES])
    assert ledger.bandwidth_ratio(40, 55) == Fraction(1100, 3 * 40 * 55) == Fraction(1, 6)
    assert ledger.bandwidth_ratio(40, 55, channels=1) == Fraction(1, 2)
