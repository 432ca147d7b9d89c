"""Systems of one's own that do what they must not: their rows say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.settings.compare import CompareSpec
from benchmarks.systems.compare import run_compare

MINE = '''
"""Sends one bit, and returns what its author pleases."""
import numpy as np, torch
from bridge.air.transmission import Transmission
from bridge.payloads import Packed
from bridge.systems.system import Reconstruction

class Wordless(Exception):
    pass

class Mine:
    modality, delivers, adapts, policy = "image", ("image",), False, "best-effort"
    name = family = "mine"

    def __init__(self, context, *, writes=False, returns="float"):
        self.link, self.writes, self.returns = context.text_link(), writes, returns

    def check(self, channel_uses):
        pass

    def encode(self, source, channel_uses, snr):
        if self.writes:
            source.image[:] = 0
        if self.returns == "nothing":
            return None
        if self.returns == "raises":
            raise Wordless("half a character: \\ud83d")
        if self.returns == "exits":
            raise SystemExit(3)
        bits = Packed(torch.ones(1, dtype=torch.uint8), 1, 0, 0)
        return Transmission(self.link.parts("bit", bits, channel_uses), source.image.shape[:2])

    def decode(self, reception):
        made = {"float": np.zeros((*reception.shape, 3)), "small": np.zeros((8, 8, 3), np.uint8)}
        remark = {"no remark": None, "half a remark": "\\ud83d"}.get(self.returns, "")
        right = np.zeros((*reception.shape, 3), np.uint8)
        return Reconstruction(made.get(self.returns, right), remark=remark)
'''


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"writes": True, "returns": "right"}, "ValueError: assignment destination is read-only"),
        ({"returns": "float"}, "ValueError: mine returned a picture [64, 64, 3] of float64, expected"),
        (
            {"returns": "small"},
            "ValueError: mine returned a picture [8, 8, 3] of uint8, expected [64, 64, 3]",
        ),
        ({"returns": "nothing"}, "ValueError: mine returned NoneType from encode, not a Transmission"),
        ({"returns": "raises"}, "Wordless: half a character: \\ud83d"),
        ({"returns": "exits"}, "SystemExit: 3"),
        (
            {"returns": "no remark"},
            "ValueError: mine returned a remark that is of type NoneType, expected text",
        ),
        ({"returns": "half a remark"}, "ValueError: mine returned a remark that is no Unicode"),
        ({"returns": "right"}, ""),
    ],
)
def test_what_an_own_system_must_not_do_is_its_rows_error(
    tmp_path: Path, options: dict[str, object], said: str
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(MINE)
    spec = CompareSpec.model_validate(
        {
            "systems": [f"{file}:Mine"],
            "options": {f"{file}:Mine": options},
            "images": "scenes:easy",
            "max_sources": 1,
            "snr": [10.0],
            "cbr": ["1/6"],
            "metrics": ["psnr"],
        }
    )
    result = run_compare(spec)
    assert len(result.broken) == bool(said)
    assert all(said in line for line in result.broken)
