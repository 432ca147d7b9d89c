"""Rare failures against closed forms, and against counted ones where both reach."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import ndtr
from scipy.stats import norm

from benchmarks.runs.statistics import scattered_interval
from phy.coding.code import Code, Decoded
from phy.coding.decoding import Decoding
from phy.coding.ldpc.matrix import matrix_code
from phy.coding.polar.polar5g import Polar5G
from phy.coding.repetition import Repetition
from phy.coding.uncoded import Uncoded
from phy.modulation import Modulation
from phy.random import Stream
from phy.rare.descent import Descent, descend
from phy.rare.failures import Failures
from phy.rare.ladder import Ladder
from phy.rare.walk import draw, walk
from phy.units import EbN0, EsN0


def _descents(
    code: Code, snr: EsN0, count: int, chains: int, length: int, modulation: str = "bpsk"
) -> list[Descent]:
    failures = Failures(code, Modulation(modulation), snr)
    ladder = Ladder.fitted(failures, Stream(1, "ladder"), chains, length)
    return [descend(failures, ladder, Stream(1, index)) for index in range(count)]


def _block_rate(bit_rate: float, k: int) -> float:
    return -math.expm1(k * math.log1p(-bit_rate))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "modulation", "esno_db", "axis_gain"),
    [
        (Uncoded(4), "bpsk", 12.8, 2.0),
        (Uncoded(16), "qpsk", 16.2, 1.0),
        (Repetition(8, 32), "bpsk", 7.1, 2.0 * 4),
    ],
    ids=["bpsk", "qpsk", "repetition"],
)
def test_closed_forms_of_a_billionth(code: Code, modulation: str, esno_db: float, axis_gain: float) -> None:
    snr = EsN0(esno_db)
    bit_rate = float(ndtr(-math.sqrt(axis_gain * snr.linear)))
    assert 1e-10 < _block_rate(bit_rate, code.k) < 1e-8
    found = _descents(code, snr, 16, 64, 64, modulation)
    low, high = scattered_interval([each.bler for each in found], 0.999)
    assert low < _block_rate(bit_rate, code.k) < high < 2.2 * low
    low, high = scattered_interval([each.ber for each in found], 0.999)
    assert low < bit_rate < high


class Uneven(Uncoded):
    """32 bits four times and one bit twice, which fails seldom where they do often, and at last alone."""

    def __init__(self) -> None:
        super().__init__(33)
        self.copies = torch.tensor([4] * 32 + [2])
        self.n = int(self.copies.sum())
        self.adder = torch.eye(33).repeat_interleave(self.copies, dim=0)

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        return bits.repeat_interleave(self.copies, dim=1)

    def decode(self, llr: torch.Tensor) -> Decoded:
        return Decoded((llr @ self.adder > 0).to(torch.uint8))


@pytest.mark.slow
def test_a_floor_below_a_waterfall_is_found() -> None:
    snr = EsN0(9.5)
    waterfall, floor = (float(ndtr(-math.sqrt(2.0 * copies * snr.linear))) for copies in (4, 2))
    assert 32 * waterfall < 1e-5 * floor
    low, high = scattered_interval([each.bler for each in _descents(Uneven(), snr, 8, 64, 64)], 0.99)
    assert low < floor < high < 4.0 * low


@pytest.mark.slow
def test_descents_that_mix_badly_are_unbiased_all_the_same() -> None:
    code, snr = Uncoded(8), EsN0(8.5)
    rate = _block_rate(float(ndtr(-math.sqrt(2.0 * snr.linear))), 8)
    found = np.array([each.bler for each in _descents(code, snr, 1000, 16, 8)])
    error = found.std(ddof=1) / math.sqrt(len(found))
    assert found.std() > 0.5 * found.mean()  # one by itself says little
    assert error < 0.05 * rate
    assert abs(found.mean() - rate) < 3.3 * error


def test_walks_leave_the_conditioned_normal_distribution_as_it_is() -> None:
    failures = Failures(Uncoded(1), Modulation("bpsk"), EsN0(0.0))
    random, scale = np.random.default_rng(1), 1.7
    drawn = draw(failures, 20_000, scale, random)
    start = drawn.taken(np.flatnonzero(drawn.wrong))
    after, taken = walk(failures, start, scale, 0.6, 4, random)
    against = -(after.noise * after.sent)[:, 0] / scale
    least = math.sqrt(2.0) / scale
    assert 0.3 < taken < 0.9
    assert abs(against.mean() - norm.pdf(least) / norm.sf(least)) < 0.02  # inverse Mills ratio
    assert against.min() >= least - 1e-6


def test_without_a_ladder_it_is_counting() -> None:
    failures = Failures(Uncoded(8), Modulation("bpsk"), EsN0(0.0))
    found = descend(failures, Ladder((1.0,), (0.5,), 4, 4), Stream(1))
    drawn = draw(failures, 16, 1.0, Stream(1).generator())
    assert found.bler == pytest.approx((drawn.wrong > 0).mean())
    assert found.ber == pytest.approx(drawn.wrong.mean() / 8)
    assert (found.blocks, found.families) == (16, pytest.approx((drawn.wrong > 0).sum()))


class Never(Uncoded):
    """A receiver that is told what was sent: nothing."""

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        self.sent = bits
        return bits

    def decode(self, llr: torch.Tensor) -> Decoded:
        return Decoded(self.sent[: len(llr)])


def test_what_never_fails_has_no_ladder_and_a_rate_of_nothing() -> None:
    failures = Failures(Never(8), Modulation("bpsk"), EsN0(0.0))
    with pytest.raises(ValueError, match=r"uncoded\(8\) hardly fails under any noise"):
        Ladder.fitted(failures, Stream(1), 2, 2)
    assert descend(failures, Ladder((1.0,), (0.5,), 2, 2), Stream(1)) == Descent(0.0, 0.0, 0.0, 4)


def _agree(found: list[Descent], errors: int, blocks: int) -> None:
    """Hold estimates against what was counted, with 99.9 % of confidence in both together."""
    rates = np.array([each.bler for each in found])
    error = math.hypot(math.sqrt(errors) / blocks, float(rates.std(ddof=1)) / math.sqrt(len(rates)))
    assert abs(rates.mean() - errors / blocks) < 3.3 * error
    assert error < 0.2 * rates.mean()


@pytest.mark.slow
def test_counted_errors_of_an_ldpc_code(data_dir: Path) -> None:
    # semphy ber --code alist:CCSDS_64_128.alist --schedule layered --ebno 5 --block-errors 150
    errors, blocks = 152, 2_686_976
    code = matrix_code(f"alist:{data_dir}/reference/alist/CCSDS_64_128.alist", Decoding())
    _agree(_descents(code, EbN0(5.0).to_esn0(0.5), 8, 32, 128), errors, blocks)


@pytest.mark.slow
def test_counted_errors_of_a_polar_code() -> None:
    # semphy ber --code polar5g --decoder sc --k 64 --n 128 --ebno 5 --max-blocks 6e4
    errors, blocks = 102, 45_056
    _agree(_descents(Polar5G(64, 128, "sc"), EbN0(5.0).to_esn0(0.5), 8, 16, 64), errors, blocks)
