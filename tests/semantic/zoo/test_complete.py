"""Checkpoints that lack tensors, or have others: refused by whoever reads them, and named."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny.diffusion import (
    ADAPTER,
    write_blip2,
    write_clip,
    write_ip_adapter,
    write_kandinsky,
    write_stable_diffusion,
)
from tiny.language import write_bart, write_blip, write_llava

from semantic.metrics.semantic import ClipScore
from semantic.models.captioning import load_captioner
from semantic.models.correction import BartCorrector
from semantic.models.diffusion import Diffusion, load_pipeline
from semantic.models.encoders import ImageEncoder
from semantic.models.features import VisionLanguageFeature
from semantic.models.generation import Generator
from semantic.networks.jscc import ADJSCC
from semantic.zoo.complete import WrongWeights


def _kandinsky(folder: Path) -> Any:
    return load_pipeline("KandinskyV22Pipeline", folder, "kandinsky-2.2-decoder", "cpu", torch.float32)


def _adapted(folder: Path) -> Generator:
    return Generator.from_pretrained(folder, ip_adapter=folder / "adapter", weight_name=ADAPTER)


def _write_adapted(folder: Path) -> None:
    write_stable_diffusion(folder)
    write_ip_adapter(folder / "adapter")


def _write_jscc(folder: Path) -> None:
    ADJSCC(4, width=8).save_pretrained(folder)


MODEL = "model.safetensors"
READERS: dict[str, tuple[Callable[[Path], Any], Callable[[Path], Any], str]] = {
    "llava": (write_llava, load_captioner, MODEL),
    "blip": (write_blip, load_captioner, MODEL),
    "bart": (write_bart, BartCorrector.from_pretrained, MODEL),
    "blip-2": (write_blip2, VisionLanguageFeature.from_pretrained, MODEL),
    "clip": (write_clip, ClipScore.from_pretrained, MODEL),
    "unet": (write_stable_diffusion, Diffusion.from_pretrained, "unet/diffusion_pytorch_model.safetensors"),
    "vae": (write_stable_diffusion, Diffusion.from_pretrained, "vae/diffusion_pytorch_model.safetensors"),
    "text encoder": (write_stable_diffusion, Diffusion.from_pretrained, f"text_encoder/{MODEL}"),
    "kandinsky": (write_kandinsky, _kandinsky, "movq/diffusion_pytorch_model.safetensors"),
    "ip-adapter": (_write_adapted, _adapted, f"adapter/{ADAPTER}"),
    "image encoder": (_write_adapted, _adapted, f"adapter/image_encoder/{MODEL}"),
    "jscc": (_write_jscc, ADJSCC.from_pretrained, MODEL),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", READERS)
def test_a_checkpoint_is_read_whole_or_not_at_all(
    tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    write, read, place = READERS[kind]
    write(tmp_path)
    read(tmp_path)
    tensors = load_file(tmp_path / place)
    gone = max(name for name in tensors if tensors[name].ndim > 1 and "shared" not in name)

    save_file({k: v for k, v in tensors.items() if k != gone}, tmp_path / place, {"format": "pt"})
    with pytest.raises(WrongWeights, match=rf"1 of \d+ tensors missing \(.*{re.escape(gone)}\)$"):
        read(tmp_path)

    save_file(tensors | {"of.another.model": torch.ones(2)}, tmp_path / place, {"format": "pt"})
    with pytest.raises(WrongWeights, match=r"1 unexpected \(of\.another\.model\)$"):
        read(tmp_path)

    save_file({f"x{k}": v for k, v in tensors.items()}, tmp_path / place, {"format": "pt"})
    capfd.readouterr()
    with pytest.raises(WrongWeights, match="missing"):
        read(tmp_path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["bart", "unet"])
def test_another_shape_is_refused(tmp_path: Path, kind: str) -> None:
    write, read, place = READERS[kind]
    write(tmp_path)
    tensors = load_file(tmp_path / place)
    name = sorted(name for name in tensors if name.endswith(".weight") and tensors[name].ndim == 2)[0]
    save_file(tensors | {name: torch.ones(3, 3)}, tmp_path / place, {"format": "pt"})
    with pytest.raises(WrongWeights, match=r"1 of \d+ tensors of another shape"):
        read(tmp_path)


def test_tied_tensors_are_not_missing(tmp_path: Path) -> None:
    """BART's output layer and both embeddings are one tensor, which is stored once."""
    write_bart(tmp_path)
    names = load_file(tmp_path / MODEL).keys()
    assert "model.shared.weight" in names and "lm_head.weight" not in names
    model = BartCorrector.from_pretrained(tmp_path).model
    assert model.lm_head.weight is model.model.shared.weight


def test_the_image_tower_of_a_whole_clip_is_read(tmp_path: Path) -> None:
    write_clip(tmp_path)
    encoder = ImageEncoder.from_pretrained(tmp_path)
    assert torch.equal(
        encoder.model.visual_projection.weight, load_file(tmp_path / MODEL)["visual_projection.weight"]
    )
