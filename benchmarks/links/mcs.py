"""``semphy mcs``: which modulation-coding scheme meets a target at which SNR, the table of link adaptation.

Every scheme sends one code block, and the SNR at which its BLER meets the target is searched as by ``semphy
ber --target-bler``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import scipy

from benchmarks.links.ber import check_targets, keep_points, simulate
from benchmarks.links.chains import SpecifiedLink
from benchmarks.links.results import COUNT_COLUMNS, PointStats, TargetRow
from benchmarks.runs.results import Result
from benchmarks.runs.store import Store
from benchmarks.runs.table import Column, decibels, plain
from benchmarks.settings.errors import input_errors
from benchmarks.settings.mcs import McsSpec
from bridge.air.schemes import parse_schemes
from phy import theory
from phy.modulation import Modulation
from phy.units import EsN0

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["McsRun", "SchemeRow", "limit_db", "run_mcs"]


@dataclass(frozen=True)
class SchemeRow:
    """What a modulation-coding scheme needs to meet one target.

    Attributes
    ----------
    scheme, modulation:
        Names.
    k, n:
        Information and coded bits of its code block.
    bits_per_use:
        Information bits a complex channel use.
    target:
        The SNR that was found.
    limit_esno_db:
        The least that any code needs, in decibels of Es/N0 (`limit_db`); None where that is not known.
    """

    scheme: str
    modulation: str
    k: int
    n: int
    bits_per_use: float
    target: TargetRow
    limit_esno_db: float | None

    @property
    def rate(self) -> float:
        """Rate of the code, k / n."""
        return self.k / self.n

    @property
    def gap_db(self) -> float | None:
        """Decibels between the limit and what was found; None if either is not known."""
        if self.limit_esno_db is None or self.target.esno_db is None:
            return None
        return round(self.target.esno_db - self.limit_esno_db, 4)

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints of it, and its row of ``schemes.csv``."""
        return {
            **{
                name: getattr(self, name)
                for name in ("scheme", "modulation", "k", "n", "rate", "bits_per_use")
            },
            **{name: value for name, value in self.target.to_json().items() if name != "code"},
            "limit_esno_db": self.limit_esno_db,
            "gap_db": self.gap_db,
        }


_SCHEMES: tuple[Column[SchemeRow], ...] = (
    Column("rate", lambda row: f"{row.rate:.4f}", 6),
    Column("k", lambda row: str(row.k), 6),
    Column("n", lambda row: str(row.n), 6),
    Column("bits/use", lambda row: f"{row.bits_per_use:.4f}", 8),
    Column("target", lambda row: f"{row.target.target_bler:g}", 7),
    Column("Es/N0", lambda row: decibels(row.target.esno_db, 2), 8),
    Column("low", lambda row: decibels(row.target.esno_low_db, 2), 8),
    Column("high", lambda row: decibels(row.target.esno_high_db, 2), 8),
    Column("Eb/N0", lambda row: decibels(row.target.ebno_db, 2), 8),
    Column("limit", lambda row: decibels(row.limit_esno_db, 2), 8),
    Column("gap", lambda row: decibels(row.gap_db, 2), 6),
)


@dataclass(frozen=True, repr=False)
class McsRun(Result):
    """What a run found.

    Attributes
    ----------
    spec:
        Settings.
    versions:
        See `benchmarks.runs.versions`.
    schemes:
        One a scheme and target, the targets of a scheme side by side.
    points:
        The points that were simulated.
    interrupted:
        Whether Ctrl-C ended it.
    """

    spec: dict[str, Any]
    versions: dict[str, str | None]
    schemes: list[SchemeRow]
    points: list[PointStats]
    interrupted: bool

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {
            "spec": self.spec,
            "versions": self.versions,
            "schemes": self.to_csv_rows(),
            "points": [point.to_json() for point in self.points],
        }

    def to_text(self) -> str:
        """Return the table: SNRs and the gap to the limit in decibels."""
        width = max((len(row.scheme) for row in self.schemes), default=0)
        return plain((Column("scheme", attrgetter("scheme"), width), *_SCHEMES), self.schemes)

    def to_csv_rows(self) -> list[dict[str, Any]]:
        """Return the schemes as rows of ``schemes.csv``."""
        return [row.to_json() for row in self.schemes]

    def plot(self, ax: Axes | None = None) -> Figure:
        """Draw the points as `benchmarks.links.drawing.plots.plot_ber` does, in these axes if given."""
        from benchmarks.links.drawing.plots import curves_of, plot_ber

        return plot_ber(curves_of(self.points, self.spec["snr"]["kind"]), ax)


def run_mcs(
    spec: McsSpec, out: Path | None = None, workers: int = 1, batch_size: int | None = None
) -> McsRun:
    """Search the SNR of every scheme and target, or what a former run left.

    Parameters are those of `benchmarks.links.ber.run_ber`.

    Raises
    ------
    InputError
        If the spec or the directory cannot work.

    Examples
    --------
    >>> spec = McsSpec(schemes="1/2-qpsk,1/2-qam16", block_bits=128, stop={"block_errors": 20})
    >>> low, high = run_mcs(spec).schemes
    >>> low.target.esno_db < high.target.esno_db
    True
    """
    with input_errors():
        schemes = parse_schemes(spec.schemes)
        links = [SpecifiedLink.of(spec.of(scheme)) for scheme in schemes]
    chains = [link.chain(scheme.name) for link, scheme in zip(links, schemes, strict=True)]
    check_targets(chains)
    engines = {link.spec.engine for link in links}
    resolved = spec.model_copy(
        update={
            "channel": links[0].spec.channel,
            "decoder": links[0].spec.code.decoder,
            "engine": engines.pop() if len(engines) == 1 else "auto",
        }
    )
    described = resolved.model_dump(mode="json")
    identity = {name: described[name] for name in ("demapping", "channel", "seed")}
    with Store(out, "mcs", COUNT_COLUMNS, described, identity) as store:
        outcome = simulate(chains, store, workers, batch_size, title="scheme")
        points = keep_points(store, outcome, spec.confidence)
    order = [link for link in links for _ in spec.target_bler]
    rows = [_row(link, target) for link, target in zip(order, outcome.targets, strict=False)]
    found = McsRun(described, store.versions, rows, points, outcome.interrupted)
    if out is not None:
        found.to_csv(out / "schemes.csv")
    return found


def _row(link: SpecifiedLink, target: TargetRow) -> SchemeRow:
    code, modulation, efficiency = link.link.code, link.spec.modulation, link.link.bits_per_use
    real = Modulation(modulation).dimensions == 1
    limit = limit_db(link.spec.channel, efficiency, target.target_bler, real)
    return SchemeRow(target.code, modulation, code.k, code.n, efficiency, target, limit)


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
    found = scipy.optimize.brentq(
        lambda db: theory.ergodic_capacity(EsN0(db)) - rate, least - 0.01, least + 3.0
    )
    return float(found)
