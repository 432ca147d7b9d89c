"""Measure decoder and chain against plain Sionna on the same machine, in turns, repeated."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from sionna.phy import channel as sionna_channel
from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder
from sionna.phy.mapping import BinarySource, Constellation, Demapper, Mapper

from phy.chain.chain import ChainCode, CompiledChain
from phy.channels.flat import AWGN
from phy.coding.decoding import Decoding
from phy.coding.fixed_point import FixedPoint
from phy.coding.ldpc.compiled import CompiledDecoder
from phy.coding.ldpc.ldpc5g import LDPC5G
from phy.modulation import Modulation
from phy.random import Stream
from phy.units import EbN0, EsN0

__all__ = ["CASES", "QUICK", "Case", "measure"]


@dataclass(frozen=True)
class Case:
    """One code at one SNR: 5G LDPC, AWGN, offset-min-sum.

    Attributes
    ----------
    k, n, ebno_db, schedule, iterations:
        The same on both sides; ours also stops when all checks hold, which Sionna cannot.
    llr_bits:
        Width of our LLRs; None is ``float32``, as Sionna's.
    modulation:
        Constellation, demapped exactly on both sides.
    """

    k: int
    n: int
    ebno_db: float
    schedule: str = "flooding"
    iterations: int = 20
    llr_bits: int | None = 8
    modulation: str = "bpsk"

    @property
    def bits_per_symbol(self) -> int:
        """Coded bits a symbol."""
        return Modulation(self.modulation).bits_per_symbol

    @property
    def snr(self) -> EsN0:
        """Es/N0 at this rate and constellation."""
        return EbN0(self.ebno_db).to_esn0(self.k * self.bits_per_symbol / self.n)

    @property
    def decoding(self) -> Decoding:
        """How our side decodes."""
        form = None if self.llr_bits is None else FixedPoint.of(self.llr_bits)
        return Decoding("offset-minsum", self.schedule, self.iterations, fixed_point=form)

    @property
    def engine(self) -> str:
        """Name of our side."""
        return f"compiled {'float32' if self.llr_bits is None else f'{self.llr_bits}-bit'}"


QUICK = (  # block error rates of 1e-2 and 1e-5 where flooding, 1e-2 at the longer code
    Case(512, 1024, 1.95),
    Case(512, 1024, 2.7),
    Case(512, 1024, 2.7, "layered", llr_bits=6),
    Case(4096, 8192, 1.5),
    Case(512, 1024, 4.6, "layered", llr_bits=6, modulation="qam16"),
    Case(512, 1024, 10.6, "layered", llr_bits=6, modulation="qam256"),
)
CASES = tuple(
    Case(k, n, ebno_db, schedule, llr_bits=llr_bits)
    for k, n, points in ((512, 1024, (1.95, 2.7)), (4096, 8192, (1.5, 1.8)))
    for ebno_db in points
    for schedule in ("flooding", "layered")
    for llr_bits in (None, 8, 6)
) + tuple(
    Case(512, n, ebno_db, "layered", llr_bits=6, modulation=modulation)
    for n, ebno_db, modulation in (
        (1024, 4.6, "qam16"),
        (1020, 7.6, "qam64"),
        (1024, 10.6, "qam256"),
        (1020, 14.0, "qam1024"),
    )
)


class _PlainSionna:
    """Sionna's blocks one after the other, as in its own simulation loop."""

    def __init__(self, case: Case) -> None:
        self.case = case
        m = case.bits_per_symbol
        self.encoder = LDPC5GEncoder(case.k, case.n, num_bits_per_symbol=m)
        self.decoder = LDPC5GDecoder(
            self.encoder, cn_update="offset-minsum", cn_schedule=case.schedule, num_iter=case.iterations
        )
        constellation = Constellation("pam", 1) if m == 1 else Constellation("qam", m)
        self.source, self.mapper = BinarySource(), Mapper(constellation=constellation)
        self.channel, self.demapper = sionna_channel.AWGN(), Demapper("app", constellation=constellation)

    def llr(self, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Information bits and the LLRs that arrive."""
        sent = self.source([batch, self.case.k])
        no = torch.tensor(self.case.snr.no)
        received = self.channel(self.mapper(self.encoder(sent)), no)
        return sent, self.demapper(received, no)

    def count(self, batch: int) -> int:
        """Send a batch and count wrong blocks."""
        sent, llr = self.llr(batch)
        return int((self.decoder(llr) != sent).any(dim=-1).sum())


def measure(case: Case, repeats: int, batch: int = 64, seconds: float = 0.5) -> dict[str, dict[str, Any]]:
    """Measure one case.

    Parameters
    ----------
    case:
        What to decode and to simulate.
    repeats:
        Turns of both sides; the rates are medians, the ratios come with their extremes.
    batch:
        Blocks that Sionna computes at once.
    seconds:
        Time that our side is given in each turn.

    Returns
    -------
    dict
        ``decoder`` and ``chain``: ``{"k", "n", "ebno_db", "bler", "engine", "mbps", "sionna_mbps", "ratio"}``
        and more. Rates count information bits.
    """
    sionna, threads = _PlainSionna(case), torch.get_num_threads()
    _, llr = sionna.llr(batch)
    code = LDPC5G(case.k, case.n, bits_per_symbol=case.bits_per_symbol, decoding=case.decoding)
    chain = CompiledChain(ChainCode.of(code), Modulation(case.modulation), AWGN())
    stream = Stream(1, "speed", case.k, case.modulation, case.ebno_db.hex())
    decoder = CompiledDecoder(code.structure, case.decoding)
    frames = decoder.heard.variables(_repeated(llr)).numpy()
    count = _Counter(case, chain, stream, threads)
    decode = decoder.propagation.decode
    pairs = {
        "decoder": _turns(
            repeats,
            lambda: _rate(lambda: sionna.decoder(llr), batch * case.k),
            lambda: _rate(lambda: decode(frames), len(frames) * case.k, seconds),
        ),
        "chain": _turns(
            repeats,
            lambda: _rate(lambda: sionna.count(batch), batch * case.k),
            lambda: _rate(count.more, count.step * case.k, seconds),
        ),
    }
    found: dict[str, dict[str, Any]] = {}
    for name, rates in pairs.items():
        found[name] = {
            "k": case.k,
            "n": case.n,
            "ebno_db": case.ebno_db,
            "modulation": case.modulation,
            "schedule": case.schedule,
            "iterations": case.iterations,
            "engine": case.engine,
            "threads": threads,
            "mbps": statistics.median(ours for _, ours in rates),
            "sionna_mbps": statistics.median(plain for plain, _ in rates),
            "ratio": statistics.median(ours / plain for plain, ours in rates),
            "ratio_low": min(ours / plain for plain, ours in rates),
            "ratio_high": max(ours / plain for plain, ours in rates),
        }
    for entry in found.values():
        entry |= {"bler": count.errors / count.blocks, "blocks": count.blocks, "block_errors": count.errors}
    return found


def _repeated(llr: torch.Tensor, frames: int = 2048) -> torch.Tensor:
    """Repeat rows until there are ``frames``."""
    return llr.repeat(-(-frames // len(llr)), 1)[:frames].to(torch.float32)


@dataclass
class _Counter:
    """Blocks that the chain has counted so far, ever new ones."""

    case: Case
    chain: CompiledChain
    stream: Stream
    threads: int
    blocks: int = 0
    errors: int = 0

    @property
    def step(self) -> int:
        """Blocks a turn."""
        return 8192 if self.case.k < 2048 else 1024

    def more(self) -> None:
        """Count the next blocks."""
        found = self.chain.count(self.stream, self.case.snr, self.blocks, self.step, self.threads)
        self.blocks += self.step
        self.errors += found.block_errors


def _turns(repeats: int, plain: Callable[[], float], ours: Callable[[], float]) -> list[tuple[float, float]]:
    """Rates of both sides in turns, after one turn to warm up."""
    plain(), ours()
    return [(plain(), ours()) for _ in range(repeats)]


def _rate(work: Callable[[], object], bits: int, seconds: float = 0.0) -> float:
    """Megabits a second of ``work``, repeated for at least ``seconds``."""
    start, turns = time.perf_counter(), 0
    while turns == 0 or time.perf_counter() - start < seconds:
        work()
        turns += 1
    return bits * turns / (time.perf_counter() - start) / 1e6
