"""Arithmetic coding of text: with fixed statistics, or with a model of what comes next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from phy.source.text.vocabulary import PRINTABLE, Vocabulary, assemble, english_counts

__all__ = ["Arithmetic", "Model", "OrderZero"]

Model: TypeAlias = Callable[[Sequence[int]], NDArray[np.float64]]
"""Entries so far -> probability of every entry of the vocabulary to be the next, ``[entries]``, float64."""

_HALF, _QUARTER = 1 << 31, 1 << 30
_MASK = (1 << 32) - 1
# Sum of the frequencies: far below a quarter of the range, so that rounding of the interval costs nothing,
# far above the largest vocabulary, so that the floor of 1 for every entry costs little (50,257 tokens: 0.004
# bits a token).
_TOTAL = 1 << 24
_TERMINATION = 2


class OrderZero:
    """The model of independent symbols: the same probabilities always.

    Parameters
    ----------
    counts:
        How often each entry occurs.
    """

    def __init__(self, counts: Sequence[int]) -> None:
        weights = np.asarray(counts, dtype=np.float64)
        self.probabilities: NDArray[np.float64] = weights / weights.sum()

    def __call__(self, context: Sequence[int]) -> NDArray[np.float64]:
        """``[entries]``, whatever the context."""
        return self.probabilities


class Arithmetic:
    """Text as one number in an interval that every symbol narrows to its share.

    The coder is that of Witten, Neal and Cleary with 32-bit registers; two bits terminate it, after which
    any bits may follow. Probabilities become integer frequencies of at least 1 that sum to 2^24, so every
    text can be sent whatever the model says. A symbol without an entry is sent as the escape, and then itself
    as one of equiprobable ones.

    One wrong bit usually spoils everything behind it. The work of `decode` is bounded by the count, and by
    the bits as far as symbols cost any.

    Parameters
    ----------
    model:
        Called with the entries so far (the escape is one of them), as many as the text has before the next
        one; must return finite probabilities that sum to 1. Sender and receiver must compute the same ones:
        the same machine, library versions and precision.
    vocabulary:
        What the model's entries are; ``Vocabulary(tokens, range(tokens.size))`` for a language model over
        ``tokens = Tokens(tokenizer)``.
    name:
        Name, as it stands in results; should tell the model.

    References
    ----------
    I. H. Witten, R. M. Neal, J. G. Cleary: Arithmetic coding for data compression. CACM 30(6), 1987.

    Examples
    --------
    >>> coder = Arithmetic.english()
    >>> bits, count = coder.encode("A dog runs.")
    >>> bits.numel(), count, coder.decode(bits, count)
    (51, 11, ('A dog runs.', ''))
    """

    def __init__(
        self, model: Model, vocabulary: Vocabulary = PRINTABLE, name: str = "arithmetic-model"
    ) -> None:
        self.name = name
        self.unit = vocabulary.alphabet.unit
        self.model = model
        self.vocabulary = vocabulary

    @classmethod
    def english(cls) -> Arithmetic:
        """Return the coder of the bundled statistics of English characters."""
        return cls(OrderZero(english_counts()), name="arithmetic")

    def encode(self, text: str) -> tuple[torch.Tensor, int]:
        """Bits ``[n]``, ``torch.uint8``, and the number of units.

        Raises
        ------
        ValueError
            If the alphabet cannot express the text, or the model returns no probabilities.
        """
        entries = self.vocabulary.entries(text)
        encoder = _Encoder()
        context: list[int] = []
        for entry, symbol in entries:
            shares = self._shares(context)
            encoder.narrow(int(shares[entry]), int(shares[entry + 1]), _TOTAL)
            if entry == self.vocabulary.escape:
                encoder.narrow(symbol, symbol + 1, self.vocabulary.alphabet.size)
            context.append(entry)
        bits = encoder.terminated() if entries else []
        return torch.tensor(bits, dtype=torch.uint8), len(entries)

    def decode(self, bits: torch.Tensor, count: int) -> tuple[str, str]:
        """Text and remark of whatever arrived, at most ``count`` units; bits behind them are ignored.

        A unit has arrived if the text up to it would have been sent in no more bits than there are.

        Parameters
        ----------
        bits:
            ``[m]``, ``torch.uint8``.
        count:
            Number of units that were sent, as far as the receiver knows.
        """
        decoder = _Decoder(bits.tolist())
        context: list[int] = []
        symbols: list[int] = []
        while len(symbols) < count:
            entry = decoder.find(self._shares(context))
            escaped = entry == self.vocabulary.escape
            symbol = (
                decoder.equiprobable(self.vocabulary.alphabet.size)
                if escaped
                else self.vocabulary.symbols[entry]
            )
            if decoder.exhausted:
                break
            context.append(entry)
            symbols.append(symbol)
        return assemble(self.vocabulary.alphabet, symbols, count)

    def _shares(self, context: Sequence[int]) -> NDArray[np.int64]:
        """Cumulative frequencies ``[entries + 1]`` from 0 to 2^24; rounding goes to the likeliest entry."""
        size = len(self.vocabulary)
        probabilities = np.asarray(self.model(context), dtype=np.float64)
        total = float(probabilities.sum())
        if probabilities.shape != (size,) or not probabilities.min() >= 0 or not abs(total - 1) < 1e-3:
            raise ValueError(
                f"the model must return {size} probabilities that sum to 1, got shape {probabilities.shape}, "
                f"a smallest one of {probabilities.min()} and a sum of {total}"
            )
        frequencies = 1 + (probabilities * ((_TOTAL - size) / total)).astype(np.int64)
        frequencies[probabilities.argmax()] += _TOTAL - frequencies.sum()
        return np.concatenate([np.zeros(1, dtype=np.int64), frequencies.cumsum()])


class _Encoder:
    """The interval [low, high] of the sender; bits on which both ends agree are shifted out."""

    def __init__(self) -> None:
        self.low, self.high = 0, _MASK
        self._pending = 0
        self._bits: list[int] = []

    def narrow(self, start: int, stop: int, total: int) -> None:
        """Narrow the interval to the share from ``start`` to ``stop`` of ``total``."""
        self.low, self.high = _narrowed(self.low, self.high, start, stop, total)
        while (shift := _shift(self.low, self.high)) is not None:
            if shift == _QUARTER:
                self._pending += 1
            else:
                self._emit(shift >> 31)
            self.low, self.high = (self.low - shift) << 1, (self.high - shift) << 1 | 1

    def terminated(self) -> list[int]:
        """All bits, with two more that name a quarter inside the interval."""
        self._pending += 1
        self._emit(int(self.low >= _QUARTER))
        return self._bits

    def _emit(self, bit: int) -> None:
        self._bits += [bit] + [1 - bit] * self._pending
        self._pending = 0


class _Decoder:
    """The receiver's interval, and the bits as a number inside it; zeros follow the last bit."""

    def __init__(self, bits: list[int]) -> None:
        self.low, self.high = 0, _MASK
        self._shifts = 0
        self._bits = bits
        self._value = int("".join(map(str, bits[:32])).ljust(32, "0"), 2)

    @property
    def exhausted(self) -> bool:
        """Whether what was decoded would have taken more bits than there are."""
        return self._shifts + _TERMINATION > len(self._bits)

    def find(self, shares: NDArray[np.int64]) -> int:
        """Entry whose share holds the value."""
        target = self._target(_TOTAL)
        entry = int(np.searchsorted(shares, target, side="right")) - 1
        self._narrow(int(shares[entry]), int(shares[entry + 1]), _TOTAL)
        return entry

    def equiprobable(self, size: int) -> int:
        """One of ``size`` symbols of equal share."""
        symbol = self._target(size)
        self._narrow(symbol, symbol + 1, size)
        return symbol

    def _target(self, total: int) -> int:
        return ((self._value - self.low + 1) * total - 1) // (self.high - self.low + 1)

    def _narrow(self, start: int, stop: int, total: int) -> None:
        self.low, self.high = _narrowed(self.low, self.high, start, stop, total)
        while (shift := _shift(self.low, self.high)) is not None:
            place = self._shifts + 32
            bit = self._bits[place] if place < len(self._bits) else 0
            self._value = (self._value - shift) << 1 | bit
            self.low, self.high = (self.low - shift) << 1, (self.high - shift) << 1 | 1
            self._shifts += 1


def _narrowed(low: int, high: int, start: int, stop: int, total: int) -> tuple[int, int]:
    width = high - low + 1
    return low + width * start // total, low + width * stop // total - 1


def _shift(low: int, high: int) -> int | None:
    """What is subtracted before the interval is doubled, None if it is wider than a quarter as it stands."""
    if high < _HALF:
        return 0
    if low >= _HALF:
        return _HALF
    return _QUARTER if low >= _QUARTER and high < 3 * _QUARTER else None
