"""Hybrid ARQ: a block is sent again until it gets through, and the receiver keeps what it has heard.

Incremental redundancy sends other coded bits each time (redundancy versions of TS 38.212, clause 5.4.2.1, in
the order of TS 38.214, table 5.1.2.1-2: 0, 2, 3, 1); chase combining the same ones. LLRs add in a soft buffer
of the mother code's size, which is decoded after every transmission.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from phy.channels.channel import Channel
from phy.coding.code import check_bits, check_llr
from phy.coding.crc import CRC
from phy.coding.decoding import ALGORITHMS, Decoding
from phy.coding.ldpc.structure import Structure
from phy.coding.propagation.compiled import BeliefPropagation
from phy.lazily import torch
from phy.links.passage import Passage
from phy.modulation import Modulation
from phy.random import Stream
from phy.units import EsN0

__all__ = ["CHASE", "INCREMENTAL", "HarqLDPC5G", "HarqLink", "HarqReception"]

INCREMENTAL = (0, 2, 3, 1)
CHASE = (0, 0, 0, 0)


class HarqLDPC5G:
    """5G LDPC code whose transmissions add up in a soft buffer; decoded by the compiled engine.

    Parameters
    ----------
    k, n:
        Information bits, and coded bits of every transmission.
    versions:
        Redundancy version of each transmission: `INCREMENTAL`, `CHASE`, or any other from 0 to 3.
    bits_per_symbol, base_graph, decoding:
        As for `phy.coding.ldpc.ldpc5g.LDPC5G`, decoded by the compiled engine. The soft buffer holds
        ``float32``; a fixed-point decoder rounds what it is given.

    Raises
    ------
    ValueError
        If there is no version, or a parameter is outside its range.

    Examples
    --------
    >>> code = HarqLDPC5G(100, 120)
    >>> word = torch.ones(1, 100, dtype=torch.uint8)
    >>> buffer = code.empty(1)
    >>> for sent in range(2):
    ...     buffer = code.add(buffer, 8.0 * code.encode(word, sent) - 4.0, sent)
    >>> int(code.decode(buffer, 2)[0].sum())
    100
    """

    def __init__(
        self,
        k: int,
        n: int,
        versions: Sequence[int] = INCREMENTAL,
        *,
        bits_per_symbol: int | None = None,
        base_graph: int | None = None,
        decoding: Decoding = Decoding(),
    ) -> None:
        if not versions:
            raise ValueError("HARQ needs at least one redundancy version, got none")
        self.k, self.n, self.versions = k, n, tuple(versions)
        self.bits_per_symbol = bits_per_symbol
        self.decoding = decoding.among("HARQ", ALGORITHMS, ("compiled",))
        blocks = {rv: Structure.choose(k, n, bits_per_symbol, base_graph, rv) for rv in set(self.versions)}
        self._blocks = [blocks[rv] for rv in self.versions]
        self._decoders = _decoders(self._blocks, decoding)

    @property
    def name(self) -> str:
        """``harq-ldpc5g(k,n,bg,rv=0-2-3-1)``."""
        versions = "-".join(map(str, self.versions))
        return f"harq-ldpc5g({self.k},{self.n},bg{self._blocks[0].base_graph},rv={versions})"

    def encode(self, bits: torch.Tensor, sent: int) -> torch.Tensor:
        """Coded bits ``[batch, n]`` of ``[batch, k]`` bits for transmission ``sent``, counted from 0."""
        return self._blocks[sent].encode(check_bits(bits, self.k))

    def empty(self, batch: int) -> torch.Tensor:
        """Soft buffer of which nothing is known yet: ``[batch, mother code]``, ``torch.float32``."""
        return torch.zeros(batch, self._blocks[0].mother.size)

    def add(self, buffer: torch.Tensor, llr: torch.Tensor, sent: int) -> torch.Tensor:
        """Soft buffer with the ``[batch, n]`` LLRs of transmission ``sent`` added, where they belong.

        Raises
        ------
        ValueError
            If the LLRs have another shape, or one is NaN.
        """
        return buffer.index_add(1, torch.from_numpy(self._blocks[sent].sent), check_llr(llr, self.n))

    def decode(self, buffer: torch.Tensor, transmissions: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Decode what the first ``transmissions`` have put into the buffer.

        Returns
        -------
        torch.Tensor, torch.Tensor
            Bits ``[batch, k]``, ``torch.uint8``, and their soft values log p(b=1)/p(b=0), clipped as messages
            are, ``torch.float32``.
        """
        kept, propagation = self._decoders[transmissions - 1]
        clip = self.decoding.clip
        outcome = propagation.decode(buffer[:, kept].numpy(), soft=True)
        soft = torch.from_numpy(outcome.soft)[:, : self.k].clamp(-clip, clip)
        return torch.from_numpy(outcome.bits)[:, : self.k], soft


