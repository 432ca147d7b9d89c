"""Sweeps over objects: any links, counted side by side."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.links.ber import BerRun, check_targets, keep_points, simulate
from benchmarks.links.chains import Chain, Plan
from benchmarks.links.results import COUNT_COLUMNS
from benchmarks.links.sweepable import Sweepable, check_link
from benchmarks.runs.store import Store
from benchmarks.settings.ber import SnrSpec, StopSpec
from benchmarks.settings.errors import InputError
from benchmarks.settings.links import SweepSpec
from benchmarks.settings.reading import checked
from phy.units import EbN0, EsN0, EventProbability

__all__ = ["collect"]

Level = EsN0 | EbN0 | EventProbability
Snr = SnrSpec | Level | Sequence[EsN0] | Sequence[EbN0] | Sequence[EventProbability]


def collect(
    links: Sweepable | Sequence[Sweepable],
    *,
    snr: Snr,
    stop: StopSpec | Mapping[str, Any] | None = None,
    target_bler: Sequence[float] = (),
    out: Path | str | None = None,
    workers: int = 1,
    batch_size: int | None = None,
    seed: int = 1,
    confidence: float = 0.95,
) -> BerRun:
    """Count the errors of links at every SNR, or what a former run left.

    Parameters
    ----------
    links:
        One or several objects with the members of `benchmarks.links.sweepable.Sweepable`: the links of
        `phy.links`, with codes and decoders of one's own in them, or a class of one's own.
    snr:
        Points, all `phy.units.EsN0`, all `phy.units.EbN0`, or, for links over binary channels, all
        `phy.units.EventProbability`; with ``target_bler`` the ends of the search.
    stop:
        When a point has been simulated enough (`benchmarks.settings.ber.StopSpec`), such as
        ``{"block_errors": 200, "max_blocks": 1e7}``.
    target_bler:
        Block error rates whose SNR is searched.
    out:
        Run directory, which the same call resumes, and ``semphy plot`` draws; None stores nothing.
    workers:
        Processes; links must be such as `pickle` takes, so classes that a module has.
    batch_size:
        Blocks computed at once; neither it nor ``workers`` changes a count.
    seed:
        Root of every random draw.
    confidence:
        Of the intervals.

    Raises
    ------
    InputError
        If an object is no link, one raises something, two go by one name, or a setting cannot work.

    Examples
    --------
    >>> from phy import AWGN, DigitalLink, EbN0, Modulation, Uncoded
    >>> link = DigitalLink(Uncoded(1000), Modulation("qpsk"), AWGN())
    >>> run = collect(link, snr=[EbN0(2.0), EbN0(4.0)], stop={"max_blocks": 64})
    >>> [round(point.ber, 4) for point in run.points]  # theory: 0.0375 and 0.0125
    [0.0378, 0.0126]
    """
    given = [links] if not isinstance(links, Sequence) else list(links)
    settings = {
        "snr": _points(snr),
        "stop": stop or {},
        "target_bler": tuple(target_bler),
        "seed": seed,
        "confidence": confidence,
    }
    spec = checked(SweepSpec, settings)
    folder = None if out is None else Path(out)
    return sweep([check_link(link) for link in given], spec, folder, workers, batch_size)


def sweep(
    links: Sequence[Sweepable],
    spec: SweepSpec,
    out: Path | None = None,
    workers: int = 1,
    batch_size: int | None = None,
) -> BerRun:
    """Count the errors of links as settings want it; see `collect`."""
    _check_names(links)
    if workers > 1:
        _check_portable(links)
    plan = Plan(spec.snr, spec.stop, spec.seed, spec.target_bler, spec.confidence)
    chains = [Chain.of(link, plan) for link in links]
    check_targets(chains)
    described = {**spec.model_dump(mode="json"), "links": [link.name for link in links]}
    with Store(out, "ber", COUNT_COLUMNS, described, {"seed": spec.seed}) as store:
        outcome = simulate(chains, store, workers, batch_size, title="link")
        points = keep_points(store, outcome, spec.confidence)
    return BerRun(described, store.versions, points, outcome.targets, outcome.interrupted)


def _points(snr: Snr) -> SnrSpec:
    if isinstance(snr, SnrSpec):
        return snr
    values: list[Any] = [snr] if isinstance(snr, Level) else list(snr)
    kinds = {"ebno": EbN0, "esno": EsN0, "p": EventProbability}
    for kind, unit in kinds.items():
        if values and all(isinstance(value, unit) for value in values):
            numbers = tuple(
                value.value if isinstance(value, EventProbability) else value.db for value in values
            )
            return SnrSpec.model_validate({"kind": kind, "values_db": numbers})
    raise InputError(
        "snr takes EsN0, EbN0 or EventProbability, all of one kind, such as [EbN0(1.0), EbN0(2.0)], "
        f"got {snr!r}"
    )


def _check_names(links: Sequence[Sweepable]) -> None:
    names = [link.name for link in links]
    if not names:
        raise InputError("there is no link to sweep")
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two links go by the name {name!r}: curves are told apart by their names")


def _check_portable(links: Sequence[Sweepable]) -> None:
    for link in links:
        try:
            pickle.dumps(link)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise InputError(
                f"{link.name} cannot be handed to other processes ({error}): "
                "define its classes in a module, or use workers=1"
            ) from error
