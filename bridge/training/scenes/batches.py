"""What all recipes on drawn scenes share: batches drawn ahead, their tokenizer, pixels, and precision.

A batch depends on (seed, step) alone. It is drawn as NumPy arrays, by worker processes if there are any, so
that a fast device does not wait: one core draws about a thousand pictures with their texts a second.
"""

from __future__ import annotations

import copy
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import nn

from semantic.models.captioning import QUERY
from semantic.networks.pixels import Picture
from semantic.scenes.captions import caption, describe, quadrant_caption
from semantic.scenes.quadrants import fuse
from semantic.scenes.scene import QUADRANTS, Difficulty, Scene, chooser, sample_scene
from semantic.zoo.presets import import_transformers

__all__ = [
    "CPU",
    "IGNORED",
    "LEVEL",
    "PAD",
    "PREDICTION",
    "SIDE",
    "SPECIAL",
    "START",
    "STOP",
    "Ahead",
    "Compute",
    "draw_scene",
    "fused_caption",
    "halved",
    "noise",
    "pixel_values",
    "resized",
    "scene_tokenizer",
    "to_ids",
    "train_vocabulary",
]

T = TypeVar("T")

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<image>")
"""Tokens that are no text."""
START, PAD, STOP = range(3)
PREDICTION = {"bos_token_id": START, "pad_token_id": PAD, "eos_token_id": STOP}
"""The special tokens, as configurations of transformers name them."""
IGNORED = -100
"""Mark of cross-entropy for targets that do not count."""

SIDE = 64
"""Side of pictures in pixels."""

LEVEL: Difficulty = "medium"
"""Of the scenes that all models but the judge learn: what two CPU cores can teach within hours."""

_TRAINING, _VOCABULARY = 11, 12  # last words of seeds, of no other stream of scenes


class Ahead(Generic[T]):
    """Batches by step, drawn ahead by worker processes.

    Parameters
    ----------
    draw:
        Draws the batch of a step; a function or object that pickles.
    workers:
        Processes; 0 draws when asked, in this process.
    """

    def __init__(self, draw: Callable[[int], T], workers: int = 0) -> None:
        self.draw, self.workers = draw, workers
        self._pool: ProcessPoolExecutor | None = None
        self._pending: dict[int, Future[T]] = {}

    def __call__(self, step: int) -> T:
        """Return the batch of a step, and let the next ones be drawn."""
        if not self.workers:
            return self.draw(step)
        if self._pool is None:
            # Not forked: a forked process must not meet CUDA or the threads of its parent.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.workers, context, _install, (self.draw,))
        for later in range(step, step + 3 * self.workers):
            if later not in self._pending:
                self._pending[later] = self._pool.submit(_draw, later)
        batch = self._pending.pop(step).result()
        self._pending = {at: future for at, future in self._pending.items() if at > step}
        return batch


_installed: list[Callable[[int], Any]] = []


def _install(draw: Callable[[int], Any]) -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the workers are the parallelism
    _installed[:] = [draw]


def _draw(step: int) -> Any:
    return _installed[0](step)


def draw_scene(seed: int, step: int, row: int) -> tuple[Scene, np.random.Generator]:
    """Draw a row's scene for training, and the generator for whatever else the row needs."""
    generator = chooser([seed, step, row, _TRAINING])
    return sample_scene(generator, LEVEL), generator


def fused_caption(scene: Scene, margin: int = 0) -> str:
    """Describe a scene as Multi-SC's receiver reads it: four quarters, each told by itself.

    With a margin (`semantic.scenes.facts.things_in`) objects on a cut are told twice, as captioners do that
    see half of them.
    """
    return fuse([quadrant_caption(scene, quadrant, inner=True, margin=margin) for quadrant in QUADRANTS])


@lru_cache(maxsize=1)
def _vocabulary() -> str:
    """Byte-level BPE over the captions' words, as the JSON of ``tokenizer.json``; about 640 tokens."""
    texts = [QUERY]
    for index in range(1500):
        generator = chooser([index, 1, 1, _VOCABULARY])
        scene = sample_scene(generator)
        texts += [describe(scene), caption(scene, generator, full=True), fused_caption(scene)]
    return str(train_vocabulary(texts, 1024).to_str())


def train_vocabulary(texts: Sequence[str], size: int) -> Tokenizer:
    """Byte-level BPE of at most ``size`` tokens over texts, `SPECIAL` among them, without a frame."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    return core


def scene_tokenizer(most: int, frame: bool = False) -> Any:
    """Make the tokenizer of all models of scenes: a word a token, with bytes for what is no word of theirs.

    Parameters
    ----------
    most:
        Longest text in tokens, ``model_max_length``.
    frame:
        Whether texts are put between ``<s>`` and ``</s>``.

    Returns
    -------
    transformers.PreTrainedTokenizerFast
        Its ``<image>`` stands for a picture.
    """
    core = Tokenizer.from_str(_vocabulary())
    if frame:
        core.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", START), ("</s>", STOP)]
        )
    return import_transformers().PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        additional_special_tokens=["<image>"],
        clean_up_tokenization_spaces=False,
        model_max_length=most,
    )


def to_ids(
    core: Tokenizer, texts: Sequence[str], most: int, *, start: bool, full: bool = False
) -> NDArray[np.int64]:
    """Tokens of texts, each closed by ``</s>`` and filled up with ``<pad>``: ``[B, L]``.

    Parameters
    ----------
    core:
        The tokenizer, without a frame.
    texts:
        B texts.
    most:
        Longest row: what has more tokens, frame included, loses its end.
    start:
        Whether ``<s>`` goes before them.
    full:
        L is ``most`` even if all are shorter.
    """
    room = most - 1 - start
    rows = [[START] * start + encoding.ids[:room] + [STOP] for encoding in core.encode_batch(list(texts))]
    ids = np.full((len(rows), most if full else max(map(len, rows))), PAD, np.int64)
    for row, tokens in zip(ids, rows, strict=True):
        row[: len(tokens)] = tokens
    return ids


def resized(picture: Picture, side: int) -> Picture:
    """Scale to ``[side, side, 3]`` by PIL's bicubic filter, as the image processors do."""
    if picture.shape[:2] == (side, side):
        return picture
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))


def pixel_values(pictures: Picture, device: str) -> torch.Tensor:
    """Pictures ``[B, H, W, 3]`` as ``[B, 3, H, W]`` from -1 to 1 on a device."""
    values = torch.tensor(pictures, device=device)
    return values.permute(0, 3, 1, 2).float() / 127.5 - 1.0


def noise(shape: Sequence[int], generator: torch.Generator, device: str) -> torch.Tensor:
    """Gaussian noise, drawn on the CPU so that it is the same for every device."""
    return torch.randn(*shape, generator=generator).to(device, non_blocking=True)


@dataclass(frozen=True)
class Compute:
    """Where a recipe is trained, and how.

    Attributes
    ----------
    device:
        Of the model.
    half:
        Whether matrices multiply in bfloat16: fast on GPUs, slow on CPUs without it.
    workers:
        Processes that draw ahead; 0 draws in this one.
    """

    device: str = "cpu"
    half: bool = False
    workers: int = 0

    def autocast(self) -> torch.autocast:
        """Context of a forward pass."""
        return torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.half)


CPU = Compute()
"""Trains on the CPU, in single precision."""


def halved(model: nn.Module) -> Any:
    """Copy a model in half precision, as it is stored."""
    return nn.Module.half(copy.deepcopy(model))  # diffusers' own method warns of what does not concern us
