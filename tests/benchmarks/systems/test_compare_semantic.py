"""All semantic systems by ``semphy compare``, on checkpoints of the real classes with random weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.cli.main import cli
from benchmarks.runs.store import Store
from benchmarks.settings.compare import CompareSpec
from benchmarks.systems.compare import run_compare
from bridge.systems.catalog import SEMANTIC
from semantic.models.captioning import Captioner
from semantic.models.diffusion import Diffusion
from semantic.models.features import VisionLanguageFeature
from semantic.models.segmentation import Segmenter

QUICK = {"steps": 2, "guidance": 2.0}
OPTIONS: dict[str, dict[str, Any]] = {
    "multi-sc": {**QUICK, "coder": "utf-8", "max_tokens": 8},
    "single-text": {**QUICK, "coder": "utf-8", "max_tokens": 8},
    "vlm-csc": {**QUICK, "max_tokens": 8},
    "vlf-msc": {**QUICK, "max_tokens": 8},
    "text-only": {**QUICK, "coder": "utf-8", "max_tokens": 8},
    "image-only": {"max_tokens": 8},
    "selection": {**QUICK, "coder": "utf-8", "max_tokens": 8, "candidates": 2},
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> str:
    from tiny.systems import write_models

    folders = write_models(tmp_path_factory.mktemp("models"))
    return ",".join(f"{role}={folder}" for role, folder in folders.items())


def spec(models: str, **changes: Any) -> CompareSpec:
    settings: dict[str, Any] = {
        "systems": list(SEMANTIC),
        "images": "scenes:hard",
        "max_sources": 4,
        "snr": [-3.0, 3.0, 9.0, 15.0],
        "cbr": ["1/1"],
        "schemes": "1/2-qpsk",
        "models": models,
        "options": OPTIONS,
        "metrics": ["psnr", "scene"],
        "text_metrics": ["bleu-1", "scene-text"],
    }
    merged = {**settings, **changes}
    merged["options"] = {k: v for k, v in merged["options"].items() if k in merged["systems"]}
    return CompareSpec.model_validate(merged)


def rows_of(folder: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    store = Store.read(folder)
    found = [(c.description, dict(row)) for c in store.conditions() for row in store.rows(c.id)]
    store.close()
    return found


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts calls of the models by transmitters (caption, labels, encode) and generators (run)."""
    counted: Counter[str] = Counter()

    def count(owner: type, name: str) -> None:
        plain = getattr(owner, name)

        def counting(self: Any, *given: Any, **named: Any) -> Any:
            counted[f"{owner.__name__}.{name}"] += 1
            return plain(self, *given, **named)

        monkeypatch.setattr(owner, name, counting)

    count(Captioner, "caption")
    count(Segmenter, "labels")
    count(VisionLanguageFeature, "encode")
    count(Diffusion, "run")
    return counted


@pytest.mark.slow
def test_every_system_end_to_end(models: str, tmp_path: Path) -> None:
    result = run_compare(spec(models), tmp_path)
    rows = rows_of(tmp_path)
    assert len(rows) == len(SEMANTIC) * 4 * 4
    assert [row["remark"] for _, row in rows if row["metrics"] == "{}"] == []
    for about, row in rows:
        ledger = json.loads(row["ledger"])
        assert row["channel_uses"] == sum(entry["channel_uses"] for entry in ledger) > 0
        assert row["channel_uses"] <= 3 * 64 * 64, about["system"]
        measured = {name.partition(":")[0] for name in json.loads(row["metrics"])}
        words = about["system"] != "deep-jscc"
        assert measured == {"psnr", "scene"} | ({"bleu-1", "scene-text"} if words else set())
    assert {row.system for row in result.rows} == set(SEMANTIC)
    assert "multi-sc" in result.to_text()


@pytest.mark.slow
def test_more_snrs_ask_no_transmitter(models: str, tmp_path: Path, calls: Counter[str]) -> None:
    systems = ["multi-sc", "single-text", "vlf-msc", "text-only"]
    run_compare(spec(models, systems=systems, max_sources=2, snr=[9.0]), tmp_path)
    assert calls["Captioner.caption"] > 0
    calls.clear()
    run_compare(spec(models, systems=systems, max_sources=2, snr=[9.0, 12.0]), tmp_path)
    assert calls["Diffusion.run"] > 0
    assert {name for name in calls if name != "Diffusion.run"} == set()


