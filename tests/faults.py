"""Whatever happens to a run, it ends with the rows and curves of an undisturbed one.

``python tests/faults.py FOLDER [--kills 40] [--seed 1]`` kills ``ber`` and ``compare`` at random moments (the
parent, one worker, all), lets two processes work on one run, fills the disk, and runs them in another world:
clock, locale, time zone, order of folders, hash seed, threads, workers. It takes a quarter of an hour.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from PIL import Image

ROOT = Path(__file__).parents[1]
_TIMES = {"seconds", "info_bits_per_second"}
_ELSEWHERE = '''
"""A clock that jumps, and folders in another order, for every process that has this folder on its path."""
import os, random, time
clock, list_folder, scan = time.time, os.listdir, os.scandir
time.time = lambda: clock() + random.Random(os.urandom(8)).uniform(-1e8, 1e8)
os.listdir = lambda *given: sorted(list_folder(*given), reverse=True)

class Scan:
    def __init__(self, entries): self.entries = iter(entries)
    def __iter__(self): return self
    def __next__(self): return next(self.entries)
    def __enter__(self): return self
    def __exit__(self, *error): return None
    def close(self): return None

def scandir(*given):
    with scan(*given) as found:
        return Scan(sorted(found, key=lambda entry: entry.name, reverse=True))

os.scandir = scandir
'''


@dataclass(frozen=True)
class Case:
    """A command by its name, and what is given to it."""

    name: str
    arguments: tuple[str, ...]

    def command(self, out: Path, workers: int) -> list[str]:
        return [
            *(sys.executable, "-m", "benchmarks", *self.arguments),
            *("--workers", str(workers), "--out", str(out)),
        ]


BER = Case(
    "ber",
    (
        *("ber", "--k", "64", "--n", "128", "--ebno", "0,1,2,3"),
        *("--block-errors", "1e9", "--max-blocks", "20000"),
    ),
)
COMPARE = Case(
    "compare",
    (
        *("compare", "--systems", "bpg-ldpc,text-ldpc", "--images", "PICTURES", "--keep", "4"),
        *("--snr", "0:12:3", "--cbr", "1/6", "--schemes", "1/2-qpsk,1/2-qam16", "--trials", "3"),
        *("--metrics", "psnr", "--max-sources", "4"),
    ),
)


def pictures(folder: Path) -> Case:
    """The comparison, of pictures that it finds in a folder."""
    from semantic.scenes.dataset import load

    for scene in load(4, 3, "easy", 64):
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene.pixels).save(folder / f"{scene.name}.png")
    return Case(
        COMPARE.name, tuple(str(folder) if each == "PICTURES" else each for each in COMPARE.arguments)
    )


class Life:
    """A command in a process forked from this one, which has loaded what takes most of a short life."""

    def __init__(self, case: Case, out: Path, workers: int) -> None:
        self.returncode: int | None = None
        self._words = out.with_name(f"{out.name}.stderr")
        sys.stdout.flush()
        self.pid = os.fork()
        if not self.pid:
            self._live(case, out, workers)
        with suppress(OSError):  # whichever of the two comes first
            os.setpgid(self.pid, self.pid)

    def _live(self, case: Case, out: Path, workers: int) -> NoReturn:
        status = 70
        try:
            os.setpgid(0, 0)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(os.open(self._words, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            main_of = importlib.import_module("benchmarks.cli.main").main
            main_of(case.command(out, workers)[3:])
        except SystemExit as ended:
            status = int(ended.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def poll(self) -> int | None:
        """Status if it has ended, minus the signal if one ended it."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, seconds: float) -> None:
        """Wait for its end, at most so long."""
        deadline = time.monotonic() + seconds
        while self.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as nothing can be prepared for."""
        os.kill(self.pid, signal.SIGKILL)

    def last_words(self) -> str:
        """What it wrote to standard error, once it has ended."""
        while self.poll() is None:
            time.sleep(0.02)
        return self._words.read_text() if self._words.is_file() else ""


def load() -> None:
    """Load what lives need, before they fork."""
    for module in ("benchmarks.cli.main", "benchmarks.links.ber", "benchmarks.systems.compare"):
        importlib.import_module(module)


def start(case: Case, out: Path, workers: int = 2, **more: Any) -> subprocess.Popen[str]:
    """Start a command in a group of its own."""
    environment = {"OMP_NUM_THREADS": "1", **os.environ, **more.pop("env", {})}
    return subprocess.Popen(
        case.command(out, workers),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=ROOT,
        env=environment,
        **more,
    )


def finish(case: Case, out: Path, workers: int = 1, **more: Any) -> None:
    """Run a command to its end, which must be a good one."""
    process = start(case, out, workers, **more)
    _, said = process.communicate()
    if process.returncode:
        raise AssertionError(f"{case.name} ended with {process.returncode}: {said[-2000:]}")


def content(out: Path) -> dict[str, Any]:
    """All that a run holds but for times and sessions: rows, curves, and pictures by their names.

    Raises
    ------
    AssertionError
        If the file is damaged, or a picture is half a picture.
    """
    with closing(
        sqlite3.connect(f"{(out / 'results.sqlite').as_uri()}?mode=rw", uri=True, timeout=60)
    ) as found:
        assert found.execute("PRAGMA quick_check").fetchone() == ("ok",)
        columns = [name for _, name, *_ in found.execute("PRAGMA table_info(rows)")]
        kept = ", ".join(name for name in columns if name not in {*_TIMES, "session"})
        rows = found.execute(f"SELECT {kept} FROM rows ORDER BY condition, item").fetchall()
        stops = found.execute("SELECT id, stop FROM conditions ORDER BY id").fetchall()
    files = sorted(path for path in (out / "pictures").glob("*.png") if path.name[0] != ".")
    for file in files:
        with Image.open(file) as picture:
            picture.load()
    return {
        "rows": rows,
        "stops": stops,
        "curves": curves(out / "curves.csv"),
        "pictures": {file.name: file.read_bytes() for file in files},
    }


def curves(file: Path) -> list[list[str]]:
    """Cells of a table as they were written, without those that are times; none where there is no file."""
    if not file.is_file():
        return []
    with file.open(newline="", encoding="utf-8") as stream:
        heading, *lines = list(csv.reader(stream))
    keep = [index for index, name in enumerate(heading) if name not in _TIMES]
    assert all(len(line) == len(heading) for line in lines)
    return [[line[index] for index in keep] for line in (heading, *lines)]


def children(parent: int) -> list[int]:
    """Processes that one has started."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True)
    return [int(word) for word in found.stdout.split()]


