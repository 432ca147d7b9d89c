"""Send blocks through a link and count what arrives wrong.

Block ``i`` of a point draws its information bits, its fading and its noise from
``Stream(seed, channel, Es/N0, i)``, so codes compared at the same Es/N0 meet the same channel. A point is cut
into chunks by a rule that knows nothing of batch sizes or workers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import lru_cache

import torch

from benchmarks.links.sweepable import Sweepable
from benchmarks.settings.ber import BerSpec
from benchmarks.settings.codes import CodeSpec
from benchmarks.settings.errors import InputError
from phy import random
from phy.chain.chain import ChainCode, CompiledChain
from phy.channels.names import parse_channel
from phy.coding.catalog import code_kind
from phy.coding.ldpc.ldpc5g import LDPC5G
from phy.links.digital import DigitalLink
from phy.links.harq import HarqLDPC5G, HarqLink
from phy.links.iterative import IterativeLink
from phy.modulation import Modulation
from phy.random import Stream
from phy.units import EsN0

__all__ = [
    "RULES_VERSION",
    "Chunk",
    "Counts",
    "build_chain",
    "build_link",
    "chunk_end",
    "count",
    "counts_in_threads",
    "link_of",
    "on_grid",
]

RULES_VERSION = 3
"""Version of the rules by which a block draws and a point is cut; part of every condition."""

_SMALLEST_CHUNK, _LARGEST_CHUNK = 64, 65536


@dataclass(frozen=True)
class Counts:
    """What was counted over some blocks; counts of disjoint blocks add.

    Attributes
    ----------
    blocks, block_errors:
        Blocks sent, and those decoded with any wrong information bit.
    bits, bit_errors:
        Information bits sent, and wrong ones.
    squared_bit_errors:
        Sum over the blocks of the squared number of wrong bits: the bits of a block fail together.
    channel_uses:
        Complex channel uses spent, of all transmissions of all blocks.
    seconds:
        Time it took.
    """

    blocks: int = 0
    block_errors: int = 0
    bits: int = 0
    bit_errors: int = 0
    squared_bit_errors: int = 0
    channel_uses: int = 0
    seconds: float = 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True)
class Chunk:
    """Blocks ``first`` to ``first + blocks - 1`` of a point, to be sent ``batch_size`` at a time.

    Attributes
    ----------
    link:
        A link, or the settings of one, from which other processes build it once.
    seed, channel:
        Root of the random draws: links that share both meet the same channel.
    esno_db:
        The point.
    first, blocks, batch_size:
        Which blocks, and how many at once.
    """

    link: BerSpec | Sweepable
    seed: int
    channel: str
    esno_db: float
    first: int
    blocks: int
    batch_size: int

    @property
    def root(self) -> Stream:
        """Parent of the blocks' streams."""
        return Stream(self.seed, self.channel, f"esno={self.esno_db:.6f}")


