"""Polar, convolutional, turbo and no code: published curves, bounds, rate matching."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from scipy.stats import fisher_exact, norm

from phy.coding.code import Code
from phy.coding.polar.polar5g import Polar5G
from phy.coding.rate_matching import RateMatcher, evenly
from phy.coding.trellis.convolutional import Convolutional
from phy.coding.trellis.turbo import Turbo
from phy.coding.uncoded import Uncoded
from phy.random import Stream, bits, complex_normal
from tests.oracles.aff3ct import word_errors

CODES: dict[str, Callable[[], Code]] = {
    "polar-scl": lambda: Polar5G(40, 96),
    "polar-sc": lambda: Polar5G(40, 96, "sc"),
    "polar-repeated": lambda: Polar5G(20, 400),
    "conv": lambda: Convolutional(40),
    "conv-third": lambda: Convolutional(40, 200, 1 / 3, 8),
    "conv-punctured": lambda: Convolutional(40, 60),
    "turbo": lambda: Turbo(40, iterations=2),
    "turbo-punctured": lambda: Turbo(23, 46, iterations=2),
    "turbo-repeated": lambda: Turbo(17, 100, iterations=2),
    "uncoded": lambda: Uncoded(33),
}


def tutorial(data_dir: Path, label: str) -> dict[float, tuple[int, int]]:
    """Block errors and blocks by Eb/N0 of one curve of Sionna's tutorial, (64, 128), BPSK-like over AWGN."""
    path = data_dir / "reference/sionna_tables/sionna_tutorial_ber_bler.csv"
    with path.open() as file:
        return {
            float(row["ebno_db"]): (int(row["block_errors"]), int(row["num_blocks"]))
            for row in csv.DictReader(file)
            if row["notebook"] == "5G_Channel_Coding_Polar_vs_LDPC_Codes"
            and row["cell"] == "12"
            and row["label"] == label
        }


@pytest.mark.parametrize("name", sorted(CODES))
def test_clean_words_are_decoded_at_any_scale(name: str) -> None:
    code = CODES[name]()
    sent = bits(Stream(1, name).batch(range(5)), code.k)
    coded = code.encode(sent)
    assert coded.shape == (5, code.n)
    assert coded.dtype == torch.uint8
    for scale in (1.0, 30.0, 1e4, math.inf):
        decoded = code.decode(torch.where(coded == 1, scale, -scale))
        assert torch.equal(decoded.bits, sent)
        assert decoded.crc_ok is None or decoded.crc_ok.all()
        assert decoded.llr is None or torch.isfinite(decoded.llr).all() or scale == math.inf


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CODES))
def test_results_do_not_depend_on_batch_size(name: str) -> None:
    code = CODES[name]()
    sent = bits(Stream(2, name).batch(range(64)), code.k)
    noise = torch.view_as_real(complex_normal(Stream(3, name).batch(range(64)), code.n))[..., 0]
    llr = 3.0 * code.encode(sent) - 1.5 + 2.5 * noise
    whole = code.decode(llr).bits
    for size in (1, 7):
        assert torch.equal(torch.cat([code.decode(part).bits for part in llr.split(size)]), whole)
    assert code.decode(llr[:0]).bits.shape == (0, code.k)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("label", "decoder", "ebno_db", "blocks"),
    [
        ("5G Polar+CRC SC", "sc", 2.0, 2000),
        ("5G Polar+CRC SC", "sc", 3.5, 3000),
        ("5G Polar+CRC SCL-8", "scl", 1.5, 1000),
        ("5G Polar+CRC SCL-8", "scl", 2.5, 3000),
    ],
)
def test_polar_block_error_rate_is_the_tutorials(
    data_dir: Path, label: str, decoder: str, ebno_db: float, blocks: int
) -> None:
    errors, trials = tutorial(data_dir, label)[ebno_db]
    esno_db = ebno_db + 10.0 * math.log10(64 / 128)
    found = int((word_errors(Polar5G(64, 128, decoder), esno_db, blocks, Stream(4)) > 0).sum())
    table = [[found, blocks - found], [errors, trials - errors]]
    assert fisher_exact(table).pvalue > 0.01 / 4


@pytest.mark.slow
def test_polar_check_sum_speaks_the_truth() -> None:
    code = Polar5G(64, 128)
    sent = bits(Stream(5).batch(range(1500)), 64)
    noise = torch.view_as_real(complex_normal(Stream(6).batch(range(1500)), 128))[..., 0]
    decoded = code.decode(2.0 * code.encode(sent) - 1.0 + 1.5 * noise)
    wrong = (decoded.bits != sent).any(dim=1)
    assert decoded.crc_ok is not None
    assert 300 < int(wrong.sum()) < 1500
    assert decoded.crc_ok[~wrong].all()
    # Eight paths try the CRC11: undetected errors are at most about 8 / 2048 of the words.
    assert int(decoded.crc_ok[wrong].sum()) <= 15


def test_the_check_sum_chooses_among_the_paths() -> None:
    """The cheapest path alone fails half as often as successive cancellation, the one that fits a fifth."""
    noise = torch.view_as_real(complex_normal(Stream(6).batch(range(1500)), 128))[..., 0]
    wrong = []
    for size in (1, 8):
        code = Polar5G(64, 128, list_size=size)
        sent = bits(Stream(5).batch(range(1500)), 64)
        decoded = code.decode(4.0 * (2.0 * code.encode(sent) - 1.0 + 1.1 * noise))
        wrong.append(int((decoded.bits != sent).any(dim=1).sum()))
    assert 500 < wrong[0] < 800
    assert wrong[1] < 0.3 * wrong[0]


