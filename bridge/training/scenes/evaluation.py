"""How much of unseen scenes the models trained on them get right, in texts and, by the judge, in pictures.

None of the scenes is of a training, and all but the judge's are of the level that was taught. Every fact
weighs the same (`semantic.scenes.facts.count_right`). What is right by luck is told by the same answers held
against another scene.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from bridge.training.analog import through
from bridge.training.figures import Baseline, Figure, Share
from bridge.training.scenes.batches import LEVEL, fused_caption, pixel_values
from bridge.training.scenes.distortions import DISTORTIONS
from bridge.training.scenes.drawing.generator_batches import main_slice
from bridge.training.scenes.segmenter import CLASSES
from bridge.training.segmentation import Labels, agreement, box_in_the_middle, mask_figures
from phy.channels.flat import AWGN
from phy.random import Stream
from semantic.models.captioning import Captioner
from semantic.models.features import FeatureProjection, FeatureToImage, VisionLanguageFeature
from semantic.models.generation import Generator
from semantic.models.textjscc import TextCodec
from semantic.networks.pixels import Picture, to_picture
from semantic.scenes.captions import describe
from semantic.scenes.draw import PIXELS, class_map, draw
from semantic.scenes.facts import Facts, count_right, quadrant_facts, scene_facts
from semantic.scenes.judge import SceneJudge
from semantic.scenes.parse import parse
from semantic.scenes.quadrants import LEADS, cut, fuse
from semantic.scenes.scene import QUADRANTS, Scene, chooser, sample_scene

__all__ = [
    "captioner_figures",
    "feature_figures",
    "generator_figures",
    "judge_figures",
    "scene_segmenter_figures",
    "text_jscc_figures",
    "unseen_scenes",
]

_EVALUATION, _JUDGED = 15, 2  # last words of seeds
_MOST = 64  # tokens of a text
_NOISELESS = 200.0  # dB: what takes an infinite SNR's place
_STEPS = 20  # of the diffusion models' sampling


def unseen_scenes(count: int, seed: int) -> list[Scene]:
    """Draw scenes that no training draws."""
    return [sample_scene(chooser([seed, index, _EVALUATION]), LEVEL) for index in range(count)]


def _figure(name: str, at: str, true: Sequence[Sequence[Facts]], told: Sequence[Sequence[Facts]]) -> Figure:
    """Facts that are right, of each scene one or several truths with the answers to them."""
    another = _right([*true[1:], true[0]], told)
    return Figure(name, at, _right(true, told), Baseline("another-scene", another) if len(true) > 1 else None)


def _right(true: Sequence[Sequence[Facts]], told: Sequence[Sequence[Facts]]) -> Share:
    scenes = [
        [count_right(truth, answer) for truth, answer in zip(*pair, strict=True)]
        for pair in zip(true, told, strict=True)
    ]
    return Share(*(tuple(sum(counts[part] for counts in scene) for scene in scenes) for part in (0, 1)))


def _told(at: str, scenes: Sequence[Scene], texts: Sequence[str]) -> Figure:
    """Facts that texts tell."""
    return _figure("facts-told", at, [[scene_facts(s)] for s in scenes], [[parse(text)] for text in texts])


def _shown(
    at: str,
    scenes: Sequence[Scene],
    pictures: Sequence[Picture],
    judge: SceneJudge,
    name: str = "facts-shown",
) -> Figure:
    """Facts that pictures show, in the judge's eyes."""
    seen = judge.read(list(pictures))
    return _figure(name, at, [[scene_facts(s)] for s in scenes], [[facts] for facts in seen])


def judge_figures(judge: SceneJudge, count: int, seed: int) -> Iterator[Figure]:
    """Facts read from pictures of the hard level, clean and under each of `DISTORTIONS`.

    Parameters
    ----------
    judge:
        A trained judge.
    count, seed:
        Scenes, the same for every distortion.
    """
    scenes = [sample_scene(chooser([seed, index, _JUDGED])) for index in range(count)]
    yield _shown("clean", scenes, [draw(scene) for scene in scenes], judge, "facts-read")
    for name, distort in DISTORTIONS.items():
        generator = chooser(seed)
        pictures = [distort(draw(scene), generator) for scene in scenes]
        yield _shown(name, scenes, pictures, judge, "facts-read")


def scene_segmenter_figures(found_by: Labels, count: int, seed: int) -> Iterator[Figure]:
    """Hold a segmenter against the exact masks of scenes, at every size at which they are drawn."""
    scenes = unseen_scenes(count, seed)
    for size in PIXELS:
        true = [class_map(scene, size) for scene in scenes]
        said = found_by.labels([draw(scene, size) for scene in scenes])
        found = [agreement(labels, truth, len(CLASSES)) for labels, truth in zip(said, true, strict=True)]
        middle = [agreement(box_in_the_middle(truth), truth, len(CLASSES)) for truth in true]
        yield from mask_figures(found, middle, f"{size}px")


