"""The LDPC codes of TS 38.212 as they stand there: parity checks, filler, rate matching, bit interleaving.

What a decoder of whatever engine needs to know of a code block, and how it is encoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from phy.coding.ldpc.encoding import XorProgram
from phy.coding.ldpc.sizes import K_MAX, K_MIN, MAX_RATE, lifting_size, select_base_graph
from phy.coding.propagation.graph import Graph
from phy.lazily import torch

__all__ = [
    "Heard",
    "Structure",
    "base_graph_shifts",
    "bit_deinterleave",
    "bit_interleave",
    "parity_checks",
    "prune",
]

_SYSTEMATIC = {1: 22, 2: 10}  # columns of the base graph, clause 5.2.2
_STARTS = {1: (0, 17, 33, 56), 2: (0, 13, 25, 43)}  # k_0 / Z_c of each redundancy version, table 5.4.2.1-2

Places = NDArray[np.int64]
Rows = TypeVar("Rows", "torch.Tensor", "NDArray[Any]")


def bit_interleave(bits: Rows, bits_per_symbol: int) -> Rows:
    """Interleave ``[batch, E]`` bits so that early (systematic) ones lead each symbol (clause 5.4.2.2).

    Examples
    --------
    >>> bit_interleave(torch.arange(6)[None], 2)
    tensor([[0, 3, 1, 4, 2, 5]])
    """
    columns = bits.shape[1] // bits_per_symbol
    return bits.reshape(-1, bits_per_symbol, columns).swapaxes(1, 2).reshape(bits.shape)


def bit_deinterleave(llr: torch.Tensor, bits_per_symbol: int) -> torch.Tensor:
    """Undo `bit_interleave` on ``[batch, E]`` values.

    Examples
    --------
    >>> bit_deinterleave(bit_interleave(torch.arange(6)[None], 2), 2)
    tensor([[0, 1, 2, 3, 4, 5]])
    """
    columns = llr.shape[1] // bits_per_symbol
    return llr.reshape(-1, columns, bits_per_symbol).transpose(1, 2).reshape(llr.shape)


@lru_cache(maxsize=2)
def _table(base_graph: int) -> NDArray[np.int64]:
    file = Path(__file__).with_name(f"base_graph_{base_graph}.csv")
    return np.loadtxt(file, np.int64, delimiter=",")


def base_graph_shifts(base_graph: int, set_index: int, z: int) -> NDArray[np.int64]:
    """Shifts P_ij = V_ij mod Z_c of the base graph, -1 where it has no edge (tables 5.3.2-2 and -3).

    Returns
    -------
    array
        ``[46, 68]`` for base graph 1, ``[42, 52]`` for 2.

    Examples
    --------
    >>> base_graph_shifts(2, 0, 16)[0, :6]
    array([ 9,  5, 12, 10, -1, -1])
    """
    table = _table(base_graph)
    rows, columns = table[:, 0], table[:, 1]
    shifts = np.full((rows.max() + 1, columns.max() + 1), -1)
    shifts[rows, columns] = table[:, 2 + set_index] % z
    return shifts


def parity_checks(shifts: NDArray[np.int64], z: int) -> Graph:
    """H of clause 5.3.2: a shift P becomes the Z x Z identity matrix, P columns to the right.

    Examples
    --------
    >>> parity_checks(np.array([[0, 1]]), 3).matrix.toarray()
    array([[1, 0, 0, 0, 1, 0],
           [0, 1, 0, 0, 0, 1],
           [0, 0, 1, 1, 0, 0]], dtype=uint8)
    """
    rows, columns = np.nonzero(shifts >= 0)
    step = np.arange(z)
    row = rows[:, None] * z + step
    column = columns[:, None] * z + (step + shifts[rows, columns][:, None]) % z
    return Graph.of_edges(row.ravel(), column.ravel(), (shifts.shape[0] * z, shifts.shape[1] * z))


@lru_cache(maxsize=16)
def _mother(base_graph: int, set_index: int, z: int) -> tuple[Graph, XorProgram]:
    """The checks of a mother code, and how its words follow from their systematic bits."""
    shifts = base_graph_shifts(base_graph, set_index, z)
    return parity_checks(shifts, z), XorProgram.quasi_cyclic(shifts, z)


@dataclass(frozen=True)
class Structure:
    """One code block of TS 38.212: clauses 5.2.2, 5.3.2, 5.4.2.

    Parameters
    ----------
    k:
        Information bits K', 12 to 8448 (3840 on base graph 2), its CRC included.
    n:
        Coded bits E after rate matching, at least k / 0.95. Above the circular buffer's length bits are
        repeated (the buffer wraps around).
    bits_per_symbol:
        Modulation order Q_m of the bit interleaver, which must divide ``n``; None for no interleaver.
    base_graph:
        1 or 2.
    rv:
        Redundancy version 0 to 3 (table 5.4.2.1-2, no limited buffer).

    Raises
    ------
    ValueError
        If a parameter is outside its range.

    Examples
    --------
    >>> code = Structure.choose(100, 200)
    >>> code.base_graph, code.lifting_size, code.filler
    (2, 18, 80)
    """

    k: int
    n: int
    bits_per_symbol: int | None
    base_graph: int
    rv: int

    @classmethod
    def choose(
        cls, k: int, n: int, bits_per_symbol: int | None = None, base_graph: int | None = None, rv: int = 0
    ) -> Structure:
        """Choose the base graph by clause 7.2.2 from ``k`` and ``k/n``, unless it is given.

        A block too long for base graph 2, which clause 5.2.2 would cut, takes base graph 1.
        """
        if base_graph is None:
            base_graph = 1 if k > K_MAX[2] else select_base_graph(k, k / max(n, 1))
        return cls(k, n, bits_per_symbol, base_graph, rv)

    def __post_init__(self) -> None:
        k, n, m = self.k, self.n, self.bits_per_symbol
        if not K_MIN <= k <= K_MAX[1]:
            raise ValueError(f"5G LDPC needs k from {K_MIN} to {K_MAX[1]}, got k = {k}, n = {n}")
        if n <= 0 or k / n > MAX_RATE:
            lowest = -(-20 * k // 19)
            raise ValueError(f"5G LDPC with k = {k} needs n >= {lowest} (rate <= {MAX_RATE}), got n = {n}")
        if self.base_graph not in (1, 2):
            raise ValueError(f"base_graph must be 1, 2 or None, got {self.base_graph}")
        if k > K_MAX[self.base_graph]:
            most = K_MAX[self.base_graph]
            raise ValueError(f"base graph {self.base_graph} needs k up to {most}, got k = {k}, n = {n}")
        if m is not None and (m < 1 or n % m):
            raise ValueError(f"n = {n} must be a multiple of bits_per_symbol = {m}")
        if self.rv not in (0, 1, 2, 3):
            raise ValueError(f"redundancy version must be 0, 1, 2 or 3, got {self.rv}")

    @property
    def lifting_size(self) -> int:
        """Lifting size Z_c (clause 5.2.2)."""
        return lifting_size(self.k, self.base_graph)[0]

    @property
    def systematic(self) -> int:
        """First variables of the mother code, K = 22 Z_c or 10 Z_c: information bits, then known zeros."""
        return _SYSTEMATIC[self.base_graph] * self.lifting_size

    @property
    def filler(self) -> int:
        """Known zeros behind the information bits, not transmitted."""
        return self.systematic - self.k

    @property
    def mother(self) -> Graph:
        """All checks of the mother code on all its variables."""
        return self._mother[0]

    @property
    def program(self) -> XorProgram:
        """How the mother code's words follow from its systematic bits, the first words."""
        return self._mother[1]

    @property
    def _mother(self) -> tuple[Graph, XorProgram]:
        z, set_index = lifting_size(self.k, self.base_graph)
        return _mother(self.base_graph, set_index, z)

    @cached_property
    def sent(self) -> Places:
        """Variable of the mother code that each bit on the channel is, ``[n]`` (clauses 5.4.2.1, 5.4.2.2)."""
        z = self.lifting_size
        variables = np.arange(2 * z, self.mother.size)  # the first 2 Z bits are never sent
        buffer = variables[(variables < self.k) | (variables >= self.systematic)]  # nor is the filler
        start = _STARTS[self.base_graph][self.rv] * z  # counted in the buffer with its filler
        begin = int(np.searchsorted(buffer, variables[start]))
        places = buffer[(begin + np.arange(self.n)) % buffer.size]
        if self.bits_per_symbol is None:
            return places
        return bit_interleave(places[None], self.bits_per_symbol)[0]

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        """Encode ``[batch, k]`` bits into ``[batch, n]`` bits on the CPU, ``torch.uint8``."""
        return torch.from_numpy(self.program.encode(bits.cpu().numpy(), self.sent))

    @cached_property
    def heard(self) -> Heard:
        """What one transmission says of the mother code."""
        graph, kept = self.checks(self.sent)
        return Heard(graph, np.searchsorted(kept, self.sent), np.arange(self.k))

    def checks(self, seen: Places) -> tuple[Graph, Places]:
        """Checks that tell something where the mother code's variables ``seen`` have arrived.

        Known zeros tell their checks nothing: their columns are left out.

        Returns
        -------
        Graph, array
            The checks, and the mother code's variable of each of theirs, ascending: the information bits,
            all of which take part, come first.
        """
        variables = np.arange(self.mother.size)
        known = (variables >= self.k) & (variables < self.systematic)
        every, unknown = np.ones(self.mother.starts.size - 1, np.bool_), variables[~known]
        graph, kept = prune(self.mother.part(every, ~known), np.searchsorted(unknown, seen))
        return graph, unknown[kept]


