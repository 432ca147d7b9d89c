"""Metrics by name, with the direction in which they improve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal

__all__ = ["EMBEDDING_METRICS", "IMAGE_METRICS", "METRICS", "TEXT_METRICS", "Measure", "measure"]


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
    """

    label: str
    higher_is_better: bool
    load: Callable[[], Callable[[Any, Any], float]]


def _image(name: str) -> Callable[[Any, Any], float]:
    from semantic.metrics import image

    return getattr(image, name)


def _text(name: str, **options: int) -> Callable[[Any, Any], float]:
    from semantic.metrics import text

    return partial(getattr(text, name), **options)


def _vector(name: str) -> Callable[[Any, Any], float]:
    from semantic.metrics import vector

    return getattr(vector, name)


def _lpips(net: Literal["alex", "vgg"]) -> Callable[[Any, Any], float]:
    from semantic.metrics.lpips import load

    return load(net).distance


IMAGE_METRICS = {
    "psnr": Measure("PSNR (dB)", True, partial(_image, "psnr")),
    "ssim": Measure("SSIM", True, partial(_image, "ssim")),
    "ms-ssim": Measure("MS-SSIM", True, partial(_image, "ms_ssim")),
    "lpips-alex": Measure("LPIPS (AlexNet)", False, partial(_lpips, "alex")),
    "lpips-vgg": Measure("LPIPS (VGG)", False, partial(_lpips, "vgg")),
}
"""Metrics of pictures, ``[height, width, 3]``, ``uint8``."""

TEXT_METRICS = {
    "bleu": Measure("BLEU", True, partial(_text, "bleu")),
    **{f"bleu-{n}": Measure(f"BLEU-{n}", True, partial(_text, "bleu_n", n=n)) for n in (1, 2, 3, 4)},
    "chrf": Measure("chrF", True, partial(_text, "chrf")),
    "cer": Measure("character error rate", False, partial(_text, "character_error_rate")),
    "wer": Measure("word error rate", False, partial(_text, "word_error_rate")),
}
"""Metrics of sentences."""

EMBEDDING_METRICS = {
    "snr-out": Measure("output SNR (dB)", True, partial(_vector, "output_snr")),
    "mse": Measure("mean squared error", False, partial(_vector, "mean_squared_error")),
    "cosine": Measure("cosine similarity", True, partial(_vector, "cosine")),
    "relative-error": Measure("relative error", False, partial(_vector, "relative_error")),
}
"""Metrics of vectors, ``[count]``, ``float32``."""

METRICS = IMAGE_METRICS | TEXT_METRICS | EMBEDDING_METRICS
"""All metrics."""


@cache
def measure(name: str) -> Callable[[Any, Any], float]:
    """Return a metric's function, loaded once a process.

    Raises
    ------
    ValueError
        If the name is unknown.
    semantic.weights.WeightsMissing
        If it needs weights that are not on this machine.
    """
    if name not in METRICS:
        raise ValueError(f"unknown metric {name!r}: there are {', '.join(METRICS)}")
    return METRICS[name].load()
