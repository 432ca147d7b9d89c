"""Peak-to-average power: constellations by their closed forms, analog symbols, and what has no symbols."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch

from bridge.air.analog import Analog
from bridge.air.carriage import Digital
from bridge.air.peaks import papr_db
from bridge.air.schemes import Scheme
from bridge.air.transmission import Transmission
from bridge.payloads.packed import Packed
from phy.channels.flat import AWGN
from phy.random import Stream, bits


@pytest.mark.parametrize(
    ("name", "peak"),
    [("qpsk", 1.0), ("psk8", 1.0), ("pi2-bpsk", 1.0), ("qam16", 9 / 5), ("qam64", 7 / 3), ("qam32", 17 / 10)],
)
def test_digital_symbols_have_the_peak_of_their_constellation(name: str, peak: float) -> None:
    """6,000 random bits meet the outermost points; their own mean power is the constellation's to 5 %."""
    sent = bits([Stream(1, name)], 6000)[0]
    packed = Packed(sent, source_bits=6000, header_bits=0, filler_bits=0)
    parts = Digital(AWGN(), (Scheme(Fraction(1), name, "none"),)).parts("it", packed)
    (ratio,) = papr_db(Transmission(parts)).values()
    assert ratio == pytest.approx(10 * math.log10(peak), abs=1e-5 if peak == 1 else 0.25)


def test_analog_symbols_have_the_peak_of_their_values() -> None:
    values = torch.tensor([1.0, 0.0, 0.0, 1.0, 2.0, 2.0, 1.0, 0.0])
    packed = Packed(torch.zeros(0, dtype=torch.uint8), 0, 0, 0, values=values)
    parts = Analog(AWGN()).parts("it", packed)
    ratio = papr_db(Transmission(parts))["it/values"]
    assert ratio == pytest.approx(10 * math.log10(8 / (11 / 4)), abs=1e-5)
    zero = Packed(torch.zeros(0, dtype=torch.uint8), 0, 0, 0, values=torch.zeros(8))
    assert papr_db(Transmission(Analog(AWGN()).parts("it", zero)))["it/values"] is None
