"""What cannot work in a comparison, found before any long work starts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from benchmarks.settings.compare import CompareSpec, built_of, systems_of
from benchmarks.systems.evaluate import channel_uses_of
from benchmarks.systems.sources import Listed
from bridge.air.analog import Analog
from bridge.systems.pixels.carried import Carried
from bridge.systems.system import System
from phy.units import BandwidthRatio, EsN0
from semantic.metrics.catalog import BLEU_METRICS, describe, measure
from semantic.metrics.image import fitting_scales
from semantic.scenes.palette import is_drawn

__all__ = ["cautions", "check_budgets", "check_carriages", "check_metrics", "check_pictures"]

MS_SSIM_SCALES = 5
_WITHOUT_BLANKS = re.compile(r"[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]{2}")
"""Two letters in a row of a script that does not part words: Thai, Lao, Khmer, Japanese, Chinese."""


def cautions(spec: CompareSpec, sources: Sequence[Listed]) -> list[str]:
    """What should be known of a comparison before its figures are trusted."""
    carriages = [system.carriage for system in systems_of(spec) if isinstance(system, Carried)]
    found = [carriage.caution for carriage in carriages if isinstance(carriage, Analog)]
    by_words = [name for name in spec.metrics_of("text") if name in (*BLEU_METRICS, "wer")]
    texts = [text for source in sources for text in (source.known.text, *source.captions) if text]
    unparted = next((text for text in texts if _WITHOUT_BLANKS.search(text)), None)
    if unparted is not None and by_words and any("text" in system.delivers for system in systems_of(spec)):
        found.append(
            f"{unparted[:20]!r} has no blanks between words, and {', '.join(by_words)} take it for one: give "
            "--bleu-tokenize zh, ja-mecab or char, and cer instead of wer"
        )
    return [caution for caution in dict.fromkeys(found) if caution]


def check_carriages(spec: CompareSpec, sources: Sequence[Listed]) -> None:
    """Find a carriage that cannot take its payload, or that not a single source can be sent by.

    Where some can, the others' rows say that they failed, or why they have none.
    """
    for system in systems_of(spec):
        own = [source for source in sources if source.kind == system.modality]
        if own and isinstance(system, Carried):
            for cbr in spec.cbr if system.modality == "image" else (None,):
                _check_carriage(spec, system, own, cbr)


def _check_carriage(spec: CompareSpec, system: Carried, sources: Sequence[Listed], cbr: str | None) -> None:
    refusals = []
    for each in sources:
        source = each.load()
        try:
            system.encode(source, channel_uses_of(spec, source, cbr), EsN0(spec.snr[0]))
            return
        except ValueError as error:  # what does not fit among them
            refusals.append(error)
    raise refusals[0]


def check_pictures(spec: CompareSpec, sources: Iterable[Listed]) -> None:
    """Refuse to ask models that know drawn scenes alone about any other picture; ``force`` asks them.

    Scenes are known by their colours (`semantic.scenes.palette`), wherever they come from.
    """
    if spec.force:
        return
    for system, models in ((built.system, built.models) for built in built_of(spec)):
        strangers = models.strangers(getattr(system, "roles", ()))
        for source in sources if strangers and system.modality == "image" else ():
            if source.kind == "image" and not is_drawn(source.load().picture):
                raise ValueError(
                    f"{system.name} asks {', '.join(strangers)}, trained on drawn scenes alone, and "
                    f"{source.name} is none: give --images scenes:medium, other --models, or --force"
                )


def check_budgets(spec: CompareSpec, sources: Sequence[Listed]) -> None:
    """Find a bandwidth ratio at which no scheme of a family can send any of the pictures.

    Where some can, the others' rows say that they failed.
    """
    shapes = {source.size for source in sources if source.size is not None}
    pictured = [system for system in systems_of(spec) if system.modality == "image"]
    for family in dict.fromkeys(system.family for system in pictured):
        for cbr in spec.cbr if shapes else ():
            budgets = [BandwidthRatio.parse(cbr).channel_uses(*shape) for shape in shapes]
            schemes = [system for system in pictured if system.family == family]
            refusals = [_refusal(system, uses) for system in schemes for uses in budgets]
            if None not in refusals:
                raise ValueError(refusals[0])


def _refusal(system: System, channel_uses: int) -> str | None:
    try:
        system.check(channel_uses)
    except ValueError as error:
        return str(error)
    return None


def check_metrics(spec: CompareSpec, sources: Sequence[Listed]) -> None:
    """Find a metric that cannot work, for want of weights or of pixels, before any long work starts."""
    for source in sources if {"snr-out", "relative-error"} & set(spec.embedding_metrics) else ():
        if source.known.embedding is not None and not source.known.embedding.any():
            raise ValueError(
                f"{source.name} is a vector of zeros, to which no error is relative; drop it, or snr-out and "
                "relative-error from --embedding-metrics"
            )
    pictures = [source for source in sources if source.size is not None]
    described = any(source.captions or source.scene is not None for source in sources)
    names = {name for system in systems_of(spec) for name in spec.metrics_by(system, described)}
    for name in sorted(names):
        measure(name)
        about = describe(name)
        if about.reference in ("captions", "scene") and not all(
            getattr(source, about.reference) for source in pictures
        ):
            raise ValueError(
                f"{name} holds what arrives against the {about.reference} of pictures, and these have none: "
                "give --captions FILE, or --images scenes"
            )
    sizes = {source.size for source in pictures if source.size} if "ms-ssim" in spec.metrics else set()
    for height, width in sorted(sizes):
        if fitting_scales(height, width) < MS_SSIM_SCALES:
            raise ValueError(
                f"ms-ssim with {MS_SSIM_SCALES} scales needs pictures of at least 161 pixels a side, "
                f"got {width} x {height}; drop it from --metrics"
            )
