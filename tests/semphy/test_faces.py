"""The faces: every public name is there, loads, is documented, and costs nothing until it is asked for."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import semphy

ROOT = Path(__file__).parents[2]
ROOMS = ("phy", "semantic", "bridge", "benchmarks")
STUBS = sorted(stub for room in ROOMS for stub in (ROOT / room).rglob("__init__.pyi"))
FACES = [".".join(stub.parent.relative_to(ROOT).parts) for stub in STUBS]
HEAVY = {"torch", "sionna", "numpy", "scipy", "numba", "pydantic", "transformers", "diffusers", "matplotlib"}


@pytest.mark.parametrize("face", FACES)
def test_every_name_of_a_table_loads_from_the_module_beside_it(face: str) -> None:
    package = import_module(face)
    table = ast.parse((ROOT / face.replace(".", "/") / "__init__.pyi").read_text(encoding="ascii")).body
    names = []
    for line in table:
        assert isinstance(line, ast.ImportFrom) and line.level == 1, ast.unparse(line)
        for alias in line.names:
            assert alias.asname == alias.name  # the form in which a stub hands a name on (PEP 484)
            module = import_module(f"{face}.{line.module}") if line.module else package
            assert getattr(package, alias.name) is getattr(module, alias.name)
            names.append(alias.name)
    assert sorted(names) == package.__all__ == dir(package)


def test_semphy_offers_what_the_four_rooms_offer_and_no_name_means_two_things() -> None:
    rooms = [import_module(room) for room in ROOMS]
    names = [name for room in rooms for name in room.__all__]
    assert sorted(names) == semphy.__all__ == dir(semphy)
    assert len(set(names)) == len(names)
    for room in rooms:
        for name in room.__all__:
            assert getattr(semphy, name) is getattr(room, name)


def test_what_users_are_told_to_write_works() -> None:
    exec(
        "import semphy; semphy.AWGN, semphy.compare, semphy.ber, semphy.mcs, semphy.plot\n"
        "from phy import AWGN, DigitalLink, LDPC5G, Modulation, EsN0\n"
        "from bridge import send, TextPayload, Digital\n"
        "from semantic import Generator, METRICS\n"
        "from benchmarks import run_compare\n"
        "from semphy import *\n"
        "assert scenes.draw and theory.capacity and reproduce and crossing\n",
        {},
    )


@pytest.mark.parametrize("module", ["semphy", "phy", "semantic", "bridge", "benchmarks", "bridge.air.ledger"])
def test_importing_a_face_loads_nothing_heavy(module: str) -> None:
    script = f"import sys, {module}; print(*({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_name_that_is_not_there_is_an_error_that_quotes_it() -> None:
    for face in ("semphy", *FACES):
        with pytest.raises(AttributeError, match="Awgn"):
            import_module(face).Awgn  # noqa: B018 - asking for it is the test
    with pytest.raises(ImportError, match="Awgn"):
        exec("from phy import Awgn")


@pytest.mark.parametrize("face", FACES)
def test_every_public_name_is_documented(face: str) -> None:
    for name in import_module(face).__all__:
        thing = getattr(import_module(face), name)
        if callable(thing) or inspect.ismodule(thing):
            documented = inspect.getdoc(thing) or ""
            assert documented and not documented.startswith(f"{name}("), name  # what dataclasses make up


def test_every_public_name_has_an_example() -> None:
    lacking = {
        name
        for name in semphy.__all__
        if callable(thing := getattr(semphy, name)) and ">>> " not in (inspect.getdoc(thing) or "")
    }
    # Two say what went wrong, four need a package that is optional.
    assert lacking == {"InputError", "WeightsMissing", "HEIF", "TensorFlowChannel", "to_jax", "to_tensorflow"}