@dataclass(frozen=True, eq=False)
class Heard:
    """The checks that tell something about a received block, and where its bits are among their variables.

    Attributes
    ----------
    graph:
        The checks, on all but the known zeros.
    places:
        Variable of every received bit, ``[n]``; repeated bits share one.
    information:
        Variables of the information bits.
    """

    graph: Graph
    places: Places
    information: Places

    def variables(self, llr: torch.Tensor) -> torch.Tensor:
        """LLRs of the graph's variables from ``[batch, n]`` LLRs: repetitions added, 0 where none arrived.

        Examples
        --------
        >>> heard = Structure.choose(12, 60).heard
        >>> heard.variables(torch.ones(1, 60)).unique()  # 2 Z = 4 variables are never sent
        tensor([0., 1.])
        """
        places = torch.from_numpy(self.places).to(llr.device)
        return llr.new_zeros(len(llr), self.graph.size).index_add_(1, places, llr)


def prune(graph: Graph, seen: Places) -> tuple[Graph, Places]:
    """Drop the checks that tell nothing: each has a variable of its own of which nothing was received.

    Returns
    -------
    Graph, array
        The graph that is left, and the variable that each of its own was.

    Raises
    ------
    ValueError
        If a check is left with fewer than two variables.

    Examples
    --------
    >>> left, kept = prune(Graph.of(np.array([[1, 1, 0, 0], [0, 1, 1, 1]])), np.array([0, 1]))
    >>> left.variables.tolist(), kept.tolist()
    ([0, 1], [0, 1])
    """
    blind = np.bincount(graph.variables, minlength=graph.size) == 1
    blind[seen] = False
    rows = np.ones(graph.starts.size - 1, np.bool_)
    rows[graph.rows[blind[graph.variables]]] = False
    return graph.part(rows, ~blind).checked(), np.flatnonzero(~blind)
