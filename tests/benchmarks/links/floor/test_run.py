"""``semphy ber --floor``: rows that resume, workers that change nothing, and what is said of the figures."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.cli.main import cli
from benchmarks.commands import ber, plot
from benchmarks.links.drawing.plots import load_curves
from benchmarks.links.floor.run import FloorRun
from benchmarks.links.floor.stats import FloorStats
from benchmarks.runs.store import Store
from benchmarks.settings.ber import CHAINS, BerSpec
from benchmarks.settings.errors import InputError
from phy.rare.descent import Descent

FEW = {"code": "none", "k": 4, "esno": [9.0, 11.0], "floor": 4, "block_errors": 10**6}


def _rates(run: FloorRun) -> list[list[Descent]]:
    return [list(point.found) for point in run.points]


def test_a_run_resumes_where_it_ended(tmp_path: Path) -> None:
    whole = ber(**FEW, max_blocks=40_000)
    ber(**FEW, max_blocks=15_000, out=tmp_path)
    resumed = ber(**FEW, max_blocks=40_000, out=tmp_path)
    assert _rates(resumed) == _rates(whole)
    assert all(point.blocks >= 40_000 and point.stop == "max blocks" for point in whole.points)


@pytest.mark.slow
def test_workers_change_nothing() -> None:
    assert _rates(ber(**FEW, max_blocks=15_000, workers=2)) == _rates(ber(**FEW, max_blocks=15_000))


def test_figures_are_marked_as_importance_sampled(tmp_path: Path) -> None:
    ber(**FEW, max_blocks=5_000, out=tmp_path)
    with (tmp_path / "curves.csv").open() as file:
        assert [row["sampling"] for row in csv.DictReader(file)] == ["importance"] * 2
    with Store.read(tmp_path) as store:
        (curve,) = load_curves(store)
    assert curve.label == "uncoded, bpsk, awgn, importance-sampled"
    assert [path.name for path in plot(tmp_path)] == ["ber.png", "ber.svg", "ber.pdf"]


def test_the_command_line_tells_rates_and_doubts() -> None:
    line = "ber --code none --k 4 --esno 11 --floor 4 --max-blocks 20000 --json"
    found = CliRunner().invoke(cli, line.split())
    assert found.exit_code == 0, found.output
    (point,) = json.loads(found.stdout)["points"]
    assert point["doubt"] == "few descents"
    assert 0 < point["bler_low"] < point["bler"] < point["bler_high"] <= 1


def test_conditions_of_counted_runs_are_those_of_before() -> None:
    snr = {"kind": "esno", "values_db": [3.0]}
    assert "floor" not in BerSpec(snr=snr).condition()
    assert BerSpec(snr=snr, floor=True).floor == CHAINS
    assert BerSpec(snr=snr, floor=True).stop.max_blocks == 3 * 10**7
    assert BerSpec(snr=snr, floor=8, stop={"max_blocks": 500}).stop.max_blocks == 500


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"channel": "rayleigh"}, "without --channel rayleigh"),
        ({"modulation": "qam16"}, "without --modulation qam16"),
        ({"target_bler": 1e-6}, "without --target-bler"),
        ({"turns": 2}, "without --harq and --turns"),
    ],
)
def test_what_a_floor_does_not_go_with_is_refused(settings: dict[str, object], what: str) -> None:
    with pytest.raises(InputError, match=f"--floor estimates points over awgn with bpsk or qpsk, {what}"):
        ber(esno=3.0, floor=True, **settings)


def test_counted_and_estimated_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    ber(**FEW, max_blocks=1_000, out=tmp_path)
    with pytest.raises(InputError, match="holds a run of"):
        ber(code="none", k=4, esno=9.0, max_blocks=64, out=tmp_path)


def _point(rates: list[float], families: float) -> FloorStats:
    found = [Descent(rate, rate / 10, families, 100) for rate in rates]
    return FloorStats({"code": {"name": "none"}}, 3.0, 3.0, 64, 0, {}, found, 1.0)


def test_doubts() -> None:
    assert _point([1e-9, 2e-9] * 4, 9.0).doubt is None
    assert _point([1e-9, 2e-9] * 3, 9.0).doubt == "few descents"
    assert _point([1e-12] * 15 + [1e-9], 9.0).doubt == "few outweigh the others"
    assert _point([1e-9, 2e-9] * 4, 1.5).doubt == "few families"
    assert _point([0.0] * 8, 1.0).doubt == "few outweigh the others"


def test_families_of_descents_that_outweigh_others_count_alone() -> None:
    assert _point([1e-9] * 8, 5.0).families == pytest.approx(40.0)
    assert _point([1e-9] + [1e-15] * 7, 5.0).families == pytest.approx(5.0, rel=1e-3)
    assert _point([1e-9, 3e-9], 5.0).equivalent_errors == pytest.approx(4.0)
