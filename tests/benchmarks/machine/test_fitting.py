"""``semphy fit``: from tiny checkpoints in the hub's layout to a comparison, and one line for a mistake."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from semantic.models.encoders import ImageEncoder
from semantic.models.feature_adapter import AdapterDecoder
from semantic.models.features import KandinskyDecoder, VisionLanguageFeature, load_feature_image
from semantic.models.projection import FeatureProjection, LinearBridge
from semantic.samples.pictures import read_picture
from tests.tiny.diffusion import (
    EMBEDDING,
    QUERIES,
    WIDTH,
    write_blip2,
    write_image_encoder,
    write_ip_adapter,
    write_kandinsky,
    write_stable_diffusion,
)

pytestmark = pytest.mark.slow
Run = Callable[..., tuple[int, str, str]]
COUNT, USES = 8, 12


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models as the hub has them, and eight pictures."""
    root = tmp_path_factory.mktemp("hub")
    write_blip2(root / "blip2")
    write_kandinsky(root / "kandinsky")
    write_image_encoder(root / "prior" / "image_encoder")
    write_stable_diffusion(root / "diffusion")
    write_ip_adapter(root / "adapter")
    (root / "pictures").mkdir()
    draw = np.random.default_rng(1)
    for number in range(COUNT):
        small = Image.fromarray(draw.integers(0, 256, (5, 6, 3), dtype=np.uint8))
        small.resize((48, 40), Image.Resampling.BICUBIC).save(root / "pictures" / f"{number}.png")
    return root


def command(hub: Path, painter: str, encoder: str) -> list[str]:
    places = {"feature": "blip2", "painter": painter, "encoder": encoder, "images": "pictures"}
    named = [word for kind, place in places.items() for word in (f"--{kind}", str(hub / place))]
    return ["fit", "vlf-bridge", *named, "--uses", str(USES)]


@pytest.mark.parametrize(
    ("painter", "encoder", "decoder"),
    [("kandinsky", "prior", KandinskyDecoder), ("diffusion", "adapter", AdapterDecoder)],
)
def test_published_networks_run_together_once_they_are_fitted(
    run: Run,
    hub: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    painter: str,
    encoder: str,
    decoder: type,
) -> None:
    monkeypatch.setenv("SEMPHY_DATA", str(tmp_path))
    status, out, err = run(*command(hub, painter, encoder), "--json")
    assert status == 0, err
    made, folder = json.loads(out), tmp_path / "vlf-bridge"
    assert (made["folder"], made["pictures"], made["channel_uses"]) == (str(folder), COUNT, USES)
    assert made["data"].startswith("pictures (8 files, digest ")
    card = (folder / "README.md").read_text()
    assert f"blip2, and the embedding of {encoder} that {painter} reads" in card and str(hub) not in card
    assert isinstance(load_feature_image(folder / "image"), decoder)
    arguments = ("--images", str(hub / "pictures"), "--max-sources", "1", "--snr", "10", "--cbr", "1/48")
    models = f"hub,feature={hub / 'blip2'}"
    fast = ("--set", "options.vlf-msc.steps=2", "--set", "options.vlf-msc.max_tokens=4")
    status, out, err = run(
        "compare",
        "--systems",
        "vlf-msc",
        "--models",
        models,
        *arguments,
        *fast,
        "--metrics",
        "psnr",
        "--json",
    )
    assert status == 0, err
    (row,) = json.loads(out)["rows"]
    assert row["channel_uses"] == USES


