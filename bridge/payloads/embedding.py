"""Real vectors, quantised to bits or sent as they are."""

from __future__ import annotations

import torch

from bridge.payloads.packed import REPEATS, Arrived, Packed, Unpacked, protect, vote
from phy.quantization import Quantizer

__all__ = ["EmbeddingPayload", "from_half", "to_half"]

_SIDE_BITS = 16  # of a mean or a scale, as binary16


def to_half(number: float, what: str) -> tuple[torch.Tensor, float]:
    """Write a number as 16 bits (IEEE 754 binary16), and say what the receiver will read.

    Raises
    ------
    ValueError
        If it is beyond binary16's range.
    """
    half = torch.tensor(number, dtype=torch.float16)
    if not torch.isfinite(half):
        raise ValueError(f"the {what} of a payload must be below 65520 in magnitude, got {number:.6g}")
    pattern = int(half.view(torch.int16)) & 0xFFFF
    bits = torch.tensor([pattern >> (15 - i) & 1 for i in range(16)], dtype=torch.uint8)
    return bits, float(half)


def from_half(pattern: int) -> float | None:
    """Read 16 bits as binary16; None for infinities and what is not a number."""
    number = torch.tensor([pattern - (1 << 16) if pattern >> 15 else pattern], dtype=torch.int16)
    half = float(number.view(torch.float16))
    return half if abs(half) < float("inf") else None


