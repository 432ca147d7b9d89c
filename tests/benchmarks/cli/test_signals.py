"""Signals as a command heeds them: the first in order, the second in peace, the third at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs signals")

COMMAND = """
import os, signal, sys
from benchmarks.cli import signals
kinds = [getattr(signal, name) for name in sys.argv[2:]]
if sys.argv[1] == "nohup":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
before = signal.getsignal(signal.SIGTERM)
with signals.heeded():
    try:
        for kind in kinds[:1]:
            os.kill(os.getpid(), kind)
        print("goes on")
    except KeyboardInterrupt:
        for kind in kinds[1:]:
            os.kill(os.getpid(), kind)
        print("curves written")
assert signal.getsignal(signal.SIGTERM) is before
sys.exit(signals.status())
"""


@pytest.mark.parametrize(
    ("how", "names", "said", "status"),
    [
        ("plain", ["SIGINT"], "curves written\n", 130),
        ("plain", ["SIGTERM"], "curves written\n", 143),
        ("plain", ["SIGHUP"], "curves written\n", 129),
        ("plain", ["SIGTERM", "SIGINT"], "curves written\n", 143),
        ("plain", ["SIGINT", "SIGINT", "SIGINT"], "", 130),
        ("nohup", ["SIGHUP"], "goes on\n", 130),
    ],
)
def test_the_first_the_second_and_the_third(how: str, names: list[str], said: str, status: int) -> None:
    done = subprocess.run([sys.executable, "-c", COMMAND, how, *names], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == (said, status)
    assert "Traceback" not in done.stderr


def test_a_terminal_that_is_gone_raises_nothing() -> None:
    master, terminal = os.openpty()
    script = "import os, signal\nfrom benchmarks.cli import signals\nwith signals.heeded():\n"
    script += "    try:\n        print('ready', flush=True); signal.pause()\n"
    script += "    except KeyboardInterrupt:\n        print('the last word', flush=True)\n"
    script += "raise SystemExit(signals.status())"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=terminal, stderr=terminal)
    os.close(terminal)
    assert os.read(master, 100).startswith(b"ready")
    os.close(master)  # the terminal's window is closed
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=60) == 129
