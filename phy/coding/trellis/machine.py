"""Encoders as finite machines: the tables from which trellises are walked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["RESTART", "UNREACHED", "Recursive", "ShiftRegister"]

RESTART = 16
"""Steps after which Viterbi's metrics begin again at 0 in state 0, so that ``float32`` resolves them."""

UNREACHED = -1e9
"""Metric of a state in which a path cannot begin."""


def _parity(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sum modulo 2 of the bits of each number."""
    return np.array([int(value).bit_count() & 1 for value in values.ravel()]).reshape(values.shape)


@dataclass(frozen=True)
class ShiftRegister:
    """Feed-forward convolutional encoder: bit t of output j is the sum of its taps over the latest bits.

    The state holds the last ``memory`` bits, the latest one highest. From state s, bit u leads to
    u 2^(memory - 1) + floor(s / 2).

    Parameters
    ----------
    generators:
        Taps of the outputs, the tap of the present bit highest: 0o133 is 1 + D^2 + D^3 + D^5 + D^6.
    constraint_length:
        Bits that an output depends on.

    Examples
    --------
    >>> register = ShiftRegister((0o5, 0o7), 3)
    >>> register.states, register.encode(np.array([[1, 0, 0]]), np.zeros(1, int))[0].tolist()
    (4, [1, 1, 0, 1, 1, 1])
    """

    generators: tuple[int, ...]
    constraint_length: int

    @property
    def rate(self) -> int:
        """Output bits a step."""
        return len(self.generators)

    @property
    def memory(self) -> int:
        """Bits of the state."""
        return self.constraint_length - 1

    @property
    def states(self) -> int:
        """Number of states."""
        return 1 << self.memory

    def predecessors(self, state: int) -> tuple[int, int]:
        """Both states from which a step leads to ``state``."""
        low = state << 1 & (self.states - 1)
        return low, low | 1

    @cached_property
    def outputs(self) -> NDArray[np.int64]:
        """Outputs on the steps to each state from either predecessor, output j as bit j: ``[states, 2]``."""
        windows = 2 * np.arange(self.states)[:, None] + np.arange(2)
        words = [_parity(windows & taps) << j for j, taps in enumerate(self.generators)]
        return np.sum(words, axis=0)

    def encode(self, bits: NDArray[np.integer], state: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Outputs of ``[frames, steps]`` bits from a state a frame, ``[frames, steps * rate]``."""
        steps = bits.shape[1]
        # the state's bits, the oldest first, then the steps'
        past = state[:, None] >> np.arange(self.memory) & 1
        known = np.concatenate([past, bits], axis=1).astype(np.uint8)
        coded: NDArray[np.uint8] = np.zeros((len(bits), steps, self.rate), np.uint8)
        for j, taps in enumerate(self.generators):
            for delay in range(self.constraint_length):
                if taps >> (self.memory - delay) & 1:
                    coded[:, :, j] ^= known[:, self.memory - delay : self.memory - delay + steps]
        return coded.reshape(len(bits), -1)


@dataclass(frozen=True)
class Recursive:
    """Recursive systematic encoder of rate 1/2: parity is ``forward`` over ``feedback``.

    A state holds the last ``memory`` register inputs, the latest one highest. A register's input is the bit u
    plus the taps of ``feedback`` behind the first.

    Parameters
    ----------
    feedback, forward:
        Polynomials, the present tap highest: 0o13 is 1 + D^2 + D^3.
    memory:
        Bits of the state.

    Examples
    --------
    >>> code = Recursive(0o13, 0o15, 3)
    >>> code.following[0].tolist(), code.parity[0].tolist()
    ([0, 4], [0, 1])
    """

    feedback: int
    forward: int
    memory: int

    @property
    def states(self) -> int:
        """Number of states."""
        return 1 << self.memory

    @cached_property
    def following(self) -> NDArray[np.int64]:
        """State behind each state and bit, ``[states, 2]``."""
        return self._registers() >> 1

    @cached_property
    def parity(self) -> NDArray[np.int64]:
        """Parity bit on the step from each state with each bit, ``[states, 2]``."""
        return _parity(self._registers() & self.forward)

    def _registers(self) -> NDArray[np.int64]:
        """State with the register's input in front of it, by state and bit."""
        states, bits = np.arange(self.states)[:, None], np.arange(2)
        return (_parity(states & self.feedback) ^ bits) << self.memory | states

    def arrivals(self, state: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Both states, with the bit, from which a step leads to ``state``; the lower one first."""
        first, second = sorted(
            (before, bit)
            for before in range(self.states)
            for bit in (0, 1)
            if self.following[before, bit] == state
        )
        return first, second
