"""Machine code is kept between processes, and never outlives a change of the sources it was made from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PHY = Path(__file__).parents[2] / "phy"
CALL = """
import sys
from phy import compiling
import phy.outer
print(phy.outer.outer(1.0), sum(phy.outer.outer.stats.cache_hits.values()), compiling.cache_folder())
"""


def call(folder: Path, **environment: str) -> tuple[float, int, str]:
    done = subprocess.run(
        [sys.executable, "-c", CALL],
        env={**os.environ, **environment},
        cwd=folder,  # which comes first among the places where modules are looked for
        capture_output=True,
        text=True,
        check=True,
    )
    value, hits, place = done.stdout.split()
    return float(value), int(hits), place


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A package of the same name with two kernels, one of which inlines the other."""
    phy = tmp_path / "room" / "phy"
    phy.mkdir(parents=True)
    (phy / "__init__.py").write_text("")
    shutil.copy(PHY / "compiling.py", phy)
    (phy / "inner.py").write_text(
        "from phy.compiling import inlined\n\n@inlined\ndef inner(x):\n    return x + 1\n"
    )
    (phy / "outer.py").write_text(
        "from phy.compiling import compiled\nfrom phy.inner import inner\n\n"
        "@compiled\ndef outer(x):\n    return 10 * inner(x)\n"
    )
    return phy.parent


@pytest.mark.slow
def test_code_is_kept_and_follows_the_sources_of_what_it_inlines(room: Path, tmp_path: Path) -> None:
    kept = {"NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    value, hits, place = call(room, **kept)
    assert (value, hits) == (20.0, 0)
    assert place.startswith(str(tmp_path / "kept"))
    assert call(room, **kept) == (20.0, 1, place)
    inner = room / "phy" / "inner.py"
    inner.write_text(inner.read_text().replace("x + 1", "x + 2"))
    assert call(room, **kept)[:2] == (30.0, 0)
    inner.write_text(inner.read_text().replace("x + 2", "x + 1"))
    assert call(room, **kept) == (20.0, 1, place)


@pytest.mark.slow
def test_nothing_is_kept_where_nothing_can_be_written(room: Path, tmp_path: Path) -> None:
    """A file in place of the folders: even a superuser makes no folder there."""
    (tmp_path / "file").write_text("")
    nowhere = {"NUMBA_CACHE_DIR": "", "XDG_CACHE_HOME": str(tmp_path / "file")}
    assert call(room, **nowhere) == (20.0, 0, "None")


ALLOCATE = """
import sys
from phy.making import make
print(make(3).sum(), sum(make.stats.cache_hits.values()), "numba.np.arraymath" in sys.modules)
from phy.outer import outer
print(outer(1.0), sum(outer.stats.cache_hits.values()), "numba.np.arraymath" in sys.modules)
"""


@pytest.mark.slow
def test_kept_code_comes_without_the_rules_of_compiling(room: Path, tmp_path: Path) -> None:
    """It makes arrays all the same, and what is compiled behind it finds the rules."""
    (room / "phy" / "making.py").write_text(
        "import numpy as np\nfrom phy.compiling import compiled\n\n"
        "@compiled\ndef make(n):\n    return np.arange(n) + 1\n"
    )

    def called() -> list[str]:
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kept")}
        command = [sys.executable, "-c", ALLOCATE]
        return subprocess.run(
            command, env=environment, cwd=room, capture_output=True, text=True, check=True
        ).stdout.splitlines()

    assert called() == ["6 0 True", "20.0 0 True"]
    for file in (tmp_path / "kept").rglob("*outer*"):
        file.unlink()
    assert called() == ["6 1 False", "20.0 0 True"]
    assert called() == ["6 1 False", "20.0 1 False"]
