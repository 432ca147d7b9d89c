"""Settings of ``semphy mcs``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from benchmarks.settings.ber import BerSpec, Probability, SnrSpec, StopSpec, read_targets
from benchmarks.settings.codes import CodeSpec, Count, DecoderSpec, Settings
from bridge.air.schemes import Scheme

__all__ = ["McsSpec"]

LARGEST_BLOCK = 8448
"""Information bits of the largest code block of TS 38.212, clause 5.2.2."""

_SEARCH_DB = (-10.0, 60.0)


class McsSpec(Settings):
    """Everything ``semphy mcs`` is told, except how the work is divided.

    Attributes
    ----------
    schemes:
        As `bridge.air.schemes.parse_schemes` reads them.
    block_bits:
        Information bits of the code block; None is what a scheme's own coded block length gives, and 8,448
        for schemes without one.
    decoder:
        Of the LDPC code.
    target_bler:
        Block error rates to meet.
    snr:
        Es/N0 or Eb/N0 between which to search; -10 to 60 dB of Es/N0 when left out.
    demapping, channel, stop, engine, seed, confidence:
        As in `benchmarks.settings.ber.BerSpec`.

    Examples
    --------
    >>> from bridge.air.schemes import parse_schemes
    >>> curve = McsSpec(block_bits=500).of(parse_schemes("1/2-qam16")[0])
    >>> curve.code.k, curve.code.n, curve.modulation
    (500, 1000, 'qam16')
    """

    schemes: str = "nr"
    block_bits: Count | None = None
    decoder: DecoderSpec = DecoderSpec()
    demapping: Literal["app", "maxlog"] = "app"
    channel: str = "awgn"
    target_bler: tuple[Probability, ...] = Field(default=(0.1,), min_length=1)
    snr: SnrSpec = SnrSpec(kind="esno", values_db=_SEARCH_DB)
    stop: StopSpec = StopSpec()
    engine: Literal["auto", "sionna", "compiled"] = "auto"
    seed: Annotated[int, Field(ge=0)] = 1
    confidence: Probability = 0.95

    @field_validator("target_bler", mode="before")
    @classmethod
    def _targets(cls, value: object) -> object:
        return read_targets(value)

    def of(self, scheme: Scheme) -> BerSpec:
        """Settings of one scheme's curve."""
        k = self.block_bits or (
            LARGEST_BLOCK if scheme.block_bits is None else round(scheme.rate * scheme.block_bits)
        )
        symbols = max(1, round(k / scheme.rate / scheme.bits_per_symbol))
        n = k if scheme.code == "none" else symbols * scheme.bits_per_symbol
        names = ("demapping", "channel", "target_bler", "snr", "stop", "engine", "seed", "confidence")
        return BerSpec(
            code=CodeSpec(name=scheme.code, k=k, n=n, decoder=self.decoder),
            modulation=scheme.modulation,
            **{name: getattr(self, name) for name in names},
        )
