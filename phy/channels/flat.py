"""Channels that are flat over a symbol: AWGN, Rayleigh and Rician fading, with zero-forcing equalisation.

Every channel takes symbols of unit average power and returns them equalised, with the noise variance that
each one has *after* equalisation. The receiver's channel knowledge is perfect: gains and N0 are the true
ones, no pilots are sent and none are counted. Fading is drawn from ``stream.child("fading")`` and noise
from ``stream.child("noise")`` of each row, so channels and systems compared under the same stream meet the
same noise, and the result of a row does not depend on the batch around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from phy.channels.channel import SymbolReception, check_rows, draw_noise, faded
from phy.lazily import torch
from phy.random import Stream, complex_normal
from phy.units import EsN0

__all__ = ["AWGN", "Rayleigh", "Rician"]


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
        received = symbols + draw_noise(symbols, snr, streams, real)
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

    Examples
    --------
    Noise after equalisation is N0 / abs(h)^2, one gain for all symbols of a row here:

    >>> there = Rayleigh("block")(torch.ones(1, 3, dtype=torch.complex64), EsN0(10.0), [Stream(1)])
    >>> torch.allclose(there.no, 0.1 / there.gain.abs() ** 2)
    True
    >>> bool((there.gain == there.gain[0, 0]).all())
    True
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

    Examples
    --------
    >>> there = Rician(k_db=40.0)(torch.ones(1, 1000, dtype=torch.complex64), EsN0(10.0), [Stream(1)])
    >>> round(float(there.gain.abs().mean()), 2)  # nearly all power takes the line of sight
    1.0
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


def _diffuse(symbols: torch.Tensor, coherence: Coherence, streams: Sequence[Stream]) -> torch.Tensor:
    """Circular Gaussian gains of unit variance, each held for ``coherence`` symbols: ``[batch, N]``."""
    count = symbols.shape[-1]
    span = coherence if isinstance(coherence, int) else max(count, 1)
    draws = complex_normal([stream.child("fading") for stream in streams], -(-count // span))
    return draws.to(symbols.device).repeat_interleave(span, dim=-1)[:, :count]
