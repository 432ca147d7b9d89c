"""5G LDPC: bit for bit against reference encoders, block error rates against AFF3CT's curves."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import py3gpp
import pytest
import torch
from scipy.stats import fisher_exact

from phy.coding.decoding import ALGORITHMS, Decoding
from phy.coding.fixed_point import FixedPoint
from phy.coding.ldpc.ldpc5g import LDPC5G
from phy.coding.ldpc.structure import bit_deinterleave, bit_interleave
from phy.random import Stream, bits, complex_normal

Q6 = FixedPoint.of(6)
MODULATIONS = {1: "BPSK", 2: "QPSK", 4: "16QAM", 6: "64QAM", 8: "256QAM"}
# Blocks a point for the sum-product comparison; the reference has about 100 errors each.
POINTS = {1.0: 240, 1.25: 400, 1.5: 700, 1.75: 1400, 2.0: 1800}
JOINT_LEVEL = 0.01


def sionna(algorithm: str = "sum-product", schedule: str = "flooding", iterations: int = 20) -> Decoding:
    return Decoding(algorithm, schedule, iterations, engine="sionna")


def bpsk_llr(coded: torch.Tensor, ebno_db: float, rate: float, stream: Stream) -> torch.Tensor:
    """Exact LLRs of BPSK (1 -> +1) over real AWGN of variance 1 / (2 R Eb/N0), one stream a row."""
    variance = 1.0 / (2.0 * rate * 10.0 ** (ebno_db / 10.0))
    rows = stream.batch(range(coded.shape[0]))
    noise = torch.view_as_real(complex_normal(rows, coded.shape[1] // 2)).flatten(1) * math.sqrt(2.0)
    return 2.0 / variance * (2.0 * coded - 1.0 + math.sqrt(variance) * noise)


def block_errors(code: LDPC5G, ebno_db: float, blocks: int, seed: int) -> int:
    stream = Stream(seed, f"{ebno_db:.2f}")
    sent = bits(stream.child("bits").batch(range(blocks)), code.k)
    llr = bpsk_llr(code.encode(sent), ebno_db, code.k / code.n, stream.child("noise"))
    return int((code.decode(llr).bits != sent).any(dim=1).sum())


def aff3ct(data_dir: Path, decoder: str) -> dict[float, tuple[int, int]]:
    """Frame errors and frames by Eb/N0 of one published curve."""
    lines = (data_dir / "reference/aff3ct_5g_ldpc_512_1024.csv").read_text().splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return {
        float(row["ebno_db"]): (int(row["frame_errors"]), int(row["frames"]))
        for row in rows
        if row["decoder"] == decoder
    }


def same_rate(errors: int, blocks: int, reference: tuple[int, int]) -> float:
    """P-value of Fisher's exact test for two binomial counts."""
    other, frames = reference
    return float(fisher_exact([[errors, blocks - errors], [other, frames - other]]).pvalue)


@pytest.mark.slow
def test_encoder_equals_generator_matrices(data_dir: Path) -> None:
    pairs = np.load(data_dir / "reference/ldpc/sionna_G/sionna_ldpc5g_u_c_pairs.npz")
    names = sorted({name[:-2] for name in pairs.files})
    assert len(names) == 28
    for name in names:
        k, n, graph, lifting = (int(part.lstrip("knbgz")) for part in name.split("_"))
        code = LDPC5G(k, n)
        assert (code.structure.base_graph, code.structure.lifting_size) == (graph, lifting), name
        coded = code.encode(torch.from_numpy(pairs[f"{name}_u"]))
        np.testing.assert_array_equal(coded.numpy(), pairs[f"{name}_c"], err_msg=name)


