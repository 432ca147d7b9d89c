"""How many threads compiled code takes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from phy.threads import cores

SCRIPT = "from phy.threads import thread_count; print(thread_count())"


@pytest.mark.parametrize(("told", "expected"), [("3", 3), ("", cores()), ("0", cores()), ("many", cores())])
def test_the_environment_tells(told: str, expected: int) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": told}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) == expected


@pytest.mark.slow
def test_pytorch_tells_where_it_is_at_work() -> None:
    script = f"import torch; torch.set_num_threads(5); {SCRIPT}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) == 5
