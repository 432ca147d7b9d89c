"""What every channel offers, and what flat and frequency-selective ones share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from phy.lazily import torch
from phy.random import Stream, complex_normal
from phy.units import EsN0

__all__ = ["Channel", "SymbolReception", "check_rows", "draw_noise", "faded"]

_SMALLEST_POWER = 1e-12  # of a gain; a Rayleigh gain lies below once in 10^12 symbols


@dataclass(frozen=True)
class SymbolReception:
    """What the receiver has after equalisation.

    Attributes
    ----------
    symbols:
        Equalised symbols, ``[batch, N]``, ``torch.complex64``.
    no:
        Noise variance per complex dimension after equalisation, ``[batch, N]``, ``torch.float32``.
    gain:
        Channel coefficient of each symbol, known to the receiver, ``[batch, N]``, ``torch.complex64``;
        None where the channel has none.
    scale:
        Amplitude factor by which a sender normalised each row, ``[batch]``, ``torch.float32``; None where
        the symbols were sent as they were.
    """

    symbols: torch.Tensor
    no: torch.Tensor
    gain: torch.Tensor | None = None
    scale: torch.Tensor | None = None

    @property
    def channel_uses(self) -> int:
        """Complex channel uses of one row."""
        return self.symbols.shape[-1]


class Channel(Protocol):
    """A channel from unit-power symbols to equalised symbols.

    Examples
    --------
    Any class with a name and a call is one, here a channel that turns all symbols by a known phase:

    >>> class Turned:
    ...     name = "turned"
    ...
    ...     def __call__(self, symbols, snr, streams, real=False):
    ...         return faded(symbols, torch.full_like(symbols, 1j), snr, streams, real)
    >>> symbols = torch.ones(1, 2, dtype=torch.complex64)
    >>> Turned()(symbols, EsN0(60.0), [Stream(1)]).symbols.real.round(decimals=2)
    tensor([[1., 1.]])
    """

    @property
    def name(self) -> str:
        """Name with all parameters; `parse_channel` reads it back."""

    def __call__(
        self, symbols: torch.Tensor, snr: EsN0, streams: Sequence[Stream], real: bool = False
    ) -> SymbolReception:
        """Send ``[batch, N]`` symbols, ``torch.complex64``, at ``snr``, one stream a row.

        ``real`` says that the receiver looks at real parts only, as for BPSK: noise is then drawn for these,
        with the same variance N0 / 2, and imaginary parts come out as zeros.
        """


def faded(
    symbols: torch.Tensor, gain: torch.Tensor, snr: EsN0, streams: Sequence[Stream], real: bool = False
) -> SymbolReception:
    """Send symbols over known gains: y = h x + n, equalised by zero forcing.

    The equalised symbol is ``y conj(h) / |h|^2`` and its noise variance ``N0 / |h|^2``. Where ``|h|^2`` is
    below 1e-12 it counts as 1e-12 in both, so that a vanishing gain gives a finite symbol with a very large
    variance, hence LLRs of nearly zero.

    Parameters
    ----------
    symbols, gain:
        ``[batch, N]``, ``torch.complex64``.
    snr:
        Es/N0 at unit gain.
    streams:
        One a row.
    real:
        As in `Channel`.
    """
    power = (gain.real * gain.real + gain.imag * gain.imag).clamp_min(_SMALLEST_POWER)
    if real:  # turned by the phase of the gain, circular noise stays what it was
        received = symbols + draw_noise(symbols, snr, streams, real) * power.rsqrt()
        return SymbolReception(received, snr.no / power, gain)
    received = _product(gain, symbols) + draw_noise(symbols, snr, streams, real)
    matched = torch.view_as_real(_product(received, gain.conj()))
    return SymbolReception(torch.view_as_complex(matched / power.unsqueeze(-1)), snr.no / power, gain)


def check_rows(symbols: torch.Tensor, streams: Sequence[Stream]) -> None:
    """Raise ValueError unless the symbols are complex ``[batch, N]`` with one stream a row."""
    if symbols.ndim != 2 or not symbols.is_complex():
        raise ValueError(
            f"symbols must be complex of shape [batch, N], got {symbols.dtype} {tuple(symbols.shape)}"
        )
    if len(streams) != len(symbols):
        raise ValueError(f"{len(symbols)} rows of symbols need as many streams, got {len(streams)}")


def _product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Multiply in real steps: complex kernels round differently at the end of a buffer, hence by batch."""
    return torch.complex(a.real * b.real - a.imag * b.imag, a.real * b.imag + a.imag * b.real)


def draw_noise(symbols: torch.Tensor, snr: EsN0, streams: Sequence[Stream], real: bool) -> torch.Tensor:
    """Draw noise on the CPU, so that it is the same on every device."""
    count = symbols.shape[-1]
    own = [stream.child("noise") for stream in streams]
    if real:  # both parts of a draw serve, one a symbol
        parts = torch.view_as_real(complex_normal(own, -(-count // 2))).flatten(1)[:, :count]
        noise = torch.complex(parts, torch.zeros_like(parts))
    else:
        noise = complex_normal(own, count)
    return noise.to(symbols.device) * snr.no**0.5