@pytest.mark.parametrize("rv", [0, 1, 2, 3])
@pytest.mark.parametrize(
    ("k", "n", "base_graph", "bits_per_symbol"),
    [
        (500, 900, 1, 2),
        (1000, 2000, 1, 4),
        (1000, 4200, 1, 6),  # the circular buffer wraps around
        (700, 1400, 2, 1),
        (1300, 3000, 2, 8),
        (1300, 9600, 2, 2),  # repetition
    ],
)
def test_encoding_and_rate_matching_equal_py3gpp(
    k: int, n: int, base_graph: int, bits_per_symbol: int, rv: int
) -> None:
    code = LDPC5G(k, n, base_graph=base_graph, bits_per_symbol=bits_per_symbol, rv=rv)
    word = bits([Stream(5, k, n)], k)
    filled = np.full(((22 if base_graph == 1 else 10) * code.structure.lifting_size, 1), -1)
    filled[:k, 0] = word[0].numpy()
    mother = py3gpp.nrLDPCEncode(filled, base_graph, algo="thangaraj")
    expected = py3gpp.nrRateMatchLDPC(mother, n, rv, MODULATIONS[bits_per_symbol], 1)
    np.testing.assert_array_equal(code.encode(word)[0].numpy(), expected)


def test_bit_interleaver_of_clause_5_4_2_2() -> None:
    """f(i + j Qm) = e(i E / Qm + j)."""
    e = torch.arange(24)[None]
    f = bit_interleave(e, 4)
    assert all(f[0, i + 4 * j] == e[0, i * 6 + j] for i in range(4) for j in range(6))
    assert torch.equal(bit_deinterleave(f, 4), e)


@pytest.mark.parametrize(
    ("k", "n", "rv"),
    [
        *((12, 60, 0), (40, 44, 0), (300, 320, 0), (500, 1000, 0), (500, 4000, 0), (4000, 16000, 0)),
        *((12, 60, 2), (500, 4000, 2), (4000, 16000, 3)),  # others cannot be decoded alone at high rates
    ],
)
def test_clean_words_are_decoded(k: int, n: int, rv: int) -> None:
    code = LDPC5G(k, n, rv=rv, bits_per_symbol=4)
    sent = bits(Stream(6, k).batch(range(3)), k)
    decoded = code.decode(12.0 * code.encode(sent) - 6.0)
    assert torch.equal(decoded.bits, sent)
    assert decoded.llr is not None
    assert torch.equal((decoded.llr > 0).to(torch.uint8), sent)
    assert decoded.crc_ok is None


@pytest.mark.slow
def test_repeated_bits_add_their_llrs() -> None:
    """(720, 3600) is the whole buffer of base graph 2, (720, 7200) the same sent twice."""
    decoding = sionna(iterations=10)
    once = LDPC5G(720, 3600, base_graph=2, decoding=decoding)
    twice = LDPC5G(720, 7200, base_graph=2, decoding=decoding)
    sent = bits(Stream(7).batch(range(40)), 720)
    repeated = twice.encode(sent)
    assert torch.equal(repeated, once.encode(sent).repeat(1, 2))
    llr = bpsk_llr(repeated, 0.9, 0.1, Stream(8))
    soft = twice.decode(llr).llr
    combined = once.decode(llr[:, :3600] + llr[:, 3600:])
    assert 5 < int((combined.bits != sent).any(dim=1).sum()) < 35
    assert soft is not None
    assert combined.llr is not None
    # The same values on the same graph; the order of sums may differ in the last digits.
    assert float(((soft > 0) != (combined.llr > 0)).float().mean()) < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    "decoding",
    [*(sionna(rule, iterations=4) for rule in ALGORITHMS), sionna(schedule="layered", iterations=4)],
)
def test_results_do_not_depend_on_batch_size(decoding: Decoding) -> None:
    code = LDPC5G(128, 256, decoding=decoding)
    sent = bits(Stream(9).batch(range(64)), code.k)
    llr = bpsk_llr(code.encode(sent), 1.5, 0.5, Stream(10))
    whole = code.decode(llr)
    for size in (1, 7):
        parts = [code.decode(part) for part in llr.split(size)]
        assert torch.equal(torch.cat([part.bits for part in parts]), whole.bits)
        assert torch.equal(torch.cat([part.llr for part in parts if part.llr is not None]), whole.llr)
    assert code.decode(llr[:0]).bits.shape == (0, 128)


