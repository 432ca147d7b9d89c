"""Where curves cross: on curves made by hand, and digital against analog vectors over the same channel."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks.runs.store import Row, Store
from benchmarks.settings.errors import InputError
from benchmarks.systems.compare import SAMPLE_COLUMNS
from benchmarks.systems.crossing import find_crossing, locate

Run = Callable[..., tuple[int, str, str]]


# -- curves made by hand ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("snr", "gain", "expected"),
    [
        ((0.0, 1.0), (-1.0, 1.0), 0.5),
        ((0.0, 4.0), (-1.0, 3.0), 1.0),  # a quarter of the way
        ((-2.0, 0.0, 1.0), (-3.0, -1.0, 1.0), 0.5),
        ((0.0, 1.0, 2.0), (-1.0, 0.0, 1.0), 1.0),
        ((0.0, 1.0, 2.0, 3.0, 4.0), (-1.0, 1.0, -1.0, -1.0, 5.0), 0.5),  # the first of two
        ((0.0, 1.0, 2.0), (1.0, -1.0, 1.0), 1.5),  # better at first does not count
        ((0.0, 1.0), (1.0, 2.0), None),
        ((0.0, 1.0), (0.0, 1.0), None),
        ((0.0, 1.0), (1.0, -1.0), None),
        ((0.0, 1.0), (-2.0, -1.0), None),
        ((0.0,), (-1.0,), None),
    ],
)
def test_the_lowest_crossing_by_straight_lines(
    snr: Sequence[float], gain: Sequence[float], expected: float | None
) -> None:
    assert locate(snr, np.array([gain])).snr_db == expected


def test_the_interval_ends_where_the_sign_is_sure() -> None:
    """Eight gains of deviation 1: by Student's t the sign of a mean is sure above 2.36 / sqrt(8) = 0.84."""
    spread = stats.zscore(stats.norm.ppf((np.arange(8) + 0.5) / 8), ddof=1)
    means = {-6.0: -3.0, -3.0: -2.0, -1.0: -0.3, 0.0: 0.1, 1.0: 0.4, 2.0: 2.0, 3.0: 4.0}
    found = locate([*means], np.add.outer(spread, [*means.values()]))
    assert (found.before_db, found.after_db, found.low, found.high) == (-1.0, 0.0, -3.0, 2.0)
    assert found.snr_db == pytest.approx(-0.25)
    assert found.to_text() == "-0.25 dB, between -3 and 2 dB"


@pytest.mark.parametrize(
    ("means", "words"),
    [
        ((-0.1, 0.1, 4.0), "below 6 dB"),
        ((-4.0, -0.1, 0.1), "above 0 dB"),
        ((-0.1, 0.1, 0.1), "with no SNR at which either is surely better"),
    ],
)
def test_an_end_that_is_not_known_is_said(means: Sequence[float], words: str) -> None:
    spread = stats.zscore(np.random.default_rng(1).normal(size=8), ddof=1)
    assert locate([0.0, 3.0, 6.0], np.add.outer(spread, means)).to_text().endswith(f" dB, {words}")


def test_the_spacing_of_the_snrs_belongs_to_the_interval() -> None:
    """A10: gains of a cliff at 5.8 dB, on grids of 3 and of 0.25 dB: both intervals hold it."""
    own = 5.8 + np.random.default_rng(2).normal(0.0, 0.2, 24)
    found = []
    for grid in (np.arange(0, 13, 3.0), np.arange(5, 7, 0.25)):
        gains = np.sign(np.subtract.outer(-own, -grid)) * 2.0 + 0.1 * own[:, None]
        found.append(locate([*grid], gains))
        assert found[-1].low < 5.8 < found[-1].high  # type: ignore[operator]
    assert (found[0].low, found[0].high) == (3.0, 6.0)
    assert found[1].high - found[1].low <= 0.75  # type: ignore[operator]


def test_intervals_of_crossings_cover_as_they_say() -> None:
    rng, runs, held = np.random.default_rng(3), 40, 0
    grid = np.arange(2.5, 8, 0.5)
    for _ in range(runs):
        found = locate([*grid], np.subtract.outer(rng.normal(-5.0, 1.0, 12), -grid))
        assert found.low is not None and found.high is not None
        held += found.low <= 5.0 <= found.high
        assert 0.5 <= found.high - found.low < 4.0
    assert held / runs > 0.93


