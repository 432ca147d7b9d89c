"""``semphy fetch``, and what ``semphy list`` and ``semphy doctor`` say of models and data sets."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.cli.main import main
from benchmarks.machine import doctor, fetching
from benchmarks.settings.errors import InputError
from bridge.air.names import parse_carriage
from phy.channels.flat import AWGN
from semantic.metrics.catalog import describe
from semantic.samples.downloads import DataSet, RemoteFile
from semantic.zoo import presets as zoo


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty caches, and no network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("SEMPHY_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def test_a_bundle_is_all_its_models() -> None:
    items = fetching.plan(["models:multi-sc", "models:fcn-resnet50", "lpips-alex", "kodak24", "flickr8k"])
    names = [item.fetched_as for item in items]
    assert names == [
        *(f"models:{name}" for name in zoo.BUNDLES["multi-sc"]),
        "lpips-alex",
        "kodak24",
        "flickr8k",
    ]
    said = {item.fetched_as: fetching.summary(item) for item in items}
    assert "2.13 GB" in said["models:stable-diffusion-1.5"]
    assert "creativeml-openrail-m" in said["models:stable-diffusion-1.5"]
    assert "SHA-256 pinned" in said["kodak24"] and "unrestricted usage" in said["kodak24"]
    assert "no SHA-256 is known" in said["flickr8k"] and "non-commercial" in said["flickr8k"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("beauty", "lpips-alex, lpips-vgg, st-lpips, kodak24, voc2012, flickr8k, models:multi-sc"),
        ("models:beauty", "multi-sc"),
        ("models:tiny-clip", "semphy train tiny-clip"),
    ],
)
def test_nothing_of_that_name(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        fetching.plan([name])


def test_size_and_licence_come_first(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["fetch", "models:vlm-csc"])
    captured = capsys.readouterr()
    first, second, last = captured.err.splitlines()
    assert (ended.value.code, captured.out) == (2, "")
    assert first.startswith("models:blip-base: 0.99 GB") and first.endswith("licence: bsd-3-clause")
    assert second.startswith("models:stable-diffusion-1.5: 2.13 GB")
    assert "HF_HUB_OFFLINE" in last and last.startswith("semphy: models:blip-base could not be downloaded")


def test_no_network_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = DataSet("gone", "none", "for tests", (RemoteFile("http://127.0.0.1:9/a.png", 1),), {"*.png": 1})
    monkeypatch.setitem(fetching.downloads.DATA_SETS, "gone", gone)
    (item,) = fetching.plan(["gone"])
    with pytest.raises(InputError, match="gone could not be downloaded"):
        fetching.bring(item)


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("kodak24", "SEMPHY_DATA"),
        ("lpips-alex", "TORCH_HOME"),
        ("st-lpips", "TORCH_HOME"),
        ("models:fcn-resnet50", "TORCH_HOME"),
    ],
)
def test_no_leave_to_write_is_one_line_with_the_variable(
    empty: Path, monkeypatch: pytest.MonkeyPatch, name: str, variable: str
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    (empty / "file").touch()
    monkeypatch.setenv(variable, str(empty / "file" / "below"))
    (item,) = fetching.plan([name])
    with pytest.raises(InputError, match=f"^{name} could not be downloaded: .*; {variable} names another"):
        fetching.bring(item)


def test_doctor_knows_models_and_data_sets(empty: Path) -> None:
    checks = {check.name: check for check in [*doctor._models(), *doctor._data_sets()]}
    assert {f"models:{name}" for name in zoo.PRESETS} < set(checks)
    assert checks["models:blip-base"].cure == "semphy fetch models:blip-base"
    assert checks["voc2012"].cure == "semphy fetch voc2012" and str(empty) in checks["voc2012"].detail
    preset = zoo.PRESETS["clip-vit-b32"]
    folder = empty / "hub" / "models--openai--clip-vit-base-patch32" / "snapshots" / preset.revision
    folder.mkdir(parents=True)
    for name in preset.files:
        (folder / name).touch()
    assert {c.name: c.works for c in doctor._models()}["models:clip-vit-b32"]
    assert "already here" in fetching.summary(fetching.plan(["models:clip-vit-b32"])[0])


def test_doctor_explains_a_broken_torchvision(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = empty / "site" / "torchvision"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(str(empty / "site"))
    zoo.torchvision_state.cache_clear()
    try:
        check = doctor._torchvision()
    finally:
        zoo.torchvision_state.cache_clear()
    assert not check.works and not check.needed
    assert "nms does not exist" in check.detail and "model libraries fail" in check.detail
    assert check.cure.startswith("pip uninstall torchvision")


def test_packages_are_looked_for_without_importing_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor._installed("torch", "", "x").works
    missing = doctor._installed("no_such_package", "pip install it", "x")
    assert not missing.works and missing.cure == "pip install it"
    loaded = set(sys.modules)
    doctor._installed("tensorflow", "", "x")
    assert "tensorflow" in loaded or "tensorflow" not in sys.modules


def test_listed_names_are_understood(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["list", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert {"multi-sc", "single-text", "vlm-csc", "vlf-msc"} < set(found["semantic systems"])
    for name in found["metrics"]:
        assert describe(name.replace("PRESET-or-FOLDER", "clip-vit-b32")).label
    for carriage in found["carriages"]:
        if "FORM" not in carriage:
            parse_carriage(carriage, AWGN())
    assert set(found["presets of models"]) == set(zoo.PRESETS)
    assert found["data sets"] == ["kodak24", "voc2012", "flickr8k"]
    assert "table-1" in found["presets"]
