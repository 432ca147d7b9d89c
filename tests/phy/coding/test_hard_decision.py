"""Gallager B and bit flipping: the plain reference, density evolution, peeling, and codes that take them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from phy.chain.chain import ChainCode
from phy.channels.binary import BEC, BSC
from phy.channels.flat import AWGN
from phy.coding.decoding import HARD, Decoding
from phy.coding.fixed_point import FixedPoint
from phy.coding.ldpc.alist import read_matrix
from phy.coding.ldpc.ldpc5g import LDPC5G
from phy.coding.ldpc.matrix import MatrixCode
from phy.coding.propagation.compiled import BeliefPropagation
from phy.coding.propagation.flipping import HardDecision
from phy.coding.propagation.graph import Graph
from phy.coding.propagation.reference import decode_hard
from phy.links.binary import BinaryLink
from phy.links.digital import DigitalLink
from phy.modulation import Modulation
from phy.random import Stream, bits
from phy.units import EsN0, EventProbability
from tests.oracles.ensembles import gallager_b_errors, regular


@pytest.fixture(scope="module")
def ccsds(data_dir: Path) -> Graph:
    return Graph.of(read_matrix(data_dir / "reference" / "alist" / "CCSDS_64_128.alist", "alist"))


@pytest.mark.slow
@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("algorithm", HARD)
def test_decoders_equal_the_reference(ccsds: Graph, algorithm: str, early: bool) -> None:
    """Of 60 frames with soft, unknown and certain values, and of 20 over a BSC."""
    rng, decoding = np.random.default_rng(1), Decoding(algorithm, iterations=12, early_stop=early)
    llr = (-2 * (1 + rng.normal(size=(80, 128)) * 0.6) / 0.36).astype(np.float32)
    llr[:, rng.integers(0, 128, 5)], llr[:, 7] = 0, -1e30
    llr[60:] = np.where(rng.random((20, 128)) < 0.04, 2.2, -2.2)
    found, expected = HardDecision(ccsds, decoding).decode(llr), decode_hard(ccsds, llr, decoding)
    assert np.array_equal(found.bits, expected.bits)
    assert np.array_equal(found.iterations, expected.iterations)
    assert np.array_equal(found.satisfied, expected.satisfied)
    assert 0.1 < found.satisfied.mean() < 0.9
    assert found.soft is None


def errors(graph: Graph, p: float, iterations: int, seed: int) -> float:
    """Bit error rate of the zero word over a BSC."""
    flipped = np.random.default_rng(seed).random((1, graph.size)) < p
    llr = np.where(flipped, 3.0, -3.0).astype(np.float32)
    decoding = Decoding("gallager-b", iterations=iterations)
    return float(HardDecision(graph, decoding).decode(llr).bits.mean())


@pytest.mark.parametrize(("columns", "rows", "p"), [(3, 6, 0.035), (4, 8, 0.03), (5, 10, 0.02)])
def test_gallager_b_follows_density_evolution(columns: int, rows: int, p: float) -> None:
    """A random regular code of 60,000 bits errs after each of three iterations as often as a tree does."""
    graph = Graph.of(regular(60_000, columns, rows, seed=1))
    for iteration, rate in enumerate(gallager_b_errors(p, columns, rows, 3), start=1):
        # bits around one another err together: twice the binomial deviation, and short cycles
        assert errors(graph, p, iteration, seed=2) == pytest.approx(
            rate, abs=8 * (rate / 60_000) ** 0.5 + 2e-4
        )


@pytest.mark.slow
def test_gallager_b_turns_at_its_threshold() -> None:
    """(3, 6) regular: 0.039 (Richardson and Urbanke 2001), which density evolution gives as 0.0394."""
    below, above = (gallager_b_errors(p, 3, 6, 3000)[-1] for p in (0.0390, 0.0400))
    assert below < 1e-9 < 0.01 < above
    graph = Graph.of(regular(30_000, 3, 6, seed=3))
    assert errors(graph, 0.035, 100, seed=4) < 1e-3
    assert errors(graph, 0.044, 100, seed=5) > 0.02


def test_gallager_b_peels_erasures_as_belief_propagation_does(ccsds: Graph) -> None:
    """Over a BEC known messages are right and others 0: the same decisions, whatever is left undecided."""
    code = np.zeros((200, 128), np.float32)
    erased = np.random.default_rng(6).random(code.shape) < 0.42
    llr = np.where(erased, 0.0, -1e30).astype(np.float32)
    found = HardDecision(ccsds, Decoding("gallager-b", iterations=60)).decode(llr)
    expected = BeliefPropagation(ccsds, Decoding("minsum", "flooding", 60)).decode(llr)
    assert np.array_equal(found.bits, expected.bits)
    assert 0.1 < found.bits.any(axis=1).mean() < 0.9


@pytest.mark.parametrize("algorithm", HARD)
def test_every_single_error_is_corrected(ccsds: Graph, algorithm: str) -> None:
    llr = np.where(np.eye(128, dtype=bool), 1.0, -1.0).astype(np.float32)
    assert not HardDecision(ccsds, Decoding(algorithm)).decode(llr).bits.any()


@pytest.mark.parametrize("algorithm", HARD)
def test_codes_take_them_over_bsc_and_awgn(algorithm: str) -> None:
    """Random words of a (3, 6) code over both channels, and of 5G LDPC, whose first 2 Z bits are not sent."""
    decoding = Decoding(algorithm, iterations=50)
    streams = Stream(7).batch(range(30))
    regular_code = MatrixCode(regular(600, 3, 6, seed=8), "regular", decoding=decoding)
    sent = bits([stream.child("bits") for stream in streams], regular_code.k)
    over = BinaryLink(regular_code, BSC())(sent, EventProbability(0.012), streams)
    assert int((over.bits != sent).any(dim=1).sum()) <= 8  # 29 without a code
    assert over.llr is None
    noisy = DigitalLink(regular_code, Modulation("bpsk"), AWGN())(sent, EsN0(4.5), streams)
    assert int((noisy.bits != sent).any(dim=1).sum()) <= 8
    code = LDPC5G(100, 300, decoding=decoding)
    sent = sent[:, :100]
    clean = BinaryLink(code, BSC())(sent, EventProbability(0.0), streams).bits
    if algorithm == "gallager-b":  # erased bits are peeled; bit flipping only guesses them
        assert torch.equal(clean, sent)
        peeled = BinaryLink(code, BEC())(sent, EventProbability(0.1), streams).bits
        assert int((peeled != sent).any(dim=1).sum()) <= 2


def test_what_does_not_go_together_is_named() -> None:
    with pytest.raises(ValueError, match="gallager-b has no fixed-point form"):
        Decoding("gallager-b", fixed_point=FixedPoint.of(6))
    for engine in ("sionna", "torch"):
        with pytest.raises(
            ValueError, match=f"bit-flipping runs on the compiled engine, got engine '{engine}'"
        ):
            LDPC5G(100, 200, decoding=Decoding("bit-flipping", engine=engine))
    code = MatrixCode([[1, 1, 0, 1, 0], [0, 1, 1, 0, 1]], "small", decoding=Decoding("gallager-b"))
    with pytest.raises(ValueError, match="the compiled chain has belief propagation, got gallager-b"):
        ChainCode.of(code)
    with pytest.raises(ValueError, match="decoded by FlippingDecoder"):
        _ = LDPC5G(100, 200, decoding=Decoding("gallager-b")).compiled
    assert "schedule" not in Decoding("gallager-b").describe()
    with pytest.raises(ValueError, match=r"got \(1, 3\)"):
        HardDecision(Graph.of(np.array([[1, 1]])), Decoding("gallager-b")).decode(
            np.zeros((1, 3), np.float32)
        )
