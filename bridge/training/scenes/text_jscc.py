"""The bundled text codec of VLM-CSC: sentences about scenes as learned symbols, through our analog link.

The network is told the SNR and learns a range of them at once; the paper trains from 0 to 10 dB. Each
sentence is sent at unit power by itself, whatever stands beside it in the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from tokenizers import Tokenizer

from bridge.training.analog import through
from bridge.training.scenes.batches import (
    CPU,
    PAD,
    SPECIAL,
    Ahead,
    Compute,
    draw_scene,
    fused_caption,
    scene_tokenizer,
)
from bridge.training.trainer import Recipe
from phy.channels.channel import Channel
from phy.channels.flat import AWGN
from phy.random import Stream
from semantic.models.textjscc import TextCodec, TextJSCC
from semantic.scenes.captions import caption, describe, quadrant_caption
from semantic.scenes.scene import QUADRANTS, Scene, below, choose, chooser

__all__ = ["SNRS", "TextBatches", "draw_snrs", "filled_up", "learned_code", "text_jscc", "through_each"]

SNRS = 8
"""SNRs within a batch: each is that of an eighth of its rows."""

_LEVELS = 13  # last word of seeds


@dataclass(frozen=True)
class TextBatches:
    """Sentences: canonical, in free words, about quarters, fused; and rows of any tokens, which mean nothing.

    The latter make it a code for whatever is written, be it in words or in bytes.

    Attributes
    ----------
    core:
        Tokenizer without a frame.
    count, seed, most:
        Rows of a batch; of the draws; most tokens.
    """

    core: Tokenizer
    count: int
    seed: int
    most: int

    def __call__(self, step: int) -> NDArray[np.int64]:
        """Tokens ``[B, L]`` of a step, filled up with `PAD`."""
        return filled_up([self._row(step, row)[: self.most] for row in range(self.count)])

    def _row(self, step: int, row: int) -> list[int]:
        scene, generator = draw_scene(self.seed, step, row)
        kind = below(generator, 10)
        if kind == 9:
            tokens = generator.integers(len(SPECIAL), self.core.get_vocab_size(), 1 + below(generator, 40))
            return [int(token) for token in tokens]
        return list(self.core.encode(self._text(kind, scene, generator)).ids)

    def _text(self, kind: int, scene: Scene, generator: np.random.Generator) -> str:
        if kind < 4:
            return describe(scene)
        if kind < 7:
            return caption(scene, generator, full=bool(kind % 2))
        if kind < 8:
            return quadrant_caption(scene, choose(generator, QUADRANTS), generator, inner=True)
        return fused_caption(scene)


def filled_up(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Rows of tokens as ``[B, L]``, the shorter ones filled up with `PAD`."""
    ids = np.full((len(rows), max(map(len, rows))), PAD, np.int64)
    for row, tokens in zip(ids, rows, strict=True):
        row[: len(tokens)] = tokens
    return ids


def draw_snrs(seed: int, step: int, bounds: tuple[float, float], count: int) -> list[float]:
    """Draw the SNRs of a step in decibels, evenly between bounds."""
    generator = chooser([seed, step, 1, _LEVELS])
    low, high = bounds
    return [low + (high - low) * below(generator, 10_000) / 10_000 for _ in range(count)]


def through_each(
    values: torch.Tensor, channel: Channel, snrs: list[float], stream: Stream
) -> tuple[torch.Tensor, torch.Tensor]:
    """Send ``[B, 2k]`` reals, each part of the batch at an SNR; differentiable.

    Returns
    -------
    tuple of torch.Tensor
        What arrived, ``[B, 2k]`` at mean power 1/2 a real, and the SNR of each row in decibels.
    """
    rows = torch.arange(len(values)).chunk(len(snrs))
    heard = [
        through(values[part[0] : part[-1] + 1], channel, snr, stream.batch(part.tolist()))
        for part, snr in zip(rows, snrs, strict=False)
    ]
    told = torch.cat([torch.full((len(part),), snr) for part, snr in zip(rows, snrs, strict=False)])
    return torch.cat(heard), told.to(values.device)


