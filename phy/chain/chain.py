"""The compiled chain: bits, code, constellation, channel, demapper, decoder and counting in one piece.

It draws block by block what `phy.links.digital.DigitalLink` draws from the same stream, so that both count
the same errors wherever their arithmetic agrees.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phy.chain.drawing import LANES, LARGEST, fill_table
from phy.chain.making import AWGN as NO_GAIN
from phy.chain.making import RAYLEIGH
from phy.chain.running import count_coded, count_uncoded
from phy.channels.channel import Channel
from phy.channels.flat import AWGN, Rayleigh
from phy.coding.code import Code
from phy.coding.interleaving import Interleaved
from phy.coding.ldpc.encoding import XorProgram
from phy.coding.ldpc.ldpc5g import LDPC5G
from phy.coding.ldpc.matrix import MatrixCode
from phy.coding.propagation.compiled import BeliefPropagation
from phy.coding.uncoded import Uncoded
from phy.modulation import Modulation
from phy.random import Stream
from phy.units import EsN0

__all__ = ["ChainCode", "ChainCounts", "CompiledChain"]

_SPAN = 1 << 16
"""Most blocks of one call to compiled code, which nothing interrupts."""

_SLOTS, _SLOTS_BYTES = (3, 8), 1 << 20
"""Fewest and most slots where blocks wait for the decoder, and the bytes that they shall share."""


@dataclass(frozen=True)
class ChainCode:
    """A code as the chain needs it.

    Attributes
    ----------
    program:
        How the words of a block follow from its information bits, which are the words 0 to k - 1.
    places, variables:
        Word, and variable of the decoder's graph, of every coded bit in the order of sending: ``[n]``.
    variable_count:
        Variables of the decoder's graph.
    information:
        Variable of every information bit: ``[k]``.
    decoder:
        The belief propagation; None decides each bit by its LLR.

    Examples
    --------
    >>> ChainCode.of(LDPC5G(100, 200)).k
    100
    """

    program: XorProgram
    places: NDArray[np.int32]
    variables: NDArray[np.int32]
    variable_count: int
    information: NDArray[np.int32]
    decoder: BeliefPropagation | None

    @property
    def k(self) -> int:
        """Information bits."""
        return self.information.size

    @classmethod
    def of(cls, code: Code) -> ChainCode:
        """Take over a code with everything that its decoder is set to.

        Raises
        ------
        ValueError
            If the chain does not have this code, or not with this decoder.
        """
        if isinstance(code, Interleaved):
            inner, order = cls.of(code.code), code.order
            return replace(inner, places=inner.places[order], variables=inner.variables[order])
        if isinstance(code, Uncoded):
            return cls.uncoded(code.k)
        if isinstance(code, MatrixCode):
            return cls.matrix(code)
        if isinstance(code, LDPC5G):
            return cls.ldpc5g(code)
        raise ValueError(
            f"the compiled chain has 5G LDPC, parity-check matrices and no code at all, got {code.name}"
        )

    @classmethod
    def uncoded(cls, k: int) -> ChainCode:
        """Send ``k`` bits as they are."""
        each = np.arange(k, dtype=np.int32)
        nothing = np.zeros(0, np.int32)
        program = XorProgram(nothing, np.zeros(1, np.int32), nothing, k)
        return cls(program, each, each, k, each, None)

    @classmethod
    def matrix(cls, code: MatrixCode) -> ChainCode:
        """Take over a code of any parity-check matrix with its decoder.

        Raises
        ------
        ValueError
            If it decides hard.
        """
        if not isinstance(code.decoder, BeliefPropagation):
            raise ValueError(
                f"the compiled chain has belief propagation, got {code.decoder.decoding.algorithm}"
            )
        generator = code.words(np.eye(code.k, dtype=np.uint8)).astype(bool)
        variables = np.full(code.n, -1, np.int32)
        variables[code.received] = code.received_at
        return cls(
            XorProgram.sums(generator),
            np.arange(code.k, code.k + code.n, dtype=np.int32),
            variables,
            code.decoder.graph.size,
            code.information_at.astype(np.int32),
            code.decoder,
        )

    @classmethod
    def ldpc5g(cls, code: LDPC5G) -> ChainCode:
        """Take over a 5G LDPC code, decoded by the compiled engine."""
        decoder, structure = code.compiled, code.structure
        heard = decoder.heard
        return cls(
            structure.program.pruned(structure.sent, np.arange(structure.k, structure.systematic)),
            structure.sent.astype(np.int32),
            heard.places.astype(np.int32),
            heard.graph.size,
            heard.information.astype(np.int32),
            decoder.propagation,
        )


@dataclass(frozen=True)
class ChainCounts:
    """Blocks with a wrong bit, wrong bits, and the sum of the squared numbers of wrong bits a block."""

    block_errors: int
    bit_errors: int
    squared_bit_errors: int


class CompiledChain:
    """A link whose blocks are counted, not returned.

    Parameters
    ----------
    code:
        Code and decoder.
    modulation:
        Constellation whose axes carry bits of their own (BPSK, PAM, square QAM), and way of demapping.
    channel:
        AWGN, or Rayleigh fading of any coherence.

    Raises
    ------
    ValueError
        If constellation or channel are others.

    Examples
    --------
    >>> chain = CompiledChain(ChainCode.uncoded(1000), Modulation("bpsk"), AWGN())
    >>> chain.count(Stream(1), EsN0(4.0), first=0, blocks=100).bit_errors  # of 100,000; Q(2.24) = 0.0125
    1251
    """

    def __init__(self, code: ChainCode, modulation: Modulation, channel: Channel) -> None:
        if not self.covers(modulation, channel):
            raise ValueError(
                "the compiled chain has awgn and rayleigh with bpsk, pam and square qam, "
                f"got {channel.name} with {modulation.name}"
            )
        self.code, self.modulation, self.channel = code, modulation, channel
        m = modulation.bits_per_symbol
        filler = -len(code.places) % m
        self.symbols = (len(code.places) + filler) // m
        self._places = np.pad(code.places, (0, filler), constant_values=-1)
        self._variables = np.pad(code.variables, (0, filler), constant_values=-1)
        heard = code.variables[code.variables >= 0]
        self._repeats = np.unique(heard).size < heard.size

    @staticmethod
    def covers(modulation: Modulation, channel: Channel) -> bool:
        """Whether the chain has this constellation and this channel."""
        return modulation.separable and isinstance(channel, AWGN | Rayleigh)

    def count(self, stream: Stream, snr: EsN0, first: int, blocks: int, threads: int = 1) -> ChainCounts:
        """Send blocks ``first`` to ``first + blocks - 1`` of a stream and count their errors.

        Parameters
        ----------
        stream:
            Block ``i`` draws from ``stream.child(i)``: "bits", "noise" and "fading", as links do.
        snr:
            Es/N0.
        first, blocks:
            Which blocks.
        threads:
            Workers; the counts do not depend on them.
        """
        most = min(_SPAN, -(-blocks // threads // LANES) * LANES) or LANES
        spans = [(a, min(a + most, first + blocks)) for a in range(first, first + blocks, most)]
        setting = self._setting(snr)
        if threads == 1:
            parts = [self._span(stream, setting, a, b) for a, b in spans]
        else:
            with ThreadPoolExecutor(threads) as pool:
                parts = list(pool.map(lambda span: self._span(stream, setting, *span), spans))
        return ChainCounts(*(int(total) for total in np.sum(parts, axis=0)))

    def _span(self, stream: Stream, setting: tuple[Any, ...], first: int, end: int) -> NDArray[np.int64]:
        code, decoder, size = self.code, self.code.decoder, self.code.variable_count
        repeated = np.zeros((size if self._repeats else 0, LANES), np.float32)
        program = code.program.targets, code.program.starts, code.program.inputs
        source = *_address(stream), code.k, program, self._places, self._variables, repeated, *setting
        words = np.zeros(code.program.words, np.uint64)
        counts = np.zeros(3, np.int64)
        if decoder is None:
            count_uncoded(first, end - first, source, words, np.zeros((size, LANES), np.float32), counts)
            return counts
        bytes_of_slot = size * LANES * np.dtype(decoder.dtype).itemsize
        slots = min(max(_SLOTS_BYTES // bytes_of_slot, _SLOTS[0]), _SLOTS[1])
        made = np.zeros((slots, size, LANES), decoder.dtype), np.zeros((slots, code.k), np.uint64)
        arguments = decoder.arguments()
        count_coded(first, end - first, source, words, *made, code.information, *arguments, counts)
        return counts

    def _setting(self, snr: EsN0) -> tuple[Any, ...]:
        """Constellation, radio, grid and table, as `phy.chain.making.make_lanes` takes them."""
        modulation = self.modulation
        coherence = 1
        if isinstance(self.channel, Rayleigh):
            span = self.channel.coherence
            coherence = span if isinstance(span, int) else self.symbols
        fading = RAYLEIGH if isinstance(self.channel, Rayleigh) else NO_GAIN
        levels = modulation.amplitudes
        no, exact = np.float32(snr.no), modulation.demapping == "app"
        constellation = modulation.bits_per_symbol, modulation.axes, levels, exact
        return constellation, (no, fading, coherence), *self._grid(no, levels, fading)

    def _grid(self, no: np.float32, levels: NDArray[np.float32], fading: int) -> tuple[Any, ...]:
        decoder = self.code.decoder
        dtype: Any = np.int16 if decoder is None or decoder.dtype is np.float32 else decoder.dtype
        fixed = decoder is not None and decoder.decoding.fixed_point is not None
        scale = decoder.scale if decoder is not None and fixed else np.float32(0.0)
        largest = np.float32(1e30) if decoder is None else decoder.largest
        setting = np.sqrt(no), np.float32(1.0) / no, scale, largest, levels[0], levels[1]
        drawn = fixed and levels.size == 2 and fading == NO_GAIN and not self._repeats and largest <= LARGEST
        table = _table(dtype, setting) if drawn else None
        return (scale, largest, setting, dtype(np.iinfo(dtype).min)), table


@lru_cache(maxsize=16)
def _table(dtype: Any, setting: tuple[np.float32, ...]) -> NDArray[Any]:
    """Table of `phy.chain.drawing` for one point, whose chunks share it."""
    table = np.empty(1 << 16, dtype)
    fill_table(setting, dtype(np.iinfo(dtype).min), table)
    return table


def _address(stream: Stream) -> tuple[np.uint64, tuple[np.uint32, np.uint32, np.uint32]]:
    """Key of the stream's blocks, and tags of what a block draws."""
    key, _, _ = stream.child(0).place
    bits, noise, fading = (np.uint32(stream.child(0, name).place[2]) for name in ("bits", "noise", "fading"))
    return np.uint64(key), (bits, noise, fading)