def union_bound(esno_db: float) -> float:
    """Bit error rate of the (5, 7) code: sum over d >= 5 of (d - 4) 2^(d - 5) Q(sqrt(2 d Es/N0))."""
    esno = 10.0 ** (esno_db / 10.0)
    return sum((d - 4) * 2.0 ** (d - 5) * norm.sf(math.sqrt(2.0 * d * esno)) for d in range(5, 60))


@pytest.mark.slow
def test_viterbi_meets_the_union_bound() -> None:
    """At 5 dB Eb/N0 the bound is tight: the error rate lies between it and itself a tenth of a decibel on."""
    code = Convolutional(1000, None, 1 / 2, 3)
    esno_db = 5.0 - 10.0 * math.log10(2.0)
    counts = word_errors(code, esno_db, 6000, Stream(7)).double()
    ber = float(counts.mean()) / code.k
    spread = 2.6 * float(counts.std()) / math.sqrt(counts.numel()) / code.k
    assert ber - spread < union_bound(esno_db)
    assert ber + spread > union_bound(esno_db + 0.1)
    assert spread < 0.2 * ber  # a loss of 0.2 dB, a factor of 1.45, would be noticed


@pytest.mark.slow
def test_turbo_lies_where_published_curves_lie(data_dir: Path) -> None:
    """Within a quarter of a decibel of Sionna's tutorial, which punctures and terminates differently."""
    curve = tutorial(data_dir, "Turbo Code (constraint length 4)")
    blocks = 1500
    found = int((word_errors(Turbo(64, 128), 2.0 - 10.0 * math.log10(2.0), blocks, Stream(8)) > 0).sum())
    rates = {snr: errors / trials for snr, (errors, trials) in curve.items()}
    margin = 3.0 * math.sqrt(found)
    assert found - margin < blocks * math.sqrt(rates[1.5] * rates[2.0])
    assert found + margin > blocks * math.sqrt(rates[2.0] * rates[2.5])


@pytest.mark.slow
def test_turbo_outdoes_the_convolutional_code() -> None:
    esno_db = 1.6 - 10.0 * math.log10(2.0)
    turbo = int((word_errors(Turbo(512, 1024), esno_db, 100, Stream(9)) > 0).sum())
    viterbi = int((word_errors(Convolutional(512, 1024), esno_db, 100, Stream(9)) > 0).sum())
    assert viterbi > 40
    assert turbo < 10


def test_uncoded_bit_error_rate_is_q_of_snr() -> None:
    errors = int(word_errors(Uncoded(1000), 4.0, 400, Stream(10)).sum())
    expected = 400_000 * norm.sf(math.sqrt(2.0 * 10.0**0.4))
    assert abs(errors - expected) < 3.0 * math.sqrt(expected)


def test_puncturing_is_even_and_spares_what_it_must() -> None:
    assert evenly(12, 8).tolist() == [0, 1, 3, 4, 6, 7, 9, 10]
    assert evenly(12, 8, 4).tolist() == [0, 1, 2, 3, 4, 6, 8, 10]
    assert sorted(RateMatcher(12, evenly(12, 8)).index.tolist()) == evenly(12, 8).tolist()


def test_repeated_llrs_add_and_punctured_ones_are_zero() -> None:
    repeated = RateMatcher(5, evenly(5, 13))
    counts = repeated.recover(torch.ones(1, 13))[0]
    assert counts.tolist() == [3.0, 3.0, 2.0, 3.0, 2.0]
    punctured = RateMatcher(13, evenly(13, 5))
    assert int((punctured.recover(torch.ones(1, 5)) == 0).sum()) == 8


def test_turbo_punctures_both_parities_alike() -> None:
    """At rate 1/2 every systematic bit is sent and as many bits of each parity stream."""
    code = Turbo(1000, 2000)
    index = code._matcher.index
    sent = [int(((index >= 1000 * stream) & (index < 1000 * (stream + 1))).sum()) for stream in range(3)]
    assert sent[0] == 1000
    assert abs(sent[1] - sent[2]) <= 10


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Polar5G(11, 64), "k from 12 to 1706 and .* from 20 to 8192, got k = 11, n = 64"),
        (lambda: Polar5G(100, 110), "with check bits, from 111 to 8192, got k = 100, n = 110"),
        (lambda: Polar5G(1013, 2001), "from 1036 to 8192, even, got k = 1013, n = 2001"),
        (lambda: Polar5G(141, 400, usage="downlink"), "k from 12 to 140 .* got k = 141"),
        (lambda: Polar5G(64, 128, usage="sidelink"), "uplink or downlink, got 'sidelink'"),
        (lambda: Polar5G(64, 128, "bp"), "scl, sc, got 'bp'"),
        (lambda: Polar5G(64, 128, list_size=33), "list size must be from 1 to 32, got 33"),
        (lambda: Convolutional(0), "k >= 1 and n > k, got k = 0"),
        (lambda: Convolutional(10, 10), "n > k, got k = 10, n = 10"),
        (lambda: Convolutional(10, 16), "16 steps of a code of rate 1/2 send 17 to 32 bits, got 16"),
        (lambda: Convolutional(10, 40, 1 / 4), "1/2 or 1/3, got 0.25"),
        (lambda: Convolutional(10, 40, constraint_length=9), "3 to 8, got 9"),
        (lambda: Turbo(6145), "k from 2 to 6144 and n > k, got k = 6145"),
        (lambda: Turbo(64, 64), "n > k, got k = 64, n = 64"),
        (lambda: Turbo(64, iterations=0), "at least one iteration, got 0"),
        (lambda: Uncoded(0), "at least one bit, got n = 0"),
    ],
)
def test_impossible_codes_are_refused(build: Callable[[], Code], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
