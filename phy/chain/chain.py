"""The compiled chain: bits, code, constellation, channel, demapper, decoder and counting in one piece.

It draws block by block what `phy.links.digital.DigitalLink` draws from the same stream, so that both count
the same errors wherever their arithmetic agrees.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from phy.chain import kernels as chain_kernels
from phy.channels.channel import Channel
from phy.channels.flat import AWGN, Rayleigh
from phy.coding.code import Code
from phy.coding.ldpc.encoding import XorProgram
from phy.coding.ldpc.ldpc5g import LDPC5G
from phy.coding.ldpc.matrix import MatrixCode
from phy.coding.propagation.compiled import BeliefPropagation
from phy.coding.propagation.lanes import decode_frames
from phy.coding.uncoded import Uncoded
from phy.modulation import Modulation
from phy.random import Stream
from phy.units import EsN0

__all__ = ["ChainCode", "ChainCounts", "CompiledChain"]

_BATCH = 2048
"""Blocks that a thread makes, decodes and counts at a time."""


@dataclass(frozen=True)
class ChainCode:
    """A code as the chain needs it.

    Attributes
    ----------
    program:
        How the words of a block follow from its information bits, which are the words 0 to k - 1.
    places, variables:
        Word, and variable of the decoder's graph, of every coded bit in the order of sending: ``[n]``.
    base:
        LLR log p0/p1 of every variable before anything arrives: 0, or the clipping value for a known zero.
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
    base: NDArray[np.float32]
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
        return cls(program, each, each, np.zeros(k, np.float32), each, None)

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
        generator = code.encode(torch.eye(code.k, dtype=torch.uint8)).numpy().astype(bool)
        variables = np.full(code.n, -1, np.int32)
        variables[code.received] = code.received_at
        return cls(
            XorProgram.sums(generator),
            np.arange(code.k, code.k + code.n, dtype=np.int32),
            variables,
            np.zeros(code.decoder.graph.size, np.float32),
            code.information_at.astype(np.int32),
            code.decoder,
        )

    @classmethod
    def ldpc5g(cls, code: LDPC5G) -> ChainCode:
        """Take over a 5G LDPC code, decoded by the compiled engine."""
        decoder = code.compiled
        heard = decoder.heard
        base = np.zeros(heard.graph.size, np.float32)
        base[heard.known] = 1e9
        return cls(
            code.structure.program,
            code.structure.sent.astype(np.int32),
            heard.places.astype(np.int32),
            base,
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
    1278
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
        spans = [(a, min(a + _BATCH, first + blocks)) for a in range(first, first + blocks, _BATCH)]
        if len(spans) < threads:  # too few for everybody: smaller ones
            bounds = np.linspace(first, first + blocks, min(threads, blocks) + 1).astype(int)
            spans = list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))
        if threads == 1:
            parts = [self._span(stream, snr, a, b) for a, b in spans]
        else:
            with ThreadPoolExecutor(threads) as pool:
                parts = list(pool.map(lambda span: self._span(stream, snr, *span), spans))
        return ChainCounts(*(int(total) for total in np.sum(parts, axis=0)))

    def _span(self, stream: Stream, snr: EsN0, first: int, end: int) -> NDArray[np.int64]:
        code, decoder, blocks = self.code, self.code.decoder, end - first
        size = code.base.size
        sent = np.empty((blocks, -(-code.k // 32)), np.uint32)
        llr = np.empty((blocks, size), np.float32 if decoder is None else decoder.dtype)
        chain_kernels.make_blocks(first, *_address(stream), code.k, *self._setting(snr), sent, llr)
        bits = np.empty((blocks, code.k), np.uint8)
        if decoder is None:
            np.less_equal(llr, 0.0, out=bits.view(np.bool_))
        else:
            used, satisfied = np.empty(blocks, np.int32), np.empty(blocks, np.bool_)
            decode_frames(llr, 1, code.information, bits, None, used, satisfied, *decoder.arguments())
        counts = np.zeros(3, np.int64)
        chain_kernels.count_errors(sent, bits, counts)
        return counts

    def _setting(self, snr: EsN0) -> tuple[Any, ...]:
        code, modulation = self.code, self.modulation
        program = code.program
        coherence = 1
        if isinstance(self.channel, Rayleigh):
            span = self.channel.coherence
            coherence = span if isinstance(span, int) else self.symbols
        return (
            (program.targets, program.starts, program.inputs),
            np.zeros(program.words, np.uint64),
            self._places,
            self._variables,
            code.base,
            modulation.bits_per_symbol,
            modulation.axes,
            modulation.levels.numpy().astype(np.float32),
            modulation.demapping == "app",
            np.float32(snr.no),
            chain_kernels.RAYLEIGH if isinstance(self.channel, Rayleigh) else chain_kernels.AWGN,
            coherence,
            *_grid(code.decoder),
        )


def _grid(decoder: BeliefPropagation | None) -> tuple[np.float32, np.float32]:
    """Scale of the decoder's integers, 0 for floating point, and the largest LLR it takes."""
    if decoder is None:
        return np.float32(0.0), np.float32(1e30)
    return np.float32(0.0) if decoder.decoding.fixed_point is None else decoder.scale, decoder.largest


def _address(stream: Stream) -> tuple[np.uint64, tuple[np.uint32, np.uint32, np.uint32]]:
    """Key of the stream's blocks, and tags of what a block draws."""
    key, _, _ = stream.child(0).place
    bits, noise, fading = (np.uint32(stream.child(0, name).place[2]) for name in ("bits", "noise", "fading"))
    return np.uint64(key), (bits, noise, fading)
