"""Whatever changes a row of a comparison names another condition; nothing else does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.runs.conditions import condition_id
from benchmarks.settings.compare import CompareSpec, built_of
from benchmarks.systems.compare import run_compare
from benchmarks.systems.identity import identify

PICTURES: dict[str, Any] = {"systems": "jpeg-ldpc", "schemes": "1/2-qpsk", "metrics": ["psnr"], "snr": [3.0]}
TEXTS: dict[str, Any] = {"systems": "text-ldpc", "schemes": "1/2-qpsk", "snr": [3.0]}


def name(given: dict[str, Any]) -> str:
    """What tells the rows of the only system apart, SNR and bandwidth ratio aside."""
    spec = CompareSpec.model_validate(given)
    (built,) = built_of(spec)
    return condition_id(identify(spec, built)[1])


@pytest.mark.parametrize(
    "changed",
    [
        *[{"policy": "grey"}, {"seed": 2}, {"iterations": 7}, {"schedule": "flooding"}],
        *[{"decoder": "minsum"}, {"channel": "rayleigh"}, {"image_size": 64}, {"schemes": "1/3-qpsk"}],
        *[{"systems": "webp-ldpc"}, {"metrics": ["ssim"]}],
    ],
    ids=str,
)
def test_settings_of_pictures(changed: dict[str, Any]) -> None:
    assert name(PICTURES | changed) != name(PICTURES)


@pytest.mark.parametrize("changed", [{"channel_uses": 500}, {"seed": 2}, {"text_metrics": ["wer"]}], ids=str)
def test_settings_of_texts(changed: dict[str, Any]) -> None:
    assert name(TEXTS | changed) != name(TEXTS)


@pytest.mark.parametrize(
    "changed",
    [{"trials": 5}, {"max_sources": 1}, {"confidence": 0.5}, {"snr": [7.0]}, {"cbr": "1/6"}, {"keep": 0}],
    ids=str,
)
def test_what_no_row_depends_on(changed: dict[str, Any]) -> None:
    """SNR and bandwidth ratio are named beside it; a picture knows no channel uses but its ratio's."""
    assert name(PICTURES | changed) == name(PICTURES)


def test_a_ratio_that_some_pictures_fit_into_is_no_mistake(tmp_path: Path) -> None:
    """At 1/12 a picture of 8 x 8 pixels has 16 channel uses, not even a header's: it failed."""
    draw = np.random.default_rng(3)
    for side in (8, 64):
        picture = np.broadcast_to(draw.integers(0, 256, 3, dtype=np.uint8), (side, side, 3))
        Image.fromarray(picture.copy()).save(tmp_path / f"{side}.png")
    given = {**PICTURES, "systems": "bpg-ldpc", "images": str(tmp_path), "cbr": "1/12", "snr": [12.0]}
    rows = run_compare(CompareSpec.model_validate(given)).rows
    (row,) = (each for each in rows if not each.is_envelope)
    assert {(sample.source, sample.failed, sample.channel_uses) for sample in row.samples} == {
        ("64.png", False, 64 * 64 * 3 // 12),
        ("8.png", True, 16),
    }
