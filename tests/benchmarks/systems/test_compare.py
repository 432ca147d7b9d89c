"""``semphy compare``: the same rows however the work is divided, interrupted or extended."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from benchmarks.runs.store import Store
from benchmarks.settings.compare import CompareSpec
from benchmarks.settings.errors import InputError
from benchmarks.settings.reading import read_settings
from benchmarks.systems.compare import run_compare
from bridge.systems.system import System

Run = Callable[..., tuple[int, str, str]]
QUICK: dict[str, Any] = {
    "systems": "jpeg-ldpc,jpeg-capacity,text-ldpc,text-uncoded",
    "image_size": 128,
    "max_sources": 2,
    "snr": "2,8",
    "schemes": "1/2-qpsk,1/2-qam16",
    "cbr": "1/12",
    "metrics": "psnr,ssim",
    "trials": 3,
}
FLAGS = [part for name, value in QUICK.items() for part in (f"--{name.replace('_', '-')}", str(value))]


def spec(**changes: Any) -> CompareSpec:
    return read_settings(CompareSpec, flags={**QUICK, **changes})


def stored(folder: Path) -> list[tuple[Any, ...]]:
    """All that was measured, without what tells one session from another."""
    names = "condition, item, source, trial, failed, remark, channel_uses, information_bits, metrics, ledger"
    with closing(
        sqlite3.connect(f"file:{folder / 'results.sqlite'}?mode=rw", uri=True, timeout=30)
    ) as database:
        return database.execute(f"SELECT {names} FROM rows ORDER BY condition, item").fetchall()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    run_compare(spec(), folder)
    return folder


def test_rows_add_up(whole: Path) -> None:
    # pictures: (2 schemes + 1 bound) x 2 SNRs x 2 pictures x 3 trials; sentences: 2 systems x 2 x 2 x 3
    assert len(stored(whole)) == 36 + 24


def test_systems_are_built_once_a_command(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    built, build = [], CompareSpec.build

    def counting(self: CompareSpec) -> list[System]:
        built.append(self)
        return build(self)

    monkeypatch.setattr(CompareSpec, "build", counting)
    for _ in range(2):  # the next command builds its own: files that systems are made of may have changed
        built.clear()
        arguments = ("compare", "--systems", "text-uncoded,text-ldpc", "--max-sources", "1", "--snr", "2,8")
        status, _, err = run(*arguments)
        assert (status, len(built)) == (0, 1), err


@pytest.mark.slow
def test_same_rows_for_two_workers(whole: Path, tmp_path: Path) -> None:
    run_compare(spec(), tmp_path / "run", workers=2)
    assert stored(tmp_path / "run") == stored(whole)


@pytest.mark.slow
def test_same_rows_when_extended(whole: Path, tmp_path: Path) -> None:
    """More SNRs, trials and systems reuse what is there and end at the same rows."""
    folder = tmp_path / "run"
    run_compare(spec(snr="8", trials=1, systems="jpeg-ldpc,text-ldpc"), folder)
    first = stored(folder)
    assert set(first) < set(stored(whole))
    run_compare(spec(), folder)
    assert stored(folder) == stored(whole)


@pytest.mark.slow
def test_killed_and_resumed(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "benchmarks", "compare", *FLAGS, "--out", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    try:
        while True:
            assert process.poll() is None and time.monotonic() < deadline
            try:
                if stored(folder):
                    break
            except sqlite3.OperationalError:
                pass  # not made yet
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    assert 0 < len(stored(folder)) < len(stored(whole))
    done = subprocess.run([*command, "--json"], env=environment, capture_output=True, text=True, check=True)
    assert stored(folder) == stored(whole)
    rows = json.loads(done.stdout)["rows"]
    assert {"system", "snr_db", "cbr", "channel_uses", "images", "trials", "failure_rate", "metrics"} <= set(
        rows[0]
    )


def test_envelope_takes_the_best_scheme(whole: Path) -> None:
    rows = run_compare(spec(), whole).rows
    by_system = {(row.system, row.snr_db): row for row in rows}
    for snr, scheme in ((2.0, "1/2-qpsk"), (8.0, "1/2-qam16")):
        envelope = by_system["jpeg-ldpc", snr]
        assert envelope.scheme == scheme
        assert envelope.metrics == by_system[f"jpeg-ldpc[{scheme}]", snr].metrics
        assert envelope.metrics["psnr"].mean == max(
            row.metrics["psnr"].mean
            for row in rows
            if row.system.startswith("jpeg-ldpc[") and row.snr_db == snr
        )
        assert envelope.metrics["psnr"].mean < by_system["jpeg-capacity", snr].metrics["psnr"].mean
    assert by_system["jpeg-ldpc[1/2-qam16]", 2.0].failure_rate == 1.0


def test_failed_pictures_are_kept_as_shown(whole: Path) -> None:
    from PIL import Image

    with Store.read(whole) as store:
        rows = [row for condition in store.conditions() for row in store.rows(condition.id)]
    arrived = {row["arrived"] for row in rows if row["source"] == "astronaut"}
    arrived.discard(None)
    assert arrived
    for name in arrived:
        assert Image.open(whole / "pictures" / name).size == (128, 128)


@pytest.mark.slow
def test_figures_are_drawn(whole: Path) -> None:
    from benchmarks.systems.plots import plot_compare

    with Store.read(whole) as store:
        files = {path.name for path in plot_compare(store, formats=("png",))}
    assert files == {
        "image-psnr-cbr-1over12.png",
        "image-ssim-cbr-1over12.png",
        "image-failures-cbr-1over12.png",
        "text-bleu.png",
        "text-cer.png",
        "text-wer.png",
        "text-failures.png",
        "pictures-astronaut-cbr-1over12.png",
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cbr": "1/1000000"}, "channel uses"),
        ({"cbr": "0"}, "positive"),
        ({"cbr": "a lot"}, "a lot"),
        ({"images": "/nowhere"}, "/nowhere"),
        ({"systems": "bpg-magic"}, "bpg-magic"),
        ({"schemes": "7/4-qpsk"}, "7/4"),
        ({"snr": "loud"}, "loud"),
        ({"metrics": "beauty"}, "beauty"),
        ({"metrics": "ms-ssim"}, "161"),
        ({"channel": "rayleigh"}, "rayleigh"),
        ({"policy": "panic"}, "panic"),
    ],
)
def test_wrong_input_is_named(changes: dict[str, str], words: str) -> None:
    with pytest.raises(InputError) as caught:
        run_compare(spec(**changes))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_unreadable_picture_on_the_command_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "benchmarks",
            "compare",
            "--systems",
            "jpeg-ldpc",
            "--images",
            str(broken),
            "--snr",
            "3",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "broken.png" in done.stderr
    assert done.stdout == ""