def chunk_end(done: int) -> int:
    """Block before which the chunk ends that begins at block ``done``.

    Chunks grow with the blocks done, from 64 to 65,536, so that rows stay few and each is at most an eighth
    of what lies before it (the first eight excepted).
    """
    size = _chunk_size(done)
    return (done // size + 1) * size


def on_grid(done: int) -> bool:
    """Whether a chunk of an uninterrupted run ends at block ``done``."""
    return done % _chunk_size(done) == 0


def _chunk_size(done: int) -> int:
    return min(max(_SMALLEST_CHUNK, 1 << max((done // 8).bit_length() - 1, 0)), _LARGEST_CHUNK)


@lru_cache(maxsize=4)
def build_link(
    code: CodeSpec,
    modulation: str,
    demapping: str,
    channel: str,
    engine: str | None = None,
    device: str = "cpu",
) -> DigitalLink:
    """Build the chain that a spec describes, decoded by an engine (None: the code's first) on a device.

    Raises
    ------
    InputError
        If a part does not exist or the parts do not fit together.
    """
    with _refusals():
        mapping = Modulation(modulation, demapping, device)  # type: ignore[arg-type]
        kind, m = code_kind(code.name), mapping.bits_per_symbol
        made = kind.build(
            code.k,
            code.n,
            code.decoder.of(engine or kind.engines[0]),
            device=device,
            # TS 38.212 interleaves whole symbols only; where the link needs filler there is no interleaver.
            bits_per_symbol=m if code.n and code.n % m == 0 else None,
            name=code.name,
        )
        return DigitalLink(made, mapping, parse_channel(channel))


@lru_cache(maxsize=4)
def link_of(spec: BerSpec, engine: str | None = None) -> DigitalLink | HarqLink | IterativeLink:
    """Build the link of a spec: plain, with HARQ, or with a receiver that demaps in turns.

    Raises
    ------
    InputError
        If a part does not exist or the parts do not fit together.
    """
    plain = build_link(spec.code, spec.modulation, spec.demapping, spec.channel, engine, spec.device)
    if not spec.repeats:
        return plain
    code, decoding = plain.code, spec.code.decoder.of("compiled")
    if not isinstance(code, LDPC5G):
        raise InputError(f"--harq and --turns take code ldpc5g, got {spec.code.label}")
    with _refusals():
        if spec.harq is None:
            mother = LDPC5G(code.k, code.n, bits_per_symbol=code.bits_per_symbol, decoding=decoding)
            return IterativeLink(mother, plain.modulation, plain.channel, spec.turns)
        repeated = HarqLDPC5G(
            code.k, code.n, spec.versions, bits_per_symbol=code.bits_per_symbol, decoding=decoding
        )
        return HarqLink(repeated, plain.modulation, plain.channel, spec.crc)


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what parts say of wrong parameters into an `InputError`."""
    try:
        yield
    except (ValueError, RuntimeError, AssertionError) as error:  # PyTorch's words for a missing device
        raise InputError(" ".join(str(error).split())) from error


@lru_cache(maxsize=4)
def build_chain(code: CodeSpec, modulation: str, demapping: str, channel: str) -> CompiledChain:
    """Build the same in compiled code, if it is covered (`benchmarks.settings.ber.resolve_engine`)."""
    link = build_link(code, modulation, demapping, channel, "compiled")
    return CompiledChain(ChainCode.of(link.code), link.modulation, link.channel)


@lru_cache(maxsize=4)
def _warm_link(spec: BerSpec) -> DigitalLink | HarqLink | IterativeLink:
    """Build a link and send one block: what libraries set up on first use is no part of a measured time."""
    link = link_of(spec, spec.engine)
    _send(link, EsN0(0.0), [Stream(0)])
    return link


def counts_in_threads(link: BerSpec | Sweepable) -> bool:
    """Whether the blocks of a link are sent by compiled code, whose workers are threads of one process."""
    return isinstance(link, BerSpec) and link.engine == "compiled" and not link.repeats


def count(chunk: Chunk, threads: int | None = None) -> Counts:
    """Send the blocks of a chunk and count what arrives wrong.

    Parameters
    ----------
    chunk:
        Which blocks of which link.
    threads:
        Of the compiled chain; None for as many as PyTorch has.

    Raises
    ------
    InputError
        If a link of somebody's own raises something, or delivers no bits of this shape; quotes it.
    """
    if not isinstance(chunk.link, BerSpec):
        try:
            return _count_through(chunk.link, chunk)
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"link {chunk.link.name} raised {type(error).__name__}: {error}") from error
    if counts_in_threads(chunk.link):
        return _count_compiled(chunk.link, chunk, threads or torch.get_num_threads())
    return _count_through(_warm_link(chunk.link), chunk)


def _count_through(link: Sweepable, chunk: Chunk) -> Counts:
    start = time.perf_counter()
    total = Counts()
    for first in range(chunk.first, chunk.first + chunk.blocks, chunk.batch_size):
        last = min(first + chunk.batch_size, chunk.first + chunk.blocks)
        total += _send(link, EsN0(chunk.esno_db), chunk.root.batch(range(first, last)))
    return total + Counts(seconds=time.perf_counter() - start)


def _count_compiled(spec: BerSpec, chunk: Chunk, threads: int) -> Counts:
    chain = build_chain(spec.code, spec.modulation, spec.demapping, spec.channel)
    if chain not in _WARM:
        chain.count(chunk.root, EsN0(chunk.esno_db), 0, 1)
        _WARM.add(chain)
    start = time.perf_counter()
    found = chain.count(chunk.root, EsN0(chunk.esno_db), chunk.first, chunk.blocks, threads)
    return Counts(
        chunk.blocks,
        found.block_errors,
        chunk.blocks * chain.code.k,
        found.bit_errors,
        found.squared_bit_errors,
        chunk.blocks * link_of(spec).channel_uses,
        time.perf_counter() - start,
    )


_WARM: set[object] = set()


def _send(link: Sweepable, snr: EsN0, streams: Sequence[Stream]) -> Counts:
    sent = random.bits([stream.child("bits") for stream in streams], link.k)
    bits, uses = _received(link, sent, snr, streams)
    wrong = (bits != sent).sum(dim=1)
    return Counts(
        blocks=len(streams),
        block_errors=int((wrong > 0).sum()),
        bits=sent.numel(),
        bit_errors=int(wrong.sum()),
        squared_bit_errors=int((wrong * wrong).sum()),
        channel_uses=uses,
    )


def _received(
    link: Sweepable, sent: torch.Tensor, snr: EsN0, streams: Sequence[Stream]
) -> tuple[torch.Tensor, int]:
    """Bits on the CPU, and the channel uses that all rows took together."""
    found = link(sent, snr, streams)
    bits = found.bits.detach().cpu()
    uses = torch.as_tensor(getattr(found, "channel_uses", link.channel_uses))
    if bits.shape != sent.shape or bits.dtype != torch.uint8:
        raise InputError(
            f"link {link.name} must deliver bits {list(sent.shape)} of torch.uint8, "
            f"got {list(bits.shape)} of {bits.dtype}"
        )
    return bits, int(uses.expand(len(streams)).sum())
