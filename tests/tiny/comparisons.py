"""Small comparisons, and a system of a user's that is a file."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from math import log10
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.settings.compare import CompareSpec
from benchmarks.systems.compare import CompareRun, run_compare

REPOSITORY = Path(__file__).parents[2]


def run(out: Path | None, **given: Any) -> CompareRun:
    named = {"snr": [10.0], "cbr": ["1/12"], "metrics": ["psnr"], **given}
    return run_compare(CompareSpec.model_validate(named), out)


def value(found: CompareRun, metric: str = "psnr", system: str | None = None) -> float:
    """The metric of the only row, or of a system's."""
    (row,) = [row for row in found.rows if system in (None, row.system)]
    return row.metrics[metric].mean


def shown(found: CompareRun) -> list[dict[str, Any]]:
    return [row.to_json() for row in found.rows]


def rows(out: Path) -> int:
    with closing(sqlite3.connect(out / "results.sqlite")) as database:
        return int(database.execute("SELECT COUNT(*) FROM rows").fetchone()[0])


def picture(file: Path, level: int, size: int = 32) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size, size, 3), level, np.uint8)).save(file)
    return file


def psnr(sent: int, shown: int) -> float:
    return 20 * log10(255 / abs(sent - shown))


OWN = '''
"""Shows a picture of one level, whatever arrives."""
from pathlib import Path
import numpy as np, torch
from bridge.air.ledger import Entry
from bridge.air.transmission import SymbolPart, Transmission
from bridge.systems.system import Reconstruction
from phy.links.analog import AnalogLink
HEAD

class Flat:
    modality, delivers, adapts, policy = "image", ("image",), False, "best-effort"
    name = family = "flat"

    def __init__(self, context, level=None, checkpoint=None):
        self.context, self.link = context, AnalogLink(context.channel)
        self.level, self.checkpoint = level, checkpoint

    def check(self, channel_uses):
        pass

    def encode(self, source, channel_uses, snr):
        symbols = torch.ones(channel_uses, dtype=torch.complex64)
        entry = Entry("flat", 0, 0, 0, 0, 0, channel_uses)
        return Transmission((SymbolPart("flat", symbols, self.link, (entry,)),), source.image.shape[:2])

    def decode(self, reception):
        return Reconstruction(np.full((*reception.shape, 3), LEVEL, np.uint8))
'''


def own(file: Path, level: str, head: str = "") -> str:
    """Write a system that shows ``level``, and return its name."""
    file.write_text(OWN.replace("LEVEL", level).replace("HEAD", head))
    return f"{file}:Flat"


def written(file: Path, content: str) -> Path:
    """Write as ``rsync -t`` would: the date, and here the size, stay."""
    about = file.stat()
    file.write_text(content)
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert file.stat().st_size == about.st_size
    return file
