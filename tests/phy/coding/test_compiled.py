"""The compiled LDPC decoder against the written-down model, number for number, Sionna, AFF3CT's curves."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import fisher_exact
from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder, LDPCBPDecoder

from phy.coding.decoding import ALGORITHMS, Decoding
from phy.coding.fixed_point import FixedPoint
from phy.coding.propagation import reference
from phy.coding.propagation.compiled import BeliefPropagation, Outcome
from phy.coding.propagation.graph import Graph

K, N = 512, 1024
WIDTHS = (3, 4, 5, 6, 7, 8, 16)
MIN_SUMS = ("minsum", "offset-minsum", "normalized-minsum")
SCHEDULES = ("layered", "flooding")

# Frames at each SNR in the comparisons with Sionna, which takes 25 ms for each.
SIONNA_FRAMES = int(os.environ.get("SEMPHY_SIONNA_FRAMES", "100"))

Floats = NDArray[np.float32]


class Code:
    """The 5G code (512, 1024), its pruned graph, and BPSK over AWGN."""

    def __init__(self) -> None:
        self.encoder = LDPC5GEncoder(K, N, device="cpu")
        self.decoder = LDPC5GDecoder(self.encoder, device="cpu")
        self.graph = Graph.of(self.decoder.pcm)
        self.information = np.random.default_rng(1).integers(0, 2, (1024, K), dtype=np.uint8)
        words = self.encoder(torch.from_numpy(self.information).float())
        self.symbols = 2 * words.numpy().astype(np.float32) - 1

    def llrs(self, ebno_db: float, frames: int, seed: int) -> Floats:
        """LLRs of the graph's variables; frame i carries word i modulo 1024."""
        variance = 10 ** (-ebno_db / 10)  # of the real noise: 1 / (2 R Eb/N0) at R = 1/2
        received = np.random.default_rng([round(100 * ebno_db), seed]).standard_normal(
            (frames, N), np.float32
        )
        received *= np.float32(np.sqrt(variance))
        received += self.symbols[np.arange(frames) % len(self.symbols)]
        received *= np.float32(2 / variance)
        llr = np.zeros((frames, self.graph.size), np.float32)
        head = K - 2 * self.encoder.z
        llr[:, 2 * self.encoder.z : K] = received[:, :head]
        llr[:, K : self.encoder.k_ldpc] = -20
        llr[:, self.encoder.k_ldpc : self.encoder.k_ldpc + N - head] = received[:, head:]
        return llr

    def wrong(self, outcome: Outcome) -> NDArray[np.bool_]:
        """Whether each frame has a wrong information bit."""
        sent = self.information[np.arange(len(outcome.bits)) % len(self.information)]
        return (outcome.bits[:, :K] != sent).any(axis=1)


@cache
def code() -> Code:
    return Code()


def decoded(llr: Floats, decoding: Decoding) -> Outcome:
    return BeliefPropagation(code().graph, decoding).decode(llr, soft=True)


def random_graph(rows: int, columns: int, largest: int, seed: int) -> Graph:
    """Rows of 2 to ``largest`` ones; every column in at least one row."""
    rng = np.random.default_rng(seed)
    matrix = np.zeros((rows, columns), np.uint8)
    for row in matrix:
        row[rng.choice(columns, rng.integers(2, largest + 1), replace=False)] = 1
    for column in np.flatnonzero(~matrix.any(axis=0)):
        matrix[rng.integers(rows), column] = 1
    return Graph.of(matrix)


