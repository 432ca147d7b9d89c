"""How much of unseen scenes the models trained on them get right, in texts and, by the judge, in pictures.

All scenes are of the level that was taught, and none is of a training. Counts add up over scenes, so that
every fact weighs the same (`semantic.scenes.facts.count_right`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bridge.training.photographs.deep_jscc import through
from bridge.training.scenes.batches import LEVEL, fused_caption, to_pixels
from bridge.training.scenes.generator_batches import main_slice
from phy.channels.flat import AWGN
from phy.random import Stream
from semantic.models.captioning import Captioner
from semantic.models.features import FeatureProjection, FeatureToImage, VisionLanguageFeature
from semantic.models.generation import Generator
from semantic.models.textjscc import TextCodec
from semantic.scenes.captions import describe
from semantic.scenes.draw import draw
from semantic.scenes.facts import Counts, count_right, quadrant_facts
from semantic.scenes.judge import SceneJudge, picture_accuracy
from semantic.scenes.parse import parse, text_accuracy
from semantic.scenes.quadrants import LEADS, cut, fuse
from semantic.scenes.scene import QUADRANTS, Scene, chooser, sample_scene

__all__ = [
    "evaluate_captioner",
    "evaluate_feature",
    "evaluate_generator",
    "evaluate_text_jscc",
    "unseen_scenes",
]

Picture = NDArray[np.uint8]

_EVALUATION = 15  # last word of seeds


def unseen_scenes(count: int, seed: int) -> list[Scene]:
    """Draw scenes that no training draws."""
    return [sample_scene(chooser([seed, index, _EVALUATION]), LEVEL) for index in range(count)]


def _total(counts: Iterable[Counts]) -> Counts:
    return Counts(*map(sum, zip(*counts, strict=True)))


def evaluate_captioner(
    captioner: Captioner, count: int, seed: int, *, quarters: bool = True, batch_size: int = 32
) -> dict[str, Counts]:
    """Count the right facts of captions.

    Parameters
    ----------
    captioner:
        With its own prompt.
    count, seed:
        Scenes, drawn at 64 pixels.
    quarters:
        Whether quarters are asked about, too.
    batch_size:
        Pictures at once.

    Returns
    -------
    dict[str, Counts]
        ``whole``: of captions of whole pictures. ``quarters``: of those of quarters, each against what
        lies in it. ``fused``: of the four of a picture together, against the whole.
    """
    scenes = unseen_scenes(count, seed)
    pictures = [draw(scene) for scene in scenes]
    texts = captioner.caption(pictures, max_tokens=64, batch_size=batch_size)
    found = {"whole": _total(map(text_accuracy, scenes, texts))}
    if quarters:
        pieces = [cut(picture, quadrant) for picture in pictures for quadrant in QUADRANTS]
        told = captioner.caption(pieces, max_tokens=64, batch_size=batch_size)
        fours = [told[first : first + 4] for first in range(0, len(told), 4)]
        found["quarters"] = _total(
            count_right(quadrant_facts(scene, quadrant), parse(f"{LEADS[quadrant]}: {text}"))
            for scene, four in zip(scenes, fours, strict=True)
            for quadrant, text in zip(QUADRANTS, four, strict=True)
        )
        found["fused"] = _total(map(text_accuracy, scenes, map(fuse, fours)))
    return found


def evaluate_text_jscc(codec: TextCodec, snrs: Sequence[float], count: int, seed: int) -> dict[float, Counts]:
    """Count the right facts of canonical descriptions after AWGN at each SNR in decibels."""
    scenes = unseen_scenes(count, seed)
    texts, found = [describe(scene) for scene in scenes], {}
    for snr in snrs:
        sent = codec.encode_text(texts, snr)
        streams = Stream(seed, "evaluation").batch(range(count))
        heard = [
            through(values[None].cpu(), AWGN(), snr, [stream])[0]
            for values, stream in zip(sent, streams, strict=True)
        ]
        found[snr] = _total(map(text_accuracy, scenes, codec.decode_text(heard, snr)))
    return found


def evaluate_generator(
    generator: Generator,
    judge: SceneJudge,
    count: int,
    seed: int,
    *,
    steps: int = 25,
    guidance: float = 3.0,
    scale: float = 0.6,
) -> dict[str, Counts]:
    """Count the right facts of generated pictures, in the judge's eyes.

    Parameters
    ----------
    generator:
        With adapter and image encoder.
    judge:
        `semantic.scenes.judge.SceneJudge.from_pretrained()`.
    count, seed:
        Scenes; the first picture's seed, the others' follow.
    steps, guidance, scale:
        As in `semantic.models.generation.Generator.generate`.

    Returns
    -------
    dict[str, Counts]
        ``drawn``: of the pictures themselves; ``autoencoder``: of what is left of them after the latent, the
        most that can be reached; ``text``, ``text and slice``, ``fused text and slice``: of pictures
        generated from the canonical description, or from those of the four quarters, and from the main
        object's slice.
    """
    scenes = unseen_scenes(count, seed)
    pictures = [draw(scene) for scene in scenes]
    slices = [main_slice(scene, picture) for scene, picture in zip(scenes, pictures, strict=True)]
    whole, fused = [describe(scene) for scene in scenes], [fused_caption(scene) for scene in scenes]
    common: dict[str, Any] = {
        "seeds": range(seed, seed + count),
        "steps": steps,
        "guidance": guidance,
        "scale": scale,
    }
    made = {
        "drawn": pictures,
        "autoencoder": _again(generator.diffusion.pipeline.vae, pictures),
        "text": generator.generate(whole, **common),
        "text and slice": generator.generate(whole, images=slices, **common),
        "fused text and slice": generator.generate(fused, images=slices, **common),
    }
    return {name: _judged(scenes, shown, judge) for name, shown in made.items()}


def _judged(scenes: Sequence[Scene], pictures: Sequence[Picture], judge: SceneJudge) -> Counts:
    return _total(
        picture_accuracy(scene, picture, judge) for scene, picture in zip(scenes, pictures, strict=True)
    )


@torch.no_grad()
def _again(autoencoder: Any, pictures: Sequence[Picture]) -> list[Picture]:
    """Pictures through the latent and back."""
    shown = []
    for picture in pictures:
        pixels = to_pixels(picture[None], str(autoencoder.device)).to(autoencoder.dtype)
        made = autoencoder.decode(autoencoder.encode(pixels).latent_dist.mode()).sample[0].float()
        levels = ((made.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        shown.append(levels.permute(1, 2, 0).cpu().numpy())
    return shown


@torch.no_grad()
def evaluate_feature(
    model: VisionLanguageFeature,
    projection: FeatureProjection,
    painter: FeatureToImage,
    judge: SceneJudge,
    snrs: Sequence[float],
    count: int,
    seed: int,
    *,
    steps: int = 25,
    guidance: float = 3.0,
) -> dict[float, tuple[Counts, Counts]]:
    """Count the right facts of texts and of pictures made from the received feature.

    Parameters
    ----------
    model, projection, painter, judge:
        The parts of VLF-MSC, and who looks at the pictures.
    snrs:
        Of AWGN, in decibels; infinity is no noise.
    count, seed:
        Scenes; the first picture's seed, the others' follow.
    steps, guidance:
        As in `semantic.models.features.FeatureToImage.generate`.

    Returns
    -------
    dict[float, tuple[Counts, Counts]]
        Of texts and of pictures, by SNR.
    """
    scenes = unseen_scenes(count, seed)
    place = projection.down.weight
    values = projection.encode(model.encode([draw(scene) for scene in scenes]).to(place)).cpu()
    found = {}
    for snr in snrs:
        streams = Stream(seed, "evaluation").batch(range(count))
        heard = math.sqrt(2) * through(values, AWGN(), min(snr, 200.0), streams)
        features = projection.decode(heard.to(place)).cpu()
        texts = model.to_text(features, max_tokens=64)
        pictures = painter.generate(features, seeds=range(seed, seed + count), steps=steps, guidance=guidance)
        found[snr] = _total(map(text_accuracy, scenes, texts)), _judged(scenes, pictures, judge)
    return found
