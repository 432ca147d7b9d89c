"""What every quantiser offers, and the bit planes and soft decisions that all of them share.

A *code* is the number that stands for a value (or for a subvector) on the air. Codes are written plane by
plane: first the most significant bit of every code, then the next, so that unequal error protection by bit
plane is a split of the bit vector.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

import torch

__all__ = [
    "Quantizer",
    "check_values",
    "decide",
    "expectation",
    "from_planes",
    "reliability",
    "split_planes",
    "to_planes",
]


class Quantizer(Protocol):
    """Real values to bits and back, the same number of bits for every vector of the same length.

    Examples
    --------
    >>> from phy.quantization import parse_quantizer
    >>> quantizer: Quantizer = parse_quantizer("fp16")
    >>> bits = quantizer.encode(torch.tensor([[1.0, -0.5]]))
    >>> bits.shape, quantizer.decode(bits, 2)
    (torch.Size([1, 32]), tensor([[ 1.0000, -0.5000]]))
    """

    @property
    def name(self) -> str:
        """Name, as it stands in results; `phy.quantization.parse_quantizer` reads it.

        The exception are quantisers made for given data, whose name ends in a digest of their tables.
        """

    @property
    def bits_per_value(self) -> Fraction:
        """Payload bits a real value, without the padding of a vector quantiser."""

    @property
    def planes(self) -> int:
        """Number of equally long bit planes, most important first."""

    @property
    def normalized(self) -> bool:
        """True if values of zero mean and unit variance are expected, False if any finite values are."""

    def bits_for(self, count: int) -> int:
        """Payload bits of a vector of ``count`` values."""

    def encode(self, values: torch.Tensor) -> torch.Tensor:
        """Write values, plane by plane.

        Parameters
        ----------
        values:
            ``[batch, count]``, ``torch.float32``.

        Returns
        -------
        torch.Tensor
            ``[batch, bits_for(count)]``, ``torch.uint8``. A row depends on nothing but its own values.

        Raises
        ------
        ValueError
            If the values are not of two dimensions, or not all finite.
        """

    def decode(self, bits: torch.Tensor, count: int) -> torch.Tensor:
        """Read values back, whatever the bits are.

        Parameters
        ----------
        bits:
            Zeros and ones, ``[batch, bits_for(count)]``, ``torch.uint8``.
        count:
            Number of values in a row.

        Returns
        -------
        torch.Tensor
            ``[batch, count]``, ``torch.float32``, always finite.

        Raises
        ------
        ValueError
            If the shape is another one; never because of the bits themselves.
        """

    def decode_soft(self, llr: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Estimate values from soft bits.

        Parameters
        ----------
        llr:
            log p(b=1)/p(b=0), ``[batch, bits_for(count)]``, ``torch.float32``; the bits are taken as
            independent of each other given these.
        count:
            Number of values in a row.

        Returns
        -------
        values:
            Mean over all levels, each with its probability given the LLRs: the estimate of least squared
            error. ``[batch, count]``, ``torch.float32``.
        reliability:
            Probability that the signs of the LLRs give all bits of a value rightly, ``[batch, count]``,
            ``torch.float32``.

        Raises
        ------
        ValueError
            If the shape is another one.
        """


def check_values(values: torch.Tensor) -> torch.Tensor:
    """Return ``values`` as ``torch.float32`` if a quantiser can write them.

    Raises
    ------
    ValueError
        If the shape is not ``[batch, count]``, or a value is NaN or infinite.
    """
    if values.ndim != 2:
        raise ValueError(f"values to quantise must have the shape [batch, count], got {list(values.shape)}")
    values = values.float()
    if not bool(values.isfinite().all()):
        raise ValueError(
            f"values to quantise must be finite, got {int((~values.isfinite()).sum())} that are not"
        )
    return values


def split_planes(planes: torch.Tensor, width: int, count: int) -> torch.Tensor:
    """View bits or LLRs ``[batch, width * count]`` as ``[batch, width, count]``.

    Raises
    ------
    ValueError
        If the shape is another one.
    """
    if planes.ndim != 2 or planes.shape[-1] != width * count:
        raise ValueError(
            f"{count} codes of {width} bits need the shape [batch, {width * count}], got {list(planes.shape)}"
        )
    return planes.reshape(len(planes), width, count)


def to_planes(codes: torch.Tensor, width: int) -> torch.Tensor:
    """Write codes ``[batch, count]`` of ``width`` bits: ``[batch, width * count]``, ``torch.uint8``."""
    shifts = range(width - 1, -1, -1)
    return torch.cat([(codes >> shift & 1).to(torch.uint8) for shift in shifts], dim=-1)


def from_planes(bits: torch.Tensor, width: int, count: int) -> torch.Tensor:
    """Read the codes that `to_planes` wrote: ``[batch, count]``, ``torch.int64``."""
    planes = split_planes(bits, width, count)
    codes = torch.zeros_like(planes[:, 0], dtype=torch.int64)
    for plane in planes.unbind(dim=1):
        codes = codes << 1 | plane
    return codes


def decide(llr: torch.Tensor) -> torch.Tensor:
    """Decide each bit on its own: 1 where its LLR is positive, ``torch.uint8``."""
    return (llr > 0).to(torch.uint8)


def reliability(llr: torch.Tensor, width: int, count: int) -> torch.Tensor:
    """Probability that all bits of a code are decided rightly: the product of sigmoid(abs(LLR)).

    Returns
    -------
    torch.Tensor
        ``[batch, count]``, ``torch.float32``, from 2^-width to 1.
    """
    return split_planes(llr, width, count).double().abs().sigmoid().prod(dim=1).float()


def expectation(llr: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Mean of a table's rows, each weighted by the probability of its code.

    The code is split into its upper and its lower half; the probabilities of the lower halves weight what
    the upper ones left, so that memory goes with ``2**(width / 2)``. It is computed in double precision,
    which keeps rounding to ``torch.float32`` from depending on how many codes are decoded together.

    Parameters
    ----------
    llr:
        Soft bits of each code, most significant first: ``[tables, codes, width]``.
    table:
        What each code stands for: ``[tables, 2**width, dim]``.

    Returns
    -------
    torch.Tensor
        ``[tables, codes, dim]``, ``torch.float32``.
    """
    tables, codes, width = llr.shape
    dim = table.shape[-1]
    half = width // 2
    upper, lower = _probabilities(llr[..., :half]), _probabilities(llr[..., half:])
    given_lower = upper @ table.double().reshape(tables, upper.shape[-1], -1)
    parts = given_lower.reshape(tables, codes, lower.shape[-1], dim)
    return torch.einsum("tnl,tnld->tnd", lower, parts).float()


def _probabilities(llr: torch.Tensor) -> torch.Tensor:
    """Probabilities of all codes of independent bits: ``[..., width]`` to ``[..., 2**width]``."""
    llr = llr.double()
    result = llr.new_ones((*llr.shape[:-1], 1))
    for bit in llr.unbind(dim=-1):
        pair = torch.stack([(-bit).sigmoid(), bit.sigmoid()], dim=-1)
        result = (result[..., :, None] * pair[..., None, :]).flatten(-2)
    return result
