"""Metrics by name: what each compares, and in which direction it improves.

Some names take a network, a preset of ``semphy list`` or a folder: ``cosine:clip-vit-b32``,
``cosine:PATH``, ``clip-score:clip-vit-l14``; their labels say which, as their values mean nothing without it.
BLEU takes sacrebleu's tokenisers in the same way: ``bleu:zh``, ``bleu-4:char``.

Texts are held against one reference (a sentence that was sent) or several (captions of a picture): BLEU
pools them, everything else takes the best (`semantic.metrics.references`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from semantic.zoo.published import Published

__all__ = [
    "BLEU_METRICS",
    "EMBEDDING_METRICS",
    "IMAGE_METRICS",
    "METRICS",
    "NETWORK_METRICS",
    "TEXT_METRICS",
    "Measure",
    "describe",
    "measure",
    "network",
    "published",
]

Kind = Literal["image", "text", "embedding", "captions", "scene"]
Function = Callable[[Any, Any], float]


@dataclass(frozen=True)
class Measure:
    """A metric.

    Attributes
    ----------
    label:
        As it stands on the axis of a figure.
    higher_is_better:
        Direction of improvement.
    load:
        Returns the function (reference, received) -> value; imports and reads weights when called.
    reference:
        Attribute of a `bridge.systems.system.Source` that it compares with. Metrics of texts take ``text``
        or, for a picture, its ``captions``.
    received:
        Attribute of a `bridge.systems.system.Reconstruction` that it measures: ``image``, ``text`` or
        ``embedding``.
    limits:
        The lowest and the highest value where it is a share, such as that of wrong words; None otherwise.
        (More words than were sent may be wrong: a rate of errors above 1 is possible, and rare.)
    """

    label: str
    higher_is_better: bool
    load: Callable[..., Function]
    reference: Kind = "image"
    received: Kind = "image"
    limits: tuple[float, float] | None = None


_SHARE = (0.0, 1.0)


def _image(name: str) -> Function:
    from semantic.metrics import image

    return getattr(image, name)


def _lpips(net: Literal["alex", "vgg"]) -> Function:
    from semantic.metrics.lpips import load

    return load(net).distance


def _st_lpips(net: Literal["alex", "vgg"]) -> Function:
    from semantic.metrics.stlpips import load

    return load(net).distance


def _dists() -> Function:
    from semantic.metrics.dists import load_dists

    return load_dists().distance


def _scene() -> Function:
    from semantic.scenes.judge import SceneJudge, picture_accuracy

    judge = SceneJudge.from_pretrained()

    def accuracy(scene: Any, picture: Any) -> float:
        return picture_accuracy(_drawn(scene), picture, judge).accuracy

    return accuracy


def _cosine(network: str) -> Function:
    from semantic.metrics.semantic import ImageCosine, MobileNet
    from semantic.zoo.presets import resolve

    folder = resolve(network)
    listed = any(folder.glob("*.graph.json"))  # a list of operations, as MobileNet's
    cosine = ImageCosine(MobileNet.from_folder(folder)) if listed else ImageCosine.from_pretrained(folder)
    return cosine.similarity


def _clip_score(network: str) -> Function:
    """Score a received picture against captions."""
    from semantic.metrics.references import best
    from semantic.metrics.semantic import ClipScore
    from semantic.zoo.presets import resolve

    return partial(best, ClipScore.from_pretrained(resolve(network)).score, True)


def _clip_score_text(network: str) -> Function:
    """Score a received text against the picture."""
    from semantic.metrics.semantic import ClipScore
    from semantic.zoo.presets import resolve

    score = ClipScore.from_pretrained(resolve(network)).score

    def agreement(picture: Any, text: str) -> float:
        if picture is None:
            raise ValueError("clip-score-text holds a text against a picture, and the source has none")
        return score(text, picture)

    return agreement


def _bleu(name: str, tokenize: str = "13a", **options: int) -> Function:
    from semantic.metrics import bleu

    score = partial(getattr(bleu, name), tokenize=tokenize, **options)
    score("a", "b")  # now, what would be missing later
    return score


def _text(name: str, higher_is_better: bool) -> Function:
    from semantic.metrics import references, text

    return partial(references.best, getattr(text, name), higher_is_better)


def _sentence(network: str | None = None) -> Function:
    from semantic.metrics.references import best
    from semantic.metrics.semantic import SentenceSimilarity
    from semantic.zoo.presets import resolve

    folder = None if network is None else resolve(network)
    return partial(best, SentenceSimilarity.from_pretrained(folder).similarity, True)


def _scene_text() -> Function:
    from semantic.scenes.parse import text_accuracy

    return lambda scene, text: text_accuracy(_drawn(scene), text).accuracy


def _drawn(scene: Any) -> Any:
    if scene is None:
        raise ValueError("facts are known of drawn scenes only (--images scenes), and the source is none")
    return scene


def _vector(name: str) -> Function:
    from semantic.metrics import vector

    return getattr(vector, name)


IMAGE_METRICS = {
    "psnr": Measure("PSNR (dB)", True, partial(_image, "psnr")),
    "ssim": Measure("SSIM", True, partial(_image, "ssim")),
    "ms-ssim": Measure("MS-SSIM", True, partial(_image, "ms_ssim")),
    "lpips-alex": Measure("LPIPS (AlexNet)", False, partial(_lpips, "alex")),
    "lpips-vgg": Measure("LPIPS (VGG)", False, partial(_lpips, "vgg")),
    "st-lpips-alex": Measure("ST-LPIPS (AlexNet)", False, partial(_st_lpips, "alex")),
    "st-lpips-vgg": Measure("ST-LPIPS (VGG)", False, partial(_st_lpips, "vgg")),
    "dists": Measure("DISTS", False, _dists),
    "scene": Measure("facts shown rightly (judge)", True, _scene, "scene", limits=_SHARE),
}
"""Metrics of pictures, ``[height, width, 3]``, ``uint8``."""

BLEU_METRICS = {
    "bleu": Measure("BLEU", True, partial(_bleu, "bleu"), "text", "text", _SHARE),
    **{
        f"bleu-{n}": Measure(f"BLEU-{n}", True, partial(_bleu, "bleu_n", n=n), "text", "text", _SHARE)
        for n in (1, 2, 3, 4)
    },
}
"""Metrics of sentences whose name may go on with a colon and one of `semantic.metrics.bleu.TOKENIZERS`."""

TEXT_METRICS = {
    **BLEU_METRICS,
    "chrf": Measure("chrF", True, partial(_text, "chrf", True), "text", "text", _SHARE),
    "cer": Measure(
        "character error rate",
        False,
        partial(_text, "character_error_rate", False),
        "text",
        "text",
        _SHARE,
    ),
    "wer": Measure(
        "word error rate", False, partial(_text, "word_error_rate", False), "text", "text", _SHARE
    ),
    "sentence": Measure("cosine of sentences (all-MiniLM-L6-v2)", True, _sentence, "text", "text"),
    "scene-text": Measure("facts told rightly", True, _scene_text, "scene", "text", _SHARE),
}
"""Metrics of sentences."""

EMBEDDING_METRICS = {
    name: Measure(label, higher, partial(_vector, function), "embedding", "embedding")
    for name, label, higher, function in (
        ("snr-out", "output SNR (dB)", True, "output_snr"),
        ("mse", "mean squared error", False, "mean_squared_error"),
        ("cosine", "cosine similarity", True, "cosine"),
        ("relative-error", "relative error", False, "relative_error"),
    )
}
"""Metrics of vectors, ``[count]``, ``float32``."""

METRICS = IMAGE_METRICS | TEXT_METRICS | EMBEDDING_METRICS
"""All metrics whose name is complete."""

NETWORK_METRICS: dict[str, Callable[[str, str], Measure]] = {
    "cosine": lambda network, label: Measure(
        f"cosine of pictures ({label})", True, partial(_cosine, network)
    ),
    "clip-score": lambda network, label: Measure(
        f"CLIP score with captions ({label})", True, partial(_clip_score, network), "captions"
    ),
    "clip-score-text": lambda network, label: Measure(
        f"CLIP score with the picture ({label})", True, partial(_clip_score_text, network), "image", "text"
    ),
    "sentence": lambda network, label: Measure(
        f"cosine of sentences ({label})", True, partial(_sentence, network), "text", "text"
    ),
}
"""Metrics whose name goes on with a colon and a network, preset or folder; made of these and its label."""


def describe(name: str) -> Measure:
    """What a metric is, without loading it.

    Parameters
    ----------
    name:
        Of `METRICS`, of `NETWORK_METRICS` with a network, ``cosine:clip-vit-b32``, or of `BLEU_METRICS` with
        a tokeniser, ``bleu:zh``.

    Raises
    ------
    ValueError
        If there is no such metric; lists what there is.

    Examples
    --------
    >>> describe("mse").label, describe("mse").higher_is_better
    ('mean squared error', False)
    """
    if name in METRICS:
        return METRICS[name]
    family, _, network = name.partition(":")
    if family in BLEU_METRICS and network:
        own = BLEU_METRICS[family]
        return replace(own, label=f"{own.label} ({network})", load=partial(own.load, tokenize=network))
    if family not in NETWORK_METRICS or not network:
        there = [*METRICS, "bleu:TOKENIZER", *(f"{family}:PRESET-or-FOLDER" for family in NETWORK_METRICS)]
        raise ValueError(f"unknown metric {name!r}: there are {', '.join(there)}")
    return NETWORK_METRICS[family](network, Path(network).name or network)


def network(name: str) -> Path | None:
    """Where the network lies that a metric measures by; None if by none, or by one whose weights are pinned.

    Raises
    ------
    ValueError
        If there is no such network.
    semantic.zoo.weights.WeightsMissing
        If it is not on this machine.
    """
    from semantic.scenes.judge import BUNDLED
    from semantic.zoo.presets import resolve

    family, _, place = name.partition(":")
    if place and family not in BLEU_METRICS:
        return resolve(place)
    return BUNDLED if name == "scene" else None


def published(name: str) -> Published | None:
    """What ``semphy fetch`` brings for a metric, here or not; None if nothing.

    Examples
    --------
    >>> [thing.fetched_as for thing in map(published, ("dists", "psnr", "cosine:clip-vit-b32")) if thing]
    ['lpips-vgg', 'models:clip-vit-b32']
    """
    from semantic.metrics import lpips, stlpips
    from semantic.zoo.presets import PRESETS

    family, _, place = name.partition(":")
    if family in NETWORK_METRICS and place in PRESETS:
        return PRESETS[place]
    nets: dict[str, Published] = {f"lpips-{net}": backbone for net, backbone in lpips.BACKBONES.items()}
    nets |= {
        "dists": lpips.BACKBONES["vgg"],
        "st-lpips-alex": stlpips.NETWORKS,
        "st-lpips-vgg": stlpips.NETWORKS,
    }
    return nets.get(name)


@cache
def measure(name: str) -> Function:
    """Return a metric's function, loaded once a process.

    Raises
    ------
    ValueError
        If the name, or its network, is unknown.
    semantic.zoo.weights.WeightsMissing
        If it needs weights that are not on this machine.

    Examples
    --------
    >>> measure("cer")("A dog runs.", "A dig runs.").__round__(3)  # one of eleven characters
    0.091
    """
    return describe(name).load()
