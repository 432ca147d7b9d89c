"""Modulation-coding schemes: a code, a rate and a constellation, and the sets of them in use."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from phy.coding.catalog import code_kind
from phy.coding.decoding import Decoding
from phy.coding.transport.block import TransportBlock, TransportFormat
from phy.modulation import Modulation

__all__ = [
    "SCHEME_SETS",
    "SCRAMBLING",
    "Scheme",
    "header_repeats",
    "parse_scheme",
    "parse_schemes",
    "transport_block",
]


@dataclass(frozen=True)
class Scheme:
    """A modulation-coding scheme.

    Attributes
    ----------
    rate:
        Information bits, check sums included, per coded bit.
    modulation:
        Name of the constellation (`phy.modulation`).
    code:
        A name of `phy.coding.catalog.CODES`.
    block_bits:
        Coded bits that a code block has at most; None segments as TS 38.212 does.

    Raises
    ------
    ValueError
        If the rate is not above 0 and at most 1.

    Examples
    --------
    >>> scheme = Scheme(Fraction(1, 2), "qam16")
    >>> scheme.name, scheme.bits_per_symbol, scheme.format_for_payload(476).channel_uses
    ('1/2-qam16', 4, 246)
    """

    rate: Fraction
    modulation: str
    code: str = "ldpc5g"
    block_bits: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 1:
            raise ValueError(f"code rate must be above 0 and at most 1, got {self.rate}")

    @property
    def name(self) -> str:
        """Rate and modulation, for example ``1/2-qam16``."""
        return f"{self.rate}-{self.modulation}"

    @property
    def bits_per_symbol(self) -> int:
        """Coded bits a channel use."""
        return Modulation(self.modulation).bits_per_symbol

    def _max_block_bits(self) -> int | None:
        return None if self.block_bits is None else round(self.rate * self.block_bits)

    def format_for_channel_uses(self, channel_uses: int) -> TransportFormat:
        """Transport block that fills exactly ``channel_uses``."""
        return TransportFormat.for_channel_uses(
            channel_uses, self.bits_per_symbol, float(self.rate), self._max_block_bits(), code=self.code
        )

    def format_for_payload(self, payload_bits: int) -> TransportFormat:
        """Smallest transport block that carries ``payload_bits``."""
        return TransportFormat.for_payload(
            payload_bits, self.bits_per_symbol, float(self.rate), self._max_block_bits(), code=self.code
        )


SCRAMBLING = (1, 1)
"""n_RNTI and n_ID of the scrambler (TS 38.211, clause 6.3.1.1). Without it the zeros that fill a file up to
its block would sit on the inner points of a QAM: less energy than accounted for, and more errors."""


@lru_cache(maxsize=16)
def transport_block(form: TransportFormat, code: str, decoding: Decoding) -> TransportBlock:
    """Build the encoder and decoder of a transport block, or return the one built before.

    ``decoding`` is meant for LDPC codes; a code that knows no such algorithm is decoded as by default.
    """
    own = decoding if decoding.algorithm in code_kind(code).decoders else None
    return TransportBlock(form, code, own, scrambling=SCRAMBLING)


def header_repeats(code: str) -> int:
    """How often a payload should write its header: once where a code protects all bits, else three times.

    Behind a code, bits are all right or many are wrong, and copies only make the block longer.

    Examples
    --------
    >>> header_repeats("ldpc5g"), header_repeats("none")
    (1, 3)
    """
    return 3 if code == "none" else 1


def _set(entries: str, block_bits: int | None = None) -> tuple[Scheme, ...]:
    pairs = (entry.split("-", 1) for entry in entries.split())
    return tuple(Scheme(Fraction(rate), modulation, block_bits=block_bits) for rate, modulation in pairs)


SCHEME_SETS: dict[str, tuple[Scheme, ...]] = {
    # WITT and SwinJSCC, AWGN: 5G LDPC, blocks of 6,144 coded bits.
    "witt": _set("1/3-qpsk 1/2-qpsk 2/3-qpsk 1/2-qam16 2/3-qam16 1/2-qam64", 6144),
    # The same authors' set for Rayleigh fading.
    "witt-rayleigh": _set("1/3-qpsk 1/2-qpsk 2/3-qpsk 1/2-qam16", 6144),
    # TS 38.214, Table 5.1.3.1-1, MCS 4, 6, 8, 11, 13, 15, 18, 20, 22, 24, 26 with TS 38.212's segmentation.
    "nr": _set(
        "308/1024-qpsk 449/1024-qpsk 602/1024-qpsk 378/1024-qam16 490/1024-qam16 616/1024-qam16 "
        "466/1024-qam64 567/1024-qam64 666/1024-qam64 772/1024-qam64 873/1024-qam64"
    ),
}


def parse_schemes(text: str, code: str = "ldpc5g") -> tuple[Scheme, ...]:
    """Read the name of a set, or schemes such as ``1/2-qam16,2/3-qpsk``.

    Schemes given one by one take TS 38.212's segmentation; ``1/2-qam16@6144`` limits code blocks to 6,144
    coded bits.

    Raises
    ------
    ValueError
        If the text is neither.

    Examples
    --------
    >>> [(scheme.name, scheme.block_bits) for scheme in parse_schemes("1/3-qpsk,1/2-qam16@6144")]
    [('1/3-qpsk', None), ('1/2-qam16', 6144)]
    """
    if text in SCHEME_SETS:
        return tuple(Scheme(s.rate, s.modulation, code, s.block_bits) for s in SCHEME_SETS[text])
    schemes = []
    for entry in text.split(","):
        head, _, block = entry.strip().partition("@")
        rate, _, modulation = head.partition("-")
        try:
            schemes.append(
                Scheme(Fraction(rate), Modulation(modulation).name, code, int(block) if block else None)
            )
        except (ValueError, ZeroDivisionError) as error:
            reason = f" ({error})" if rate else ""
            raise ValueError(
                f"scheme {entry!r} is neither a set ({', '.join(SCHEME_SETS)}) nor of the form "
                f"RATE-MODULATION[@CODED_BITS], for example 1/2-qam16@6144{reason}"
            ) from error
    return tuple(schemes)


def parse_scheme(text: str) -> Scheme:
    """Read a single scheme, with the name of its code before it unless that is 5G LDPC; rate 1 is uncoded.

    Raises
    ------
    ValueError
        If the text is none, or there is no such code.

    Examples
    --------
    >>> [parse_scheme(text).code for text in ("1/2-qpsk", "conv:1/2-qpsk", "1-qpsk")]
    ['ldpc5g', 'conv', 'none']
    """
    code, _, bare = text.rpartition(":")
    (scheme, *others) = parse_schemes(bare, code_kind(code).name if code else "ldpc5g")
    if others:
        raise ValueError(f"a single scheme is needed here, got {text!r}")
    return replace(scheme, code="none") if scheme.rate == 1 else scheme
