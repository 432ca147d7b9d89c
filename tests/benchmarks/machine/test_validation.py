"""``semphy doctor --validate``: everything holds here, and what is broken on purpose is found."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from benchmarks.cli.models import doctor
from benchmarks.machine import validation
from benchmarks.machine.validation import VALIDATIONS, validate
from phy.coding.crc import CRC
from phy.coding.ldpc.ldpc5g import LDPC5G
from phy.modulation import Modulation


def failing(*names: str) -> set[str]:
    """Those of some validations that do not hold."""
    kept = {name: VALIDATIONS[name] for name in names}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation, "VALIDATIONS", kept)
        return {one.name for one in validate() if not one.holds}


@pytest.mark.slow
def test_all_hold_here() -> None:
    found = list(validate())
    assert [one.name for one in found] == list(VALIDATIONS)
    assert [one for one in found if not one.holds] == []
    assert sum(one.seconds for one in found) < 600  # under a minute on an idle machine


SLOPE, QAM = "64-QAM, Rayleigh: slope of LLRs", "16-QAM, AWGN, 12 dB: BER"
WORDS, SUMS = "5G LDPC: code words", "CRC-24A, 24B, 16 of 123456789"


def test_a_wrong_scale_of_llrs_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Modulation.demap

    def scaled(self: Modulation, *heard: torch.Tensor | None) -> torch.Tensor:
        return 1.05 * right(self, *heard)  # type: ignore[arg-type]

    monkeypatch.setattr(Modulation, "demap", scaled)
    assert failing(SLOPE, QAM) == {SLOPE}  # signs, and so hard decisions, stay


def test_a_loss_of_a_tenth_of_a_decibel_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = validation.EsN0
    monkeypatch.setattr(validation, "EsN0", lambda db: right(db + 0.1))
    moved = validation._qam16()[0]
    monkeypatch.undo()
    expected, margin = map(float, moved.split(" +- "))
    seen = float(validation._qam16()[1])
    assert abs(seen - expected) > margin


def test_wrong_bits_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    encode, attach = LDPC5G.encode, CRC.attach
    monkeypatch.setattr(LDPC5G, "encode", lambda self, bits: encode(self, bits).roll(1, 1))
    monkeypatch.setattr(CRC, "attach", lambda self, bits: attach(self, bits.flip(1)))
    assert failing(WORDS, SUMS) == {WORDS, SUMS}


def test_what_raises_is_said_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> tuple[str, str, bool]:
        raise RuntimeError("no kernel\nfor this machine")

    kept = {"broken": ("nobody", broken), SUMS: VALIDATIONS[SUMS]}
    monkeypatch.setattr(validation, "VALIDATIONS", kept)
    ran = CliRunner().invoke(doctor, ["--validate", "--json"])
    assert ran.exit_code == 1
    first, second = json.loads(ran.stdout)["validations"]
    assert (first["seen"], first["holds"]) == ("RuntimeError: no kernel for this machine", False)
    assert second["holds"]
    table = CliRunner().invoke(doctor, ["--validate"]).stdout
    assert "FAIL" in table and "1 of 2 hold" in table


def test_chance_is_allowed_for_and_no_more() -> None:
    samples = np.tile([0.0, 1.0], 5000)  # mean 0.5 +- 3.29 * 0.005
    assert validation._rate(0.516, samples)[2] and not validation._rate(0.517, samples)[2]
    assert validation._counts(100, 1000, (100, 1000))[2] and not validation._counts(150, 1000, (100, 1000))[2]