@pytest.mark.slow
def test_sum_product_block_error_rate_is_aff3cts(data_dir: Path) -> None:
    reference = aff3ct(data_dir, "flooding-spa")
    code = LDPC5G(512, 1024, decoding=sionna())
    p_values = {
        ebno: same_rate(block_errors(code, ebno, blocks, seed=11), blocks, reference[ebno])
        for ebno, blocks in POINTS.items()
    }
    assert min(p_values.values()) > JOINT_LEVEL / len(POINTS), p_values


def test_the_comparison_would_notice_a_fifth_of_a_decibel(data_dir: Path) -> None:
    """Counts two standard deviations short of what a 0.2 dB loss gives must fail the test above."""
    reference = aff3ct(data_dir, "flooding-spa")
    snrs = sorted(reference)
    logs = [math.log(reference[snr][0] / reference[snr][1]) for snr in snrs]
    noticed = []
    for ebno, blocks in POINTS.items():
        expected = blocks * math.exp(np.interp(ebno - 0.2, snrs, logs))
        errors = round(expected - 2.0 * math.sqrt(expected))
        noticed.append(same_rate(errors, blocks, reference[ebno]) < JOINT_LEVEL / len(POINTS))
    assert sum(noticed) >= 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("curve", "decoder", "schedule", "iterations", "blocks"),
    [
        ("flooding-oms-0.5", "offset-minsum", "flooding", 20, 500),
        ("layered-oms-0.5", "offset-minsum", "layered", 10, 300),
    ],
)
def test_offset_min_sum_block_error_rate_is_aff3cts(
    data_dir: Path, curve: str, decoder: str, schedule: str, iterations: int, blocks: int
) -> None:
    code = LDPC5G(512, 1024, decoding=sionna(decoder, schedule=schedule, iterations=iterations))
    errors = block_errors(code, 1.5, blocks, seed=12)
    assert same_rate(errors, blocks, aff3ct(data_dir, curve)[1.5]) > JOINT_LEVEL


@pytest.mark.slow
def test_decoders_rank_as_theory_says() -> None:
    """Sum-product < normalised min-sum < min-sum in block errors; 0.75 repairs most of min-sum's loss."""
    errors = {
        name: block_errors(LDPC5G(512, 1024, decoding=sionna(name)), 1.5, 80, seed=13) for name in ALGORITHMS
    }
    assert errors["sum-product"] <= errors["normalized-minsum"] + 3 < errors["minsum"] / 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 11, "n": 40}, "k from 12 to 8448, got k = 11, n = 40"),
        ({"k": 8449, "n": 20000}, "k from 12 to 8448, got k = 8449"),
        ({"k": 95, "n": 99}, "k = 95 needs n >= 100"),
        ({"k": 4000, "n": 8000, "base_graph": 2}, "k up to 3840, got k = 4000"),
        ({"k": 100, "n": 201, "bits_per_symbol": 2}, "n = 201 must be a multiple of bits_per_symbol = 2"),
        ({"k": 100, "n": 200, "rv": 4}, "0, 1, 2 or 3, got 4"),
        ({"k": 100, "n": 200, "decoding": Decoding("bp")}, "5G LDPC is sum-product, minsum, .* got 'bp'"),
        ({"k": 100, "n": 200, "decoding": Decoding(engine="gpu")}, "compiled, sionna or torch, got 'gpu'"),
        ({"k": 100, "n": 200, "device": "cuda"}, "runs on the CPU, got device 'cuda'"),
        ({"k": 100, "n": 200, "decoding": Decoding("minsum", fixed_point=Q6, engine="sionna")}, "llr_bits=6"),
        ({"k": 100, "n": 200, "base_graph": 3}, "1, 2 or None, got 3"),
    ],
)
def test_impossible_codes_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LDPC5G(**arguments)  # type: ignore[arg-type]


def test_wrong_inputs_are_refused() -> None:
    code = LDPC5G(100, 200)
    with pytest.raises(ValueError, match=r"\[batch, 100\] of torch.uint8, got \[2, 99\]"):
        code.encode(torch.zeros(2, 99, dtype=torch.uint8))
    with pytest.raises(ValueError, match="0 or 1, got 2"):
        code.encode(torch.full((1, 100), 2, dtype=torch.uint8))
    with pytest.raises(ValueError, match="NaN"):
        code.decode(torch.full((1, 200), math.nan))
