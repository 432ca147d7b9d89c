"""Points as objects: rates and intervals from counts, counts that add, keys that stay."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import stats

from benchmarks.links.ber import BerRun, run_ber
from benchmarks.links.counting import Counts
from benchmarks.links.drawing.plots import curves_of, plot_ber
from benchmarks.links.results import PointStats
from benchmarks.settings.reading import read_curves

HEADER = (
    "code,k,n,algorithm,schedule,iterations,early_stop,llr_bits,factor,offset,list_size,modulation,demapping,channel,seed,"
    "channel_uses,filler_bits,esno_db,ebno_db,blocks,block_errors,bits,bit_errors,ber,ber_low,ber_high,bler,bler_low,"
    "bler_high,transmissions,transmissions_low,transmissions_high,throughput,throughput_low,throughput_high,"
    "engine,info_bits_per_second,seconds,stop"
)


def simulated(out: Path | None = None, **flags: Any) -> BerRun:
    settings = {"code.name": "none", "code.k": 64, "modulation": "qpsk", "stop.max_blocks": 256}
    settings |= {"snr": {"kind": "ebno", "values_db": "2,4"}, "stop.block_errors": 10**9}
    return run_ber(
        read_curves(flags={**settings, **{k.replace("__", "."): v for k, v in flags.items()}}), out
    )


@pytest.fixture(scope="module")
def run() -> BerRun:
    return simulated()


def test_rates_and_intervals_follow_from_the_counts(run: BerRun) -> None:
    """The block error rate's interval is Wilson's, of whatever confidence."""
    for confidence in (0.5, 0.95, 0.999):
        for point in (replace(each, confidence=confidence) for each in run.points):
            assert (point.blocks, point.bits) == (256, 256 * 64)
            assert point.bler == point.block_errors / 256
            assert point.ber == point.bit_errors / (256 * 64)
            wilson = stats.binomtest(point.block_errors, 256).proportion_ci(confidence, method="wilson")
            assert tuple(point.bler_interval) == pytest.approx((wilson.low, wilson.high), rel=1e-9)
            assert point.ber_low < point.ber < point.ber_high


def test_points_of_other_seeds_add(run: BerRun) -> None:
    more = simulated(seed=2)
    for one, two in zip(run.points, more.points, strict=True):
        both = one + two
        assert (both.blocks, both.bits) == (512, 512 * 64)
        assert both.block_errors == one.block_errors + two.block_errors
        assert both.counts.squared_bit_errors == one.counts.squared_bit_errors + two.counts.squared_bit_errors
        wilson = stats.binomtest(both.block_errors, 512).proportion_ci(0.95, method="wilson")
        assert tuple(both.bler_interval) == pytest.approx((wilson.low, wilson.high), rel=1e-9)
        assert (both.seeds, both.to_csv_row()["seed"], both.stop) == ((1, 2), "1+2", "max blocks")
        assert both.bler_high - both.bler_low < one.bler_high - one.bler_low
        with pytest.raises(ValueError, match=r"count twice, got seeds \[1, 2, 2\]"):
            both + two


def test_what_does_not_add_is_named(run: BerRun) -> None:
    with pytest.raises(ValueError, match=r"count twice"):
        run.points[0] + run.points[0]
    other = replace(run.points[1], condition={**run.points[1].condition, "seed": 2})
    with pytest.raises(ValueError, match=r"none at 5\.0103 dB.*and none at 7\.0103 dB"):
        run.points[0] + other
    with pytest.raises(ValueError, match=r"confidence 0\.5"):
        run.points[1] + replace(other, confidence=0.5)


def test_json_and_csv_keep_their_keys_and_order(run: BerRun, tmp_path: Path) -> None:
    keys = HEADER.split(",")
    assert list(run.points[0].to_json()) == ["code", *keys[keys.index("esno_db") :]]
    run.to_csv(tmp_path / "points.csv")
    simulated(tmp_path / "run")
    for file in (tmp_path / "points.csv", tmp_path / "run" / "curves.csv"):
        with file.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
        assert ",".join(rows[0]) == HEADER
        assert [row["ebno_db"] for row in rows] == ["2.0", "4.0"]
        assert [int(row["block_errors"]) for row in rows] == [point.block_errors for point in run.points]


def test_the_figure_says_its_confidence_and_shows_the_points(run: BerRun) -> None:
    points = [replace(point, confidence=0.5) for point in run.points]
    (axes,) = plot_ber(curves_of(points, "esno")).axes
    legend = axes.get_legend()
    assert legend is not None
    assert "50 % interval" in [text.get_text() for text in legend.get_texts()]
    solid = next(line for line in axes.lines if line.get_linestyle() == "-")
    assert list(solid.get_xdata()) == [point.esno_db for point in points]  # type: ignore[arg-type]
    assert list(solid.get_ydata()) == [point.ber for point in points]  # type: ignore[arg-type]
    edges = {y for band in axes.collections for path in band.get_paths() for _, y in path.vertices.tolist()}
    assert {limit for point in points for limit in (*point.ber_interval, *point.bler_interval)} <= edges


def test_a_run_draws_itself_alone_or_in_axes(run: BerRun) -> None:
    assert isinstance(run.plot(), Figure)
    given = Figure().add_subplot(2, 1, 1)
    assert run.plot(given) is given.get_figure()
    assert given.lines and given.get_xlabel() == "$E_b/N_0$ (dB)"


def test_a_point_without_errors_hangs_from_its_limit() -> None:
    condition = {"code": {"name": "none", "k": 8, "n": 8, "decoder": {"iterations": None, "llr_bits": None}}}
    condition |= {"modulation": "qpsk", "channel": "tdl-c", "engine": "sionna", "seed": 1}
    point = PointStats(condition, 3.0, 3.0, 4, 0, Counts(100, 0, 800, 0, 0, 400))
    (axes,) = plot_ber(curves_of([point], "esno")).axes
    assert [text.xy for text in axes.texts] == [(3.0, point.ber_high / 3), (3.0, point.bler_high / 3)]  # type: ignore[attr-defined]
    json.dumps(point.to_json(), allow_nan=False)


# -- blocks that are sent again ------------------------------------------------------------------------------

USES, BITS = 160, 256


def sent_again(rng: np.random.Generator, blocks: int, lost: float, most: int = 4) -> PointStats:
    """Blocks each of whose transmissions is lost with the same probability; given up after the last."""
    needed = rng.geometric(1 - lost, blocks)
    uses, right = USES * np.minimum(needed, most), needed <= most
    sums = (int(uses.sum()), int((uses**2).sum()), int(uses[right].sum()))
    wrong = blocks - int(right.sum())
    counts = Counts(blocks, wrong, blocks * BITS, wrong, wrong, *sums)
    return PointStats({"code": {"name": "ldpc5g"}, "seed": 1}, 0.0, 0.0, USES, 0, counts)


@pytest.mark.parametrize("lost", [0.02, 0.5, 0.9])
def test_intervals_of_throughput_and_transmissions_cover_as_they_say(lost: float) -> None:
    """In closed form: (1 - q^4) / (1 - q) transmissions a block, and k / n (1 - q) bits a channel use."""
    rng, runs = np.random.default_rng(1), 400
    truth = (1 - lost**4) / (1 - lost), BITS / USES * (1 - lost)
    points = [sent_again(rng, 500, lost) for _ in range(runs)]
    for name, value in zip(("transmissions", "throughput"), truth, strict=True):
        limits = [getattr(point, f"{name}_interval") for point in points]
        held = sum(low <= value <= high for low, high in limits)
        assert 0.92 < held / runs < 0.985, name
        assert all(low <= getattr(p, name) <= high for p, (low, high) in zip(points, limits, strict=True))


def test_blocks_that_all_arrive_at_once_bound_what_may_be_sent_again() -> None:
    point = sent_again(np.random.default_rng(1), 1000, 0.0)
    assert point.transmissions_interval == pytest.approx((1.0, 1 / 0.025 ** (1 / 1000)))
    assert point.throughput_interval == pytest.approx((BITS / USES * 0.025 ** (1 / 1000), BITS / USES))
    lost = sent_again(np.random.default_rng(1), 1000, 0.999999)
    assert (lost.throughput_low, lost.throughput) == (0.0, 0.0)
    assert 0 < lost.throughput_high < 0.01
    assert lost.transmissions_low < 4.0 < lost.transmissions_high


def test_one_block_tells_no_limit() -> None:
    point = sent_again(np.random.default_rng(1), 1, 0.0)
    assert (point.to_json()["transmissions_low"], point.to_json()["transmissions_high"]) == (1.0, None)
    json.dumps(point.to_json(), allow_nan=False)