def kill(life: Life, who: str, draw: random.Random) -> str:
    """Kill the parent, one worker or all, wait until nobody is left, and say who it was."""
    try:
        others = children(life.pid)
        if who == "all":
            os.killpg(life.pid, signal.SIGKILL)
        elif who == "worker" and others:
            os.kill(draw.choice(others), signal.SIGKILL)
        else:
            who = "parent"
            life.kill()
    except ProcessLookupError:
        who = "nobody"
    said = life.last_words()
    if who == "worker":
        assert life.returncode in (0, 2) and "Traceback" not in said, said[-2000:]
    deadline = time.monotonic() + 120
    while alive(life.pid):
        assert time.monotonic() < deadline, f"somebody outlives the {who}"
        time.sleep(0.05)
    return who


def alive(group: int) -> bool:
    """Whether there is anybody in a group of processes."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def wait(life: Life, out: Path, draw: random.Random) -> None:
    """Let it live for a while: a moment of its start, or until the run has got on, and a moment longer."""
    before, deadline = counted(out), time.monotonic() + (300 if draw.random() < 0.75 else 0)
    while time.monotonic() < deadline and life.poll() is None and counted(out) == before:
        time.sleep(0.05)
    life.wait(draw.uniform(0.0, 1.0))


def kills(case: Case, whole: dict[str, Any], out: Path, count: int, draw: random.Random) -> dict[str, Any]:
    """Kill runs so many times while they go on; each ends as ``whole``. Says whom, and what each one kept."""
    whom, runs = Counter[str](), list[list[int]]()
    while whom.total() < count:
        place, kept = out.with_name(f"{out.name}-{len(runs)}"), list[int]()
        killed = ""
        while killed != "nobody" and whom.total() < count:
            who = draw.choices(("parent", "all", "worker"), (2, 2, 1))[0]
            life = Life(case, place, 2 if who == "worker" else 1)
            wait(life, place, draw)
            killed = kill(life, who, draw)
            whom[killed] += killed != "nobody"
            kept.append(counted(place))
            if kept[-1]:
                content(place)
            assert kept == sorted(kept)  # nothing that was kept is ever lost
        finish(case, place)
        assert content(place) == whole, f"{case.name} differs behind {kept}"
        runs.append(kept)
    return {"killed": dict(whom), "kept behind each": runs}


def counted(out: Path) -> int:
    """Blocks, or rows, that a run holds; none where it has not begun."""
    if not (out / "results.sqlite").is_file():
        return 0
    with closing(
        sqlite3.connect(f"{(out / 'results.sqlite').as_uri()}?mode=rw", uri=True, timeout=60)
    ) as found:
        columns = [name for _, name, *_ in found.execute("PRAGMA table_info(rows)")]
        what = "total(blocks)" if "blocks" in columns else "count(*)"
        return int(found.execute(f"SELECT {what} FROM rows").fetchone()[0]) if columns else 0


def two_at_once(case: Case, out: Path) -> dict[str, Any]:
    """Two processes on one run: whoever comes too late says so in one line, and nothing is counted twice."""
    processes = [start(case, out, 1) for _ in range(2)]
    ended = [(process.communicate()[1], process.returncode) for process in processes]
    for said, status in ended:
        assert status in (0, 2) and "Traceback" not in said, said[-2000:]
        assert status == 0 or "another process works on" in said.splitlines()[-1], said[-2000:]
    finish(case, out)
    return {"statuses": [status for _, status in ended]}


def full_disk(case: Case, out: Path, limits: Sequence[int]) -> dict[str, Any]:
    """No file may grow beyond a limit: one line, and what was stored stays."""
    words, kept = list[str](), list[int]()
    for limit in limits:

        def shrink(size: int = limit) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

        process = start(case, out, 1, preexec_fn=shrink)
        _, said = process.communicate()
        assert process.returncode == 2 and "Traceback" not in said, said[-2000:]
        words.append(said.splitlines()[-1].partition("directory: ")[2] or said.splitlines()[-1])
        kept.append(counted(out))
    finish(case, out)
    return {"said": words, "kept behind each": kept}


def another_world(case: Case, out: Path) -> dict[str, Any]:
    """Clock, order of folders, locale, time zone, hash seed, threads and workers are all others."""
    elsewhere = out.with_name("elsewhere")
    elsewhere.mkdir(exist_ok=True)
    (elsewhere / "sitecustomize.py").write_text(_ELSEWHERE)
    path = os.pathsep.join([str(elsewhere), str(ROOT), os.environ.get("PYTHONPATH", "")])
    there = subprocess.run(["locale", "-a"], capture_output=True, text=True).stdout.split()
    locale = next((name for name in there if name.startswith(("tr_TR", "de_DE"))), "C")
    changed = {"LC_ALL": locale, "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "4711", "OMP_NUM_THREADS": "2"}
    finish(case, out, 1, env={**changed, "PYTHONPATH": path})
    return changed


def main() -> None:
    """Do all of it, and print what was found as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    draw = random.Random(given.seed)
    load()
    given.folder.mkdir(parents=True, exist_ok=True)
    for case in (BER, pictures(given.folder / "pictures")):
        finish(case, given.folder / f"{case.name}-whole")
        whole = content(given.folder / f"{case.name}-whole")
        print(json.dumps({"command": case.name, "rows": len(whole["rows"])}), flush=True)
        killed = kills(case, whole, given.folder / f"{case.name}-killed", given.kills // 2, draw)
        print(json.dumps({"command": case.name, "fault": "kills", **killed, "equal": True}), flush=True)
        faults: dict[str, Callable[[Path], dict[str, Any]]] = {
            "two": lambda out, case=case: two_at_once(case, out),
            "full": lambda out, case=case: full_disk(case, out, (20_000, 60_000, 150_000)),
            "elsewhere": lambda out, case=case: another_world(case, out),
        }
        for name, fault in faults.items():
            out = given.folder / f"{case.name}-{name}"
            found = fault(out)
            assert content(out) == whole, f"{case.name} differs behind {name}"
            print(json.dumps({"command": case.name, "fault": name, **found, "equal": True}), flush=True)


if __name__ == "__main__":
    main()
