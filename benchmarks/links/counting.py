"""Send blocks through a link and count what arrives wrong.

Block ``i`` of a point draws its information bits, its fading and its noise from
``Stream(seed, channel, Es/N0, i)``, so codes compared at the same Es/N0 meet the same channel. A point is cut
into chunks by a rule that knows nothing of batch sizes or workers.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from functools import lru_cache

from benchmarks.links.levels import Level, key
from benchmarks.links.sweepable import Sweepable
from benchmarks.settings.ber import BerSpec
from benchmarks.settings.codes import CodeSpec
from benchmarks.settings.errors import InputError
from phy import random
from phy.chain.chain import ChainCode, CompiledChain
from phy.channels.names import parse_bit_channel, parse_channel
from phy.coding.catalog import code_kind
from phy.coding.code import Code
from phy.coding.decoding import HARD
from phy.coding.interleaving import Interleaved, Interleaver
from phy.coding.ldpc.ldpc5g import LDPC5G
from phy.coding.transport.block import TransportBlock, TransportFormat
from phy.coding.transport.mcs import mcs_entry
from phy.lazily import torch
from phy.links.binary import BinaryLink
from phy.links.digital import DigitalLink
from phy.links.harq import HarqLDPC5G, HarqLink
from phy.links.iterative import IterativeLink
from phy.modulation import Modulation
from phy.random import Stream
from phy.threads import thread_count
from phy.units import EsN0, EventProbability

__all__ = [
    "RULES_VERSION",
    "Chunk",
    "Counts",
    "build_chain",
    "build_link",
    "chunk_end",
    "chunk_start",
    "count",
    "in_one_piece",
    "link_of",
    "on_grid",
    "plain_link",
]

RULES_VERSION = 3
"""Version of the rules by which a block draws and a point is cut; part of every condition."""

_SMALLEST_CHUNK, _LARGEST_CHUNK = 64, 65536
_STEP_SECONDS = 1.0


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
    squared_channel_uses:
        Sum over the blocks of their squared number: a block that is sent again is not independent of itself.
    right_channel_uses:
        Those of blocks without a wrong bit.
    seconds:
        Time it took.
    """

    blocks: int = 0
    block_errors: int = 0
    bits: int = 0
    bit_errors: int = 0
    squared_bit_errors: int = 0
    channel_uses: int = 0
    squared_channel_uses: int = 0
    right_channel_uses: int = 0
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
    level:
        The point.
    first, blocks, batch_size:
        Which blocks, and how many at once.
    pace:
        Seconds that a block is known to take; None before the first.
    seconds:
        Time after which `count` leaves the rest of the blocks.
    """

    link: BerSpec | Sweepable
    seed: int
    channel: str
    level: Level
    first: int
    blocks: int
    batch_size: int
    pace: float | None = None
    seconds: float = math.inf

    @property
    def root(self) -> Stream:
        """Parent of the blocks' streams."""
        name, text = key(self.level)
        return Stream(self.seed, self.channel, f"{name.removesuffix('_db')}={text}")


def chunk_end(done: int) -> int:
    """Block before which the chunk ends that begins at block ``done``.

    Chunks grow with the blocks done, from 64 to 65,536, so that rows stay few and each is at most an eighth
    of what lies before it (the first eight excepted).
    """
    size = _chunk_size(done)
    return (done // size + 1) * size


def chunk_start(done: int) -> int:
    """Block at which the chunk begins that block ``done`` belongs to."""
    size = _chunk_size(done)
    return done // size * size


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
    transport: Fraction | None = None,
    interleaver: str | None = None,
) -> DigitalLink | BinaryLink:
    """Build the chain that a spec describes, decoded by an engine (None: the code's first) on a device.

    With ``transport``, a code rate that chooses base graph and segmentation, blocks are transport blocks.

    Raises
    ------
    InputError
        If a part does not exist or the parts do not fit together.
    """
    with _refusals():
        mapping = Modulation(modulation, demapping, device)  # type: ignore[arg-type]
        bare = parse_bit_channel(channel)
        if bare is not None and (mapping.name, demapping) != ("bpsk", "app"):
            raise ValueError(
                f"channel {bare.name} takes bits as they are: leave modulation and demapping out, "
                f"got {modulation} and {demapping}"
            )
        kind, m = code_kind(code.name), mapping.bits_per_symbol
        decoding = code.decoder.of(engine or kind.engines[0])
        made: Code
        if transport is None:
            made = kind.build(
                code.k,
                code.n,
                decoding,
                device=device,
                # TS 38.212 interleaves whole symbols only; a link that needs filler has no interleaver.
                bits_per_symbol=m if code.n and code.n % m == 0 else None,
                name=code.name,
            )
        else:
            form = _transport_format(code, m, transport)
            made = TransportBlock(form, code.name, decoding, device=device)
        if interleaver is not None:
            made = Interleaved(made, Interleaver.parse(interleaver))
        return BinaryLink(made, bare) if bare else DigitalLink(made, mapping, parse_channel(channel))


