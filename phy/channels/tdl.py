"""OFDM over the tapped delay lines of TR 38.901."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import torch
from sionna.phy import config
from sionna.phy.channel import cir_to_ofdm_channel, subcarrier_frequencies, tr38901

from phy.channels.channel import SymbolReception, check_rows, faded
from phy.random import Stream
from phy.units import EsN0

__all__ = ["TDL"]

_MODELS = ("A", "B", "C", "D", "E")


@dataclass(frozen=True)
class TDL:
    """A frequency-selective, time-varying channel seen through OFDM, equalised by one tap a subcarrier.

    Symbols fill the grid of subcarriers and OFDM symbols frequency first; each row of a batch is a
    transmission of its own with a channel of its own. Taps are Sionna's (sum of sinusoids; normalised to
    unit average energy), constant during an OFDM symbol, and move from one to the next: a slot of 14 OFDM
    symbols lasts 15 / ``subcarrier_spacing`` (normal cyclic prefix, TS 38.211, 5.3.1). The cyclic prefix
    covers all taps, so subcarriers stay orthogonal. The receiver knows the channel perfectly. Cyclic
    prefix, guard bands and pilots are *not* counted as channel uses: one use is one resource element.

    Parameters
    ----------
    model:
        Power delay profile, ``"A"`` to ``"C"`` without and ``"D"``, ``"E"`` with line of sight
        (TR 38.901, tables 7.7.2-1 to 7.7.2-5).
    delay_spread:
        RMS delay spread in seconds.
    carrier_frequency:
        In hertz.
    speed:
        Of the receiver, in metres per second.
    subcarriers:
        Number of subcarriers; 624 are the 52 resource blocks of a 10 MHz carrier.
    subcarrier_spacing:
        In hertz.

    Raises
    ------
    ValueError
        If a parameter is out of range or the last tap lies outside the cyclic prefix.

    Examples
    --------
    >>> channel = TDL("A", subcarriers=12)
    >>> there = channel(torch.ones(2, 24, dtype=torch.complex64), EsN0(10.0), [Stream(1), Stream(2)])
    >>> there.symbols.shape, there.gain.shape  # two OFDM symbols of 12 subcarriers, two rows
    (torch.Size([2, 24]), torch.Size([2, 24]))
    """

    model: str
    delay_spread: float = 100e-9
    carrier_frequency: float = 3.5e9
    speed: float = 3.0
    subcarriers: int = 624
    subcarrier_spacing: float = 15e3

    def __post_init__(self) -> None:
        if self.model not in _MODELS:
            raise ValueError(f"TDL model must be one of {', '.join(_MODELS)}, got {self.model!r}")
        for field in fields(self)[1:]:  # all numbers; 0 m/s is a channel that stands still
            value = getattr(self, field.name)
            if not (0 <= value < math.inf) or (value == 0 and field.name != "speed"):
                raise ValueError(f"{field.name} of a TDL channel must be positive and finite, got {value!r}")
        if self.subcarriers != int(self.subcarriers):
            raise ValueError(f"subcarriers must be a whole number, got {self.subcarriers!r}")
        object.__setattr__(self, "subcarriers", int(self.subcarriers))
        last, prefix = float(self._taps.delays.max()), 144.0 / 2048.0 / self.subcarrier_spacing
        if last > prefix:
            raise ValueError(
                f"the last tap of TDL-{self.model} at a delay spread of {self.delay_spread:g} s comes after "
                f"{last:.3g} s, outside the cyclic prefix of {prefix:.3g} s; "
                "choose a smaller delay spread or subcarrier spacing"
            )

    @property
    def name(self) -> str:
        """``tdl-c:delay_spread=1e-07,...`` with all parameters."""
        parameters = ",".join(f"{field.name}={getattr(self, field.name):.12g}" for field in fields(self)[1:])
        return f"tdl-{self.model.lower()}:{parameters}"

    def __call__(
        self, symbols: torch.Tensor, snr: EsN0, streams: Sequence[Stream], real: bool = False
    ) -> SymbolReception:
        """Fade, add noise and equalise ``[batch, N]`` symbols, one stream a row."""
        check_rows(symbols, streams)
        count = symbols.shape[-1]
        # Sionna draws from one generator for a whole batch: a row at a time keeps rows apart
        rows = [self._gains(-(-count // self.subcarriers), stream.child("fading")) for stream in streams]
        gain = torch.stack(rows).flatten(1)[:, :count] if rows else symbols.new_empty((0, count))
        return faded(symbols, gain.to(symbols.device), snr, streams, real)

    def _gains(self, ofdm_symbols: int, stream: Stream) -> torch.Tensor:
        """Frequency response, ``[ofdm_symbols, subcarriers]``."""
        generator = config.torch_rng("cpu")
        before = generator.get_state()
        generator.manual_seed(stream.seed)
        try:
            taps, delays = self._taps(1, ofdm_symbols, self.subcarrier_spacing * 14.0 / 15.0)
        finally:
            generator.set_state(before)
        response = cir_to_ofdm_channel(self._frequencies, taps, delays, normalize=False)
        return response.reshape(ofdm_symbols, self.subcarriers)

    @cached_property
    def _taps(self) -> tr38901.TDL:
        return tr38901.TDL(
            self.model,
            self.delay_spread,
            self.carrier_frequency,
            min_speed=self.speed,
            precision="single",
            device="cpu",
        )

    @cached_property
    def _frequencies(self) -> torch.Tensor:
        return subcarrier_frequencies(
            self.subcarriers, self.subcarrier_spacing, precision="single", device="cpu"
        )
