"""TS 38.212's LDPC codes from our own tables: parity checks, lengths and words against Sionna's."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from sionna.phy.fec.ldpc import LDPC5GEncoder

from phy.coding.code import Decoded
from phy.coding.decoding import ALGORITHMS, Decoding
from phy.coding.ldpc.ldpc5g import LDPC5G
from phy.coding.ldpc.sizes import K_MAX, lifting_size
from phy.coding.ldpc.structure import Structure, base_graph_shifts
from phy.coding.propagation import reference
from phy.coding.propagation.graph import Graph
from phy.random import Stream, bits

# Lengths at which K_b of clause 5.2.2 changes, and some between, for every set of table 5.3.2-1.
EDGES = (12, 13, 192, 193, 560, 561, 640, 641)
BETWEEN = tuple(int(k) for k in np.random.default_rng(38212).integers(12, 8448, 24))


@pytest.mark.slow
@pytest.mark.parametrize("base_graph", [1, 2])
def test_parity_checks_and_words_are_sionnas(base_graph: int) -> None:
    sets = set()
    lengths = [k for k in (*EDGES, *BETWEEN, K_MAX[base_graph]) if k <= K_MAX[base_graph]]
    for k in lengths:
        n = 2 * k
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            sionna = LDPC5GEncoder(k, n, bg=f"bg{base_graph}", device="cpu")
        ours = Structure.choose(k, n, base_graph=base_graph)
        assert (ours.lifting_size, ours.systematic, ours.filler) == (sionna.z, sionna.k_ldpc, sionna.k_filler)
        matrix = ours.mother.matrix
        assert matrix.shape == sionna.pcm.shape and (matrix != sionna.pcm).nnz == 0, k
        sent = bits(Stream(1, k).batch(range(2)), k)
        for rv in (0, 2):
            block = Structure.choose(k, n, base_graph=base_graph, rv=rv)
            expected = sionna(sent.float(), rv=[rv])[:, 0].to(torch.uint8)
            assert torch.equal(block.encode(sent), expected), (k, rv)
        sets.add(lifting_size(k, base_graph)[1])
    assert len(sets) == 8


@pytest.mark.slow
@pytest.mark.parametrize("base_graph", [1, 2])
def test_words_of_every_lifting_size_satisfy_all_checks(base_graph: int) -> None:
    """H c = 0 for the whole mother code, all 51 sizes of table 5.3.2-1."""
    largest = {lifting_size(k, base_graph)[0]: k for k in range(12, K_MAX[base_graph] + 1)}
    assert len(largest) == 51
    for z, k in largest.items():
        block = Structure.choose(k, 2 * k, base_graph=base_graph)
        everything = np.arange(block.mother.size)
        word = block.program.encode(bits(Stream(2, z).batch(range(3)), k).numpy(), everything)
        assert not (block.mother.matrix.astype(int) @ word.T.astype(int) % 2).any(), z
        assert (word[:, k : block.systematic] == 0).all()


def test_shifts_are_those_of_the_tables() -> None:
    """Some entries of tables 5.3.2-2 and 5.3.2-3, read in TS 38.212."""
    assert base_graph_shifts(1, 0, 256)[0, :4].tolist() == [250, 69, 226, 159]
    assert base_graph_shifts(2, 0, 256)[0, :4].tolist() == [9, 117, 204, 26]
    assert (base_graph_shifts(1, 0, 384) >= 0).sum() == 316
    assert (base_graph_shifts(2, 0, 384) >= 0).sum() == 197


@pytest.mark.parametrize("batch", [0, 1, 63, 64, 65, 130])
def test_words_do_not_depend_on_the_batch(batch: int) -> None:
    code = LDPC5G(100, 220, bits_per_symbol=4)
    sent = bits(Stream(3).batch(range(batch)), 100)
    coded = code.encode(sent)
    assert coded.shape == (batch, 220) and coded.dtype == torch.uint8
    assert all(torch.equal(code.encode(row[None])[0], word) for row, word in zip(sent, coded, strict=True))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_engines_find_the_same(algorithm: str) -> None:
    """Soft values of the three engines on a grid of 1/16, where sums are exact, with factor and offset."""
    decoding = dict(schedule="flooding", iterations=6, early_stop=False, factor=0.8125, offset=0.375)
    engines = ("sionna", "compiled") if algorithm == "sum-product" else ("sionna", "compiled", "torch")
    codes = [
        LDPC5G(200, 400, bits_per_symbol=4, decoding=Decoding(algorithm, engine=engine, **decoding))  # type: ignore[arg-type]
        for engine in engines
    ]
    sent = bits(Stream(4).batch(range(30)), 200)
    coded = codes[0].encode(sent)
    noise = torch.from_numpy(np.random.default_rng(4).standard_normal((30, 400))).float()
    llr = torch.round(16 * 3 * (2.0 * coded - 1 + 0.75 * noise)) / 16
    first, *others = [code.decode(llr) for code in codes]
    assert first.llr is not None
    assert 0 < int((first.bits != sent).any(dim=1).sum()) < 30
    for other in others:
        assert other.llr is not None
        if algorithm in ("minsum", "offset-minsum"):
            assert torch.equal(other.llr, first.llr)
        else:  # rounded: products of the factor leave the grid
            torch.testing.assert_close(other.llr, first.llr, rtol=1e-3, atol=2e-3)


class Written:
    """The decoder as it is written down, as a part of the code."""

    def __init__(self, structure: Structure) -> None:
        self.heard = structure.heard

    def decode(self, llr: torch.Tensor) -> Decoded:
        told = self.heard.variables(llr).numpy()
        outcome = reference.decode(self.heard.graph, told, Decoding("minsum", iterations=6))
        return Decoded(torch.from_numpy(outcome.bits)[:, self.heard.information])


@pytest.mark.parametrize(("n", "rv"), [(130, 0), (1000, 2)])
def test_a_decoder_of_ones_own_is_a_part_like_others(n: int, rv: int) -> None:
    """With filler, puncturing, repetition and interleaver: it is told what the compiled one is told."""
    ours = LDPC5G(100, n, bits_per_symbol=2, rv=rv, decoding=Decoding("minsum", iterations=6))
    own = LDPC5G(100, n, bits_per_symbol=2, rv=rv, decoder=Written)
    sent = bits(Stream(9).batch(range(20)), 100)
    noise = torch.from_numpy(np.random.default_rng(9).standard_normal((20, n))).float()
    llr = 3 * (2.0 * own.encode(sent) - 1 + (0.62 if n == 130 else 1.8) * noise)
    found = own.decode(llr).bits
    assert 0 < int((found != sent).any(dim=1).sum()) < 20
    assert torch.equal(found, ours.decode(llr).bits)
    with pytest.raises(ValueError, match="decoded by Written; this takes the compiled engine"):
        _ = own.compiled


@pytest.mark.slow
def test_without_sionnas_decoder_there_is_no_sionna() -> None:
    """Codes of both other engines, a link and a chain are built, and blocks sent."""
    script = (
        "import sys\n"
        "from phy.chain.chain import ChainCode, CompiledChain\n"
        "from phy.channels.flat import AWGN\n"
        "from phy.coding.decoding import Decoding\n"
        "from phy.coding.ldpc.ldpc5g import LDPC5G\n"
        "from phy.links.digital import DigitalLink\n"
        "from phy.modulation import Modulation\n"
        "from phy.random import Stream, bits\n"
        "from phy.units import EsN0\n"
        "for engine in ('torch', 'compiled'):\n"
        "    code = LDPC5G(100, 200, decoding=Decoding('minsum', engine=engine))\n"
        "    link = DigitalLink(code, Modulation('qam16'), AWGN())\n"
        "    link(bits([Stream(1)], 100), EsN0(9.0), [Stream(1)])\n"
        "CompiledChain(ChainCode.of(code), link.modulation, AWGN()).count(Stream(1), EsN0(9.0), 0, 1)\n"
        "print([name for name in sys.modules if name.startswith('sionna')])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("k", "n"), [(100, 130), (512, 1024), (3000, 4000)])
def test_pruned_program_finds_the_words_that_are_sent(k: int, n: int) -> None:
    structure = Structure.choose(k, n)
    zeros = np.arange(k, structure.systematic)
    pruned = structure.program.pruned(structure.sent, zeros)
    sent = bits(Stream(4).batch(range(70)), k).numpy()
    expected = structure.program.encode(sent, structure.sent)
    assert (pruned.encode(sent, structure.sent) == expected).all()
    assert pruned.inputs.size < structure.program.inputs.size
    assert not np.isin(pruned.inputs, zeros).any()


@pytest.mark.parametrize(("k", "n"), [(100, 130), (512, 1024), (3000, 4000)])
def test_runs_are_the_graph(k: int, n: int) -> None:
    graph = Structure.choose(k, n).heard.graph
    edges = np.concatenate(
        [np.stack([row + np.arange(length), at + np.arange(length)]) for row, at, length in graph.runs],
        axis=1,
    )
    found = np.zeros((graph.starts.size - 1, graph.size), np.uint8)
    np.add.at(found, tuple(edges), 1)
    assert (found == graph.matrix.toarray()).all()


def test_a_graph_without_long_runs_has_none() -> None:
    scattered = np.random.default_rng(1).permuted(np.repeat([[1, 1, 1, 0, 0, 0, 0, 0]], 6, axis=0), axis=1)
    assert Graph.of(scattered).runs.shape == (0, 3)


def test_parts_of_a_graph_are_those_of_its_matrix() -> None:
    """What SciPy cuts out of the matrix, rows without an edge and edges in any order included."""
    draw = np.random.default_rng(5)
    matrix = draw.random((40, 60)) < 0.1
    rows, variables = draw.permutation(np.argwhere(matrix)).T
    graph = Graph.of_edges(rows, variables, matrix.shape)
    assert (graph.matrix.toarray() == matrix).all()
    some, others = draw.random(40) < 0.6, draw.random(60) < 0.6
    assert (graph.part(some, others).matrix != graph.matrix[some][:, others]).nnz == 0
    assert graph.part(some, others).size == others.sum()


@pytest.mark.parametrize(("k", "n", "rv"), [(20, 60, 0), (100, 130, 2), (640, 3000, 1), (8448, 9000, 3)])
def test_checks_that_tell_nothing_are_left_out(k: int, n: int, rv: int) -> None:
    """The graph that is decoded, against sums over the rows and columns of the whole matrix."""
    block = Structure.choose(k, n, rv=rv)
    matrix = block.mother.matrix.astype(int)
    matrix[:, k : block.systematic] *= 0
    matrix.eliminate_zeros()
    unseen = np.setdiff1d(np.arange(matrix.shape[1]), block.sent)
    alone = unseen[np.asarray(matrix.sum(axis=0)).ravel()[unseen] == 1]
    told = np.asarray(matrix[:, alone].sum(axis=1)).ravel() == 0
    kept = np.setdiff1d(np.arange(matrix.shape[1]), [*alone, *range(k, block.systematic)])
    heard = block.heard
    assert (heard.graph.matrix != matrix[told][:, kept].astype(np.uint8)).nnz == 0
    assert (kept[heard.places] == block.sent).all() and (kept[heard.information] == np.arange(k)).all()
