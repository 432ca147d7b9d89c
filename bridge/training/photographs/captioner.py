"""Training of the captioner of photographs: W from photographs, the language model from text alone.

A sentence is learned with the meaning of its picture as prefix, made as bad as W makes it: each number is
shrunk by the share R² of its variance that W tells of photographs that it was not fitted to, and has noise of
variance R² (1 - R²) added. So captions whose pictures are missing teach the language model, and it trusts the
prefix as far as W deserves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from bridge.training.photographs.meaning import COLOURS, Meaning, Ridge, Values, crossed, shares, words
from bridge.training.trainer import Recipe
from semantic.files import written
from semantic.networks.fcn_mobilenet import MobileNetFCN
from semantic.networks.meaning import END, PADDING, MeaningCaptioner, looked_at
from semantic.samples.captioned import CaptionedPicture, load_captioned
from semantic.samples.captions import read_captions

__all__ = ["captioner"]

_LENGTHS = range(3, 25)  # words of a sentence that is learned from
_LONGEST = 30  # and its pieces
_TOGETHER = 50  # batches whose sentences are sorted by length, so that little is padded
_RIGHT = 0.7  # share of the colours said that some caption says, too: that of a person against four others

Words = list[str]


@dataclass(frozen=True)
class _Text:
    """Sentences to learn from.

    Attributes
    ----------
    ids:
        Pieces of each.
    owner:
        Its picture, as a row of ``meaning``.
    meaning:
        ``[pictures, numbers]``, as the captions have it.
    told, spread:
        Of each number, what W keeps of it, and the noise that it adds.
    """

    ids: tuple[tuple[int, ...], ...]
    owner: np.ndarray[Any, Any]
    meaning: Values
    told: Values
    spread: Values

    def batch(self, size: int, seed: int, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Prefixes and pieces of one step, which seed and step fix."""
        steps = -(-len(self.ids) // size)
        rows = _epoch(tuple(map(len, self.ids)), size, seed, step // steps)[step % steps]
        noise = np.random.default_rng([seed, step, 1]).standard_normal((len(rows), len(self.told)))
        prefix = self.told * self.meaning[self.owner[rows]] + self.spread * noise
        framed = [torch.tensor([END, *self.ids[row], END]) for row in rows]
        padded = torch.nn.utils.rnn.pad_sequence(framed, batch_first=True, padding_value=PADDING)
        return torch.from_numpy(prefix.astype(np.float32)), padded


@lru_cache(maxsize=1)
def _epoch(lengths: tuple[int, ...], size: int, seed: int, epoch: int) -> list[list[int]]:
    """All sentences once, in batches of like length, in pools that are shuffled."""
    draw = np.random.default_rng([seed, epoch])
    order, batches = draw.permutation(len(lengths)).tolist(), list[list[int]]()
    for start in range(0, len(order), _TOGETHER * size):
        pool = sorted(order[start : start + _TOGETHER * size], key=lengths.__getitem__)
        batches += [pool[place : place + size] for place in range(0, len(pool), size)]
    return [batches[place] for place in draw.permutation(len(batches))]


def _fast_half(device: str) -> bool:
    """Whether bfloat16 multiplies faster than float32: on GPUs, and on CPUs with instructions for it."""
    return torch.device(device).type != "cpu" or bool(torch.cpu._is_avx512_bf16_supported())


def _loss(
    model: MeaningCaptioner, step: int, *, text: _Text, batch: int, seed: int, device: str
) -> torch.Tensor:
    prefix, ids = (part.to(device) for part in text.batch(batch, seed, step))
    with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=_fast_half(device)):
        scores = model(prefix, ids[:, :-1])
    return F.cross_entropy(scores.float().flatten(0, 1), ids[:, 1:].flatten(), ignore_index=PADDING)


def _pieces(sentences: Sequence[str], vocabulary: int) -> Tokenizer:
    """A byte-pair encoding of words."""
    pieces = Tokenizer(models.BPE(unk_token="[UNK]"))
    pieces.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["[PAD]", "[END]", "[UNK]"]
    pieces.train_from_iterator(
        sentences, trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=special, show_progress=False)
    )
    return pieces


def _sure(said: Values, truth: Values) -> float:
    """The lowest share from which on colours that W tells are right often enough; infinity if none is."""
    order = np.argsort(-said, axis=None)
    right = np.cumsum(truth.flatten()[order] > 0) / np.arange(1, said.size + 1)
    good = np.flatnonzero(right >= _RIGHT)
    return float(said.flatten()[order[good[-1]]]) if len(good) else 1e9


@dataclass(frozen=True)
class _Seen:
    """Photographs: features ``[n, 320]`` and captions of each, as words."""

    features: Values
    captions: list[list[Words]]