def _transport_format(code: CodeSpec, bits_per_symbol: int, rate: Fraction) -> TransportFormat:
    if code.k is None or code.n is None or code.n % bits_per_symbol:
        raise InputError(
            f"a transport block has k bits on n coded bits of whole symbols, {bits_per_symbol} each, "
            f"got k={code.k} and n={code.n}"
        )
    return TransportFormat.fixed(code.k, code.n // bits_per_symbol, bits_per_symbol, rate, code=code.name)


def plain_link(spec: BerSpec, engine: str | None = None) -> DigitalLink | BinaryLink:
    """Build the link of a spec in which a block is sent and demapped once."""
    rate = None
    if spec.transport:
        rate = mcs_entry(spec.mcs).rate if spec.mcs else Fraction(spec.code.k or 0, spec.code.n or 1)
    return build_link(
        spec.code, spec.modulation, spec.demapping, spec.channel, engine, spec.device, rate, spec.interleaver
    )


@lru_cache(maxsize=4)
def link_of(spec: BerSpec, engine: str | None = None) -> DigitalLink | BinaryLink | HarqLink | IterativeLink:
    """Build the link of a spec: plain, with HARQ, or with a receiver that demaps in turns.

    Raises
    ------
    InputError
        If a part does not exist or the parts do not fit together.
    """
    plain = plain_link(spec, engine)
    if not spec.repeats:
        return plain
    code, decoding = plain.code, spec.code.decoder.of("compiled")
    if not isinstance(code, LDPC5G):
        raise InputError(f"--harq and --turns take code ldpc5g, got {spec.code.label}")
    if isinstance(plain, BinaryLink):
        raise InputError(f"--harq and --turns take a channel of symbols, got {spec.channel}")
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


def in_one_piece(spec: BerSpec) -> bool:
    """Whether the compiled chain sends the blocks of these settings, in threads, and no link of objects."""
    if spec.engine != "compiled" or spec.linked or spec.code.decoder.algorithm in HARD:
        return False
    if parse_bit_channel(spec.channel) is not None:
        return False
    return CompiledChain.covers(Modulation(spec.modulation), parse_channel(spec.channel))


@lru_cache(maxsize=4)
def build_chain(
    code: CodeSpec, modulation: str, demapping: str, channel: str, interleaver: str | None = None
) -> CompiledChain:
    """Build in one piece of compiled code what `in_one_piece` says has one."""
    link = build_link(code, modulation, demapping, channel, "compiled", interleaver=interleaver)
    if isinstance(link, BinaryLink):
        raise TypeError(f"the compiled chain has channels of symbols, got {channel}")
    return CompiledChain(ChainCode.of(link.code), link.modulation, link.channel)


@lru_cache(maxsize=4)
def _warm_link(spec: BerSpec) -> Sweepable:
    """Build a link and send one block: what libraries set up on first use is no part of a measured time."""
    link = link_of(spec, spec.engine)
    _send(link, EventProbability(0.5) if isinstance(link, BinaryLink) else EsN0(0.0), [Stream(0)])
    return link


def count(chunk: Chunk, threads: int | None = None) -> Counts:
    """Send the blocks of a chunk, or those for which its time suffices, and count what arrives wrong.

    Parameters
    ----------
    chunk:
        Which blocks of which link.
    threads:
        Of the compiled chain; None for `phy.threads.thread_count`.

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
    if in_one_piece(chunk.link):
        return _count_compiled(chunk.link, chunk, threads or thread_count())
    return _count_through(_warm_link(chunk.link), chunk)


def _in_steps(chunk: Chunk, most: int, send: Callable[[int, int], Counts]) -> Counts:
    """Send so many blocks at once as take about a second, until all are sent or the chunk's time is over.

    Machine code cannot be interrupted: a step is what Ctrl-C has to wait for.
    """
    begin, total, pace = time.perf_counter(), Counts(), chunk.pace
    while not total.blocks or (total.blocks < chunk.blocks and time.perf_counter() - begin < chunk.seconds):
        step = min(most, chunk.blocks - total.blocks)
        step = min(step, 1 if pace is None else max(1, int(_STEP_SECONDS / max(pace, 1e-9))))
        start = time.perf_counter()
        total += send(chunk.first + total.blocks, step)
        pace = (time.perf_counter() - start) / step
    return replace(total, seconds=time.perf_counter() - begin)


def _count_through(link: Sweepable, chunk: Chunk) -> Counts:
    def send(first: int, blocks: int) -> Counts:
        return _send(link, chunk.level, chunk.root.batch(range(first, first + blocks)))

    return _in_steps(chunk, chunk.batch_size, send)


def _count_compiled(spec: BerSpec, chunk: Chunk, threads: int) -> Counts:
    chain = build_chain(spec.code, spec.modulation, spec.demapping, spec.channel, spec.interleaver)
    snr = chunk.level
    if not isinstance(snr, EsN0):
        raise TypeError(f"the compiled chain is swept by Es/N0, got {snr}")
    if chain not in _WARM:
        chain.count(chunk.root, snr, 0, 1)
        _WARM.add(chain)

    def send(first: int, blocks: int) -> Counts:
        found = chain.count(chunk.root, snr, first, blocks, threads)
        return Counts(
            blocks,
            found.block_errors,
            blocks * chain.code.k,
            found.bit_errors,
            found.squared_bit_errors,
            blocks * chain.symbols,
            blocks * chain.symbols**2,
            (blocks - found.block_errors) * chain.symbols,
        )

    return _in_steps(chunk, chunk.blocks, send)


_WARM: set[object] = set()


def _send(link: Sweepable, level: Level, streams: Sequence[Stream]) -> Counts:
    sent = random.bits([stream.child("bits") for stream in streams], link.k)
    bits, uses = _received(link, sent, level, streams)
    wrong = (bits != sent).sum(dim=1)
    return Counts(
        blocks=len(streams),
        block_errors=int((wrong > 0).sum()),
        bits=sent.numel(),
        bit_errors=int(wrong.sum()),
        squared_bit_errors=int((wrong * wrong).sum()),
        channel_uses=int(uses.sum()),
        squared_channel_uses=int((uses * uses).sum()),
        right_channel_uses=int(uses[wrong == 0].sum()),
    )


def _received(
    link: Sweepable, sent: torch.Tensor, level: Level, streams: Sequence[Stream]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Bits, and the channel uses that each row took, on the CPU."""
    found = link(sent, level, streams)
    bits = found.bits.detach().cpu()
    uses = torch.as_tensor(getattr(found, "channel_uses", link.channel_uses)).detach().cpu()
    if bits.shape != sent.shape or bits.dtype != torch.uint8:
        raise InputError(
            f"link {link.name} must deliver bits {list(sent.shape)} of torch.uint8, "
            f"got {list(bits.shape)} of {bits.dtype}"
        )
    if uses.min() < link.channel_uses:
        raise InputError(
            f"a row of link {link.name} takes {link.channel_uses} channel uses or, sent again, more, "
            f"got {int(uses.min())}"
        )
    return bits, uses.to(torch.int64).expand(len(streams))
