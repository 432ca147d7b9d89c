"""Counting: independent of how the work is divided, right in size, honest about what was not seen."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from benchmarks.links.ber import run_ber
from benchmarks.links.counting import Chunk, Counts, chunk_end, count, on_grid
from benchmarks.links.results import PointStats
from benchmarks.settings.ber import BerSpec
from benchmarks.settings.errors import InputError
from benchmarks.settings.reading import read_settings
from phy.chain.chain import ChainCounts, CompiledChain
from phy.units import EsN0

COUNTED = ("esno_db", "blocks", "block_errors", "bits", "bit_errors", "ber", "bler", "stop")


def spec(**settings: Any) -> BerSpec:
    flags = {name.replace("__", "."): value for name, value in settings.items()}
    return read_settings(BerSpec, flags={"snr": {"kind": "ebno", "values_db": "2"}, **flags})


def uncoded(**settings: Any) -> BerSpec:
    return spec(**{"code__name": "none", "code__k": 64, "modulation": "qpsk", **settings})


def counted(points: list[PointStats]) -> list[tuple[Any, ...]]:
    return [tuple(getattr(point, name) for name in COUNTED) for point in points]


def test_chunks_tile_the_blocks_and_stay_few() -> None:
    done, chunks = 0, 0
    while done < 10_000_000:
        assert on_grid(done)
        end = chunk_end(done)
        assert 64 <= end - done <= 65536
        assert end - done <= max(64, done / 8)
        assert chunk_end((done + end) // 2) == end  # a run cut off inside a chunk gets back on the grid
        assert not on_grid(done + 1)
        done, chunks = end, chunks + 1
    assert chunks < 300


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sionna", "compiled"])
def test_counts_do_not_depend_on_batches_or_workers(engine: str) -> None:
    settings = spec(
        code__k=64,
        code__n=128,
        snr={"kind": "ebno", "values_db": "0,2"},
        stop__max_blocks=150,
        engine=engine,
    )
    runs = [
        run_ber(settings, batch_size=batch, workers=workers).points
        for batch, workers in ((1, 1), (7, 1), (64, 1), (7, 2))
    ]
    assert runs[0][0].block_errors > 10
    assert all(counted(points) == counted(runs[0]) for points in runs[1:])


def test_workers_of_the_compiled_engine_are_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is started, the chain is told how many threads, and counts are what one worker counts."""

    def refused(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a process")

    told = []
    send = CompiledChain.count

    def noticed(chain: CompiledChain, *args: Any) -> ChainCounts:
        told.append(args[4:])
        return send(chain, *args)

    settings = uncoded(snr={"kind": "ebno", "values_db": "0,2"}, stop__max_blocks=300, engine="compiled")
    alone = run_ber(settings).points
    monkeypatch.setattr("benchmarks.runs.sweep.ProcessPoolExecutor", refused)
    monkeypatch.setattr(CompiledChain, "count", noticed)
    assert counted(run_ber(settings, workers=3).points) == counted(alone)
    assert set(told) <= {(3,), ()} and (3,) in told  # () warms up


@pytest.mark.slow
@pytest.mark.parametrize(("modulation", "bits"), [("bpsk", 1), ("qpsk", 2)])
def test_uncoded_ber_meets_the_closed_form(modulation: str, bits: int) -> None:
    # P_b = Q(sqrt(2 Eb/N0)) for both. At 6 dB it moves by 19 % in 0.2 dB, by more than four standard
    # deviations of these counts.
    ladder = {"kind": "ebno", "values_db": "0,3,6"}
    settings = uncoded(modulation=modulation, snr=ladder, stop__max_blocks=4096, stop__block_errors=10**9)
    for point in run_ber(settings).points:
        ebno = 10 ** (point.ebno_db / 10)
        assert point.esno_db == pytest.approx(point.ebno_db + 10 * math.log10(bits), abs=1e-6)
        expected = stats.norm.sf(math.sqrt(2 * ebno))
        test = stats.binomtest(point.bit_errors, point.bits, expected)
        assert test.pvalue > 0.01 / 6
        assert point.ber_low < point.ber < point.ber_high
        # a block of 64 independent bits
        blocks = stats.binomtest(point.block_errors, point.blocks, 1 - (1 - expected) ** 64)
        assert blocks.pvalue > 0.01 / 6


def test_interval_is_of_the_confidence_asked_for() -> None:
    narrow = run_ber(uncoded(stop__max_blocks=64, confidence=0.5)).points[0]
    wide = run_ber(uncoded(stop__max_blocks=64, confidence=0.999)).points[0]
    assert wide.bler_low < narrow.bler_low < narrow.bler_high < wide.bler_high


def test_systems_under_comparison_meet_the_same_noise() -> None:
    # Two receivers of one signal: the exact and the max-log demapper of QPSK decide alike, bit for bit.
    pair = [
        run_ber(uncoded(demapping=name, snr={"kind": "esno", "values_db": "3"}, stop__max_blocks=200)).points
        for name in ("app", "maxlog")
    ]
    assert counted(pair[0]) == counted(pair[1])
    other_seed = run_ber(uncoded(seed=2, snr={"kind": "esno", "values_db": "3"}, stop__max_blocks=200)).points
    assert counted(other_seed) != counted(pair[0])


def test_ebno_and_esno_name_the_same_condition(tmp_path: Path) -> None:
    first = run_ber(uncoded(snr={"kind": "ebno", "values_db": "0"}, stop__max_blocks=64), tmp_path / "run")
    second = run_ber(
        uncoded(snr={"kind": "esno", "values_db": [10 * math.log10(2)]}, stop__max_blocks=64),
        tmp_path / "run",
    )
    assert first.points == second.points


def test_no_errors_are_an_upper_bound() -> None:
    point = run_ber(uncoded(snr={"kind": "ebno", "values_db": "20"}, stop__max_blocks=64)).points[0]
    assert (point.bler, point.bler_low, point.ber, point.ber_low) == (0, 0, 0, 0)
    assert 0.02 < point.bler_high < 0.1
    assert 0 < point.ber_high < 0.1


def test_rules_stop_a_point() -> None:
    def stop(**settings: Any) -> str:
        return str(run_ber(uncoded(**settings)).points[0].stop)

    assert stop(stop__block_errors=10) == "block errors"
    assert stop(stop__max_blocks=10) == "max blocks"
    assert stop(stop__block_errors=10**9, stop__seconds=0.01) == "seconds"


def test_points_behind_the_target_are_absent_not_zero() -> None:
    ladder = {"kind": "ebno", "values_db": "0,4,9,10,11"}
    result = run_ber(uncoded(snr=ladder, stop__max_blocks=256, stop__below_bler=0.2))
    assert [point.ebno_db for point in result.points] == [0, 4, 9]
    assert result.points[-1].bler < 0.2 < result.points[-2].bler


def test_more_points_and_more_errors_build_on_what_is_there(tmp_path: Path) -> None:
    run_ber(uncoded(stop__max_blocks=100), tmp_path / "run")
    grown = run_ber(uncoded(stop__max_blocks=333, snr={"kind": "ebno", "values_db": "4,2"}), tmp_path / "run")
    fresh = run_ber(uncoded(stop__max_blocks=333, snr={"kind": "ebno", "values_db": "4,2"}))
    assert [point.ebno_db for point in grown.points] == [4, 2]
    assert counted(grown.points) == counted(fresh.points)
    lines = (tmp_path / "run" / "curves.csv").read_text().splitlines()
    assert len(lines) == 3


def test_finished_points_are_not_simulated_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run_ber(uncoded(stop__max_blocks=100), tmp_path / "run")

    def forbidden(chunk: Chunk) -> Counts:
        raise AssertionError(chunk)

    monkeypatch.setattr("benchmarks.links.crew.count", forbidden)
    assert run_ber(uncoded(stop__max_blocks=100), tmp_path / "run").points == first.points
    # asking for less than there is gives all there is
    assert run_ber(uncoded(stop__max_blocks=50), tmp_path / "run").points[0].blocks == 100


def test_another_channel_in_the_same_directory_is_refused(tmp_path: Path) -> None:
    run_ber(uncoded(stop__max_blocks=1), tmp_path / "run")
    with pytest.raises(InputError, match=r"channel = awgn, now rayleigh"):
        run_ber(uncoded(channel="rayleigh", stop__max_blocks=1), tmp_path / "run")


@pytest.mark.parametrize(
    ("asked", "ran", "early_stop"), [("auto", "compiled", True), ("sionna", "sionna", False)]
)
def test_record_names_what_really_ran(asked: str, ran: str, early_stop: bool) -> None:
    settings = spec(code__k=64, code__n=128, modulation="4qam", engine=asked, stop__max_blocks=1)
    result = run_ber(settings)
    assert result.spec["engine"] == result.points[0].engine == ran
    assert result.spec["code"]["decoder"]["early_stop"] is early_stop
    assert result.spec["modulation"] == "qpsk"


@pytest.mark.parametrize("name", ["conv", "turbo", "polar5g"])
def test_every_code_runs(name: str) -> None:
    result = run_ber(spec(code__name=name, code__k=40, modulation="qam16", stop__max_blocks=20))
    assert result.points[0].bits == 800
    assert result.spec["code"]["n"] > 40


def test_filler_counts_as_channel_use() -> None:
    # 128 coded bits take 22 symbols of 6 bits, so a bit costs 22/64 of a use.
    point = run_ber(spec(code__k=64, code__n=128, modulation="qam64", stop__max_blocks=1)).points[0]
    assert point.esno_db - point.ebno_db == pytest.approx(10 * math.log10(64 / 22), abs=2e-6)


@pytest.mark.parametrize(
    "settings",
    [
        {"modulation": "qam12"},
        {"channel": "tunnel"},
        {"code__k": 5},
        {"code__n": 520},
        {"channel": "rician:k=6"},
    ],
)
def test_impossible_chain_is_one_line(settings: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        run_ber(spec(**settings), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_chunk_counts_add_up() -> None:
    settings = uncoded().resolved(64, "qpsk", "awgn")
    whole = count(Chunk(settings, 1, "awgn", EsN0(3.0), 0, 50, 50))
    parts = count(Chunk(settings, 1, "awgn", EsN0(3.0), 0, 20, 3)) + count(
        Chunk(settings, 1, "awgn", EsN0(3.0), 20, 30, 8)
    )
    names = ("blocks", "block_errors", "bits", "bit_errors", "squared_bit_errors")
    assert [getattr(whole, name) for name in names] == [getattr(parts, name) for name in names]
    assert whole.bit_errors <= whole.squared_bit_errors <= whole.bit_errors**2


def test_engines_count_the_same() -> None:
    """Sionna's blocks, the compiled chain and the PyTorch decoder draw the same noise: the same errors."""
    settings = {
        "code__k": 200,
        "code__n": 400,
        "code__decoder": {"algorithm": "offset-minsum", "iterations": 6, "early_stop": False},
        "snr": {"kind": "ebno", "values_db": "2"},
        "stop__max_blocks": 192,
        "stop__block_errors": 10**9,
    }
    found = {
        engine: run_ber(spec(engine=engine, **settings)).points for engine in ("sionna", "compiled", "torch")
    }
    assert 10 < found["sionna"][0].block_errors < 182
    assert all(points[0].engine == engine for engine, points in found.items())
    for engine in ("compiled", "torch"):
        assert abs(found[engine][0].block_errors - found["sionna"][0].block_errors) <= 1
        assert found[engine][0].bit_errors == pytest.approx(found["sionna"][0].bit_errors, rel=0.02)


def test_a_device_that_is_not_there_is_named() -> None:
    settings = spec(device="cuda:7", code__decoder__algorithm="offset-minsum")
    with pytest.raises(InputError):
        run_ber(settings)
