"""Uncoded error rates against closed forms and against AFF3CT.

Decisions are the signs of max-log LLRs, which are minimum-distance decisions, as the closed forms assume.
Errors at one bit position are independent from symbol to symbol, so each position is held against the exact
binomial distribution. Errors within one symbol are dependent; the total is held against the normal
distribution with the variance measured over symbols. Both are joint 99 % tests by Bonferroni.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from phy.channels.channel import Channel
from phy.channels.flat import AWGN, Rayleigh
from phy.modulation import Modulation
from phy.random import Stream, bits
from phy.theory import ber_awgn, ber_rayleigh, position_ber_awgn, position_ber_rayleigh
from phy.units import EbN0, EsN0

CHANNELS: dict[str, Channel] = {"awgn": AWGN(), "rayleigh": Rayleigh()}
CLOSED_FORM = {"awgn": ber_awgn, "rayleigh": ber_rayleigh}
BY_POSITION = {"awgn": position_ber_awgn, "rayleigh": position_ber_rayleigh}
BITS = {"bpsk": 1, "qpsk": 2, "qam16": 4, "qam64": 6, "qam256": 8}
EBN0: dict[
    str, dict[str, tuple[int, ...]]
] = {  # in dB, with error rates from above 0.1 down to a few in a thousand
    "awgn": {
        "bpsk": (0, 3, 6),
        "qpsk": (0, 3, 6),
        "qam16": (2, 6, 9),
        "qam64": (4, 9, 13),
        "qam256": (6, 12, 17),
    },
    "rayleigh": {
        "bpsk": (0, 6, 10),
        "qpsk": (0, 6, 10),
        "qam16": (4, 10, 14),
        "qam64": (4, 10, 16),
        "qam256": (8, 16),
    },
}
POINTS = [(c, name, db) for c, table in EBN0.items() for name, values in table.items() for db in values]
POSITIONS = sum(BITS[name] for _, name, _ in POINTS)
JOINT = 0.01
EXPECTED_ERRORS = {"awgn": 12_000, "rayleigh": 100_000}


@dataclass(frozen=True)
class Count:
    symbols: int
    by_position: NDArray[np.int64]
    variance: float  # of the number of errors in a symbol

    @property
    def errors(self) -> int:
        return int(self.by_position.sum())

    @property
    def rate(self) -> float:
        return self.errors / self.symbols / len(self.by_position)

    @property
    def rate_error(self) -> float:
        return float(np.sqrt(self.variance / self.symbols)) / len(self.by_position)

    def deviates(self, rate: float, tests: int) -> bool:
        return abs(self.rate - rate) > stats.norm.isf(JOINT / tests / 2) * self.rate_error


@cache
def simulate(channel: str, name: str, ebn0_db: float) -> Count:
    m = BITS[name]
    modulation, snr = Modulation(name, "maxlog"), EbN0(ebn0_db).to_esn0(m)
    symbols = max(25_000, round(EXPECTED_ERRORS[channel] / CLOSED_FORM[channel](m, snr) / m / 4))
    streams = Stream(2, channel, name, str(ebn0_db)).batch(range(4))
    sent = bits([stream.child("bits") for stream in streams], symbols * m)
    reception = CHANNELS[channel](modulation.map(sent), snr, streams)
    decided = modulation.demap(reception.symbols, reception.no) > 0
    wrong = (decided != sent.bool()).reshape(-1, m).numpy()
    return Count(len(wrong), wrong.sum(axis=0), float(wrong.sum(axis=1).var()))


@pytest.mark.slow
@pytest.mark.parametrize(("channel", "name", "ebn0_db"), POINTS)
def test_every_bit_position_has_its_closed_form_error_rate(channel: str, name: str, ebn0_db: float) -> None:
    count = simulate(channel, name, ebn0_db)
    expected = BY_POSITION[channel](BITS[name], EbN0(ebn0_db).to_esn0(BITS[name]))
    assert count.errors >= 1000
    for errors, probability in zip(count.by_position, expected, strict=True):
        assert stats.binomtest(int(errors), count.symbols, probability).pvalue > JOINT / POSITIONS


@pytest.mark.parametrize(("channel", "name", "ebn0_db"), POINTS)
def test_bit_error_rate_is_the_closed_form_and_a_fifth_of_a_decibel_would_show(
    channel: str, name: str, ebn0_db: float
) -> None:
    count = simulate(channel, name, ebn0_db)
    closed_form = CLOSED_FORM[channel]
    snr = EbN0(ebn0_db).to_esn0(BITS[name])
    assert not count.deviates(closed_form(BITS[name], snr), len(POINTS))
    for shift in (-0.2, 0.2):
        assert count.deviates(closed_form(BITS[name], EsN0(snr.db + shift)), len(POINTS))


def read_trace(file: Path) -> dict[float, tuple[int, int]]:
    """Eb/N0 in dB -> bits and bit errors of an AFF3CT trace (frames of 4003 bits)."""
    table = {}
    for line in file.read_text().splitlines():
        if "|" in line and not line.startswith("#"):
            cells = [cell.strip() for cell in line.split("|")]
            table[float(cells[1])] = (4003 * int(cells[2]), int(cells[3]))
    return table


TRACES = [
    ("awgn", "bpsk", "AWGN/PSK/Uncoded_K4003_BPSK.txt"),
    ("awgn", "qpsk", "AWGN/QAM/Uncoded_K4003_QAM_max_bps2.txt"),
    ("awgn", "qam16", "AWGN/QAM/Uncoded_K4003_QAM_max_bps4.txt"),
    ("awgn", "qam64", "AWGN/QAM/Uncoded_K4003_QAM_max_bps6.txt"),
    ("rayleigh", "bpsk", "RAYLEIGH/PSK/Uncoded_K4003_BPSK.txt"),
    ("rayleigh", "qpsk", "RAYLEIGH/PSK/Uncoded_K4003_PSK_max_bps2.txt"),
    ("rayleigh", "qam16", "RAYLEIGH/QAM/Uncoded_K4003_QAM_max_bps4.txt"),
    ("rayleigh", "qam64", "RAYLEIGH/QAM/Uncoded_K4003_QAM_max_bps6.txt"),
]


@pytest.mark.parametrize(("channel", "name", "file"), TRACES)
def test_simulation_agrees_with_aff3ct(channel: str, name: str, file: str, data_dir: Path) -> None:
    trace = read_trace(data_dir / "reference" / "UNCODED" / file)
    shared = [db for db in EBN0[channel][name] if db in trace]
    assert len(shared) >= 2
    for db in shared:
        count, (sent, wrong) = simulate(channel, name, db), trace[db]
        m = BITS[name]
        design_effect = count.variance / (m * count.rate * (1 - count.rate))  # of dependence within a symbol
        theirs = np.sqrt(design_effect * count.rate * (1 - count.rate) / sent)
        spread = np.hypot(count.rate_error, theirs)
        assert abs(count.rate - wrong / sent) < stats.norm.isf(JOINT / 2 / 24) * spread, db


@pytest.mark.parametrize(("channel", "name", "file"), TRACES)
def test_closed_forms_agree_with_aff3ct_into_the_tail(
    channel: str, name: str, file: str, data_dir: Path
) -> None:
    trace = read_trace(data_dir / "reference" / "UNCODED" / file)
    m = BITS[name]
    usable = {db: counts for db, counts in trace.items() if counts[1] >= 200}
    assert min(wrong / sent for sent, wrong in usable.values()) < 2e-5
    # all errors of a real axis (AWGN) or of a symbol (fading) could come together: the widest interval
    cluster = m if channel == "rayleigh" else max(1, m // 2)
    for db, (sent, wrong) in usable.items():
        rate = CLOSED_FORM[channel](m, EbN0(db).to_esn0(m))
        limit = stats.norm.isf(JOINT / 2 / len(usable)) * np.sqrt(cluster * sent * rate)
        assert abs(wrong - sent * rate) < limit, db
