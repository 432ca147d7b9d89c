"""What is drawn and sent does not depend on the vector registers of the machine."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

SCRIPT = """
import hashlib
import numpy as np
from phy.chain.chain import ChainCode, CompiledChain
from phy.chain.drawing import draw_levels, fill_table
from phy.channels.flat import Rayleigh
from phy.modulation import Modulation
from phy.random import Stream
from phy.units import EsN0

chain = CompiledChain(ChainCode.uncoded(600), Modulation("qam16"), Rayleigh())
print(chain.count(Stream(9), EsN0(14.0), 0, 640))
f, places, table, out = np.float32, np.arange(600), np.empty(1 << 16, np.int8), np.zeros((600, 64), np.int8)
setting = f(1.0), f(1.0), f(2.0), f(31.0), f(1.0), f(-1.0)
fill_table(setting, np.int8(-128), table)
words = np.arange(600).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
first, key, tag, open_cell = np.uint64(3), np.uint64(7), np.uint32(1), np.int8(-128)
draw_levels(first, key, tag, words, places, places, setting, open_cell, table, out)
print(hashlib.sha256(table.tobytes() + out.tobytes()).hexdigest())
"""


def answers(**settings: str) -> list[str]:
    """What a process of these settings prints: counts of a fading channel, and LLRs from a table."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=os.environ | settings, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names processors of one family")
@pytest.mark.parametrize("processor", ["haswell", "x86-64"])  # registers of 32 bytes, and of 16
def test_narrow_registers_find_the_same(processor: str) -> None:
    assert answers(NUMBA_CPU_NAME=processor, NUMBA_CPU_FEATURES="") == answers()
