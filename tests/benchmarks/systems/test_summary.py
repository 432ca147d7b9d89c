"""Curves of a comparison: means and failures from samples, envelopes, and intervals computed once."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from benchmarks.runs.resampling import bootstrap_interval
from benchmarks.runs.store import Store
from benchmarks.systems.compare import SAMPLE_COLUMNS, CompareRun
from benchmarks.systems.curves import CurveRow
from benchmarks.systems.paired import differences
from benchmarks.systems.plots import plot_compare
from benchmarks.systems.summary import curves, table_of, with_intervals

Values = Mapping[str, Sequence[float | Mapping[str, float] | None]]
"""A metric, or several, of sources in two trials each, by system; None where a system raised."""

Run = Callable[..., tuple[int, str, str]]

SCHEMES: Values = {
    "bpg[a]": [30.0, 32.0, 34.0, 36.0, 20.0, 10.0],
    "bpg[b]": [31.0, 31.0, 31.0, 31.0, 31.0, 31.0],
    "bpg-capacity": [40.0, 41.0, 42.0, 43.0, 44.0, 45.0],
}


def store_of(
    values: Values,
    folder: Path | None = None,
    snrs: Sequence[float] = (0.0,),
    confidence: float = 0.95,
    metrics: Sequence[str] = ("psnr",),
) -> Store:
    """A run of picture systems at one bandwidth ratio; every sixth sample fails."""
    store = Store(folder, "compare", SAMPLE_COLUMNS, {"confidence": confidence}, {})
    for name, found in values.items():
        for snr_db in snrs:
            about: dict[str, Any] = {"system": name, "family": name.partition("[")[0], "modality": "image"}
            about |= {"cbr": "1/24", "snr_db": snr_db, "channel": "awgn", "engine": "compiled"}
            about |= {"policy": "none" if "capacity" in name else "mean", "metrics": list(metrics)}
            store.register(f"{name} {snr_db}", about)
            for index, value in enumerate(found):
                at = f"{name} {snr_db}", f"{index // 2}/{index % 2}"
                row: dict[str, Any] = {"source": f"picture-{index // 2}", "trial": index % 2}
                if value is None:
                    store.add_all([], [(*at, {**row, "reason": "MemoryError: "})])
                    continue
                row |= {"failed": int(index == 5)}
                row |= {"remark": "lost" if index == 5 else "", "channel_uses": 100 + index}
                row |= {"information_bits": 0 if "capacity" in name else 200, "arrived": None}
                row |= {"metrics": json.dumps(value if isinstance(value, Mapping) else {"psnr": value})}
                store.add(*at, {**row, "notes": "", "ledger": ""})
    return store


def named(rows: Sequence[CurveRow]) -> dict[str, CurveRow]:
    return {row.system: row for row in rows}


def test_counts_and_means_follow_from_the_samples() -> None:
    with store_of(SCHEMES) as store:
        rows = named(curves(store))
    row = rows["bpg[a]"]
    assert (row.images, row.trials, row.errors, row.failures) == (3, 2, 0, 1)
    assert row.failure_rate == pytest.approx(1 / 6)
    assert row.channel_uses == 102.5
    assert row.ebno_db == pytest.approx(-10 * math.log10(6 * 200 / 615))
    assert row.metrics["psnr"].mean == 27.0
    assert row.by_source("psnr") == {"picture-0": 31.0, "picture-1": 35.0, "picture-2": 15.0}
    assert rows["bpg-capacity"].ebno_db is None and rows["bpg-capacity"].engine is None
    assert (row.confidence, row.failure_interval, row.metrics["psnr"].interval) == (None, None, None)


def test_an_envelope_repeats_its_scheme() -> None:
    with store_of(SCHEMES) as store:
        rows = with_intervals(curves(store), 0.95)
    best = rows[0]
    assert (best.system, best.scheme, best.is_envelope) == ("bpg", "b", True)
    assert best.metrics == named(rows)["bpg[b]"].metrics
    assert [line.split()[:2] for line in table_of(rows).splitlines()[1:]] == [
        ["bpg", "b"],
        ["bpg-capacity", "-"],
    ]


def test_a_sample_on_which_a_system_raised_is_in_no_mean() -> None:
    values = [30.0, None, 34.0, 36.0, 20.0, 10.0]
    with store_of({"bpg[a]": values}) as store:
        row = named(curves(store))["bpg[a]"]
        run = CompareRun({}, {}, curves(store), interrupted=False)
    assert (row.errors, row.images) == (1, 3)
    assert row.metrics["psnr"].mean == 26.0
    assert row.by_source("psnr") == {"picture-1": 35.0, "picture-2": 15.0}
    assert run.broken == ("bpg[a], picture-0: MemoryError: ",)
    assert (row.to_json()["errors"], row.to_json()["failures"], row.failure_rate) == (1, 1, 1 / 5)
    assert [line.split()[5:7] for line in run.to_text().splitlines()] == [["uses", "failed"], ["0.200", "1"]]


def test_an_envelope_has_the_best_scheme_of_every_metric() -> None:
    """A1: each metric picks its own scheme, and where two do equally well in it, the next metric decides."""
    schemes: Values = {
        "bpg[low]": [{"scene": 1.0, "psnr": 34.18}] * 6,
        "bpg[high]": [{"scene": 1.0, "psnr": 43.21}] * 6,
        "bpg[sharp]": [{"scene": 0.5, "psnr": 50.0}] * 6,
    }
    for metrics in (("scene", "psnr"), ("psnr", "scene")):
        with store_of(schemes, metrics=metrics) as store:
            rows = [row for row in curves(store) if row.is_envelope]
        best = {name: (row.scheme, value.mean) for row in rows for name, value in row.metrics.items()}
        assert best == {"scene": ("high", 1.0), "psnr": ("sharp", 50.0)}
        assert [row.scheme for row in rows] == [best[name][0] for name in metrics]


def test_the_best_scheme_of_an_error_rate_is_the_lowest() -> None:
    schemes: Values = {"text[low]": [{"cer": 0.1}] * 3, "text[high]": [{"cer": 0.3}] * 3}
    with store_of(schemes, metrics=("cer",)) as store:
        (row,) = (row for row in curves(store) if row.is_envelope)
    assert (row.scheme, row.metrics["cer"].mean) == ("low", pytest.approx(0.1))


def test_equal_schemes_give_way_to_the_more_robust_one() -> None:
    store = store_of({"bpg[fast]": [30.0] * 4, "bpg[slow]": [30.0] * 4})
    with store:
        store._db.execute("UPDATE rows SET information_bits = 100 WHERE condition LIKE '%slow%'")
        assert curves(store)[0].scheme == "slow"
        store._db.execute("UPDATE rows SET failed = 1 WHERE condition LIKE '%slow%'")
        assert curves(store)[0].scheme == "fast"


def test_no_envelope_over_survivors() -> None:
    """A2: a scheme on which a source raised is no candidate, however good the rest."""
    with store_of({"bpg[a]": [51.73, None], "bpg[b]": [31.83, 31.83]}) as store:
        rows = curves(store)
    assert (rows[0].scheme, rows[0].metrics["psnr"].mean) == ("b", 31.83)
    with store_of({"bpg[a]": [51.73, None], "bpg[b]": [None, 31.83]}) as store:
        assert not any(row.is_envelope for row in curves(store))


def test_a_metric_that_some_samples_lack_has_no_mean() -> None:
    """A9: what cannot be computed is absent, and the mean of what is left is no mean."""
    with store_of(
        {"bpg[a]": [{"psnr": 30.0, "ssim": 1.0}, {"psnr": 20.0}]}, metrics=("psnr", "ssim")
    ) as store:
        (row, *_) = curves(store)
    assert {name: value.mean for name, value in row.metrics.items()} == {"psnr": 25.0}


def test_a_point_at_which_everything_raised_is_shown_without_figures() -> None:
    """A4: a table, and no KeyError."""
    with store_of({"bpg[a]": [None] * 6}, snrs=(0.0, 3.0)) as store:
        rows = with_intervals(curves(store), 0.95)
    row = named(rows)["bpg[a]"]
    assert (row.errors, row.failures, row.channel_uses, row.failure_rate) == (6, 0, None, None)
    assert table_of(rows).splitlines()[1].split() == ["bpg[a]", "-", "1/24", "0", "-", "-", "6"]


def test_quartiles_of_sources_stand_beside_the_mean() -> None:
    values = [1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0, 90.0, 90.0]
    with store_of({"bpg[a]": values}) as store:
        row = named(curves(store))["bpg[a]"]
    assert (row.metrics["psnr"].mean, row.metrics["psnr"].quartiles) == (20.0, (2.0, 3.0, 4.0))
    assert "20 (median 3)" in table_of([row])


def test_two_sources_of_one_name_are_two_sources() -> None:
    """A16: what is one source is told by its content."""
    found = {}
    for name in ("same", "other"):
        with store_of({"bpg-capacity": [30.0, 30.0, 20.0, 20.0, 25.0, 25.0]}) as store:
            names = {f"{n}/{t}": "same" if n == 0 else name for n in range(3) for t in (0, 1)}
            store.want({"bpg-capacity 0.0": names})
            (row,) = with_intervals(curves(store), 0.95)
        found[name] = row
    assert found["same"].by_source("psnr") == {"same~0": 30.0, "same~1": 20.0, "same~2": 25.0}
    assert (found["same"].images, found["same"].trials) == (3, 2)
    assert found["other"].by_source("psnr") == {"same": 30.0, "other~1": 20.0, "other~2": 25.0}
    assert found["same"].metrics["psnr"].interval is not None
    assert found["same"].metrics == found["other"].metrics


@pytest.mark.parametrize("confidence", [0.5, 0.95])
def test_intervals_are_of_the_confidence_asked_for(confidence: float) -> None:
    with store_of(SCHEMES) as store:
        row = named(with_intervals(curves(store), confidence))["bpg[a]"]
    wilson = stats.binomtest(1, 6).proportion_ci(confidence, method="wilson")
    assert row.failure_interval == pytest.approx((wilson.low, wilson.high), rel=1e-9)
    expected = bootstrap_interval(SCHEMES["bpg[a]"], [0, 0, 1, 1, 2, 2], confidence)  # type: ignore[arg-type]
    assert row.metrics["psnr"].interval == expected
    quartiles = {"q25": 23.0, "median": 31.0, "q75": 33.0}
    limits = {"mean": 27.0, "low": expected.low, "high": expected.high}
    assert row.to_json()["metrics"] == {"psnr": limits | quartiles}


def test_every_interval_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counting(*given: Any) -> Any:
        calls.append(given)
        return bootstrap_interval(*given)

    monkeypatch.setattr("benchmarks.systems.summary.bootstrap_interval", counting)
    with store_of(SCHEMES, snrs=(0.0, 3.0)) as store:
        rows = curves(store)
    assert not calls
    with_intervals(rows, 0.95)
    assert (len(rows), len(calls)) == (8, 6)  # envelopes repeat what their schemes have


def test_json_and_csv_keep_their_keys_and_order() -> None:
    with store_of({**SCHEMES, "words": []}) as store:
        rows = with_intervals(curves(store), 0.95)
    names = (
        "system family scheme modality snr_db ebno_db cbr channel channel_uses images trials policy engine"
    )
    keys = [*names.split(), "errors", "failures", "failure_rate", "failure_low", "failure_high"]
    assert list(rows[0].to_json()) == [*keys, "metrics"]
    run = CompareRun({}, {}, rows, interrupted=False)
    assert list(run.to_csv_rows()[0]) == [
        *keys,
        *("psnr", "psnr_low", "psnr_high", "psnr_q25", "psnr_median", "psnr_q75"),
    ]
    assert list(rows[0].to_csv_row(["psnr", "ssim"]).values())[-6:] == [None] * 6
    assert {row.system for row in rows} == {"bpg", *SCHEMES}  # what was not simulated is absent


def bands(axes: Axes) -> list[float]:
    return [y for band in axes.collections for path in band.get_paths() for y in path.vertices[:, 1].tolist()]


def test_figures_have_the_runs_own_confidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bands of a run at 50 % are those at 50 %, and the title says so."""
    made: dict[str, Figure] = {}

    def keep(figure: Figure, folder: Path, name: str, *others: Any) -> list[Path]:
        made[name] = figure
        return [folder / name]

    monkeypatch.setattr("benchmarks.systems.plots.save", keep)
    with store_of(SCHEMES, tmp_path / "run", snrs=(0.0, 3.0), confidence=0.5) as store:
        files = plot_compare(store, tmp_path / "elsewhere")
    assert {path.parent for path in files} == {tmp_path / "elsewhere"}
    (axes,) = made["image-psnr-cbr-1over24"].axes
    assert axes.get_title() == "awgn, CBR 1/24, 3 pictures, 2 trials, 50 % intervals"
    limits = bootstrap_interval(SCHEMES["bpg-capacity"], [0, 0, 1, 1, 2, 2], 0.5)  # type: ignore[arg-type]
    assert set(limits) <= set(bands(axes))
    (failures,) = made["image-failures-cbr-1over24"].axes
    wilson = stats.binomtest(1, 6).proportion_ci(0.5, method="wilson")
    edges = np.unique(np.round(bands(failures), 9))
    assert {round(wilson.low, 9), round(wilson.high, 9)} <= set(edges.tolist())


