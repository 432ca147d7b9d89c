"""AFF3CT's published counts, and block errors over the channel that they were counted on, BPSK and AWGN."""

from __future__ import annotations

import math
import re
from pathlib import Path

import torch

from phy.coding.code import Code
from phy.random import Stream, bits, complex_normal

__all__ = ["published", "word_errors"]


def word_errors(code: Code, esno_db: float, blocks: int, stream: Stream) -> torch.Tensor:
    """Bit errors of each block: BPSK (1 -> +1), real noise of variance 1 / (2 Es/N0), exact LLRs."""
    variance = 0.5 * 10.0 ** (-esno_db / 10.0)
    sent = bits(stream.child("bits").batch(range(blocks)), code.k)
    rows = stream.child("noise").batch(range(blocks))
    half = -(-code.n // 2)
    noise = torch.view_as_real(complex_normal(rows, half)).flatten(1)[:, : code.n] * math.sqrt(2.0)
    llr = 2.0 / variance * (2.0 * code.encode(sent) - 1.0 + math.sqrt(variance) * noise)
    return (code.decode(llr).bits != sent).sum(dim=1)


def published(path: Path) -> dict[float, tuple[float, int, int]]:
    """Es/N0 in dB, frame errors and frames by Eb/N0."""
    rows = {}
    for line in path.read_text().splitlines():
        if re.match(r" *-?[0-9]", line):  # Es/N0, Eb/N0, frames, bit errors, frame errors
            cells = re.split(r"[\s|]+", line.strip())
            rows[float(cells[1])] = (float(cells[0]), int(cells[4]), int(float(cells[2])))  # 1.23e+08
    return rows
