"""Cyclic redundancy checks of TS 38.212, clause 5.1."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from phy.lazily import torch

__all__ = ["CRC"]

# Exponents of the generator polynomials, highest first (clause 5.1).
POLYNOMIALS = {
    "24A": (24, 23, 18, 17, 14, 11, 10, 7, 6, 5, 4, 3, 1, 0),
    "24B": (24, 23, 6, 5, 1, 0),
    "24C": (24, 23, 21, 20, 17, 15, 13, 12, 8, 4, 2, 1, 0),
    "16": (16, 12, 5, 0),
    "11": (11, 10, 9, 5, 0),
    "6": (6, 5, 0),
}


@lru_cache(maxsize=32)
def _remainders(name: str, count: int) -> torch.Tensor:
    """x^(L + i) mod g(x) for i = count - 1 ... 0 as rows of L bits, ``[count, L]``, ``torch.float32``."""
    exponents = POLYNOMIALS[name]
    length = exponents[0]
    generator = sum(1 << exponent for exponent in exponents)
    words: NDArray[np.int64] = np.empty(count, dtype=np.int64)
    word = generator ^ (1 << length)  # x^L mod g
    for row in range(count - 1, -1, -1):
        words[row] = word
        word <<= 1
        if word >> length:
            word ^= generator
    bits = words[:, None] >> np.arange(length - 1, -1, -1) & 1
    return torch.from_numpy(bits.astype(np.float32))


class CRC:
    """A cyclic redundancy check with zero initial state, parity bits behind the payload.

    The check is linear: the all-zero word passes it. A receiver that hears nothing at all (every LLR zero)
    therefore decides for zeros and finds the check right.

    Parameters
    ----------
    name:
        ``"24A"``, ``"24B"``, ``"24C"``, ``"16"``, ``"11"`` or ``"6"``.

    Raises
    ------
    ValueError
        If there is no such polynomial.

    Examples
    --------
    >>> crc = CRC("16")
    >>> word = crc.attach(torch.ones(1, 8, dtype=torch.uint8))
    >>> crc.check(word)[1]
    tensor([True])
    """

    def __init__(self, name: str) -> None:
        if name not in POLYNOMIALS:
            raise ValueError(f"CRC must be one of {', '.join(POLYNOMIALS)}, got {name!r}")
        self.name = name

    @property
    def length(self) -> int:
        """Number of parity bits."""
        return POLYNOMIALS[self.name][0]

    def parity(self, bits: torch.Tensor) -> torch.Tensor:
        """Parity bits ``[..., L]`` of ``[..., count]`` bits, both ``torch.uint8``."""
        count = bits.shape[-1]
        # Rows are counted from the last bit, so one table serves every payload that is shorter.
        table = _remainders(self.name, 1 << max(count - 1, 0).bit_length())
        table = table[table.shape[0] - count :].to(bits.device)
        # Sums of at most 2^24 ones are exact in float32; longer payloads would need a wider type.
        return torch.matmul(bits.to(torch.float32), table).remainder(2).to(torch.uint8)

    def attach(self, bits: torch.Tensor) -> torch.Tensor:
        """Append the parity: ``[..., count]`` to ``[..., count + L]`` bits, ``torch.uint8``."""
        return torch.cat([bits, self.parity(bits)], dim=-1)

    def check(self, bits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Take the parity off: payload ``[..., count]`` and verdict ``[...]``, ``torch.bool``.

        Raises
        ------
        ValueError
            If there are fewer bits than the parity has.
        """
        if bits.shape[-1] < self.length:
            raise ValueError(f"CRC{self.name} needs at least {self.length} bits, got {bits.shape[-1]}")
        payload, parity = bits[..., : -self.length], bits[..., -self.length :]
        return payload, (self.parity(payload) == parity).all(dim=-1)