def captioner_figures(
    captioner: Captioner, count: int, seed: int, *, quarters: bool = True, batch_size: int = 32
) -> Iterator[Figure]:
    """Facts that captions tell: ``whole`` of whole pictures.

    Parameters
    ----------
    captioner:
        With its own prompt.
    count, seed:
        Scenes, drawn at 64 pixels.
    quarters:
        Whether quarters are asked about, too: ``quarters``, each against what lies in it, objects counting
        where their centre lies, and ``fused``, the four of a picture together against the whole.
    batch_size:
        Pictures at once.
    """
    scenes = unseen_scenes(count, seed)
    pictures = [draw(scene) for scene in scenes]
    yield _told("whole", scenes, captioner.caption(pictures, max_tokens=_MOST, batch_size=batch_size))
    if not quarters:
        return
    pieces = [cut(picture, quadrant) for picture in pictures for quadrant in QUADRANTS]
    texts = captioner.caption(pieces, max_tokens=_MOST, batch_size=batch_size)
    fours = [texts[first : first + 4] for first in range(0, len(texts), 4)]
    true = [[quadrant_facts(scene, quadrant) for quadrant in QUADRANTS] for scene in scenes]
    told = [
        [parse(f"{lead}: {text}") for lead, text in zip(LEADS.values(), four, strict=True)] for four in fours
    ]
    yield _figure("facts-told", "quarters", true, told)
    yield _told("fused", scenes, list(map(fuse, fours)))


def text_jscc_figures(codec: TextCodec, snrs: Sequence[float], count: int, seed: int) -> Iterator[Figure]:
    """Facts of canonical descriptions that arrive over AWGN at each SNR in decibels."""
    scenes = unseen_scenes(count, seed)
    texts, streams = [describe(scene) for scene in scenes], Stream(seed, "evaluation").batch(range(count))
    for snr in snrs:
        sent = codec.encode_text(texts, snr)
        heard = [
            through(values[None].cpu(), AWGN(), snr, [stream])[0]
            for values, stream in zip(sent, streams, strict=True)
        ]
        yield _told(f"{snr:g}dB", scenes, codec.decode_text(heard, snr))


def generator_figures(
    generator: Generator,
    judge: SceneJudge,
    count: int,
    seed: int,
    *,
    steps: int = _STEPS,
    guidance: float = 5.0,
    scale: float = 0.6,
) -> Iterator[Figure]:
    """Facts that generated pictures show.

    ``drawn``: of the pictures themselves; ``autoencoder``: of what is left of them after the latent, the most
    that can be reached; ``text``, ``text+slice``, ``quarters+slice``: of pictures generated from the
    canonical description, or from those of the four quarters, and from the main object's slice.

    Parameters
    ----------
    generator:
        With adapter and image encoder.
    judge:
        Who looks at the pictures.
    count, seed:
        Scenes; the first picture's seed, the others' follow.
    steps, guidance, scale:
        As in `semantic.models.generation.Generator.generate`.
    """
    scenes = unseen_scenes(count, seed)
    pictures = [draw(scene) for scene in scenes]
    yield _shown("drawn", scenes, pictures, judge)
    yield _shown("autoencoder", scenes, _again(generator.diffusion.pipeline.vae, pictures), judge)
    slices = [main_slice(scene, picture) for scene, picture in zip(scenes, pictures, strict=True)]
    seeds = range(seed, seed + count)
    for at, tell, images in (
        ("text", describe, None),
        ("text+slice", describe, slices),
        ("quarters+slice", fused_caption, slices),
    ):
        made = generator.generate(
            [tell(scene) for scene in scenes],
            images=images,
            seeds=seeds,
            steps=steps,
            guidance=guidance,
            scale=scale,
        )
        yield _shown(at, scenes, made, judge)


@torch.no_grad()
def _again(autoencoder: Any, pictures: Sequence[Picture]) -> list[Picture]:
    """Pictures through the latent and back."""
    shown = []
    for picture in pictures:
        pixels = pixel_values(picture[None], str(autoencoder.device)).to(autoencoder.dtype)
        made = autoencoder.decode(autoencoder.encode(pixels).latent_dist.mode()).sample.float()
        shown.append(to_picture((made + 1) / 2))
    return shown


@torch.no_grad()
def feature_figures(
    model: VisionLanguageFeature,
    projection: FeatureProjection,
    painter: FeatureToImage,
    judge: SceneJudge,
    snrs: Sequence[float],
    count: int,
    seed: int,
    *,
    steps: int = _STEPS,
    guidance: float = 3.0,
) -> Iterator[Figure]:
    """Facts of texts and of pictures that are made from the received feature.

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
    """
    scenes = unseen_scenes(count, seed)
    place = projection.down.weight
    values = projection.encode(model.encode([draw(scene) for scene in scenes]).to(place)).cpu()
    streams = Stream(seed, "evaluation").batch(range(count))
    for snr in snrs:
        at = "no-noise" if math.isinf(snr) else f"{snr:g}dB"
        heard = math.sqrt(2) * through(values, AWGN(), min(snr, _NOISELESS), streams)
        features = projection.decode(heard.to(place)).cpu()
        yield _told(at, scenes, model.to_text(features, max_tokens=_MOST))
        made = painter.generate(features, seeds=range(seed, seed + count), steps=steps, guidance=guidance)
        yield _shown(at, scenes, made, judge)
