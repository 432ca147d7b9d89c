"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

# Tests are imported by path (--import-mode=importlib), which leaves their folder off the path; helpers that
# several of them use, such as the package `tiny`, are imported from there.
sys.path.insert(0, str(Path(__file__).parent))


# A suite in the background of a script ignores these, and so would every command that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
if os.name == "posix":
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of reference data and photographs; tests that need it are skipped without it."""
    folder = os.environ.get("SEMPHY_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("set SEMPHY_DATA to the folder of reference data to run this test")
    return Path(folder)


@pytest.fixture(scope="session")
def llava_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny LLaVA-1.5 in the hub's layout."""
    from tiny.language import write_llava

    return write_llava(tmp_path_factory.mktemp("llava"))


@pytest.fixture(scope="session")
def blip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny BLIP in the hub's layout."""
    from tiny.language import write_blip

    return write_blip(tmp_path_factory.mktemp("blip"))


@pytest.fixture(scope="session")
def bart_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny BART in the hub's layout."""
    from tiny.language import write_bart

    return write_bart(tmp_path_factory.mktemp("bart"))
