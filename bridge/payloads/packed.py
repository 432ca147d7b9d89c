"""What a payload is on its way: bits and real numbers to send, bits and real numbers that arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import torch

__all__ = ["Arrived", "Packed", "Payload", "Unpacked", "check_repeats", "protect", "vote", "written"]

T = TypeVar("T")


@dataclass(frozen=True)
class Packed:
    """A payload's bits and what they are made of.

    Attributes
    ----------
    bits:
        ``[n]``, ``torch.uint8``: header, source, filler.
    source_bits, header_bits, filler_bits:
        Their shares; they add up to n.
    notes:
        Choices that were made while packing (codec quality, down-scaling), for the results.
    values:
        Real numbers that are sent as they are, ``[count]``, ``torch.float32``, mean square 1; None where
        everything is bits.
    planes:
        Number of equally long bit planes, most important first, that the source bits consist of.
    """

    bits: torch.Tensor
    source_bits: int
    header_bits: int
    filler_bits: int
    notes: dict[str, int | str] = field(default_factory=dict)
    values: torch.Tensor | None = None
    planes: int = 1

    def sections(self, count: int) -> list[torch.Tensor]:
        """Cut the bits into ``count`` parts of falling importance, for unequal error protection.

        The header goes with the first plane. Each part but the last is one plane.

        Raises
        ------
        ValueError
            If there are fewer planes than parts.
        """
        if count > self.planes:
            raise ValueError(
                f"{count} schemes for a payload of {self.planes} bit plane{'s' * (self.planes > 1)}: "
                "give at most one a plane"
            )
        plane = self.source_bits // self.planes
        cuts = [self.header_bits + plane * (index + 1) for index in range(count - 1)]
        return list(torch.tensor_split(self.bits, cuts))


@dataclass(frozen=True)
class Arrived:
    """One payload as it arrived in one trial.

    Attributes
    ----------
    bits:
        ``[n]``, ``torch.uint8``, right or wrong.
    llr:
        Soft values log p(b=1)/p(b=0) of the same bits; None if the decoder has none.
    intact:
        Verdict of the check sums; None without any.
    header_intact:
        Verdict of the check sums over the part that holds the header; None without any.
    values:
        Real numbers that were sent as they are, with what the channel did to them; None where none were.
    noise:
        Noise variance of each of ``values``, ``[count]``, where a value's mean square was 1.
    """

    bits: torch.Tensor
    llr: torch.Tensor | None = None
    intact: bool | None = None
    header_intact: bool | None = None
    values: torch.Tensor | None = None
    noise: torch.Tensor | None = None


@dataclass(frozen=True)
class Unpacked(Generic[T]):
    """A received value.

    Attributes
    ----------
    value:
        What the receiver makes of the payload.
    remark:
        What spoke against it; empty if nothing did.
    reliability:
        How far each number of the value may be trusted, from 0 to 1, in its shape; None if nobody can say.
    lost:
        Nothing of it could be read, and the value is what the payload shows then.
    """

    value: T
    remark: str = ""
    reliability: torch.Tensor | None = None
    lost: bool = False


class Payload(Protocol[T]):
    """How values of one kind are written, and read again from whatever arrives."""

    @property
    def name(self) -> str:
        """Name with all settings, as it stands in results."""

    def pack(self, value: T) -> Packed:
        """Write a value.

        Raises
        ------
        ValueError
            If the payload cannot express it.
        """

    def unpack(self, arrived: Arrived) -> Unpacked[T]:
        """Read a value; raises for nothing that may arrive."""


def check_repeats(repeats: int) -> int:
    """Raise ValueError unless a majority of so many copies of a header can decide: an odd number."""
    if repeats < 1 or repeats % 2 == 0:
        raise ValueError(f"a header is written an odd number of times, got repeats {repeats}")
    return repeats


def written(numbers: Sequence[int], lengths: Sequence[int]) -> torch.Tensor:
    """Unsigned numbers as fields of so many bits each, most significant first: ``torch.uint8``.

    Examples
    --------
    >>> written((5, 1), (4, 2)).tolist()
    [0, 1, 0, 1, 0, 1]
    """
    pairs = zip(numbers, lengths, strict=True)
    bits = [number >> (length - 1 - place) & 1 for number, length in pairs for place in range(length)]
    return torch.tensor(bits, dtype=torch.uint8)


def protect(header: torch.Tensor, repeats: int) -> torch.Tensor:
    """Write the bits of a header ``repeats`` times."""
    return header.repeat(repeats)


def vote(bits: torch.Tensor, lengths: Sequence[int], repeats: int) -> tuple[list[int], torch.Tensor]:
    """Read a header of unsigned fields of so many bits by majority; missing bits count as zeros.

    Returns
    -------
    list of int, torch.Tensor
        The fields, and the bits behind the header.
    """
    size = sum(lengths)
    head = torch.nn.functional.pad(bits[: repeats * size], (0, max(repeats * size - bits.numel(), 0)))
    decided = (2 * head.reshape(repeats, size).sum(0) > repeats).tolist()
    fields, start = [], 0
    for length in lengths:
        fields.append(int("".join(str(int(bit)) for bit in decided[start : start + length]) or "0", 2))
        start += length
    return fields, bits[repeats * size :]
