"""What a user writes against the public names passes the strict type checker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")

ROOT = Path(__file__).parents[2]
RIGHT = """
import torch

import semphy
from bridge import Digital, TextPayload, parse_schemes, send

link = semphy.DigitalLink(semphy.Uncoded(512), semphy.Modulation("qpsk"), semphy.AWGN())
streams = semphy.Stream(1).batch(range(8))
sent: torch.Tensor = torch.zeros(8, 512, dtype=torch.uint8)
received: torch.Tensor = link(sent, semphy.EbN0(2.0).to_esn0(link.bits_per_use), streams).bits
text: list[str] = send(
    TextPayload(), "A dog runs.", Digital(semphy.AWGN(), parse_schemes("1/2-qpsk")), semphy.EsN0(5.0)
).values
run = semphy.compare(systems="text-uncoded", snr=[0, 3], max_sources=2)
table: str = run.to_text()
capacity: float = semphy.theory.capacity(semphy.EsN0(3.0))
"""
WRONG = """
import semphy

semphy.EsN0("loud")
semphy.Awgn()
"""


@pytest.mark.slow
def test_a_users_lines_pass_mypy_strict_and_mistakes_are_found(tmp_path: Path) -> None:
    (tmp_path / "right.py").write_text(RIGHT)
    (tmp_path / "wrong.py").write_text(WRONG)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "right.py", "wrong.py"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    loud, awgn = found.stdout.splitlines()
    assert loud.startswith("wrong.py:4:") and 'Argument 1 to "EsN0" has incompatible type "str"' in loud
    assert awgn.startswith("wrong.py:5:") and 'Module has no attribute "Awgn"' in awgn
