"""A tiny random checkpoint for every role of the semantic systems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from semantic.models.projection import FeatureProjection
from semantic.models.textjscc import TextCodec, TextJSCC
from semantic.networks.fcn import FCN
from semantic.networks.jscc import ADJSCC
from tiny.diffusion import (
    ADAPTER,
    CONTEXT,
    QUERIES,
    WIDTH,
    seeded,
    write_blip2,
    write_bridge,
    write_ip_adapter,
    write_stable_diffusion,
)
from tiny.language import byte_tokenizer, write_bart, write_blip, write_llava

__all__ = ["write_models"]


def write_models(root: Path) -> dict[str, Path]:
    """Write one checkpoint a role, in the hub's layout, and return their folders."""
    tokenizer = byte_tokenizer(frame=False).backend_tokenizer
    sizes: dict[str, Any] = {"width": 16, "layers": 1, "heads": 2, "channel_width": 16, "feedforward": 16}

    def text_jscc() -> TextJSCC:
        return TextJSCC(tokenizer.get_vocab_size(), 24, 3, nam_widths=(4, 4, 4, 4), **sizes)

    write_stable_diffusion(root / "generator")
    write_ip_adapter(root / "adapter")
    (root / "adapter" / ADAPTER).rename(root / "adapter" / "ip-adapter_sd15.safetensors")
    write_blip2(root / "feature")
    write_stable_diffusion(root / "feature-image", text=False)
    write_bridge(root / "feature-image", CONTEXT)
    seeded(lambda: FeatureProjection(QUERIES, WIDTH, 24), 2).save_pretrained(root / "projection")
    seeded(lambda: FCN(width=4, blocks=(1, 1, 1, 1)), 3).save_pretrained(root / "fcn")
    seeded(lambda: ADJSCC(4, width=8), 4).save_pretrained(root / "jscc")
    TextCodec(seeded(text_jscc, 5), tokenizer).save_pretrained(root / "text-jscc")
    return {
        "captioner": write_llava(root / "llava"),
        "blip": write_blip(root / "blip"),
        "corrector": write_bart(root / "bart"),
        "segmenter": root / "fcn",
        "generator": root / "generator",
        "ip-adapter": root / "adapter",
        "feature": root / "feature",
        "projection": root / "projection",
        "feature-image": root / "feature-image",
        "jscc": root / "jscc",
        "text-jscc": root / "text-jscc",
    }