class EmbeddingPayload:
    """A vector of ``count`` real numbers.

    Quantised, the bits are a header with mean and scale (binary16 each, sent three times, decided by
    majority) and then the quantiser's bit planes. As it is (``quantizer`` None), the vector is divided by
    its root mean square, which makes up the header; the mean is not removed. Quantisers that take any
    number (bit patterns of floats) need no header.

    Parameters
    ----------
    count:
        Number of values, which both ends know.
    quantizer:
        See `phy.quantization`; None sends the values themselves, over an analog carriage.
    side:
        (mean, scale) that both ends have agreed on, such as (0, count ** -0.5) for unit vectors; None sends
        them. Without a quantiser the mean must be 0, and the scale is the root mean square with which every
        vector arrives, whatever it was sent with: symbols have unit power, and nothing tells more.
    soft:
        Read the mean of all levels given the decoder's soft bits instead of the level decided for.
    policy:
        What to read where the check sum over the header (over the most important bits, where there is no
        header) is wrong: ``zero``, a vector of zeros, or ``best-effort``, whatever comes out, which a wrong
        scale makes arbitrarily large.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> from phy import parse_quantizer
    >>> packed = EmbeddingPayload(768, parse_quantizer("lloyd-max:4")).pack(torch.randn(768))
    >>> packed.header_bits, packed.source_bits  # mean and scale three times; 4 bits a value
    (96, 3072)
    """

    def __init__(
        self,
        count: int,
        quantizer: Quantizer | None = None,
        *,
        side: tuple[float, float] | None = None,
        soft: bool = False,
        policy: str = "zero",
    ) -> None:
        if count < 1:
            raise ValueError(f"a vector needs at least one value, got {count}")
        if side is not None and (not side[1] > 0 or (quantizer is None and side[0] != 0)):
            raise ValueError(
                f"agreed side information is (mean, scale > 0), the mean 0 if analog; got {side}"
            )
        if policy not in ("zero", "best-effort"):
            raise ValueError(f"policy of a vector must be zero or best-effort, got {policy!r}")
        self.count, self.quantizer, self.side, self.soft, self.policy = count, quantizer, side, soft, policy

    @property
    def name(self) -> str:
        """The quantiser, or ``values``."""
        return "values" if self.quantizer is None else self.quantizer.name + ("+soft" if self.soft else "")

    @property
    def _fields(self) -> tuple[int, ...]:
        if self.side is not None or (self.quantizer is not None and not self.quantizer.normalized):
            return ()
        return (_SIDE_BITS,) if self.quantizer is None else (_SIDE_BITS, _SIDE_BITS)

    @property
    def header_bits(self) -> int:
        """Bits of the repeated header."""
        return REPEATS * sum(self._fields)

    def pack(self, value: torch.Tensor) -> Packed:
        """Write ``[count]`` finite real numbers.

        Raises
        ------
        ValueError
            If the shape is another one, a number is not finite, or the scale is beyond binary16's range.
        """
        vector = value.detach().to("cpu", torch.float32)
        if vector.shape != (self.count,) or not bool(torch.isfinite(vector).all()):
            raise ValueError(
                f"this payload takes {self.count} values that are finite in single precision, "
                f"got shape {list(vector.shape)}"
                + (" with others among them" if vector.shape == (self.count,) else "")
            )
        header, mean, scale = self._side_of(vector)
        normal = (vector - mean) / (scale if scale > 0 else 1.0)
        if self.quantizer is None:
            return Packed(header, 0, header.numel(), 0, values=normal)
        coded = self.quantizer.encode(normal[None])[0]
        planes = self.quantizer.planes
        return Packed(torch.cat([header, coded]), coded.numel(), header.numel(), 0, planes=planes)

    def _side_of(self, vector: torch.Tensor) -> tuple[torch.Tensor, float, float]:
        """Header bits, and mean and scale as the receiver will read them."""
        nothing = torch.zeros(0, dtype=torch.uint8)
        if not self._fields:
            return (nothing, *(self.side or (0.0, 1.0)))
        if self.quantizer is None:
            bits, scale = to_half(float(vector.square().mean().sqrt()), "root mean square")
            return protect(bits), 0.0, scale
        first, mean = to_half(float(vector.mean()), "mean")
        second, scale = to_half(float((vector - mean).square().mean().sqrt()), "scale")
        return protect(torch.cat([first, second])), mean, scale

    def unpack(self, arrived: Arrived) -> Unpacked[torch.Tensor]:
        """Read ``[count]`` values, with the reliability of each.

        Quantised: the probability that all bits of the value were decided rightly, if the decoder gave soft
        bits. As it is: the share of the signal in what arrived, 1 / (1 + noise variance).
        """
        if arrived.header_intact is False and self.policy == "zero":
            return Unpacked(torch.zeros(self.count), "check sum wrong", torch.zeros(self.count))
        fields, coded = vote(arrived.bits, self._fields)
        mean, scale, remark = self._read_side(fields)
        if self.quantizer is None:
            (values, reliability), missing = self._as_sent(arrived), self._missing(arrived.values, "values")
        else:
            (values, reliability), missing = self._decoded(coded, arrived.llr), self._missing(coded, "bits")
        checked = "check sum wrong" if arrived.intact is False else ""
        remark = "; ".join(filter(None, (remark, missing, checked)))
        return Unpacked(values * scale + mean, remark, reliability)

    def _missing(self, arrived: torch.Tensor | None, what: str) -> str:
        wanted = self.count if self.quantizer is None else self.quantizer.bits_for(self.count)
        got = 0 if arrived is None else arrived.numel()
        return f"{got} of {wanted} {what} arrived" if got < wanted else ""

    def _read_side(self, fields: list[int]) -> tuple[float, float, str]:
        if not fields:
            return (*(self.side or (0.0, 1.0)), "")
        read = [from_half(pattern) for pattern in fields]
        mean, scale = (0.0, read[0]) if len(read) == 1 else (read[0], read[1])
        if mean is None or scale is None or scale < 0:
            return 0.0, 1.0, f"header damaged: mean {mean}, scale {scale}"
        return mean, scale, ""

    def _as_sent(self, arrived: Arrived) -> tuple[torch.Tensor, torch.Tensor | None]:
        if arrived.values is None or arrived.values.numel() < self.count:
            return torch.zeros(self.count), torch.zeros(self.count)
        noise = None if arrived.noise is None else 1.0 / (1.0 + arrived.noise[: self.count])
        return arrived.values[: self.count], noise

    def _decoded(
        self, coded: torch.Tensor, llr: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        quantizer = self.quantizer
        if quantizer is None:
            raise ValueError("only quantised values can be decoded")
        size = quantizer.bits_for(self.count)
        bits = torch.nn.functional.pad(coded[:size], (0, max(size - coded.numel(), 0)))
        values, reliability = quantizer.decode(bits[None], self.count)[0], None
        if llr is not None:
            own = llr[self.header_bits : self.header_bits + size]
            own = torch.nn.functional.pad(own, (0, size - own.numel()))
            estimate, trust = quantizer.decode_soft(own[None], self.count)
            reliability = trust[0]
            values = estimate[0] if self.soft else values
        return values, reliability
