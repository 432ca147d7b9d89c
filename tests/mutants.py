"""Mutants: small wrong changes of the sources, each of which a test must notice.

::

    python tests/mutants.py                # all of them; --only 7, --only 3,10-12 for some
    python tests/mutants.py --find         # only look for the texts that they change

A mutant is what a hostile reader would try on this project: a factor of two, a sign, an end that is off
by one, a header that nobody pays for. `mutants.toml` lists them: a file, a text that stands in it
exactly once, what comes in its place, why it matters, and the tests that should fail. Each is applied to
a copy of the latest commit, in a temporary folder, and its tests are run there. A mutant that survives
is a test that is missing. The tests are run on the untouched copy first: what fails there notices
nothing.

The exit status is 0 if all were killed, 1 if one was not, and 2 if the table does not fit the sources.
It is no part of the test suite: it takes minutes, and is meant for those who have changed sources or
tests.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import multiprocessing
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).parents[1]
TABLE = Path(__file__).with_suffix(".toml")
_LONGEST = 900.0  # seconds of one mutant's tests
_KILLED = "killed by"
_PRELOADED = (
    *("numba", "torch", "sionna.phy", "scipy.stats", "scipy.optimize", "scipy.ndimage", "pytest"),
    *("pydantic", "yaml", "rich.live", "PIL.Image", "lazy_loader", "safetensors.torch"),
)
"""What most tests import of others, loaded once for all."""


class Misfit(Exception):  # noqa: N818 - the table's, not the program's
    """The table does not fit the sources."""


@dataclass(frozen=True)
class Mutant:
    """A row of the table, counted from 1."""

    number: int
    file: str
    old: str
    new: str
    why: str
    tests: tuple[str, ...]

    def apply(self, text: str) -> str:
        """Change the text of the file."""
        if self.new == self.old or text.count(self.old) != 1:
            raise Misfit(f"mutant {self.number}: {self.file} has {text.count(self.old)} times {self.old!r}")
        return text.replace(self.old, self.new)


def mutants() -> list[Mutant]:
    """Read the table."""
    rows = tomllib.loads(TABLE.read_text("utf-8"))["mutant"]
    return [Mutant(number, **{**row, "tests": tuple(row["tests"])}) for number, row in enumerate(rows, 1)]


def chosen(among: Sequence[Mutant], only: str | None) -> list[Mutant]:
    """Those of ``only``, such as ``3,10-12``."""
    if only is None:
        return list(among)
    numbers: set[int] = set()
    for part in only.split(","):
        first, _, last = part.partition("-")
        numbers |= set(range(int(first), int(last or first) + 1))
    if not numbers <= {each.number for each in among}:
        raise Misfit(f"mutants are numbered from 1 to {len(among)}, got {only}")
    return [each for each in among if each.number in numbers]


def copy_into(folder: Path) -> Path:
    """Write the latest commit into a folder."""
    packed = subprocess.run(["git", "-C", str(ROOT), "archive", "HEAD"], capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


@contextmanager
def applied(mutant: Mutant, copy: Path) -> Iterator[None]:
    """Change a file for a while.

    Python tells an outdated ``.pyc`` by the size of its source and the second in which that was written, and
    neither need change here: each mutant is written in a second of its own.
    """
    path = copy / mutant.file
    text, status = path.read_text("utf-8"), path.stat()
    path.write_text(mutant.apply(text), "utf-8")
    os.utime(path, (mutant.number, mutant.number))
    try:
        yield
    finally:
        path.write_text(text, "utf-8")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def kernels_of(copy: Path) -> Path | None:
    """Where the machine code of the untouched sources lies (`phy.compiling`)."""
    spec = importlib.util.spec_from_file_location("compiling", copy / "phy" / "compiling.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    place: Path | None = module.cache_folder()
    return place


def _work(copy: Path, kernels: Path | None, log: Path, tests: Sequence[str]) -> None:
    """Run tests in a copy, in a process of its own; the log takes what they print."""
    with log.open("wb", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(copy)
    os.environ["PYTHONPATH"] = str(copy)
    sys.path.insert(0, str(copy))
    import pytest

    from phy import compiling

    compiling.cache_folder = lambda: kernels  # type: ignore[assignment]
    status = pytest.main([*dict.fromkeys(tests), "-x", "-q", "--tb=short", "-p", "no:cacheprovider"])
    sys.stdout.flush()
    os._exit(int(status))  # what the tests have started does not hold this process up


def run_tests(copy: Path, kernels: Path | None, log: Path, tests: Sequence[str]) -> str | None:
    """Name of the test that fails, or None if none does.

    Raises
    ------
    Misfit
        If the tests cannot be run.
    """
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=_work, args=(copy, kernels, log, tests), daemon=True)
    process.start()
    process.join(_LONGEST)
    if process.exitcode is None:
        process.kill()
        raise Misfit(f"{', '.join(tests)} took more than {_LONGEST:.0f} seconds")
    if process.exitcode == 0:
        return None
    words = log.read_text("utf-8", "replace")
    failed = re.search(r"^(?:FAILED|ERROR) (\S+::.+?)(?: - |$)", words, re.MULTILINE)
    if process.exitcode != 1 or failed is None:
        raise Misfit(f"{', '.join(tests)} cannot be run: {words[-600:]}")
    return failed[1]


def judge(mutant: Mutant, copy: Path, kernels: Path | None) -> str | None:
    """Name of the test that kills a mutant, or None if it survives."""
    log = copy.with_suffix(".log")
    compiled = "phy.compiling" in (copy / mutant.file).read_text("utf-8")
    with applied(mutant, copy), tempfile.TemporaryDirectory() as anew:
        return run_tests(copy, Path(anew) if compiled else kernels, log, mutant.tests)


def examine(wanted: Sequence[Mutant], scratch: Path, jobs: int) -> int:
    """Judge mutants and print a line each; how many were not killed."""
    copies: SimpleQueue[Path] = SimpleQueue()
    for number in range(jobs):
        copies.put(copy_into(scratch / f"copy-{number}"))
    first = scratch / "copy-0"
    for mutant in wanted:
        mutant.apply((first / mutant.file).read_text("utf-8"))
    kernels = kernels_of(first)
    everything = [test for mutant in wanted for test in mutant.tests]
    if failed := run_tests(first, kernels, scratch / "untouched.log", everything):
        raise Misfit(f"{failed} fails on the untouched sources")

    def verdict(mutant: Mutant) -> str:
        copy = copies.get()
        try:
            killer = judge(mutant, copy, kernels)
        except Misfit as misfit:
            return f"NOT JUDGED, {misfit}"
        finally:
            copies.put(copy)
        return "SURVIVED" if killer is None else f"{_KILLED} {killer}"

    killed = 0
    with ThreadPoolExecutor(jobs) as pool:
        for mutant, words in zip(wanted, pool.map(verdict, wanted), strict=True):
            killed += words.startswith(_KILLED)
            print(f"{mutant.number:3} {mutant.file}: {mutant.why}: {words}", flush=True)
    print(f"{killed} of {len(wanted)} killed")
    return len(wanted) - killed


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge the mutants of the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", metavar="N", help="numbers of mutants, such as 3,10-12")
    parser.add_argument("--jobs", type=int, default=1, help="mutants that are judged side by side")
    parser.add_argument("--find", action="store_true", help="only look for the texts in the working tree")
    given = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        wanted = chosen(mutants(), given.only)
        if given.find:
            for mutant in wanted:
                mutant.apply((ROOT / mutant.file).read_text("utf-8"))
            print(f"all {len(wanted)} texts are there")
            return 0
        multiprocessing.get_context("forkserver").set_forkserver_preload(list(_PRELOADED))
        with tempfile.TemporaryDirectory(prefix="mutants-") as scratch:
            return min(examine(wanted, Path(scratch), given.jobs), 1)
    except Misfit as misfit:
        print(misfit, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