def write(
    folder: Path, curves: Mapping[str, Mapping[float, Sequence[float]]], metric: str = "snr-out", **about: Any
) -> None:
    """A run whose systems have these values of the metric, one a source, at each SNR."""
    store = Store(folder, "compare", SAMPLE_COLUMNS, {"confidence": 0.95}, {})
    shared: dict[str, Any] = {"policy": "zero", "channel": "awgn", "engine": "compiled", "metrics": [metric]}
    for system, points in curves.items():
        for snr_db, values in points.items():
            own = {"system": system, "family": system, "modality": "embedding", "cbr": None, "snr_db": snr_db}
            name = f"{system} {snr_db} {about}"
            store.register(name, {**shared, **own, **about})
            given = {**dict.fromkeys(SAMPLE_COLUMNS, ""), "trial": 0, "failed": 0, "arrived": None}
            given |= {"channel_uses": 100, "information_bits": 100, "reason": "MemoryError: "}
            rows: list[Row] = []
            errors: list[Row] = []
            for source, value in enumerate(values):
                row = {**given, "source": f"source-{source}", "metrics": json.dumps({metric: value})}
                (errors if value is None else rows).append((name, f"{source}/0", row))
            store.add_all(rows, errors)
    store.close()


def test_equal_sources_leave_the_spacing(tmp_path: Path) -> None:
    write(tmp_path, {"a": {0.0: [1.0] * 4, 2.0: [1.0] * 4}, "b": {0.0: [0.0] * 4, 2.0: [3.0] * 4}})
    found = find_crossing(tmp_path, "a", "b", "snr-out")
    assert (found.first, found.second, found.metric, found.cbr) == ("a", "b", "snr-out", None)
    assert (found.snr_db, found.low, found.high, found.confidence) == (2 / 3, 0.0, 2.0, 0.95)


def test_metrics_that_fall_when_they_improve(tmp_path: Path) -> None:
    write(tmp_path, {"a": {0.0: [0.5] * 2, 1.0: [0.5] * 2}, "b": {0.0: [1.0] * 2, 1.0: [0.1] * 2}}, "mse")
    assert find_crossing(tmp_path, "a", "b", "mse").snr_db == pytest.approx(0.5 / 0.9)
    assert find_crossing(tmp_path, "b", "a", "mse").snr_db is None


def test_no_interval_where_there_is_none(tmp_path: Path) -> None:
    """Of one source; of curves that do not cross; and where sources disagree."""
    write(tmp_path / "one", {"a": {0.0: [1.0], 1.0: [1.0]}, "b": {0.0: [0.0], 1.0: [2.0]}})
    found = find_crossing(tmp_path / "one", "a", "b", "snr-out")
    assert (found.snr_db, found.low, found.high) == (0.5, None, None)
    write(tmp_path / "none", {"a": {0.0: [1.0] * 3, 1.0: [1.0] * 3}, "b": {0.0: [0.0] * 3, 1.0: [0.5] * 3}})
    assert find_crossing(tmp_path / "none", "a", "b", "snr-out").snr_db is None
    wide = {"a": {0.0: [0.0] * 3, 1.0: [0.0] * 3}, "b": {0.0: [-1.0] * 3, 1.0: [5.0, -1.0, -1.0]}}
    write(tmp_path / "few", wide)
    found = find_crossing(tmp_path / "few", "a", "b", "snr-out")
    assert (found.snr_db, found.low, found.high) == (0.5, 0.0, None)


def test_shares_of_few_sources_are_never_sure(tmp_path: Path) -> None:
    """Four sentences that are all wrong, then all right: a sign test of four has p = 1/8."""
    for count, low in ((4, None), (8, 0.0)):
        worse = {"a": {0.0: [0.0] * count, 2.0: [1.0] * count}, "b": {0.0: [1.0] * count, 2.0: [0.0] * count}}
        write(tmp_path / str(count), worse, "cer")
        assert find_crossing(tmp_path / str(count), "a", "b", "cer").low == low


CROSSED = {"a": {0.0: [1.0] * 2, 1.0: [1.0] * 2}, "b": {0.0: [0.0] * 2, 1.0: [2.0] * 2}}


@pytest.mark.parametrize(
    ("curves", "arguments", "words"),
    [
        (CROSSED, ("a", "c", "snr-out"), "a, b"),
        (CROSSED, ("a", "b", "mse"), "mse"),
        ({"a": CROSSED["a"], "b": {0.0: [1.0] * 2}}, ("a", "b", "snr-out"), "share 1 SNRs"),
    ],
)
def test_what_cannot_cross_is_named(
    curves: Mapping[str, Mapping[float, Sequence[float]]],
    arguments: tuple[str, str, str],
    words: str,
    tmp_path: Path,
) -> None:
    write(tmp_path, curves)
    with pytest.raises(InputError, match=words):
        find_crossing(tmp_path, *arguments)


