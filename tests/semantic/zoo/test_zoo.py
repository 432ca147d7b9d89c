"""Names, places and errors of the model table; nothing here touches the network."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from semantic.zoo import presets as zoo
from semantic.zoo.missing import WeightsMissing

HUB = [preset for preset in zoo.PRESETS.values() if preset.tier == "hub"]
ON_THE_HUB = [preset for preset in HUB if preset.revision]


def fake(folder: Path, preset: zoo.Preset) -> Path:
    """Empty files in the place of every one that the preset needs."""
    for pattern in preset.files:
        file = folder / pattern.replace("*", "")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return folder


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty caches; the hub's library reads its own when it is imported, hence the constant."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path


def snapshot(caches: Path, preset: zoo.Preset) -> Path:
    return caches / "hub" / f"models--{preset.repo.replace('/', '--')}" / "snapshots" / preset.revision


def test_the_table_is_complete() -> None:
    roles = {
        "captioner",
        "corrector",
        "generator",
        "feature",
        "feature-decoder",
        "clip",
        "sentence",
        "segmenter",
    }
    assert {preset.role for preset in HUB} == roles
    for preset in HUB:
        assert preset.files and preset.licence and preset.purpose and preset.size_bytes > 1e7
    for preset in ON_THE_HUB:
        assert preset.revision == "main" or re.fullmatch(r"[0-9a-f]{40}", preset.revision)
    assert [preset.name for preset in ON_THE_HUB if preset.revision == "main"] == [
        "llava-interleave-qwen-0.5b"
    ]


@pytest.mark.slow
def test_every_published_preset_is_reported_missing_without_a_look_at_the_network(tmp_path: Path) -> None:
    # A process of its own: the hub's library reads HF_HOME when it is imported. Offline mode stays off.
    script = """
import json, sys
from semantic.zoo import presets as zoo
from semantic.zoo.missing import WeightsMissing
seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event.startswith("socket.") else None)
said = {}
for name, preset in zoo.PRESETS.items():
    try:
        zoo.resolve(name)
    except WeightsMissing as error:
        said[name] = str(error)
