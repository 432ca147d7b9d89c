"""All channel codes by name: what each one is, how it is built, and what may be asked of it.

Whatever lists codes, checks settings, cuts payloads into blocks or builds links reads this table. A new code
is one file with a `phy.coding.code.Code` and one entry here. Codes are imported when they are built.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from phy.coding.decoding import ALGORITHMS, HARD, Decoding
from phy.coding.ldpc.sizes import K_MAX, K_MIN, MAX_RATE, select_base_graph

if TYPE_CHECKING:
    from phy.coding.code import Code

__all__ = ["CODES", "Block", "CodeKind", "code_kind"]

_CRC24 = 24
_STEPS = (
    7  # coded bits beyond its own that a convolutional block has at least: the tail, and one sent twofold
)
_POLAR_LENGTH = 1080  # coded bits; the code ends at 1088, and a block may be one symbol longer than others


@dataclass(frozen=True)
class Block:
    """The code block that a code is to be built for.

    Attributes
    ----------
    name:
        The code's name as it was written, with the file if it comes from one.
    k:
        Information bits; 0 where a file says how many.
    n:
        Coded bits; None leaves them to the code.
    decoding:
        How it is decoded, checked against the code's entry.
    device:
        Where it runs.
    bits_per_symbol:
        Bits of a symbol, by which a standard may interleave; None where symbols are not filled whole.
    base_graph:
        Of 5G LDPC; None where the standard's choice for a lone block holds.
    """

    name: str
    k: int
    n: int | None
    decoding: Decoding
    device: str = "cpu"
    bits_per_symbol: int | None = None
    base_graph: int | None = None

    @property
    def sizes(self) -> tuple[int, int]:
        """``k`` and ``n``.

        Raises
        ------
        ValueError
            If ``n`` is missing.
        """
        if self.n is None:
            raise ValueError(f"code {self.name} needs a number of coded bits n beside k = {self.k}")
        return self.k, self.n


@dataclass(frozen=True)
class CodeKind:
    """What there is to know of a code without building it.

    Attributes
    ----------
    name:
        Key of `CODES`, as settings and results spell it.
    make:
        Builds the code of a block.
    decoders:
        Decoding algorithms, the default first. Codes that can be decoded by belief propagation
        (`phy.coding.decoding.ALGORITHMS`) also take a schedule, a factor, an offset and a fixed-point width.
    engines:
        Who simulates it, the default first: ``sionna`` is a link in PyTorch, with Sionna's parts where the
        code has none of its own, ``compiled`` and ``torch`` as in `phy.coding.decoding.Decoding`.
    iterations:
        Of its decoder unless told otherwise; None if it does not iterate.
    k, expansion:
        Information bits unless told otherwise, and coded bits for each; an ``expansion`` of None leaves the
        number of coded bits to the code.
    limits:
        Fewest and most information bits of a block, check sums included, for a payload of so many bits at
        a code rate.
    highest_rate:
        Of a block.
    carrier:
        Last part of the names of systems that use it, ``bpg-ldpc``; its own name if empty.
    from_file:
        Whether a file holds the code, written ``name:FILE``; it then fixes both lengths.
    version:
        Raised when equal settings make other code words or decisions than before; part of what results are
        told apart by.
    """

    name: str
    make: Callable[[Block], Code]
    decoders: tuple[str, ...]
    engines: tuple[str, ...] = ("sionna",)
    iterations: int | None = None
    k: int = 512
    expansion: int | None = None
    limits: Callable[[int, float], tuple[int, int]] = lambda payload_bits, rate: (1, 2**62)
    highest_rate: float = 0.99
    carrier: str = ""
    from_file: bool = False
    version: int = 1

    @property
    def label(self) -> str:
        """The name as it is to be written, ``name:FILE`` if it is that of files."""
        return f"{self.name}:FILE" if self.from_file else self.name

    @property
    def propagates(self) -> bool:
        """Whether it can be decoded by belief propagation."""
        return set(ALGORITHMS) <= set(self.decoders)

    @property
    def decoding(self) -> Decoding:
        """How it is decoded unless told otherwise."""
        own = Decoding(self.decoders[0], engine=self.engines[0])
        return own if self.iterations is None else replace(own, iterations=self.iterations)

    def build(
        self,
        k: int | None = None,
        n: int | None = None,
        decoding: Decoding | None = None,
        *,
        device: str = "cpu",
        bits_per_symbol: int | None = None,
        base_graph: int | None = None,
        name: str = "",
    ) -> Code:
        """Build the code of one block.

        Parameters
        ----------
        k, n:
            Information bits and coded bits; what is left out is the code's own default.
        decoding:
            How it is decoded; None for the code's default.
        device, bits_per_symbol, base_graph:
            See `Block`.
        name:
            ``name:FILE`` of a code from a file.

        Raises
        ------
        ValueError
            If a parameter is outside the code's range.

        Examples
        --------
        >>> CODES["turbo"].build(40).n, CODES["ldpc5g"].build(100).n
        (132, 200)
        """
        decoding = (decoding or self.decoding).among(self.label, self.decoders, self.engines)
        if k is None:
            k = 0 if self.from_file else self.k
        if n is None and self.expansion is not None:
            n = self.expansion * k
        return self.make(Block(name or self.name, k, n, decoding, device, bits_per_symbol, base_graph))


def _ldpc5g(block: Block) -> Code:
    from phy.coding.ldpc.ldpc5g import LDPC5G

    return LDPC5G(
        *block.sizes,
        bits_per_symbol=block.bits_per_symbol,
        base_graph=block.base_graph,
        decoding=block.decoding,
        device=block.device,
    )


def _polar5g(block: Block) -> Code:
    from phy.coding.polar.polar5g import Polar5G

    algorithm, size = block.decoding.algorithm, block.decoding.list_size
    return Polar5G(*block.sizes, algorithm, size, device=block.device)


def _convolutional(block: Block) -> Code:
    from phy.coding.convolutional import Convolutional

    return Convolutional(block.k, block.n, device=block.device)


def _turbo(block: Block) -> Code:
    from phy.coding.turbo import Turbo

    return Turbo(block.k, block.n, iterations=block.decoding.iterations, device=block.device)


def _uncoded(block: Block) -> Code:
    from phy.coding.uncoded import Uncoded

    k, n = block.sizes
    if k != n:
        raise ValueError(f"without a code {k} bits cannot become {n}: the format was made for another code")
    return Uncoded(n)


def _matrix(block: Block) -> Code:
    from phy.coding.ldpc.matrix import matrix_code

    return matrix_code(block.name, block.decoding)


def _ldpc5g_limits(payload_bits: int, rate: float) -> tuple[int, int]:
    return K_MIN, K_MAX[select_base_graph(payload_bits, rate)]


def _polar5g_limits(payload_bits: int, rate: float) -> tuple[int, int]:
    # A second block costs two CRCs: before it pays, a single one grows that much beyond k / rate.
    return 12, min(int(rate * _POLAR_LENGTH) - 2 * _CRC24, 1012)


def _convolutional_limits(payload_bits: int, rate: float) -> tuple[int, int]:
    return max(2, math.ceil(_STEPS * rate / (1 - rate))), 6144


def _turbo_limits(payload_bits: int, rate: float) -> tuple[int, int]:
    return 2, 6144


CODES: dict[str, CodeKind] = {
    kind.name: kind
    for kind in (
        CodeKind(
            "ldpc5g",
            _ldpc5g,
            decoders=(*ALGORITHMS, *HARD),
            engines=("compiled", "sionna", "torch"),
            iterations=20,
            expansion=2,
            limits=_ldpc5g_limits,
            highest_rate=MAX_RATE,
            carrier="ldpc",
        ),
        CodeKind(
            "polar5g",
            _polar5g,
            decoders=("scl", "sc"),
            expansion=2,
            limits=_polar5g_limits,
            highest_rate=0.98,
            carrier="polar",
            version=2,
        ),
        CodeKind("conv", _convolutional, decoders=("viterbi",), limits=_convolutional_limits, version=2),
        CodeKind("turbo", _turbo, decoders=("bcjr",), iterations=8, limits=_turbo_limits),
        CodeKind(
            "none",
            _uncoded,
            decoders=("hard",),
            engines=("compiled", "sionna"),
            k=1024,
            expansion=1,
            highest_rate=1.0,
            carrier="uncoded",
        ),
        *(
            CodeKind(form, _matrix, (*ALGORITHMS, *HARD), ("compiled",), iterations=20, from_file=True)
            for form in ("alist", "qc", "matrix")
        ),
    )
}
"""Channel codes by name."""


def code_kind(name: str) -> CodeKind:
    """Find the entry of a code, ``ldpc5g`` or ``alist:FILE``.

    Raises
    ------
    ValueError
        If there is none; the message lists those that there are.

    Examples
    --------
    >>> code_kind("qc:files/wran.qc,puncture=0-3").from_file
    True
    """
    head, colon, _ = name.partition(":")
    kind = CODES.get(head)
    if kind is None or kind.from_file != bool(colon):
        there_are = ", ".join(kind.label for kind in CODES.values())
        raise ValueError(f"code must be one of {there_are}, got {name!r}")
    return kind