def _decoders(
    blocks: Sequence[Structure], decoding: Decoding
) -> list[tuple[torch.Tensor, BeliefPropagation]]:
    """After each transmission: mother variables that take part, and the decoder on the checks that tell."""
    seen = np.zeros(0, np.int64)
    found: list[tuple[torch.Tensor, BeliefPropagation]] = []
    for block in blocks:
        before, seen = seen.size, np.union1d(seen, block.sent)
        if found and seen.size == before:
            found.append(found[-1])
            continue
        graph, kept = blocks[0].checks(seen)
        found.append((torch.from_numpy(kept), BeliefPropagation(graph, decoding)))
    return found


@dataclass(frozen=True)
class HarqReception:
    """What came of each row's block.

    Attributes
    ----------
    bits:
        Decided payload bits after the last transmission, ``[batch, k]``, ``torch.uint8``.
    llr:
        Their soft values log p(b=1)/p(b=0), ``[batch, k]``, ``torch.float32``.
    transmissions:
        Transmissions made, ``[batch]``, ``torch.int64``.
    acknowledged:
        Whether the receiver took the block for right, ``[batch]``, ``torch.bool``. With a CRC it may err.
    channel_uses:
        Complex channel uses spent, ``[batch]``, ``torch.int64``.
    most:
        Transmissions that a row could have had.
    """

    bits: torch.Tensor
    llr: torch.Tensor
    transmissions: torch.Tensor
    acknowledged: torch.Tensor
    channel_uses: torch.Tensor
    most: int

    @property
    def failures(self) -> tuple[int, ...]:
        """Rows not acknowledged after the first, second ... transmission; over the batch, BLERs."""
        return tuple(
            int((~self.acknowledged | (self.transmissions > sent)).sum()) for sent in range(1, self.most + 1)
        )

    @property
    def throughput(self) -> float:
        """Acknowledged payload bits a channel use, over all rows."""
        return int(self.acknowledged.sum()) * self.bits.shape[1] / int(self.channel_uses.sum())