@pytest.mark.slow
def test_differences_of_shared_sources_have_bands_of_their_own(tmp_path: Path, run: Run) -> None:
    """Systems whose bands overlap, one of them better by about 1 dB on every source."""
    rng = np.random.default_rng(1)
    base = np.repeat(rng.normal(30.0, 5.0, 8), 2)
    better = base + 1.0 + np.repeat(rng.normal(0.0, 0.1, 8), 2)
    values = {"a": base.tolist(), "b": better.tolist(), "c[x]": base.tolist(), "c[y]": (base - 2).tolist()}
    with store_of(values, tmp_path / "run", snrs=(0.0, 3.0)) as store:
        rows = with_intervals(curves(store), 0.95)
    found = differences(rows, "a", "psnr", "1/24", 0.95)
    assert [(each.system, each.snr_db) for each in found] == [(s, x) for s in "cb" for x in (0.0, 3.0)]
    assert [each.mean for each in found[:2]] == [0.0, 0.0]  # the envelope of c
    expected = bootstrap_interval((better - base)[::2])
    assert found[2].mean == pytest.approx((better - base).mean()) and found[2].interval == expected
    assert 0.8 < expected.low < expected.high < 1.2
    alone = [named(rows)[name].metrics["psnr"].interval for name in "ab"]
    assert alone[0] is not None and alone[1] is not None and alone[0].high > alone[1].low + 5
    status, out, err = run("plot", str(tmp_path / "run"), "--paired", "a")
    assert (status, "paired-image-psnr-cbr-1over24.png" in out) == (0, True), err
    status, _, err = run("plot", str(tmp_path / "run"), "--paired", "d")
    assert (status, err) == (2, "semphy: the run has no system 'd'; there are c, a, b, c[x], c[y]\n")


def test_a_run_draws_the_metric_and_ratio_asked_for() -> None:
    with store_of(SCHEMES, snrs=(0.0, 3.0)) as store:
        run = CompareRun({}, {}, with_intervals(curves(store), 0.95), interrupted=False)
    given = Figure().add_subplot()
    assert run.plot(given, "psnr", "1/24") is given.get_figure()
    drawn = {str(line.get_label()): list(line.get_ydata()) for line in given.lines}  # type: ignore[arg-type]
    assert drawn["bpg"] == [31.0, 31.0]
    assert drawn["bpg-capacity"] == [42.5, 42.5]
    assert isinstance(run.plot(), Figure)
    for wrong in ({"metric": "ssim"}, {"cbr": "1/6"}):
        with pytest.raises(ValueError, match="there are (psnr|1/24)"):
            run.plot(**wrong)
    with pytest.raises(ValueError, match="none"):
        CompareRun({}, {}, [], interrupted=True).plot()
