"""What comes next in a text, from how often it came after the same few symbols in others."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["NGram"]

_START = -1  # stands before every text, as often as the model looks back


class NGram:
    """Probabilities of the next entry by interpolated n-grams, for `phy.source.text.arithmetic.Arithmetic`.

    ::

        p(w | h) = (c(h w) + t(h) p(w | h')) / (c(h) + t(h))

    c(h w) counts how often w followed the history h, c(h) how often anything did, t(h) how many different
    entries did; h' is h without its first entry. Behind no history stands the uniform distribution, so that
    every entry has a probability.

    Parameters
    ----------
    texts:
        Entries of each text to learn from.
    entries:
        Size of the vocabulary.
    order:
        Entries that the next one depends on, and itself.

    Raises
    ------
    ValueError
        If the order is below 1, or an entry does not belong to the vocabulary.

    References
    ----------
    I. H. Witten, T. C. Bell: The zero-frequency problem. IEEE Trans. Inf. Theory 37(4), 1991 (method C).

    Examples
    --------
    >>> model = NGram([[0, 1], [0, 1], [0, 2]], entries=4, order=2)
    >>> model([0]).round(3)  # 1 followed twice, 2 once, 3 never
    array([0.167, 0.522, 0.278, 0.033])
    """

    def __init__(self, texts: Iterable[Sequence[int]], entries: int, order: int = 6) -> None:
        if order < 1:
            raise ValueError(f"an n-gram has an order of at least 1, got {order}")
        self.entries, self.order = entries, order
        self._followed: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for text in texts:
            if not all(0 <= entry < entries for entry in text):
                raise ValueError(f"entries are 0 to {entries - 1}, got {min(text)} to {max(text)}")
            whole = (*(_START,) * (order - 1), *text)
            for end in range(order - 1, len(whole)):
                for length in range(order):
                    self._followed[whole[end - length : end]][whole[end]] += 1

    def __call__(self, context: Sequence[int]) -> NDArray[np.float64]:
        """Probability of every entry behind a context of any length, ``[entries]``."""
        history = (*(_START,) * (self.order - 1), *context)[len(context) :]
        probabilities = np.full(self.entries, 1.0 / self.entries)
        for length in range(self.order):
            followed = self._followed.get(history[self.order - 1 - length :])
            if followed is None:
                break  # longer histories did not occur either
            seen, kinds = sum(followed.values()), len(followed)
            probabilities *= kinds
            probabilities[list(followed)] += list(followed.values())
            probabilities /= seen + kinds
        return probabilities
