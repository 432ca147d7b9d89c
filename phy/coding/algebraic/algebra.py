"""The part that BCH and Reed-Solomon codes share: words of symbols with the roots a^1 to a^2t."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phy.coding.algebraic.field import Field
from phy.coding.algebraic.kernels import correct, divide
from phy.coding.workers import in_parts

__all__ = ["CyclicCode"]


class CyclicCode:
    """Systematic cyclic code over GF(2^m), shortened to any length, decoded up to t errors.

    Parameters
    ----------
    field:
        Field of the symbols and of the roots.
    generator:
        Its coefficients from the highest, ``int32``; has the roots a^1 to a^2t.
    t:
        Errors to correct.

    Examples
    --------
    >>> field = Field.of(4)
    >>> code = CyclicCode(field, field.with_roots(range(1, 5)), 2)  # Reed-Solomon, 4 parity symbols
    >>> word = code.encode(np.array([[1, 2, 3]], np.int32))
    >>> word[0, 0], word[0, 5] = 9, 9
    >>> found, right = code.decode(word)
    >>> found[0, :3], right
    (array([1, 2, 3], dtype=int32), array([ True]))
    """

    def __init__(self, field: Field, generator: NDArray[np.int32], t: int) -> None:
        self.field, self.generator, self.t = field, generator, t

    @property
    def parity(self) -> int:
        """Parity symbols."""
        return len(self.generator) - 1

    def encode(self, words: NDArray[np.int32]) -> NDArray[np.int32]:
        """Append the parity to ``[frames, k]`` symbols, ``int32``: ``[frames, k + parity]``."""
        parity: NDArray[np.int32] = np.empty((len(words), self.parity), np.int32)
        field = self.field

        def work(part: slice) -> None:
            divide(words[part], self.generator, field.exp, field.log, parity[part])

        in_parts(work, len(words))
        return np.concatenate([words, parity], axis=1)

    def decode(self, words: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Return ``[frames, n]`` symbols with up to t errors corrected, and whether that was possible."""
        words = words.copy()
        right: NDArray[np.bool_] = np.empty(len(words), np.bool_)
        field, t = self.field, self.t

        def work(part: slice) -> None:
            memory = (np.zeros(size, np.int32) for size in (2 * t + 1, 2 * t + 1, 2 * t + 1, 2 * t, t))
            correct(words[part], t, field.order, field.exp, field.log, *memory, right[part])

        in_parts(work, len(words))
        return words, right
