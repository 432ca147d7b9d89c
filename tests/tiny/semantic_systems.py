"""Semantic systems over tiny models: variants that are quick, and what is held against them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image

from bridge.air.transmission import Transmission, transmit
from bridge.models import Models
from bridge.systems.catalog import build_semantic
from bridge.systems.context import Context
from bridge.systems.system import Reconstruction, Source, System
from phy.channels.channel import SymbolReception
from phy.channels.flat import AWGN
from phy.random import Stream
from phy.units import EsN0
from semantic.models.captioning import QUERY
from semantic.models.segmentation import main_object
from semantic.networks.jscc import ADJSCC, DeepJSCC2019, NestedJSCC

Picture = np.ndarray[Any, np.dtype[np.uint8]]


CLEAN = EsN0(100.0)


SEED = 5


FAST: dict[str, Any] = {"steps": 2, "guidance": 2.0}


DRAWN = (16, 16)  # what the network was trained for; pictures here have 40 x 48


TEXT: dict[str, Any] = {"coder": "utf-8", "max_tokens": 12}


# Every system with options that make it quick, and one variant of each way of sending.
SYSTEMS: dict[str, tuple[str, dict[str, Any]]] = {
    "multi-sc": ("multi-sc", {**TEXT, **FAST, "slice": "jpeg"}),
    "multi-sc raw": ("multi-sc", {**TEXT, **FAST, "slice": "raw", "slice_size": 8, "parts": 2}),
    "multi-sc analog": ("multi-sc", {**TEXT, **FAST, "slice": "analog", "slice_size": 8, "split": "objects"}),
    "multi-sc embedding": ("multi-sc", {**TEXT, **FAST, "slice": "jpeg", "coder": "embedding:fp32"}),
    "single-text": ("single-text", {**TEXT, **FAST, "slice": "none", "correct": False}),
    "vlm-csc": ("vlm-csc", {**FAST, "max_tokens": 12}),
    "vlf-msc": ("vlf-msc", {**FAST, "max_tokens": 8}),
    "vlf-msc fp32": ("vlf-msc", {**FAST, "max_tokens": 8, "quantizer": "fp32"}),
    "vlf-msc planes": (
        "vlf-msc",
        {**FAST, "max_tokens": 8, "quantizer": "lloyd-max:2", "scheme": "1/3-qpsk|1/2-qpsk"},
    ),
    "text-only": ("text-only", {**TEXT, **FAST}),
    "image-only bpg": ("image-only", {"max_tokens": 12}),
    "image-only jscc": ("image-only", {"max_tokens": 12, "carrier": "jscc"}),
    "deep-jscc": ("deep-jscc", {}),
    "selection": ("selection", {**TEXT, **FAST, "candidates": 3}),
    "selection fp32": ("selection", {**TEXT, **FAST, "candidates": 3, "quantizer": "fp32"}),
}


@dataclass
class CountingChannel:
    """Counts what passes through it, and leaves everything else to AWGN."""

    symbols: int = 0
    name: str = field(default="awgn")

    def __call__(
        self, symbols: torch.Tensor, snr: EsN0, streams: Sequence[Stream], real: bool = False
    ) -> SymbolReception:
        self.symbols += symbols.numel()
        return AWGN()(symbols, snr, streams, real)


def build(variant: str, context: Context, **more: Any) -> System:
    name, options = SYSTEMS[variant]
    return build_semantic(name, context, {**options, **more})


def uses_for(variant: str) -> int | None:
    """Only a file over LDPC needs a budget."""
    return 1500 if variant == "image-only bpg" else None


def through(
    system: System, source: Source, snr: EsN0 = CLEAN, uses: int | None = None
) -> tuple[Transmission, Reconstruction]:
    transmission = system.encode(source, uses, snr)
    (reception,) = transmit(transmission, snr, [Stream(1, "test", 0)])
    return transmission, system.decode(reception)


def painted(context: Context, *texts: str) -> Picture:
    """What is drawn of texts that belong together, without a slice."""
    (made,) = context.models.painter.generate([texts], seeds=[SEED], size=DRAWN, **FAST)
    return resized(made)


def resized(made: Picture) -> Picture:
    """As the receiver brings what it has drawn to the size agreed on."""
    return np.asarray(Image.fromarray(made).resize((48, 40), Image.Resampling.LANCZOS))


def same(a: Picture | None, b: Picture | None) -> bool:
    return a is not None and b is not None and np.array_equal(a, b)


def close(a: Picture | None, b: Picture, levels: int = 1) -> bool:
    return a is not None and a.shape == b.shape and int(np.abs(a.astype(int) - b).max()) <= levels


def piece_of(models: Models, picture: Picture, side: int) -> Picture:
    """The main object on a grey square, at most so large."""
    found = main_object(models.segmenter.labels([picture])[0])
    top, left, bottom, right = found.box
    object_alone = np.where(found.mask[..., None], picture, 128)[top:bottom, left:right]
    height, width = bottom - top, right - left
    whole = max(height, width)
    square = np.full((whole, whole, 3), 128, np.uint8)
    above, before = (whole - height) // 2, (whole - width) // 2
    square[above : above + height, before : before + width] = object_alone
    small = min(side, whole)
    return np.asarray(Image.fromarray(square).resize((small, small), Image.Resampling.LANCZOS))


def quadrants(picture: Picture) -> list[Picture]:
    return [picture[:20, :24], picture[:20, 24:], picture[20:, :24], picture[20:, 24:]]


def told_of(models: Models, pictures: list[Picture]) -> list[str]:
    """A caption of each picture."""
    return [text.strip() for text in models.captioner.caption(pictures, QUERY, max_tokens=12)]


def nested() -> NestedJSCC:
    return NestedJSCC(8, 16, 8, 1, 8)


NETWORKS = {"2019": lambda: DeepJSCC2019(4), "adjscc": lambda: ADJSCC(4, width=8), "nested": nested}