@dataclass(frozen=True)
class HarqLink:
    """Digital link that sends a block up to ``len(code.versions)`` times, until the receiver has it.

    Acknowledgements are free, instant and never wrong. Fading and noise are new in every transmission;
    those of the first are the ones of a `phy.links.digital.DigitalLink` with the same stream.

    Parameters
    ----------
    code, modulation, channel:
        What every transmission passes through (`phy.links.passage.Passage`).
    crc:
        Check sum in the code's last information bits by which the receiver knows a right block (``"24A"``,
        ``"16"`` ...; `phy.coding.crc.CRC`). None for a receiver that is told, which costs no bits: an upper
        bound for every check sum.

    Raises
    ------
    ValueError
        If there is no such CRC, it leaves no payload bit, or the code interleaves its bits for symbols of
        another size.

    Examples
    --------
    >>> from phy.channels.flat import AWGN
    >>> from phy.random import bits
    >>> link = HarqLink(HarqLDPC5G(128, 150, bits_per_symbol=2), Modulation("qpsk"), AWGN(), crc="16")
    >>> streams = Stream(1).batch(range(40))
    >>> sent = bits([stream.child("bits") for stream in streams], link.k)
    >>> link(sent, EsN0(5.0), streams).failures  # at a first rate of 128/150
    (36, 0, 0, 0)
    """

    code: HarqLDPC5G
    modulation: Modulation
    channel: Channel
    crc: str | None = None

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"CRC{self.crc} leaves no payload in k = {self.code.k} information bits")
        self._passage.check(self.code.name, self.code.bits_per_symbol)

    @property
    def _passage(self) -> Passage:
        return Passage(self.modulation, self.channel)

    @property
    def _check(self) -> CRC | None:
        return None if self.crc is None else CRC(self.crc)

    @property
    def name(self) -> str:
        """Names of the parts, as they stand in results."""
        check = "told" if self.crc is None else f"crc{self.crc.lower()}"
        return f"{self.code.name} / {self.modulation.name} / {self.channel.name} / {check}"

    @property
    def k(self) -> int:
        """Payload bits of a block: the code's information bits less the CRC."""
        return self.code.k - (0 if self._check is None else self._check.length)

    def describe(self) -> dict[str, Any]:
        """What the errors of the link depend on, SNR and streams apart."""
        code = {"name": self.code.name, "k": self.code.k, "n": self.code.n}
        code["decoder"] = self.code.decoding.describe()
        return {"code": code, **self._passage.describe(), "crc": self.crc}

    @property
    def channel_uses(self) -> int:
        """Complex channel uses of one transmission, filler included: ceil(n / m)."""
        return self._passage.channel_uses(self.code.n)

    @property
    def bits_per_use(self) -> float:
        """Payload bits a channel use of one transmission: what turns Es/N0 into Eb/N0."""
        return self.k / self.channel_uses

    @property
    def filler_bits(self) -> int:
        """Zeros appended to the coded bits of one transmission."""
        return self._passage.filler_bits(self.code.n)

    def __call__(self, bits: torch.Tensor, snr: EsN0, streams: Sequence[Stream]) -> HarqReception:
        """Send one block a row.

        Parameters
        ----------
        bits:
            Payload bits, ``[batch, k]``, ``torch.uint8``.
        snr:
            Es/N0 a channel use.
        streams:
            One a row: fading and noise of all its transmissions.

        Raises
        ------
        ValueError
            If the bits are not ``[batch, k]`` zeros and ones, or there is not one stream a row.
        """
        word = check_bits(bits, self.k)
        if len(streams) != len(word):
            raise ValueError(f"{len(word)} rows need as many streams, got {len(streams)}")
        if self._check is not None:
            word = self._check.attach(word)
        buffer = self.code.empty(len(word))
        decided, soft = torch.zeros_like(word), torch.zeros(word.shape)
        transmissions = torch.zeros(len(word), dtype=torch.int64)
        acknowledged = torch.zeros(len(word), dtype=torch.bool)
        for sent in range(len(self.code.versions)):
            rows = torch.nonzero(~acknowledged)[:, 0]
            if not len(rows):
                break
            llr = self._transmit(word[rows], sent, snr, [streams[int(row)] for row in rows])
            buffer[rows] = self.code.add(buffer[rows], llr, sent)
            decided[rows], soft[rows] = self.code.decode(buffer[rows], sent + 1)
            transmissions[rows] += 1
            acknowledged[rows] = self._right(decided[rows], word[rows])
        return HarqReception(
            bits=decided[:, : self.k],
            llr=soft[:, : self.k],
            transmissions=transmissions,
            acknowledged=acknowledged,
            channel_uses=transmissions * self.channel_uses,
            most=len(self.code.versions),
        )

    def _transmit(self, word: torch.Tensor, sent: int, snr: EsN0, streams: Sequence[Stream]) -> torch.Tensor:
        """LLRs ``[rows, n]`` of one transmission of these rows."""
        if sent:
            streams = [stream.child(f"transmission {sent}") for stream in streams]
        return self._passage.llr(self.code.encode(word, sent), snr, streams)

    def _right(self, decided: torch.Tensor, word: torch.Tensor) -> torch.Tensor:
        check = self._check
        return (decided == word).all(dim=1) if check is None else check.check(decided)[1]