def text_jscc(
    *,
    seed: int = 1,
    batch: int = 64,
    symbols_per_token: int = 16,
    most: int = 128,
    snr_db: tuple[float, float] = (-6.0, 18.0),
    channel: Channel | None = None,
    sizes: dict[str, Any] | None = None,
    compute: Compute = CPU,
) -> Recipe:
    """``tiny-text-jscc``: the text codec of `semantic.models.textjscc`.

    Parameters
    ----------
    seed, batch:
        Of the draws; rows of a step.
    symbols_per_token:
        Channel uses of a token. The paper's 128 real outputs make 64; the words of scenes, 640 tokens in
        all, do not need them.
    most:
        Longest text in tokens.
    snr_db:
        Bounds of the SNRs.
    channel:
        What the symbols pass; AWGN by default.
    sizes:
        More settings of `TextJSCC`, instead of a feed-forward width of 256.
    compute:
        Where and how it is trained.
    """
    core = scene_tokenizer(most).backend_tokenizer
    return learned_code(
        "tiny-text-jscc",
        core,
        TextBatches(core, batch, seed, most),
        seed=seed,
        symbols_per_token=symbols_per_token,
        most=most,
        snr_db=snr_db,
        channel=channel,
        sizes=sizes,
        compute=compute,
    )


def learned_code(
    name: str,
    core: Tokenizer,
    texts: Callable[[int], NDArray[np.int64]],
    *,
    seed: int,
    symbols_per_token: int = 16,
    most: int,
    snr_db: tuple[float, float],
    channel: Channel | None = None,
    sizes: dict[str, Any] | None = None,
    compute: Compute = CPU,
) -> Recipe:
    """Text codec of a tokenizer's tokens.

    Parameters
    ----------
    name:
        Of the recipe.
    core:
        Tokenizer without a frame.
    texts:
        Step to tokens ``[B, L]``, filled up with `PAD`.
    seed, symbols_per_token, most, snr_db, channel, sizes, compute:
        As in `text_jscc`.
    """
    make = partial(
        TextJSCC,
        core.get_vocab_size(),
        most,
        symbols_per_token,
        dropout=0.0,
        **({"feedforward": 256} if sizes is None else sizes),
    )
    loss = partial(
        _loss,
        batches=Ahead(texts, compute.workers),
        seed=seed,
        snr_db=snr_db,
        channel=channel or AWGN(),
        compute=compute,
    )
    return Recipe(name, make, loss, partial(_save, core=core), rate=1e-3)


def _loss(
    model: TextJSCC,
    step: int,
    *,
    batches: Ahead[NDArray[np.int64]],
    seed: int,
    snr_db: tuple[float, float],
    channel: Channel,
    compute: Compute,
) -> torch.Tensor:
    ids = torch.from_numpy(batches(step)).to(compute.device)
    mask = ids != PAD
    snrs = draw_snrs(seed, step, snr_db, SNRS)
    stream = Stream(seed, "train", step)
    with compute.autocast():
        told = torch.cat([torch.full((len(p),), s) for p, s in zip(ids.chunk(SNRS), snrs, strict=False)])
        values = model.encode(ids, mask, told.to(compute.device)).float()
        heard, told = through_each(_filled(values, mask), channel, snrs, stream)
        kept = heard * mask.repeat_interleave(2 * model.symbols_per_token, dim=1)
        logits = model.decode(kept, told, mask)
    return F.cross_entropy(logits.float()[mask], ids[mask])


def _filled(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Put each sentence's rms where it has no tokens, so that its power is that of its tokens."""
    real = mask.repeat_interleave(values.shape[1] // mask.shape[1], dim=1)
    rms = (values.square().sum(1, keepdim=True) / real.sum(1, keepdim=True)).sqrt()
    return torch.where(real, values, rms)


def _save(model: TextJSCC, folder: Path, *, core: Tokenizer) -> None:
    TextCodec(model, core).save_pretrained(folder, torch.float16)
