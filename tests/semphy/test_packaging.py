"""The wheel works in an environment of its own, from any folder, with all its data."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

pytest.importorskip("build")
pytest.importorskip("hatchling")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ROOMS = ("phy", "semantic", "bridge", "benchmarks", "semphy")
LEFT_OUT = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the sdist, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def run(archives: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a program of a fresh environment that has this wheel, and borrows what it depends on."""
    home, elsewhere = tmp_path_factory.mktemp("environment"), tmp_path_factory.mktemp("elsewhere")
    venv.create(home, with_pip=True)
    paths = sysconfig.get_paths(vars={"base": str(home), "platbase": str(home)})
    shared = {sysconfig.get_paths()[kind] for kind in ("purelib", "platlib")}
    (Path(paths["purelib"]) / "dependencies.pth").write_text("\n".join(shared), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def call(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(paths["scripts"]) / program), *arguments]
        done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr[-2000:]
        return done

    call("python", "-m", "pip", "install", "--no-deps", "--no-index", str(archives[1]))
    return call


def test_both_archives_hold_every_file_of_the_packages(archives: tuple[Path, Path]) -> None:
    wanted = {
        path.relative_to(ROOT).as_posix()
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and not LEFT_OUT & set(path.parts)
    }
    assert {f"{room}/py.typed" for room in ROOMS} < wanted
    with ZipFile(archives[1]) as wheel:
        assert wanted <= set(wheel.namelist())
    with tarfile.open(archives[0]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert wanted | {"README.md", "LICENSE", "pyproject.toml", "tests/conftest.py"} <= names


def test_what_runs_is_the_wheel(run: Run) -> None:
    places = "import semphy, phy, sys; print(semphy.__file__, phy.__file__, sys.prefix, sep='\\n')"
    semphy, phy, prefix = run("python", "-c", places).stdout.splitlines()
    assert semphy.startswith(prefix) and phy.startswith(prefix)


# One process for all: most of a command's time goes into importing.
COMMANDS = """
import shlex, sys
from benchmarks.cli.main import main

for line in sys.argv[1:]:
    try:
        main(shlex.split(line))
    except SystemExit as ended:
        if ended.code:
            sys.exit(f"{line}: status {ended.code}")
"""


def test_a_command_of_each_kind(run: Run) -> None:
    assert "bpg-ldpc" in run("semphy", "list").stdout
    run(
        "python",
        "-c",
        COMMANDS,
        "doctor",
        "ber --code none,ldpc5g --k 64 --ebno 0:2:2 --max-blocks 64 --out ber",
        "mcs --schemes 1/2-qpsk --block-bits 64 --block-errors 10",
        "plot ber",
        "compare --systems text-uncoded,text-ldpc --snr 0:8:4 --max-sources 2 --out text",
        "crossing text text-uncoded[1-qpsk] text-ldpc[1/2-qpsk] --metric cer",
        "send --image chelsea --snr 6",
        "train scenes-judge --steps 1 --out judge",
        "evaluate scenes-judge --max-sources 4",
    )


def test_presets_models_and_samples_are_in_it(run: Run) -> None:
    run(
        "python",
        "-c",
        COMMANDS,
        "compare --config demo-scenes --max-sources 1 --snr 6 --out scenes",
        "compare --config embedding --max-sources 1 --snr 6",
        "compare --payload text --carriage digital:tokens:1/2-qpsk --snr 6 --max-sources 1",
        "captioners --models tiny-blip --images scenes:medium --max-sources 2 --image-size 64",
    )


def test_it_can_be_used_from_python(run: Run) -> None:
    script = (
        "import semphy; run = semphy.ber(code='none', esno=[0, 40], max_blocks=64); "
        "print(len(run.points), semphy.AWGN().name)"
    )
    assert run("python", "-c", script).stdout.split() == ["2", "awgn"]
