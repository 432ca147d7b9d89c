"""Where curves cross: on curves made by hand, and digital against analog vectors over the same channel."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.runs.store import Row, Store
from benchmarks.settings.errors import InputError
from benchmarks.systems.compare import SAMPLE_COLUMNS
from benchmarks.systems.crossing import Crossing, crossing, first_crossing

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
def test_first_crossing(snr: Sequence[float], gain: Sequence[float], expected: float | None) -> None:
    assert first_crossing(snr, np.array(gain)) == expected


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


def test_equal_sources_have_an_interval_without_width(tmp_path: Path) -> None:
    write(tmp_path, {"a": {0.0: [1.0] * 4, 2.0: [1.0] * 4}, "b": {0.0: [0.0] * 4, 2.0: [3.0] * 4}})
    assert crossing(tmp_path, "a", "b", "snr-out") == Crossing("a", "b", "snr-out", None, 2 / 3, 2 / 3, 2 / 3)


def test_the_interval_is_that_of_the_mean_over_sources(tmp_path: Path) -> None:
    """Gains x - c_s with c_s normal: the crossing is the mean of c_s, its interval that of the mean."""
    own = np.random.default_rng(0).normal(5.0, 1.0, 40)
    curves = {
        "a": {0.0: own.tolist(), 10.0: own.tolist()},
        "b": {0.0: [0.0] * 40, 10.0: [10.0] * 40},
    }
    write(tmp_path, curves)
    found = crossing(tmp_path, "a", "b", "snr-out")
    assert found.snr_db == pytest.approx(own.mean())
    assert found.low is not None and found.high is not None
    # 1.96 deviations of the mean on both sides; quantiles of 1,000 draws are known to some 7 % of them.
    deviation = own.std() / np.sqrt(40)
    assert found.low == pytest.approx(own.mean() - 1.96 * deviation, abs=0.25 * deviation)
    assert found.high == pytest.approx(own.mean() + 1.96 * deviation, abs=0.25 * deviation)


def test_metrics_that_fall_when_they_improve(tmp_path: Path) -> None:
    write(tmp_path, {"a": {0.0: [0.5] * 2, 1.0: [0.5] * 2}, "b": {0.0: [1.0] * 2, 1.0: [0.1] * 2}}, "mse")
    assert crossing(tmp_path, "a", "b", "mse").snr_db == pytest.approx(0.5 / 0.9)
    assert crossing(tmp_path, "b", "a", "mse").snr_db is None


def test_no_interval_where_there_is_none(tmp_path: Path) -> None:
    """Of one source; of curves that do not cross; and where too many resampled ones do not."""
    write(tmp_path / "one", {"a": {0.0: [1.0], 1.0: [1.0]}, "b": {0.0: [0.0], 1.0: [2.0]}})
    assert crossing(tmp_path / "one", "a", "b", "snr-out") == Crossing(
        "a", "b", "snr-out", None, 0.5, None, None
    )
    write(tmp_path / "none", {"a": {0.0: [1.0] * 3, 1.0: [1.0] * 3}, "b": {0.0: [0.0] * 3, 1.0: [0.5] * 3}})
    assert crossing(tmp_path / "none", "a", "b", "snr-out").snr_db is None
    wide = {"a": {0.0: [0.0] * 3, 1.0: [0.0] * 3}, "b": {0.0: [-1.0] * 3, 1.0: [5.0, -1.0, -1.0]}}
    write(tmp_path / "few", wide)
    found = crossing(tmp_path / "few", "a", "b", "snr-out")
    assert (found.snr_db, found.low, found.high) == (0.5, None, None)  # 8 of 27 draws never cross


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
        crossing(tmp_path, *arguments)


def test_several_budgets_of_one_system_do_not_mix(tmp_path: Path) -> None:
    write(tmp_path, CROSSED)
    write(tmp_path, {"b": CROSSED["b"]}, channel_uses=200)
    with pytest.raises(InputError, match="several settings"):
        crossing(tmp_path, "a", "b", "snr-out")


def test_sources_that_broke_a_system_are_left_out_of_both_curves(tmp_path: Path) -> None:
    write(tmp_path, {"a": {0.0: [1.0, 1.0, 9.0], 2.0: [1.0, 1.0, 9.0]}, "b": {0.0: [0.0] * 3}})
    write(tmp_path, {"b": {2.0: [3.0, 3.0, None]}})  # type: ignore[list-item]
    assert crossing(tmp_path, "a", "b", "snr-out").snr_db == pytest.approx(2 / 3)


def test_on_the_command_line(run: Run, tmp_path: Path) -> None:
    write(tmp_path, CROSSED)
    status, out, _ = run("crossing", str(tmp_path), "a", "b", "--metric", "snr-out")
    assert (status, "0.50 dB [0.50, 0.50]" in out) == (0, True)
    status, out, _ = run("crossing", str(tmp_path), "a", "b", "--metric", "snr-out", "--json")
    assert json.loads(out)["snr_db"] == 0.5
    status, out, _ = run("crossing", str(tmp_path), "b", "a", "--metric", "snr-out")
    assert (status, "does not become better" in out) == (0, True)
    status, out, err = run("crossing", str(tmp_path / "nothing"), "a", "b", "--metric", "snr-out")
    assert (status, out, len(err.splitlines())) == (2, "", 1)


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
            *("compare", "--config", "embedding", "--carriage", ",".join(ways), "--snr", "0.5,0.75,1"),
            *("--trials", "3", "--seed", str(seed), "--embedding-metrics", "snr-out"),
            *("--confidence", "0.99", "--out", str(folder)),
        )
        assert status == 0, err
        found.append(crossing(folder, *(f"embedding-{way}" for way in ways), "snr-out"))
    for one in found:
        for other in found:
            assert one.snr_db is not None and other.low is not None and other.high is not None
            assert other.low <= one.snr_db <= other.high, found
