"""Links of sentences against the closed form of BPSK and QPSK, and against what they say of themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from bridge.air.schemes import parse_scheme
from bridge.training.texts.links import SimulatedLink, UncodedQpsk, parse_link
from phy.random import Stream
from phy.source.text.coders import Characters
from phy.units import EsN0

LATIN = Characters("latin-1")
TEXT = "A brown dog runs along the beach with a red ball."


def error_rate(link: SimulatedLink, snr: EsN0, seed: int = 3, count: int = 200) -> float:
    arrived = link.garble([TEXT] * count, snr, Stream(seed, "texts"), LATIN)
    return float(np.mean([a != b for text in arrived for a, b in zip(text, TEXT, strict=True)]))


@pytest.mark.parametrize(("scheme", "gain"), [("1-qpsk", 1.0), ("1-bpsk", 2.0)])
@pytest.mark.parametrize("cer", [0.02, 0.1])
def test_uncoded_links_find_the_snr_of_the_closed_form(scheme: str, gain: float, cer: float) -> None:
    """1 - (1 - p)^8 with p = Q(sqrt(gain Es/N0)); 2,048 characters a measured SNR, so within 20 %."""
    level = SimulatedLink(parse_scheme(scheme)).snr_for(cer).db
    p = norm.sf(math.sqrt(gain * 10 ** (level / 10)))
    assert 1 - (1 - p) ** 8 == pytest.approx(cer, rel=0.25)


def test_a_weak_code_is_as_wrong_as_it_says() -> None:
    link = SimulatedLink(parse_scheme("conv:1/2-qpsk"))
    assert isinstance(link, SimulatedLink)
    found = error_rate(link, link.snr_for(0.08))
    assert 0.05 < found < 0.11
    # A convolutional code of memory 6 gains some 5 dB over no code at these rates.
    assert 3 < UncodedQpsk.snr_for(0.08).db - link.snr_for(0.08).db < 9


def test_behind_ldpc_texts_arrive_whole_or_not_at_all() -> None:
    link = SimulatedLink(parse_scheme("1/2-qpsk"))
    arrived = link.garble([TEXT] * 200, link.snr_for(0.1), Stream(5, "texts"), LATIN)
    wrong = np.array([sum(a != b for a, b in zip(text, TEXT, strict=True)) for text in arrived])
    assert 0 < np.mean(wrong > 0) < 0.6
    assert np.median(wrong[wrong > 0]) > len(TEXT) / 4


def test_texts_of_different_lengths_keep_theirs() -> None:
    link = parse_link("conv:1/2-qpsk")
    texts = ["a", "", TEXT, "two dogs"]
    assert link.garble(texts, EsN0(20.0), Stream(1), LATIN) == texts
    assert link.garble(["", ""], EsN0(0.0), Stream(1), LATIN) == ["", ""]
    assert isinstance(parse_link("1-qpsk"), UncodedQpsk)