print(json.dumps([said, [event for event in seen if event in ("socket.getaddrinfo", "socket.connect")]]))
"""
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TORCH_HOME"))
    }
    environment |= {"HF_HOME": str(tmp_path / "hf"), "TORCH_HOME": str(tmp_path / "torch")}
    run = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    said, looked = json.loads(run.stdout)
    assert looked == []
    for preset in HUB:
        message = said[preset.name]
        assert f"semphy fetch models:{preset.name}" in message
        assert preset.repo in message and preset.licence in message
        assert f"{preset.size_bytes / 1e9:.2f} GB" in message


@pytest.mark.parametrize("preset", ON_THE_HUB, ids=lambda preset: preset.name)
def test_a_preset_is_found_in_the_cache(caches: Path, preset: zoo.Preset) -> None:
    if preset.revision == "main":  # a branch is a file that names a commit
        reference = snapshot(caches, preset).parents[1] / "refs" / "main"
        reference.parent.mkdir(parents=True)
        reference.write_text("0" * 40)
        folder = snapshot(caches, preset).with_name("0" * 40)
    else:
        folder = snapshot(caches, preset)
    fake(folder, preset)
    assert zoo.resolve(preset.name) == folder
    assert [found for found in zoo.cached() if found.tier == "hub"] == [preset]


def test_segmenters_are_named_by_the_digest_that_the_segmenter_checks() -> None:
    for name, blocks in (("fcn-resnet50", 50), ("fcn-resnet101", 101)):
        (file,) = zoo.PRESETS[name].files
        assert re.fullmatch(rf"fcn_resnet{blocks}_coco-[0-9a-f]{{8}}\.pth", file)


def test_a_torchvision_checkpoint_is_found_in_the_cache(caches: Path) -> None:
    folder = caches / "torch" / "hub" / "checkpoints"
    fake(folder, zoo.PRESETS["fcn-resnet50"])
    assert zoo.resolve("fcn-resnet50") == folder / "fcn_resnet50_coco-1167a1af.pth"


@pytest.mark.parametrize("preset", ON_THE_HUB[1:], ids=lambda preset: preset.name)
def test_a_file_that_is_absent_is_named(caches: Path, preset: zoo.Preset) -> None:
    folder = fake(snapshot(caches, preset), preset)
    absent = preset.files[-1]
    (folder / absent.replace("*", "")).unlink()
    with pytest.raises(WeightsMissing, match=re.escape(absent)):
        zoo.resolve(preset.name)


def test_an_absent_shard_is_named(caches: Path) -> None:
    preset = zoo.PRESETS["llava-1.5-7b"]
    folder = fake(snapshot(caches, preset), preset)
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    (folder / shards["a"]).touch()
    with pytest.raises(WeightsMissing, match="model-00002-of-00002"):
        zoo.resolve(preset.name)
    (folder / shards["b"]).symlink_to(folder / "nowhere")  # as an interrupted download leaves it
    with pytest.raises(WeightsMissing, match="model-00002-of-00002"):
        zoo.resolve(preset.name)


def test_a_bundled_model_that_was_not_trained_says_how_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(zoo, "_DATA", tmp_path)
    with pytest.raises(WeightsMissing, match="semphy train tiny-captioner"):
        zoo.resolve("tiny-captioner")
    fake(tmp_path / "models" / "tiny-captioner", zoo.PRESETS["tiny-captioner"])
    assert zoo.resolve("tiny-captioner") == tmp_path / "models" / "tiny-captioner"


def test_what_is_fitted_lies_beside_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMPHY_DATA", str(tmp_path))
    with pytest.raises(WeightsMissing, match=r"make it with: semphy fit vlf-bridge --images FOLDER"):
        zoo.resolve("vlf-bridge")
    with pytest.raises(ValueError, match="not published; make it with: semphy fit"):
        zoo.fetch("vlf-bridge")
    fake(tmp_path / "vlf-bridge", zoo.PRESETS["vlf-bridge"])
    assert zoo.resolve("vlf-bridge") == tmp_path / "vlf-bridge"


def test_a_path_of_ones_own_comes_back_as_it_is(tmp_path: Path) -> None:
    assert zoo.resolve(tmp_path) == tmp_path
    assert zoo.resolve(str(tmp_path)) == tmp_path
    with pytest.raises(ValueError, match=r"'nowhere/model' is neither .* llava-1\.5-7b"):
        zoo.resolve("nowhere/model")


def test_bundles_name_published_presets() -> None:
    assert set(zoo.BUNDLES) == {"multi-sc", "vlm-csc", "vlf-msc"}
    roles = {bundle: {preset.role for preset in zoo.members(bundle)} for bundle in zoo.BUNDLES}
    assert roles["multi-sc"] == {"captioner", "corrector", "segmenter", "generator"}
    assert zoo.BUNDLES["vlf-msc"] == ("blip2-opt-2.7b", "kandinsky-2.2-decoder")  # the encoder is fit's
    assert all(preset.tier == "hub" for bundle in zoo.BUNDLES for preset in zoo.members(bundle))
    assert zoo.members("minilm") == (zoo.PRESETS["minilm"],)
    with pytest.raises(ValueError, match="no models under 'mini'.*multi-sc.*minilm"):
        zoo.members("mini")


def test_fetch_refuses_what_it_cannot_do(caches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="semphy train tiny-clip"):
        zoo.fetch("tiny-clip")
    with pytest.raises(ValueError, match="one by one"):
        zoo.fetch("multi-sc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ConnectionError, match=r"HF_HUB_OFFLINE .* semphy fetch models:minilm"):
        zoo.fetch("minilm")


def test_fetch_asks_the_hub_for_the_pinned_files_only(caches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def download(repo: str, **options: object) -> str:
        asked.update(options, repo=repo)
        if options["local_files_only"]:
            from huggingface_hub.errors import LocalEntryNotFoundError

            raise LocalEntryNotFoundError("nothing here")
        return str(caches)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    preset = zoo.PRESETS["minilm"]
    with pytest.raises(WeightsMissing):  # nothing came, and that is noticed
        zoo.fetch("minilm")
    asked.clear()
    zoo._download(preset)
    assert asked == {
        "repo": preset.repo,
        "revision": preset.revision,
        "allow_patterns": [*preset.files, *preset.extras],
        "local_files_only": False,
    }


def test_fetch_asks_torchvision_by_the_whole_digest(caches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(url: str, target: str, hash_prefix: str) -> None:
        assert url == "https://download.pytorch.org/models/fcn_resnet50_coco-1167a1af.pth"
        assert hash_prefix == "1167a1affa42e1e62858f8d3fac12d109e0108327ffc91c5855a324b11683c36"
        Path(target).touch()

    monkeypatch.setattr("torch.hub.download_url_to_file", download)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    assert zoo.fetch("fcn-resnet50").name == "fcn_resnet50_coco-1167a1af.pth"
    monkeypatch.setattr("torch.hub.download_url_to_file", None)  # it is here now: nothing is called
    zoo.fetch("fcn-resnet50")


def test_only_pickles_that_a_preset_pins_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WeightsMissing, match="no model lies in"):
        zoo.uses_safetensors(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    with pytest.raises(ValueError, match=digest):
        zoo.uses_safetensors(tmp_path)
    pinned = zoo.Preset("x", "captioner", "hub", "mit", "test", pickle_sha256=digest)
    monkeypatch.setitem(zoo.PRESETS, "x", pinned)
    assert not zoo.uses_safetensors(tmp_path)
    (tmp_path / "model.safetensors").touch()
    assert zoo.uses_safetensors(tmp_path)


@pytest.fixture
def torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of that name in the place of any that is installed."""
    package = tmp_path / "torchvision"
    package.mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    zoo.torchvision_state.cache_clear()
    yield package
    sys.modules.pop("torchvision", None)
    zoo.torchvision_state.cache_clear()


def test_a_broken_torchvision_is_told_from_a_working_one(torchvision: Path) -> None:
    message = "operator torchvision::nms does not exist"
    (torchvision / "__init__.py").write_text(f"raise RuntimeError({message!r})\n")
    state = zoo.torchvision_state()
    assert state.startswith("broken") and message in state and "pip uninstall torchvision" in state
    with pytest.raises(ImportError, match="pip uninstall torchvision"):
        zoo.import_transformers()


def test_a_working_torchvision_is_fine(torchvision: Path) -> None:
    (torchvision / "__init__.py").write_text("")
    assert zoo.torchvision_state() == "works"


def test_no_torchvision_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    zoo.torchvision_state.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert zoo.torchvision_state() == "absent"
    with pytest.raises(ImportError, match="pip install 'transformers"):
        zoo.import_transformers()
    zoo.torchvision_state.cache_clear()


def test_weights_are_pinned_as_a_whole() -> None:
    """By a commit, or by all 64 digits; the one whose commit nobody publishes is named here."""
    moving = [preset.name for preset in ON_THE_HUB if len(preset.revision) != 40]
    assert moving == ["llava-interleave-qwen-0.5b"]
    files = [preset for preset in HUB if not preset.revision]
    assert files
    for preset in files:
        assert re.fullmatch(r"[0-9a-f]{64}", preset.pickle_sha256)
        assert f"-{preset.pickle_sha256[:8]}." in preset.files[0]  # torchvision's own convention