@torch.no_grad()
def test_the_bridge_is_least_squares_between_both_encoders(run: Run, hub: Path, tmp_path: Path) -> None:
    status, out, err = run(*command(hub, "kandinsky", "prior"), "--out", str(tmp_path / "made"), "--json")
    assert status == 0, err
    penalty = json.loads(out)["penalty"]
    pictures = [read_picture(hub / "pictures" / f"{number}.png") for number in range(COUNT)]
    x = VisionLanguageFeature.from_pretrained(hub / "blip2").encode(pictures).flatten(1).double().numpy()
    eyes = ImageEncoder.from_pretrained(hub / "prior" / "image_encoder")
    y = eyes.embed(pictures).double().numpy()
    middle, level = x.mean(axis=0), y.mean(axis=0)
    unit = np.square(x - middle).sum(axis=1).mean()
    rows = np.concatenate([x - middle, np.sqrt(penalty * unit) * np.eye(x.shape[1])])
    weight = np.linalg.lstsq(
        rows, np.concatenate([y - level, np.zeros((x.shape[1], EMBEDDING))]), rcond=None
    )[0]
    bridge = LinearBridge.from_pretrained(tmp_path / "made/image/bridge")
    np.testing.assert_allclose(bridge.map.weight.T, weight, atol=1e-4)
    empty = eyes.model(torch.zeros(1, 3, 32, 32)).image_embeds[0]
    torch.testing.assert_close(bridge.unconditional[0], empty)
    projection = FeatureProjection.from_pretrained(tmp_path / "made/projection")
    assert (projection.tokens, projection.width, projection.channel_uses) == (QUERIES, WIDTH, USES)
    weights = "unet/diffusion_pytorch_model.safetensors"
    before, after = (load_file(place / weights) for place in (hub / "kandinsky", tmp_path / "made/image"))
    assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)
    status, _, err = run(*command(hub, "kandinsky", "prior"), "--out", str(tmp_path / "made"))
    assert status == 2 and "--fresh" in err
    again = command(hub, "diffusion", "adapter")
    assert run(*again, "--out", str(tmp_path / "made"), "--fresh", "--max-sources", "4")[0] == 0
    assert isinstance(load_feature_image(tmp_path / "made/image"), AdapterDecoder)


def test_mistakes_are_one_line(run: Run, hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SEMPHY_DATA", str(tmp_path / "data"))
    (tmp_path / "two").mkdir()
    for name in ("0.png", "1.png"):
        shutil.copy(hub / "pictures" / name, tmp_path / "two")
    pictures, cases = ("--images", str(hub / "pictures")), []
    cases.append(
        (["fit", "vlf-bridge", *pictures], ["models:blip2", "models:kandinsky-2.2-decoder", "-encoder"])
    )
    cases.append((["fit", "vlf-bridge", "--images", str(tmp_path / "two")], ["3 pictures or more", "has 2"]))
    cases.append((command(hub, "blip2", "prior"), ["blip2", "KandinskyV22Pipeline"]))
    own = ["fit", "vlf-bridge", *pictures, "--painter", str(hub / "kandinsky")]
    cases.append((own, ["--encoder", "image_encoder/"]))
    cases.append(([*command(hub, "kandinsky", "prior"), "--device", "abacus"], ["abacus"]))
    cases.append((["fetch", "models:vlf-bridge"], ["semphy fit vlf-bridge --images FOLDER"]))
    search = ("--images", str(hub / "pictures"), "--snr", "3", "--cbr", "1/48")
    lacks = f"hub,feature={hub / 'blip2'}"
    cases.append((["compare", "--systems", "vlf-msc", "--models", lacks, *search], ["semphy fit vlf-bridge"]))
    for arguments, words in cases:
        status, out, err = run(*arguments)
        assert (status, out) == (2, ""), arguments
        assert len(err.splitlines()) == 1 and all(word in err for word in words), err
    assert not (tmp_path / "data").exists()


def test_embeddings_of_another_width_are_refused(run: Run, hub: Path, tmp_path: Path) -> None:
    wide = Path(shutil.copytree(hub / "kandinsky", tmp_path / "wide"))
    file = wide / "unet/config.json"
    file.write_text(file.read_text().replace(f'"encoder_hid_dim": {EMBEDDING}', '"encoder_hid_dim": 99'))
    arguments = command(hub, "kandinsky", "prior")
    arguments[arguments.index(str(hub / "kandinsky"))] = str(wide)
    status, _, err = run(*arguments, "--out", str(tmp_path / "made"))
    assert status == 2 and "reads embeddings of 99 numbers" in err and "writes 24" in err
    assert not (tmp_path / "made").exists()