@pytest.mark.slow
def test_clean_receptions_are_generated_once(models: str, tmp_path: Path, calls: Counter[str]) -> None:
    own = spec(models, systems=["multi-sc"], max_sources=3, snr=[30.0, 40.0, 50.0], trials=2, seed=77)
    run_compare(own, tmp_path)
    assert calls["Diffusion.run"] == 3


@pytest.mark.slow
def test_uncoded_texts_arrive_misspelt_and_are_kept(models: str, tmp_path: Path) -> None:
    run = spec(models, systems=["multi-sc"], max_sources=2, snr=[5.0], text_schemes="1-qpsk")
    run_compare(run, tmp_path)
    for _, row in rows_of(tmp_path):
        notes = json.loads(row["notes"])
        assert {"received", "corrected"} <= notes.keys()
        assert row["failed"] == 1


def test_a_model_that_raises_costs_its_rows_only(
    models: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, seen = Captioner.caption, []

    def sometimes(self: Captioner, pictures: Any, *given: Any, **named: Any) -> list[str]:
        seen.append(1)
        if len(seen) == 2:
            raise RuntimeError("out of memory")
        return plain(self, pictures, *given, **named)

    monkeypatch.setattr(Captioner, "caption", sometimes)
    result = run_compare(spec(models, systems=["text-only"], max_sources=3, snr=[9.0, 12.0]), tmp_path)
    assert len(rows_of(tmp_path)) == 4
    assert all((row.errors, row.images, row.failures) == (1, 2, 0) for row in result.rows)
    assert len(result.broken) == 2
    assert all("text-only" in line and "RuntimeError: out of memory" in line for line in result.broken)
    again = run_compare(spec(models, systems=["text-only"], max_sources=3, snr=[9.0, 12.0]), tmp_path)
    assert (again.broken, [row.images for row in again.rows]) == ((), [3, 3])


def test_own_system_from_a_file(models: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    arguments = ["compare", "--systems", f"{file}:Grey", "--images", "scenes:easy", "--max-sources", "2"]
    arguments += ["--snr", "0,5", "--cbr", "1/24", "--metrics", "psnr", "--json"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)["rows"]
    assert {row["system"] for row in rows} == {"grey"}
    assert all(row["channel_uses"] == 512 for row in rows)


OWN = '''
"""The mean brightness of the picture, analog, again and again."""
import numpy as np, torch
from bridge.air.ledger import Entry
from bridge.air.transmission import SymbolPart, Transmission
from bridge.systems.system import Reconstruction
from phy.links.analog import AnalogLink

class Grey:
    modality, delivers, adapts, policy = "image", ("image",), False, "best-effort"
    name = family = "grey"

    def __init__(self, context):
        self.link = AnalogLink(context.channel)

    def check(self, channel_uses):
        pass

    def encode(self, source, channel_uses, snr):
        angle = source.image.mean() / 255 * np.pi / 2
        symbols = torch.full((channel_uses,), complex(np.cos(angle), np.sin(angle)), dtype=torch.complex64)
        entry = Entry("grey", 0, 0, 0, 0, 0, channel_uses)
        return Transmission((SymbolPart("grey", symbols, self.link, (entry,)),), source.image.shape[:2])

    def decode(self, reception):
        angle = reception.symbols["grey"].symbols.mean().angle().item()
        value = int(np.clip(angle / (np.pi / 2), 0, 1) * 255)
        return Reconstruction(np.full((*reception.shape, 3), value, np.uint8))
'''


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["--models", "tiny,captioner=nowhere"], "nowhere"),
        (["--models", "large"], "large"),
        (["--set", "options.multi-sc.colour=1"], "colour"),
        (["--set", "options.bpg-ldpc.parts=1"], "bpg-ldpc"),
        (["--images", "scenes:absurd"], "absurd"),
    ],
)
def test_wrong_input_is_one_line(models: str, changes: list[str], said: str) -> None:
    arguments = ["compare", "--systems", "multi-sc", "--images", "scenes", "--snr", "3", "--models", models]
    command = [sys.executable, "-m", "benchmarks", *arguments, *changes]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ)
    assert found.returncode == 2, found.stderr
    assert said in found.stderr
    assert found.stderr.strip().count("\n") == 0


@pytest.mark.slow
def test_missing_hub_weights_are_said_at_once(tmp_path: Path) -> None:
    arguments = ["compare", "--systems", "multi-sc", "--models", "hub", "--snr", "3"]
    environment = {**os.environ, "HF_HOME": str(tmp_path), "TORCH_HOME": str(tmp_path)}
    found = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    assert found.returncode == 2
    assert "semphy fetch models:" in found.stderr
    assert found.stderr.strip().count("\n") == 0
