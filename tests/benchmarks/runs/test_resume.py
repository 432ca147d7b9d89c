"""Runs that are killed or interrupted lose nothing and count nothing twice."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.links.ber import run_ber
from benchmarks.settings.ber import BerSpec
from benchmarks.settings.reading import read_settings

COUNTED = ("blocks", "block_errors", "bits", "bit_errors", "stop")
SETTINGS = ["--code", "none", "--k", "64", "--modulation", "qpsk", "--ebno", "4,6", "--block-errors", "1e9"]


def reference(max_blocks: int) -> BerSpec:
    flags: dict[str, Any] = {
        "code.name": "none",
        "code.k": 64,
        "modulation": "qpsk",
        "snr": {"kind": "ebno", "values_db": "4,6"},
        "stop.block_errors": 10**9,
        "stop.max_blocks": max_blocks,
    }
    return read_settings(BerSpec, flags=flags)


@contextmanager
def started(out: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks", "ber", *SETTINGS, *options, "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def rows(out: Path) -> list[tuple[str, int, int]]:
    try:
        with closing(
            sqlite3.connect(f"file:{out / 'results.sqlite'}?mode=rw", uri=True, timeout=30)
        ) as database:
            return database.execute(
                "SELECT condition, item, blocks FROM rows ORDER BY condition, item"
            ).fetchall()
    except sqlite3.OperationalError:
        return []  # not made yet


def wait_for_rows(out: Path, count: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while len(rows(out)) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def assert_counted_once(out: Path) -> None:
    """Blocks of every condition lie side by side: none missing, none twice."""
    following: dict[str, int] = {}
    for condition, first, blocks in rows(out):
        assert first == following.get(condition, 0)
        following[condition] = first + blocks


def assert_same_as_uninterrupted(out: Path, max_blocks: int) -> None:
    resumed = run_ber(reference(max_blocks), out).points
    assert_counted_once(out)
    whole = run_ber(reference(max_blocks)).points
    assert [[getattr(p, name) for name in COUNTED] for p in resumed] == [
        [getattr(p, name) for name in COUNTED] for p in whole
    ]


def children(parent: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True)
    return [int(word) for word in found.stdout.split()]


def alive(session: int) -> bool:
    try:
        os.killpg(session, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL and process groups")
def test_killed_run_resumes_to_the_same_counts(tmp_path: Path) -> None:
    out, blocks = tmp_path / "run", 30000
    with started(out, "--max-blocks", str(blocks), "--workers", "2") as process:
        wait_for_rows(out, 6, process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        killed = rows(out)
        deadline = time.monotonic() + 30
        while alive(process.pid):  # its workers notice and end
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert sum(row[2] for row in killed) < 2 * blocks
    assert_same_as_uninterrupted(out, blocks)
    assert set(killed) <= set(rows(out))


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize(
    ("workers", "name", "times", "status"),
    [("2", "SIGINT", 2, 130), ("1", "SIGTERM", 1, 143), ("1", "SIGHUP", 1, 129)],
)
def test_interrupted_run_says_so_and_keeps_what_is_done(
    tmp_path: Path, workers: str, name: str, times: int, status: int
) -> None:
    out = tmp_path / "run"
    engine = "sionna" if workers == "2" else "compiled"  # whose workers are processes, not threads
    options = ("--max-blocks", "1e7", "--workers", workers, "--engine", engine)
    with started(out, *options, "--json") as process:
        wait_for_rows(out, 6, process)
        if workers == "2":  # one that somebody stopped hears of nothing but SIGKILL
            os.kill(children(process.pid)[-1], signal.SIGSTOP)
        for _ in range(times):
            os.killpg(process.pid, getattr(signal, name))  # as a terminal does: to workers, too
        stdout, stderr = process.communicate(timeout=60)
        deadline = time.monotonic() + 10
        while alive(process.pid):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert process.returncode == status
    assert "Traceback" not in stderr
    assert f"--out {out}" in stderr.splitlines()[-1]
    points = json.loads(stdout)["points"]
    assert points[-1]["stop"] == "interrupted"
    assert sum(point["blocks"] for point in points) == sum(row[2] for row in rows(out))
    assert_counted_once(out)
    assert (out / "curves.csv").exists()
