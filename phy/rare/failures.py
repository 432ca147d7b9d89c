"""Which noise makes a block fail: a code over BPSK or QPSK and AWGN, with the noise as an argument."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from phy.coding.code import Code
from phy.modulation import Modulation
from phy.units import EsN0

__all__ = ["Failures"]

AXES = {"bpsk": 1, "qpsk": 2}
"""Constellations with one bit an axis, and their axes."""


@dataclass(frozen=True)
class Failures:
    """The noise under which blocks fail at one SNR.

    A coded bit c is sent as s = 1 - 2 c on an axis of its own; with g the SNR of an axis, 2 Es/N0 of BPSK and
    Es/N0 of QPSK, the receiver sees y = s + z / sqrt(g), z standard normal, and hands the decoder
    log p(c=1)/p(c=0) = -2 g y. It does so whatever z is: the set of (bits, z) that fail belongs to the
    SNR, and is the same for noise that somebody makes stronger than the SNR says.

    Parameters
    ----------
    code:
        Any code; blocks are sent with bits of their own, so it need not be linear nor its decoder symmetric.
    modulation:
        BPSK or QPSK.
    snr:
        Es/N0.

    Raises
    ------
    ValueError
        If the constellation is another.

    Examples
    --------
    >>> from phy.coding.uncoded import Uncoded
    >>> failures = Failures(Uncoded(2), Modulation("bpsk"), EsN0(0.0))
    >>> bits = torch.tensor([[0, 1], [0, 1]], dtype=torch.uint8)
    >>> noise = np.array([[0.0, 0.0], [-2.0, 2.0]], np.float32)  # each of them more than sqrt(2)
    >>> failures.wrong(bits, failures.sent(bits), noise)
    array([0, 2])
    """

    code: Code
    modulation: Modulation
    snr: EsN0

    def __post_init__(self) -> None:
        if self.modulation.name not in AXES:
            raise ValueError(f"rare failures are estimated with bpsk and qpsk, got {self.modulation.name}")

    @property
    def axis_snr(self) -> float:
        """Squared amplitude of an axis over the variance of its noise."""
        return 2.0 * self.snr.linear / AXES[self.modulation.name]

    def sent(self, bits: torch.Tensor) -> NDArray[np.float32]:
        """Amplitudes +1 (for 0) and -1 of the coded bits of ``[batch, k]`` bits: ``[batch, n]``."""
        coded = self.code.encode(bits).cpu().numpy()
        return 1.0 - 2.0 * coded.astype(np.float32)

    def wrong(
        self, bits: torch.Tensor, sent: NDArray[np.float32], noise: NDArray[np.float32]
    ) -> NDArray[np.int64]:
        """Wrong information bits of each block, ``[batch]``; noise in standard deviations, ``[batch, n]``."""
        gain = self.axis_snr
        llr = np.float32(-2.0 * gain) * sent - np.float32(2.0 * math.sqrt(gain)) * noise
        decided = self.code.decode(torch.from_numpy(llr)).bits.cpu()
        return (decided != bits).sum(dim=1).numpy()
