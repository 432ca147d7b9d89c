"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of reference data and photographs; tests that need it are skipped without it."""
    folder = os.environ.get("SEMPHY_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("set SEMPHY_DATA to the folder of reference data to run this test")
    return Path(folder)
