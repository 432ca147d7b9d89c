"""Floating-point numbers sent as they lie in memory: what embeddings are without a quantiser."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import torch

from phy.quantization.quantizer import check_values, decide, from_planes, reliability, to_planes

__all__ = ["FORMATS", "FloatPattern"]

FORMATS = {
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "fp8_e4m3": torch.float8_e4m3fn,
    "fp8_e5m2": torch.float8_e5m2,
}
_INTEGERS = {8: torch.int8, 16: torch.int16, 32: torch.int32}


@dataclass(frozen=True)
class FloatPattern:
    """Bit patterns of a floating-point format: sign, exponent, mantissa, most significant bit first.

    Values are rounded to nearest, those too large become the largest finite number. A wrong bit of the
    exponent makes a value absurdly large, or no number at all: NaN and infinities are decoded to 0,
    the others stay what they are.

    Parameters
    ----------
    name:
        ``fp32``, ``fp16`` (IEEE 754), ``bf16``, ``fp8_e4m3`` (without infinities) or ``fp8_e5m2`` (OCP 8-bit
        floating point, revision 1.0, 2023).

    Raises
    ------
    ValueError
        If the name is another one.

    Examples
    --------
    >>> FloatPattern("fp8_e4m3").encode(torch.tensor([[-1.5]]))
    tensor([[1, 0, 1, 1, 1, 1, 0, 0]], dtype=torch.uint8)
    """

    name: str

    def __post_init__(self) -> None:
        if self.name not in FORMATS:
            raise ValueError(f"a floating-point format is one of {', '.join(FORMATS)}, got {self.name!r}")

    @property
    def dtype(self) -> torch.dtype:
        """The format as PyTorch knows it."""
        return FORMATS[self.name]

    @property
    def planes(self) -> int:
        """One plane a bit: the sign, then the exponent, then the mantissa."""
        return 8 * self.dtype.itemsize

    @property
    def bits_per_value(self) -> Fraction:
        """Width of the format."""
        return Fraction(self.planes)

    @property
    def normalized(self) -> bool:
        """False: the format carries values as they are."""
        return False

    def bits_for(self, count: int) -> int:
        """Bits of ``count`` values."""
        return self.planes * count

    def encode(self, values: torch.Tensor) -> torch.Tensor:
        """Write values ``[batch, count]``: see `Quantizer.encode`."""
        largest = torch.finfo(self.dtype).max
        rounded = check_values(values).clamp(-largest, largest).to(self.dtype)
        return to_planes(rounded.view(_INTEGERS[self.planes]).to(torch.int64), self.planes)

    def decode(self, bits: torch.Tensor, count: int) -> torch.Tensor:
        """Read ``[batch, count]`` values, 0 where the pattern is no finite number: see `Quantizer.decode`."""
        return self._read(bits, count).nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)

    def decode_soft(self, llr: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Hard values and their reliability: see `Quantizer.decode_soft`.

        There is no mean over patterns, because some of them are no number and others dwarf the rest.
        """
        return self.decode(decide(llr), count), reliability(llr, self.planes, count)

    def _read(self, bits: torch.Tensor, count: int) -> torch.Tensor:
        codes = from_planes(bits, self.planes, count)
        signed = codes - (codes >> (self.planes - 1) << self.planes)  # two's complement
        return signed.to(_INTEGERS[self.planes]).view(self.dtype).float()