def _seen(backbone: MobileNetFCN, pictures: Sequence[CaptionedPicture]) -> _Seen:
    looking = MeaningCaptioner(vocabulary=8, meaning=1, width=8, layers=1)
    looking.backbone = backbone.backbone
    looking.eval()
    with torch.no_grad():
        features = [looking.features(looked_at([Image.fromarray(picture.pixels)])) for picture in pictures]
    return _Seen(torch.cat(features).numpy(), [list(map(words, picture.captions)) for picture in pictures])


def _others(files: Sequence[Path], pictures: Sequence[CaptionedPicture]) -> list[list[Words]]:
    """Captions of pictures that are not there, as words; where all are there, of those."""
    own = {name for picture in pictures for name in (picture.name, picture.path.stem)}
    tables: list[Mapping[str, list[str]]] = [read_captions(file) for file in files]
    found = [captions for table in tables for name, captions in table.items() if name not in own]
    kept = found or [list(picture.captions) for picture in pictures]
    return [list(map(words, captions)) for captions in kept]


def _save(model: MeaningCaptioner, folder: Path, *, pieces: Tokenizer, space: Meaning) -> None:
    model.save_pretrained(folder, torch.float16)
    space.save(folder / "meaning.safetensors")
    with written(folder / "tokenizer.json") as beside:
        pieces.save(str(beside))


def captioner(
    images: Path,
    captions: Path,
    more_captions: Sequence[Path],
    segmenter: Path,
    *,
    seed: int = 1,
    batch: int = 128,
    vocabulary: int = 4096,
    meaning: int = 128,
    width: int = 256,
    layers: int = 4,
    device: str = "cpu",
) -> Recipe:
    """Captioner of photographs (`semantic.networks.meaning`).

    Parameters
    ----------
    images, captions:
        Photographs, and a file of captions of these and of others that are not there.
    more_captions:
        Files of captions alone.
    segmenter:
        Folder of a `MobileNetFCN`, whose backbone looks at the photographs.
    seed, batch, device:
        Of the training.
    vocabulary, meaning, width, layers:
        Of the network.
    """
    pictures = load_captioned(images, captions)
    seen = _seen(MobileNetFCN.from_pretrained(segmenter), pictures)
    known = _others([captions, *more_captions], pictures)
    space = Meaning.fit(known, meaning, seed)
    pairs = [(row, each) for row, own in enumerate(known) for each in own if len(each) in _LENGTHS]
    pieces = _pieces([" ".join(sentence) for _, sentence in pairs], vocabulary)
    coded = [(row, tuple(pieces.encode(" ".join(sentence)).ids)) for row, sentence in pairs]
    coded = [(row, ids) for row, ids in coded if len(ids) <= _LONGEST]
    colours = [(colour, piece) for colour in COLOURS if (piece := pieces.token_to_id(f"\u2581{colour}"))]
    truth = space(seen.captions)
    shown = shares(seen.captions, [colour for colour, _ in colours])
    both = np.concatenate([truth, shown], axis=1)
    said = crossed(seen.features, both)
    size = truth.shape[1]
    left = ((said[:, :size] - truth) ** 2).mean(axis=0) / truth.var(axis=0).clip(1e-6)
    told = np.clip(1 - left, 0.01, 1.0)
    spread = np.sqrt(told * (1 - told)) * truth.std(axis=0)
    text = _Text(
        tuple(ids for _, ids in coded),
        np.array([row for row, _ in coded]),
        space(known),
        told.astype(np.float32),
        spread.astype(np.float32),
    )
    settings = {
        "vocabulary": pieces.get_vocab_size(),
        "meaning": size,
        "colours": tuple(piece for _, piece in colours),
        "sure": round(_sure(said[:, size:], shown), 4),
        "width": width,
        "layers": layers,
    }

    def make() -> MeaningCaptioner:
        model = MeaningCaptioner(**settings)
        model.backbone.load_state_dict(MobileNetFCN.from_pretrained(segmenter).backbone.state_dict())
        linear = Ridge(seen.features, both)
        with torch.no_grad():
            model.projection.weight.copy_(torch.from_numpy(linear.weight.T))
            model.projection.bias.copy_(torch.from_numpy(linear.bias))
        model.backbone.requires_grad_(False)
        model.projection.requires_grad_(False)
        return model

    def groups(model: MeaningCaptioner) -> list[dict[str, Any]]:
        return [{"params": [each for each in model.parameters() if each.requires_grad], "lr": 1.0}]

    loss = partial(_loss, text=text, batch=batch, seed=seed, device=device)
    save = partial(_save, pieces=pieces, space=space)
    return Recipe(
        "photo-captioner", make, loss, save, rate=1.5e-3, warm_up=50, groups=groups, weight_decay=0.05
    )
