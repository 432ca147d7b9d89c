"""``semphy mcs``: which modulation-coding scheme meets a target at which SNR, the table of link adaptation.

Every scheme sends one code block, and the SNR at which its BLER meets the target is searched as by ``semphy
ber --target-bler``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from scipy.optimize import brentq

from benchmarks.links.ber import check_targets, csv_row, simulate
from benchmarks.links.points import COLUMNS, Chain, load_points
from benchmarks.runs.store import Store, write_csv
from benchmarks.runs.table import Column, plain
from benchmarks.settings.ber import BerSpec, Probability, SnrSpec, StopSpec, read_targets
from benchmarks.settings.codes import CodeSpec, Count, DecoderSpec, Settings
from benchmarks.settings.errors import input_errors
from bridge.air.schemes import Scheme, parse_schemes
from phy import theory
from phy.units import EsN0

__all__ = ["McsRun", "McsSpec", "limit_db", "run_mcs"]

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


_TABLE = (
    Column("rate", 6),
    Column("k", 6),
    Column("n", 6),
    Column("bits/use", 8),
    Column("target", 7),
    Column("Es/N0", 8),
    Column("low", 8),
    Column("high", 8),
    Column("Eb/N0", 8),
    Column("limit", 8),
    Column("gap", 6),
)


@dataclass(frozen=True)
class McsRun:
    """What a run found.

    Attributes
    ----------
    spec:
        Settings.
    versions:
        See `benchmarks.runs.versions`.
    schemes:
        One dictionary a scheme and target, the targets of a scheme side by side.
    points:
        One dictionary a simulated point.
    interrupted:
        Whether Ctrl-C ended it.
    """

    spec: dict[str, Any]
    versions: dict[str, str | None]
    schemes: list[dict[str, Any]]
    points: list[dict[str, Any]]
    interrupted: bool

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {
            "spec": self.spec,
            "versions": self.versions,
            "schemes": self.schemes,
            "points": self.points,
        }

    def to_text(self) -> str:
        """Return the table: SNRs and the gap to the limit in decibels."""
        names = [scheme["scheme"] for scheme in self.schemes]
        first = Column("scheme", max(map(len, names), default=0))
        return plain((first, *_TABLE), [_cells(scheme) for scheme in self.schemes])


def run_mcs(
    spec: McsSpec, out: Path | None = None, workers: int = 1, batch_size: int | None = None
) -> McsRun:
    """Search the SNR of every scheme and target, or what a former run left.

    Parameters are those of `benchmarks.links.ber.run_ber`.

    Raises
    ------
    InputError
        If the spec or the directory cannot work.
    """
    with input_errors():
        schemes = parse_schemes(spec.schemes)
        chains = [Chain.of(spec.of(scheme)) for scheme in schemes]
    check_targets(chains)
    engines = {chain.spec.engine for chain in chains}
    resolved = spec.model_copy(
        update={
            "channel": chains[0].spec.channel,
            "decoder": chains[0].spec.code.decoder,
            "engine": engines.pop() if len(engines) == 1 else "auto",
        }
    )
    described = resolved.model_dump(mode="json")
    shared = ("demapping", "channel", "seed")
    store = Store(out, "mcs", COLUMNS, described, {name: described[name] for name in shared})
    names = [scheme.name for scheme in schemes]
    outcome = simulate(chains, store, workers, batch_size, names)
    everything = load_points(store, spec.confidence)
    store.close()
    found = {condition.id: point for condition, point in everything}
    order = [(name, chain) for name, chain in zip(names, chains, strict=True) for _ in spec.target_bler]
    rows = [_row(*entry, target) for entry, target in zip(order, outcome.targets, strict=False)]
    if out is not None:
        write_csv(out / "curves.csv", [csv_row(*entry) for entry in everything])
        write_csv(out / "schemes.csv", rows)
    points = [found[name] for name in outcome.conditions if name in found]
    return McsRun(described, store.versions, rows, points, outcome.interrupted)


def _row(name: str, chain: Chain, target: Mapping[str, Any]) -> dict[str, Any]:
    code, efficiency = chain.spec.code, chain.link.bits_per_use
    limit = limit_db(chain.spec.channel, efficiency, target["target_bler"], chain.spec.modulation == "bpsk")
    known = limit is not None and target["esno_db"] is not None
    return {
        "scheme": name,
        "modulation": chain.spec.modulation,
        "k": code.k,
        "n": chain.link.code.n,
        "rate": chain.link.code.k / chain.link.code.n,
        "bits_per_use": efficiency,
        **{key: value for key, value in target.items() if key != "code"},
        "limit_esno_db": limit,
        "gap_db": round(target["esno_db"] - limit, 4) if known and limit is not None else None,
    }


def limit_db(channel: str, bits_per_use: float, target_bler: float, real: bool = False) -> float | None:
    """Es/N0 below which no code of any length carries a rate over a channel, with Gaussian symbols.

    Parameters
    ----------
    channel:
        Canonical name.
    bits_per_use:
        Information bits a complex channel use.
    target_bler:
        On block fading, the probability of outage.
    real:
        Whether only the real dimension is used: twice the rate at twice the ratio of powers.

    Returns
    -------
    float or None
        Capacity of AWGN, ergodic capacity of fast Rayleigh fading, outage capacity of block Rayleigh fading;
        None for other channels.
    """
    rate, gain_db = (2 * bits_per_use, 10.0 * math.log10(2.0)) if real else (bits_per_use, 0.0)
    limits: dict[str, Callable[[float], float]] = {
        "awgn": lambda rate: theory.capacity_snr(rate).db,
        "rayleigh": _ergodic_db,
        "rayleigh-block": lambda rate: (
            theory.capacity_snr(rate).db - 10.0 * math.log10(-math.log1p(-target_bler))
        ),
    }
    return round(limits[channel](rate) - gain_db, 6) if channel in limits else None


def _ergodic_db(rate: float) -> float:
    # Jensen: fading costs rate, so the SNR lies above that of AWGN; by less than 2.6 dB, which is e^gamma.
    least = theory.capacity_snr(rate).db
    found = brentq(lambda db: theory.ergodic_capacity(EsN0(db)) - rate, least - 0.01, least + 3.0)
    return float(found)


def _cells(scheme: Mapping[str, Any]) -> list[str]:
    decibels: Sequence[str] = ("esno_db", "esno_low_db", "esno_high_db", "ebno_db", "limit_esno_db")
    values = ["-" if scheme[name] is None else f"{scheme[name]:.2f}" for name in decibels]
    return [
        scheme["scheme"],
        f"{scheme['rate']:.4f}",
        str(scheme["k"]),
        str(scheme["n"]),
        f"{scheme['bits_per_use']:.4f}",
        f"{scheme['target_bler']:g}",
        *values,
        "-" if scheme["gap_db"] is None else f"{scheme['gap_db']:.2f}",
    ]
