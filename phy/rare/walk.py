"""Blocks that fail, and how others are found from them without leaving the noise's distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from phy.rare.failures import Failures

__all__ = ["Population", "draw", "walk"]


@dataclass(frozen=True)
class Population:
    """Blocks side by side.

    Attributes
    ----------
    bits, sent:
        Information bits, ``[blocks, k]``, ``torch.uint8``, and amplitudes of the coded bits, ``[blocks, n]``.
    noise:
        In standard deviations of the SNR, ``[blocks, n]``, ``float32``.
    wrong:
        Wrong information bits, ``[blocks]``.
    family:
        Which independently drawn block each of them descends from, ``[blocks]``.
    """

    bits: torch.Tensor
    sent: NDArray[np.float32]
    noise: NDArray[np.float32]
    wrong: NDArray[np.int64]
    family: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.wrong)

    def taken(self, rows: NDArray[np.int64]) -> Population:
        """Some of the blocks, in this order and as often as they are named."""
        return Population(
            self.bits[torch.from_numpy(rows)],
            self.sent[rows],
            self.noise[rows],
            self.wrong[rows],
            self.family[rows],
        )


def draw(failures: Failures, blocks: int, scale: float, random: np.random.Generator) -> Population:
    """Draw independent blocks whose noise is ``scale`` times as strong as the SNR says."""
    k, n = failures.code.k, failures.code.n
    bits = torch.from_numpy(random.integers(0, 2, (blocks, k), dtype=np.uint8))
    sent = failures.sent(bits)
    noise = np.float32(scale) * random.standard_normal((blocks, n), np.float32)
    return Population(bits, sent, noise, failures.wrong(bits, sent, noise), np.arange(blocks))


def walk(
    failures: Failures, start: Population, scale: float, step: float, length: int, random: np.random.Generator
) -> tuple[Population, float]:
    """Let every failed block walk among the noises of strength ``scale`` that make it fail.

    A move proposes z' = sqrt(1 - step²) z + step scale x with x standard normal, and is taken if the block
    still fails. The proposal is reversible with respect to the normal distribution, so the moves leave
    that distribution, conditioned on failure, as it is: blocks that follow it go on to follow it.

    Parameters
    ----------
    failures:
        Who fails.
    start:
        Blocks that fail, ``[chains]``.
    scale, step:
        Strength of the noise, and share of it that a move renews.
    length:
        Blocks of each chain, its start included.
    random:
        Where draws come from.

    Returns
    -------
    Population, float
        The blocks of all chains, ``[length x chains]``, and the share of moves taken.
    """
    kept, new = np.float32(math.sqrt(1.0 - step * step)), np.float32(step * scale)
    noises, wrongs = [start.noise], [start.wrong]
    taken = 0
    for _ in range(length - 1):
        noise = kept * noises[-1] + new * random.standard_normal(start.noise.shape, np.float32)
        wrong = failures.wrong(start.bits, start.sent, noise)
        failed = wrong > 0
        taken += int(failed.sum())
        noises.append(np.where(failed[:, None], noise, noises[-1]))
        wrongs.append(np.where(failed, wrong, wrongs[-1]))
    found = Population(
        start.bits.repeat(length, 1),
        np.tile(start.sent, (length, 1)),
        np.concatenate(noises),
        np.concatenate(wrongs),
        np.tile(start.family, length),
    )
    return found, taken / max((length - 1) * len(start), 1)
