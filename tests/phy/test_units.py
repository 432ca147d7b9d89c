"""Signal-to-noise ratios and bandwidth ratios against what they are defined as."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from phy.units import BandwidthRatio, EbN0, EsN0


@pytest.mark.parametrize(("db", "linear"), [(0.0, 1.0), (10.0, 10.0), (-20.0, 0.01), (3.0, 10**0.3)])
def test_decibels_are_those_of_power(db: float, linear: float) -> None:
    snr = EsN0(db)
    assert snr.linear == pytest.approx(linear, rel=1e-12)
    assert snr.no == pytest.approx(1 / linear, rel=1e-12)


@pytest.mark.parametrize("bits_per_use", [0.25, 0.5, 1.0, 2.0, 4.5])
def test_the_energy_of_a_symbol_is_shared_by_its_information_bits(bits_per_use: float) -> None:
    """Es = R Eb: with R bits a use Eb/N0 is the R-th part of Es/N0, and the way back is the inverse."""
    for db in (-3.0, 0.0, 7.5):
        symbol = EsN0(db)
        bit = symbol.to_ebn0(bits_per_use)
        assert 10 ** (bit.db / 10) == pytest.approx(symbol.linear / bits_per_use, rel=1e-12)
        assert bit.to_esn0(bits_per_use).db == pytest.approx(db, abs=1e-12)
    assert EbN0(0.0).to_esn0(2.0).db == pytest.approx(10 * math.log10(2))  # QPSK, uncoded: 3.01 dB


def test_channel_uses_are_rounded_down() -> None:
    """Whoever is granted 1/24 of 3 x 5 x 7 samples has four uses and not five."""
    assert BandwidthRatio(Fraction(1, 24)).channel_uses(5, 7) == 4  # 4.375
    assert BandwidthRatio(Fraction(1, 105)).channel_uses(5, 7) == 1  # exactly one is granted whole
    assert BandwidthRatio(Fraction(1, 24)).channel_uses(512, 768) == 3 * 512 * 768 // 24
    assert BandwidthRatio(Fraction(1, 2)).channel_uses(3, 3, channels=1) == 4