def awkward_llrs(frames: int, size: int, seed: int) -> Floats:
    """Weak and strong, biased and not, with zeros, ties, halves on the grid, and values that saturate."""
    rng = np.random.default_rng(seed)
    llr = rng.standard_normal((frames, size)) * rng.choice([0.3, 2, 8, 60], (frames, 1))
    llr += rng.choice([-6, -2, 0], (frames, 1))
    llr[::3] = np.round(2 * llr[::3]) / 2
    llr[rng.random(llr.shape) < 0.08] = 0
    llr[1::5, : size // 8] = rng.choice([-1e30, 1e30, -127.5, 32768], (len(llr[1::5]), size // 8))
    return llr.astype(np.float32)


def differences(a: Outcome, b: Outcome) -> list[str]:
    names = ("bits", "soft", "iterations", "satisfied")
    return [name for name in names if not np.array_equal(getattr(a, name), getattr(b, name))]


GRAPHS = [
    (4, 8, 4),
    (12, 40, 12),
    (24, 48, 20),
    (30, 31, 9),
    (40, 100, 30),
    (60, 120, 6),
    (3, 70, 66),
    (50, 20, 8),
]
FACTORS = (0.75, 0.75, 0.01, 0.5, 0.7, 0.825, 0.995, 1.0)
OFFSETS = (0.5, 0.5, 0.0, 0.15, 0.6, 1.3, 19.0)


@pytest.mark.slow
@pytest.mark.parametrize("bits", [*WIDTHS, None])
def test_identical_to_the_model_on_random_graphs(bits: int | None) -> None:
    """9,120 frames a width; in the denser graphs the a-posteriori values of 8-bit lanes saturate."""
    for seed, shape in enumerate(GRAPHS):
        graph = random_graph(*shape, seed)
        rng = np.random.default_rng(seed)
        for algorithm in MIN_SUMS:
            for schedule in SCHEDULES:
                early = bool(rng.integers(2))
                form = None if bits is None else FixedPoint(bits, int(rng.integers(-2, bits)))
                llr = awkward_llrs(190, graph.size, int(rng.integers(1000)))
                factor, offset = float(rng.choice(FACTORS)), float(rng.choice(OFFSETS))
                decoding = Decoding(algorithm, schedule, 7, early, factor, offset, form, threads=1)
                found = BeliefPropagation(graph, decoding).decode(llr, soft=True)
                assert not differences(found, reference.decode(graph, llr, decoding)), (shape, decoding)


@pytest.mark.slow
@pytest.mark.parametrize("bits", [*WIDTHS, None])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_identical_to_the_model_on_the_5g_code(bits: int | None, schedule: str) -> None:
    """Another 1,080 frames a width, about the SNRs where some converge and others do not."""
    graph = code().graph
    llr = np.concatenate([code().llrs(ebno_db, 60, 5) for ebno_db in (1.0, 1.75, 3.0)])
    llr[:, 700:720] = 0
    for algorithm in MIN_SUMS:
        form = None if bits is None else FixedPoint.of(bits)
        decoding = Decoding(algorithm, schedule, 10, fixed_point=form, threads=1)
        found = BeliefPropagation(graph, decoding).decode(llr, soft=True)
        assert not differences(found, reference.decode(graph, llr, decoding)), algorithm


def test_model_by_hand() -> None:
    """One check of three variables in Q(4, 1): what the specification says, worked out on paper."""
    graph = Graph.of(np.ones((1, 3)))
    llr = np.array([[-1.0, -2.25, 9.0]], np.float32)  # log p0/p1 on the grid: 2, 4 (4.5 ties to even), -7
    form = FixedPoint(4, 1)
    # offset 1; messages -(4 - 1), -(2 - 1), +(2 - 1); a-posteriori -1, 3, -6.
    outcome = reference.decode(graph, llr, Decoding("offset-minsum", "layered", 1, False, fixed_point=form))
    assert outcome.soft is not None
    assert outcome.soft.tolist() == [[0.5, -1.5, 3.0]]
    assert outcome.bits.tolist() == [[1, 0, 1]]
    assert outcome.satisfied.tolist() == [True]
    # 3/4 rounded up: 4 - 1 = 3 and 2 - 0 = 2.
    normalised = Decoding("normalized-minsum", "flooding", 1, False, fixed_point=form)
    outcome = reference.decode(graph, llr, normalised)
    assert outcome.soft is not None
    assert outcome.soft.tolist() == [[0.5, -1.0, 2.5]]
    # A factor of 0.6 takes away 26 / 64: 4 - floor(104 / 64) = 3 and 2 - floor(52 / 64) = 2; one of 0.5 takes
    # 2 and 1. An offset of 0.8 is 1.6 steps, rounded to 2: 4 - 2 = 2 and 2 - 2 = 0.
    for changed, expected in (
        (replace(normalised, factor=0.6), [0.5, -1.0, 2.5]),
        (replace(normalised, factor=0.5), [0.0, -1.5, 3.0]),
        (replace(normalised, algorithm="offset-minsum", offset=0.8), [0.0, -2.0, 3.5]),
    ):
        outcome = reference.decode(graph, llr, changed)
        assert outcome.soft is not None
        assert outcome.soft.tolist() == [expected], changed


def sionna_bp(algorithm: str, precision: str, iterations: int = 20) -> LDPCBPDecoder:
    # Sionna's "boxplus" cuts messages at 2 atanh(1 - 1e-7) = 16.8, in double precision too; this one at 28.
    update = "boxplus-phi" if algorithm == "sum-product" else algorithm
    return LDPCBPDecoder(
        code().decoder.pcm, cn_update=update, cn_schedule="flooding", hard_out=False, num_iter=iterations,
        llr_max=20.0, device="cpu", precision=precision,
    )  # fmt: skip


def sionna_soft(decoder: LDPCBPDecoder, llr: Floats) -> NDArray[np.floating]:
    with torch.inference_mode():
        parts = [decoder(part.to(decoder.dtype)).numpy() for part in torch.from_numpy(llr).split(128)]
    return np.concatenate(parts)


@pytest.mark.slow
@pytest.mark.parametrize("ebno_db", [1.25, 1.75, 2.25])
@pytest.mark.parametrize("algorithm", ["minsum", "offset-minsum"])
def test_equals_sionna_where_sums_are_exact(algorithm: str, ebno_db: float) -> None:
    """With LLRs on a grid of 1/16 the order of ``float32`` sums does not matter; ties and zeros abound."""
    llr = np.round(code().llrs(ebno_db, SIONNA_FRAMES, 2) * 16) / 16
    llr[::2, 640:660] = 0
    soft = sionna_soft(sionna_bp(algorithm, "single"), llr)
    ours = decoded(llr, Decoding(algorithm, "flooding", early_stop=False))
    assert ours.soft is not None
    np.testing.assert_array_equal(np.clip(ours.soft, -20, 20), soft)
    np.testing.assert_array_equal(ours.bits, soft >= 0)  # Sionna's own hard decision: log p0/p1 <= 0 is 1


@pytest.mark.slow
@pytest.mark.parametrize("ebno_db", [1.25, 1.75, 2.25])
@pytest.mark.parametrize("algorithm", ["minsum", "offset-minsum"])
def test_decides_as_sionna_wherever_it_converges(algorithm: str, ebno_db: float, record_property) -> None:
    """With any LLRs rounding may send a frame that finds no codeword another way, and no other frame."""
    llr = code().llrs(ebno_db, SIONNA_FRAMES, 3)
    soft = sionna_soft(sionna_bp(algorithm, "single"), llr)
    ours = decoded(llr, Decoding(algorithm, "flooding", early_stop=False))
    differs = (ours.bits != (soft >= 0)).any(axis=1)
    record_property("frames that differ among those that do not converge", int(differs.sum()))
    assert not differs[ours.satisfied].any()


@pytest.mark.slow
@pytest.mark.parametrize("ebno_db", [1.25, 2.25])
def test_sum_product_agrees_with_sionna_in_double_precision(ebno_db: float) -> None:
    llr = code().llrs(ebno_db, 50, 4)
    soft = sionna_soft(sionna_bp("sum-product", "double"), llr)
    ours = decoded(llr, Decoding("sum-product", "flooding", early_stop=False))
    assert ours.soft is not None
    inside = np.abs(soft) < 20
    np.testing.assert_allclose(ours.soft[inside], soft[inside], rtol=1e-3, atol=1e-4)
    assert (np.abs(ours.soft[~inside]) > 20 - 1e-3).all()


@pytest.mark.parametrize("algorithm", ["minsum", "offset-minsum"])
def test_layered_equals_sionna_where_sums_are_exact(algorithm: str) -> None:
    """Sionna's layers are rows of the base graph, whose checks share no variable: our order of rows."""
    received = np.round(4 * np.random.default_rng(6).standard_normal((20, N), np.float32) * 16) / 16 - 4
    decoder = LDPC5GDecoder(
        code().encoder, cn_update=algorithm, cn_schedule="layered", num_iter=5, hard_out=False, device="cpu"
    )
    soft = decoder(torch.from_numpy(received)).numpy()
    llr = code().llrs(0.0, 20, 0)
    head = K - 2 * code().encoder.z
    llr[:, 2 * code().encoder.z : K] = received[:, :head]
    llr[:, code().encoder.k_ldpc : code().encoder.k_ldpc + N - head] = received[:, head:]
    ours = decoded(llr, Decoding(algorithm, "layered", 5, early_stop=False))
    assert ours.soft is not None
    np.testing.assert_array_equal(np.clip(ours.soft[:, :K], -20, 20), soft)


@pytest.mark.slow
@pytest.mark.parametrize("form", [None, FixedPoint(6, 1), FixedPoint(16, 6)])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_company_changes_nothing(schedule: str, algorithm: str, form: FixedPoint | None) -> None:
    """Threads, frames a call and the order in which frames take over lanes leave every output as it is."""
    if algorithm == "sum-product" and form is not None:
        return
    graph = code().graph
    llr = np.concatenate([code().llrs(ebno_db, 70, 7) for ebno_db in (0.5, 1.75, 3.5)])
    llr = llr[np.random.default_rng(0).permutation(len(llr))]
    decoding = Decoding(algorithm, schedule, 10, fixed_point=form, threads=1)
    single = BeliefPropagation(graph, decoding)
    whole = single.decode(llr, soft=True)
    assert whole.soft is not None
    assert 1 < whole.iterations.mean() < 10  # lanes are refilled at different times
    threaded = BeliefPropagation(graph, replace(decoding, threads=3))
    assert not differences(threaded.decode(llr, soft=True), whole)
    backwards = threaded.decode(llr[::-1], soft=True)
    for i in range(0, len(llr), 13):
        lone = single.decode(llr[i : i + 1], soft=True)
        for outcome, j in ((lone, 0), (backwards, len(llr) - 1 - i)):
            assert outcome.soft is not None
            np.testing.assert_array_equal(outcome.bits[j], whole.bits[i])
            np.testing.assert_array_equal(outcome.soft[j], whole.soft[i])
            assert outcome.iterations[j] == whole.iterations[i]
            assert outcome.satisfied[j] == whole.satisfied[i]


def test_stopping_early_returns_what_that_iteration_found() -> None:
    """A frame that stops after i iterations is a frame that was given i iterations."""
    llr = code().llrs(1.75, 40, 8)
    decoding = Decoding("offset-minsum", iterations=15)
    stopped = decoded(llr, decoding)
    for i in np.unique(stopped.iterations):
        given = decoded(llr, replace(decoding, iterations=int(i), early_stop=False))
        same = stopped.iterations == i
        assert given.soft is not None
        assert stopped.soft is not None
        np.testing.assert_array_equal(given.soft[same], stopped.soft[same])
        assert (given.iterations == i).all()


def test_no_frames() -> None:
    outcome = BeliefPropagation(code().graph).decode(np.empty((0, code().graph.size), np.float32), soft=True)
    assert outcome.bits.shape == (0, code().graph.size)
    assert outcome.iterations.shape == (0,)


@pytest.mark.parametrize("shape", [(3, 1279), (1280,), (2, 2, 1280)])
def test_wrong_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\[frames, 1280\], got \("):
        BeliefPropagation(code().graph).decode(np.zeros(shape, np.float32))


def test_llrs_that_are_no_numbers_are_refused() -> None:
    llr = code().llrs(2.0, 4, 9)
    llr[2, 700] = np.nan
    with pytest.raises(ValueError, match="must be numbers"):
        BeliefPropagation(code().graph).decode(llr)


def test_infinite_llrs_are_what_the_largest_are() -> None:
    llr = code().llrs(2.0, 4, 9)
    certain = llr.copy()
    llr[2, 700:704], certain[2, 700:704] = [np.inf, -np.inf, np.inf, -np.inf], [20.0, -20.0, 20.0, -20.0]
    found, expected = (BeliefPropagation(code().graph).decode(each, soft=True) for each in (llr, certain))
    np.testing.assert_array_equal(found.bits, expected.bits)
    np.testing.assert_array_equal(found.soft, expected.soft)


@pytest.mark.parametrize("bits", [-1, 0, 1, 2, 9, 15, 17, 32])
def test_widths_out_of_range_are_refused(bits: int) -> None:
    with pytest.raises(ValueError, match=f"3, 4, 5, 6, 7, 8 or 16, got {bits}"):
        FixedPoint.of(bits)


@pytest.mark.parametrize(("bits", "fraction"), [(3, 3), (6, -3), (16, 16)])
def test_fractions_out_of_range_are_refused(bits: int, fraction: int) -> None:
    with pytest.raises(ValueError, match=f"fractional bits, got {fraction}"):
        FixedPoint(bits, fraction)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"algorithm": "viterbi"}, "sum-product, minsum, .* or normalized-minsum, got 'viterbi'"),
        ({"schedule": "random"}, "got 'random'"),
        ({"iterations": 0}, "at least 1, got 0"),
        ({"algorithm": "sum-product", "fixed_point": FixedPoint(6, 1)}, "no fixed-point form"),
        ({"clip": 0.0}, "clip must be above 0"),
        ({"clip": 100.0}, "at most 80.0, got 100.0"),
        ({"threads": 0}, "at least 1, or None"),
        ({"factor": 0.0}, "above 0 and at most 1, got 0.0"),
        ({"factor": 1.5}, "above 0 and at most 1, got 1.5"),
        ({"factor": float("nan")}, "above 0 and at most 1, got nan"),
        ({"offset": -0.5}, "from 0 to below 20.0, got -0.5"),
        ({"offset": 20.0}, "from 0 to below 20.0, got 20.0"),
    ],
)
def test_choices_that_do_not_exist_are_refused(choice: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BeliefPropagation(code().graph, Decoding(**choice))  # type: ignore[arg-type]


@pytest.mark.parametrize("schedule", ["flooding", "layered"])
def test_a_variable_without_checks_follows_the_channel(schedule: str) -> None:
    graph = Graph.of(np.array([[1, 1, 0, 1]]))
    llr = np.array([[1.0, -2.0, 3.0, 1.5], [1.0, -2.0, -3.0, 1.5], [1.0, -2.0, 0.0, 1.5]], np.float32)
    outcome = BeliefPropagation(graph, Decoding("offset-minsum", schedule)).decode(llr, soft=True)
    assert outcome.bits[:, 2].tolist() == [1, 0, 1]
    assert outcome.soft is not None and outcome.soft[:, 2].tolist() == [3.0, -3.0, 0.0]


AFF3CT = {
    "layered-oms-0.5": ("offset-minsum", "layered", 10, None),
    "flooding-oms-0.5": ("offset-minsum", "flooding", 20, None),
    "flooding-spa": ("sum-product", "flooding", 20, None),
    "layered-oms-fixed-q10.4": ("offset-minsum", "layered", 10, FixedPoint(16, 4)),
}


def published(folder: Path) -> dict[str, list[tuple[float, int, int]]]:
    """Eb/N0, frames and frame errors of each decoder's points down to BLER 1e-4."""
    with (folder / "reference" / "aff3ct_5g_ldpc_512_1024.csv").open() as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    points: dict[str, list[tuple[float, int, int]]] = defaultdict(list)
    for row in rows:
        frames, errors = int(row["frames"]), int(row["frame_errors"])
        if errors / frames > 0.8e-4:
            points[row["decoder"]].append((float(row["ebno_db"]), frames, errors))
    return points


@pytest.mark.slow
@pytest.mark.parametrize("name", AFF3CT)
def test_bler_is_that_of_aff3ct(name: str, data_dir: Path) -> None:
    """At every point: Fisher's exact test, 1 % for all points together.

    60 block errors a point expected (20 at BLER 1e-4) beside AFF3CT's 100: a rate off by half, which is 0.05
    to 0.1 dB, does not pass. Where few blocks show that many, they are decoded without early stopping, too.
    """
    algorithm, schedule, iterations, form = AFF3CT[name]
    points = published(data_dir)[name]
    most = 40_000 if algorithm == "sum-product" else 250_000  # it takes about six times as long
    stopped = whole = 0
    for ebno_db, frames, failures in points:
        count = int(min(60 * frames / failures, most))
        errors = {True: 0, False: 0} if count <= 8192 else {True: 0}
        for first in range(0, count, 8192):
            llr = code().llrs(ebno_db, min(8192, count - first), first)
            for early in errors:
                decoding = Decoding(algorithm, schedule, iterations, early, fixed_point=form)
                errors[early] += code().wrong(BeliefPropagation(code().graph, decoding).decode(llr)).sum()
        for early, ours in errors.items():
            p = fisher_exact([[ours, count - ours], [failures, frames - failures]]).pvalue
            assert p > 0.01 / len(points), (ebno_db, early, ours, count, failures, frames)
        if False in errors:
            stopped, whole = stopped + errors[True], whole + errors[False]
    # Stopping early may keep a wrong codeword that more iterations would leave again: almost never.
    assert 0 < stopped <= 1.01 * whole + 2
