"""The PyTorch decoder against the compiled one and against the written-down model, number for number."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder

from phy.coding.decoding import MIN_SUM, Decoding
from phy.coding.fixed_point import FixedPoint
from phy.coding.ldpc.ldpc5g import LDPC5G
from phy.coding.propagation import reference
from phy.coding.propagation.compiled import BeliefPropagation, Outcome
from phy.coding.propagation.graph import Graph
from phy.coding.propagation.torch_layered import LayeredMinSum, TensorOutcome, layers

SCHEDULES = ("layered", "flooding")

Floats = NDArray[np.float32]


def random_graph(rows: int, columns: int, largest: int, seed: int) -> Graph:
    """Rows of 2 to ``largest`` ones; every column in at least one row."""
    rng = np.random.default_rng(seed)
    matrix = np.zeros((rows, columns), np.uint8)
    for row in matrix:
        row[rng.choice(columns, rng.integers(2, largest + 1), replace=False)] = 1
    for column in np.flatnonzero(~matrix.any(axis=0)):
        matrix[rng.integers(rows), column] = 1
    return Graph.of(matrix)


def frames_5g(ebno_db: tuple[float, ...], frames: int, grid: bool) -> tuple[Graph, Floats]:
    """The pruned graph of the 5G code (512, 1024), and LLRs of BPSK over AWGN at each SNR."""
    encoder = LDPC5GEncoder(512, 1024, device="cpu")
    graph = Graph.of(csr_matrix(LDPC5GDecoder(encoder, device="cpu").pcm))
    rng = np.random.default_rng(3)
    parts = []
    for db in ebno_db:
        word = encoder(torch.from_numpy(rng.integers(0, 2, (frames, 512))).float()).numpy()
        variance = 10 ** (-db / 10)
        llr = 2 / variance * (2 * word - 1 + np.sqrt(variance) * rng.standard_normal(word.shape))
        head, first_parity = 512 - 2 * encoder.z, encoder.k_ldpc
        whole = np.zeros((frames, graph.size), np.float32)
        whole[:, 2 * encoder.z : 512] = llr[:, :head]
        whole[:, 512:first_parity] = -20
        whole[:, first_parity : first_parity + 1024 - head] = llr[:, head:]
        parts.append(whole)
    values = np.concatenate(parts)
    return graph, np.round(16 * values) / np.float32(16) if grid else values


def assert_identical(found: TensorOutcome, expected: Outcome) -> None:
    for name in ("bits", "soft", "iterations", "satisfied"):
        value = getattr(found, name).numpy()
        assert value.dtype == getattr(expected, name).dtype, name
        assert np.array_equal(value, getattr(expected, name)), name


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", MIN_SUM)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("early", [True, False])
def test_identical_to_the_compiled_decoder_on_a_grid(algorithm: str, schedule: str, early: bool) -> None:
    """Frames that converge, at once or late, beside frames that do not; zeros and ties among them."""
    graph, llr = frames_5g((0.5, 1.5, 3.0), 40, grid=True)
    llr[:, 700:705] = 0
    decoding = Decoding(algorithm, schedule, 12, early, threads=1)
    expected = BeliefPropagation(graph, decoding).decode(llr, soft=True)
    assert 0 < expected.satisfied.sum() < len(llr)
    assert_identical(LayeredMinSum(graph, decoding).decode(torch.from_numpy(llr)), expected)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(4, 8, 4), (12, 40, 12), (40, 100, 30), (60, 120, 6), (3, 70, 66)])
def test_identical_to_the_model_on_random_graphs(shape: tuple[int, int, int]) -> None:
    """Off the grid too: sums are taken in the order of the rows, in flooding as well."""
    graph = random_graph(*shape, seed=sum(shape))
    rng = np.random.default_rng(5)
    llr = (rng.standard_normal((90, graph.size)) * rng.choice([0.3, 3, 30], (90, 1)) - 1).astype(np.float32)
    llr[rng.random(llr.shape) < 0.05] = 0
    for algorithm in MIN_SUM:
        for schedule in SCHEDULES:
            for factor, offset in ((0.75, 0.5), (0.825, 0.3), (1.0, 0.0)):
                decoding = Decoding(algorithm, schedule, 7, factor=factor, offset=offset)
                found = LayeredMinSum(graph, decoding).decode(torch.from_numpy(llr))
                assert_identical(found, reference.decode(graph, llr, decoding))


def test_layers_of_a_quasi_cyclic_code_are_its_rows_of_blocks() -> None:
    graph, _ = frames_5g((0.0,), 1, grid=True)
    found = layers(graph)
    z = LDPC5GEncoder(512, 1024, device="cpu").z
    assert len(found) <= (len(graph.starts) - 1) // z
    assert [row for layer in found for row in layer] == list(range(len(graph.starts) - 1))
    for layer in found:
        variables = graph.variables[graph.starts[layer.start] : graph.starts[layer.stop]]
        assert np.unique(variables).size == variables.size
    for layer, following in pairwise(found):  # no layer could have been longer
        both = graph.variables[graph.starts[layer.start] : graph.starts[following.start + 1]]
        assert np.unique(both).size < both.size


def test_a_frame_does_not_depend_on_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, llr = frames_5g((1.0, 2.0), 10, grid=False)
    decoder = LayeredMinSum(graph, Decoding("offset-minsum"))
    whole = decoder.decode(torch.from_numpy(llr))
    monkeypatch.setattr("phy.coding.propagation.torch_layered._WORK", {"cpu": 3 * graph.edges, "cuda": 1})
    split = decoder.decode(torch.from_numpy(llr))
    alone = decoder.decode(torch.from_numpy(llr[4:5]))
    for name in ("bits", "soft", "iterations", "satisfied"):
        assert torch.equal(getattr(whole, name), getattr(split, name))
        assert torch.equal(getattr(whole, name)[4:5], getattr(alone, name))
    assert decoder.decode(torch.zeros(0, graph.size)).bits.shape == (0, graph.size)


def test_errors_quote_what_came_in() -> None:
    graph = random_graph(4, 8, 4, 1)
    with pytest.raises(ValueError, match=r"minsum, offset-minsum.*'sum-product'"):
        LayeredMinSum(graph, Decoding("sum-product"))
    with pytest.raises(ValueError, match=r"floating point, got llr_bits=6"):
        LayeredMinSum(graph, Decoding("minsum", fixed_point=FixedPoint.of(6)))
    with pytest.raises(ValueError, match=r"\[frames, 8\], got \[2, 7\]"):
        LayeredMinSum(graph, Decoding("minsum")).decode(torch.zeros(2, 7))
    with pytest.raises(ValueError, match="must be numbers"):
        LayeredMinSum(graph, Decoding("minsum")).decode(torch.full((1, 8), torch.nan))


def test_the_code_on_a_device_equals_the_compiled_one() -> None:
    """LLRs on a grid of 1/16: every soft value, interleaver, filler and known zeros included."""
    ours, compiled = (
        LDPC5G(300, 640, bits_per_symbol=4, decoding=Decoding("offset-minsum", iterations=6, engine=engine))
        for engine in ("torch", "compiled")
    )
    rng = np.random.default_rng(8)
    sent = torch.from_numpy(rng.integers(0, 2, (50, 300)).astype(np.uint8))
    assert torch.equal(ours.encode(sent), compiled.encode(sent))
    noise = torch.from_numpy(rng.standard_normal((50, 640)).astype(np.float32))
    llr = torch.round(16 * 3 * (2.0 * ours.encode(sent) - 1 + 0.8 * noise)) / 16
    found, expected = ours.decode(llr), compiled.decode(llr)
    assert 0 < int((found.bits != sent).any(dim=1).sum()) < 50
    assert torch.equal(found.bits, expected.bits)
    assert found.llr is not None and expected.llr is not None
    assert torch.equal(found.llr, expected.llr)
