"""LDPC codes of 5G NR decoded by the compiled engine, encoded by Sionna."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from phy.coding.code import Decoded, check_llr
from phy.coding.ldpc.sionna import LDPC5G, bit_deinterleave
from phy.coding.propagation.compiled import BeliefPropagation, FixedPoint
from phy.coding.propagation.graph import Graph

__all__ = ["CompiledLDPC5G"]

_CLIP = 20.0


class CompiledLDPC5G(LDPC5G):
    """`LDPC5G` with the compiled decoder in place of Sionna's.

    The same code, bit for bit; min-sum decoders give the same soft values too. On top of Sionna's decoder it
    stops when all checks hold, schedules in layers at full speed, and decodes in fixed point.

    Parameters
    ----------
    k, n, bits_per_symbol, base_graph, rv, decoder, schedule, iterations:
        As for `LDPC5G`.
    early_stop:
        Whether a frame ends when all parity checks hold.
    fixed_point:
        Q format of a fixed-point decoder; None decodes in ``float32``.

    Attributes
    ----------
    mother_matrix, systematic:
        H of the mother code, and its first variables that are information or known zeros.
    buffer, places:
        Variable of the mother code, and of `graph`, of every transmitted bit before interleaving: ``[n]``.
    known, information:
        Variables of `graph` that are known zeros, and those of the information bits.
    graph, propagation:
        The checks that tell something, and the decoder on them.

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    def __init__(
        self,
        k: int,
        n: int,
        *,
        bits_per_symbol: int | None = None,
        base_graph: int | None = None,
        rv: int = 0,
        decoder: str = "sum-product",
        schedule: str = "flooding",
        iterations: int = 20,
        early_stop: bool = True,
        fixed_point: FixedPoint | None = None,
    ) -> None:
        super().__init__(
            k,
            n,
            bits_per_symbol=bits_per_symbol,
            base_graph=base_graph,
            rv=rv,
            decoder=decoder,
            schedule=schedule,
            iterations=iterations,
        )
        encoder = self._engine.encoder
        places = buffer_places(encoder.n_ldpc, encoder.k_ldpc, k, encoder.z, rv, self._base_graph, n)
        known = np.arange(k, encoder.k_ldpc)
        self.graph, kept = prune(csr_matrix(encoder.pcm), np.concatenate([places, known]))
        order = np.full(encoder.n_ldpc, -1)
        order[kept] = np.arange(kept.size)
        self.mother_matrix, self.systematic = encoder.pcm, encoder.k_ldpc
        self.buffer, self.places = places, order[places]
        self.known, self.information = order[known], order[:k]
        self.propagation = BeliefPropagation(
            self.graph,
            decoder,
            schedule,
            iterations,
            early_stop,
            fixed_point,
            threads=torch.get_num_threads(),
        )

    def variables(self, llr: torch.Tensor) -> NDArray[np.float32]:
        """LLRs of the graph's variables from ``[batch, n]`` LLRs: repetitions added, known zeros certain."""
        if self.bits_per_symbol is not None:
            llr = bit_deinterleave(llr, self.bits_per_symbol)
        whole = torch.zeros(llr.shape[0], self.graph.size).index_add_(1, torch.from_numpy(self.places), llr)
        whole[:, self.known] = -_CLIP
        return whole.numpy()

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode ``[batch, n]`` LLRs; the soft values returned are clipped to 20 in magnitude."""
        outcome = self.propagation.decode(self.variables(check_llr(llr, self.n)), soft=True)
        soft = torch.from_numpy(outcome.soft)[:, self.information].clamp(-_CLIP, _CLIP)
        return Decoded(bits=torch.from_numpy(outcome.bits)[:, self.information], llr=soft)


def buffer_places(
    mother: int, systematic: int, k: int, z: int, rv: int, base_graph: int, n: int
) -> NDArray[np.int64]:
    """Variable of the mother code that each of ``n`` transmitted bits is (TS 38.212, clause 5.4.2.1).

    Parameters
    ----------
    mother, systematic:
        Bits of the mother code, and systematic ones among them with the filler behind the first ``k``.
    k, z, rv, base_graph, n:
        Information bits, lifting size, redundancy version (table 5.4.2.1-2), base graph, transmitted bits.
    """
    variables = np.arange(2 * z, mother)  # the first 2 Z bits are never sent, and the filler neither
    sent = variables[(variables < k) | (variables >= systematic)]
    start = {1: (0, 17, 33, 56), 2: (0, 13, 25, 43)}[base_graph][rv] * z  # in the buffer with its filler
    begin = int(np.searchsorted(sent, variables[start]))
    return sent[(begin + np.arange(n)) % sent.size]


def prune(matrix: csr_matrix, seen: NDArray[np.int64]) -> tuple[Graph, NDArray[np.int64]]:
    """Drop the checks that tell nothing: each has a variable of its own of which nothing was received.

    Returns
    -------
    Graph, array
        The graph that is left, and the mother code's variable of each of its own.
    """
    degrees = np.asarray(matrix.sum(axis=0)).ravel()
    blind = np.ones(matrix.shape[1], dtype=bool)
    blind[seen] = False
    blind &= degrees == 1
    rows = np.asarray(matrix @ blind.astype(matrix.dtype)).ravel() == 0
    kept = np.flatnonzero(~blind)
    return Graph.of(matrix[rows][:, kept]), kept
