"""Sizes of a transport block after TS 38.212: check sums, code blocks, coded lengths."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from phy.coding.catalog import code_kind
from phy.coding.ldpc.sizes import MAX_PAYLOAD_WITH_CRC16, select_base_graph
from phy.units import BudgetExceeded

__all__ = ["TransportFormat"]

_CB_CRC_BITS = 24


def _check_rate(rate: float | Fraction, code: str) -> float:
    kind = code_kind(code)
    if kind.from_file:
        raise ValueError(f"{code} has lengths of its own and makes no transport blocks")
    if code == "none" and rate != 1.0:
        raise ValueError(f"without a code the rate is 1, got {rate}")
    if not 0.0 < rate <= kind.highest_rate:
        raise ValueError(f"code rate of {code} must be above 0 and at most {kind.highest_rate}, got {rate}")
    return float(rate)


def _block_lengths(coded_bits: int, blocks: int, bits_per_symbol: int) -> tuple[int, ...]:
    """E_r of clause 5.4.2.1 for one layer: shorter blocks first, all multiples of Q_m, G in sum."""
    symbols, longer = divmod(coded_bits // bits_per_symbol, blocks)
    return tuple(bits_per_symbol * (symbols + (block >= blocks - longer)) for block in range(blocks))


@dataclass(frozen=True)
class _Segmentation:
    """Clause 5.2.2 for one payload, whatever it will be coded into."""

    tb_crc_bits: int
    blocks: int
    cb_crc_bits: int
    block_bits: int
    filler: int
    base_graph: int | None


def _segment(payload_bits: int, rate: float, max_block_bits: int | None, code: str) -> _Segmentation:
    tb_crc = 16 if payload_bits <= MAX_PAYLOAD_WITH_CRC16 else 24
    # Blocks that are cut shorter than the standard's are codes by themselves: each as clause 7.2.2 has it.
    ruling = payload_bits if max_block_bits is None else min(payload_bits, max_block_bits)
    graph = select_base_graph(ruling, rate) if code == "ldpc5g" else None
    least, limit = code_kind(code).limits(ruling, rate)
    if max_block_bits is not None:
        limit = min(limit, max_block_bits)
    total = payload_bits + tb_crc
    blocks, cb_crc = 1, 0
    if total > limit:
        cb_crc = _CB_CRC_BITS
        if limit <= cb_crc:
            raise ValueError(f"code blocks of {limit} bits leave no room beside a CRC of {cb_crc} bits")
        blocks = -(-total // (limit - cb_crc))
    block_bits = max(-(-(total + blocks * cb_crc) // blocks), least)
    return _Segmentation(tb_crc, blocks, cb_crc, block_bits, blocks * (block_bits - cb_crc) - total, graph)


@dataclass(frozen=True)
class TransportFormat:
    """How a payload is cut, protected and laid on channel uses.

    Use `for_channel_uses` or `for_payload`; the constructor takes any consistent set of numbers.

    Attributes
    ----------
    payload_bits:
        A, bits of the user.
    tb_crc_bits:
        16 up to A = 3824, else 24 (clause 7.2.1).
    blocks:
        C, code blocks (clause 5.2.2).
    cb_crc_bits:
        24 if there are several blocks, else 0.
    block_bits:
        K', information bits of a code block, its CRC included.
    segment_filler:
        Zeros appended behind the TB CRC so that C equal blocks come out. The standard chooses A such that
        there are none; this is an extension for arbitrary A.
    block_lengths:
        E_r, coded bits of every block (clause 5.4.2.1), which differ by at most one symbol.
    bits_per_symbol:
        Q_m.
    base_graph:
        1 or 2; None for other codes than LDPC. Clause 7.2.2 chooses it by A and the rate; where a limit of
        one's own cuts blocks shorter, by what such a block holds, as for a lone code of that size.

    Raises
    ------
    ValueError
        If the numbers contradict each other.

    Examples
    --------
    >>> form = TransportFormat.for_channel_uses(1000, bits_per_symbol=4, rate=0.5)
    >>> form.payload_bits, form.tb_crc_bits, form.blocks, form.block_lengths  # 1,984 and 16 in 4,000
    (1984, 16, 1, (4000,))
    """

    payload_bits: int
    tb_crc_bits: int
    blocks: int
    cb_crc_bits: int
    block_bits: int
    segment_filler: int
    block_lengths: tuple[int, ...]
    bits_per_symbol: int
    base_graph: int | None = None

    def __post_init__(self) -> None:
        carried = self.payload_bits + self.crc_bits + self.segment_filler
        if carried != self.blocks * self.block_bits or len(self.block_lengths) != self.blocks:
            raise ValueError(
                f"{self.blocks} blocks of {self.block_bits} bits, {len(self.block_lengths)} lengths, do not "
                f"hold {self.payload_bits} payload, {self.crc_bits} CRC and {self.segment_filler} filler bits"
            )

    @classmethod
    def for_channel_uses(
        cls,
        channel_uses: int,
        bits_per_symbol: int,
        rate: float | Fraction,
        max_block_bits: int | None = None,
        *,
        code: str = "ldpc5g",
    ) -> TransportFormat:
        """Largest payload that fills exactly so many channel uses.

        CRCs and filler count as information: C K' / G does not exceed ``rate``.

        Parameters
        ----------
        channel_uses:
            Complex channel uses, G / Q_m.
        bits_per_symbol:
            Q_m.
        rate:
            Code rate, which also selects the base graph; 1 for ``code="none"``.
        max_block_bits:
            Limit on K'; None for the standard's 8448 and 3840 and what suits the other codes. The JSCC
            literature's blocks of 6144 coded bits are ``round(rate * 6144)``, on base graph 2 at rates up to
            0.62 (its implementations build a lone code of 3072 of 6144 bits).
        code:
            A name of `phy.coding.catalog.CODES`.

        Raises
        ------
        BudgetExceeded
            If not a single payload bit fits, with the smallest number of channel uses that would do.

        Examples
        --------
        >>> fmt = TransportFormat.for_channel_uses(1536, 4, 0.5)
        >>> fmt.payload_bits, fmt.blocks, fmt.coded_bits
        (3056, 1, 6144)
        """
        rate = _check_rate(rate, code)
        coded_bits = channel_uses * bits_per_symbol
        budget = math.floor(rate * coded_bits * (1 + 1e-12))  # 2/3 of 6144 is 4096, whatever floats say

        def fits(payload: int) -> bool:
            cut = _segment(payload, rate, max_block_bits, code)
            return cut.blocks * cut.block_bits <= budget

        if channel_uses < 1 or bits_per_symbol < 1 or not fits(1):
            cut = _segment(1, rate, max_block_bits, code)
            least = _uses(cut.blocks * cut.block_bits, max(bits_per_symbol, 1), rate)
            raise BudgetExceeded(
                f"{channel_uses} channel uses of {bits_per_symbol} bits at rate {rate:.4g} carry no payload; "
                f"at least {least} are needed"
            )
        low, high = 1, budget  # the bits taken grow with the payload, so bisection finds the last that fits
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if fits(middle) else (low, middle)
        return cls.fixed(low, channel_uses, bits_per_symbol, rate, max_block_bits, code=code)

    @classmethod
    def for_payload(
        cls,
        payload_bits: int,
        bits_per_symbol: int,
        rate: float | Fraction,
        max_block_bits: int | None = None,
        *,
        code: str = "ldpc5g",
    ) -> TransportFormat:
        """Fewest channel uses that carry a payload at this rate or below; parameters as `for_channel_uses`.

        Raises
        ------
        ValueError
            If the payload is empty or the rate impossible.

        Examples
        --------
        >>> TransportFormat.for_payload(1000, 2, 0.5).channel_uses
        1016
        """
        rate = _check_rate(rate, code)
        if payload_bits < 1 or bits_per_symbol < 1:
            raise ValueError(
                "a payload needs at least one bit, and one bit a symbol, "
                f"got {payload_bits} and {bits_per_symbol}"
            )
        cut = _segment(payload_bits, rate, max_block_bits, code)
        uses = _uses(cut.blocks * cut.block_bits, bits_per_symbol, rate)
        return cls.fixed(payload_bits, uses, bits_per_symbol, rate, max_block_bits, code=code)

    @classmethod
    def fixed(
        cls,
        payload_bits: int,
        channel_uses: int,
        bits_per_symbol: int,
        rate: float | Fraction,
        max_block_bits: int | None = None,
        *,
        code: str = "ldpc5g",
    ) -> TransportFormat:
        """A given payload on given channel uses; ``rate`` is nominal and selects base graph and segmentation.

        Raises
        ------
        ValueError
            If there are more information bits than coded bits, or the nominal rate is impossible.

        Examples
        --------
        >>> TransportFormat.fixed(9992, 5001, 4, 0.5).block_lengths
        (10000, 10004)
        """
        rate = _check_rate(rate, code)
        coded_bits = channel_uses * bits_per_symbol
        cut = _segment(payload_bits, rate, max_block_bits, code)
        if cut.blocks * cut.block_bits > coded_bits:
            raise ValueError(
                f"{payload_bits} payload bits become {cut.blocks} blocks of {cut.block_bits} bits, "
                f"more than the {coded_bits} coded bits of {channel_uses} channel uses"
            )
        block_bits, filler = cut.block_bits, cut.filler
        if code == "none":  # the last symbol is filled up with zeros
            filler += coded_bits - block_bits
            block_bits = coded_bits
        return cls(
            payload_bits=payload_bits,
            tb_crc_bits=cut.tb_crc_bits,
            blocks=cut.blocks,
            cb_crc_bits=cut.cb_crc_bits,
            block_bits=block_bits,
            segment_filler=filler,
            block_lengths=_block_lengths(coded_bits, cut.blocks, bits_per_symbol),
            bits_per_symbol=bits_per_symbol,
            base_graph=cut.base_graph,
        )

    @property
    def coded_bits(self) -> int:
        """G, bits on the channel."""
        return sum(self.block_lengths)

    @property
    def channel_uses(self) -> int:
        """G / Q_m, complex channel uses."""
        return self.coded_bits // self.bits_per_symbol

    @property
    def crc_bits(self) -> int:
        """All CRC bits of this layer, transport block's and code blocks'."""
        return self.tb_crc_bits + self.blocks * self.cb_crc_bits

    @property
    def filler_bits(self) -> int:
        """Bits that carry nothing; LDPC filler is not transmitted and not counted."""
        return self.segment_filler

    @property
    def rate(self) -> float:
        """Code rate C K' / G."""
        return self.blocks * self.block_bits / self.coded_bits


def _uses(information_bits: int, bits_per_symbol: int, rate: float) -> int:
    """Fewest symbols at which so many bits are at most ``rate`` of the coded bits."""
    return math.ceil(information_bits / (rate * bits_per_symbol) * (1 - 1e-12))
