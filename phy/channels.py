"""Channels that are flat over a symbol: AWGN, Rayleigh and Rician fading, with zero-forcing equalisation.

Every channel takes symbols of unit average power and returns them equalised, with the noise variance that
each one has *after* equalisation. The receiver's channel knowledge is perfect: gains and N0 are the true
ones, no pilots are sent and none are counted. Fading is drawn from ``stream.child("fading")`` and noise
from ``stream.child("noise")`` of each row, so channels and systems compared under the same stream meet the
same noise, and the result of a row does not depend on the batch around it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import Literal, Protocol

import torch

from phy.random import Stream, complex_normal
from phy.units import EsN0

__all__ = ["AWGN", "Channel", "Rayleigh", "Rician", "SymbolReception", "check_rows", "faded", "parse_channel"]

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
    """A channel from unit-power symbols to equalised symbols."""

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


@dataclass(frozen=True)
class AWGN:
    """Additive white Gaussian noise: y = x + n, n circular with variance N0 = 1 / (Es/N0).

    Examples
    --------
    >>> AWGN()(torch.ones(1, 4, dtype=torch.complex64), EsN0(10.0), [Stream(1)]).no
    tensor([[0.1000, 0.1000, 0.1000, 0.1000]])
    """

    @property
    def name(self) -> str:
        """``awgn``."""
        return "awgn"

    def __call__(
        self, symbols: torch.Tensor, snr: EsN0, streams: Sequence[Stream], real: bool = False
    ) -> SymbolReception:
        """Add noise to ``[batch, N]`` symbols; there is nothing to equalise."""
        check_rows(symbols, streams)
        received = symbols + _noise(symbols, snr, streams, real)
        return SymbolReception(received, torch.full_like(symbols.real, snr.no))


Coherence = int | Literal["block"] | None


@dataclass(frozen=True)
class Rayleigh:
    """Rayleigh fading with perfect CSI: y = h x + n, h circular Gaussian of unit variance.

    Parameters
    ----------
    coherence:
        Symbols that share one coefficient: 1 is fast (ergodic) fading, ``"block"`` (or None) one
        coefficient for the whole transmission.

    Raises
    ------
    ValueError
        If ``coherence`` is no positive integer and not ``"block"``.
    """

    coherence: Coherence = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "coherence", _coherence(self.coherence))

    @property
    def name(self) -> str:
        """``rayleigh``, ``rayleigh-block`` or ``rayleigh:coherence=24``."""
        return _fading_name("rayleigh", self.coherence)

    def __call__(
        self, symbols: torch.Tensor, snr: EsN0, streams: Sequence[Stream], real: bool = False
    ) -> SymbolReception:
        """Fade, add noise and equalise ``[batch, N]`` symbols."""
        check_rows(symbols, streams)
        return faded(symbols, _diffuse(symbols, self.coherence, streams), snr, streams, real)


@dataclass(frozen=True)
class Rician:
    """Rician fading with perfect CSI: h = sqrt(K/(K+1)) + sqrt(1/(K+1)) w, w as in `Rayleigh`.

    The line of sight has phase zero, which loses nothing where the receiver knows the phase.

    Parameters
    ----------
    k_db:
        Power of the line of sight over that of the diffuse part, in decibels.
    coherence:
        As for `Rayleigh`; it holds for the diffuse part.

    Raises
    ------
    ValueError
        If ``k_db`` is not finite or ``coherence`` is no positive integer and not ``"block"``.
    """

    k_db: float
    coherence: Coherence = 1

    def __post_init__(self) -> None:
        if not abs(self.k_db) < float("inf"):
            raise ValueError(f"k_db must be a finite number of decibels, got {self.k_db!r}")
        object.__setattr__(self, "k_db", float(self.k_db))
        object.__setattr__(self, "coherence", _coherence(self.coherence))

    @property
    def name(self) -> str:
        """``rician:k_db=6``, ``rician-block:k_db=6`` or ``rician:k_db=6,coherence=24``."""
        return _fading_name("rician", self.coherence, f"k_db={self.k_db:.12g}")

    def __call__(
        self, symbols: torch.Tensor, snr: EsN0, streams: Sequence[Stream], real: bool = False
    ) -> SymbolReception:
        """Fade, add noise and equalise ``[batch, N]`` symbols."""
        check_rows(symbols, streams)
        share = 1.0 / (1.0 + 10.0 ** (self.k_db / 10.0))
        gain = (1.0 - share) ** 0.5 + share**0.5 * _diffuse(symbols, self.coherence, streams)
        return faded(symbols, gain, snr, streams, real)


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
        received = symbols + _noise(symbols, snr, streams, real) * power.rsqrt()
        return SymbolReception(received, snr.no / power, gain)
    received = _product(gain, symbols) + _noise(symbols, snr, streams, real)
    matched = torch.view_as_real(_product(received, gain.conj()))
    return SymbolReception(torch.view_as_complex(matched / power.unsqueeze(-1)), snr.no / power, gain)


def parse_channel(text: str) -> Channel:
    """Read a channel from its name.

    Parameters
    ----------
    text:
        ``awgn``; ``rayleigh`` (fast), ``rayleigh-block`` or ``rayleigh:coherence=24``; the same for
        ``rician`` with ``k_db=6``; ``tdl-a`` to ``tdl-e`` with any of the parameters of `phy.tdl.TDL`, for
        example ``tdl-c:delay_spread=100e-9,speed=3``. Parameters are separated by commas.

    Raises
    ------
    ValueError
        If the channel, a parameter or its value does not exist.

    Examples
    --------
    >>> parse_channel("rician-block:k_db=6")
    Rician(k_db=6.0, coherence='block')
    >>> parse_channel("rayleigh:coherence=24").name
    'rayleigh:coherence=24'
    """
    kind, _, rest = text.strip().lower().partition(":")
    parameters = dict(_parameter(item, text) for item in rest.split(",") if item)
    family, _, variant = kind.partition("-")
    makers: dict[str, Callable[..., Channel]] = {"awgn": AWGN, "rayleigh": Rayleigh, "rician": Rician}
    if family in ("rayleigh", "rician") and variant == "block":
        if "coherence" in parameters:
            raise ValueError(f"channel {text!r} names its coherence twice: write {family} or drop coherence=")
        kind, parameters["coherence"] = family, "block"
    elif family == "tdl" and variant in ("a", "b", "c", "d", "e"):
        from phy.tdl import TDL  # needs Sionna, whose import takes seconds

        makers[kind] = partial(TDL, variant.upper())
    if kind not in makers:
        known = "awgn, rayleigh, rayleigh-block, rician, rician-block, tdl-a to tdl-e"
        raise ValueError(f"unknown channel {text!r}: use one of {known}")
    try:
        return makers[kind](**parameters)
    except TypeError as error:
        takes = ", ".join(signature(makers[kind]).parameters)
        raise ValueError(f"wrong parameters in channel {text!r}: {kind} takes {takes or 'none'}") from error


def _parameter(item: str, text: str) -> tuple[str, float | str]:
    key, _, value = item.partition("=")
    try:
        return key.strip(), float(value)
    except ValueError as error:
        raise ValueError(f"{item!r} in channel {text!r}: write name=number, as in rician:k_db=6") from error


def _fading_name(family: str, coherence: Coherence, *parameters: str) -> str:
    if coherence == "block":
        family += "-block"
    elif coherence != 1:
        parameters = (*parameters, f"coherence={coherence}")
    return ":".join((family, ",".join(parameters))) if parameters else family


def _coherence(value: Coherence) -> int | Literal["block"]:
    if value is None or value == "block":
        return "block"
    if not isinstance(value, str) and value >= 1 and float(value).is_integer():
        return int(value)
    raise ValueError(f"coherence must be a positive number of symbols or 'block', got {value!r}")


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


def _noise(symbols: torch.Tensor, snr: EsN0, streams: Sequence[Stream], real: bool) -> torch.Tensor:
    """Draw noise on the CPU, so that it is the same on every device."""
    count = symbols.shape[-1]
    own = [stream.child("noise") for stream in streams]
    if real:  # both parts of a draw serve, one a symbol
        parts = torch.view_as_real(complex_normal(own, -(-count // 2))).flatten(1)[:, :count]
        noise = torch.complex(parts, torch.zeros_like(parts))
    else:
        noise = complex_normal(own, count)
    return noise.to(symbols.device) * snr.no**0.5


def _diffuse(symbols: torch.Tensor, coherence: Coherence, streams: Sequence[Stream]) -> torch.Tensor:
    """Circular Gaussian gains of unit variance, each held for ``coherence`` symbols: ``[batch, N]``."""
    count = symbols.shape[-1]
    span = coherence if isinstance(coherence, int) else max(count, 1)
    draws = complex_normal([stream.child("fading") for stream in streams], -(-count // span))
    return draws.to(symbols.device).repeat_interleave(span, dim=-1)[:, :count]