def test_several_budgets_of_one_system_do_not_mix(tmp_path: Path) -> None:
    write(tmp_path, CROSSED)
    write(tmp_path, {"b": CROSSED["b"]}, channel_uses=200)
    with pytest.raises(InputError, match="several settings"):
        find_crossing(tmp_path, "a", "b", "snr-out")


def test_sources_that_broke_a_system_are_left_out_of_both_curves(tmp_path: Path) -> None:
    write(tmp_path, {"a": {0.0: [1.0, 1.0, 9.0], 2.0: [1.0, 1.0, 9.0]}, "b": {0.0: [0.0] * 3}})
    write(tmp_path, {"b": {2.0: [3.0, 3.0, None]}})  # type: ignore[list-item]
    assert find_crossing(tmp_path, "a", "b", "snr-out").snr_db == pytest.approx(2 / 3)


def test_on_the_command_line(run: Run, tmp_path: Path) -> None:
    write(tmp_path, CROSSED)
    status, out, _ = run("crossing", str(tmp_path), "a", "b", "--metric", "snr-out")
    assert (status, out) == (0, "b becomes better than a at 0.50 dB, between 0 and 1 dB\n")
    status, out, _ = run("crossing", str(tmp_path), "a", "b", "--metric", "snr-out", "--json")
    assert json.loads(out) == {
        **{"first": "a", "second": "b", "metric": "snr-out", "cbr": None, "confidence": 0.95},
        **{"snr_db": 0.5, "before_db": 0.0, "after_db": 1.0, "low": 0.0, "high": 1.0},
    }
    status, out, _ = run("crossing", str(tmp_path), "b", "a", "--metric", "snr-out")
    assert (status, "does not become better" in out) == (0, True)
    status, out, err = run("crossing", str(tmp_path / "nothing"), "a", "b", "--metric", "snr-out")
    assert (status, out, len(err.splitlines())) == (2, "", 1)


@pytest.mark.slow
def test_a_crossing_is_refined_by_the_runs_own_settings(run: Run, tmp_path: Path) -> None:
    """Halving from 4 dB to 1: the points lie in the run itself, and a second time nothing is computed."""
    names = "text-uncoded[1-qpsk]", "text-ldpc[1/2-qpsk]"
    status, _, err = run(
        *("compare", "--systems", "text-uncoded,text-ldpc", "--snr=-2,2,6", "--max-sources", "8"),
        *("--text-metrics", "cer", "--out", str(tmp_path / "run")),
    )
    assert status == 0, err
    before = find_crossing(tmp_path / "run", *names, "cer").at
    wanted = ("crossing", str(tmp_path / "run"), *names, "--metric", "cer", "--refine", "1", "--json")
    status, out, err = run(*wanted)
    assert status == 0, err
    found = json.loads(out)
    assert (before.before_db, before.after_db) == (-2.0, 2.0)
    assert -2.0 <= found["before_db"] < found["after_db"] <= 2.0
    assert found["after_db"] - found["before_db"] == 1.0
    assert found["after_db"] <= found["high"] <= before.high  # that end is refined, too
    with Store.read(tmp_path / "run") as store:
        points, rows = store.spec["snr"], len(store.makers())
    assert {-2.0, 2.0, 6.0, found["before_db"], found["after_db"]} <= {*points}
    assert rows == 2 * 8 * len(points)
    assert json.loads(run(*wanted)[1]) == found
    status, _, err = run(*wanted[:-3], "--refine", "0")
    assert (status, "such as 0.25, got 0.0" in err) == (2, True)


# -- digital against analog ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_digital_overtakes_analog_at_the_same_snr_for_every_seed(run: Run, tmp_path: Path) -> None:
    """The preset ``embedding``: 2 bits a value over coded QPSK, against four rounds of the values.

    Each seed's crossing lies within every other's interval of 99 %. Between 0.5 and 1 dB the blocks start to
    arrive; quantised values then have 9.3 dB (Lloyd-Max), the analog ones 10 log10(1 + 4 SNR).
    """
    ways = "analog:repeat=fill+mmse", "digital:lloyd-max:2:qpsk"
    found = []
    for seed in (1, 2, 3):
        folder = tmp_path / str(seed)
        status, _, err = run(
            *("compare", "--config", "embedding", "--carriage", ",".join(ways), "--snr", "0,0.4,0.7,1,1.3"),
            *("--trials", "3", "--seed", str(seed), "--embedding-metrics", "snr-out"),
            *("--confidence", "0.99", "--out", str(folder)),
        )
        assert status == 0, err
        found.append(find_crossing(folder, *(f"embedding-{way}" for way in ways), "snr-out"))
    for one in found:
        for other in found:
            assert one.snr_db is not None and other.low is not None and other.high is not None
            assert other.low <= one.snr_db <= other.high, found
