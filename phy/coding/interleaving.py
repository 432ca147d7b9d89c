"""Outer interleavers: in which order the coded bits of a block go to the constellation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phy.coding.code import Code, Decoded
from phy.coding.decoding import Decoding
from phy.lazily import torch
from phy.random import Stream

__all__ = ["Interleaved", "Interleaver"]

_KINDS = ("random", "block")


@dataclass(frozen=True)
class Interleaver:
    """A rule that orders any number of bits.

    ``random`` is a permutation drawn from a stream of its own, the same for all blocks; ``block`` writes bits
    into rows of ``parameter`` columns, the last row perhaps shorter, and reads them column by column.

    Attributes
    ----------
    kind:
        ``"random"`` or ``"block"``.
    parameter:
        Seed, or number of columns.

    Examples
    --------
    >>> Interleaver.parse("block:3").order(8).tolist()
    [0, 3, 6, 1, 4, 7, 2, 5]
    >>> sorted(Interleaver.parse("random").order(5).tolist())
    [0, 1, 2, 3, 4]
    """

    kind: str
    parameter: int

    @classmethod
    def parse(cls, text: str) -> Interleaver:
        """Read ``random``, ``random:SEED`` or ``block:COLUMNS``.

        Raises
        ------
        ValueError
            If the text is none of these.
        """
        kind, colon, number = text.partition(":")
        whole = number.isascii() and number.isdecimal()
        if (
            kind not in _KINDS
            or (whole and len(number) > 9)
            or not (whole or (kind == "random" and not colon))
        ):
            raise ValueError(f"an interleaver is random, random:SEED or block:COLUMNS, got {text!r}")
        parameter = int(number or 0)
        if kind == "block" and parameter < 1:
            raise ValueError(f"a block interleaver needs at least one column, got {text!r}")
        return cls(kind, parameter)

    @property
    def name(self) -> str:
        """``random:0``, ``block:24``."""
        return f"{self.kind}:{self.parameter}"

    def order(self, n: int) -> NDArray[np.int64]:
        """Which of ``n`` bits goes first, second, ...: ``[n]``."""
        if self.kind == "random":
            stream = Stream("outer interleaver", self.parameter, f"n={n}")
            return stream.generator().permutation(n)
        places = np.arange(n)
        return np.lexsort((places // self.parameter, places % self.parameter))


class Interleaved:
    """A code whose coded bits are sent in another order, and whose LLRs are put back before decoding.

    On a channel with memory it brings bits that the code has side by side into different fades; over one
    without, and a code whose own rate matching mixes, nothing changes but the noise that a bit meets.

    Parameters
    ----------
    code:
        Any code.
    interleaver:
        The order.

    Examples
    --------
    >>> from phy.coding.repetition import Repetition
    >>> code = Interleaved(Repetition(2, 6), Interleaver.parse("block:2"))
    >>> bits = torch.tensor([[1, 0]], dtype=torch.uint8)
    >>> code.name, code.decode(2.0 * code.encode(bits) - 1.0).bits
    ('repetition(2,6) + block:2', tensor([[1, 0]], dtype=torch.uint8))
    """

    def __init__(self, code: Code, interleaver: Interleaver) -> None:
        self.code, self.interleaver = code, interleaver
        self.order = interleaver.order(code.n)
        self._inverse = np.argsort(self.order)

    @property
    def name(self) -> str:
        """Names of code and interleaver."""
        return f"{self.code.name} + {self.interleaver.name}"

    @property
    def k(self) -> int:
        """Information bits a block."""
        return self.code.k

    @property
    def n(self) -> int:
        """Coded bits a block."""
        return self.code.n

    @property
    def decoding(self) -> Decoding | None:
        """How the code is decoded, if it says so."""
        return getattr(self.code, "decoding", None)

    @property
    def digest(self) -> str | None:
        """Digest of a matrix from a file."""
        return getattr(self.code, "digest", None)

    @property
    def bits_per_symbol(self) -> int | None:
        """Bits of a symbol for which the code itself interleaves."""
        return getattr(self.code, "bits_per_symbol", None)

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        """Encode ``[batch, k]`` bits into ``[batch, n]`` bits, ``torch.uint8``."""
        return self.code.encode(bits)[:, torch.from_numpy(self.order)]

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode ``[batch, n]`` LLRs as the code does."""
        if llr.ndim != 2 or llr.shape[1] != self.n:
            return self.code.decode(llr)  # which says what is wrong with them
        return self.code.decode(llr[:, torch.from_numpy(self._inverse)])
