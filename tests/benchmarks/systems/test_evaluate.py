"""Rows of a source: every reception is measured as what it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from benchmarks.settings.compare import CompareSpec
from benchmarks.systems import evaluate
from benchmarks.systems.compare import CompareRun, run_compare


def compared(**given: Any) -> CompareRun:
    return run_compare(CompareSpec.model_validate(given))


def test_soft_receivers_tell_receptions_apart_that_have_the_same_bits() -> None:
    """Read softly, each reception gives another vector, even where all its bits are decided alike."""
    run = compared(
        payload="embedding",
        carriage=["digital:lloyd-max:1+soft:1-qpsk"],
        snr=[10.0],
        trials=30,
        max_sources=1,
        embedding_metrics=["mse"],
    )
    (row,) = run.rows
    measured = [sample.metrics["mse"] for sample in row.samples if not sample.failed]
    assert len(measured) >= 3
    assert len(set(measured)) == len(measured)


def test_what_is_no_number_is_absent_and_no_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mean over some of the samples would be a mean over survivors: there is none."""
    values = iter([0.25, math.nan, 0.5, math.inf])

    @cache
    def measure(name: str) -> Callable[[object, object], float]:
        return lambda reference, received: next(values)

    monkeypatch.setattr(evaluate, "measure", measure)
    run = compared(systems=["text-uncoded"], snr=[2.0], trials=2, max_sources=2, text_metrics=["cer"])
    (row,) = run.rows
    measured = [sample.metrics.get("cer") for sample in row.samples]
    assert (len(measured), set(measured), measured.count(None)) == (4, {0.25, 0.5, None}, 2)
    assert "cer" not in row.metrics
