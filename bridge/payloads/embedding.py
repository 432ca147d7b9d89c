"""Real vectors, quantised to bits or sent as they are."""

from __future__ import annotations

import torch

from bridge.payloads.moments import MEAN_BITS, SCALE_BITS, read_mean, read_scale, write_moments
from bridge.payloads.packed import Arrived, Packed, Unpacked, check_repeats, protect, vote
from phy.quantization import Quantizer

__all__ = ["EmbeddingPayload"]

_LARGEST = torch.finfo(torch.float32).max


class EmbeddingPayload:
    """A vector of ``count`` real numbers.

    Its mean is removed, and what is left divided by its root mean square, the scale; both make up a header of
    40 bits (`bridge.payloads.moments`). Quantised, the bits are the header and then the quantiser's bit
    planes; as it is (``quantizer`` None), the bits are the header, and the numbers are sent as values.
    Quantisers that take any number (bit patterns of floats) need no header, and nothing is removed.

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
        scale makes as large as single precision allows.
    repeats:
        How often the header is written, as in `bridge.payloads.text.TextPayload`.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> from phy import parse_quantizer
    >>> packed = EmbeddingPayload(768, parse_quantizer("lloyd-max:4")).pack(torch.randn(768))
    >>> packed.header_bits, packed.source_bits  # mean and scale; 4 bits a value
    (40, 3072)
    """

    def __init__(
        self,
        count: int,
        quantizer: Quantizer | None = None,
        *,
        side: tuple[float, float] | None = None,
        soft: bool = False,
        policy: str = "zero",
        repeats: int = 1,
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
        self.repeats = check_repeats(repeats)

    @property
    def name(self) -> str:
        """The quantiser, or ``values``."""
        return "values" if self.quantizer is None else self.quantizer.name + ("+soft" if self.soft else "")

    @property
    def _fields(self) -> tuple[int, ...]:
        if self.side is not None or (self.quantizer is not None and not self.quantizer.normalized):
            return ()
        return SCALE_BITS, MEAN_BITS

    @property
    def header_bits(self) -> int:
        """Bits of the header, all its copies together."""
        return self.repeats * sum(self._fields)

    def pack(self, value: torch.Tensor) -> Packed:
        """Write ``[count]`` finite real numbers.

        Raises
        ------
        ValueError
            If the shape is another one, or a number is not finite.
        """
        vector = value.detach().to("cpu", torch.float32)
        if vector.shape != (self.count,) or not bool(torch.isfinite(vector).all()):
            raise ValueError(
                f"this payload takes {self.count} values that are finite in single precision, "
                f"got shape {list(vector.shape)}"
                + (" with others among them" if vector.shape == (self.count,) else "")
            )
        header, mean, scale = self._side_of(vector.double())
        normal = ((vector.double() - mean) / (scale if scale > 0 else 1.0)).float()
        if self.quantizer is None:
            return Packed(header, 0, header.numel(), 0, values=normal)
        coded = self.quantizer.encode(normal[None])[0]
        planes = self.quantizer.planes
        return Packed(torch.cat([header, coded]), coded.numel(), header.numel(), 0, planes=planes)

    def _side_of(self, vector: torch.Tensor) -> tuple[torch.Tensor, float, float]:
        """Header bits, and mean and scale as the receiver will read them."""
        if not self._fields:
            return (torch.zeros(0, dtype=torch.uint8), *(self.side or (0.0, 1.0)))
        header, mean, scale = write_moments(vector)
        return protect(header, self.repeats), mean, scale

    def unpack(self, arrived: Arrived) -> Unpacked[torch.Tensor]:
        """Read ``[count]`` values, with the reliability of each.

        Quantised: the probability that all bits of the value were decided rightly, if the decoder gave soft
        bits. As it is: the share of the signal in what arrived, 1 / (1 + noise variance).
        """
        if arrived.header_intact is False and self.policy == "zero":
            return Unpacked(torch.zeros(self.count), "check sum wrong", torch.zeros(self.count))
        fields, coded = vote(arrived.bits, self._fields, self.repeats)
        mean, scale, remark = self._read_side(fields)
        if self.quantizer is None:
            (values, reliability), missing = self._as_sent(arrived), self._missing(arrived.values, "values")
        else:
            (values, reliability), missing = self._decoded(coded, arrived.llr), self._missing(coded, "bits")
        checked = "check sum wrong" if arrived.intact is False else ""
        remark = "; ".join(filter(None, (remark, missing, checked)))
        whole = (values.double() * scale + mean).clamp(-_LARGEST, _LARGEST)
        return Unpacked(whole.float(), remark, reliability)

    def _missing(self, arrived: torch.Tensor | None, what: str) -> str:
        wanted = self.count if self.quantizer is None else self.quantizer.bits_for(self.count)
        got = 0 if arrived is None else arrived.numel()
        return f"{got} of {wanted} {what} arrived" if got < wanted else ""

    def _read_side(self, fields: list[int]) -> tuple[float, float, str]:
        if not fields:
            return (*(self.side or (0.0, 1.0)), "")
        scale = read_scale(fields[0])
        if scale is None:
            return 0.0, 1.0, "header damaged: the scale is no number"
        return read_mean(fields[1], scale), scale, ""

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
